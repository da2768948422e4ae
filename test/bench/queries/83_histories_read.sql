-- key: histories_read
-- title: (l) reading stored histories: sum(crm.orders)
-- needs: crm.orders/1
-- setup: CREATE TABLE IF NOT EXISTS kept_histories AS SELECT customer_id, history FROM crm.histories('SELECT customer_id, ordered_at, total FROM orders')
-- setup: VACUUM (FREEZE, ANALYZE) kept_histories
SELECT count(*), sum(crm.orders(history)) FROM kept_histories
