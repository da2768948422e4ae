-- key: statements_free
-- title: 100 statements that insert 1,000 rows
-- needs: crm.create_shop/27
-- data: capture
SELECT 'INSERT INTO sale (customer_id, ordered_at, total) SELECT customer_id, ordered_at, total FROM basket'
FROM generate_series(1, 100) \gexec
