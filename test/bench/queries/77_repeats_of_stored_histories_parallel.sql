-- key: repeat_stored_parallel
-- title: crm.repeats over stored histories, two parallel workers
-- needs: crm.repeat_rows/2
-- setup: CREATE TABLE IF NOT EXISTS kept_histories AS SELECT customer_id, history FROM crm.histories('SELECT customer_id, ordered_at, total FROM orders')
-- setup: VACUUM (FREEZE, ANALYZE) kept_histories
-- set: max_parallel_workers_per_gather = 2
-- set: min_parallel_table_scan_size = 0
-- set: parallel_setup_cost = 0
-- plan: Gather
-- wrap: rungs
SELECT nth, customers, repeated, median_days
FROM crm.repeat_rows((SELECT crm.repeats(history, '2026-01-01 00:00:00+00') FROM kept_histories), within => '90 days')
