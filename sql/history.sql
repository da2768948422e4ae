-- crm.history: one customer's purchases as a value, against plain SQL over the same orders.
CREATE SCHEMA history_test;
SET search_path = history_test, crm, public;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SET IntervalStyle = 'postgres';

\set ECHO none
\getenv tests PG_ABS_SRCDIR
\set include :tests '/sql/include/comparing.sql'
\i :include
\set ECHO all

-- 20,000 orders of 1,000 customers: times from microseconds to whole days, amounts of no to six decimal places, refunds,
-- samples for nothing, exact duplicates. Customers 0, 10, 20 … buy in whole days and whole amounts.
CREATE TABLE orders (customer int, at timestamptz, amount numeric);
INSERT INTO orders
SELECT customer,
       CASE customer % 10 WHEN 0 THEN date_trunc('day', at) WHEN 1 THEN date_trunc('hour', at)
                          WHEN 2 THEN date_trunc('minute', at) WHEN 3 THEN at
                          WHEN 4 THEN date_trunc('milliseconds', at) ELSE date_trunc('second', at) END,
       CASE WHEN g % 13 = 0 THEN -1 WHEN g % 29 = 0 THEN 0 ELSE 1 END
           * CASE customer % 10 WHEN 0 THEN trunc(amount) ELSE round(amount, customer % 7) END
FROM (SELECT g, (abs(hashint8extended(g, 1)) % 1000)::int AS customer,
             timestamptz '2024-01-01' + abs(hashint8extended(g, 2)) % 63072000000000 * interval '1 microsecond' AS at,
             (abs(hashint8extended(g, 3)) % 90000000000)::numeric / 1000000 AS amount
      FROM generate_series(1, 19900) AS g) AS made;
INSERT INTO orders SELECT * FROM orders ORDER BY customer, at, amount LIMIT 100;
ANALYZE orders;

CREATE TABLE histories AS SELECT customer, crm.history(at, amount) AS h FROM orders GROUP BY customer;
SELECT count(*) AS customers FROM histories;

-- 1. A history holds exactly the orders it was made of, and its accessors say what plain SQL says.

SELECT * FROM differing('SELECT customer, at, amount FROM orders',
                        'SELECT customer, p.ordered_at, p.amount FROM histories, crm.purchases(h) AS p');
SELECT count(*) AS out_of_order
FROM (SELECT (ordered_at, p.amount) < lag((ordered_at, p.amount)) OVER (PARTITION BY customer ORDER BY n) AS back
      FROM histories, ROWS FROM (crm.purchases(h)) WITH ORDINALITY AS p(ordered_at, amount, n)) AS steps
WHERE back;

CREATE VIEW plain AS
SELECT customer, count(*) FILTER (WHERE amount >= 0) AS orders, sum(amount) AS revenue,
       coalesce(-sum(amount) FILTER (WHERE amount < 0), 0) AS refunded,
       min(at) FILTER (WHERE amount >= 0) AS first_order, max(at) FILTER (WHERE amount >= 0) AS last_order
FROM orders GROUP BY customer;

SELECT * FROM differing('SELECT * FROM plain',
    'SELECT customer, crm.orders(h), crm.revenue(h), crm.refunded(h), crm.first_order(h), crm.last_order(h)
    FROM histories');

SELECT * FROM differing(
    'SELECT customer, (extract(epoch FROM at - lag(at) OVER (PARTITION BY customer ORDER BY at)) * 1000000)::float8
        / 86400000000 AS days
     FROM orders WHERE amount >= 0 ORDER BY customer, at',
    'SELECT customer, days FROM histories, unnest(NULL::float8 || crm.intervals(h)) AS days WHERE crm.orders(h) > 0');

-- At many dates, from before the first order to after the last one. Days have 24 hours, in every zone.
SET TimeZone = 'America/New_York';
CREATE VIEW dates AS
SELECT timestamptz '2023-12-31 00:00 UTC' + n * interval '1900 hours' AS as_of FROM generate_series(0, 10) AS n;
SELECT * FROM differing(
    'SELECT customer, as_of, as_of - max(at), as_of - min(at)
     FROM dates, orders WHERE amount >= 0 AND at <= as_of GROUP BY customer, as_of',
    'SELECT customer, as_of, crm.recency(h, as_of), crm.tenure(h, as_of)
     FROM dates, histories WHERE crm.recency(h, as_of) IS NOT NULL OR crm.tenure(h, as_of) IS NOT NULL');
SET TimeZone = 'UTC';
SELECT crm.recency(h, as_of), crm.tenure(h, as_of)
FROM (VALUES ('[["2026-03-01T12:00:00Z",1],["2026-03-05T00:00:00Z",-1],["2026-04-01T06:00:00.5Z",2]]'::crm.history))
    AS v(h),
     unnest('{2026-03-01 11:59:59.999999, 2026-03-01 12:00, 2026-03-31, 2026-04-01 06:00:00.499999,
              2026-04-01 06:00:00.5,
              2026-05-01}'::timestamptz[]) AS as_of;

-- 2. Text and bytes

SELECT count(*) FILTER (WHERE h::text::crm.history IS DISTINCT FROM h) AS differ, count(*) AS compared FROM histories;
-- The stored bytes are those that are sent. Reading them from other servers: test/t/050_binary.pl.
CREATE CAST (bytea AS crm.history) WITHOUT FUNCTION;
SELECT count(*) FILTER (WHERE crm.history_send(h)::crm.history IS DISTINCT FROM h) AS differ, count(*) AS compared
FROM histories;

-- The text is what a JSON reader takes it for.
SELECT * FROM differing('SELECT customer, at, amount FROM orders',
    'SELECT customer, (entry ->> 0)::timestamptz, (entry ->> 1)::numeric FROM histories,
        jsonb_array_elements(h::jsonb) AS entry');
SELECT h, h::jsonb = h::text::jsonb AS same
FROM (VALUES ('[["2026-01-01T00:30:00Z",1200],["2026-02-03T04:05:06.5Z",-99.5]]'::crm.history)) AS v(h);

-- Other ways to write the same, and the one way it is printed.
SELECT text, text::crm.history
FROM unnest(ARRAY[
    ' [ [ "2026-01-01T00:30:00Z" , 1200 ] , [ "2026-02-03T04:05:06.5Z" , -99.5 ] ] ',
    '[["2026-02-03T04:05:06.500000Z",-99.50],["2026-01-01T00:30:00Z",1200.000000]]',
    '[["2026-01-01T09:30:00+09:00",1200],["2026-02-02T23:05:06.5-05",-99.5]]',
    '[["2026-01-01 00:30:00Z",0001200],["2026-02-03 04:05:06.5Z",-99.5]]',
    '[["2026-01-01T00:00:00Z",0],["2026-01-01T00:00:00Z",-0.00]]',
    E'[\n\t["2026-01-01T00:00:00Z",0.000001]\r\n]',
    '[]']) AS text;

-- What the layout in src/history/history.hpp says, by hand: 2000-01-02, 5; and with 2000-01-03, -0.5.
SELECT crm.history_send('[["2000-01-02T00:00:00Z",5]]') = '\x 01 00 55 01 02 00 0a 05' AS one,
       crm.history_send('[["2000-01-02T00:00:00Z",5],["2000-01-03T00:00:00Z",-0.5]]')
           = '\x 01 09 55 02 02 01 5a 01 05 00 01 64 09' AS with_refund,
       crm.history_send('[]') = '\x 01 00 00 00' AS empty;

SELECT text, replace(refused(format('SELECT %L::crm.history', text)), 'invalid input syntax for type crm.history. ',
    '') AS refused
FROM unnest(ARRAY[
    '', ' ', 'x', '{}', 'null', '[', ']', '[]]', '[] x', '[,]', '[[]]', '[["2026-01-01T00:00:00Z",1]',
        '[["2026-01-01T00:00:00Z",1],]',
    '[["2026-01-01T00:00:00Z",1]["2026-01-01T00:00:00Z",1]]', '[["2026-01-01T00:00:00Z",1,2]]',
        '[["2026-01-01T00:00:00Z"]]',
    '[["2026-01-01T00:00:00Z",]]', '[["2026-01-01T00:00:00Z",1], null]', '[[2026,1]]', '[[null,1]]',
    '[["2026-01-01T00:00:00",1]]', '[["2026-01-01",1]]', '[["2026-02-29T00:00:00Z",1]]', '[["2026-13-01T00:00:00Z",1]]',
    '[["2026-01-01T24:00:00Z",1]]', '[["2026-01-01T00:60:00Z",1]]', '[["2026-01-01T00:00:60Z",1]]',
    '[["2026-01-01T00:00:00.Z",1]]', '[["2026-01-01T00:00:00.1234567Z",1]]', '[["2026-01-01T00:00:00+16:00",1]]',
    '[["26-01-01T00:00:00Z",1]]', '[["infinity",1]]', '[["now",1]]', '[["2026-01-01T00:00:00Z',
    '[["-4714-01-01T00:00:00Z",1]]', '[["294277-01-01T00:00:00Z",1]]',
    '[["2026-01-01T00:00:00Z","1"]]', '[["2026-01-01T00:00:00Z",+1]]', '[["2026-01-01T00:00:00Z",-]]',
    '[["2026-01-01T00:00:00Z",1.]]', '[["2026-01-01T00:00:00Z",.5]]', '[["2026-01-01T00:00:00Z",1.5.5]]',
    '[["2026-01-01T00:00:00Z",1e3]]', '[["2026-01-01T00:00:00Z",NaN]]', '[["2026-01-01T00:00:00Z",Infinity]]',
    '[["2026-01-01T00:00:00Z",1 2]]', '[["2026-01-01T00:00:00Z",1,000]]', '[["2026-01-01T00:00:00Z",0.0000001]]',
    '[["2026-01-01T00:00:00Z",9223372036854775808]]', '[["2026-01-01T00:00:00Z",-9223372036854775809]]',
    '[["2026-01-01T00:00:00Z",9223372036854.7758079]]',
    '[["2026-01-01T00:00:00Z",9223372036854775807],["2026-01-02T00:00:00Z",0.1]]',
    '[["2026-01-01T00:00:00Z",9223372036854775807],["2026-01-02T00:00:00Z",1]]',
    '[["ご注文",1]]', '注文']) AS text;

-- 3. The same value from any order of input and any way of merging

SELECT seed, count(*) FILTER (WHERE other.h IS DISTINCT FROM histories.h) AS differ, count(*) AS compared
FROM generate_series(1, 8) AS seed,
     LATERAL (SELECT customer, crm.history(at, amount ORDER BY hashtextextended(at::text || amount, seed)) AS h
              FROM orders GROUP BY customer) AS other
     FULL JOIN histories USING (customer)
GROUP BY seed ORDER BY seed;

-- || of two parts, rollup of seven, and rollup of single orders, cut at random and by time
SELECT count(*) FILTER (WHERE both_parts.h IS DISTINCT FROM histories.h) AS differ, count(*) AS compared
FROM (SELECT customer, coalesce(odd || even, odd, even) AS h, coalesce(even || odd, even, odd) AS turned
      FROM (SELECT customer, crm.history(at, amount) FILTER (WHERE k % 2 <> 0) AS odd,
                   crm.history(at, amount) FILTER (WHERE k % 2 = 0) AS even
            FROM (SELECT *, hashtextextended(at::text, 9) AS k FROM orders) AS keyed
            GROUP BY customer) AS parts) AS both_parts
     FULL JOIN histories USING (customer)
WHERE both_parts.h = both_parts.turned;
SELECT parts, count(*) FILTER (WHERE other.h IS DISTINCT FROM histories.h) AS differ, count(*) AS compared
FROM (VALUES ('by hash'), ('by year'), ('one by one')) AS v(parts),
     LATERAL (SELECT customer, crm.rollup(h ORDER BY part DESC) AS h
              FROM (SELECT customer, part, crm.history(at, amount) AS h
                    FROM (SELECT *, CASE parts WHEN 'by hash' THEN hashtextextended(at::text, 5) % 7
                                               WHEN 'by year' THEN extract(year FROM at)
                                               ELSE row_number() OVER () END AS part
                          FROM orders) AS cut
                    GROUP BY customer, part) AS pieces
              GROUP BY customer) AS other
     FULL JOIN histories USING (customer)
GROUP BY parts ORDER BY parts;
SELECT (SELECT crm.rollup(h) FROM histories) = (SELECT crm.history(at, amount) FROM orders) AS everybody,
       crm.orders((SELECT crm.rollup(h) FROM histories)) AS orders;
-- a zero element, and associativity
SELECT count(*) FILTER (WHERE h || '[]' <> h OR '[]' || h <> h) AS differ, count(*) AS compared FROM histories;
SELECT count(*) FILTER (WHERE (a.h || b.h) || c.h <> a.h || (b.h || c.h)) AS differ, count(*) AS compared
FROM histories AS a JOIN histories AS b ON b.customer = (a.customer + 1) % 1000
    JOIN histories AS c ON c.customer = (a.customer + 7) % 1000;

-- Parallel plans
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 4;
SET parallel_leader_participation = off;
ALTER TABLE orders SET (parallel_workers = 4);
CREATE TABLE histories_in_pieces AS SELECT customer, crm.history(at, amount) AS h FROM orders GROUP BY customer,
    at::date;
ALTER TABLE histories_in_pieces SET (parallel_workers = 4);
ANALYZE histories_in_pieces;
SELECT name, plan_has('Partial', query) AS partial, plan_has('Gather', query) AS parallel,
       (differing(query, 'SELECT customer, h FROM histories')).*
FROM (VALUES
    ('numeric', 'SELECT customer, crm.history(at, amount) FROM orders GROUP BY customer'),
    ('rollup', 'SELECT customer, crm.rollup(h) FROM histories_in_pieces GROUP BY customer')) AS v(name, query);
SET enable_hashagg = off;
SELECT name, plan_has('Partial GroupAggregate', query) AS partial,
    (differing(query, 'SELECT customer, h FROM histories')).*
FROM (VALUES ('sorted', 'SELECT customer, crm.history(at, amount) FROM orders GROUP BY customer')) AS v(name, query);
RESET enable_hashagg;
SELECT name, plan_has('Partial', parallel) AS partial,
    (differing(parallel, 'SELECT customer, crm.history(at, trunc(amount)) FROM orders GROUP BY customer')).*
FROM (VALUES
    ('bigint', 'SELECT customer, crm.history(at, trunc(amount)::bigint) FROM orders GROUP BY customer'),
    ('integer', 'SELECT customer, crm.history(at, trunc(amount)::int) FROM orders GROUP BY customer')) AS v(name,
        parallel);
SELECT plan_has('Partial', 'SELECT crm.history(at, amount) FROM orders') AS partial,
       (SELECT crm.history(at, amount) FROM orders) = (SELECT crm.rollup(h) FROM histories) AS same;
-- every function that is allowed to runs in a worker
SELECT count(set_config(name, 'regress', false)) FROM pg_settings WHERE name IN ('force_parallel_mode',
    'debug_parallel_query');
SELECT * FROM differing('SELECT * FROM plain',
    'SELECT customer, crm.orders(h), crm.revenue(h), crm.refunded(h), crm.first_order(h), crm.last_order(h)
    FROM histories');
SELECT count(*) FILTER (WHERE h::text::crm.history IS DISTINCT FROM h) AS differ, count(*) AS compared FROM histories;
SELECT count(set_config(name, 'off', false)) FROM pg_settings WHERE name IN ('force_parallel_mode',
    'debug_parallel_query');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
RESET parallel_leader_participation;

-- 4. Amounts are equal by what they are worth, not by how they are written.

SELECT crm.history('2026-01-01', 10) = crm.history('2026-01-01', 10.00) AS with_places,
       crm.history('2026-01-01', 10::bigint) = crm.history('2026-01-01', 10.000000) AS whole,
       crm.history('2026-01-01', 10::int) = '[["2026-01-01T00:00:00Z",10.0]]' AS text,
       crm.history('2026-01-01', 10.5::numeric(20, 6)) = crm.history('2026-01-01', 10.50::numeric(10, 2)) AS typed,
       crm.history('2026-01-01', 10.50000000000000000000) = crm.history('2026-01-01', 10.5) AS long,
       crm.history('2026-01-01', 1e12) = crm.history('2026-01-01', 1000000000000) AS exponent,
       crm.history_hash(crm.history('2026-01-01', 10)) = crm.history_hash(crm.history('2026-01-01',
           10.00)) AS same_hash;
SELECT crm.history(at, amount), crm.revenue(crm.history(at, amount))
FROM (VALUES (timestamptz '2026-01-01', 5), ('2026-01-02', 0.1), ('2026-01-03', 0.000001), ('2026-01-04', -0.25),
    ('2026-01-05', 1e6)) AS v(at, amount);
-- A finer amount that is taken back leaves no trace.
SELECT ('[["2026-01-01T00:00:00Z",5]]'::crm.history || '[["2026-01-02T00:00:00Z",0.01]]')
    - '[["2026-01-02T00:00:00Z",0.01]]' = '[["2026-01-01T00:00:00Z",5]]' AS same;
-- However it is written, what fits is taken and what does not is refused.
SELECT amount, refused(format('SELECT crm.history(now(), %s)', amount))
FROM unnest(ARRAY['9223372036854775807', '-9223372036854775808', '9223372036854.775807', '9000000000000000.5',
                  '9000000000000000.500000', '9000000000000000.500000::numeric(30, 6)', '900000000000.123456000000000',
                  '0.0000010', '0.0000001', '1e-7', '1e18', '1e19', '9223372036854775808', '-9223372036854775809',
                  '92233720368547758.08', '1e30', '''NaN''::numeric', '''infinity''::numeric',
                      '''-infinity''::numeric']) AS amount;
-- 1 to 18 digits before the point, 0 to 6 behind it, which are zeros or not: the amount to the last digit, or a refusal.
SELECT fits, count(*) AS amounts,
       count(*) FILTER (WHERE CASE WHEN fits THEN crm.revenue(crm.add('[]', now(), amount)) = amount
                                   ELSE refused(format('SELECT crm.add(''[]'', now(), %s)', amount)) LIKE '22003 %' END) AS right
FROM (SELECT amount, abs(amount) * 10 ^ scale(trim_scale(amount)) <= 9223372036854775807 AS fits
      FROM generate_series(1, 18) AS whole, generate_series(0, 6) AS places, unnest('{123456,000000,999999}'::text[]) AS behind,
           unnest('{987654321987654321,100000000000000000}'::text[]) AS before, unnest('{-1,1}'::int[]) AS sign,
           LATERAL (SELECT sign * (left(before, whole) || rpad('.', places + 1, behind))::numeric AS amount) AS a) AS written
GROUP BY fits ORDER BY fits;

-- 5. Refunds lower revenue at their time. They are no purchases.

SELECT what, crm.orders(h), crm.revenue(h), crm.refunded(h), crm.first_order(h), crm.last_order(h),
       crm.recency(h, '2026-12-31') AS recency, crm.tenure(h, '2026-12-31') AS tenure, crm.intervals(h)
FROM (VALUES
    ('refund between',
     '[["2026-01-01T00:00:00Z",100],["2026-01-05T00:00:00Z",-30],["2026-01-09T00:00:00Z",50]]'::crm.history),
    ('refund first', '[["2025-12-01T00:00:00Z",-30],["2026-01-01T00:00:00Z",100],["2026-01-09T00:00:00Z",50]]'),
    ('refund last', '[["2026-01-01T00:00:00Z",100],["2026-01-09T00:00:00Z",50],["2026-02-01T00:00:00Z",-30]]'),
    ('at both ends', '[["2025-12-01T00:00:00Z",-30],["2026-01-01T00:00:00Z",100],["2026-02-01T00:00:00Z",-30]]'),
    ('at the same time', '[["2026-01-01T00:00:00Z",100],["2026-01-01T00:00:00Z",-100]]'),
    ('refunds only', '[["2026-01-01T00:00:00Z",-1],["2026-01-02T00:00:00Z",-0.5]]'),
    ('samples only', '[["2026-01-01T00:00:00Z",0],["2026-01-02T12:00:00Z",0]]'),
    ('nothing', '[]')) AS v(what, h);

-- 6. Parts and changes

SELECT * FROM differing('SELECT as_of, customer, at, amount FROM dates, orders WHERE at <= as_of',
    'SELECT as_of, customer, p.ordered_at, p.amount FROM dates, histories, crm.purchases(crm.until(h, as_of)) AS p');
SELECT * FROM differing(
    'SELECT customer, h FROM (SELECT customer, crm.history(at, amount) FROM orders WHERE at <= ''2024-07-01''
        GROUP BY customer) AS o(customer, h)',
    'SELECT customer, crm.until(h, ''2024-07-01'') FROM histories WHERE crm.until(h, ''2024-07-01'') <> ''[]''');
SELECT bounds, (differing(format('SELECT customer, at, amount FROM orders WHERE %L::tstzrange @> at', during),
    format('SELECT customer, p.ordered_at, p.amount FROM histories, crm.purchases(crm.within(h, %L)) AS p', during))).*
FROM (SELECT CASE WHEN lower_inf(during) THEN '(' ELSE left(during::text, 1) END || right(during::text, 1) AS bounds,
    during
      FROM (SELECT tstzrange(from_at, to_at, bounds)
            FROM (SELECT min(at), max(at) FROM orders WHERE customer = 530 AND at BETWEEN '2024-02-01'
                AND '2025-11-01') AS o(from_at, to_at),
                 unnest('{[],[),(],()}'::text[]) AS bounds
            UNION ALL SELECT tstzrange(NULL, '2024-07-01') UNION ALL SELECT tstzrange('2024-07-01', NULL,
                '()')) AS r(during)) AS ranges
ORDER BY during;
SELECT during, crm.within('[["2026-01-01T00:00:00Z",1]]', during)
FROM unnest(ARRAY['(,)', 'empty', '[-infinity,infinity]', '(-infinity,infinity)', '[infinity,]', '(infinity,)',
    '(,-infinity)', '(,-infinity]',
                  '[2026-01-01,2026-01-01]', '[2026-01-01,2026-01-02)',
                      '(2026-01-01,2026-01-02)']::tstzrange[]) AS during;

SELECT * FROM differing('SELECT customer, h || crm.history(''2025-05-05'', 12.34) FROM histories GROUP BY customer, h',
                        'SELECT customer, crm.add(h, ''2025-05-05'', 12.34) FROM histories');
SELECT crm.add(crm.add('[]', '2026-01-02', -5.00), '2026-01-01', 7), crm.add('[]', NULL, 5), crm.add(NULL, now(), 5);

-- What was added can be subtracted: parts, orders one by one, and everything.
SELECT count(*) FILTER (WHERE (a.h || b.h) - a.h <> b.h) AS differ, count(*) AS compared
FROM histories AS a JOIN histories AS b ON b.customer = (a.customer + 1) % 1000;
SELECT count(*) FILTER (WHERE h - crm.until(h, '2025-01-01') <> crm.within(h, '(2025-01-01,)')) AS differ,
    count(*) AS compared FROM histories;
SELECT count(*) FILTER (WHERE h - h <> '[]' OR h - '[]' <> h) AS differ, count(*) AS compared FROM histories;
SELECT '[["2026-01-01T00:00:00Z",1],["2026-01-01T00:00:00Z",1]]'::crm.history - '[["2026-01-01T00:00:00Z",1.00]]'
    AS one_of_two;
SELECT less, refused(format('SELECT ''[["2026-01-01T00:00:00Z",1],["2026-01-02T00:00:00Z",2.5]]''::crm.history - %L',
    less))
FROM unnest(ARRAY['[["2026-01-01T00:00:00Z",1],["2026-01-01T00:00:00Z",1]]', '[["2026-01-02T00:00:00Z",2.51]]',
                  '[["2026-01-02T00:00:00Z",2],["2026-01-01T00:00:00.000001Z",1],["2026-01-02T00:00:00Z",2.5]]',
                  '[["2026-01-02T00:00:00Z",-2.5]]']) AS less;

-- 7. Comparison, indexes, joins

SELECT count(*) FILTER (WHERE (a.h = b.h) <> (a.customer = b.customer) OR (a.h <> b.h) <> (a.customer <> b.customer)
                           OR (a.h < b.h) <> (crm.history_cmp(a.h, b.h) < 0)
                               OR (a.h <= b.h) <> (crm.history_cmp(a.h, b.h) <= 0)
                           OR (a.h > b.h) <> (crm.history_cmp(a.h, b.h) > 0)
                               OR (a.h >= b.h) <> (crm.history_cmp(a.h, b.h) >= 0)
                           OR crm.history_cmp(a.h, b.h) <> -crm.history_cmp(b.h, a.h)) AS differ, count(*) AS compared
FROM histories AS a, histories AS b WHERE a.customer < 100 AND b.customer < 100;
CREATE TABLE twice AS SELECT customer, h FROM histories UNION ALL SELECT customer, h FROM histories;
SELECT count(*), count(DISTINCT h), (SELECT count(*) FROM (SELECT h FROM twice GROUP BY h) AS g) AS groups,
       (SELECT count(*) FROM (SELECT h FROM twice INTERSECT SELECT h FROM histories) AS i) AS shared FROM twice;
CREATE UNIQUE INDEX histories_btree ON histories (h);
CREATE INDEX histories_hash ON histories USING hash (h);
ANALYZE histories;
SET enable_seqscan = off;
SELECT refused('INSERT INTO histories SELECT 1000, h FROM histories WHERE customer = 1') LIKE '23505%' AS refused;
SELECT plan_has('histories_btree', query) AS btree,
    count(*) FROM (VALUES ('SELECT * FROM histories ORDER BY h')) AS v(query),
       (SELECT customer, h < lag(h) OVER (ORDER BY h) AS back FROM histories) AS s WHERE back IS NOT true
       GROUP BY query;
SELECT plan_has('histories_hash', query) AS hash,
    (SELECT customer FROM histories
    WHERE h = crm.history_send((SELECT h FROM histories WHERE customer = 17))::crm.history)
FROM (VALUES ('SELECT customer FROM histories WHERE h = ''[]''')) AS v(query);
RESET enable_seqscan;
SET enable_mergejoin = off; SET enable_nestloop = off;
SELECT plan_has('Hash Join', query) AS hash, (differing(query, 'SELECT customer, customer FROM histories')).*
FROM (VALUES ('SELECT a.customer, b.customer FROM histories AS a JOIN (SELECT * FROM histories OFFSET 0) AS b USING (h)')) AS v(query);
SET enable_mergejoin = on; SET enable_hashjoin = off;
SELECT plan_has('Merge Join', query) AS merge, (differing(query, 'SELECT customer, customer FROM histories')).*
FROM (VALUES ('SELECT a.customer, b.customer FROM histories AS a JOIN (SELECT * FROM histories OFFSET 0) AS b USING (h)')) AS v(query);
RESET enable_mergejoin; RESET enable_nestloop; RESET enable_hashjoin;
-- 32 and 64 bits of the same hash, as partitions and hash joins want them
SELECT count(*) FILTER (WHERE crm.history_hash_extended(h, 0) & 4294967295 <> crm.history_hash(h)::bigint &
    4294967295) AS differ,
       count(DISTINCT crm.history_hash_extended(h, 1)) AS hashes FROM histories;
CREATE TABLE by_history (h crm.history) PARTITION BY HASH (h);
CREATE TABLE by_history_0 PARTITION OF by_history FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_history_1 PARTITION OF by_history FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO by_history SELECT h FROM histories;
SELECT * FROM differing('SELECT h FROM by_history', 'SELECT h FROM histories');

-- A history that is stored out of line: its front answers what the whole does.
CREATE TABLE large AS SELECT crm.history(at, amount) AS h FROM orders;
SELECT pg_column_size(h) > 100000 AS out_of_line,
    crm.orders(h) = (SELECT count(*) FROM orders WHERE amount >= 0) AS orders,
       crm.revenue(h) = (SELECT sum(amount) FROM orders) AS revenue,
           crm.refunded(h) = (SELECT -sum(amount) FROM orders WHERE amount < 0) AS refunded,
       crm.first_order(h) = (SELECT min(at) FROM orders WHERE amount >= 0) AS first_order,
       crm.last_order(h) = (SELECT max(at) FROM orders WHERE amount >= 0) AS last_order,
       crm.tenure(h, '2026-01-01') = (SELECT timestamptz '2026-01-01' - min(at) FROM orders
           WHERE amount >= 0) AS tenure,
       h = (SELECT crm.rollup(h) FROM histories) AS same
FROM large;

-- 8. Aggregates in every place: windows with moving frames, FILTER, DISTINCT, no rows, NULLs

SELECT count(*) FILTER (WHERE crm.orders(running) <> n OR crm.revenue(running) <> revenue
    OR crm.orders(last_three) <> least(n, 3)
                           OR crm.revenue(last_three) <> last_three_revenue OR whole <> h) AS differ,
                               count(*) AS compared
FROM (SELECT customer, row_number() OVER w AS n,
             crm.history(at, amount) OVER (w ROWS UNBOUNDED PRECEDING) AS running,
                 sum(amount) OVER (w ROWS UNBOUNDED PRECEDING) AS revenue,
             crm.history(at, amount) OVER (w ROWS 2 PRECEDING) AS last_three,
                 sum(amount) OVER (w ROWS 2 PRECEDING) AS last_three_revenue,
             crm.history(at, amount) OVER (PARTITION BY customer) AS whole
      FROM (SELECT customer, at, abs(amount) AS amount FROM orders WHERE customer < 50) AS o
      WINDOW w AS (PARTITION BY customer ORDER BY at, amount)) AS framed
     JOIN (SELECT customer, crm.history(at, abs(amount)) AS h FROM orders GROUP BY customer) AS all_orders USING
         (customer);
SELECT crm.history(now(), 1) FILTER (WHERE false) AS no_rows,
    (SELECT crm.rollup(h) FROM histories WHERE false) AS no_histories,
       (SELECT crm.rollup(h) FROM (VALUES (NULL::crm.history), (NULL)) AS v(h)) AS only_nulls,
       (SELECT crm.rollup(h) FROM (VALUES ('[]'::crm.history), (NULL), ('[]')) AS v(h)) AS empty_ones;
SELECT crm.history(at, amount) AS without_nulls
FROM (VALUES (timestamptz '2026-01-01', 1), (NULL, 2), ('2026-01-03', NULL), (NULL, NULL), ('2026-01-02', 4)) AS v(at,
    amount);
SELECT crm.history(DISTINCT at, amount) FROM (VALUES (timestamptz '2026-01-01', 1), ('2026-01-01', 1),
    ('2026-01-01', 2)) AS v(at, amount);
SELECT refused('SELECT crm.history(''infinity'', 1)'), refused('SELECT crm.history(''-infinity'', 1)'),
       refused('SELECT crm.history(now(), 1.5::float8)') LIKE '42%' AS float8;
SELECT call, refused('SELECT ' || call)
FROM unnest(ARRAY['crm.until(''[]'', ''infinity'')', 'crm.recency(''[]'', ''-infinity'')',
    'crm.tenure(''[]'', ''infinity'')',
                  'crm.add(''[]'', ''infinity'', 1)', 'crm.add(''[]'', now(), ''NaN'')',
                      'crm.add(''[]'', now(), 1e-7)']) AS call;

-- Transition functions called by hand, on states of other aggregates and on garbage: an error or a value, no harm.
SELECT crm.history_finish(crm.history_combine(crm.history_accumulate(NULL, '2026-01-01', 1.5),
    crm.history_accumulate(NULL::bytea, '2026-01-02', 2))),
       crm.history_finish(NULL), crm.history_combine(NULL, NULL), crm.history_accumulate(NULL::bytea, NULL, 1);
WITH states AS (SELECT crm.history_accumulate(NULL, '2026-01-01', 1.5) AS state)
SELECT what, crm.history_finish(state) AS before, refused(format('SELECT crm.history_finish(%L)', changed)) AS changed
FROM states, LATERAL (VALUES
    ('nothing', ''::bytea), ('too short', substr(state, 1, 15)), ('one byte', '\x00'),
        ('zeros', '\x00000000000000000000000000000000'::bytea),
    ('other kind', set_byte(state, 0, ascii('R'))), ('version', set_byte(state, 1, 2)),
        ('scale', set_byte(state, 2, 7)),
    ('too many', set_byte(state, 9, 1)), ('far too many', set_byte(state, 15, 255)),
    ('infinite time', overlay(state PLACING '\xffffffffffffff7f' FROM 17 FOR 8)),
    ('rfm', crm.rfm_accumulate(NULL, '2026-01-01', 1.5, '2026-02-01', NULL))) AS v(what, changed);
SELECT refused('SELECT crm.history_accumulate(''\x0102'', now(), 1)'),
    refused('SELECT crm.history_combine(''\x0102'', NULL)'),
       refused('SELECT crm.history_combine(NULL, ''\x0102'')'),
           refused('SELECT crm.history_accumulate(''\x0102''::bytea, ''[]''::crm.history)');
-- 2,000 states with a random byte changed
SELECT count(*) AS tried, count(*) FILTER (WHERE outcome !~ '^(accepted|22023|22003|22008|XX001|22P03)') AS surprises
FROM (SELECT refused(format('SELECT crm.history_finish(crm.history_combine(%L, %1$L))',
                            set_byte(state, (abs(hashint8extended(n, 1)) % length(state))::int,
                                (abs(hashint8extended(n, 2)) % 256)::int))) AS outcome
      FROM (SELECT crm.history_accumulate(crm.history_accumulate(NULL, '2026-01-01', 1.5), '2026-01-02',
          -2.25) AS state) AS s, generate_series(1, 2000) AS n) AS t;
-- Arguments stay as they were.
WITH s AS MATERIALIZED (SELECT crm.history_accumulate(NULL, '2026-01-01', 1) AS one)
SELECT crm.history_finish(crm.history_accumulate(one, '2026-01-02', 2.5)),
    crm.history_finish(crm.history_combine(one, one)), crm.history_finish(one) FROM s;

-- 9. Extremes

CREATE TABLE extremes (name text, h crm.history);
INSERT INTO extremes
SELECT name, crm.history(at::timestamptz, amount)
FROM (VALUES
    ('all of time', '4714-11-24 00:00:00+00 BC', 1), ('all of time', '294276-12-31 23:59:59.999999+00', 2),
    ('year 1 BC', '0001-02-29 12:00+00 BC', 1), ('year 1', '0001-01-01 00:00+00', 1),
    ('microseconds', '1999-12-31 23:59:59.999999+00', 1), ('microseconds', '2000-01-01 00:00:00.000001+00', 1),
    ('greatest amount', '2026-01-01', 9223372036854775807), ('least amount', '2026-01-01', -9223372036854775807),
    ('six places', '2026-01-01', 9223372036854.775807), ('six places', '2026-01-02', -9223372036854.775807),
    ('up and down', '2026-01-01', 9223372036854775807), ('up and down', '2026-01-02', -9223372036854775807),
    ('up and down', '2026-01-03', 9223372036854775807)) AS v(name, at, amount)
GROUP BY name ORDER BY name;
SELECT name, h::text::crm.history = h AS same_by_text, crm.history_send(h)::crm.history = h AS same_by_bytes,
    h FROM extremes;
SELECT name, crm.orders(h), crm.revenue(h), crm.refunded(h), crm.intervals(h) FROM extremes;
SELECT crm.first_order(h), crm.last_order(h),
    refused(format('SELECT crm.recency(%L::crm.history, ''294276-12-31'')', crm.until(h, '2026-01-01')))
FROM extremes WHERE name = 'all of time';
-- An overflow does not depend on the order of the amounts: sums in between may be as large as they like.
SELECT string_agg(amount::text, ', ' ORDER BY place) AS amounts,
    crm.revenue(crm.history('2026-01-01', amount ORDER BY place))
FROM (VALUES (1, 9223372036854775807, 1), (1, 6, 2), (1, -9223372036854775807, 3), (1, 5, 4),
             (2, 9223372036854775807, 4), (2, -9223372036854775807, 1), (2, 6, 3), (2, 5, 2)) AS v(n, amount, place)
GROUP BY n ORDER BY n;
SELECT amounts, refused(format('SELECT crm.history(''2026-01-01'', a) FROM unnest(%L::numeric[]) AS a', amounts))
FROM unnest(ARRAY['{9223372036854775807, 1}', '{1, 9223372036854775807}', '{-9223372036854775807, -1, -1}',
    '{-1, -9223372036854775807, -1}',
                  '{92233720368547758.07, 0.001}', '{0.001, 92233720368547758.07}',
                      '{500000000000000.50, 500000000000000.50}']) AS amounts;
SELECT refused('SELECT ''[["2026-01-01T00:00:00Z",9223372036854775807]]''::crm.history ||
    ''[["2026-01-01T00:00:00Z",1]]''') AS merged,
       refused('SELECT crm.add(''[["2026-01-01T00:00:00Z",9223372036854775807]]'', now(), 0.1)') AS added,
       refused('SELECT crm.rollup(h) FROM extremes WHERE name IN (''greatest amount'', ''year 1'')') AS rolled_up;

-- 10. crm.histories: the same as GROUP BY, for customers of any type

SELECT * FROM differing('SELECT * FROM crm.histories(''SELECT customer, at, amount FROM history_test.orders'')',
    'SELECT customer, h FROM histories');
SELECT * FROM differing('SELECT customer_id, history, pg_typeof(customer_id)::text FROM crm.histories(''SELECT customer,
    at, amount FROM orders'', key => NULL::int)',
                        'SELECT customer, h, ''integer'' FROM histories');
SELECT key, (differing(format('SELECT customer_id, history, pg_typeof(customer_id)::text
    FROM crm.histories(%L, NULL::%s)',
                              format('SELECT %s, at, amount FROM history_test.orders', expression), key),
                       format('SELECT %s AS customer, crm.history(at, amount), %L FROM history_test.orders GROUP BY 1',
                           expression, key::regtype))).*
FROM (VALUES
    ('bigint', '(customer::bigint << 40) - 1e15::bigint'), ('smallint', 'customer::smallint'),
        ('text', '''会員'' || customer'),
    ('character varying', '(repeat(''k'', customer % 200) || customer)::varchar'),
        ('uuid', 'md5(customer::text)::uuid'),
    ('numeric', 'customer / 8.0'), ('double precision', 'customer / 8::float8'), ('boolean', 'customer % 2 = 0'),
    ('date', 'date ''2026-01-01'' + customer'),
        ('timestamp with time zone', 'timestamptz ''2026-01-01'' + customer * interval ''1 hour'''),
    ('interval', 'customer * interval ''1 hour'''), ('bytea', 'decode(md5(customer::text), ''hex'')'),
        ('name', '(''n'' || customer)::name'),
    ('"char"', '(customer % 100)::"char"'), ('inet', 'inet ''10.0.0.0'' + customer'), ('jsonb', 'to_jsonb(customer)'),
    ('integer[]', 'ARRAY[customer, customer % 3]'), ('text[]', 'ARRAY[customer::text, NULL]'),
        ('history_test.plain', 'ROW(customer, 1, 2, 3, NULL, NULL)::history_test.plain'),
    ('tstzrange', 'tstzrange(date ''2026-01-01'' + customer, NULL)'),
        ('crm.rfm_score', 'crm.rfm_score(customer % 9 + 1, 5, 5)')) AS v(key, expression);

-- Equality is that of the type: 1.0 = 1.00, and a day is 24 hours.
SELECT customer_id, crm.orders(history) FROM crm.histories(
    'SELECT v, timestamptz ''2026-01-01'', 1 FROM unnest(''{1, 1.0, 1.00, 2, 1e0}''::numeric[]) AS v',
        key => NULL::numeric) ORDER BY 1;
SELECT crm.orders(history) FROM crm.histories('SELECT v, timestamptz ''2026-01-01'',
    1 FROM unnest(''{1 day, 24:00}''::interval[]) AS v', NULL::interval);
SELECT crm.orders(history) FROM crm.histories('SELECT v, timestamptz ''2026-01-01'',
    1 FROM unnest(''{0, -0}''::float8[]) AS v', NULL::float8);
SELECT crm.orders(history) FROM crm.histories('SELECT v, timestamptz ''2026-01-01'',
    1 FROM unnest(''{x, "x  "}''::char(5)[]) AS v', NULL::char(5));
CREATE DOMAIN member_number AS bigint CHECK (VALUE > 0);
CREATE DOMAIN moment AS timestamptz;
CREATE DOMAIN yen AS integer;
SELECT customer_id, pg_typeof(customer_id), history
FROM crm.histories('SELECT 7::member_number, ''2026-01-01''::moment, 100::yen', key => NULL::member_number);
SELECT customer_id, pg_typeof(customer_id)
FROM crm.histories('SELECT 7::member_number, ''2026-01-01''::moment, 100::yen');
-- hundreds of kinds of NULL
SELECT crm.orders(history) AS orders, count(*) AS customers
FROM crm.histories('SELECT nullif(g % 10, 0), CASE WHEN g % 7 > 0 THEN timestamptz ''2026-01-01'' END,
    nullif(g % 3, 0)::bigint FROM generate_series(1, 210) AS g')
GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM crm.histories('SELECT NULL::bigint, NULL::timestamptz, NULL::numeric FROM generate_series(1, 5)');
SELECT count(*) FROM crm.histories('SELECT customer, at, amount FROM orders WHERE false');
SELECT count(*) FROM crm.histories('VALUES (1, timestamptz ''2026-01-01'', 5), (2, ''2026-01-01'', 5)');
SELECT count(*) FROM crm.histories('TABLE orders');
SELECT count(*) FROM crm.histories('WITH o AS (SELECT * FROM orders) (SELECT customer, at,
    amount FROM o WHERE customer < 10) UNION ALL TABLE o;');
-- in a subquery of its own, joined, lateral, and over histories of histories
SELECT * FROM differing(
    'SELECT customer_id, history FROM crm.histories(''SELECT customer_id, ordered_at,
        amount FROM crm.histories(''''TABLE orders'''') AS h, crm.purchases(history)'')',
    'SELECT customer, h FROM histories');
SELECT least_customer, count(*) FROM (VALUES (990), (995)) AS v(least_customer),
       crm.histories(format('SELECT customer, at, amount FROM orders WHERE customer >= %s', least_customer)) GROUP BY 1
       ORDER BY 1;
SELECT (crm.histories('SELECT 1, timestamptz ''2026-01-01'', 5')).*;
-- The search_path may be empty.
SET search_path = '';
SELECT pg_catalog.count(*) FROM crm.histories('SELECT customer, at, amount FROM history_test.orders');
SET search_path = history_test, crm, public;

-- Customers of the wrong type, or that cannot be told apart
SELECT query, refused(format('SELECT * FROM crm.histories(%L, %s)', query, key))
FROM (VALUES
    ('SELECT 1::bigint, now(), 1', 'NULL::int'), ('SELECT ''x''::text, now(), 1', 'NULL::bigint'),
        ('SELECT 1, now(), 1', 'NULL::text'),
    ('SELECT 1.0, now(), 1', 'NULL::bigint'), ('SELECT ''{}''::json, now(), 1', 'NULL::json'),
        ('SELECT point(1, 1), now(), 1', 'NULL::point'),
    ('SELECT ARRAY[''{}''::json], now(), 1', 'NULL::json[]'), ('SELECT ROW(1), now(), 1', 'NULL::record'),
    ('SELECT repeat(''x'', 2049), now(), 1', 'NULL::text'), ('SELECT repeat(''x'', 2048), now(), 1', 'NULL::text'),
    ('SELECT 1, now(), 1', '1'), ('SELECT 1, now(), 1', '1::bigint')) AS v(query, key);

-- Queries that are not one plain SELECT of three columns. Each error shows where in the query it is.
SELECT * FROM crm.histories('SELECT customer, at, amount FORM orders');
SELECT * FROM crm.histories(E'SELECT customer,\n       at,\n       total\nFROM orders');
SELECT * FROM crm.histories('SELECT customer, at, amount FROM nowhere');
SELECT * FROM crm.histories('SELECT $1, now(), 1');
SELECT * FROM crm.histories('SELECT 1, now(), 1 / 0');
SELECT query, refused(format('SELECT * FROM crm.histories(%L)', query))
FROM unnest(ARRAY[
    '', ' -- nothing', ';', 'SELECT 1, now(), 1; SELECT 2, now(), 2',
        'INSERT INTO orders VALUES (1, now(), 1) RETURNING *',
    'UPDATE orders SET amount = 0 RETURNING *', 'DELETE FROM orders RETURNING *',
        'WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone',
    'SELECT * INTO copied FROM orders', 'CREATE TABLE copied AS SELECT * FROM orders', 'DROP TABLE orders',
        'EXPLAIN SELECT * FROM orders', 'SHOW work_mem',
    'COPY orders TO STDOUT', 'COMMIT', 'SET work_mem = 100', 'LOCK orders', 'DECLARE c CURSOR FOR SELECT * FROM orders',
        'DO ''BEGIN END''',
    'SELECT * FROM orders FOR UPDATE', 'SELECT * FROM orders FOR KEY SHARE',
    'SELECT 1', 'SELECT 1, now()', 'SELECT 1, now(), 1, 1', 'SELECT FROM orders',
        'SELECT 1, ''2026-01-01''::timestamp, 1', 'SELECT 1, ''2026-01-01''::date, 1',
    'SELECT 1, ''2026-01-01'', 1', 'SELECT 1, now(), 1.5::float8', 'SELECT 1, now(), ''1''',
        'SELECT 1, now(), 1::money', 'SELECT now(), 1, 1',
    'SELECT 1, ''infinity''::timestamptz, 1', 'SELECT 1, now(), ''NaN''::numeric', 'SELECT 1, now(), 1e-7',
        'SELECT 1, now(), 1e19',
    'SELECT 1, now(), a FROM unnest(''{9223372036854775807, 1}''::bigint[]) AS a',
        'SELECT 1, now(), a FROM unnest(''{9223372036854775807, 0.1}''::numeric[]) AS a']) AS query;
SELECT refused('SELECT * FROM crm.histories(NULL)'), refused('SELECT * FROM crm.histories(NULL, NULL::uuid)');
SELECT count(*) AS still_there FROM orders;
-- after an error in the middle, the next pass is none the worse
SELECT refused('SELECT * FROM crm.histories(''SELECT g, now(), 1 / (100000 - g)
    FROM generate_series(1, 200000) AS g'')');
SELECT count(*) FROM crm.histories('TABLE orders');

-- The conditions of a domain are kept: its values are those of the query's own column.
CREATE DOMAIN seven_less AS bigint CHECK (value <> 7);
SELECT refused('SELECT * FROM crm.histories(''SELECT 7::bigint, now(), 1'', NULL::seven_less)');
SELECT customer_id, pg_typeof(customer_id) FROM crm.histories('SELECT 8::seven_less, now(), 1', NULL::seven_less);
SELECT refused('SELECT crm.first(ROW(1, 2), now())'), refused('SELECT crm.last(ARRAY[ROW(1, 2)], now())');
-- A function may return an integer with other bits in front of it than a stored one has.
CREATE TABLE hashed AS SELECT hashtext(customer::text) AS id, at, amount FROM orders;
SELECT * FROM differing('SELECT customer_id, crm.orders(history) FROM crm.histories(''SELECT hashtext(customer::text), at, amount FROM orders
                             UNION ALL SELECT id, at, amount FROM hashed'', NULL::int)',
                        'SELECT id, 2 * count(*) FILTER (WHERE amount >= 0) FROM hashed GROUP BY id') AS d,
     LATERAL (SELECT count(*) > 100 AS negative FROM hashed WHERE id < 0) AS n;

-- 11. Little memory: orders go to temporary files and customers are grouped part by part, with the same result.

-- A giant among many, and 300 customers who are together in the same part until it is divided again.
CREATE TABLE neighbours AS SELECT customer_id
FROM crm.histories('SELECT g, timestamptz ''2026-01-01'', 1 FROM generate_series(1, 100000) AS g') LIMIT 300;
CREATE TABLE many_orders AS
SELECT CASE WHEN g % 3 = 0 THEN 4711 ELSE abs(hashint8extended(g, 4)) % 100000 END AS customer,
       timestamptz '2024-01-01' + abs(hashint8extended(g, 5)) % 63072000000000 * interval '1 microsecond' AS at,
       CASE WHEN g % 11 = 0 THEN -1 ELSE 1 END * (abs(hashint8extended(g, 6)) % 10000000)::numeric / (ARRAY[1, 10, 100,
           1000])[g % 4 + 1] AS amount
FROM generate_series(1, 300000) AS g
UNION ALL
SELECT customer_id, timestamptz '2024-01-01' + g * interval '1 minute', g FROM neighbours, generate_series(1, 500) AS g;
CREATE TABLE many_plain AS
SELECT customer, count(*) FILTER (WHERE amount >= 0) AS orders, sum(amount) AS revenue,
    min(at) FILTER (WHERE amount >= 0) AS first_order,
       max(at) FILTER (WHERE amount >= 0) AS last_order, sum(extract(epoch FROM at) * amount) AS checksum
       FROM many_orders GROUP BY customer;
CREATE VIEW keys AS SELECT * FROM (VALUES
    ('bigint', 'customer'), ('text', '''customer number '' || customer'),
        ('uuid', 'lpad(customer::text, 32, ''0'')::uuid'),
    ('numeric', '(customer || left(''.000'', (amount::int % 4 + 4) % 4 + (amount::int % 4 <> 0)::int))::numeric'))
        AS v(key, expression);
SET work_mem = '64MB';
SELECT set_config('pg_crm.memory', memory, false) AS memory, temp, key,
       replace(refused(format('SET LOCAL temp_file_limit = %L; SELECT * FROM crm.histories(%L, NULL::%s)', temp,
                              format('SELECT %s, at, amount FROM many_orders', expression), key)), '"', '') AS refused
FROM (VALUES ('64kB', '0'), ('256MB', '0'), ('64kB', '1GB')) AS v(memory, temp), keys WHERE key <> 'uuid';
RESET temp_file_limit;
CREATE TABLE passes (memory text, key text, customer text, h crm.history);
DO $$
DECLARE
    k record;
    m text;
BEGIN
    FOR k IN SELECT * FROM keys LOOP
        FOREACH m IN ARRAY '{64kB,256MB}'::text[] LOOP
            PERFORM set_config('pg_crm.memory', m, true);
            EXECUTE format('INSERT INTO passes SELECT %L, %L, customer_id, history FROM crm.histories(%L, NULL::%2$s)',
                m, k.key,
                           format('SELECT %s, at, amount FROM many_orders', k.expression));
        END LOOP;
    END LOOP;
END $$;
SELECT key, (differing(format('SELECT regexp_replace(customer, ''\..*'', ''''), h FROM passes WHERE memory = ''64kB''
    AND key = %L', key),
                       format('SELECT regexp_replace(customer, ''\..*'', ''''), h FROM passes WHERE memory = ''256MB''
                           AND key = %L', key))).*,
       (SELECT count(*) FROM many_plain) AS customers
FROM keys;
SELECT key, count(*) FILTER (WHERE p IS NULL OR crm.orders(h) <> orders OR crm.revenue(h) <> revenue
    OR crm.first_order(h) IS DISTINCT FROM first_order
                                OR crm.last_order(h) IS DISTINCT FROM last_order
                                OR (SELECT sum(extract(epoch FROM ordered_at) * amount)
                                    FROM crm.purchases(h)) <> checksum) AS differ, count(*) AS compared
FROM passes FULL JOIN many_plain AS p ON p.customer = regexp_replace(replace(passes.customer, '-', ''),
    '^customer number |^0+|\..*$', '', 'g')::bigint
WHERE memory = '64kB' GROUP BY key ORDER BY key;
SELECT * FROM differing('SELECT customer, h FROM passes WHERE memory = ''64kB'' AND key = ''bigint''',
                        'SELECT customer::text, crm.history(at, amount) FROM many_orders GROUP BY customer');
SELECT crm.orders(h) > 90000 AS giant, count(*) FROM passes WHERE key = 'bigint' AND customer = '4711' GROUP BY 1;

-- The setting is anybody's, and must make sense.
SHOW pg_crm.memory;
SET pg_crm.memory = '100MB';
SHOW pg_crm.memory;
SET pg_crm.memory = -1;
SHOW pg_crm.memory;
SELECT setting, left(refused(setting), 5)
FROM unnest('{SET pg_crm.memory = -2,SET pg_crm.memory = ''much'',SET pg_crm.memroy = 100}'::text[]) AS setting;
RESET pg_crm.memory;

SET client_min_messages = warning;
DROP SCHEMA history_test CASCADE;
