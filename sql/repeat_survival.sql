SET intervalstyle = 'postgres';
-- Survival and renewals against published tables and plain SQL.
CREATE SCHEMA survival_test;
SET search_path = survival_test, crm, public;
SET extra_float_digits = 0;

\set ECHO none
\getenv tests PG_ABS_SRCDIR
\set include :tests '/sql/include/comparing.sql'
\i :include
\set ECHO all

-- 1. The data set aml of R's package survival, and what R says of it:
--    survfit(Surv(time, status) ~ x, data = aml)

CREATE TABLE aml (x text, weeks float8, relapsed boolean);
INSERT INTO aml
SELECT 'Maintained', rtrim(weeks, '+')::float8, weeks NOT LIKE '%+'
FROM unnest('{9,13,13+,18,23,28+,31,34,45+,48,161+}'::text[]) AS weeks
UNION ALL
SELECT 'Nonmaintained', rtrim(weeks, '+')::float8, weeks NOT LIKE '%+'
FROM unnest('{5,5,8,8,12,16+,23,27,30,33,43,45}'::text[]) AS weeks;

CREATE TABLE r_says (x text, at float8, at_risk bigint, events bigint, survival numeric, se numeric);
INSERT INTO r_says VALUES
    ('Maintained',  9, 11, 1, 0.9091, 0.0867), ('Maintained', 13, 10, 1, 0.8182, 0.1163),
    ('Maintained', 18,  8, 1, 0.7159, 0.1397), ('Maintained', 23,  7, 1, 0.6136, 0.1526),
    ('Maintained', 31,  5, 1, 0.4909, 0.1642), ('Maintained', 34,  4, 1, 0.3682, 0.1627),
    ('Maintained', 48,  2, 1, 0.1841, 0.1535),
    ('Nonmaintained',  5, 12, 2, 0.8333, 0.1076), ('Nonmaintained',  8, 10, 2, 0.6667, 0.1361),
    ('Nonmaintained', 12,  8, 1, 0.5833, 0.1423), ('Nonmaintained', 23,  6, 1, 0.4861, 0.1481),
    ('Nonmaintained', 27,  5, 1, 0.3889, 0.1470), ('Nonmaintained', 30,  4, 1, 0.2917, 0.1387),
    ('Nonmaintained', 33,  3, 1, 0.1944, 0.1219), ('Nonmaintained', 43,  2, 1, 0.0972, 0.0919),
    ('Nonmaintained', 45,  1, 1, 0.0000, NULL);
SELECT * FROM differing('SELECT * FROM r_says',
    'SELECT x, at, at_risk, events, round(survival::numeric, 4), round(se::numeric, 4)
     FROM (SELECT x, crm.survival(weeks, relapsed) AS s FROM aml GROUP BY x) AS groups, crm.survival_rows(s)');
SELECT x, crm.survival_median(crm.survival(weeks, relapsed)) AS median FROM aml GROUP BY x ORDER BY x;
-- Log-log limits.
SELECT at, round(lower::numeric, 4) AS lower, round(upper::numeric, 4) AS upper, round(hazard::numeric, 4) AS hazard
FROM (SELECT crm.survival(weeks, relapsed) AS s FROM aml WHERE x = 'Maintained') AS maintained, crm.survival_rows(s);

-- 2. Plain SQL, at random: ties, censorings at the time of events, zero.

CREATE TABLE lives AS
SELECT i, (abs(hashint8extended(i, 1)) % 1000)::float8 / 8 AS duration, abs(hashint8extended(i, 2)) % 3 > 0 AS event
FROM generate_series(1, 4000) AS i;
ANALYZE lives;
CREATE FUNCTION limit_of(s float8, v float8, z float8) RETURNS float8 LANGUAGE sql RETURN s ^ exp(z * sqrt(v) / ln(s));
CREATE VIEW plain AS
WITH risk AS (SELECT duration AS at, count(*) FILTER (WHERE event) AS events, sum(count(*)) OVER (ORDER BY duration DESC)::bigint AS at_risk
              FROM lives GROUP BY duration),
happened AS (SELECT *, events::float8 / at_risk AS hazard FROM risk WHERE events > 0),
estimate AS (SELECT *, exp(sum(ln(1 - hazard)) OVER by_time) AS s, sum(events / (at_risk::float8 * (at_risk - events))) OVER by_time AS v
             FROM happened WINDOW by_time AS (ORDER BY at))
SELECT at, at_risk, events, s, s * sqrt(v) AS se, limit_of(s, v, -1.959963984540054) AS lower, limit_of(s, v, 1.959963984540054) AS upper, hazard
FROM estimate;
SELECT count(*) AS times, count(*) FILTER (WHERE abs(p.s - r.survival) + abs(p.se - r.se) + abs(p.hazard - r.hazard)
                                           + abs(p.lower - r.lower) + abs(p.upper - r.upper) < 1e-11) AS alike
FROM plain AS p JOIN (SELECT rows.* FROM (SELECT crm.survival(duration, event) AS s FROM lives) AS one, crm.survival_rows(s) AS rows) AS r
     USING (at, at_risk, events);
SELECT (SELECT count(*) FROM plain) AS plain, (SELECT count(*) FROM (SELECT crm.survival(duration, event) AS s FROM lives) AS one, crm.survival_rows(s)) AS times;
SELECT crm.survival_median(crm.survival(duration, event)) = (SELECT min(at) FROM plain WHERE s <= 0.5) AS same_median FROM lives;
-- Wider with more confidence; the quantile to fifteen digits.
SELECT confidence, round((ln(ln(lower) / ln(survival)) / (se / survival) * -ln(survival))::numeric, 12) AS quantile
FROM unnest('{0.5,0.9,0.95,0.99,0.999999}'::float8[]) AS confidence, (SELECT crm.survival(duration, event) AS s FROM lives) AS one,
     LATERAL (SELECT * FROM crm.survival_rows(s, confidence) WHERE survival < 0.6 ORDER BY at LIMIT 1) AS rows;

CREATE TABLE serial AS SELECT crm.survival(duration, event) AS s FROM lives;
SELECT count(*) AS partitions, count(*) FILTER (WHERE merged::text = s::text) AS alike
FROM serial, (SELECT parts, crm.rollup(part) AS merged
              FROM (SELECT parts, crm.survival(duration, event) AS part FROM lives, (VALUES (1), (2), (7), (3000)) AS p(parts)
                    GROUP BY parts, i % parts) AS cut
              GROUP BY parts) AS merged;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT crm.survival(duration, event) FROM lives;
SELECT count(*) AS alike FROM serial, (SELECT crm.survival(duration, event) AS s FROM lives) AS parallel WHERE serial.s::text = parallel.s::text;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- 3. Edges.

SELECT rows.* FROM (SELECT crm.survival(5, true) AS s) AS one, crm.survival_rows(s) AS rows;
SELECT count(*) AS rows, count(crm.survival_median(s)) AS medians FROM (SELECT crm.survival(5, false) AS s) AS one LEFT JOIN crm.survival_rows(s) ON true;
SELECT at, at_risk, survival FROM (SELECT crm.survival(d, true) AS s FROM unnest('{0,-0,0,1e300,1e-300}'::float8[]) AS d) AS a_few, crm.survival_rows(s);
SELECT crm.survival_median(crm.survival(d, true)) AS exactly_half FROM generate_series(1, 98) AS d;
SELECT crm.survival(NULL, true) IS NULL AS skipped, crm.survival(1, NULL) IS NULL AS skipped_too;
SELECT refused('SELECT crm.survival(-1, true)');
SELECT refused('SELECT crm.survival(''NaN'', true)');
SELECT refused('SELECT crm.survival(''infinity'', false)');
SELECT refused('SELECT rows.* FROM serial, crm.survival_rows(s, 1) AS rows');
SELECT refused('SELECT rows.* FROM serial, crm.survival_rows(s, 0) AS rows');
SELECT refused('SELECT rows.* FROM serial, crm.survival_rows(s, ''NaN'') AS rows');
SELECT refused('SELECT ''\x''::crm.survival');
SELECT s AS one_that_ended, s::text::crm.survival::text = s::text AS read_back FROM (SELECT crm.survival(5, true) AS s) AS one;
SELECT refused('SELECT ''\x530100000000000001000000000000000000000000001480010000000000000000000000000000''::crm.survival') AS shortened,
       refused('SELECT ''\x5301000000000000010000000000000000000000000014c001000000000000000000000000000000''::crm.survival') AS negative,
       refused('SELECT ''\x530100000000000001000000000000000000000000001440000000000000000000000000000000''::crm.survival') AS nobody;
SELECT refused('SELECT crm.survival_finish(''\x01'')');
SELECT refused('SELECT crm.survival_combine(s::text::bytea, s::text::bytea) FROM serial');

-- 4. Renewals: an active subscription has gone on after every delivery but the last.

CREATE TABLE subscriptions AS
SELECT i, (abs(hashint8extended(i, 1)) % 12)::int AS deliveries, abs(hashint8extended(i, 2)) % 3 > 0 AS cancelled FROM generate_series(1, 3000) AS i;
CREATE TABLE renewals AS SELECT crm.renewal_hazard(deliveries, cancelled) AS s FROM subscriptions;
SELECT * FROM differing(
    'SELECT delivery, (SELECT count(*) FROM subscriptions WHERE deliveries > delivery OR (deliveries = delivery AND cancelled)),
            (SELECT count(*) FROM subscriptions WHERE deliveries = delivery AND cancelled) FROM generate_series(0, 11) AS delivery',
    'SELECT delivery, at_risk, cancelled FROM renewals, crm.renewal_rows(s)');
SELECT delivery, cancelled, round(hazard::numeric, 4) AS hazard, round(survival::numeric, 4) AS survival, riskiest FROM renewals, crm.renewal_rows(s);
SELECT array_agg(delivery) AS riskiest FROM renewals, crm.renewal_rows(s, 1) WHERE riskiest;
SELECT count(*) AS riskiest FROM renewals, crm.renewal_rows(s, 0) WHERE riskiest;
SELECT count(*) AS riskiest FROM renewals, crm.renewal_rows(s, 1000) WHERE riskiest;
-- Two of three who leave from a tail are fewer, beyond chance, than 300 of 1000.
SELECT array_agg(delivery) AS riskiest
FROM (SELECT crm.renewal_hazard(d, c) AS s FROM (VALUES (1, true, 100), (2, true, 300), (3, false, 697), (4, true, 2), (5, false, 1)) AS v(d, c, n), generate_series(1, n)) AS a_tail,
     crm.renewal_rows(s, 1) WHERE riskiest;
-- Of equal hazards the earlier; deliveries after which nobody cancels have a row, and are never the riskiest.
SELECT delivery, at_risk, cancelled, hazard, survival, riskiest
FROM (SELECT crm.renewal_hazard(d, c) AS s FROM (VALUES (2, true), (4, true), (6, false), (6, false), (1, false)) AS v(d, c)) AS a_few,
     crm.renewal_rows(s, 1);
SELECT deliveries, count(delivery) AS rows FROM (SELECT d AS deliveries, crm.renewal_hazard(d, false) AS s FROM generate_series(0, 2) AS d GROUP BY d) AS new
LEFT JOIN crm.renewal_rows(s) ON true GROUP BY deliveries ORDER BY deliveries;
SELECT refused('SELECT crm.renewal_hazard(-1, true)');
SELECT refused('SELECT crm.renewal_hazard(100001, true)');
SELECT refused('SELECT rows.* FROM serial, crm.renewal_rows(s) AS rows');
SELECT refused('SELECT rows.* FROM renewals, crm.renewal_rows(s, -1) AS rows');

SET client_min_messages = warning;
DROP SCHEMA survival_test CASCADE;
