-- key: fit_stored
-- title: crm.mbgnbd_fit over stored histories
-- needs: crm.mbgnbd_finish/1
-- setup: CREATE TABLE IF NOT EXISTS kept_histories AS SELECT customer_id, history FROM crm.histories('SELECT customer_id, ordered_at, total FROM orders')
-- setup: VACUUM (FREEZE, ANALYZE) kept_histories
SELECT crm.mbgnbd_fit(history, 'week UTC', '2026-01-01 00:00:00+00') FROM kept_histories
