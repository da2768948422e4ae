-- A shop on orders of its own, which change from turn to turn, and what people have instead of one: materialised views.

SET client_min_messages = warning;
SET maintenance_work_mem = '1GB';
DROP SCHEMA IF EXISTS bench_shop CASCADE;
DROP TABLE IF EXISTS shop_orders CASCADE;

CREATE TABLE shop_orders AS TABLE orders ORDER BY order_id;
ALTER TABLE shop_orders ADD PRIMARY KEY (order_id);
VACUUM (FREEZE, ANALYZE) shop_orders;
SELECT count(*) AS can_prewarm FROM pg_extension WHERE extname = 'pg_prewarm' \gset
\if :can_prewarm
    SELECT pg_prewarm(t) FROM unnest(ARRAY['shop_orders', 'shop_orders_pkey']::regclass[]) AS t;
\endif

SELECT FROM crm.create_shop('bench_shop', 'shop_orders', 'customer_id', 'ordered_at', 'total', zone => 'UTC', grades => 5);
CALL crm.refresh('bench_shop', '2025-12-31 12:00Z');

CREATE VIEW shop_rfm AS
WITH customer AS (
    SELECT customer_id,
           extract(day FROM timestamptz '2025-12-31 23:59:59.999999Z' - max(ordered_at))::int AS recency,
           count(*) AS frequency,
           sum(total) AS monetary
    FROM shop_orders
    GROUP BY customer_id
), graded AS (
    SELECT customer_id, recency, frequency, monetary,
           ntile(5) OVER (ORDER BY recency DESC) AS r,
           ntile(5) OVER (ORDER BY frequency) AS f,
           ntile(5) OVER (ORDER BY monetary) AS m
    FROM customer
)
SELECT customer_id, recency, frequency, monetary, r, f, m,
       CASE WHEN least(r, f, m) >= 4 THEN 'vip'
            WHEN least(r, f, m) >= 3 THEN 'loyal'
            WHEN r >= 3 AND f >= 2 AND m >= 2 THEN 'growing'
            WHEN r >= 4 AND f = 1 THEN 'new'
            WHEN r = 2 AND f >= 2 THEN 'at_risk'
            WHEN r = 1 THEN 'dormant'
            ELSE 'other' END AS segment
FROM graded;
CREATE MATERIALIZED VIEW rfm_matview AS TABLE shop_rfm;
CREATE MATERIALIZED VIEW rfm_matview_unique AS TABLE shop_rfm;
CREATE UNIQUE INDEX ON rfm_matview_unique (customer_id);

-- Orders of different customers, by chance, but the same chance in every run
CREATE FUNCTION some_orders(n int) RETURNS SETOF shop_orders STABLE BEGIN ATOMIC
    SELECT o.* FROM (SELECT DISTINCT 1 + (hashint8extended(i, last_order) & 9223372036854775807) % last_order AS order_id
                     FROM (SELECT max(order_id) AS last_order FROM shop_orders) AS l, generate_series(1, n) AS i) AS chosen
         JOIN shop_orders AS o USING (order_id);
END;
-- A day's new orders: one in five is of a new customer
CREATE FUNCTION order_anew(n int) RETURNS void BEGIN ATOMIC
    INSERT INTO shop_orders (order_id, customer_id, ordered_at, total, channel)
    SELECT last_order + i, CASE i % 5 WHEN 0 THEN last_order + i ELSE customer_id END, '2025-12-31 12:00Z', total, channel
    FROM (SELECT row_number() OVER () AS i, o.* FROM some_orders(n) AS o) AS chosen,
         (SELECT max(order_id) AS last_order FROM shop_orders) AS l;
END;
CREATE FUNCTION change_orders(n int) RETURNS void BEGIN ATOMIC
    UPDATE shop_orders AS o SET total = o.total + 1 FROM some_orders(n) AS s WHERE o.order_id = s.order_id;
END;
CREATE FUNCTION delete_orders(n int) RETURNS void BEGIN ATOMIC
    DELETE FROM shop_orders AS o USING some_orders(n) AS s WHERE o.order_id = s.order_id;
END;
