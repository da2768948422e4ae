-- key: statements_free
-- title: 100 statements that insert 1,000 rows
-- needs: crm.refresh/2
-- data: capture
SELECT 'INSERT INTO sale (customer_id, ordered_at, total) SELECT customer_id, ordered_at, total FROM basket'
FROM generate_series(1, 100) \gexec
