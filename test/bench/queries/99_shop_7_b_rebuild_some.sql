-- key: rebuild_some
-- title: crm.rebuild after the same
-- needs: crm.refresh/2
-- data: shop
-- before: CALL crm.refresh('bench_shop', '2025-12-31 12:00Z')
-- before: SELECT change_orders(100000)
-- before: VACUUM shop_orders, bench_shop.customer_history, bench_shop.change_queue, bench_shop.answer_change
-- answer: SELECT customer_id, orders, revenue, last_order_at FROM bench_shop.customer
-- truth: SELECT customer_id, count(*), sum(total), max(ordered_at) FROM shop_orders GROUP BY 1
CALL crm.rebuild('bench_shop', '2025-12-31 12:00Z')
