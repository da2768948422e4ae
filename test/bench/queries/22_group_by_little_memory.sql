-- key: group_by_4mb
-- title: (c) GROUP BY tuned: work_mem = 4MB
-- group: tuned
-- set: work_mem = '4MB'
-- wrap: raw
SELECT customer_id,
       extract(day FROM timestamptz '2026-01-01 00:00:00+00' - max(ordered_at))::int AS recency,
       count(*) AS frequency,
       sum(total) AS monetary
FROM orders
GROUP BY customer_id
