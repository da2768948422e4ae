-- key: f2_as_written
-- title: (i) F2 within 90 days: numbered orders joined with themselves, as people write it
-- wrap: f2
-- memory: work_mem = '64MB'
WITH numbered AS (
    SELECT customer_id, ordered_at, row_number() OVER (PARTITION BY customer_id ORDER BY ordered_at) AS nth
    FROM orders
)
SELECT count(*) AS customers,
       count(*) FILTER (WHERE second.ordered_at <= first.ordered_at + interval '90 days') AS repeated
FROM numbered AS first
     LEFT JOIN numbered AS second ON second.customer_id = first.customer_id AND second.nth = 2
WHERE first.nth = 1
