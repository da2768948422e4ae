-- key: cohort_stored
-- title: crm.cohorts over stored histories
-- needs: crm.cohort_rows/2
-- setup: CREATE TABLE IF NOT EXISTS kept_histories AS SELECT customer_id, history FROM crm.histories('SELECT customer_id, ordered_at, total FROM orders')
-- setup: VACUUM (FREEZE, ANALYZE) kept_histories
-- wrap: cells
SELECT (12 * extract(year FROM cohort) + extract(month FROM cohort))::int AS cohort, age, customers, retained, revenue
FROM crm.cohort_rows((SELECT crm.cohorts(history, 'month UTC', '2026-01-01 00:00:00+00') FROM kept_histories))
WHERE retained > 0
