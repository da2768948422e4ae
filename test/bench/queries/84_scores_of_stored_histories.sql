-- key: scores_stored
-- title: crm.p_alive and crm.expected_orders over stored histories, MBG/NBD
-- needs: crm.p_alive/3
-- setup: CREATE TABLE IF NOT EXISTS kept_histories AS SELECT customer_id, history FROM crm.histories('SELECT customer_id, ordered_at, total FROM orders')
-- setup: VACUUM (FREEZE, ANALYZE) kept_histories
SELECT sum(crm.p_alive(history, crm.mbgnbd(0.525, 6.183, 0.891, 1.614, 'week UTC'), '2026-01-01 00:00:00+00')),
       sum(crm.expected_orders(history, crm.mbgnbd(0.525, 6.183, 0.891, 1.614, 'week UTC'), '2026-01-01 00:00:00+00', '1 year'))
FROM kept_histories
