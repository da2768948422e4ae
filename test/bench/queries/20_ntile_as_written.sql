-- key: ntile
-- title: (b) GROUP BY and three NTILE windows, as people write them
-- group: written
-- wrap: grades
-- memory: work_mem = '64MB'
WITH customer AS (
    SELECT customer_id,
           extract(day FROM timestamptz '2026-01-01 00:00:00+00' - max(ordered_at))::int AS recency,
           count(*) AS frequency,
           sum(total) AS monetary
    FROM orders
    GROUP BY customer_id
)
SELECT customer_id, recency, frequency, monetary,
       ntile(5) OVER (ORDER BY recency DESC) AS r,
       ntile(5) OVER (ORDER BY frequency) AS f,
       ntile(5) OVER (ORDER BY monetary) AS m
FROM customer
