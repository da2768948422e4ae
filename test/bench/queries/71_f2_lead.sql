-- key: f2_lead
-- title: (i) F2 with lead()
-- wrap: f2
SELECT count(*) AS customers, count(*) FILTER (WHERE gap <= interval '90 days') AS repeated
FROM (SELECT row_number() OVER by_time AS nth, lead(ordered_at) OVER by_time - ordered_at AS gap
      FROM orders
      WINDOW by_time AS (PARTITION BY customer_id ORDER BY ordered_at)) AS step
WHERE nth = 1
