-- key: duckdb_tz_ntile
-- title: (e) DuckDB, its own copy, timestamptz: GROUP BY and three NTILE windows
-- engine: duckdb
-- wrap: grades
WITH customer AS (
    SELECT customer_id,
           (epoch_us(TIMESTAMP '2026-01-01 00:00:00') - epoch_us(max(ordered_at))) // 86400000000 AS recency,
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
