-- key: rows_noted
-- title: the same into a shop's orders
-- needs: crm.refresh/2
-- data: capture
-- before: TRUNCATE capture_shop.change_queue
-- answer: SELECT (SELECT count(*) FROM capture_shop.attention), EXISTS (SELECT FROM capture_shop.change_queue)
-- truth: SELECT 1, true
SELECT format('INSERT INTO noted_sale (customer_id, ordered_at, total) VALUES (%s, %L, %s)', customer_id, ordered_at, total)
FROM basket, generate_series(1, 10) \gexec
