-- key: duckdb_tz
-- title: (e) DuckDB, its own copy, timestamptz: GROUP BY
-- engine: duckdb
-- wrap: raw
SELECT customer_id,
       (epoch_us(TIMESTAMP '2026-01-01 00:00:00') - epoch_us(max(ordered_at))) // 86400000000 AS recency,
       count(*) AS frequency,
       sum(total) AS monetary
FROM orders
GROUP BY customer_id
