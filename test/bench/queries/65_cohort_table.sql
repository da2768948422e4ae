-- key: cohort
-- title: crm.cohort_table, months, with revenue
-- needs: crm.cohort_table/4
-- wrap: cells
-- memory: pg_crm.memory = '128MB'
SELECT (12 * extract(year FROM cohort) + extract(month FROM cohort))::int AS cohort, age, customers, retained, revenue
FROM crm.cohort_table('SELECT customer_id, ordered_at, total FROM orders', 'month UTC',
                      as_of => '2026-01-01 00:00:00+00')
WHERE retained > 0
