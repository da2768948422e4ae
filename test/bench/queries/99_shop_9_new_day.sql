-- key: refresh_new_day
-- title: crm.refresh on the first day of a year, after 10,000 new orders: all scored, cut points and models found anew
-- needs: crm.refresh/2
-- data: shop
-- before: CALL crm.rebuild('bench_shop', '2025-12-31 12:00Z')
-- before: SELECT order_anew(10000)
-- before: VACUUM shop_orders, bench_shop.customer_history, bench_shop.change_queue, bench_shop.answer_change
-- answer: SELECT customer_id, orders, revenue, last_order_at FROM bench_shop.customer
-- truth: SELECT customer_id, count(*), sum(total), max(ordered_at) FROM shop_orders GROUP BY 1
CALL crm.refresh('bench_shop', '2026-01-01 12:00Z')
