-- key: ours_bands
-- title: crm.rfm_table, the published bands, six segments
-- needs: crm.rfm_table/7
-- wrap: grades
SELECT customer_id, recency, frequency, monetary, r, f, m, segment
FROM crm.rfm_table('SELECT customer_id, ordered_at, total FROM orders',
                   as_of => '2026-01-01 00:00:00+00', span => NULL)
