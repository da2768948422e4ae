-- shop: expressions of the settings mean the same wherever they run
\set SHOW_CONTEXT never
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET client_min_messages = warning;
CREATE SCHEMA platform;

-- in sessions of any TimeZone, DateStyle and IntervalStyle: who writes, who refreshes and who rebuilds have different ones

CREATE TABLE platform.orders (customer int, day text, noted_at timestamptz, amount int);
SELECT DISTINCT 'created' FROM crm.create_shop('styles', 'platform.orders', 'customer',
    $$day::date + interval '-1 2:00'$$, -- a day back and two hours on; in the style sql_standard also two hours back
    'amount', source_zone => 'UTC', condition => $$noted_at >= '2026-01-01' AND '\' <> ';'$$, channel => $$noted_at::text$$);
CALL crm.refresh('styles', '2026-03-31 12:00Z');

SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
INSERT INTO platform.orders VALUES
    (1, '26-02-03', '2026-01-01 08:00:00+09', 10), -- still 2025 in UTC
    (1, '26-02-05', '2026-01-01 09:00:00+09', 20),
    (2, '26-02-05', '2026-01-01 09:00:00+09', 30),
    (2, '26-02-06', '2026-01-01 08:59:59+09', 40),
    (3, '26-02-07', '2026-02-01 09:00:00+09', 50),
    (4, '26-02-07', '2026-02-01 09:00:00+09', 60);
UPDATE platform.orders SET day = '26-02-08' WHERE customer = 3;
DELETE FROM platform.orders WHERE customer = 4;
CREATE VIEW platform.states AS SELECT customer_id, history, channel FROM styles.customer_history;
CALL crm.refresh('styles', '2026-03-31 12:00Z');
SELECT * FROM platform.states ORDER BY 1;
-- the changes of other sessions mean the same: they take away what those brought
SET TimeZone = 'America/New_York';
SET DateStyle = 'German, MDY';
SET IntervalStyle = 'iso_8601';
SET standard_conforming_strings = off;
SET escape_string_warning = off;
UPDATE platform.orders SET amount = 31 WHERE customer = 2;
DELETE FROM platform.orders WHERE customer = 3;
CALL crm.refresh('styles', '2026-03-31 12:00Z');
SELECT rebuilt, changes, customers FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
SELECT * FROM platform.states ORDER BY 1;
-- and a pass over all orders finds nothing that differs, in the first way and in the second
CALL crm.rebuild('styles', '2026-03-31 12:00Z');
SELECT rebuilt, customers FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
CALL crm.rebuild('styles', '2026-03-31 12:00Z');
SELECT rebuilt, customers FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
SELECT * FROM platform.states ORDER BY 1;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
RESET IntervalStyle;
RESET standard_conforming_strings;
RESET escape_string_warning;
DROP VIEW platform.states;
SELECT crm.drop_shop('styles');
DROP TABLE platform.orders;

-- over orders whose columns have the names of the shop's own ones, named without a table, with refunds beside the order

CREATE TABLE platform.orders (customer_id int, ordered_at timestamptz, amount numeric, channel text, times int,
    refunded numeric);
SELECT subject, value FROM crm.create_shop('shadows', 'platform.orders', 'customer_id + 0', $$ordered_at + interval '0'$$,
    'amount * 1', condition => $$amount > 1 AND ordered_at < '2026-02-01' AND times = 1$$, refund => 'amount > 1000',
    refund_amount => 'least(refunded, amount)', refunded_at => $$ordered_at + interval '1 day'$$, channel => 'lower(channel)')
WHERE subject ~ 'revenue|refund';
INSERT INTO platform.orders VALUES
    (1, '2026-01-01', 100, 'WEB', 1, 30), (1, '2026-01-02', 1, 'WEB', 1, 1), (1, '2026-02-02', 100, 'WEB', 1, 10),
    (2, '2026-01-03', 200, 'App', 1, 999), (2, '2026-01-04', 3000, 'App', 1, 0), (2, '2026-01-05', 50, 'App', 2, 5);
CALL crm.refresh('shadows', '2026-03-31 12:00Z');
UPDATE platform.orders SET refunded = 40 WHERE refunded = 30;
CALL crm.refresh('shadows', '2026-03-31 12:00Z');
SELECT rebuilt, changes FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
SELECT customer_id, history, channel FROM shadows.customer_history ORDER BY 1;
SELECT customer_id, json_agg(json_build_array(at, amount) ORDER BY at, amount)
FROM (SELECT customer_id, ordered_at AS at, CASE WHEN amount > 1000 THEN -amount ELSE amount END AS amount, times FROM platform.orders AS o WHERE o.amount > 1
      UNION ALL
      SELECT customer_id, ordered_at + interval '1 day', -least(refunded, amount), times FROM platform.orders AS o WHERE o.amount > 1) AS entries
WHERE at < '2026-02-01' AND times = 1 AND amount <> 0
GROUP BY 1 ORDER BY 1;
CALL crm.rebuild('shadows', '2026-03-31 12:00Z');
SELECT rebuilt, customers FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
SELECT crm.drop_shop('shadows');
DROP TABLE platform.orders;

-- triggers notice what a row says, and nothing else: shops whose settings read more are compared

CREATE TABLE platform.buyer (id int PRIMARY KEY, staff boolean);
CREATE TABLE platform.orders (id int PRIMARY KEY, customer int, at timestamptz, amount numeric);
INSERT INTO platform.buyer VALUES (1, false), (2, false);
INSERT INTO platform.orders VALUES (1, 1, '2026-01-01', 100), (2, 2, '2026-01-02', 200);
CREATE FUNCTION platform.is_staff(int) RETURNS boolean STABLE RETURN (SELECT b.staff FROM platform.buyer AS b WHERE b.id = $1);
SELECT DISTINCT 'created' FROM crm.create_shop('by_query', 'platform.orders', 'customer', 'at', 'amount',
    condition => 'NOT (SELECT b.staff FROM platform.buyer AS b WHERE b.id = o.customer)');
SELECT DISTINCT 'created' FROM crm.create_shop('by_function', 'platform.orders', 'customer', 'at', 'amount',
    condition => 'NOT platform.is_staff(customer)');
SELECT DISTINCT 'created' FROM crm.create_shop('by_place', 'platform.orders', 'customer', 'at', 'amount',
    condition => 'tableoid IS NOT NULL');
SELECT shop, capture FROM crm.shop ORDER BY 1;
CALL crm.refresh('by_query', '2026-03-31 12:00Z');
UPDATE platform.buyer SET staff = true WHERE id = 2;
CALL crm.refresh('by_query', '2026-03-31 12:00Z');
SELECT customer_id, history FROM by_query.customer_history;
SELECT crm.alter_shop('by_query', capture => 'triggers');
SELECT crm.drop_shop('by_query');
SELECT crm.drop_shop('by_function');
SELECT crm.drop_shop('by_place');

-- a function that promised to write nothing writes orders while they are noted

CREATE FUNCTION platform.tax(numeric) RETURNS numeric IMMUTABLE RETURN $1 * 1.1;
SELECT DISTINCT 'created' FROM crm.create_shop('taxed', 'platform.orders', 'customer', 'at', 'platform.tax(amount)',
    channel => $$upper('Web ' || id)$$);
CALL crm.refresh('taxed', '2026-03-31 12:00Z');
CREATE OR REPLACE FUNCTION platform.tax(numeric) RETURNS numeric LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF $1 < 1000 THEN
        INSERT INTO platform.orders SELECT max(o.id) + 1, 3, '2026-01-03', 1000 + count(*) FROM platform.orders AS o;
    END IF;
    RETURN $1 * 1.1;
END $$;
INSERT INTO platform.orders VALUES (3, 1, '2026-01-01 09:00Z', 300), (4, 2, '2026-01-02 09:00Z', 400);
CREATE OR REPLACE FUNCTION platform.tax(numeric) RETURNS numeric IMMUTABLE RETURN $1 * 1.1;
SELECT customer_id, ordered_at, amount, times, channel FROM taxed.change_queue ORDER BY ordered_at, amount;
CALL crm.refresh('taxed', '2026-03-31 12:00Z');
CALL crm.rebuild('taxed', '2026-03-31 12:00Z');
SELECT rebuilt, customers, note FROM crm.refresh_run WHERE shop = 'taxed' ORDER BY run DESC LIMIT 2;

-- an order that cannot be evaluated does not fail, and neither does the next one

CREATE OR REPLACE FUNCTION platform.tax(numeric) RETURNS numeric IMMUTABLE RETURN round($1 / ($1 - 7), 2);
INSERT INTO platform.orders VALUES (100, 1, '2026-01-05', 7);
UPDATE platform.orders SET amount = 8 WHERE id = 100;
SELECT reason, detail FROM taxed.attention;
CALL crm.refresh('taxed', '2026-03-31 12:00Z');
SELECT rebuilt, note FROM crm.refresh_run WHERE shop = 'taxed' ORDER BY run DESC LIMIT 1;
INSERT INTO platform.orders VALUES (101, 1, '2026-01-06', 9);
SELECT customer_id, amount, times FROM taxed.change_queue;
SELECT crm.drop_shop('taxed');

-- neither a statement that is cancelled, nor one that writes orders, while a session finds out what to note

CREATE FUNCTION platform.slow(int) RETURNS boolean IMMUTABLE RETURN true;
SELECT DISTINCT 'created' FROM crm.create_shop('slowly', 'platform.orders', 'customer', 'at', 'amount',
    condition => 'platform.slow(1)');
CALL crm.refresh('slowly', '2026-03-31 12:00Z');
CREATE OR REPLACE FUNCTION platform.slow(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM pg_sleep(10 * current_setting('platform.patience')::int); RETURN true; END $$;
SET platform.patience = 1;
SET statement_timeout = '100ms';
INSERT INTO platform.orders VALUES (102, 1, '2026-01-07', 10);
RESET statement_timeout;
SET platform.patience = 0;
INSERT INTO platform.orders VALUES (103, 1, '2026-01-07', 11);
SELECT customer_id, amount, times FROM slowly.change_queue;
CREATE FUNCTION platform.write() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('platform.patience')::int > 0 THEN
        PERFORM set_config('platform.patience', '0', false);
        INSERT INTO platform.orders VALUES (104, 2, '2026-01-07', 12);
    END IF;
END $$;
CREATE OR REPLACE FUNCTION platform.slow(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM platform.write(); RETURN true; END $$;
SET platform.patience = 1;
INSERT INTO platform.orders VALUES (105, 1, '2026-01-07', 13);
SET platform.patience = 0;
SELECT customer_id, amount, times FROM slowly.change_queue ORDER BY 2;

-- nor does a schema that was gone for a while, nor a key of a domain

BEGIN;
DROP SCHEMA slowly CASCADE;
INSERT INTO platform.orders VALUES (106, 1, '2026-01-08', 14);
ROLLBACK;
INSERT INTO platform.orders VALUES (107, 1, '2026-01-08', 15);
SELECT customer_id, amount, times FROM slowly.change_queue ORDER BY 2 DESC LIMIT 1;
SELECT crm.drop_shop('slowly');
CREATE DOMAIN platform.buyer_id AS int CHECK (VALUE > 0);
ALTER TABLE platform.orders ALTER customer TYPE platform.buyer_id;
SELECT DISTINCT 'created' FROM crm.create_shop('of_domain', 'platform.orders', 'customer', 'at', 'amount');
CALL crm.refresh('of_domain', '2026-03-31 12:00Z');
INSERT INTO platform.orders VALUES (108, 1, '2026-01-08', 16);
SELECT customer_id, amount, times FROM of_domain.change_queue;
SELECT reason, detail FROM of_domain.attention;
SELECT crm.drop_shop('of_domain');

-- what could do anything runs as the owner of the shop, who has to have the right to read what is noted

CREATE ROLE regress_shop_keeper;
GRANT USAGE, CREATE ON SCHEMA platform TO regress_shop_keeper;
GRANT SELECT, TRIGGER ON platform.orders TO regress_shop_keeper;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_shop_keeper', current_database()); END $$;
SET ROLE regress_shop_keeper;
CREATE FUNCTION platform.tell(int, OUT a int, OUT b int) LANGUAGE sql IMMUTABLE AS 'SELECT 1, 2';
SELECT DISTINCT 'created' FROM crm.create_shop('kept', 'platform.orders', 'customer', 'at', 'amount',
    condition => '(platform.tell(1)) IS NOT NULL');
CALL crm.refresh('kept', '2026-03-31 12:00Z');
CREATE OR REPLACE FUNCTION platform.tell(int, OUT a int, OUT b int) LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN RAISE WARNING 'run by %', current_user; a := 1; b := 2; END $$;
RESET ROLE;
INSERT INTO platform.orders VALUES (109, 1, '2026-01-08', 17);
REVOKE SELECT ON platform.orders FROM regress_shop_keeper;
INSERT INTO platform.orders VALUES (110, 1, '2026-01-08', 18);
SELECT customer_id, amount, times FROM kept.change_queue;
SELECT reason, detail FROM kept.attention;
SELECT crm.drop_shop('kept');
DROP OWNED BY regress_shop_keeper;
DROP ROLE regress_shop_keeper;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'platform.orders'::regclass AND NOT tgisinternal;
DROP SCHEMA platform CASCADE;
