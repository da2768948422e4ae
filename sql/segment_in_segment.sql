-- in_segment: the same as the members, for any type of customers, in any query
\set SHOW_CONTEXT never
SET TimeZone = 'Asia/Tokyo';
SET client_min_messages = warning;
CREATE SCHEMA asked;
CREATE TABLE asked.orders AS
SELECT g AS id, (g * g) % 996 AS customer_id, md5(((g * g) % 996)::text)::uuid AS visitor, 'c-' || (g * g) % 996 AS code,
       timestamptz '2026-01-01 00:00+09' + g * interval '1 hour' AS at, 100 + g % 50 AS total
FROM generate_series(1, 2000) AS g;
SELECT DISTINCT 'created' FROM crm.create_shop('by_id', 'asked.orders', 'customer_id', 'at', 'total', horizon => NULL);
SELECT DISTINCT 'created' FROM crm.create_shop('by_visitor', 'asked.orders', 'visitor', 'at', 'total', horizon => NULL);
SELECT DISTINCT 'created' FROM crm.create_shop('by_code', 'asked.orders', 'code', 'at', 'total', horizon => NULL);
SELECT crm.define_segment('by_id', 'early', 'orders > 1');
SELECT crm.in_segment('by_id', 'early', 1);
DO $$ DECLARE one name; BEGIN FOR one IN SELECT shop FROM crm.shop LOOP CALL crm.refresh(one, '2026-04-01'); END LOOP; END $$;
SELECT shop, crm.define_segment(shop, 'regular', 'orders > 8') > 0 AS some, crm.define_segment(shop, 'big', 'revenue > 500') > 0 AS any,
       crm.define_segment(shop, 'nobody', 'false')
FROM crm.shop ORDER BY 1;

-- the same as the condition, for every customer, and false for all others

SELECT count(*) AS customers, count(*) FILTER (WHERE orders > 8) AS regular,
       count(*) FILTER (WHERE (orders > 8) IS DISTINCT FROM crm.in_segment('by_id', 'regular', customer_id)) AS differ,
       count(*) FILTER (WHERE (orders > 8) IS DISTINCT FROM crm.in_segment('by_id', 'regular', customer_id::smallint)) AS differ_smallint,
       count(*) FILTER (WHERE (orders > 8) IS DISTINCT FROM crm.in_segment('by_id', 'regular', customer_id::bigint)) AS differ_bigint,
       count(*) FILTER (WHERE (orders > 8) IS DISTINCT FROM crm.in_segment('by_id', 'regular', customer_id::numeric)) AS differ_numeric,
       count(*) FILTER (WHERE (orders > 8) IS DISTINCT FROM crm.in_segment('by_id', 'regular', customer_id::text)) AS differ_text
FROM by_id.customer;
SELECT count(*) AS customers, count(*) FILTER (WHERE orders > 8) AS regular,
       count(*) FILTER (WHERE (orders > 8) IS DISTINCT FROM crm.in_segment('by_visitor', 'regular', customer_id)) AS differ,
       count(*) FILTER (WHERE (orders > 8) IS DISTINCT FROM crm.in_segment('by_visitor', 'regular', upper(customer_id::text))) AS differ_text
FROM by_visitor.customer;
SELECT count(*) AS customers, count(*) FILTER (WHERE orders > 8) AS regular,
       count(*) FILTER (WHERE (orders > 8) IS DISTINCT FROM crm.in_segment('by_code', 'regular', customer_id)) AS differ,
       count(*) FILTER (WHERE (orders > 8) IS DISTINCT FROM crm.in_segment('by_code', 'regular', customer_id::varchar)) AS differ_varchar
FROM by_code.customer;
SELECT crm.in_segment('by_id', 'regular', 998) AS unknown, crm.in_segment('by_id', 'regular', -1) AS negative, crm.in_segment('by_id', 'regular', 4294967297) AS far,
       crm.in_segment('by_visitor', 'regular', gen_random_uuid()) AS unknown_visitor, crm.in_segment('by_code', 'regular', 'c-998') AS unknown_code,
       crm.in_segment('by_code', 'regular', 7) AS number, crm.in_segment('by_id', 'nobody', 1) AS nobody;
SELECT crm.in_segment('by_id', 'regular', NULL::int), crm.in_segment('by_id', NULL, 1), crm.in_segment(NULL, 'regular', 1), crm.in_segment('by_id', 'regular', NULL);

-- several segments and shops in turn, at one place of a query

SELECT s.shop, d.segment, count(*) FILTER (WHERE crm.in_segment(s.shop, d.segment, CASE s.shop WHEN 'by_id' THEN n::text ELSE 'c-' || n END)) = crm.segment_size(s.shop, d.segment) AS same
FROM (VALUES ('by_id'::name), ('by_code')) AS s (shop), (VALUES ('big'), ('regular'), ('nobody')) AS d (segment), generate_series(0, 996) AS n
GROUP BY 1, 2 ORDER BY 1, 2;
SET work_mem = '64kB';
SELECT count(*) FILTER (WHERE crm.in_segment('by_id', d.segment, n)) = crm.segment_size('by_id', 'big') + crm.segment_size('by_id', 'regular') AS same
FROM generate_series(0, 996) AS n, (VALUES ('big'), ('regular'), ('nobody')) AS d (segment);
RESET work_mem;

-- in parallel workers, where nothing but they computes it

SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET parallel_leader_participation = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM asked.orders WHERE crm.in_segment('by_id', 'regular', customer_id);
SELECT (SELECT count(*) FROM asked.orders WHERE crm.in_segment('by_id', 'regular', customer_id)) = sum(orders) AS same,
       (SELECT count(*) FROM asked.orders WHERE crm.in_segment('by_visitor', 'regular', visitor)) = sum(orders) AS same_visitors
FROM by_id.customer WHERE orders > 8;
RESET parallel_leader_participation;
RESET parallel_tuple_cost;
RESET parallel_setup_cost;
RESET min_parallel_table_scan_size;

-- what a session has kept does not outlive a change

PREPARE is_big AS SELECT crm.in_segment('by_id', 'big', 3), crm.in_segment('by_code', 'big', 'c-3');
EXECUTE is_big;
CREATE FUNCTION asked.before_and_after(OUT before boolean, OUT inside boolean, OUT after boolean) LANGUAGE plpgsql AS $$
DECLARE
    answers boolean[];
BEGIN
    FOR step IN 1..3 LOOP
        answers[step] := crm.in_segment('by_id', 'big', 3);
        IF step = 1 THEN
            INSERT INTO asked.orders (id, customer_id, visitor, code, at, total) VALUES (3000, 3, md5('3')::uuid, 'c-3', '2026-03-30', 10000);
            CALL crm.refresh('by_id', '2026-04-01');
        ELSIF step = 2 THEN
            DELETE FROM asked.orders WHERE id = 3000;
            CALL crm.refresh('by_id', '2026-04-01');
        END IF;
    END LOOP;
    before := answers[1]; inside := answers[2]; after := answers[3];
END $$;
SELECT * FROM asked.before_and_after();
INSERT INTO asked.orders (id, customer_id, visitor, code, at, total) VALUES (3000, 3, md5('3')::uuid, 'c-3', '2026-03-30', 10000);
DO $$ DECLARE one name; BEGIN FOR one IN SELECT shop FROM crm.shop LOOP CALL crm.refresh(one, '2026-04-01'); END LOOP; END $$;
EXECUTE is_big;
-- also a variable may name another segment each time
CREATE FUNCTION asked.each(segments text[], customer int) RETURNS boolean[] LANGUAGE plpgsql AS $$
DECLARE
    one text;
    answers boolean[];
BEGIN
    FOREACH one IN ARRAY segments LOOP
        answers := answers || crm.in_segment('by_id', one, customer);
    END LOOP;
    RETURN answers;
END $$;
SELECT asked.each('{big,nobody,big}', 3);

-- refused

\set VERBOSITY terse
SELECT crm.in_segment('nowhere', 'regular', 1);
SELECT crm.in_segment('by_id', 'Regular', 1);
SELECT crm.in_segment('by_id', 'regular', 'seven');
SELECT crm.in_segment('by_id', 'regular', 1.5);
SELECT crm.in_segment('by_visitor', 'regular', 1);
CREATE ROLE regress_asker;
GRANT USAGE ON SCHEMA asked TO regress_asker;
GRANT SELECT ON asked.orders TO regress_asker;
\set VERBOSITY sqlstate
SET ROLE regress_asker;
SELECT crm.in_segment('by_id', 'regular', 1);
\set VERBOSITY terse
RESET ROLE;
SELECT crm.grant_shop('by_id', 'regress_asker'), crm.grant_shop('by_visitor', 'regress_asker');
SET ROLE regress_asker;
SELECT count(*) FILTER (WHERE crm.in_segment('by_id', 'regular', customer_id)) = count(*) FILTER (WHERE crm.in_segment('by_visitor', 'regular', visitor)) AS same
FROM asked.orders;
\set VERBOSITY sqlstate
SELECT crm.in_segment('by_code', 'regular', 'c-1');
\set VERBOSITY terse
RESET ROLE;
-- rights are those of who asks, also where another has asked before at the same place
CREATE FUNCTION asked.as_both() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    answer boolean;
BEGIN
    FOREACH answer IN ARRAY '{false,true}'::boolean[] LOOP
        IF answer THEN
            SET LOCAL ROLE regress_asker;
        END IF;
        answer := crm.in_segment('by_code', 'big', 'c-3');
    END LOOP;
    RETURN answer;
END $$;
\set VERBOSITY sqlstate
SELECT asked.as_both();
\set VERBOSITY terse
RESET ROLE;

SELECT crm.drop_shop(shop) FROM crm.shop;
DROP SCHEMA asked CASCADE;
DROP OWNED BY regress_asker;
DROP ROLE regress_asker;
