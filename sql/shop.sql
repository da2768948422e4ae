-- shop: stored histories, kept fresh
\set SHOW_CONTEXT never
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'ISO, YMD';
SET client_min_messages = warning;

CREATE TABLE orders (
    id int PRIMARY KEY, customer int, at timestamptz, total numeric, status int NOT NULL DEFAULT 5, src text, note text);
INSERT INTO orders (id, customer, at, total, status, src)
SELECT g, 1 + g * 7 % 13, timestamptz '2025-01-01 00:30+09' + g * interval '41 hours', 500 + g * 37 % 9000,
       CASE WHEN g % 11 = 0 THEN 3 ELSE 5 END, (ARRAY['ad', 'search', NULL])[1 + g % 3]
FROM generate_series(1, 200) AS g;

-- making a shop

SELECT * FROM crm.create_shop('s1', 'orders', 'customer', 'at', 'total', condition => 'status IN (1, 4, 5, 6)', channel => 'src',
    tiers => crm.tier_ladder('{bronze,silver,gold}', '{0,20000,60000}'));

-- What a shop should have stored, by plain SQL and the aggregate.
CREATE VIEW expected AS
    SELECT customer, crm.history(at, total) AS history, (array_agg(src ORDER BY at, src COLLATE "C" NULLS FIRST) FILTER (WHERE total >= 0))[1] AS channel
    FROM orders WHERE status IN (1, 4, 5, 6) AND customer IS NOT NULL AND at IS NOT NULL AND total IS NOT NULL GROUP BY customer;
CREATE FUNCTION differing() RETURNS TABLE (customer int, stored text, expected text) LANGUAGE sql AS $$
    SELECT customer, h::text, e::text FROM expected AS e FULL JOIN s1.customer_history AS h ON customer = customer_id
    WHERE e.history OPERATOR(crm.=) h.history IS NOT TRUE OR e.channel IS DISTINCT FROM h.channel
$$;
CREATE FUNCTION score_differs() RETURNS SETOF int LANGUAGE sql AS $$
    SELECT h.customer_id
    FROM s1.customer_history AS h
         FULL JOIN crm.rfm_table('SELECT customer, at, total FROM orders WHERE status IN (1, 4, 5, 6)', NULL::int,
                                 as_of => (SELECT as_of FROM s1.scoring)) AS t USING (customer_id)
    WHERE (h.score::text, h.segment) IS DISTINCT FROM (t.score::text, t.segment)
$$;
-- The last run, and whether what it left is what plain SQL says.
CREATE VIEW outcome AS
    SELECT r.kind, r.status, r.changes, r.customers, r.rebuilt, r.rescored, r.note,
           (SELECT count(*) FROM differing()) AS differing, (SELECT count(*) FROM score_differs()) AS scores_differing,
           (SELECT count(*) FROM s1.change_queue) AS queued
    FROM crm.refresh_run AS r ORDER BY r.run DESC LIMIT 1;

SELECT shop, orders, is_query, customer_id, ordered_at, amount, condition, channel, zone, capture FROM crm.shop;
SELECT count(*) FROM s1.customer;
CALL crm.refresh('s1', '2026-01-31 12:00+09');
SELECT * FROM outcome;
SELECT tgname, tgtype, tgenabled FROM pg_trigger WHERE tgrelid = 'orders'::regclass AND NOT tgisinternal ORDER BY 1;

-- every kind of change

INSERT INTO orders VALUES (201, 3, '2026-01-30 10:00+09', 1200), (202, 99, '2026-01-31 23:59+09', 800);
INSERT INTO orders VALUES (203, 3, '2026-01-30 10:00+09', 1200, 3, 'ad'), (204, NULL, '2026-01-30 10:00+09', 1200, 5, 'ad');
SELECT customer_id, ordered_at, amount, times, channel FROM s1.change_queue ORDER BY 1;
CALL crm.refresh('s1', '2026-01-31 12:00+09');
SELECT * FROM outcome;

UPDATE orders SET note = 'nothing that matters';
UPDATE orders SET total = total WHERE id < 50;
SELECT count(*) AS queued_by_updates_that_change_nothing FROM s1.change_queue;
UPDATE orders SET total = total + 1 WHERE id % 10 = 0;
UPDATE orders SET status = 3 WHERE id IN (1, 2, 3);
UPDATE orders SET status = 5 WHERE id = 203;
UPDATE orders SET customer = 4 WHERE id = 204;
UPDATE orders SET at = at - interval '3 years' WHERE id = 60;
CALL crm.refresh('s1', '2026-01-31 12:00+09');
SELECT * FROM outcome;

-- accounts merged; swapped amounts, which change nothing of a customer with both
UPDATE orders SET customer = 5 WHERE customer = 6;
UPDATE orders SET total = CASE id WHEN 10 THEN 700 ELSE 800 END, at = '2025-06-01 12:00+09', customer = 7 WHERE id IN (10, 20);
UPDATE orders SET total = CASE id WHEN 10 THEN 800 ELSE 700 END WHERE id IN (10, 20);
CALL crm.refresh('s1', '2026-01-31 12:00+09');
SELECT * FROM outcome;

DELETE FROM orders WHERE id % 7 = 0;
DELETE FROM orders WHERE customer = 99;
CALL crm.refresh('s1', '2026-01-31 12:00+09');
SELECT * FROM outcome;
SELECT count(*) FROM s1.customer_history WHERE customer_id IN (6, 99);

-- one statement that inserts and updates; one that does it in a CTE; COPY; MERGE
INSERT INTO orders VALUES (7, 8, '2025-08-08', 100), (8, 8, '2025-08-08', 100) ON CONFLICT (id) DO UPDATE SET total = excluded.total;
WITH gone AS (DELETE FROM orders WHERE id = 9 RETURNING *), moved AS (UPDATE orders SET customer = 11 WHERE id = 11)
INSERT INTO orders SELECT 1009, 12, at, total FROM gone;
COPY orders (id, customer, at, total) FROM stdin;
301	1	2026-01-01 00:00+09	10
302	2	2026-01-02 00:00+09	20
\.
MERGE INTO orders USING (VALUES (301, 11), (303, 33)) AS v (id, total) ON orders.id = v.id
WHEN MATCHED THEN UPDATE SET total = v.total
WHEN NOT MATCHED THEN INSERT VALUES (v.id, 3, '2026-01-03', v.total);
CALL crm.refresh('s1', '2026-01-31 12:00+09');
SELECT * FROM outcome;

-- refunds, free samples, the same order twice, changes that cancel out, and an aborted transaction
INSERT INTO orders VALUES (401, 1, '2026-01-05', -300), (402, 1, '2026-01-05', 0), (403, 1, '2026-01-05', 40), (404, 1, '2026-01-05', 40),
    (405, 77, '2026-01-05', -40);
BEGIN;
DELETE FROM orders;
SAVEPOINT here;
ROLLBACK TO here;
ROLLBACK;
INSERT INTO orders VALUES (406, 88, '2026-01-05', 40);
DELETE FROM orders WHERE id = 406;
CALL crm.refresh('s1', '2026-01-31 12:00+09');
SELECT * FROM outcome;
SELECT customer_id, score, segment FROM s1.customer_history WHERE customer_id IN (77, 88);
SELECT count(*) FROM s1.customer WHERE customer_id = 77;
DELETE FROM orders WHERE id = 404;
CALL crm.refresh('s1', '2026-01-31 12:00+09');
SELECT * FROM outcome;

-- entry channel: the first order goes, comes earlier, or only changes its channel
SELECT customer_id, channel FROM s1.customer_history WHERE customer_id IN (1, 2, 3) ORDER BY 1;
DELETE FROM orders WHERE id = (SELECT id FROM orders WHERE customer = 1 AND status = 5 ORDER BY at LIMIT 1);
INSERT INTO orders VALUES (501, 2, '2020-01-01', 10, 5, 'fair');
UPDATE orders SET src = 'tv' WHERE id = (SELECT id FROM orders WHERE customer = 3 AND status = 5 ORDER BY at LIMIT 1);
CALL crm.refresh('s1', '2026-01-31 12:00+09');
SELECT * FROM outcome;
SELECT customer_id, channel FROM s1.customer_history WHERE customer_id IN (1, 2, 3) ORDER BY 1;
INSERT INTO orders VALUES (502, 2, '2020-01-01', 10, 5, 'expo'), (503, 2, '2020-01-01', 10, 5, NULL);
CALL crm.refresh('s1', '2026-01-31 12:00+09');
UPDATE orders SET src = 'zoo' WHERE id = 503;
CALL crm.refresh('s1', '2026-01-31 12:00+09');
SELECT channel, (SELECT count(*) FROM differing()) FROM s1.customer_history WHERE customer_id = 2;

-- a rebuild finds nothing to do, and repairs what was changed by hand
CALL crm.rebuild('s1', '2026-01-31 12:00+09');
SELECT * FROM outcome;
UPDATE s1.customer_history SET score = 111, history = '[["2020-01-01T00:00:00Z",1]]' WHERE customer_id = 1;
DELETE FROM s1.customer_history WHERE customer_id = 2;
INSERT INTO s1.customer_history VALUES (1234, '[["2020-01-01T00:00:00Z",1]]');
CALL crm.rebuild('s1', '2026-01-31 12:00+09');
SELECT * FROM outcome;
-- so does a refresh that meets a contradiction
UPDATE s1.customer_history SET history = '[["2020-01-01T00:00:00Z",1]]' WHERE customer_id = 3;
UPDATE orders SET total = total + 1 WHERE customer = 3;
CALL crm.refresh('s1', '2026-01-31 12:00+09');
SELECT * FROM outcome;

TRUNCATE orders;
INSERT INTO orders SELECT g, g % 5, '2025-05-05'::timestamptz + g * interval '9 days', g * 100 FROM generate_series(1, 40) AS g;
CALL crm.refresh('s1', '2026-01-31 12:00+09');
SELECT * FROM outcome;

-- days

CALL crm.refresh('s1', '2026-01-30');
CALL crm.refresh('s1', '2026-01-31 23:59:59.999999+09');
SELECT * FROM outcome;
CALL crm.refresh('s1', '2026-02-01 00:00+09');
SELECT * FROM outcome;
CALL crm.refresh('s1', '2026-04-20');
SELECT * FROM outcome;
INSERT INTO orders VALUES (900, 900, '2026-04-25', 100), (901, 1, '2026-04-26', 200), (902, 1, '2026-04-26', -50);
CALL crm.refresh('s1', '2026-04-20');
SELECT * FROM outcome;
SELECT count(*) FROM s1.customer WHERE customer_id = 900;
SELECT orders, revenue, refunded, last_order_date < as_of_date AS before FROM s1.customer WHERE customer_id = 1;
CALL crm.refresh('s1', '2026-04-26');
SELECT * FROM outcome;
SELECT first_order_date, recency_days, score, segment, segment_label_ja FROM s1.customer WHERE customer_id = 900;
SELECT orders, revenue, refunded, last_order_date = as_of_date AS today FROM s1.customer WHERE customer_id = 1;

-- inside of a transaction

BEGIN;
INSERT INTO orders VALUES (910, 910, '2026-04-25', 100);
CALL crm.refresh('s1', '2026-04-26');
SELECT * FROM outcome;
ROLLBACK;
SELECT count(*) FROM s1.customer_history WHERE customer_id = 910;
DO $$ BEGIN CALL crm.refresh('s1', '2026-04-26'); END $$;

-- in small batches, with a customer whose orders cannot be counted: all others are, and the error comes last

SELECT verdict, count(*) FROM crm.alter_shop('s1', batch_rows => 3) GROUP BY 1;
CALL crm.refresh('s1', '2026-04-26');
INSERT INTO orders SELECT 1000 + g, g, '2026-04-25', g FROM generate_series(1, 20) AS g;
INSERT INTO orders VALUES (2000, 7, '2026-04-25', 'NaN'), (2001, 8, '2026-04-25', 1e30), (2002, 9, 'infinity', 1);
CALL crm.refresh('s1', '2026-04-26');
SELECT status, batches >= 7 AS batches, changes, held, sqlstate, error FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
SELECT customer_id, count(*) FROM s1.change_queue GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM s1.customer_history WHERE customer_id BETWEEN 1 AND 20 AND crm.last_order(history) = '2026-04-25';
CALL crm.rebuild('s1', '2026-04-26');
DELETE FROM orders WHERE id IN (2000, 2001, 2002);
CALL crm.refresh('s1', '2026-04-26');
SELECT * FROM outcome;

-- many changes: all orders are read
SELECT count(*) > 0 FROM crm.alter_shop('s1', batch_rows => 20000);
CALL crm.refresh('s1', '2026-04-26');
INSERT INTO orders SELECT 3000 + g, g % 50, '2026-04-25', g FROM generate_series(1, 2001) AS g;
CALL crm.refresh('s1', '2026-04-26');
SELECT * FROM outcome;

SELECT * FROM crm.shop_check('s1');
SELECT count(*) AS not_commented
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 's1'::regnamespace AND c.relkind IN ('r', 'v')
      AND (obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL);
SELECT crm.drop_shop('s1');
DROP VIEW outcome;
SELECT crm.drop_shop('s1');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'orders'::regclass;
SELECT to_regnamespace('s1') IS NULL, count(*) FROM crm.shop;
DROP TABLE orders CASCADE;
