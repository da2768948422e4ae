-- key: repeat_arrays_1gb
-- title: (k) an array of times for each customer instead of lead(), work_mem = 1GB
-- group: ladders
-- set: work_mem = '1GB'
-- wrap: rungs
WITH bought AS (
    SELECT array_agg(ordered_at ORDER BY ordered_at) AS at
    FROM orders
    GROUP BY customer_id
), step AS (
    SELECT nth, ceil(date_part('epoch', at[nth + 1] - at[nth]) / 86400)::int AS days
    FROM bought, generate_series(1, least(cardinality(at), 100)) AS nth
), counted AS (
    SELECT nth, days, count(*) AS customers
    FROM step
    GROUP BY nth, days
), running AS (
    SELECT nth, days, customers, sum(customers) OVER (PARTITION BY nth ORDER BY days) AS upto,
           sum(customers) FILTER (WHERE days IS NOT NULL) OVER (PARTITION BY nth) AS came_back
    FROM counted
)
SELECT nth, sum(customers) AS customers, coalesce(sum(customers) FILTER (WHERE days <= 90), 0) AS repeated,
       min(days) FILTER (WHERE 2 * upto >= came_back) AS median_days
FROM running
GROUP BY nth
