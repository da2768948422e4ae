-- key: ours_32mb
-- title: crm.rfm_table, exact fifths, budget of 32 MB
-- needs: crm.rfm_table/7
-- set: pg_crm.memory = '32MB'
-- agrees: ours
-- wrap: grades
-- memory: pg_crm.memory = '32MB'
SELECT customer_id, recency, frequency, monetary, r, f, m, segment
FROM crm.rfm_table('SELECT customer_id, ordered_at, total FROM orders',
                   as_of => '2026-01-01 00:00:00+00', span => NULL, grades => 5)
