-- key: ctas_arrays
-- title: (c) CREATE TABLE AS … GROUP BY: array_agg of times and amounts
-- before: DROP TABLE IF EXISTS stored_arrays
-- answer: SELECT customer_id, extract(day FROM timestamptz '2026-01-01 00:00:00+00' - (SELECT max(t) FROM unnest(ordered_at) AS t))::int AS recency, cardinality(total) AS frequency, (SELECT sum(x) FROM unnest(total) AS x) AS monetary FROM stored_arrays
CREATE TABLE stored_arrays AS
SELECT customer_id, array_agg(ordered_at) AS ordered_at, array_agg(total) AS total
FROM orders
GROUP BY customer_id
