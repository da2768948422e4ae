-- key: fit_orders
-- title: crm.mbgnbd_fit over the orders, in one pass
-- needs: crm.mbgnbd_fit/4
SELECT crm.mbgnbd_fit('SELECT customer_id, ordered_at, total FROM orders', 'week UTC', '2026-01-01 00:00:00+00')
