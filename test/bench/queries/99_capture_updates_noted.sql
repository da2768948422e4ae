-- key: updates_noted
-- title: the same of a shop's orders
-- needs: crm.refresh/2
-- data: capture
-- before: TRUNCATE capture_shop.change_queue
-- answer: SELECT (SELECT count(*) FROM capture_shop.attention), EXISTS (SELECT FROM capture_shop.change_queue)
-- truth: SELECT 1, true
SELECT format('UPDATE noted_sale SET total = total + 1 WHERE sale_id > %1$s AND sale_id <= %1$s + 1000', 1000 * n)
FROM generate_series(0, 99) AS n \gexec
