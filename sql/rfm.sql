-- rfm: measures, bands, quantiles, grades, tables, migration and portfolio, against plain SQL over the same orders.
CREATE SCHEMA rfm_test;
SET search_path = rfm_test, crm, public;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SET IntervalStyle = 'postgres';

\set ECHO none
\getenv tests PG_ABS_SRCDIR
\set include :tests '/sql/include/comparing.sql'
\i :include
\set ECHO all

-- 1. Scores

SELECT text, text::crm.rfm_score FROM unnest('{111,543,555,999,123}'::text[]) AS text;
SELECT text, refused(format('SELECT %L::crm.rfm_score', text))
FROM unnest(ARRAY['', '5', '54', '5432', '540', '054', '504', '000', '-11', '+54', ' 543', '543 ', '5 4', '5.4', 'abc',
    '１１１']) AS text;
SELECT r, f, m, refused(format('SELECT crm.rfm_score(%s, %s, %s)', r, f, m))
FROM (VALUES (5, 4, 3), (0, 4, 3), (5, 10, 3), (5, 4, -1), (2147483647, 2147483647, 2147483647)) AS v(r, f, m);
CREATE TABLE scores AS
SELECT r, f, m, crm.rfm_score(r, f, m) AS score
FROM generate_series(1, 9) AS r, generate_series(1, 9) AS f, generate_series(1, 9) AS m;
SELECT count(*) FILTER (WHERE (crm.r(score), crm.f(score), crm.m(score)) <> (r, f, m) OR score::text <> concat(r, f, m)
                           OR score::text::crm.rfm_score <> score
                               OR crm.rfm_score_send(score) <> int4send(concat(r, f, m)::int)) AS differ,
       count(*) AS compared FROM scores;
SELECT count(*) FILTER (WHERE (a.score < b.score) <> ((a.r, a.f, a.m) < (b.r, b.f, b.m))
                           OR (a.score <= b.score) <> ((a.r, a.f, a.m) <= (b.r, b.f, b.m))
                           OR (a.score > b.score) <> ((a.r, a.f, a.m) > (b.r, b.f, b.m))
                           OR (a.score >= b.score) <> ((a.r, a.f, a.m) >= (b.r, b.f, b.m))
                           OR (a.score = b.score) <> ((a.r, a.f, a.m) = (b.r, b.f, b.m))
                           OR (a.score <> b.score) <> ((a.r, a.f, a.m) <> (b.r, b.f, b.m))) AS differ,
       count(*) AS compared
FROM scores AS a, scores AS b;
CREATE UNIQUE INDEX scores_btree ON scores (score);
CREATE INDEX scores_hash ON scores USING hash (score);
SET enable_seqscan = off;
SELECT plan_has('scores_btree', 'SELECT * FROM scores WHERE score > ''543'' ORDER BY score') AS btree,
       count(*), min(score::text)
FROM scores WHERE score > '543';
SELECT plan_has('scores_hash', 'SELECT * FROM scores WHERE score = ''543''') AS hash, r, f, m
FROM scores WHERE score = '543';
RESET enable_seqscan;
SELECT count(DISTINCT score), refused('INSERT INTO scores SELECT * FROM scores LIMIT 1') LIKE '23505%' AS unique
FROM scores;

-- 2. Boundaries: a bound belongs to the better grade.

SELECT crm.rfm_bands();
SELECT days, crm.r(crm.rfm_grade(crm.rfm(h, as_of, '1 year'), crm.rfm_bands())) AS grade,
       crm.r(crm.rfm_grade(crm.rfm(h, as_of - interval '1 microsecond', '1 year'), crm.rfm_bands())) AS a_moment_before
FROM (VALUES ('[["2026-01-01T00:00:00Z",1]]'::crm.history)) AS v(h),
    unnest('{1, 30, 31, 60, 61, 90, 91, 180, 181, 365, 366}'::int[]) AS days,
     LATERAL (SELECT timestamptz '2026-01-01' + days * interval '24 hours' AS as_of) AS a;
SELECT purchases, crm.f(crm.rfm_grade((0, purchases, 0), crm.rfm_bands())) AS grade
FROM unnest('{0, 1, 2, 3, 4, 6, 7, 9, 10, 2147483647}'::int[]) AS purchases;
SELECT amount, crm.m(crm.rfm_grade((0, 1, amount), crm.rfm_bands())) AS grade
FROM unnest('{-1, 0, 9999.999999, 10000, 29999.99, 30000.00, 49999, 50000, 99999.99, 100000,
              9223372036854775807}'::numeric[]) AS amount;
-- Bought before the window, but not in it: a recency, a frequency of 0, no revenue, F grade 1.
SELECT span, crm.rfm(h, '2026-01-01', span), crm.rfm_grade(crm.rfm(h, '2026-01-01', span), crm.rfm_bands())
FROM (VALUES ('[["2025-06-01T00:00:00Z",500000]]'::crm.history)) AS v(h),
    unnest('{1 year, 214 days, 213 days}'::interval[] || NULL::interval) AS span;
SELECT crm.rfm_grade((10, 0, 0), ROW('{30}', '{0}', '{0}')::crm.rfm_bands) AS frequency_0_stays_1;
-- (as_of - span, as_of]: the window's start is outside, its end inside.
SELECT at, crm.rfm(crm.history(at, 5), '2026-03-31', '30 days')
FROM unnest('{2026-03-01, 2026-03-01 00:00:00.000001, 2026-03-31, 2026-03-31 00:00:00.000001}'::timestamptz[]) AS at
GROUP BY at ORDER BY at;

-- 3. Measures by every door against plain SQL

-- 1,600 customers: 70 % buy once, some a hundred times; samples, refunds, customers of refunds only, yen and cents.
CREATE TABLE orders (customer int, at timestamptz, amount numeric);
INSERT INTO orders
SELECT customer, at, CASE WHEN k % 37 = 0 THEN 0 WHEN k % 11 = 0 THEN -amount / 3 ELSE amount END
FROM (SELECT customer, k,
             timestamptz '2023-06-01'
                 + abs(hashint8extended(customer * 1000 + k, 1)) % 94608000000000 * interval '1 microsecond' AS at,
             round((abs(hashint8extended(customer * 1000 + k, 2)) % 90000)::numeric ^ 1.2 / 100, customer % 4) AS amount
      FROM generate_series(1, 1600) AS customer,
           generate_series(1, CASE WHEN customer % 10 < 7 THEN 1 WHEN customer % 100 = 8 THEN 100
               ELSE 2 + customer % 13 END) AS k) AS made;
INSERT INTO orders SELECT customer, at, -5 FROM orders WHERE customer % 97 = 0;
INSERT INTO orders
SELECT g + 2000, timestamptz '2024-05-05' + g * interval '1 day', -100 FROM generate_series(1, 20) AS g;
UPDATE orders SET amount = round(amount, 2);
ALTER TABLE orders SET (parallel_workers = 4);
ANALYZE orders;
CREATE TABLE histories AS SELECT customer, crm.history(at, amount) AS h FROM orders GROUP BY customer;

CREATE FUNCTION plain_rfm(as_of timestamptz, span interval)
    RETURNS TABLE (customer int, recency int, frequency int, monetary numeric) STABLE LANGUAGE sql AS $$
    SELECT customer, floor(extract(epoch FROM as_of - max(at) FILTER (WHERE amount >= 0)) / 86400)::int,
           (count(*) FILTER (WHERE amount >= 0 AND (span IS NULL OR at > as_of - span)))::int,
           coalesce(sum(amount) FILTER (WHERE span IS NULL OR at > as_of - span), 0)
    FROM orders WHERE at <= as_of GROUP BY customer HAVING bool_or(amount >= 0) $$;
CREATE VIEW windows AS
SELECT as_of, span
FROM unnest('{2023-06-01, 2024-01-01, 2025-03-09 12:00-04, 2025-11-02 12:00-05, 2026-05-31 23:59:59.999999+09,
              2030-01-01}'::timestamptz[]) AS as_of,
     unnest('{1 year, 1 month, 1 month 2 days 03:04:05.000006, 90 days, 36 hours, 1 day}'::interval[] || NULL::interval)
         AS span;

-- In three zones, because months and days of a span are those of the session.
CREATE TABLE compared (zone text, door text, differ bigint, compared bigint);
CREATE FUNCTION compare_doors(zone text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('TimeZone', zone, true);
    CREATE TEMP TABLE expected AS SELECT as_of, span, p.* FROM windows, LATERAL plain_rfm(as_of, span) AS p;
    INSERT INTO compared
    SELECT zone, door, (differing('SELECT * FROM expected', query)).*
    FROM (VALUES
        ('histories',
         'SELECT as_of, span, customer, (r).*
          FROM (SELECT as_of, span, customer, crm.rfm(h, as_of, span) AS r FROM windows, histories) AS m
          WHERE r IS NOT NULL'),
        ('aggregate',
         'SELECT as_of, span, customer, (r).*
          FROM (SELECT as_of, span, customer, crm.rfm(at, amount, as_of, span) AS r FROM windows, orders
                GROUP BY as_of, span, customer) AS m
          WHERE r IS NOT NULL'),
        ('table',
         'SELECT as_of, span, customer_id, recency, frequency, monetary
          FROM windows, crm.rfm_table(''TABLE orders'', as_of => as_of, span => span)')) AS v(door, query);
    DROP TABLE expected;
END $$;
SELECT compare_doors(zone) FROM unnest('{UTC, America/New_York, Asia/Tokyo}'::text[]) AS zone;
SELECT * FROM compared ORDER BY zone, door;

-- A day across the change to summer time has 23 hours in New York and 24 in UTC.
SET TimeZone = 'America/New_York';
SELECT crm.rfm('[["2025-03-08T16:30:00Z",1]]', '2025-03-09 16:00Z', '1 day') AS new_york,
    crm.rfm('[["2025-03-08T16:30:00Z",1]]', '2025-03-09 16:00Z', '24 hours') AS hours;
SET TimeZone = 'UTC';
SELECT crm.rfm('[["2025-03-08T16:30:00Z",1]]', '2025-03-09 16:00Z', '1 day') AS utc;

-- The aggregate of integers, in parallel, sorted and hashed, with NULLs, and in moving frames
CREATE TABLE families AS SELECT customer % 50 AS family, at, amount FROM orders;
ALTER TABLE families SET (parallel_workers = 4);
ANALYZE families;
SET parallel_setup_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 4;
SET parallel_leader_participation = off;
SELECT name, plan_has('Partial', query) AS partial,
       (differing(query, format('SELECT family, crm.rfm(crm.history(at, %s), ''2025-06-01'', ''1 year'') FROM families
           GROUP BY family', amount))).*
FROM (VALUES ('numeric', 'amount'), ('bigint', 'trunc(amount)::bigint'), ('integer', 'trunc(amount)::int'))
         AS v(name, amount),
     format('SELECT family, crm.rfm(at, %s, ''2025-06-01'', ''1 year'') FROM families GROUP BY family', amount)
         AS query;
CREATE TABLE measured AS SELECT customer, crm.rfm(h, '2025-06-01', '1 year') AS r FROM histories;
ALTER TABLE measured SET (parallel_workers = 4);
ANALYZE measured;
SELECT plan_has('Partial', 'SELECT crm.rfm_quantiles(r, 5) FROM measured') AS partial,
       (SELECT crm.rfm_quantiles(r, 5) FROM measured) = (SELECT crm.rfm_quantiles(r, 5 ORDER BY customer DESC)
           FROM measured) AS same;
RESET parallel_setup_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
RESET parallel_leader_participation;
SELECT count(*) FILTER (WHERE (r).frequency <> frequency OR (r).monetary <> monetary) AS differ, count(*) AS compared
FROM (SELECT crm.rfm(at, amount, '2030-01-01', NULL) OVER (w ROWS 3 PRECEDING) AS r,
    count(*) OVER (w ROWS 3 PRECEDING) AS frequency, sum(amount) OVER (w ROWS 3 PRECEDING) AS monetary
      FROM orders WHERE amount >= 0 WINDOW w AS (PARTITION BY customer ORDER BY at, amount)) AS framed;
SELECT crm.rfm(at, amount, '2026-02-01', '1 year'), crm.rfm(at, amount, '2026-02-01', NULL)
    FILTER (WHERE false) AS no_rows, crm.rfm(at, amount, NULL, '1 year') AS no_date
FROM (VALUES (timestamptz '2026-01-01', 1), (NULL, 2), ('2026-01-03', NULL), ('2026-01-02', 4), ('2026-02-02', 8),
    ('2026-01-31', -0.5)) AS v(at, amount);
SELECT what, refused(query)
FROM (VALUES
    ('as_of changes', 'SELECT crm.rfm(at, amount, at, ''1 year'') FROM orders'),
    ('span changes', 'SELECT crm.rfm(at, amount, ''2025-01-01'', customer * interval ''1 day'') FROM orders'),
    ('span comes and goes', 'SELECT crm.rfm(at, amount, ''2025-01-01'', CASE WHEN customer % 2 = 0
        THEN interval ''1 year'' END) FROM orders'),
    ('as_of changes for nobody', 'SELECT customer, crm.rfm(at, amount, date ''2025-01-01'' + customer, NULL) FROM orders
        GROUP BY customer'),
    ('infinite as_of', 'SELECT crm.rfm(at, amount, ''infinity'', NULL) FROM orders'),
    ('infinite time', 'SELECT crm.rfm(''-infinity''::timestamptz, 1, ''2025-01-01'', NULL)'),
    ('NaN', 'SELECT crm.rfm(now(), ''NaN''::numeric, ''2025-01-01'', NULL)'),
    ('no span', 'SELECT crm.rfm(now(), 1, ''2025-01-01'', ''0'')'),
    ('negative span', 'SELECT crm.rfm(''[]''::crm.history, ''2025-01-01'', ''-1 day'')'),
    ('negative in effect', 'SELECT crm.rfm(''[]''::crm.history, ''2025-01-01'', ''1 day -25 hours'')'),
    ('span before all time', 'SELECT crm.rfm(''[]''::crm.history, ''2025-01-01'', ''10000 years'')'),
    ('infinite as_of of a history', 'SELECT crm.rfm(''[]''::crm.history, ''-infinity'', NULL)'),
    ('sum too large', 'SELECT crm.rfm(''2025-01-01''::timestamptz, a, ''2026-01-01'', NULL)
        FROM unnest(''{9223372036854775807, 1}''::numeric[]) AS a'),
    ('sum too large in between', 'SELECT crm.rfm(''2025-01-01''::timestamptz, a, ''2026-01-01'', NULL)
        FROM unnest(''{9223372036854775807, 1, -1}''::numeric[]) AS a'),
    ('too large for its places', 'SELECT crm.rfm(''2025-01-01''::timestamptz, a, ''2026-01-01'', NULL)
        FROM unnest(''{9223372036854775807, 0.1}''::numeric[]) AS a'),
    ('other state', 'SELECT crm.rfm_finish(crm.history_accumulate(NULL, now(), 1.5))'),
    ('garbage', 'SELECT crm.rfm_accumulate(''\x0102'', now(), 1, now(), NULL)'),
        ('garbage', 'SELECT crm.rfm_combine(NULL, ''\x'')'),
    ('garbage', 'SELECT crm.rfm_quantiles_finish(repeat(''Q'', 40)::bytea)'),
        ('garbage', 'SELECT crm.rfm_quantiles_combine(NULL, ''\x51'')')) AS v(what, query);
-- However amounts are written, all doors give the same sum.
CREATE TABLE wide AS
SELECT 1 AS customer, timestamptz '2025-01-01' AS at, 500000000000000.5::numeric(30, 6) AS a FROM generate_series(1, 2);
SELECT crm.rfm(crm.history(at, a), '2026-01-01', NULL) AS of_history, crm.rfm(at, a, '2026-01-01', NULL) AS aggregate,
       (SELECT monetary FROM crm.rfm_table('TABLE wide', '2026-01-01', NULL)) AS table
FROM wide;
-- 3,000 states with changed bytes: an error or a value
SELECT count(*) AS tried, count(*) FILTER (WHERE outcome !~ '^(accepted|22023|22003|22008)') AS surprises
FROM (SELECT refused(format('SELECT crm.rfm_finish(crm.rfm_combine(%L, %1$L)),
    crm.rfm_quantiles_finish(crm.rfm_quantiles_combine(%L, %2$L))',
                            set_byte(running, (abs(hashint8extended(n, 1)) % length(running))::int,
                                (abs(hashint8extended(n, 2)) % 256)::int),
                            set_byte(population, (abs(hashint8extended(n, 3)) % length(population))::int,
                                (abs(hashint8extended(n, 4)) % 256)::int))) AS outcome
      FROM (SELECT crm.rfm_accumulate(crm.rfm_accumulate(NULL, '2026-01-01', 1.5, '2026-02-01', '1 year'), '2026-01-02',
          -2.25, '2026-02-01', '1 year') AS running,
                   substr(crm.rfm_quantiles_accumulate(crm.rfm_quantiles_accumulate(NULL, (1, 2, 3.5), 5), (4, 5, 6),
                       5), 1, 56) AS population) AS s,
           generate_series(1, 3000) AS n) AS t;

-- 4. Bands

SELECT bands, refused(format('SELECT crm.rfm_grade((1, 1, 1), %L)', bands))
FROM unnest(ARRAY[
    ROW('{30}', '{2}', '{100}'), ROW('{30,30}', '{2,2}', '{100,100.00}'),
        ROW('{1,2,3,4,5,6,7,8}', '{8,7,6,5,4,3,2,1}', '{8,7,6,5,4,3,2,1}'),
    ROW('{60,30}', '{2,1}', '{2,1}'), ROW('{30,60}', '{1,2}', '{2,1}'), ROW('{30,60}', '{2,1}', '{1,2}'),
        ROW('{30,60}', '{2,1}', '{1,1.000001}'),
    ROW('{30,60}', '{2}', '{2,1}'), ROW('{30,60}', '{2,1}', '{3,2,1}'), ROW('{}', '{}', '{}'),
        ROW('{1,2,3,4,5,6,7,8,9}', '{9,8,7,6,5,4,3,2,1}', '{9,8,7,6,5,4,3,2,1}'),
    ROW('{30,NULL}', '{2,1}', '{2,1}'), ROW('{{30,60}}', '{2,1}', '{2,1}'), ROW(NULL, '{2,1}', '{2,1}'),
        ROW('{30,60}', '{2,1}', NULL),
    ROW('{30}', '{2}', '{NaN}'), ROW('{30}', '{2}', '{1e30}'),
        ROW('{30}', '{2}', '{0.0000001}')]::crm.rfm_bands[]) AS bands;
SELECT crm.rfm_grade(NULL, crm.rfm_bands()), crm.rfm_grade((1, 1, 1), NULL),
    crm.rfm_grade((NULL, 1, 1), crm.rfm_bands()), crm.rfm_grade((1, 1, NULL), crm.rfm_bands());
-- A grade that equal cut points leave empty stays empty: nobody is graded 2 here.
SELECT days, crm.r(crm.rfm_grade((days, 1, 1), ROW('{10,20,20}', '{9,9,9}', '{9,9,9}')::crm.rfm_bands))
FROM unnest('{10, 11, 20, 21}'::int[]) AS days;
-- Bands from a table, changing from row to row
SELECT bands, crm.rfm_grade((40, 5, 20000), b) FROM (VALUES ('published', crm.rfm_bands()),
    ('own', ROW('{45,90}', '{5,3}', '{20000,5000}')::crm.rfm_bands), ('published', crm.rfm_bands())) AS v(bands, b);
-- Every grade of the published bands, by CASE
SELECT count(*) FILTER (WHERE score <> crm.rfm_score(
           CASE WHEN d <= 30 THEN 5 WHEN d <= 60 THEN 4 WHEN d <= 90 THEN 3 WHEN d <= 180 THEN 2 ELSE 1 END,
           CASE WHEN f >= 10 THEN 5 WHEN f >= 7 THEN 4 WHEN f >= 4 THEN 3 WHEN f >= 2 THEN 2 ELSE 1 END,
           CASE WHEN m >= 100000 THEN 5 WHEN m >= 50000 THEN 4 WHEN m >= 30000 THEN 3 WHEN m >= 10000 THEN 2
               ELSE 1 END)) AS differ, count(*) AS compared
FROM generate_series(0, 200) AS d, generate_series(0, 12) AS f,
    unnest('{-5, 0, 9999.99, 10000, 29999, 30000, 30000.01, 49999, 50000, 99999, 100000}'::numeric[]) AS m,
     crm.rfm_grade((d, f, m), crm.rfm_bands()) AS score;

-- 5. Quantiles: the grade is 1 + floor(n × share of the customers who are strictly worse), for any population.

CREATE TABLE populations AS
SELECT p, (recency, frequency, monetary)::crm.rfm AS r
FROM generate_series(1, 60) AS p, generate_series(1, CASE p WHEN 60 THEN 5000 ELSE p * p / 10 + 1 END) AS c,
     LATERAL (SELECT abs(hashint8extended(p * 100000 + c, 1)) % (1 + p % 40) AS recency,
                     greatest(abs(hashint8extended(p * 100000 + c, 2)) % 10 - 6, p % 2) AS frequency,
                     round((abs(hashint8extended(p * 100000 + c, 3)) % 2000 - 200)::numeric / (1 + p % 5), p % 4)
                         * (p % 3) AS monetary) AS o;
SELECT n AS grades,
       count(*) FILTER (WHERE crm.r(score) <> 1 + n * worse_r / customers OR crm.f(score) <> 1 + n * worse_f / customers
                           OR crm.m(score) <> 1 + n * worse_m / customers) AS differ,
       count(*) AS compared, count(DISTINCT p) AS populations
FROM generate_series(2, 9) AS n,
     LATERAL (SELECT p, crm.rfm_grade(r, bands) AS score, count(*) OVER (PARTITION BY p) AS customers,
                     rank() OVER (PARTITION BY p ORDER BY (r).recency DESC) - 1 AS worse_r,
                     rank() OVER (PARTITION BY p ORDER BY (r).frequency) - 1 AS worse_f,
                     rank() OVER (PARTITION BY p ORDER BY (r).monetary) - 1 AS worse_m
              FROM populations JOIN (SELECT p, crm.rfm_quantiles(r, n) AS bands FROM populations
                  GROUP BY p) AS b USING (p)) AS graded
GROUP BY n ORDER BY n;
-- Grades that nobody reaches stay visible: a cut point like its neighbour's, or one unit beyond the best.
SELECT who, crm.rfm_quantiles(r, 5) AS bands, count(*) AS customers
FROM (SELECT who, (recency, frequency, monetary)::crm.rfm AS r
      FROM (SELECT 'one customer' AS who, 10 AS recency, 3 AS frequency, 99.5 AS monetary
            UNION ALL SELECT 'all the same', 10, 3, 99.5 FROM generate_series(1, 100)
            UNION ALL SELECT '70 % bought once', g, CASE WHEN g <= 70 THEN 1 ELSE g - 69 END,
                g * 10 FROM generate_series(1, 100) AS g
            UNION ALL SELECT 'no purchase in the window', g, 0, 0 FROM generate_series(1, 10) AS g
            UNION ALL SELECT 'nothing known', NULL, 1, 1
            UNION ALL SELECT 'extremes', 0, 2147483646, 9223372036854775806
            UNION ALL SELECT 'extremes', 213503982, 0, -9223372036854775807) AS v) AS p
GROUP BY who ORDER BY who;
-- Amounts of different places in one population
SELECT crm.rfm_quantiles((1, 1, m), 3) FROM unnest('{1, 1.5, 1.25, 1.125, 100, 2.000001}'::numeric[]) AS m;
SELECT refused('SELECT crm.rfm_quantiles((1, 1, 1), n) FROM generate_series(4, 5) AS n') AS changing,
    refused('SELECT crm.rfm_quantiles((1, 1, 1), 1)') AS one,
       refused('SELECT crm.rfm_quantiles((1, 1, 1), 10)') AS ten;
SELECT crm.rfm_quantiles((1, 1, 1), NULL) AS no_grades;

-- 6. crm.grade: NTILE without split ties

-- 100 customers, 70 of whom bought once. NTILE gives those four different grades.
CREATE TABLE ties AS SELECT g AS customer, CASE WHEN g <= 70 THEN 1 WHEN g <= 85 THEN 2 ELSE g - 83 END AS purchases
FROM generate_series(1, 100) AS g;
SELECT purchases = 1 AS bought_once, array_agg(DISTINCT ntile ORDER BY ntile) AS ntile,
    array_agg(DISTINCT grade ORDER BY grade) AS grade, count(*)
FROM (SELECT purchases, ntile(5) OVER (ORDER BY purchases, customer), crm.grade(purchases, 5) OVER () FROM ties) AS g
GROUP BY 1 ORDER BY 1 DESC;
SELECT count(*) AS values_of_several_grades
FROM (SELECT purchases FROM (SELECT purchases, crm.grade(purchases, 5) OVER () FROM ties) AS g GROUP BY purchases
    HAVING count(DISTINCT grade) > 1) AS s;
-- the rule, in plain SQL, for columns of any type, in partitions, with NULLs, whatever the order of the window
SELECT n,
       count(*) FILTER (WHERE by_number IS DISTINCT FROM CASE WHEN v IS NOT NULL THEN 1 + n * less / number END
                           OR by_text IS DISTINCT FROM CASE WHEN v IS NOT NULL THEN 1 + n * less_text / number END
                           OR whole IS DISTINCT FROM CASE WHEN v IS NOT NULL THEN 1 + n * less_of_all / all_numbers END
                           OR (by_time, by_float, by_numeric, by_array)
                              IS DISTINCT FROM (by_number, by_number, by_number, by_number)) AS differ,
       count(*) AS compared, count(*) FILTER (WHERE v IS NULL) AS nulls
FROM generate_series(2, 9) AS n,
     LATERAL (SELECT v, crm.grade(v, n) OVER p AS by_number,
                     crm.grade(v::text COLLATE "C", n)
                         OVER (PARTITION BY p ORDER BY v DESC ROWS 1 PRECEDING) AS by_text,
                     crm.grade(timestamptz '2026-01-01' + v * interval '1 hour', n) OVER p AS by_time,
                     crm.grade(v::float8, n) OVER p AS by_float,
                     crm.grade(v / 7.0, n) OVER p AS by_numeric,
                     crm.grade(CASE WHEN v IS NOT NULL THEN ARRAY[v] END, n) OVER p AS by_array,
                     crm.grade(v, n) OVER () AS whole,
                     count(v) OVER p AS number, count(v) OVER () AS all_numbers,
                     rank() OVER (PARTITION BY p, v IS NULL ORDER BY v) - 1 AS less,
                     rank() OVER (PARTITION BY v IS NULL ORDER BY v) - 1 AS less_of_all,
                     rank() OVER (PARTITION BY p, v IS NULL ORDER BY v::text COLLATE "C") - 1 AS less_text
              FROM (SELECT p, nullif(abs(hashint8extended(p * 1000 + c, 1)) % (2 + p), p / 2) AS v
                    FROM generate_series(1, 40) AS p, generate_series(1, p * 3 - 2) AS c) AS o
              WINDOW p AS (PARTITION BY p)) AS graded
GROUP BY n ORDER BY n;
SELECT v, crm.grade(v, 3) OVER () FROM unnest('{NaN, 1, Infinity, -Infinity, 2, NULL}'::float8[]) AS v ORDER BY v;
SELECT crm.grade(v, 5) OVER () FROM unnest('{NULL, NULL}'::int[]) AS v;
SELECT crm.grade(v, 5) OVER () FROM unnest('{}'::int[]) AS v;
-- values that are stored out of line, and more of them than work_mem holds
SET work_mem = '64kB';
SELECT count(*) FILTER (WHERE grade <> 1 + 4 * (g - 1) / 3000) AS differ, count(*) AS compared
FROM (SELECT g, crm.grade(lpad(g::text, 2500, '0'), 4) OVER () FROM generate_series(1, 3000) AS g) AS t;
RESET work_mem;
-- the same grades as the bands give
SELECT count(*) FILTER (WHERE grade <> crm.m(score)) AS differ, count(*) AS compared
FROM (SELECT crm.grade((r).monetary, 5) OVER (),
    crm.rfm_grade(r, (SELECT crm.rfm_quantiles(r, 5) FROM measured)) AS score FROM measured WHERE r IS NOT NULL) AS g;
SELECT refused('SELECT crm.grade(1, 1) OVER ()'), refused('SELECT crm.grade(1, 10) OVER ()'),
    refused('SELECT crm.grade(1, NULL) OVER ()'), refused('SELECT crm.grade(''{}''::json, 5) OVER ()');
SELECT refused('SELECT crm.grade(1, 5)') LIKE '42%' AS needs_over,
    refused('SELECT crm.grade(''x'', 5) OVER ()') LIKE '42804%' AS needs_a_type;

-- 7. crm.rfm_table: the composable door in one call

CREATE FUNCTION plain_segment(r int, f int, m int) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT CASE WHEN r >= 4 AND f >= 4 AND m >= 4 THEN 'vip'
                WHEN r >= 3 AND f >= 3 AND m >= 3 THEN 'loyal'
                WHEN r >= 3 AND f >= 2 AND m >= 2 THEN 'growing'
                WHEN r >= 4 AND f = 1 THEN 'new'
                WHEN r = 2 AND f >= 2 THEN 'at_risk'
                WHEN r = 1 THEN 'dormant'
                ELSE 'other' END $$;
CREATE FUNCTION plain_table(as_of timestamptz, span interval)
    RETURNS TABLE (customer int, recency int, frequency int, monetary numeric,
                   r int, f int, m int, score text, segment text) STABLE LANGUAGE sql AS $$
    SELECT p.*, r, f, m, concat(r, f, m), plain_segment(r, f, m)
    FROM plain_rfm(as_of, span) AS p,
         LATERAL (SELECT CASE WHEN recency <= 30 THEN 5 WHEN recency <= 60 THEN 4
                              WHEN recency <= 90 THEN 3 WHEN recency <= 180 THEN 2 ELSE 1 END AS r,
                         CASE WHEN frequency >= 10 THEN 5 WHEN frequency >= 7 THEN 4
                              WHEN frequency >= 4 THEN 3 WHEN frequency >= 2 THEN 2 ELSE 1 END AS f,
                         CASE WHEN monetary >= 100000 THEN 5 WHEN monetary >= 50000 THEN 4
                              WHEN monetary >= 30000 THEN 3 WHEN monetary >= 10000 THEN 2 ELSE 1 END AS m) AS grades $$;
CREATE FUNCTION plain_quantiles(as_of timestamptz, span interval, n int)
    RETURNS TABLE (customer int, recency int, frequency int, monetary numeric,
                   r int, f int, m int) STABLE LANGUAGE sql AS $$
    SELECT p.*,
           (1 + n * (rank() OVER (ORDER BY recency DESC) - 1) / count(*) OVER ())::int,
           (1 + n * (rank() OVER (ORDER BY frequency) - 1) / count(*) OVER ())::int,
           (1 + n * (rank() OVER (ORDER BY monetary) - 1) / count(*) OVER ())::int
    FROM plain_rfm(as_of, span) AS p $$;
SELECT * FROM differing(
    'SELECT as_of, span, t.* FROM windows, LATERAL plain_table(as_of, span) AS t',
    'SELECT as_of, span, customer_id, recency, frequency, monetary, r, f, m, score::text, segment
     FROM windows, crm.rfm_table(''TABLE orders'', as_of => as_of, span => span)');
SELECT * FROM differing(
    'SELECT as_of, span, t.* FROM windows, LATERAL plain_table(as_of, span) AS t',
    'SELECT as_of, span, customer, (x).*, crm.r(s), crm.f(s), crm.m(s), s::text, crm.rfm_segment(s, ''six'')
     FROM (SELECT as_of, span, customer, crm.rfm(h, as_of, span) AS x FROM windows, histories) AS o,
          crm.rfm_grade(x, crm.rfm_bands()) AS s
     WHERE s IS NOT NULL');
SELECT n AS grades, (differing(
    format('SELECT as_of, t.* FROM windows, LATERAL plain_quantiles(as_of, span, %s) AS t WHERE span = ''1 year''', n),
    format('SELECT as_of, customer_id, recency, frequency, monetary, r, f, m
            FROM windows, crm.rfm_table(''TABLE orders'', as_of => as_of, span => span, grades => %s, map => NULL)
            WHERE span = ''1 year''', n))).*
FROM generate_series(2, 9) AS n;
-- with the bands of crm.rfm_quantiles, and the maps for their grades
SELECT map,
       (differing(format('SELECT customer_id, score, segment FROM %s', with_grades),
                  format('SELECT customer, s, crm.rfm_segment(s, %L)
                          FROM measured, crm.rfm_grade(r, (SELECT crm.rfm_quantiles(r, %s) FROM measured)) AS s
                          WHERE r IS NOT NULL', map, grades))).*,
       (differing('SELECT * FROM ' || with_grades, 'SELECT * FROM ' || with_bands)).differ AS bands_differ
FROM crm.rfm_map,
     format('crm.rfm_table(''TABLE orders'', ''2025-06-01''::timestamptz, grades => %s, map => %L)', grades, map)
         AS with_grades,
     format('crm.rfm_table(''TABLE orders'', ''2025-06-01''::timestamptz, map => %L,
                           bands => (SELECT crm.rfm_quantiles(r, %s) FROM measured))', map, grades) AS with_bands
WHERE shipped ORDER BY map;
-- customers of other types, little memory, an empty search_path, an empty result
SELECT key, (differing(format('SELECT %s AS id, recency, frequency, monetary, score,
    segment FROM crm.rfm_table(''TABLE orders'', ''2025-06-01''::timestamptz, grades => 5) AS t(customer)', expression),
    format('SELECT customer_id, recency, frequency, monetary, score,
        segment FROM crm.rfm_table(%L, key => NULL::%s, as_of => ''2025-06-01'', grades => 5)',
           format('SELECT %s, at, amount FROM orders', expression), key))).*
FROM (VALUES ('text', '''c'' || customer'), ('uuid', 'md5(customer::text)::uuid'),
    ('numeric', 'customer / 10.0')) AS v(key, expression);
SET pg_crm.memory = '64kB';
CREATE TABLE spread AS SELECT g * 12345678912345 AS customer,
    timestamptz '2024-01-01' + abs(hashint8extended(g, 8)) % 63072000000000 * interval '1 microsecond' AS at,
    hashint8extended(g, 9) % 1000000 AS amount
                       FROM generate_series(1, 200000) AS g;
SELECT * FROM differing('SELECT * FROM crm.rfm_table(''TABLE spread'', ''2025-06-01''::timestamptz, grades => 5)',
    'SELECT customer, recency, frequency, monetary, r, f, m, crm.rfm_score(r, f, m), plain_segment(r, f, m)
     FROM (SELECT o.*, (1 + 5 * (rank() OVER (ORDER BY recency DESC) - 1) / count(*) OVER ())::smallint AS r,
         (1 + 5 * (rank() OVER (ORDER BY frequency) - 1) / count(*) OVER ())::smallint AS f,
                  (1 + 5 * (rank() OVER (ORDER BY monetary) - 1) / count(*) OVER ())::smallint AS m
           FROM (SELECT customer, floor(extract(epoch FROM ''2025-06-01'' - at) / 86400)::int AS recency,
               (at > ''2024-06-01'')::int AS frequency,
                        (CASE WHEN at > ''2024-06-01'' THEN amount ELSE 0 END)::numeric AS monetary
                 FROM spread WHERE at <= ''2025-06-01'' AND amount >= 0) AS o) AS g');
RESET pg_crm.memory;
SET search_path = '';
SELECT pg_catalog.count(*) FROM crm.rfm_table('TABLE rfm_test.orders', as_of => '2025-06-01');
SET search_path = rfm_test, crm, public;
SELECT count(*) FROM crm.rfm_table('TABLE orders', as_of => '2000-01-01');
SELECT count(*) FROM crm.rfm_table('TABLE orders', as_of => '2000-01-01', grades => 5);
SELECT count(*) FROM crm.rfm_table('SELECT NULL::int, at, amount FROM orders', as_of => '2025-06-01', grades => 5);
SELECT count(*) > 0 AS today FROM crm.rfm_table('SELECT 1, now(), 5');
-- arguments by position and by name
SELECT * FROM crm.rfm_table('SELECT 7, timestamptz ''2026-01-01'', 12000', '2026-02-15'::timestamptz, '1 year',
    crm.rfm_bands(), NULL, 'six');
SELECT segment FROM crm.rfm_table('SELECT 7, timestamptz ''2026-01-01'', 12000', map => 'rf10', as_of => '2026-02-15');
SELECT segment FROM crm.rfm_table(query => 'SELECT ''a''::text, timestamptz ''2026-01-01'', 12000', key => NULL::text,
    map => NULL, as_of => '2026-02-15');
SELECT customer_id FROM crm.rfm_table('SELECT 7, timestamptz ''2026-01-01'', 12000', '2026-02-15', '1 year');
SELECT segment, score FROM crm.rfm_table('SELECT 7, timestamptz ''2026-01-01'', 12000', '2026-02-15', map => 'klaviyo',
    bands => ROW('{180,365}', '{3,2}', '{50000,10000}'));
SELECT arguments, refused(format('SELECT * FROM crm.rfm_table(''TABLE orders'', %s)', arguments))
FROM unnest(ARRAY['as_of => NULL', 'as_of => ''infinity''', 'span => ''0''', 'span => ''-1 year''', 'grades => 1',
    'grades => 10', 'grades => 3', 'grades => 5, bands => crm.rfm_bands()',
                  'map => ''seven''', 'map => ''''', 'map => ''klaviyo''', 'grades => 3, map => ''klaviyo''',
                      'bands => ROW(''{30}'', ''{1}'', ''{1}'')',
                  'bands => ROW(''{30,20}'', ''{1,1}'', ''{1,1}'')', 'bands => ROW(NULL, NULL, NULL)',
                      'key => NULL::text']) AS arguments;
SELECT refused('SELECT * FROM crm.rfm_table(NULL)'),
    refused('SELECT * FROM crm.rfm_table(''DELETE FROM orders RETURNING *'')');
SELECT score, map, refused(format('SELECT crm.rfm_segment(%L, %L)', score, map))
FROM (VALUES ('555', 'six'), ('666', 'six'), ('345', 'klaviyo'), ('333', 'none'), ('333', '')) AS v(score, map);
SELECT crm.rfm_segment(NULL, 'six'), crm.rfm_segment('555', NULL);
SELECT map, array_agg(DISTINCT crm.rfm_segment('311', map)) FROM (SELECT map FROM crm.rfm_map, generate_series(1, 50)
    WHERE shipped ORDER BY random()) AS m GROUP BY map ORDER BY map;

-- 8. crm.rfm_migration: two tables joined

SELECT from_date, to_date, arguments, (differing(
    format('SELECT * FROM crm.rfm_migration(''TABLE orders'', %L, %L, %s)', from_date, to_date, arguments),
    format('SELECT a.segment, b.segment, count(*) FROM crm.rfm_table(''TABLE orders'', as_of => %L, %s) AS a RIGHT
        JOIN crm.rfm_table(''TABLE orders'', as_of => %L, %2$s) AS b USING (customer_id) GROUP BY 1, 2',
           from_date, arguments, to_date))).*,
    (SELECT sum(customers) FROM crm.rfm_migration('TABLE orders', from_date, to_date)) = (SELECT count(*)
        FROM plain_rfm(to_date, NULL)) AS everybody
FROM (VALUES (timestamptz '2024-01-01', timestamptz '2025-01-01'), ('2020-01-01', '2024-06-01'),
    ('2025-01-01', '2025-01-01'), ('2026-01-01', '2026-06-01')) AS d(from_date, to_date),
     unnest(ARRAY['span => ''1 year''', 'span => NULL', 'grades => 5, map => ''eleven''',
                  'grades => 3, map => ''klaviyo'', span => ''90 days''']) AS arguments;
SELECT * FROM differing('SELECT * FROM crm.rfm_migration(''TABLE orders'', ''2024-01-01'', ''2025-01-01'')',
    'SELECT a.segment, b.segment, count(*) FROM plain_table(''2024-01-01'', ''1 year'') AS a RIGHT
        JOIN plain_table(''2025-01-01'', ''1 year'') AS b USING (customer) GROUP BY 1, 2');
SELECT * FROM differing('SELECT * FROM crm.rfm_migration(''SELECT customer::text, at, amount FROM orders'',
    ''2024-01-01'', ''2025-01-01'')', 'SELECT * FROM crm.rfm_migration(''TABLE orders'', ''2024-01-01'',
    ''2025-01-01'')');
SELECT * FROM crm.rfm_migration('SELECT 1, timestamptz ''2026-01-01'', 12000', '2025-12-31', '2026-01-10');
SELECT count(*) FROM crm.rfm_migration('TABLE orders', '2001-01-01', '2002-01-01');
SELECT arguments, refused(format('SELECT * FROM crm.rfm_migration(''TABLE orders'', %s)', arguments))
FROM unnest(ARRAY['''2025-01-02'', ''2025-01-01''', 'NULL, ''2025-01-01''', '''2025-01-01'', NULL',
    '''2025-01-01'', ''infinity''', '''2025-01-01'', ''2025-01-02'', map => NULL',
                  '''2025-01-01'', ''2025-01-02'', map => ''seven''', '''2025-01-01'', ''2025-01-02'', grades => 4',
                      '''2025-01-01'', ''2025-01-02'', span => ''-1 day''']) AS arguments;

-- 9. Drift of bands

SELECT * FROM crm.rfm_drift(crm.rfm_bands(), ROW('{25,60,95,200}', '{10,8,4,2}', '{120000,50000,30000.50,0}'));
SELECT * FROM crm.rfm_drift(ROW('{30,0}', '{2,1}', '{100,0}'), ROW('{30,5}', '{3,1}', '{150,-10}'));
SELECT count(*) AS without_change FROM crm.rfm_drift(crm.rfm_bands(), crm.rfm_bands()) WHERE change = 0
    AND change_pct = 0;
SELECT * FROM crm.rfm_drift(ROW('{30}', '{2}', '{100}'), ROW('{30,60}', '{3,2}', '{150,50}'));
SELECT count(*) FROM crm.rfm_drift(NULL, crm.rfm_bands());

-- 10. The customer portfolio, at the edges of the published rules, written down a second time

CREATE TABLE edges AS
SELECT purchases, days, revenue, ago, crm.history(at, CASE WHEN k = 1 THEN revenue ELSE 0 END) AS h
FROM unnest('{1, 2, 3}'::int[]) AS purchases, unnest('{0, 89, 90, 209, 210, 400}'::int[]) AS days,
    unnest('{-100, 0, 69999.99, 70000, 70000.01}'::numeric[]) AS revenue,
     unnest('{0, 239, 240, 1000}'::int[]) AS ago, generate_series(1, purchases) AS k,
     LATERAL (SELECT timestamptz '2026-01-01 09:00' - ago * interval '24 hours' - CASE WHEN k = purchases
         THEN interval '0' ELSE days * interval '24 hours' END AS at) AS a
WHERE purchases > 1 OR days = 0
GROUP BY purchases, days, revenue, ago;
-- A history whose only amount is a refund has no purchase, hence no class.
SELECT count(*) FILTER (WHERE ROW((c).class::text, (c).active) IS DISTINCT FROM
           CASE WHEN revenue >= 0 OR purchases > 1 THEN
               ROW(CASE WHEN purchases - (revenue < 0)::int = 1 THEN 'first_time' WHEN days < 90 THEN 'infant'
                        WHEN revenue < 70000 THEN 'steady' WHEN days < 210 THEN 'trend' ELSE 'loyal' END, ago < 240)
           ELSE ROW(NULL::text, NULL::boolean) END) AS differ, count(*) AS compared
FROM edges, LATERAL (SELECT crm.cpm(h, '2026-01-01 09:00') AS c) AS p;
SELECT (c).class, (c).active, crm.cpm_label_ja(c), count(*) FROM edges,
    LATERAL (SELECT crm.cpm(h, '2026-01-01 09:00') AS c) AS p GROUP BY c ORDER BY c;
-- a microsecond short of each limit of days; later purchases do not exist yet; limits are parameters
SELECT what, crm.cpm(h, as_of) FROM (VALUES
    ('infant', '[["2026-01-01T00:00:00Z",70000],["2026-03-31T23:59:59.999999Z",1]]'::crm.history,
        timestamptz '2026-04-01'),
    ('no longer', '[["2026-01-01T00:00:00Z",70000],["2026-04-01T00:00:00Z",1]]', '2026-04-01'),
    ('trend', '[["2026-01-01T00:00:00Z",70000],["2026-07-29T23:59:59.999999Z",1]]', '2026-08-01'),
    ('loyal', '[["2026-01-01T00:00:00Z",70000],["2026-07-30T00:00:00Z",1]]', '2026-08-01'),
    ('active', '[["2026-01-01T00:00:00Z",1]]', '2026-08-28 23:59:59.999999'),
        ('lapsed', '[["2026-01-01T00:00:00Z",1]]', '2026-08-29'),
    ('back then', '[["2026-01-01T00:00:00Z",70000],["2026-07-30T00:00:00Z",1]]', '2026-02-01'),
        ('not yet', '[["2026-01-01T00:00:00Z",1]]', '2025-12-31'),
    ('revenue after a refund',
     '[["2026-01-01T00:00:00Z",70000],["2026-07-30T00:00:00Z",1],["2026-07-31T00:00:00Z",-2]]', '2026-08-01'),
    ('refunds only', '[["2026-01-01T00:00:00Z",-1]]', '2026-08-01'), ('nothing', '[]', '2026-08-01')) AS v(what, h,
        as_of);
SELECT crm.cpm('[["2026-01-01T00:00:00Z",50],["2026-01-11T00:00:00Z",50]]', '2026-01-20', lapsed_after => 9,
    infant_below => 10, loyal_from => 10, revenue => 100) AS own_limits,
       crm.cpm('[["2026-01-01T00:00:00Z",50],["2026-01-11T00:00:00Z",49.999999]]', '2026-01-20', lapsed_after => 10,
           infant_below => 10, loyal_from => 10, revenue => 100.00) AS a_trifle_less;
SELECT limits, refused(format('SELECT crm.cpm(''[]'', now(), %s)', limits))
FROM unnest(ARRAY['lapsed_after => -1', 'infant_below => -1', 'infant_below => 100, loyal_from => 99',
    'revenue => ''NaN''', 'revenue => 1e-7']) AS limits;
SELECT refused('SELECT crm.cpm(''[]'', ''infinity'')'), crm.cpm('[]', now(), lapsed_after => NULL);

SET client_min_messages = warning;
DROP SCHEMA rfm_test CASCADE;
