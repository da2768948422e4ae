-- key: histories
-- title: crm.histories stored by CREATE TABLE AS
-- needs: crm.histories/2
-- before: DROP TABLE IF EXISTS stored_histories
-- answer: SELECT customer_id, extract(day FROM timestamptz '2026-01-01 00:00:00+00' - crm.last_order(history))::int AS recency, crm.orders(history) AS frequency, crm.revenue(history) AS monetary FROM stored_histories
CREATE TABLE stored_histories AS
SELECT customer_id, history FROM crm.histories('SELECT customer_id, ordered_at, total FROM orders')
