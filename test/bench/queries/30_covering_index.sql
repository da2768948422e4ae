-- key: index_raw
-- title: (d) GROUP BY over the covering index
-- set: enable_hashagg = off
-- set: enable_seqscan = off
-- set: random_page_cost = 1
-- plan: Index Only Scan
-- wrap: raw
SELECT customer_id,
       extract(day FROM timestamptz '2026-01-01 00:00:00+00' - max(ordered_at))::int AS recency,
       count(*) AS frequency,
       sum(total) AS monetary
FROM orders_indexed
GROUP BY customer_id
