SET intervalstyle = 'postgres';
-- Repeat purchases, funnels and lifetime value against plain SQL over the same orders.
CREATE SCHEMA repeat_test;
SET search_path = repeat_test, crm, public;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SET extra_float_digits = 0;

\set ECHO none
\getenv tests PG_ABS_SRCDIR
\set include :tests '/sql/include/comparing.sql'
\i :include
\set ECHO all

-- 12,000 orders of 3,000 customers over a year: some exactly whole days apart, some at the same microsecond, some refunds,
-- some for nothing. Every customer's channel is in each row, but differs from order to order for some.
CREATE TABLE orders (customer bigint, at timestamptz, amount numeric, channel text);
INSERT INTO orders
SELECT customer,
       CASE customer % 5 WHEN 0 THEN date_trunc('day', at) WHEN 1 THEN date_trunc('day', at) + customer * interval '1 microsecond'
                         ELSE at END,
       CASE WHEN g % 11 = 0 THEN -1 WHEN g % 17 = 0 THEN 0 ELSE 1 END * round((abs(hashint8extended(g, 3)) % 900000)::numeric / 100, 2),
       CASE WHEN customer % 7 = 0 THEN NULL WHEN customer % 7 = 1 THEN 'mixed ' || g % 3 ELSE 'channel ' || customer % 7 END
FROM (SELECT g, abs(hashint8extended(g % 9000, 1)) % 3000 AS customer,
             timestamptz '2025-01-01' + abs(hashint8extended(g, 2)) % 31536000000000 * interval '1 microsecond' AS at
      FROM generate_series(1, 12000) AS g) AS made;
INSERT INTO orders SELECT customer, at, amount + 1, channel FROM orders WHERE customer < 60;
ANALYZE orders;
CREATE TABLE histories AS SELECT customer, crm.history(at, amount) AS h FROM orders GROUP BY customer;
ANALYZE histories;

-- 1. The ladder, exactly as the definition says.

-- What became of every purchase: the gap in days begun, the wait in days completed; followed up is who is seen to the end
-- of the day.
CREATE FUNCTION fates(as_of timestamptz) RETURNS TABLE(customer bigint, nth bigint, gap int, days int, event boolean) LANGUAGE sql AS $$
    SELECT customer, nth, gap, CASE WHEN gap <= wait THEN gap ELSE wait END, coalesce(gap <= wait, false)
    FROM (SELECT customer, row_number() OVER by_time AS nth,
                 ceil(extract(epoch FROM lead(at) OVER by_time - at) / 86400)::int AS gap,
                 floor(extract(epoch FROM as_of - at) / 86400)::int AS wait
          FROM orders WHERE amount >= 0 AND at <= as_of
          WINDOW by_time AS (PARTITION BY customer ORDER BY at)) AS steps
$$;
CREATE FUNCTION plain(as_of timestamptz, within int)
    RETURNS TABLE(nth int, customers bigint, repeated bigint, rate numeric, km_rate numeric, km_se numeric, q1 int, median int, q3 int, never numeric)
LANGUAGE sql AS $$
    WITH fate AS (SELECT * FROM fates(as_of)),
    ladder AS (SELECT nth, count(*) AS customers, count(*) FILTER (WHERE gap <= within) AS repeated, max(days) AS seen,
                      percentile_disc(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY gap) AS quartiles,
                      count(*) FILTER (WHERE gap IS NULL) AS never
               FROM fate GROUP BY nth),
    risk AS (SELECT fate.nth, days, count(*) FILTER (WHERE event) AS d, sum(count(*)) OVER (PARTITION BY fate.nth ORDER BY days DESC) AS n
             FROM fate GROUP BY fate.nth, days),
    estimate AS (SELECT nth, CASE WHEN bool_or(d = n) THEN 0 ELSE exp(sum(ln(CASE WHEN d < n THEN 1 - d / n ELSE 1 END))) END AS s,
                        sum(CASE WHEN d < n THEN d / (n * (n - d)) END) AS v
                 FROM risk WHERE days <= within AND d > 0 GROUP BY nth)
    SELECT nth, customers, repeated, round(repeated::numeric / customers, 10),
           CASE WHEN seen >= within OR s = 0 THEN round(1 - coalesce(s, 1), 10) END,
           CASE WHEN seen >= within AND coalesce(s, 1) > 0 THEN round(coalesce(s, 1) * sqrt(coalesce(v, 0)), 10) END,
           quartiles[1], quartiles[2], quartiles[3], round(never::numeric / customers, 10)
    FROM ladder LEFT JOIN estimate USING (nth)
    WHERE nth <= 100
$$;
CREATE VIEW stored AS
SELECT as_of, crm.repeats(h, as_of) AS r
FROM histories, (VALUES (timestamptz '2025-01-20 07:00'), ('2025-06-15'), ('2025-07-31 12:34:56.789'), ('2026-01-01'), ('2030-01-01')) AS times(as_of)
GROUP BY as_of;

SELECT min(n) AS least_rungs, max(n) AS most_rungs, sum(n) AS rungs
FROM (SELECT count(*) AS n FROM stored, crm.repeat_rows(r) GROUP BY as_of) AS counted;
SELECT within, differ, compared
FROM (VALUES (0), (1), (7), (90), (365), (5000)) AS v(within),
     LATERAL differing(
         format('SELECT as_of, p.* FROM stored, plain(as_of, %s) AS p', within),
         format('SELECT as_of, nth, customers, repeated, round(rate::numeric, 10), round(km_rate::numeric, 10), round(km_se::numeric, 10),
                        q1_days, median_days, q3_days, round(never::numeric, 10)
                 FROM stored, crm.repeat_rows(r, %L)', within || ' days')) AS d;
-- No limit is as long as anybody has been there.
SELECT * FROM differing('SELECT as_of, nth, repeated, rate FROM stored, crm.repeat_rows(r, NULL)',
                        'SELECT as_of, nth, repeated, rate FROM stored, crm.repeat_rows(r, ''36525 days'')');
SELECT count(*) AS rungs, count(km_rate) AS rates, bool_and(abs(rate + never - 1) < 1e-12) AS all_that_returned FROM stored, crm.repeat_rows(r, NULL);

-- 2. Both doors, any partition, any plan: the same bytes.

SELECT * FROM differing(
    'SELECT as_of, p.* FROM stored, crm.repeat_rows(r, ''30 days'') AS p',
    'SELECT as_of, nth, customers, repeated, rate, km_rate, km_se, q1_days, median_days, q3_days, never
     FROM stored, crm.repeat_table(''SELECT customer, at, amount FROM orders'', as_of, ''30 days'') WHERE split IS NULL');
SELECT * FROM differing(
    'SELECT as_of, p.* FROM stored, crm.repeat_rows(r) AS p',
    'SELECT as_of, nth, customers, repeated, rate, km_rate, km_se, q1_days, median_days, q3_days, never
     FROM stored, crm.repeat_table(''SELECT md5(customer::text), at, amount::numeric(20,6) FROM orders ORDER BY amount'', as_of)');
SELECT count(*) AS partitions, count(*) FILTER (WHERE whole::text = merged::text) AS alike
FROM (SELECT as_of, parts, crm.rollup(part) AS merged
      FROM (SELECT as_of, parts, crm.repeats(h, as_of) AS part
            FROM histories, (SELECT as_of FROM stored) AS times, (VALUES (1), (2), (3), (50)) AS p(parts)
            GROUP BY as_of, parts, customer % parts) AS cut
      GROUP BY as_of, parts) AS merged JOIN (SELECT as_of, r AS whole FROM stored) AS s USING (as_of);
SELECT count(*) AS repeats, count(*) FILTER (WHERE r::text::crm.repeats::text = r::text) AS read_back FROM stored;

CREATE TABLE serial AS SELECT crm.repeats(h, '2025-10-01') AS r, crm.ltv(h, '2025-10-01') AS l FROM histories;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 3;
SELECT plan_has('Gather', 'SELECT crm.repeats(h, ''2025-10-01''), crm.ltv(h, ''2025-10-01'') FROM histories') AS parallel;
SELECT count(*) AS alike
FROM serial, (SELECT crm.repeats(h, '2025-10-01') AS r, crm.ltv(h, '2025-10-01') AS l FROM histories) AS parallel
WHERE serial.r::text = parallel.r::text AND serial.l = parallel.l;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

-- 3. Split by the value of the first purchase.

SELECT * FROM differing(
    'SELECT split, p.* FROM (SELECT split, crm.repeats(h, ''2025-10-01'') AS r
                             FROM (SELECT customer, (array_agg(channel ORDER BY at, channel NULLS FIRST) FILTER (WHERE amount >= 0))[1] AS split,
                                          crm.history(at, amount) AS h
                                   FROM orders GROUP BY customer) AS known GROUP BY split) AS parts, crm.repeat_rows(r) AS p',
    'SELECT * FROM crm.repeat_table(''SELECT customer, at, amount, channel FROM orders'', ''2025-10-01'')');
SELECT count(DISTINCT split) AS splits, bool_or(split IS NULL) AS also_null
FROM crm.repeat_table('SELECT customer, at, amount, channel FROM orders', '2025-10-01');

-- 4. Edges.

CREATE FUNCTION ladder(history text, as_of timestamptz, within interval DEFAULT '90 days')
    RETURNS TABLE(nth int, customers bigint, repeated bigint, rate float8, km_rate float8, km_se float8, q1 int, median int, q3 int, never float8)
LANGUAGE sql AS $$
    SELECT rows.* FROM (SELECT crm.repeats(history::crm.history, as_of) AS r) AS made, crm.repeat_rows(r, within) AS rows
$$;
-- One customer, once; before everything; only a refund; nobody.
SELECT * FROM ladder('[["2025-01-01T00:00:00Z",1]]', '2025-12-31');
SELECT count(*) AS rows FROM ladder('[["2025-01-01T00:00:00Z",1]]', '2024-12-31 23:59:59.999999');
SELECT nth, customers, km_rate FROM ladder('[["2025-01-01T00:00:00Z",1]]', '2025-01-01');
SELECT count(*) AS rows FROM ladder('[["2025-01-01T00:00:00Z",-1]]', '2025-12-31');
SELECT crm.repeats(NULL::crm.history, '2025-12-31') IS NULL AS nobody, (SELECT count(*) FROM crm.repeat_rows(NULL)) AS rows;
SELECT count(*) AS rows FROM crm.repeat_table('SELECT 1, now(), 1 WHERE false');
SELECT count(*) AS rows FROM crm.repeat_table('SELECT 1, now(), 1, ''a''', '2001-01-01');
-- Refunds first, and the same microsecond.
SELECT nth, customers, repeated, km_rate, median, never
FROM ladder('[["2024-12-31T00:00:00Z",-5],["2025-01-01T00:00:00Z",1],["2025-01-01T00:00:00Z",2],["2025-01-01T00:00:00Z",2]]', '2025-06-01', '0 days');
-- One-time buyers only, the first 88 days before: nobody came back within 60 days, and of 90 days nothing is known.
CREATE TABLE once AS SELECT i AS customer, timestamptz '2025-01-01' + i * interval '1 day' AS at, 3 AS amount FROM generate_series(1, 50) AS i;
SELECT within, r.* FROM unnest('{60 days,90 days,NULL}'::interval[]) AS within, crm.repeat_table('TABLE once', '2025-03-31', within) AS r ORDER BY within;
SELECT l.* FROM (SELECT crm.ltv(h, '2025-03-31') AS total FROM (SELECT crm.history(at, amount) AS h FROM once GROUP BY customer) AS known) AS all_of_them, LATERAL (SELECT (total).*) AS l;
-- Values of one customer each, who belongs to the one that sorts first of two at the same microsecond, whatever was refunded before.
SELECT split, nth, customers, repeated, rate, km_rate, km_se, median_days, never
FROM crm.repeat_table($$VALUES (1, timestamptz '2024-12-31', -5, 'A'), (1, '2025-01-01', 2, 'b'), (1, '2025-01-01', 1, 'B'), (1, '2025-01-01 00:00:00.000001', 1, '1'),
                               (2, '2025-01-01', 1, 'once'), (3, '2025-01-31', 1, 'later'), (3, '2025-01-01', 1, NULL)$$, '2025-06-01', '30 days')
ORDER BY split, nth;
-- The leap day is a day: from 28 February to 1 March, to the same day of the next year, and a century without one. An hour
-- that clocks skip or repeat is none more and none less.
SET TimeZone = 'Europe/London';
SELECT one::timestamp AS one, other::timestamp AS other, median_days, repeated
FROM (VALUES (timestamptz '2024-02-28', timestamptz '2024-03-01'), ('2025-02-28', '2025-03-01'), ('2024-02-29', '2025-02-28'), ('2024-02-29', '2025-03-01'),
             ('2024-02-29', '2028-02-29'), ('1900-02-28', '1900-03-01'), ('2000-02-28', '2000-03-01'),
             ('2024-03-30 12:00', '2024-03-31 12:00'), ('2024-03-30 12:00', '2024-03-31 13:00'), ('2024-10-26 12:00', '2024-10-27 12:00')) AS v(one, other),
     LATERAL crm.repeat_table(format('VALUES (1, timestamptz %L, 1), (1, %L, 1)', one, other), '2030-01-01', '1 day') WHERE nth = 1;
SET TimeZone = 'UTC';
-- Exactly 90 days is within 90 days, and a microsecond more is not.
SELECT nth, repeated, median FROM ladder('[["2025-01-01T00:00:00Z",1],["2025-04-01T00:00:00Z",1]]', '2026-01-01') WHERE nth = 1;
SELECT nth, repeated, median FROM ladder('[["2025-01-01T00:00:00Z",1],["2025-04-01T00:00:00.000001Z",1]]', '2026-01-01') WHERE nth = 1;
-- Somebody back on a day that has not ended says nothing yet about that day, but is counted as back.
SELECT nth, repeated, rate, km_rate, km_se FROM ladder('[["2025-01-01T00:00:00Z",1],["2025-01-01T12:00:00Z",1]]', '2025-01-01 18:00', '1 day') WHERE nth = 1;
SELECT nth, repeated, rate, km_rate, km_se FROM ladder('[["2025-01-01T00:00:00Z",1],["2025-01-01T12:00:00Z",1]]', '2025-01-02', '1 day') WHERE nth = 1;
-- More than 100 purchases, more than 100 years.
SELECT max(nth) AS rungs, min(repeated) AS repeated, max(never) AS never
FROM crm.repeat_table('SELECT 1, timestamptz ''2020-01-01'' + i * interval ''1 day'', 1 FROM generate_series(1, 250) AS i', '2025-01-01');
SELECT median_days FROM crm.repeat_table('SELECT 1, unnest(''{4000-01-01 BC, 200000-01-01}''::timestamptz[]), 1', '290000-01-01', NULL) WHERE nth = 1;
-- Whole days in any words, but no months.
SELECT count(DISTINCT km_rate) AS rates FROM serial, (VALUES (interval '90 days'), ('2160 hours'), ('89 days 24 hours')) AS v(w), crm.repeat_rows(r, w) WHERE nth = 1;
SELECT refused('SELECT * FROM serial, crm.repeat_rows(r, ''3 months'')');
SELECT refused('SELECT * FROM serial, crm.repeat_rows(r, ''36 hours'')');
SELECT refused('SELECT * FROM serial, crm.repeat_rows(r, ''-1 days'')');
SELECT refused('SELECT * FROM serial, crm.repeat_rows(r, ''200000000 days'')');
SELECT refused('SELECT crm.rollup(r) FROM stored');
SELECT refused('SELECT crm.repeats(h, timestamptz ''2025-01-01'' + customer * interval ''1 day'') FROM histories');
SELECT refused('SELECT crm.repeats(h, ''infinity'') FROM histories');
SELECT refused('SELECT ''\x''::crm.repeats');
SELECT count(*) AS damaged, count(*) FILTER (WHERE refused(format('SELECT %L::crm.repeats', bytes)) NOT LIKE '22P03 %') AS other_days
FROM (SELECT set_byte(whole, i, (get_byte(whole, i) + 1) % 256) AS bytes
      FROM (SELECT crm.repeats(h, '2025-02-01')::text::bytea AS whole FROM histories WHERE customer < 12) AS few,
           generate_series(0, length(whole) - 1) AS i
      WHERE i < 16 OR i >= 24) AS changed; -- as_of may be another time; and so may days, as long as they are in order
SELECT refused(format('SELECT crm.repeats_combine(%L::bytea, %1$L)', r)) FROM (SELECT crm.repeats(h, '2025-02-01')::text AS r FROM histories) AS list;
SELECT refused('SELECT crm.repeats_finish(''\x0102'')');

SELECT rate, crm.f2_band(rate), crm.f2_band_ja(rate)
FROM unnest('{0,0.1499,0.15,0.2499,0.25,0.3999,0.4,1,1.01,-0.1,NaN,NULL}'::float8[]) AS rate;

-- 5. Funnels against the definition: some event of step 1, after which the steps follow in order and in time.

CREATE TABLE events (customer text, at timestamptz, step int);
INSERT INTO events
SELECT 'c' || abs(hashint8extended(g, 5)) % 2000,
       timestamptz '2025-01-01' + (abs(hashint8extended(g, 6)) % 60) * interval '1 hour', 1 + abs(hashint8extended(g, 7)) % 4
FROM generate_series(1, 12000) AS g;
ANALYZE events;
CREATE FUNCTION furthest(within interval) RETURNS TABLE(customer text, furthest int) LANGUAGE sql AS $$
    WITH RECURSIVE way AS (
        SELECT customer, at AS begun, at, 1 AS step FROM events WHERE step = 1
        UNION
        SELECT way.customer, begun, events.at, events.step
        FROM way JOIN events ON events.customer = way.customer AND events.step = way.step + 1 AND events.at >= way.at
             AND (events.at <= begun + within OR within IS NULL))
    SELECT customer, coalesce(max(way.step), 0) FROM (SELECT DISTINCT customer FROM events) AS everybody LEFT JOIN way USING (customer)
    GROUP BY customer
$$;
SELECT within, differ, compared
FROM unnest('{0 hours,1 hour,5 hours,1 day,30 days,NULL}'::interval[]) AS within,
     LATERAL differing(format('SELECT * FROM furthest(%L::interval)', within),
                       format('SELECT customer, crm.funnel(at, step, %L) FROM events GROUP BY customer', within)) AS d;
SELECT within, differ, compared
FROM unnest('{0 hours,5 hours,NULL}'::interval[]) AS within,
     LATERAL differing(format('SELECT step, count(*) FROM furthest(%L::interval), generate_series(1, furthest) AS step GROUP BY step', within),
                       format('SELECT step, customers FROM crm.funnel_rows(''SELECT customer, at, step FROM events'', %L) WHERE customers > 0', within)) AS d;
SELECT * FROM crm.funnel_rows('SELECT customer, at, step FROM events', '5 hours');
CREATE TABLE serial_funnel AS SELECT crm.funnel(at, step, '20 minutes') AS furthest, crm.funnel(at, step * 2 - 1, NULL) AS none FROM events;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 3;
SELECT plan_has('Partial', 'SELECT crm.funnel(at, step, ''20 minutes''), crm.funnel(at, step * 2 - 1, NULL) FROM events') AS parallel;
SELECT * FROM differing('SELECT crm.funnel(at, step, ''20 minutes''), crm.funnel(at, step * 2 - 1, NULL) FROM events', 'SELECT * FROM serial_funnel');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

SELECT crm.funnel(NULL, 1, '1 day') IS NULL AS without_events, crm.funnel(now(), 2, '1 day') AS without_a_start,
       crm.funnel('2025-01-01', 1, NULL) AS begun;
SELECT crm.funnel(at, step, '1 day') AS last_step_of_all FROM generate_series(1, 64) AS step, LATERAL (SELECT timestamptz '2025-01-01' AS at) AS once;
SELECT * FROM crm.funnel_rows('SELECT 1, now(), 3', '1 day');
SELECT count(*) AS rows FROM crm.funnel_rows('SELECT 1, now(), 3 WHERE false', '1 day');
SELECT refused('SELECT crm.funnel(now(), 0, ''1 day'')');
SELECT refused('SELECT crm.funnel(now(), 65, ''1 day'')');
SELECT refused('SELECT crm.funnel(now(), 1, ''1 month'')');
SELECT refused('SELECT crm.funnel(now(), 1, ''-1 hour'')');
SELECT refused('SELECT crm.funnel(now(), 1, step * interval ''1 hour'') FROM generate_series(1, 2) AS step');
SELECT refused('SELECT * FROM crm.funnel_rows(''SELECT 1, now(), 1.5'', ''1 day'')');
SELECT refused('SELECT * FROM crm.funnel_rows(''SELECT 1, now(), 65'', ''1 day'')');
SELECT refused('SELECT * FROM crm.funnel_rows(''SELECT 1, now(), 1, 1'', ''1 day'')');
SELECT refused('SELECT crm.funnel_finish(''\x4e01000000000000ffffffffffffffff'')');

-- 6. Lifetime value and its factors.

CREATE FUNCTION plain_ltv(as_of timestamptz) RETURNS TABLE(customers bigint, orders bigint, revenue numeric, years numeric, ltv numeric)
LANGUAGE sql AS $$
    SELECT count(*), sum(orders)::bigint, sum(revenue), round(sum(extract(epoch FROM as_of - first)) / (365.25 * 86400), 8), sum(revenue) / count(*)
    FROM (SELECT customer, count(*) FILTER (WHERE amount >= 0) AS orders, sum(amount) AS revenue, min(at) FILTER (WHERE amount >= 0) AS first
          FROM orders WHERE at <= as_of GROUP BY customer) AS known
    WHERE orders > 0
$$;
CREATE VIEW lifetimes AS SELECT as_of, crm.ltv(h, as_of) AS l FROM histories, (SELECT as_of FROM stored) AS times GROUP BY as_of;
SELECT * FROM differing('SELECT as_of, p.* FROM lifetimes, plain_ltv(as_of) AS p',
    'SELECT as_of, (l).customers, (l).orders, (l).revenue, round((l).customer_years::numeric, 8), (l).ltv FROM lifetimes');
SELECT count(*) FILTER (WHERE abs((l).average_order_value::float8 * (l).orders_per_customer_year * (l).years_per_customer / (l).ltv::float8 - 1) < 1e-12) AS equal,
       count(*) AS compared
FROM lifetimes;
SELECT (crm.ltv(h, '2026-01-01 06:00')).* FROM (VALUES ('[["2025-01-01T00:00:00Z",100],["2025-02-01T00:00:00Z",20],["2025-03-01T00:00:00Z",-30]]'::crm.history),
                                                    ('[["2025-01-01T00:00:00Z",30]]'), ('[["2025-01-01T00:00:00Z",-30]]'), (NULL)) AS v(h);
SELECT (crm.ltv('[["2025-01-01T00:00:00Z",30]]'::crm.history, '2025-01-01')).*;
SELECT crm.ltv('[["2025-01-01T00:00:00Z",30]]'::crm.history, '2024-01-01') IS NULL AS before_everything;
SELECT refused('SELECT crm.ltv(h, timestamptz ''2025-01-01'' + customer * interval ''1 day'') FROM histories');
SELECT refused('SELECT crm.ltv_finish(''\x4c'')');

SET client_min_messages = warning;
DROP SCHEMA repeat_test CASCADE;
