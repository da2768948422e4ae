-- shop: expressions that users give as text are one expression, whose value depends on data only
\set SHOW_CONTEXT never
SET TimeZone = 'Asia/Tokyo';
SET client_min_messages = warning;

CREATE SCHEMA checked;
CREATE TABLE checked.row_source (
    customer_id int, orders bigint, revenue numeric, segment text, prefecture text, last_order_at timestamptz, as_of timestamptz,
    as_of_date date, "購入回数" int, is_vip boolean, tags text[]);
CREATE TABLE checked.category (customer_id int, category text, bought_at timestamptz);
CREATE TABLE checked.secret (customer_id int);
CREATE SEQUENCE checked.number;
CREATE FUNCTION checked.looks_up(int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true FROM checked.category LIMIT 1';
CREATE FUNCTION checked.careless(int) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION checked.exact(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 1';

-- accepted, and whether it reads the row only

SELECT c.condition, crm.check_condition('checked.row_source', c.condition) AS reads_row_only
FROM unnest(ARRAY[
    'orders >= 3', 'customer.orders >= 3 -- regulars', 'is_vip', 'NULL', 'true', '"購入回数" > 1 /* 2回以上 */',
    'orders = 1 AND last_order_at < as_of - interval ''30 days'' OR NOT is_vip', 'last_order_at >= ''2026-01-01''',
    'segment = ''today'' OR tags && ''{now}'' OR segment LIKE ''%tomorrow%''', 'segment = '';''', 'customer IS NOT NULL',
    'last_order_at < ''infinity'' AND extract(month FROM as_of_date) = 4', 'age(as_of, last_order_at) > ''1 mon''',
    'EXISTS (SELECT FROM checked.category AS c WHERE c.customer_id = customer.customer_id)',
    'orders > (SELECT count(*) FROM generate_series(1, 3))', '(SELECT sum(v) OVER () FROM (VALUES (1)) AS x (v)) > orders',
    'checked.looks_up(customer_id)', 'checked.exact(customer_id)', 'orders IN (1, 2) AND (revenue, orders) > (100, 1)',
    'date_trunc(''month'', last_order_at) = ''2026-01-01''']) AS c (condition);

-- refused, with the place

CREATE FUNCTION place(condition text, source regclass DEFAULT 'checked.row_source')
RETURNS TABLE (refused text, state text, message text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    refused := condition;
    PERFORM crm.check_condition(source, condition);
    state := 'accepted';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END $$;
SELECT p.*
FROM unnest(ARRAY[
    '', '-- nothing', 'orders >', 'orders > 1; DROP TABLE checked.secret', ';', 'orders > 1)', 'orders > 1) OR (true', 'true) FROM x; DROP TABLE y; SELECT (true',
    'orders, revenue', 'orders > 1 AS x', 'orders > 1 x', '*', 'customer.*', 'orders > 1 FROM checked.secret', 'orders > 1 WHERE true', 'DISTINCT is_vip',
    'is_vip GROUP BY 1', 'is_vip HAVING true', 'is_vip ORDER BY 1', 'is_vip LIMIT 1', 'is_vip OFFSET 1', 'is_vip FOR UPDATE', 'is_vip WINDOW w AS ()',
    'is_vip UNION SELECT true', 'SELECT true', 'WITH x AS (SELECT 1) SELECT true', 'is_vip INTO x', 'DELETE FROM checked.secret', '/* open', '''open', '$1 > 1', 'orders > :x',
    'oders > 1', 'secret.customer_id = 1', 'nothing(orders)', 'EXISTS (SELECT FROM checked.nowhere)', 'orders', 'segment', 'orders + segment', 'revenue = ''a''',
    'sum(revenue) > 1', 'count(*) > 1', 'rank() OVER () = 1', 'generate_series(1, 2) = 1', 'unnest(tags) = ''a''', 'crm.idset(orders) IS NULL',
    'random() < 0.5', 'orders > 1 AND random() < 0.5', 'orders > (SELECT random())', 'EXISTS (SELECT FROM checked.category TABLESAMPLE bernoulli (10))',
    'EXISTS (SELECT FROM (SELECT FROM checked.category TABLESAMPLE system (10) REPEATABLE (1)) AS x)', 'nextval(''checked.number'') > 1', 'clock_timestamp() > as_of', 'timeofday() > ''M''', 'pg_sleep(1) IS NULL',
    'checked.careless(customer_id)', 'last_order_at < now()', 'last_order_at < transaction_timestamp()', 'last_order_at < current_timestamp', 'as_of_date = current_date',
    'last_order_at < localtimestamp(0)', 'age(last_order_at) > ''1 day''', 'age(last_order_at::timestamp) > ''1 day''', 'last_order_at < ''now''', 'as_of_date = date ''Today''', 'as_of_date IN (''2026-01-01'', ''yesterday'')',
    'as_of_date = ANY (''{today}'')', 'as_of_date <@ ''[yesterday,)''::daterange', 'EXISTS (SELECT FROM checked.category WHERE bought_at > ''today'')', 'segment = current_user', 'segment = user', 'segment = session_user', 'segment = current_setting(''x.y'')',
    'pg_current_snapshot() IS NULL', 'txid_current_snapshot() IS NULL', 'pg_current_xact_id_if_assigned() IS NULL', 'inet_client_port() = orders', 'inet_server_addr() IS NULL',
    'pg_postmaster_start_time() > as_of', 'pg_trigger_depth() > 0', 'has_table_privilege(''checked.secret'', ''SELECT'')', 'pg_has_role(''postgres'', ''USAGE'')', 'row_security_active(''checked.secret'')',
    'table_to_xml(''checked.secret'', true, true, '''')::text > ''''', 'query_to_xml(''SELECT 1'', true, true, '''')::text > ''''', 'cursor_to_xml(''c'', 1, true, true, '''')::text > ''''',
    'schema_to_xml(''checked'', true, true, '''')::text > ''''', 'database_to_xml(true, true, '''')::text > ''''', 'database_to_xmlschema(true, true, '''')::text > ''''',
    'EXISTS (SELECT FROM checked.category FOR UPDATE)', 'EXISTS (WITH x AS (DELETE FROM checked.secret RETURNING 1) SELECT FROM x)', 'EXISTS (SELECT 1 INTO y)', 'orders / (1 / 0) > 1']) AS c (condition), place(c.condition) AS p;
-- as a client sees it
SELECT crm.check_condition('checked.row_source', 'orders > 1 AND random() < 0.5');
SELECT crm.check_condition('checked.row_source', E'orders > 1\n   AND 購入 > 1');
SELECT crm.check_condition('checked.row_source', 'orders > 1; DROP TABLE checked.secret');
SELECT crm.check_condition('checked.row_source', 'orders > 1 FROM checked.secret');
SELECT crm.check_condition(12345678, 'true');
SELECT crm.check_condition(NULL, 'true'), crm.check_condition('checked.row_source', NULL);
-- literals mean the same in every session
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SELECT crm.check_condition('checked.row_source', $$segment = '\' OR '\' = segment$$);
RESET standard_conforming_strings;
RESET escape_string_warning;

-- names come from nowhere but the row and pg_catalog
CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT 1 / 0 || ''''';
SET search_path = public, checked, pg_catalog;
SELECT crm.check_condition('checked.row_source', 'lower(segment) = ''vip''');
SELECT message FROM place('EXISTS (SELECT FROM category)');
RESET search_path;
DROP FUNCTION public.lower(text);

-- rights are the caller's

CREATE ROLE regress_condition;
GRANT USAGE ON SCHEMA checked TO regress_condition;
GRANT SELECT ON checked.row_source, checked.category TO regress_condition;
REVOKE EXECUTE ON FUNCTION checked.exact FROM PUBLIC;
SET ROLE regress_condition;
SELECT c.condition, p.state, p.message
FROM unnest(ARRAY['orders > 1', 'EXISTS (SELECT FROM checked.category)', 'EXISTS (SELECT FROM checked.secret)',
                  'false AND orders IN (SELECT customer_id FROM checked.secret)', 'checked.exact(customer_id)']) AS c (condition),
     place(c.condition) AS p;
RESET ROLE;

-- the tree of a condition

SELECT * FROM crm.condition_parts('checked.row_source', 'orders >= 3 AND NOT (segment = ''vip'' OR revenue > 1000) AND last_order_at < as_of - interval ''30 days''');
SELECT * FROM crm.condition_parts('checked.row_source', 'is_vip');
SELECT * FROM crm.condition_parts('checked.row_source', 'orders > 1 AND EXISTS (SELECT FROM checked.category AS c WHERE c.customer_id = customer.customer_id AND c.category = segment)');
SELECT count(*) FROM crm.condition_parts('checked.row_source', 'orders, 1');
SELECT count(*) FROM crm.condition_parts('checked.row_source', NULL);
-- the parts say the same as the whole
INSERT INTO checked.row_source (customer_id, orders, revenue, segment, is_vip) SELECT g, g % 7, 100 * g, 'ab'::char(1), g % 3 = 0 FROM generate_series(1, 100) AS g;
SELECT format('SELECT count(*) FROM checked.row_source AS customer WHERE (%s) IS DISTINCT FROM (%s)', c.condition, p.expression) AS compare
FROM unnest(ARRAY['orders > 1 AND (revenue < 5000 OR is_vip)', 'NOT is_vip AND segment LIKE ''a%''', 'orders BETWEEN 2 AND 4 OR is_vip IS NOT TRUE']) AS c (condition),
     crm.condition_parts('checked.row_source', c.condition) AS p
WHERE p.parent IS NULL
\gexec

DROP FUNCTION place(text, regclass);
DROP SCHEMA checked CASCADE;
DROP ROLE regress_condition;
