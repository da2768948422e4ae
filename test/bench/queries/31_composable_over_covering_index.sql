-- key: composable
-- title: crm.rfm(…) GROUP BY over the covering index
-- needs: crm.rfm/4
-- set: enable_hashagg = off
-- set: enable_seqscan = off
-- set: random_page_cost = 1
-- plan: Index Only Scan
-- wrap: raw
SELECT customer_id, (rfm).recency, (rfm).frequency, (rfm).monetary
FROM (
    SELECT customer_id, crm.rfm(ordered_at, total, timestamptz '2026-01-01 00:00:00+00', NULL::interval) AS rfm
    FROM orders_indexed
    GROUP BY customer_id
) AS customer
