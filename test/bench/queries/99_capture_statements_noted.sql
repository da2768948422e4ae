-- key: statements_noted
-- title: the same into a shop's orders
-- needs: crm.refresh/2
-- data: capture
-- before: TRUNCATE capture_shop.change_queue
-- answer: SELECT (SELECT count(*) FROM capture_shop.attention), EXISTS (SELECT FROM capture_shop.change_queue)
-- truth: SELECT 1, true
SELECT 'INSERT INTO noted_sale (customer_id, ordered_at, total) SELECT customer_id, ordered_at, total FROM basket'
FROM generate_series(1, 100) \gexec
