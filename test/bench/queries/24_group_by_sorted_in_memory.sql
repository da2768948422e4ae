-- key: group_by_sorted_1gb
-- title: (c) GROUP BY tuned: sorted, work_mem = 1GB
-- group: tuned
-- set: enable_hashagg = off
-- set: work_mem = '1GB'
-- plan: Sort
-- wrap: raw
SELECT customer_id,
       extract(day FROM timestamptz '2026-01-01 00:00:00+00' - max(ordered_at))::int AS recency,
       count(*) AS frequency,
       sum(total) AS monetary
FROM orders
GROUP BY customer_id
