-- key: index_ntile
-- title: (d) GROUP BY and three NTILE windows over the covering index
-- set: enable_hashagg = off
-- set: enable_seqscan = off
-- set: random_page_cost = 1
-- plan: Index Only Scan
-- wrap: grades
WITH customer AS (
    SELECT customer_id,
           extract(day FROM timestamptz '2026-01-01 00:00:00+00' - max(ordered_at))::int AS recency,
           count(*) AS frequency,
           sum(total) AS monetary
    FROM orders_indexed
    GROUP BY customer_id
)
SELECT customer_id, recency, frequency, monetary,
       ntile(5) OVER (ORDER BY recency DESC) AS r,
       ntile(5) OVER (ORDER BY frequency) AS f,
       ntile(5) OVER (ORDER BY monetary) AS m
FROM customer
