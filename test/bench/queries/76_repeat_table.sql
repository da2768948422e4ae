-- key: repeat
-- title: crm.repeat_table with quartiles and Kaplan-Meier
-- needs: crm.repeat_table/3
-- wrap: rungs
-- memory: pg_crm.memory = '128MB'
SELECT nth, customers, repeated, median_days
FROM crm.repeat_table('SELECT customer_id, ordered_at, total FROM orders', as_of => '2026-01-01 00:00:00+00',
                      within => '90 days')
