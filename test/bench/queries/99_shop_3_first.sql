-- key: shop_first
-- title: a shop filled from nothing, with cut points and models
-- needs: crm.refresh/2
-- data: shop
-- before: CALL crm.rebuild('bench_shop', '2025-12-31 12:00Z')
-- before: TRUNCATE bench_shop.customer_history, bench_shop.change_queue, bench_shop.answer_change, bench_shop.band, bench_shop.model
-- before: UPDATE bench_shop.scoring SET known_since = NULL
-- answer: SELECT customer_id, orders, revenue, last_order_at FROM bench_shop.customer
-- truth: SELECT customer_id, count(*), sum(total), max(ordered_at) FROM shop_orders GROUP BY 1
CALL crm.rebuild('bench_shop', '2025-12-31 12:00Z')
