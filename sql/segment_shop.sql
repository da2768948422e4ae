-- segments of a shop: definitions, versions, sets, families, days, moves, overlaps, and what is refused
\set SHOW_CONTEXT never
SET TimeZone = 'America/New_York';
SET DateStyle = 'ISO, YMD';
SET client_min_messages = warning;

CREATE TABLE sales (id int GENERATED ALWAYS AS IDENTITY, who smallint, mail text, at timestamptz, yen int);
-- customer g bought g + 4 times, every g + 5 days, the last time 6 * (g + 4) days before the end of March
INSERT INTO sales (who, mail, at, yen)
SELECT g, format('%s''"%%I@例え.jp', g), timestamptz '2026-03-31 12:00+09' - (6 * (g + 4) + n * (g + 5)) * interval '1 day', 1000 * (g + 5)
FROM generate_series(-3, 6) AS g, generate_series(0, g + 3) AS n;
SELECT DISTINCT 'created' FROM crm.create_shop('店', 'sales', 'who', 'at', 'yen', zone => 'Asia/Tokyo',
    tiers => crm.tier_ladder('{bronze,silver}', '{0,20000}'), horizon => NULL);
SELECT DISTINCT 'created' FROM crm.create_shop('mails', 'sales', 'mail', 'at', 'yen', zone => 'Asia/Tokyo', horizon => NULL);

-- before the first refresh there is nobody
SELECT crm.define_segment('店', '一回', 'orders = 1', 'Once', '1回');
SELECT crm.define_segment_set('店', 'twice or more', 'union', '{一回,一回}');
SELECT crm.segment_size('店', '一回');
SELECT * FROM "店".segment_size;
CALL crm.refresh('店', '2026-03-31 15:00+09');
CALL crm.refresh('mails', '2026-03-31 15:00+09');
SELECT customer_id, orders, recency_days, revenue, r, f, m FROM "店".customer ORDER BY 1;
SELECT segment, version, day, known_since, members FROM "店".segment_set ORDER BY 1;

-- versions: another condition is another one, other labels are not
SELECT crm.define_segment('店', '一回', 'orders = 1', 'One purchase');
SELECT crm.define_segment('店', '一回', 'orders <= 2', 'Up to two', '2回以下', 'number');
SELECT crm.define_segment('店', '一回', 'orders <= 2', 'At most two', '2回以下', 'number');
SELECT crm.define_segment('店', 'late''s "late" %I $1', 'customer.recency_days > 30 -- days');
SELECT crm.define_segment('店', 'early', 'to_char(first_order_at, ''HH24 TZ OF'') = ''12 JST +09''');
SELECT segment, version, label, label_ja, family, condition, operation, parts, reads_row_only, ended_at IS NULL AS in_force
FROM "店".segment_definition ORDER BY 1, 2;
SELECT segment, label, label_ja, family, customers, share, as_of_date FROM "店".segment_size ORDER BY 1;

-- also where it finds the same customers
SELECT crm.define_segment('店', 'early', 'to_char(first_order_at, ''HH24 TZ'') = ''12 JST''');
SELECT segment, version, members FROM "店".segment_set ORDER BY 1;

-- sets of segments
SELECT crm.define_segment_set('店', 'both', 'intersection', ARRAY['一回', 'late''s "late" %I $1']);
SELECT crm.define_segment_set('店', 'either', 'union', ARRAY['一回', 'late''s "late" %I $1']);
SELECT crm.define_segment_set('店', 'only late', 'difference', ARRAY['late''s "late" %I $1', '一回']);
SELECT crm.define_segment_set('店', 'all of it', 'union', '{both,only late,一回}');
SELECT crm.define_segment_set('店', 'twice or more', 'difference', '{early,一回}');
SELECT segment, members FROM "店".segment_set ORDER BY 1;
SELECT * FROM crm.segments_of('店', 5);
SELECT segment FROM crm.segments_of('店', '-3');
SELECT count(*) FROM crm.segments_of('店', 99::bigint);
SELECT count(*) FROM crm.segments_of('店', NULL::int);
-- a changed part changes what is made of it
SELECT crm.define_segment('店', '一回', 'orders <= 3', family => 'number');
SELECT segment, version, members FROM "店".segment_set WHERE segment IN ('一回', 'both', 'either', 'only late', 'all of it', 'twice or more') ORDER BY 1;
SELECT * FROM crm.segment_overlap('店');

-- families: every customer in exactly one
SELECT crm.define_segment('店', 'four or five', 'orders BETWEEN 4 AND 5', family => 'number');
SELECT * FROM crm.check_segment_family('店', 'number');
SELECT crm.define_segment('店', 'five or more', 'orders >= 5', family => 'number');
SELECT * FROM crm.check_segment_family('店', 'number');
SELECT crm.define_segment('店', 'five or more', 'orders >= 6', family => 'number');
SELECT * FROM crm.check_segment_family('店', 'number');
SELECT crm.define_segment('mails', 'three', 'orders = 3', family => '三'), crm.define_segment('mails', 'more', 'orders > 3', family => '三');
SELECT problem, segments, customers, (SELECT array_agg(e ORDER BY e COLLATE "C") FROM unnest(examples) AS e) AS examples FROM crm.check_segment_family('mails', '三');

-- days: who comes and goes; the first evaluation and changed definitions are no events
SELECT count(*) FROM "店".segment_event;
INSERT INTO sales (who, mail, at, yen) VALUES (5, '5''"%I@例え.jp', '2026-04-01 09:00+09', 1), (40, '新', '2026-04-01 09:00+09', 1);
DELETE FROM sales WHERE who = -3;
CALL crm.refresh('店', '2026-03-31 15:00+09');
CALL crm.refresh('mails', '2026-03-31 15:00+09');
SELECT event, date, kind, segment, customer_id FROM "店".segment_transition ORDER BY 1;
SELECT event, date, kind, segment, customer_id FROM mails.segment_transition ORDER BY 1;
CALL crm.refresh('店', '2026-04-01 15:00+09');
UNSELECT event, date, kind, segment, customer_id FROM "店".segment_transition WHERE date = '2026-04-01' ORDER BY 1;
-- who comes and goes on one day did neither
INSERT INTO sales (who, at, yen) VALUES (50, '2026-04-01 09:00+09', 1);
CALL crm.refresh('店', '2026-04-01 15:00+09');
DELETE FROM sales WHERE who = 50;
CALL crm.refresh('店', '2026-04-01 15:00+09');
SELECT date, kind, customer_id FROM "店".segment_transition WHERE segment = '一回' AND customer_id = 50 ORDER BY event;
SELECT segment, day, entered, departed FROM "店".segment_change ORDER BY 2, 1;
SELECT day::date, crm.segment_set_of('店', 'either', day::date), crm.segment_size('店', 'either', day::date)
FROM generate_series(timestamp '2026-03-31', '2026-04-01', '1 day') AS day;
SELECT * FROM crm.segment_moves('店', 'late''s "late" %I $1', '2026-03-31', '2026-04-01');
SELECT * FROM crm.segment_moves('店', 'late''s "late" %I $1', '2026-04-01', NULL);
SELECT crm.segment_members('店', 'only late'), crm.segment_members('店', 'only late', '2026-03-31');
SELECT crm.segment_members('店', 'only late', NULL, NULL::int), crm.segment_members('店', 'only late', '2026-03-31', NULL::text);
SELECT m FROM crm.segment_members('mails', 'more', NULL, NULL::text) AS m ORDER BY m COLLATE "C";
SELECT * FROM mails.segment_member ORDER BY 1, 2;
SELECT customer_id, crm.in_segment('mails', 'more', customer_id) FROM mails.customer ORDER BY 1;
SELECT segment FROM crm.segments_of('mails', '4''"%I@例え.jp');

-- dropped segments have a past
SELECT crm.drop_segment('店', '一回');
SELECT crm.drop_segment('店', x) FROM unnest('{all of it,only late}'::text[]) AS x;
SELECT crm.segment_size('店', 'only late');
SELECT crm.segment_set_of('店', 'only late', '2026-03-31');
SELECT count(*) FROM "店".segment_size WHERE segment = 'only late';
CALL crm.refresh('店', '2026-04-02 15:00+09');
SELECT crm.segment_set_of('店', 'only late', '2026-03-31'), crm.segment_set_of('店', 'only late', '2026-04-02');
SELECT crm.define_segment('店', 'only late', 'true');
SELECT crm.segment_set_of('店', 'only late', '2026-03-31'), crm.segment_size('店', 'only late', '2026-04-02');
SELECT version, condition, ended_at IS NULL AS in_force FROM "店".segment_definition WHERE segment = 'only late' ORDER BY 1;

-- a failing condition keeps its members, is named, and holds nobody up; what was missed is made up for
CREATE TABLE divisor (who int, n int);
INSERT INTO divisor VALUES (1, 1);
SELECT crm.define_segment('店', 'ratio', '10 / (orders - 9) < 0'), crm.define_segment('店', 'listed', 'customer_id IN (SELECT d.who FROM public.divisor AS d WHERE 1 / d.n > 0)');
INSERT INTO sales (who, at, yen) VALUES (5, '2026-04-02 09:00+09', 1), (1, '2026-04-02 09:00+09', 1);
SELECT orders FROM "店".customer WHERE customer_id IN (4, 6);
INSERT INTO sales (who, at, yen) SELECT 4, '2026-04-02 09:00+09', 1 FROM generate_series(1, 9 - (SELECT orders FROM "店".customer WHERE customer_id = 4));
UPDATE divisor SET n = 0;
CALL crm.refresh('店', '2026-04-02 15:00+09');
SELECT status, note FROM "店".refresh_log ORDER BY run DESC LIMIT 1;
SELECT segment, failure, members FROM "店".segment_set WHERE segment IN ('ratio', 'listed', 'five or more') ORDER BY 1;
UPDATE divisor SET n = 1;
DELETE FROM sales WHERE who = 4 AND yen = 1;
CALL crm.refresh('店', '2026-04-02 15:00+09');
SELECT status, note FROM "店".refresh_log ORDER BY run DESC LIMIT 1;
SELECT segment, failure, members FROM "店".segment_set WHERE segment IN ('ratio', 'listed', 'five or more') ORDER BY 1;
DROP TABLE divisor;
INSERT INTO sales (who, at, yen) VALUES (60, '2026-04-02 09:00+09', 1);
CALL crm.refresh('店', '2026-04-02 15:00+09');
SELECT status, note FROM "店".refresh_log ORDER BY run DESC LIMIT 1;
SELECT crm.drop_segment('店', 'listed');

-- whom it missed to see leave is known by name
CREATE TABLE switch AS SELECT 1 AS n;
SELECT crm.define_segment('mails', 'fails', '1 / (SELECT s.n FROM public.switch AS s) = 1'), crm.define_segment('mails', 'few', 'orders < 3');
UPDATE switch SET n = 0;
DELETE FROM sales WHERE mail ~ '^-2';
UPDATE sales SET yen = yen + 1 WHERE mail ~ '^4';
CALL crm.refresh('mails', '2026-03-31 15:00+09');
SELECT segment, kind, customer_id FROM mails.segment_transition ORDER BY event DESC LIMIT 2;
SELECT customer_id FROM mails.segment_todo;
UPDATE switch SET n = 1;
CALL crm.refresh('mails', '2026-03-31 15:00+09');
SELECT segment, kind, customer_id FROM mails.segment_transition ORDER BY event DESC LIMIT 2;
SELECT count(*) FROM mails.segment_todo;
SELECT note FROM mails.refresh_log ORDER BY run DESC LIMIT 2;
DROP TABLE switch;

-- other tables: evaluated over all customers whenever something changed
CREATE TABLE browsed (who int, day date);
SELECT crm.define_segment('店', 'browsed', 'EXISTS (SELECT FROM public.browsed AS b WHERE b.who = customer.customer_id AND b.day = as_of_date)');
INSERT INTO browsed VALUES (2, '2026-04-02'), (3, '2026-04-02');
INSERT INTO sales (who, at, yen) VALUES (6, '2026-04-02 09:00+09', 1);
CALL crm.refresh('店', '2026-04-02 15:00+09');
SELECT crm.segment_members('店', 'browsed');

-- why
SELECT * FROM crm.explain_membership('店', 'browsed', 2);
SELECT * FROM crm.explain_membership('店', 'five or more', '2');
SELECT crm.define_segment('店', 'complex', '(orders > 3 AND NOT (f = 1 OR crm.revenue(history) < 40000)) OR entry_channel = ''mail''');
SELECT * FROM crm.explain_membership('店', 'complex', 2);
SELECT part, holds FROM crm.explain_membership('店', 'complex', 77);
SELECT * FROM crm.explain_membership('店', 'twice or more', 6);
SELECT part, holds, values_now FROM crm.explain_membership('mails', 'three', '0''"%I@例え.jp'::text);

-- ready-made ones
CREATE TABLE person (who int, born date);
INSERT INTO person VALUES (1, '1990-04-30'), (2, '1985-05-01'), (3, '1970-04-01'), (4, NULL);
CREATE TABLE plan (who int, deliveries int, cancelled boolean);
INSERT INTO plan SELECT 100 + g, 2, g % 3 > 0 FROM generate_series(1, 60) AS g UNION ALL SELECT 200 + g, 9, true FROM generate_series(1, 60) AS g
    UNION ALL VALUES (5, 2, false), (6, 3, false), (3, 2, true);
SELECT segment, label_ja, customers, condition FROM crm.define_standard_segments('店', 'consumable');
SELECT segment, customers FROM crm.define_standard_segments('店', 'apparel', 1000, 'SELECT who, born FROM public.person',
    'SELECT who, deliveries, cancelled FROM public.plan');
SELECT segment, members FROM "店".segment_set WHERE segment IN ('birthday_month', 'cancellation_prone') ORDER BY 1;
SELECT segment, condition FROM crm.define_standard_segments('mails', 'durable');
SELECT * FROM crm.define_standard_segments('mails', NULL);
SELECT count(*) FROM crm.define_standard_segments('店', 'durable', birthdays => 'SELECT 1');

-- refused
CREATE FUNCTION refused(VARIADIC calls text[]) RETURNS TABLE (call text, state text, message text, detail text, hint text)
LANGUAGE plpgsql AS $$
BEGIN
    FOREACH call IN ARRAY calls LOOP
        BEGIN
            EXECUTE 'SELECT ' || call;
            RAISE EXCEPTION 'accepted';
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
            RETURN NEXT;
        END;
    END LOOP;
END $$;
\x on
SELECT * FROM refused(
    $$crm.define_segment('nowhere', 'a', 'true')$$, $$crm.define_segment('店', NULL, 'true')$$, $$crm.define_segment('店', ' ', 'true')$$,
    $$crm.define_segment('店', 'a', NULL)$$, $$crm.define_segment('店', 'a', E'\n')$$, $$crm.define_segment('店', 'a', '1 / (orders - orders) = 1')$$,
    $$crm.define_segment_set('店', 'a', 'union', '{either}')$$, $$crm.define_segment_set('店', 'a', 'union', '{}')$$,
    $$crm.define_segment_set('店', 'a', 'union', NULL)$$, $$crm.define_segment_set('店', 'a', NULL, '{either,early}')$$,
    $$crm.define_segment_set('店', 'a', 'union', '{either,NULL}')$$, $$crm.define_segment_set('店', 'a', 'union', '{{either,early}}')$$,
    $$crm.define_segment_set('店', 'a', 'union', '{either,nothing}')$$, $$crm.define_segment_set('店', 'either', 'union', '{either,early}')$$,
    $$crm.define_segment_set('店', '一回', 'union', '{either,early}')$$, $$crm.drop_segment('店', 'nothing')$$,
    $$crm.segment_size('店', 'nothing')$$, $$crm.segment_size('店', 'nothing', '2026-04-01')$$, $$crm.segment_size('nowhere', 'either')$$,
    $$crm.segment_size('店', 'either', '2026-03-30')$$, $$crm.segment_size('店', 'either', '2026-04-03')$$, $$crm.segment_size('店', 'either', 'infinity')$$,
    $$crm.segment_moves('店', 'either', '2026-03-30', NULL)$$, $$crm.segments_of('nowhere', 1)$$, $$crm.segments_of('店', 'x')$$,
    $$crm.segments_of('店', 123456)$$, $$crm.segment_overlap('nowhere')$$, $$crm.check_segment_family('店', 'nothing')$$,
    $$crm.check_segment_family('nowhere', 'number')$$, $$crm.explain_membership('店', 'nothing', 1)$$, $$crm.explain_membership('店', 'early', 'x')$$);
\x off
-- each with the position in the condition
SELECT crm.define_segment('店', 'a', 'orders >= AND true');
SELECT crm.define_segment('店', 'a', 'orders > 1; DROP TABLE sales');
SELECT crm.define_segment('店', 'a', 'orders > 1) OR (true');
SELECT crm.define_segment('店', 'a', 'orders > 1 AND birthday IS NULL');
SELECT crm.define_segment('店', 'a', 'orders > 1 AND count(*) > 1');
SELECT crm.define_segment('店', 'a', 'orders > generate_series(1, 3)');
SELECT crm.define_segment('店', 'a', 'row_number() OVER () < 10');
SELECT crm.define_segment('店', 'a', 'random() < 0.5');
SELECT crm.define_segment('店', 'a', 'last_order_at > now() - interval ''30 days''');
SELECT crm.define_segment('店', 'a', 'orders');
SELECT crm.define_segment('店', 'a', 'orders > $1');
SELECT count(*) FROM "店".segment_definition WHERE segment = 'a';

-- settings of the session mean nothing
SET TimeZone = 'Pacific/Kiritimati';
SET DateStyle = 'SQL, DMY';
SET standard_conforming_strings = off;
SET search_path = nowhere;
\set VERBOSITY terse
SELECT crm.define_segment('店', 'since', 'last_order_date >= ''02/04/2026''');
\set VERBOSITY default
SELECT crm.define_segment('店', 'since', 'last_order_date::text >= ''2026-04-02'' AND ''a\nb'' LIKE ''a%'' AND last_order_at >= ''2026-04-02''');
RESET standard_conforming_strings;
RESET search_path;
SET TimeZone = 'America/New_York';
SET DateStyle = 'ISO, YMD';

-- the past is kept as long as answers are, and not at all without
SELECT DISTINCT 'changed' FROM crm.alter_shop('店', answers_kept => '5 days');
CALL crm.refresh('店', '2026-04-10 15:00+09');
SELECT DISTINCT known_since FROM "店".segment_set;
SELECT crm.segment_size('店', 'either', '2026-04-04');
SELECT min(day) >= '2026-04-05' AS only_later FROM "店".segment_event;
SELECT count(*) FROM "店".segment_definition WHERE segment IN ('all of it', '一回');
SELECT DISTINCT 'changed' FROM crm.alter_shop('店', unset => '{answers_kept}');
CALL crm.refresh('店', '2026-04-11 15:00+09');
SELECT count(*) FROM "店".segment_event;
SELECT count(*) FROM "店".segment_change;
SELECT DISTINCT known_since FROM "店".segment_set;
SELECT crm.segment_size('店', 'either') = crm.segment_size('店', 'either', '2026-04-11') AS today;

-- an altered shop evaluates anew: other tiers, another zone
SELECT crm.define_segment('店', 'silver', 'tier = ''silver''');
SELECT DISTINCT 'changed' FROM crm.alter_shop('店', tiers => crm.tier_ladder('{bronze,silver}', '{0,30000}'), zone => 'UTC');
CALL crm.refresh('店', '2026-04-11 15:00+00');
SELECT crm.segment_members('店', 'silver');
SELECT customer_id FROM "店".customer WHERE tier = 'silver' ORDER BY 1;

-- a shop that goes back knows nothing of later days, also where a segment was dropped on one
SELECT DISTINCT 'created' FROM crm.create_shop('back', 'sales', 'who', 'at', 'yen', zone => 'Asia/Tokyo', horizon => NULL);
SELECT crm.define_segment('back', 'a', 'orders > 1'), crm.define_segment('back', 'b', 'orders > 2');
CALL crm.refresh('back', '2026-02-05');
CALL crm.refresh('back', '2026-02-25');
SELECT crm.drop_segment('back', 'a');
CALL crm.rebuild('back', '2026-02-10');
SELECT crm.segment_size('back', 'b') = crm.segment_size('back', 'b', '2026-02-10') AS known;
SELECT crm.segment_set_of('back', 'b', '2026-02-20');

-- a part of a condition may fail where the condition does not
SELECT crm.define_segment('back', 'guarded', 'orders > 1 AND 10 / (orders - 1) > 1') > 0 AS is_evaluated;
SELECT e.* FROM (SELECT customer_id FROM back.customer WHERE orders = 1 ORDER BY 1 LIMIT 1) AS c,
     crm.explain_membership('back', 'guarded', c.customer_id) AS e;

-- every column has a comment, and everything goes with the shop
SELECT c.relname, a.attname
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace IN ('店'::regnamespace, 'mails'::regnamespace) AND c.relkind IN ('r', 'v')
      AND (obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL);
SELECT crm.drop_shop('店'), crm.drop_shop('mails'), crm.drop_shop('back');
SELECT count(*) FROM pg_namespace WHERE nspname IN ('店', 'mails');
DROP TABLE sales, browsed, person, plan;
DROP FUNCTION refused;
