-- key: repeat_stored
-- title: crm.repeats over stored histories
-- needs: crm.repeat_rows/2
-- setup: CREATE TABLE IF NOT EXISTS kept_histories AS SELECT customer_id, history FROM crm.histories('SELECT customer_id, ordered_at, total FROM orders')
-- setup: VACUUM (FREEZE, ANALYZE) kept_histories
-- wrap: rungs
SELECT nth, customers, repeated, median_days
FROM crm.repeat_rows((SELECT crm.repeats(history, '2026-01-01 00:00:00+00') FROM kept_histories), within => '90 days')
