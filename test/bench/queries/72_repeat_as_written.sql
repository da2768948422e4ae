-- key: repeat_as_written
-- title: (j) the ladder with medians: lead() and percentile_disc, as people write it
-- wrap: rungs
-- memory: work_mem = '64MB'
WITH step AS (
    SELECT row_number() OVER by_time AS nth, lead(ordered_at) OVER by_time - ordered_at AS gap
    FROM orders
    WINDOW by_time AS (PARTITION BY customer_id ORDER BY ordered_at)
)
SELECT nth, count(*) AS customers, count(*) FILTER (WHERE gap <= interval '90 days') AS repeated,
       ceil(extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (ORDER BY gap)) / 86400)::int AS median_days
FROM step
WHERE nth <= 100
GROUP BY nth
