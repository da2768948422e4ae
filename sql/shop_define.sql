-- shop: what crm.create_shop takes and refuses, names, rights, and what happens when the platform changes its table
\set SHOW_CONTEXT never
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'ISO, YMD';
SET client_min_messages = warning;

CREATE SCHEMA platform;
CREATE SEQUENCE platform.anything;
CREATE TABLE platform.orders (
    id int PRIMARY KEY, customer_id int, email text, at timestamptz, local_at timestamp, epoch bigint, day date,
    total numeric(12,2), cents bigint, real_total float8, refunded numeric(12,2), refunded_at timestamptz, kind text,
    currency text, status int);
INSERT INTO platform.orders
SELECT g, CASE WHEN g % 5 > 0 THEN g % 5 END, format('Guest%s@example.com', g % 3),
       timestamptz '2025-12-31 23:30+09' + g * interval '1 hour', timestamp '2025-12-31 14:30' + g * interval '1 hour',
       extract(epoch FROM timestamptz '2025-12-31 23:30+09' + g * interval '1 hour'), '2026-01-01', 100 + g, 10000 + 100 * g, 100 + g,
       CASE g WHEN 3 THEN 50 END, CASE g WHEN 3 THEN timestamptz '2026-02-01' END, CASE g WHEN 4 THEN 'return' ELSE 'sale' END,
       CASE g WHEN 9 THEN 'USD' ELSE 'JPY' END, g % 3
FROM generate_series(1, 20) AS g;

-- refused: missing, unknown, of the wrong type, or without sense

CREATE FUNCTION refused(VARIADIC settings text[]) RETURNS TABLE (setting text, state text, message text, detail text, hint text)
LANGUAGE plpgsql AS $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY settings LOOP
        BEGIN
            EXECUTE 'SELECT crm.create_shop(' || concat_ws(', ',
                CASE WHEN one !~ '\mname =>' THEN 'name => ''bad''' END,
                CASE WHEN one !~ '\morders =>' THEN 'orders => ''platform.orders''' END,
                CASE WHEN one !~ '\mcustomer_id =>' THEN 'customer_id => ''customer_id''' END,
                CASE WHEN one !~ '\mordered_at =>' THEN 'ordered_at => ''at''' END,
                CASE WHEN one !~ '\mamount =>' THEN 'amount => ''total''' END, one) || ')';
            RAISE EXCEPTION 'accepted';
        EXCEPTION WHEN OTHERS THEN
            setting := one;
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
            RETURN NEXT;
        END;
    END LOOP;
END $$;
\x on
SELECT * FROM refused(
    'name => NULL', 'name => ''''', 'name => ''platform''', 'name => ''pg_shop''',
    'orders => NULL', 'orders => ''nowhere''', 'orders => ''SELECT 1 FROM nowhere''', 'orders => ''SELECT * FROM platform.orders; DROP TABLE x''',
    'orders => ''DELETE FROM platform.orders''',
    'customer_id => ''customer''', 'customer_id => ''1 +''', 'customer_id => ''at::text::json''',
    'ordered_at => ''local_at''', 'ordered_at => ''at'', source_zone => ''UTC''', 'ordered_at => ''local_at'', source_zone => ''Tokio''',
    'ordered_at => ''epoch''', 'amount => ''real_total''', 'amount => ''kind''', 'condition => ''status''',
    'refund => ''status + 1''', 'refund => ''true''', 'refunded_at => ''at''', 'amount => ''cents'', amount_divisor => 60',
    'zone => ''Nowhere''', 'zone => NULL', 'span => ''-1 day''', 'grades => 4', 'grades => 5, bands => crm.rfm_bands()', 'map => ''seven''',
    'map => ''klaviyo''', 'tiers => crm.tier_ladder(''{}'', ''{}'')', 'tiers => crm.tier_ladder(''{a,b}'', ''{0,0}'')', 'tiers => crm.tier_ladder(''{a,a}'', ''{0,1}'')',
    'tier_period => ''year''', 'tiers => crm.tier_ladder(), tier_period => ''annual''',
    'repeat_within => ''1 month''', 'horizon => ''-1 day''', 'yearly_discount => -2', 'yearly_discount => NULL', 'answers_kept => ''-1 day''', 'batch_rows => 0',
    'currency => ''JPY''', 'currency_code => ''currency''', 'currency_code => ''currency'', currency => ''JPY''',
    'capture => ''triggers'', orders => ''SELECT * FROM platform.orders''', 'customer_id => ''NULL::int''',
    'amount => ''CASE id WHEN 7 THEN ''''NaN'''' ELSE total END''', 'ordered_at => ''CASE id WHEN 7 THEN ''''infinity'''' ELSE at END''',
    'amount => ''total * 1e20''', 'condition => ''public.nothing(status)''', 'amount => ''(SELECT 1/0)''',
    -- would not be the same in the next rebuild
    'amount => ''total * random()''', 'customer_id => ''nextval(''''platform.anything'''')''', 'condition => ''at < now()''', 'condition => ''at < ''''today''''''',
    'channel => ''current_user''', 'refunded_at => ''CASE WHEN refunded > 0 THEN current_date END'', refund_amount => ''refunded''',
    -- not of one order
    'amount => ''sum(total)''', 'amount => ''total / sum(total) OVER ()''', 'amount => ''generate_series(1, 2)''', 'amount => ''total, 1''',
    'amount => ''total FROM platform.orders AS o''', 'amount => ''total) FROM platform.orders AS o; CREATE TABLE x (); SELECT (1''');
SELECT to_regclass('x') IS NULL AS nothing_smuggled;
\x off
SELECT count(*) FROM crm.shop;
SELECT to_regnamespace('bad') IS NULL AS nothing_left;

-- accepted: other columns, sources and conventions, all of them the same orders

CREATE VIEW platform.sales AS SELECT * FROM platform.orders WHERE kind = 'sale';
CREATE TABLE platform.parted (LIKE platform.orders) PARTITION BY RANGE (id);
CREATE TABLE platform.parted_1 PARTITION OF platform.parted DEFAULT;
INSERT INTO platform.parted SELECT * FROM platform.orders;
SELECT DISTINCT 'created' FROM crm.create_shop('by_time', 'platform.orders', 'customer_id', 'at', 'total');
SELECT DISTINCT 'created' FROM crm.create_shop('by_local', 'platform.orders', 'customer_id', 'local_at', 'cents', amount_divisor => 100, source_zone => 'UTC');
SELECT DISTINCT 'created' FROM crm.create_shop('by_epoch', 'platform.orders', 'customer_id -- who', 'to_timestamp(epoch)', 'real_total::numeric /* yen */');
SELECT DISTINCT 'created' FROM crm.create_shop('by_query', 'SELECT * FROM platform.orders WHERE true -- all', 'customer_id', 'at', 'total', condition => 'true');
SELECT DISTINCT 'created' FROM crm.create_shop('by_part', 'platform.parted', 'customer_id', 'at', 'total');
SET search_path = platform, public;
SELECT DISTINCT 'created' FROM crm.create_shop('by_compare', 'orders', 'customer_id', 'at', 'total', capture => 'compare');
RESET search_path;
SELECT shop, orders, customer_id, ordered_at, amount, capture FROM crm.shop ORDER BY 1;
CREATE FUNCTION refresh_all(as_of timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one name;
BEGIN
    FOR one IN SELECT shop FROM crm.shop ORDER BY 1 LOOP
        CALL crm.refresh(one, as_of);
    END LOOP;
END $$;
CREATE FUNCTION contents() RETURNS TABLE (shop name, customers bigint, orders bigint, revenue numeric, digest text) LANGUAGE plpgsql AS $$
BEGIN
    FOR shop IN SELECT s.shop FROM crm.shop AS s ORDER BY 1 LOOP
        EXECUTE format('SELECT count(*), sum(crm.orders(history)), sum(crm.revenue(history)), '
                       'left(md5(string_agg(customer_id::text || history, '','' ORDER BY customer_id::text)), 8) FROM %I.customer_history', shop)
        INTO customers, orders, revenue, digest;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT refresh_all('2026-03-01');
SELECT * FROM contents();
SELECT customer_id, crm.orders(h), crm.revenue(h) FROM (SELECT customer_id, crm.history(at, total) AS h FROM platform.orders
    WHERE customer_id IS NOT NULL GROUP BY 1) AS x ORDER BY 1;
INSERT INTO platform.orders (id, customer_id, at, local_at, epoch, total, cents, real_total)
    VALUES (30, 1, '2026-02-28 10:00+09', '2026-02-28 01:00', extract(epoch FROM timestamptz '2026-02-28 10:00+09'), 7, 700, 7);
UPDATE platform.orders SET total = 8, cents = 800, real_total = 8 WHERE id = 1;
DELETE FROM platform.orders WHERE id = 2;
TRUNCATE platform.parted;
INSERT INTO platform.parted_1 SELECT * FROM platform.orders;
SELECT refresh_all('2026-03-01');
SELECT * FROM contents();
SELECT shop, rebuilt, note FROM crm.refresh_run WHERE run IN (SELECT max(run) FROM crm.refresh_run GROUP BY shop) ORDER BY 1;
SELECT crm.drop_shop(shop) FROM crm.shop;

-- refunds by rows, refunds beside the order, guests, currencies, an own type of customers

SELECT DISTINCT 'created' FROM crm.create_shop('by_kind', 'platform.orders', 'customer_id', 'at', 'total', refund => 'kind = ''return''');
SELECT DISTINCT 'created' FROM crm.create_shop('beside', 'platform.orders', 'customer_id', 'at', 'total', refund_amount => 'refunded', refunded_at => 'refunded_at');
SELECT subject, value FROM crm.create_shop('guests', 'platform.orders', 'customer_id', 'at', 'total', guest_key => '''guest:'' || lower(email)') WHERE subject IN ('by guests', 'customers');
SELECT subject, value FROM crm.create_shop('yen', 'platform.orders', 'customer_id', 'at', 'total', condition => 'currency = ''JPY''', currency_code => 'currency') WHERE subject ~ 'currenc|count';
CREATE EXTENSION citext SCHEMA public;
SELECT subject, value FROM crm.create_shop('mail', 'platform.orders', 'email::public.citext', 'at', 'total') WHERE subject = 'customers';
SELECT refresh_all('2026-03-01');
SELECT crm.orders(history), crm.revenue(history), crm.refunded(history), crm.last_order(history) FROM by_kind.customer_history WHERE customer_id = 4;
SELECT crm.orders(history), crm.revenue(history), crm.refunded(history), history FROM beside.customer_history WHERE customer_id = 3;
SELECT customer_id, orders, revenue FROM guests.customer ORDER BY 1;
SELECT shop, currency FROM crm.shop WHERE currency IS NOT NULL;
SELECT pg_typeof(customer_id), customer_id, orders FROM mail.customer ORDER BY 2;
UPDATE platform.orders SET refunded = 60, refunded_at = '2026-02-02' WHERE id = 3;
UPDATE platform.orders SET email = 'GUEST1@example.com', customer_id = NULL WHERE id IN (4, 5);
UPDATE platform.orders SET currency = 'EUR' WHERE id = 6;
SELECT refresh_all('2026-03-01');
SELECT * FROM contents();
SELECT history FROM beside.customer_history WHERE customer_id = 3;
SELECT customer_id, orders, revenue FROM guests.customer ORDER BY 1;
SELECT customer_id, orders FROM mail.customer ORDER BY 1;
SELECT subject, value, verdict, explanation FROM crm.shop_check('yen') WHERE subject = 'currencies';
CREATE TEMP TABLE refreshed AS SELECT * FROM contents();
DO $$ DECLARE one name; BEGIN FOR one IN SELECT shop FROM crm.shop LOOP CALL crm.rebuild(one, '2026-03-01'); END LOOP; END $$;
SELECT count(*) AS same_after_rebuild FROM refreshed NATURAL JOIN contents();
SELECT crm.drop_shop(shop) FROM crm.shop;

-- a dry run shows what would be refused, and makes nothing; without orders that count there is nothing to refuse
SELECT * FROM crm.create_shop('dry', 'platform.orders', 'customer_id', 'at',
    'CASE id WHEN 7 THEN ''NaN'' ELSE total END', currency_code => 'currency', condition => 'status < 2', dry_run => true);
SELECT subject, value, verdict, explanation
FROM (VALUES ('total * 1e20', 'true'), ('total / (id - 7)', 'true'), ('total', 'id / (id - 7) > 0'), ('total', 'status > 2'), ('total', 'true')) AS v (amount, condition),
     crm.create_shop('dry', 'platform.orders', 'customer_id', 'at', v.amount, condition => v.condition, dry_run => true)
WHERE verdict <> 'ok' OR subject = 'customers';
SELECT crm.create_shop('dry', 'platform.orders', 'customer_id', 'at', 'kind', dry_run => true);
SELECT crm.create_shop('platform', 'platform.orders', 'customer_id', 'at', 'total', dry_run => true);
BEGIN;
SELECT DISTINCT 'looked' FROM crm.create_shop('dry', 'platform.orders', 'customer_id', 'at', 'total', dry_run => true);
SELECT DISTINCT mode FROM pg_locks WHERE relation = 'platform.orders'::regclass AND pid = pg_backend_pid();
SELECT pg_current_xact_id_if_assigned() IS NULL AS nothing_written;
COMMIT;
SELECT to_regnamespace('dry') IS NULL AS nothing_made, count(*) AS shops FROM crm.shop;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'platform.orders'::regclass;

-- what the orders hold refuses no change of settings but of those by which they are read
CREATE TABLE platform.few AS SELECT * FROM platform.orders WHERE id IN (1, 2);
SELECT subject, value, verdict FROM crm.create_shop('few', 'platform.few', 'customer_id', 'at', 'total * 1', condition => 'status >= 5', currency_code => 'currency', currency => 'JPY')
WHERE verdict <> 'ok' OR subject = 'customers';
UPDATE platform.few SET status = 5;
CALL crm.refresh('few', '2026-03-01');
SELECT count(*) FROM few.customer;
UPDATE platform.few SET currency = 'USD';
SELECT subject, value, verdict, explanation FROM crm.alter_shop('few', batch_rows => 5) WHERE verdict <> 'ok';
UPDATE platform.few SET currency = 'JPY', total = 'NaN' WHERE id = 1;
SELECT subject, value, verdict, explanation FROM crm.alter_shop('few') WHERE verdict <> 'ok';
SELECT subject, value, verdict, explanation FROM crm.alter_shop('few', repeat_within => '30 days', zone => 'UTC') WHERE verdict <> 'ok';
SELECT crm.alter_shop('few', amount => 'total * 2');
SELECT crm.alter_shop('few', unset => '{currency_code,currency}');
SELECT batch_rows, repeat_within, zone, amount, currency FROM crm.shop;
UPDATE platform.few SET currency = 'JPY', total = 5, status = 0;
SELECT subject, value, verdict, explanation FROM crm.alter_shop('few', amount => 'total * 2') WHERE verdict <> 'ok';
SELECT crm.drop_shop('few');
DROP TABLE platform.few;

-- a query is one after comments, in parentheses, and by any of its words
SELECT q.orders, s.subject, s.value
FROM unnest(ARRAY[E'-- all\nSELECT * FROM platform.orders', '/* of the * shop */ (SELECT * FROM platform.orders)',
                  E'\t/**/--\n TABLE platform.orders', E'WITH o AS (TABLE platform.orders) -- named\nTABLE o',
                  '((VALUES (1, timestamptz ''2026-01-01'', 5)))']) WITH ORDINALITY AS q (orders, n),
     crm.create_shop(concat('query', n)::name, orders, CASE WHEN n < 5 THEN 'customer_id' ELSE 'column1' END,
                     CASE WHEN n < 5 THEN 'at' ELSE 'column2' END, CASE WHEN n < 5 THEN 'total' ELSE 'column3' END) AS s
WHERE s.subject = 'rows that count' ORDER BY n;
SELECT bool_and(is_query) AS all_are, count(*) FROM crm.shop;
SELECT crm.drop_shop(shop) FROM crm.shop;

-- domains over domains are what is below them
CREATE DOMAIN platform.number AS int;
CREATE DOMAIN platform.customer_number AS platform.number;
CREATE DOMAIN platform.money AS numeric(12,2);
CREATE DOMAIN platform.yen AS platform.money CHECK (VALUE IS NOT NULL);
CREATE DOMAIN platform.moment AS timestamptz;
CREATE DOMAIN platform.order_moment AS platform.moment;
CREATE TABLE platform.typed (customer_id platform.customer_number, at platform.order_moment, total platform.yen);
INSERT INTO platform.typed VALUES (7, '2026-01-01', 100), (7, '2026-01-02', 200), (8, '2026-01-03', 300);
SELECT subject, value FROM crm.create_shop('typed', 'platform.typed', 'customer_id', 'at', 'total') WHERE subject IN ('revenue', 'customers');
CALL crm.refresh('typed', '2026-01-31');
SELECT crm.define_segment('typed', 'twice', 'orders = 2');
SELECT customer_id, m.member, crm.in_segment('typed', 'twice', customer_id) AS twice, crm.in_segment('typed', 'twice', customer_id::bigint) AS by_bigint
FROM typed.customer JOIN typed.customer_member AS m USING (customer_id) ORDER BY 1;
SELECT DISTINCT 'same' FROM crm.alter_shop('typed', customer_id => 'customer_id::int');
SELECT DISTINCT 'created' FROM crm.create_shop('typed_guests', 'platform.typed', 'customer_id', 'at', 'total', guest_key => '0');
SELECT crm.shop_customer_type('typed') AS without_guests, crm.shop_customer_type('typed_guests') AS with_guests;
SELECT crm.drop_shop(shop) FROM crm.shop;
DROP TABLE platform.typed;

-- a day ends where the next one begins: clocks that are set back to midnight, before it, past it, or forward from it, and a day left out
SELECT zone, at, crm.shop_day_end(at, zone) AS day_end, (crm.shop_day_end(at, zone) AT TIME ZONE zone)::date AS day,
       at <= crm.shop_day_end(at, zone) AS is_within
FROM (VALUES ('America/Havana', timestamptz '2024-11-02 18:00Z'), ('America/Havana', '2024-11-03 04:30Z'), ('America/Havana', '2024-11-03 05:30Z'),
             ('Atlantic/Azores', '2024-10-26 12:00Z'), ('America/Sao_Paulo', '2018-11-03 12:00Z'), ('America/Sao_Paulo', '2018-11-04 12:00Z'),
             ('America/Sao_Paulo', '2018-02-17 12:00Z'), ('Asia/Beirut', '2024-03-30 12:00Z'), ('Asia/Beirut', '2024-10-26 12:00Z'),
             ('America/St_Johns', '2009-10-31 12:00Z'), ('America/St_Johns', '2009-11-01 02:30:30Z'), ('America/St_Johns', '2009-11-01 03:00Z'),
             ('Pacific/Apia', '2011-12-29 20:00Z'), ('Asia/Tokyo', '2024-11-02 14:59:59.999999Z'), ('UTC', '2024-11-02 00:00Z')) AS v (zone, at);
SELECT crm.shop_day_end('infinity', 'UTC');
CREATE TABLE platform.havana (customer_id int, at timestamptz, total int);
INSERT INTO platform.havana VALUES (1, '2024-11-02 12:00 America/Havana', 1), (1, '2024-11-03 04:30Z', 10);
SELECT DISTINCT 'created' FROM crm.create_shop('havana', 'platform.havana', 'customer_id', 'at', 'total', zone => 'America/Havana');
CALL crm.refresh('havana', '2024-11-02 18:00Z');
SELECT as_of_date, as_of, orders, revenue FROM havana.customer;
CALL crm.refresh('havana', '2024-11-03 04:30Z');
SELECT as_of_date, as_of, orders, revenue FROM havana.customer;
CALL crm.refresh('havana', 'infinity');
SELECT crm.drop_shop('havana');

-- names are harmless

CREATE TABLE platform."Order; DROP TABLE x; --" ("Customer ""ID""" text, "at" timestamptz, "合計" int, "new" boolean);
INSERT INTO platform."Order; DROP TABLE x; --" VALUES ('山田', '2026-01-01', 100, true), ('O''Brien', '2026-01-02', 200, true), ('', '2026-01-03', 300, false);
SELECT subject, value FROM crm.create_shop('店 "A"; --', 'platform."Order; DROP TABLE x; --"', 'Customer "ID"', 'at', '合計', condition => 'new');
CALL crm.refresh('店 "A"; --', '2026-01-31');
SELECT customer_id, orders, revenue, segment FROM "店 ""A""; --".customer ORDER BY 1;
INSERT INTO platform."Order; DROP TABLE x; --" VALUES ('''; DROP TABLE x; --', '2026-01-04', 400, true);
UPDATE platform."Order; DROP TABLE x; --" SET new = true;
CALL crm.refresh('店 "A"; --', '2026-01-31');
SELECT customer_id, orders, revenue, segment FROM "店 ""A""; --".customer ORDER BY 1;
SELECT shop, kind, status, changes FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
SELECT crm.drop_shop('店 "A"; --');
SELECT crm.drop_shop('店 "A"; --');

-- the platform changes its table: its own statements go through, and refreshes say what happened

SELECT DISTINCT 'created' FROM crm.create_shop('s2', 'platform.orders', 'customer_id', 'at', 'total');
CALL crm.refresh('s2', '2026-03-01');
ALTER TABLE platform.orders RENAME total TO amount;
INSERT INTO platform.orders (id, customer_id, at, amount) VALUES (100, 1, '2026-02-01', 5);
SELECT reason, detail FROM s2.attention;
CALL crm.refresh('s2', '2026-03-01');
CALL crm.refresh('s2', '2026-03-01');
SELECT DISTINCT verdict FROM crm.alter_shop('s2', amount => 'amount');
UPDATE platform.orders SET amount = 6 WHERE id = 100;
CALL crm.refresh('s2', '2026-03-01');
SELECT status, rebuilt, note FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
SELECT revenue = (SELECT sum(amount) FROM platform.orders WHERE customer_id = 1) AS same FROM s2.customer WHERE customer_id = 1;

ALTER TABLE platform.orders RENAME TO sales_orders;
INSERT INTO platform.sales_orders (id, customer_id, at, amount) VALUES (101, 1, '2026-02-01', 5);
CALL crm.refresh('s2', '2026-03-01');
SELECT status, rebuilt, changes, note FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
SELECT orders FROM crm.shop;
-- a copy takes the table's place, as some migrations do
CREATE TABLE platform.copy AS TABLE platform.sales_orders;
DELETE FROM platform.copy WHERE id = 101;
ALTER TABLE platform.sales_orders RENAME TO old_orders;
ALTER TABLE platform.copy RENAME TO sales_orders;
CALL crm.refresh('s2', '2026-03-01');
SELECT status, rebuilt, changes, note FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
SELECT tgrelid::regclass, count(*) FROM pg_trigger WHERE tgname ~ '^crm_' GROUP BY 1;
ALTER TABLE platform.sales_orders DISABLE TRIGGER crm_insert_s2;
INSERT INTO platform.sales_orders (id, customer_id, at, amount) VALUES (102, 1, '2026-02-01', 5);
SELECT subject, value, verdict, explanation FROM crm.shop_check('s2') WHERE subject = 'capture';
CALL crm.refresh('s2', '2026-03-01');
SELECT revenue = (SELECT sum(amount) FROM platform.sales_orders WHERE customer_id = 1) AS same FROM s2.customer WHERE customer_id = 1;
CREATE TABLE platform.child () INHERITS (platform.sales_orders);
CALL crm.refresh('s2', '2026-03-01');
DROP TABLE platform.child;
-- an expression fails for one row only
UPDATE platform.sales_orders SET status = 1;
SELECT DISTINCT verdict FROM crm.alter_shop('s2', condition => '10 / status > -100 OR status IS NULL');
UPDATE platform.sales_orders SET status = 0 WHERE id = 102;
CALL crm.refresh('s2', '2026-03-01');
UPDATE platform.sales_orders SET status = 1;
SELECT DISTINCT verdict FROM crm.alter_shop('s2', unset => '{condition}');
SELECT crm.alter_shop('s2', unset => '{amount}');
SELECT crm.alter_shop('s2', customer_id => 'email');
SELECT crm.alter_shop('s2', amount => 'no_column');
CALL crm.refresh('s2', '2026-03-01');
SELECT status, rebuilt, changes, note FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
-- settings of scores
SELECT DISTINCT verdict FROM crm.alter_shop('s2', grades => 3, map => 'klaviyo', zone => 'UTC');
SELECT bands IS NULL AS no_bands, grades, map, zone FROM crm.shop;
CALL crm.refresh('s2', '2026-03-01');
CALL crm.rebuild('s2', '2026-03-01 12:00+00');
SELECT customer_id, score, segment FROM s2.customer ORDER BY 1;
SELECT valid_from, bands FROM s2.band;
CALL crm.refresh('s2', '2026-03-02');
CALL crm.refresh('s2', '2026-04-02');
SELECT valid_from FROM s2.band;
SELECT DISTINCT verdict FROM crm.alter_shop('s2', bands => crm.rfm_bands(), map => 'six');
CALL crm.refresh('s2', '2026-04-02');
SELECT grades, map FROM crm.shop;

DROP TABLE platform.sales_orders;
CALL crm.refresh('s2', '2026-04-02');
SELECT count(*) FROM s2.customer;
SELECT crm.shop_check('s2');
DROP SCHEMA s2 CASCADE;
-- nobody is the owner now: nobody reads what its errors said
SELECT count(*) > 9 AS runs, count(note) AS notes, count(error) AS errors FROM crm.refresh_run WHERE shop = 's2';
SELECT count(*) FROM crm.own_refresh_run;
CALL crm.refresh('s2', '2026-04-02');
SELECT crm.alter_shop('s2');
SELECT crm.drop_shop('s2');
SELECT (SELECT count(*) FROM crm.shop) AS shops, (SELECT count(*) FROM crm.refresh_run) AS runs;
-- a new shop of the same name does not begin with the runs of the old one
SELECT DISTINCT 'created' FROM crm.create_shop('s2', 'platform.old_orders', 'customer_id', 'at', 'amount');
CALL crm.refresh('s2', '2026-03-01');
DROP SCHEMA s2 CASCADE;
SELECT DISTINCT 'created' FROM crm.create_shop('s2', 'platform.old_orders', 'customer_id', 'at', 'amount');
SELECT count(*) FROM s2.refresh_log;
SELECT crm.drop_shop('s2');

-- rights

CREATE ROLE regress_shop_owner;
CREATE ROLE regress_shop_clerk;
CREATE ROLE regress_shop_reader;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_shop_owner', current_database()); END $$;
GRANT USAGE ON SCHEMA platform TO regress_shop_owner, regress_shop_clerk;
GRANT SELECT, INSERT ON platform.old_orders TO regress_shop_clerk;
SET ROLE regress_shop_owner;
SELECT crm.create_shop('s3', 'platform.old_orders', 'customer_id', 'at', 'amount');
RESET ROLE;
GRANT SELECT ON platform.old_orders TO regress_shop_owner;
SET ROLE regress_shop_owner;
SELECT crm.create_shop('s3', 'platform.old_orders', 'customer_id', 'at', 'amount');
RESET ROLE;
GRANT TRIGGER ON platform.old_orders TO regress_shop_owner;
SET ROLE regress_shop_owner;
SELECT DISTINCT verdict FROM crm.create_shop('s3', 'platform.old_orders', 'customer_id', 'at', 'amount');
CALL crm.refresh('s3', '2026-03-01');
SELECT crm.grant_shop('s3', 'regress_shop_reader');
-- the clerk writes orders and has no other rights
SET ROLE regress_shop_clerk;
INSERT INTO platform.old_orders (id, customer_id, at, amount) VALUES (200, 50, '2026-02-01', 5);
CALL crm.refresh('s3', '2026-03-01');
SELECT crm.shop_check('s3');
SELECT crm.alter_shop('s3', zone => 'UTC');
SELECT crm.drop_shop('s3');
SELECT * FROM s3.customer;
SELECT shop, orders FROM crm.shop;
UPDATE crm.shop SET zone = 'UTC';
UPDATE crm.own_shop SET zone = 'UTC';
DELETE FROM crm.own_refresh_run;
\set VERBOSITY terse
INSERT INTO crm.own_refresh_run (shop, kind, as_of) VALUES ('s3', 'refresh', now());
\set VERBOSITY default
CREATE TEMP TABLE own_orders (customer_id int, at timestamptz, amount int);
CREATE TRIGGER theirs AFTER INSERT ON own_orders REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION crm.capture('s3');
INSERT INTO own_orders VALUES (1, '2026-01-01', 5);
DROP TABLE own_orders;
SET ROLE regress_shop_reader;
SELECT customer_id, orders FROM s3.customer WHERE customer_id > 2 ORDER BY 1;
SELECT sum(customers) FROM s3.rfm_segment;
SELECT count(*) FROM s3.cohort_month;
SELECT kind, status FROM s3.refresh_log;
SELECT * FROM s3.customer_history;
SELECT * FROM s3.change_queue;
RESET ROLE;
-- a superuser refreshes it, with the rights of the owner only
CALL crm.refresh('s3', '2026-03-01');
SELECT status, changes FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
SELECT crm.shop_check('s3');
CREATE FUNCTION platform.who(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'run by %', current_user; END $$;
UPDATE crm.own_shop SET condition = 'platform.who(id)';
CALL crm.rebuild('s3', '2026-03-01');
UPDATE crm.own_shop SET condition = 'pg_catalog.set_config(''role'', ''none'', false) = ''none''';
CALL crm.rebuild('s3', '2026-03-01');
UPDATE crm.own_shop SET condition = NULL;
REVOKE SELECT ON platform.old_orders FROM regress_shop_owner;
CALL crm.rebuild('s3', '2026-03-01');
SELECT status, sqlstate, error FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
GRANT SELECT ON platform.old_orders TO regress_shop_owner;
-- row level security hides orders: an error rather than some of them
ALTER TABLE platform.old_orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY first ON platform.old_orders USING (id < 10);
CALL crm.rebuild('s3', '2026-03-01');
ALTER TABLE platform.old_orders DISABLE ROW LEVEL SECURITY;
-- the schedule needs pg_cron
SET ROLE regress_shop_owner;
DO $$
DECLARE
    detail text;
    hint text;
BEGIN
    PERFORM crm.schedule('s3', '0 * * * *');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RAISE WARNING '% %', SQLSTATE, SQLERRM USING DETAIL = replace(detail, current_database(), 'this one'),
                                                 HINT = replace(hint, current_database(), 'this one');
END $$;
SELECT crm.unschedule('s3');
-- what depends on a shop is not dropped by the way
CREATE TABLE s3.mine AS SELECT 1 AS one;
SELECT crm.drop_shop('s3');
SELECT crm.drop_shop('s3', cascade => true);
RESET ROLE;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'platform.old_orders'::regclass;

-- DROP EXTENSION leaves the platform alone
SELECT DISTINCT verdict FROM crm.create_shop('s4', 'platform.old_orders', 'customer_id', 'at', 'amount');
CALL crm.refresh('s4', '2026-03-01');
\set VERBOSITY terse
DROP EXTENSION pg_crm;
DROP EXTENSION pg_crm CASCADE;
INSERT INTO platform.old_orders (id, customer_id, at, amount) VALUES (300, 50, '2026-02-01', 5);
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'platform.old_orders'::regclass;
CREATE EXTENSION pg_crm;
SELECT count(*) FROM crm.shop;
DROP SCHEMA s4, platform CASCADE;
DROP EXTENSION citext;
DROP FUNCTION refused, refresh_all, contents;
DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM regress_shop_owner', current_database()); END $$;
DROP ROLE regress_shop_owner, regress_shop_clerk, regress_shop_reader;
