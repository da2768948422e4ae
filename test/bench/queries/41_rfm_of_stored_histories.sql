-- key: stored_rfm
-- title: crm.rfm over stored histories
-- needs: crm.histories/2
-- needs: crm.rfm/3
-- setup: CREATE TABLE kept_histories AS SELECT customer_id, history FROM crm.histories('SELECT customer_id, ordered_at, total FROM orders')
-- setup: VACUUM (FREEZE, ANALYZE) kept_histories
-- wrap: raw
SELECT customer_id, (rfm).recency, (rfm).frequency, (rfm).monetary
FROM (
    SELECT customer_id, crm.rfm(history, timestamptz '2026-01-01 00:00:00+00', NULL::interval) AS rfm
    FROM kept_histories
    OFFSET 0
) AS customer
