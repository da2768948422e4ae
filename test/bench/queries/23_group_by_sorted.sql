-- key: group_by_sorted
-- title: (c) GROUP BY tuned: sorted, work_mem = 64MB
-- group: tuned
-- set: enable_hashagg = off
-- plan: Sort
-- wrap: raw
SELECT customer_id,
       extract(day FROM timestamptz '2026-01-01 00:00:00+00' - max(ordered_at))::int AS recency,
       count(*) AS frequency,
       sum(total) AS monetary
FROM orders
GROUP BY customer_id
