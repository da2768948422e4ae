-- key: repeat_counted
-- title: (k) the ladder with medians: lead(), counted by day, medians from running sums
-- group: ladders
-- wrap: rungs
-- memory: work_mem = '64MB'
WITH step AS (
    SELECT row_number() OVER by_time AS nth,
           ceil(date_part('epoch', lead(ordered_at) OVER by_time - ordered_at) / 86400)::int AS days
    FROM orders
    WINDOW by_time AS (PARTITION BY customer_id ORDER BY ordered_at)
), counted AS (
    SELECT nth, days, count(*) AS customers
    FROM step
    WHERE nth <= 100
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
