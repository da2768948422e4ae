-- key: group_by
-- title: (c) GROUP BY alone, as written
-- group: tuned
-- wrap: raw
SELECT customer_id,
       extract(day FROM timestamptz '2026-01-01 00:00:00+00' - max(ordered_at))::int AS recency,
       count(*) AS frequency,
       sum(total) AS monetary
FROM orders
GROUP BY customer_id
