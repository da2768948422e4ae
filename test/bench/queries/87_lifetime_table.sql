-- key: lifetime_table
-- title: crm.lifetime_table over the orders: fits MBG/NBD and Gamma-Gamma, scores everybody
-- needs: crm.lifetime_table/8
-- memory: pg_crm.memory = '128MB'
SELECT count(customer_id), sum(p_alive), sum(expected_orders), sum(expected_order_value), sum(clv)
FROM crm.lifetime_table('SELECT customer_id, ordered_at, total FROM orders', 'week UTC', '2026-01-01 00:00:00+00')
