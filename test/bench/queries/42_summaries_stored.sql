-- key: ctas
-- title: (c) CREATE TABLE AS … GROUP BY: first, last, count, sum
-- before: DROP TABLE IF EXISTS stored_summaries
-- answer: SELECT customer_id, extract(day FROM timestamptz '2026-01-01 00:00:00+00' - last_order)::int AS recency, orders AS frequency, revenue AS monetary FROM stored_summaries
CREATE TABLE stored_summaries AS
SELECT customer_id, min(ordered_at) AS first_order, max(ordered_at) AS last_order, count(*) AS orders, sum(total) AS revenue
FROM orders
GROUP BY customer_id
