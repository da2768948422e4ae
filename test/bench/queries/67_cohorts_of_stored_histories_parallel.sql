-- key: cohort_stored_parallel
-- title: crm.cohorts over stored histories, two parallel workers
-- needs: crm.cohort_rows/2
-- setup: CREATE TABLE IF NOT EXISTS kept_histories AS SELECT customer_id, history FROM crm.histories('SELECT customer_id, ordered_at, total FROM orders')
-- setup: VACUUM (FREEZE, ANALYZE) kept_histories
-- set: max_parallel_workers_per_gather = 2
-- set: min_parallel_table_scan_size = 0
-- set: parallel_setup_cost = 0
-- plan: Gather
-- wrap: cells
SELECT (12 * extract(year FROM cohort) + extract(month FROM cohort))::int AS cohort, age, customers, retained, revenue
FROM crm.cohort_rows((SELECT crm.cohorts(history, 'month UTC', '2026-01-01 00:00:00+00') FROM kept_histories))
WHERE retained > 0
