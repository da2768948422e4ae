-- cohort: crm.cohorts and its readers against SQL that knows nothing of them, through both doors, merged and in parallel.
SET DateStyle = 'ISO';
SET TimeZone = 'UTC';
SET client_min_messages = warning;

-- A shop around a leap day: one-time buyers, regulars, purchases in the same microsecond through two channels, refunds
-- before and after the first purchase, customers of refunds only, and orders within an hour of the edges of months.
CREATE FUNCTION pg_temp.chance(a int, b int, c int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    SELECT ((hashint8extended(a * 1000 + b, c) & 1048575)::float8 + 0.5) / 1048576
$$;
CREATE TABLE cohort_orders (customer int, at timestamptz, amount numeric, channel text COLLATE "C");
INSERT INTO cohort_orders
SELECT c, CASE WHEN pg_temp.chance(c, n, 1) < 0.2
               THEN date_trunc('month', at, CASE WHEN n % 2 = 0 THEN 'UTC' ELSE 'Asia/Tokyo' END)
                    + floor(pg_temp.chance(c, n, 2) * 5 - 2) * interval '1 microsecond'
               ELSE at END,
       CASE WHEN pg_temp.chance(c, n, 3) < 0.12 THEN -1 ELSE 1 END * floor(pg_temp.chance(c, n, 4) * 100000)::numeric
       * CASE WHEN c % 3 = 0 THEN 0.01 ELSE 1 END,
       (ARRAY['ad', 'search', 'Ad', '紹介', '', NULL])[1 + floor(pg_temp.chance(c, n, 5) * 6)::int]
FROM generate_series(1, 300) AS c,
     generate_series(1, CASE WHEN c % 5 < 2 THEN 1 ELSE c % 23 END) AS n,
     LATERAL (SELECT timestamptz '2023-12-01' + (0.7 * pg_temp.chance(c, 0, 6) + 0.3 * pg_temp.chance(c, n, 7)) * interval '420 days' AS at) AS moment;
INSERT INTO cohort_orders SELECT customer, at, round(amount / 2, 2), 'twin' FROM cohort_orders WHERE customer % 4 = 0;
INSERT INTO cohort_orders SELECT customer, at, amount, 'Twin' FROM cohort_orders WHERE customer % 7 = 0;
INSERT INTO cohort_orders SELECT customer, min(at) - interval '1 day' * customer, -77, 'returned' FROM cohort_orders WHERE customer % 6 = 0 GROUP BY customer;
INSERT INTO cohort_orders VALUES (301, '2024-02-29 23:59:59.999999+00', 1, 'leap'), (302, '2024-03-01 00:00+00', 1, 'leap'),
    (303, '2024-02-29 00:00+09', 1, 'leap'), (303, '2024-03-30 23:00+09', 1, 'leap'), (303, '2024-03-31 00:00+09', 1, 'leap'),
    (304, '2023-12-31 23:59:59.999999+00', 0, 'free'), (305, '2024-01-01 00:00+09', 0, 'free'),
    (306, '2024-05-05 00:00+00', -5, 'never bought'), (307, '2024-05-05 00:00+00', -5, 'late'), (307, '2024-09-05 00:00+00', 9, 'late'),
    (308, '2024-06-01 00:00+00', NULL, 'no amount'), (309, NULL, 1, 'no time'), (NULL, '2024-06-01 00:00+00', 1, 'no customer');
CREATE TABLE cohort_histories AS
SELECT customer, crm.history(at, amount) AS history,
       (array_agg(channel ORDER BY at, channel NULLS FIRST) FILTER (WHERE amount >= 0 AND at IS NOT NULL))[1] AS channel
FROM cohort_orders WHERE customer IS NOT NULL GROUP BY customer;
ANALYZE cohort_orders, cohort_histories;
SELECT count(*) AS orders, count(*) FILTER (WHERE amount < 0) AS refunds, count(DISTINCT customer) AS customers,
       (SELECT count(*) FROM cohort_histories WHERE channel IS NULL) > 5 AS without_channel
FROM cohort_orders;

-- The expected triangle. A period has a running number; local dates decide, and a period begins at its midnight there.
CREATE FUNCTION pg_temp.number_of(day date, unit text, days int) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE unit WHEN 'days' THEN floor((day - DATE '2000-01-01') / days::numeric)::int
                     WHEN 'week' THEN floor((day - DATE '2000-01-03') / 7.0)::int
                     WHEN 'month' THEN 12 * extract(year FROM day)::int + extract(month FROM day)::int - 1
                     WHEN 'quarter' THEN 4 * extract(year FROM day)::int + extract(quarter FROM day)::int - 1
                     WHEN 'year' THEN extract(year FROM day)::int END
$$;
CREATE FUNCTION pg_temp.first_day(number int, unit text, days int) RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE unit WHEN 'days' THEN DATE '2000-01-01' + number * days
                     WHEN 'week' THEN DATE '2000-01-03' + number * 7
                     WHEN 'month' THEN make_date(number / 12, number % 12 + 1, 1)
                     WHEN 'quarter' THEN make_date(number / 4, number % 4 * 3 + 1, 1)
                     WHEN 'year' THEN make_date(number, 1, 1) END
$$;
CREATE FUNCTION pg_temp.expected(unit text, days int, zone text, as_of timestamptz, unbounded bool, by_channel bool)
    RETURNS TABLE (split text, cohort date, age int, customers bigint, retained bigint, retention float8, orders bigint,
                   revenue numeric, cumulative_revenue numeric, ltv numeric, elapsed bool) LANGUAGE sql AS $$
WITH movement AS MATERIALIZED (
    SELECT customer, at, amount, channel, (at AT TIME ZONE zone)::date AS day
    FROM cohort_orders WHERE at <= as_of AND amount IS NOT NULL AND customer IS NOT NULL
),
newcomer AS (
    SELECT DISTINCT ON (customer) customer, day AS first_day, CASE WHEN by_channel THEN channel END AS split,
           pg_temp.number_of(day, unit, days) AS cohort
    FROM movement WHERE amount >= 0 ORDER BY customer, at, channel NULLS FIRST
),
aged AS MATERIALIZED (
    SELECT n.*, amount,
           greatest(CASE WHEN unit = 'days' THEN floor((day - first_day) / days::numeric)::int
                         ELSE pg_temp.number_of(day, unit, days) - cohort END, 0) AS age
    FROM movement JOIN newcomer AS n USING (customer)
),
size AS (
    SELECT split, cohort, count(*) AS customers FROM newcomer GROUP BY split, cohort
),
money AS (
    SELECT split, cohort, age, count(*) FILTER (WHERE amount >= 0) AS orders, sum(amount) AS revenue,
           count(DISTINCT customer) FILTER (WHERE amount >= 0) AS buyers
    FROM aged GROUP BY split, cohort, age
),
stay AS (
    SELECT split, cohort, customer, max(age) AS last_age FROM aged WHERE amount >= 0 GROUP BY split, cohort, customer
),
stayed AS (
    SELECT split, cohort, last_age, count(*) AS customers FROM stay GROUP BY split, cohort, last_age
),
cell AS (
    SELECT s.*, a.age, pg_temp.first_day(cohort + CASE WHEN unit = 'days' THEN 0 ELSE a.age END, unit, days)
                       + CASE WHEN unit = 'days' THEN a.age * days ELSE 0 END AS begins,
           CASE WHEN unit = 'days' THEN pg_temp.first_day(cohort, unit, days) + days - 1 + (a.age + 1) * days
                ELSE pg_temp.first_day(cohort + a.age + 1, unit, days) END AS all_over
    FROM size AS s, generate_series(0, (as_of::date - pg_temp.first_day(cohort, unit, days)) / coalesce(days, 7) + 2) AS a(age)
),
filled AS (
    SELECT c.split, pg_temp.first_day(c.cohort, unit, days) AS cohort, c.age, c.customers, coalesce(m.buyers, 0) AS buyers,
           coalesce(sum(d.customers) OVER (PARTITION BY c.split, c.cohort ORDER BY c.age DESC), 0)::bigint AS yet_to_buy,
           coalesce(m.orders, 0) AS orders, coalesce(m.revenue, 0) AS revenue,
           sum(m.revenue) OVER (PARTITION BY c.split, c.cohort ORDER BY c.age) AS total,
           all_over::timestamp AT TIME ZONE zone <= as_of AS elapsed
    FROM cell AS c
         LEFT JOIN money AS m ON coalesce(m.split, 'none') = coalesce(c.split, 'none') AND (m.cohort, m.age) = (c.cohort, c.age)
         LEFT JOIN stayed AS d ON coalesce(d.split, 'none') = coalesce(c.split, 'none') AND (d.cohort, d.last_age) = (c.cohort, c.age)
    WHERE c.begins::timestamp AT TIME ZONE zone <= as_of
)
SELECT split, cohort, age, customers, retained, CASE WHEN elapsed THEN retained / customers::float8 END, orders, revenue, total,
       CASE WHEN elapsed THEN total / customers END, elapsed
FROM filled, LATERAL (SELECT CASE WHEN unbounded THEN yet_to_buy ELSE buyers END AS retained) AS r
$$;

-- All combinations: number of rows, of rows that are on one side only, and of the kinds of cells that must occur.
CREATE FUNCTION pg_temp.difference(unit text, days int, zone text, as_of timestamptz, unbounded bool, by_channel bool,
                                   OUT compared bigint, OUT different bigint, OUT running bigint, OUT idle bigint) LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE found ON COMMIT DROP AS
    SELECT * FROM crm.cohort_table('SELECT customer, at, amount' || CASE WHEN by_channel THEN ', channel' ELSE '' END || ' FROM cohort_orders',
                                   crm.calendar(CASE unit WHEN 'days' THEN days || ' days' ELSE unit END, zone), as_of,
                                   CASE WHEN unbounded THEN 'on_or_after' ELSE 'on' END::crm.retention);
    CREATE TEMP TABLE wanted ON COMMIT DROP AS SELECT * FROM pg_temp.expected(unit, days, zone, as_of, unbounded, by_channel);
    SELECT count(*), count(*) FILTER (WHERE NOT elapsed), count(*) FILTER (WHERE orders = 0) INTO compared, running, idle FROM found;
    SELECT count(*) INTO different
    FROM ((TABLE found EXCEPT ALL TABLE wanted) UNION ALL (TABLE wanted EXCEPT ALL TABLE found)) AS either;
    DROP TABLE found, wanted;
END $$;
-- EXCEPT compares numerics by value and floats exactly. ltv is what numeric division gives.

SELECT period, as_of, count(*) AS ways, sum(compared) > 0 AS compared, sum(different) AS different,
       sum(running) > 0 AS running, sum(idle) > 0 AS idle
FROM (VALUES ('month UTC', 'month', NULL, 'UTC'), ('month Asia/Tokyo', 'month', NULL, 'Asia/Tokyo'),
             ('week Asia/Tokyo', 'week', NULL, 'Asia/Tokyo'), ('quarter Asia/Tokyo', 'quarter', NULL, 'Asia/Tokyo'),
             ('year UTC', 'year', NULL, 'UTC'), ('30 days UTC', 'days', 30, 'UTC'), ('30 days Asia/Tokyo', 'days', 30, 'Asia/Tokyo'),
             ('365 days Asia/Tokyo', 'days', 365, 'Asia/Tokyo'), ('month New York', 'month', NULL, 'America/New_York'),
             ('7 days New York', 'days', 7, 'America/New_York')) AS c(period, unit, days, zone),
     (VALUES (timestamptz '2024-03-01 00:00+00'), ('2024-08-17 03:04:05.678901+00'), ('2025-03-01 00:00+09')) AS a(as_of),
     (VALUES (false), (true)) AS k(unbounded),
     (VALUES (false), (true)) AS s(by_channel),
     LATERAL pg_temp.difference(unit, days, zone, as_of, unbounded, by_channel)
GROUP BY period, as_of
ORDER BY period, as_of;

-- Days: all cells of one way each, because there are many.
SELECT as_of, compared, different, running
FROM (VALUES (timestamptz '2024-03-01 00:00+00', true, false), ('2024-05-17 03:04:05.678901+00', false, true), ('2024-07-01 00:00+09', true, false)) AS a(as_of, unbounded, by_channel),
     LATERAL pg_temp.difference('days', 1, 'Asia/Tokyo', as_of, unbounded, by_channel)
ORDER BY as_of;

-- The composable door, and any partition of the customers merged in any order: the same value to the last byte, the same rows.
CREATE TEMP TABLE terms AS
SELECT period, as_of
FROM unnest(ARRAY['month UTC', 'month Asia/Tokyo', 'week Asia/Tokyo', 'quarter UTC', '30 days Asia/Tokyo', 'day UTC']::crm.calendar[]) AS period,
     unnest(ARRAY['2024-03-01 00:00+00', '2024-08-17 03:04:05.678901+00', '2025-03-01 00:00+09']::timestamptz[]) AS as_of;
CREATE TEMP TABLE whole AS
SELECT period, as_of, (SELECT crm.cohorts(history, period, as_of) FROM cohort_histories) AS cohorts FROM terms;
SELECT parts, count(*) AS compared,
       count(*) FILTER (WHERE crm.cohorts_send(whole.cohorts) IS DISTINCT FROM crm.cohorts_send(merged.cohorts)) AS different
FROM whole, unnest(ARRAY[1, 2, 7, 1000]) AS parts,
     LATERAL (SELECT crm.rollup(part ORDER BY hashint4(number)) AS cohorts
              FROM (SELECT customer % parts AS number, crm.cohorts(history, period, as_of ORDER BY hashint4(customer)) AS part
                    FROM cohort_histories GROUP BY 1) AS partitioned) AS merged
GROUP BY parts ORDER BY parts;

SELECT kind, count(*) AS compared, count(*) FILTER (WHERE by_rows IS DISTINCT FROM by_table) AS different, sum(cells) > 0 AS cells
FROM whole, unnest(ARRAY['on', 'on_or_after']::crm.retention[]) AS kind,
     LATERAL (SELECT count(*) AS cells, string_agg(r::text, E'\n' ORDER BY cohort, age) AS by_rows
              FROM (SELECT NULL::text AS split, c.* FROM crm.cohort_rows(cohorts, kind) AS c) AS r) AS a,
     LATERAL (SELECT string_agg(t::text, E'\n' ORDER BY cohort, age) AS by_table
              FROM crm.cohort_table('SELECT customer, at, amount FROM cohort_orders', period, as_of, kind) AS t) AS b
GROUP BY kind ORDER BY kind;

SELECT count(*) AS compared, count(*) FILTER (WHERE a.cohort IS NULL OR b.cohort IS NULL) AS different
FROM (SELECT channel AS split, c.*
      FROM (SELECT channel, crm.cohorts(history, 'month Asia/Tokyo', '2024-08-17') AS cohorts FROM cohort_histories GROUP BY channel) AS g,
           crm.cohort_rows(cohorts, 'on_or_after') AS c) AS a
     FULL JOIN crm.cohort_table('SELECT customer, at, amount, channel FROM cohort_orders', 'month Asia/Tokyo', '2024-08-17', 'on_or_after') AS b
     ON (a.cohort, a.age) = (b.cohort, b.age) AND row_to_json(a)::jsonb = row_to_json(b)::jsonb;
SELECT count(*) AS compared, count(*) FILTER (WHERE whole IS DISTINCT FROM parts) AS different
FROM (SELECT cohort, age, customers, retained, orders, revenue, cumulative_revenue
      FROM crm.cohort_table('SELECT customer, at, amount FROM cohort_orders', 'week UTC', '2024-08-17')) AS whole
     FULL JOIN (SELECT cohort, age, sum(customers)::bigint AS customers, sum(retained)::bigint AS retained, sum(orders)::bigint AS orders,
                       sum(revenue) AS revenue, sum(cumulative_revenue) AS cumulative_revenue
                FROM crm.cohort_table('SELECT customer, at, amount, channel FROM cohort_orders', 'week UTC', '2024-08-17')
                GROUP BY cohort, age) AS parts USING (cohort, age);

-- customers of another type, and the order of the rows that come in
SELECT count(*) AS compared, count(*) FILTER (WHERE a.cohort IS NULL OR b.cohort IS NULL) AS different
FROM crm.cohort_table($$SELECT 'customer ' || customer, at, amount, channel FROM cohort_orders ORDER BY hashtext(at::text)$$, 'month UTC', '2024-08-17') AS a
     FULL JOIN crm.cohort_table('SELECT customer, at, amount, channel FROM cohort_orders ORDER BY at DESC', 'month UTC', '2024-08-17') AS b
     ON (a.cohort, a.age) = (b.cohort, b.age) AND row_to_json(a)::jsonb = row_to_json(b)::jsonb;

-- Parallel plans: states of several workers combined.
ALTER TABLE cohort_histories SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT crm.cohorts(history, 'month Asia/Tokyo', '2024-08-17') FROM cohort_histories;
CREATE TEMP TABLE in_parallel AS
SELECT crm.cohorts(history, 'month UTC', '2024-03-01 00:00+00') AS month, crm.cohorts(history, '30 days Asia/Tokyo', '2024-08-17 03:04:05.678901+00') AS run,
       crm.cohorts(history, 'day UTC', '2025-03-01 00:00+09') AS day
FROM cohort_histories;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
SELECT count(*) AS compared, count(*) FILTER (WHERE crm.cohorts_send(cohorts) <> crm.cohorts_send(found)) AS different
FROM in_parallel, LATERAL (VALUES ('month UTC'::crm.calendar, timestamptz '2024-03-01 00:00+00', month), ('30 days Asia/Tokyo', '2024-08-17 03:04:05.678901+00', run),
                                  ('day UTC', '2025-03-01 00:00+09', day)) AS p(period, as_of, found)
     JOIN whole ON whole.period OPERATOR(crm.=) p.period AND whole.as_of = p.as_of;

-- crm.cohort_at is a selection of the rows.
SELECT count(*) AS compared, count(second_rate) AS second, count(sixth_rate) AS sixth, count(ltv_12) AS twelve,
       count(*) FILTER (WHERE a::text IS DISTINCT FROM e::text) AS different
FROM whole, LATERAL crm.cohort_at(cohorts) AS a,
     LATERAL (SELECT a.cohort, max(customers) AS customers,
                     (array_agg(retained / customers::float8) FILTER (WHERE age = 1 AND elapsed))[1],
                     (array_agg(retained / customers::float8) FILTER (WHERE age = 5 AND elapsed))[1],
                     (array_agg(cumulative_revenue / customers) FILTER (WHERE age = 11 AND elapsed))[1]
              FROM crm.cohort_rows(cohorts) AS r WHERE r.cohort = a.cohort) AS e
WHERE whole.period OPERATOR(crm.=) 'month Asia/Tokyo';

-- edges

CREATE FUNCTION pg_temp.triangle(orders text, period crm.calendar, as_of timestamptz, kind crm.retention DEFAULT 'on')
    RETURNS TABLE (cohort date, age int, customers bigint, retained bigint, retention float8, orders bigint, revenue numeric,
                   total numeric, ltv numeric, elapsed bool) LANGUAGE sql AS $$
    SELECT t.cohort, t.age, t.customers, t.retained, round(t.retention::numeric, 4), t.orders, t.revenue, t.cumulative_revenue, round(t.ltv, 2), t.elapsed
    FROM crm.cohort_table('SELECT * FROM (VALUES ' || orders || ') AS o(customer, at, amount)', period, as_of, kind) AS t
$$;
-- one customer, a free sample, a refund at its own time, a running month
SELECT * FROM pg_temp.triangle($$(1, timestamptz '2024-01-31 23:00+09', 100), (1, '2024-03-01 00:00+09', 0), (1, '2024-02-10 00:00+09', -30)$$,
                               'month Asia/Tokyo', '2024-04-10 00:00+09');
-- one-time buyers only, until the edge of a month: the microsecond before, the edge itself
SELECT * FROM pg_temp.triangle($$(1, timestamptz '2024-01-31 23:00+09', 100), (2, '2024-01-01 00:00+09', 50)$$, 'month Asia/Tokyo', '2024-02-29 23:59:59.999999+09');
SELECT * FROM pg_temp.triangle($$(1, timestamptz '2024-01-31 23:00+09', 100), (2, '2024-01-01 00:00+09', 50)$$, 'month Asia/Tokyo', '2024-03-01 00:00+09', 'on_or_after');
-- as_of itself still counts, a microsecond later does not exist
SELECT * FROM pg_temp.triangle($$(1, timestamptz '2024-01-01 00:00+00', 1), (1, '2024-01-31 12:00+00', 10), (1, '2024-01-31 12:00:00.000001+00', 100), (2, '2024-01-31 12:00:00.000001+00', 100)$$,
                               'month UTC', '2024-01-31 12:00+00');
-- refunds before the first purchase belong to age 0; cumulative revenue may be negative
SELECT * FROM pg_temp.triangle($$(1, timestamptz '2023-06-01 00:00+00', -500), (1, '2024-02-29 00:00+00', 100)$$, 'month UTC', '2024-05-01 00:00+00');
SELECT * FROM pg_temp.triangle($$(1, timestamptz '2023-06-01 00:00+00', -500), (1, '2024-02-29 00:00+00', 100)$$, '30 days UTC', '2024-05-01 00:00+00');
-- 365 days from a leap day; weeks begin on Monday
SELECT * FROM pg_temp.triangle($$(1, timestamptz '2024-02-29 12:00+00', 1), (1, '2025-02-27 23:00+00', 10), (1, '2025-02-28 00:00+00', 100)$$, '365 days UTC', '2026-12-31 00:00+00');
SELECT * FROM pg_temp.triangle($$(1, timestamptz '2024-03-03 23:59+09', 1), (2, '2024-03-04 00:00+09', 10), (1, '2024-03-04 00:00+09', 100)$$, 'week Asia/Tokyo', '2024-03-11 00:00+09');
-- clocks set back at midnight in Havana: the day steps back, but no age is negative
SELECT * FROM pg_temp.triangle($$(1, timestamptz '2018-11-04 04:30+00', 1), (1, '2018-11-04 05:30+00', 10), (1, '2018-11-05 05:00+00', 100)$$, 'day America/Havana', '2018-11-06 05:00+00');
-- Samoa left out 30 December 2011
SELECT cohort, age, orders, elapsed FROM pg_temp.triangle($$(1, timestamptz '2011-12-29 12:00-10', 1), (1, '2011-12-31 12:00+14', 10)$$, 'day Pacific/Apia', '2012-01-01 12:00+14');
-- amounts of different scales
SELECT revenue, cumulative_revenue, ltv FROM crm.cohort_table($$VALUES (1, timestamptz '2024-01-01 00:00+00', 1.5), (2, '2024-01-02 00:00+00', 0.125), (3, '2024-01-03 00:00+00', 7)$$, 'month UTC', '2024-02-01 00:00+00');
SELECT revenue FROM crm.cohort_table($$VALUES (1, timestamptz '2024-01-01 00:00+00', 9000000000000000000), (2, '2024-01-02 00:00+00', 9000000000000000000)$$, 'month UTC', '2024-02-01 00:00+00');
-- at the same microsecond the split that sorts first bytewise, NULL before all; refunds have no say
SELECT split, customers FROM crm.cohort_table($$VALUES (1, timestamptz '2024-01-01 00:00+00', 1, 'b'), (1, '2024-01-01 00:00+00', 1, 'B'), (1, '2023-12-31 00:00+00', -1, 'A'),
    (2, '2024-01-01 00:00+00', 1, 'a'), (2, '2024-01-01 00:00+00', 9, NULL), (3, '2024-01-01 00:00+00', 1, 'あ'), (3, '2024-01-01 00:00+00', 1, 'z'),
    (4, '2024-01-01 00:00:00.000001+00', 1, 'a'), (4, '2024-01-01 00:00+00', 1, 'late in the alphabet')$$, 'month UTC', '2024-02-01 00:00+00') WHERE age = 0 ORDER BY split COLLATE "C" NULLS FIRST;

-- nothing
SELECT count(*) AS rows FROM crm.cohort_table('SELECT customer, at, amount, channel FROM cohort_orders', 'month UTC', '1999-01-01 00:00+00');
SELECT count(*) AS rows FROM crm.cohort_table('SELECT customer, at, amount FROM cohort_orders WHERE false', 'month UTC', '2024-01-01 00:00+00');
SELECT crm.cohorts(history, 'month UTC', '2025-01-01') IS NULL AS nobody FROM cohort_histories WHERE false;
SELECT crm.cohorts(history, 'month UTC', '1999-01-01') IS NULL AS too_early FROM cohort_histories;
SELECT crm.cohorts(history, 'month UTC', '2025-01-01') IS NULL AS refunds_only FROM cohort_histories WHERE customer = 306;
SELECT crm.rollup(NULL::crm.cohorts) IS NULL AS nothing;
SELECT crm.rollup(cohorts) IS NULL AS nothing
FROM (SELECT crm.cohorts(history, 'month UTC', '1999-01-01') AS cohorts FROM cohort_histories GROUP BY customer % 3) AS parts;
SELECT count(*) AS rows FROM crm.cohort_rows((SELECT crm.cohorts(history, 'month UTC', '1999-01-01') FROM cohort_histories));
SELECT count(*) AS rows FROM crm.cohort_at((SELECT crm.cohorts(history, 'month UTC', '1999-01-01') FROM cohort_histories));
SELECT count(*) AS rows FROM crm.cohort_rows(NULL);
SELECT crm.cohorts(history, NULL, '2025-01-01') IS NULL AS no_calendar, crm.cohorts(history, 'month UTC', NULL) IS NULL AS no_as_of,
       crm.cohorts(NULL, 'month UTC', '2025-01-01') IS NULL AS no_history FROM cohort_histories;
-- customers who have not bought by then leave no trace
SELECT crm.cohorts_send(crm.cohorts(history, 'month UTC', '2024-03-01 00:00+00'))
       = crm.cohorts_send(crm.cohorts(history, 'month UTC', '2024-03-01 00:00+00') FILTER (WHERE crm.first_order(history) <= '2024-03-01 00:00+00')) AS same
FROM cohort_histories;

-- many cohorts, many ages: 2000 a side
SELECT count(*) AS cells, sum(retained) AS buyers, sum(orders) AS orders, count(*) FILTER (WHERE elapsed) AS elapsed
FROM crm.cohort_table($$SELECT n, timestamptz '2019-01-01 06:00+00' + n * interval '1 day', 1 FROM generate_series(0, 1999) AS n$$, 'day UTC', '2024-06-22 06:00+00');

-- at the end of time: periods go on beyond it
SELECT cohort, age, retained, elapsed FROM crm.cohort_table($$SELECT 1, timestamptz '294276-12-31 12:00+00', 5$$, '30 days UTC', '294276-12-31 23:00+00');
SELECT cohort, age, retained, elapsed FROM crm.cohort_rows((SELECT crm.cohorts('[["294276-05-20T00:00:00Z",1]]', '365 days UTC', '294276-06-01')));

-- refusals
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' ', SQLSTATE, SQLERRM, detail);
END $$;
SELECT pg_temp.refusal(statement) FROM unnest(ARRAY[
    $$SELECT crm.cohorts(history, CASE WHEN customer < 50 THEN 'month UTC' ELSE 'month Asia/Tokyo' END::crm.calendar, '2025-01-01') FROM cohort_histories$$,
    $$SELECT crm.cohorts(history, 'month UTC', timestamptz '2025-01-01' + customer % 2 * interval '1 microsecond') FROM cohort_histories$$,
    $$SELECT crm.rollup(c) FROM (SELECT crm.cohorts(history, 'week UTC', '2025-01-01') AS c FROM cohort_histories UNION ALL SELECT crm.cohorts(history, 'month UTC', '2025-01-01') FROM cohort_histories) AS u$$,
    $$SELECT crm.rollup(c) FROM (SELECT crm.cohorts(history, 'week UTC', '2025-01-01') AS c FROM cohort_histories UNION ALL SELECT crm.cohorts(history, 'week UTC', '2025-01-02') FROM cohort_histories) AS u$$,
    $$SELECT crm.cohorts(history, '30 days', 'infinity') FROM cohort_histories$$,
    $$SELECT * FROM crm.cohort_table('SELECT customer, at, amount FROM cohort_orders', 'month UTC', '-infinity')$$,
    $$SELECT * FROM crm.cohort_table('SELECT customer, at, amount FROM cohort_orders', NULL)$$,
    $$SELECT * FROM crm.cohort_table('SELECT customer, at, amount FROM cohort_orders', 'month', now(), NULL)$$,
    $$SELECT * FROM crm.cohort_table(NULL, 'month', now())$$,
    $$SELECT * FROM crm.cohort_table('SELECT customer, at FROM cohort_orders', 'month', now())$$,
    $$SELECT * FROM crm.cohort_table('SELECT customer, at, amount FROM cohort_orders', 'month', now(), 'around')$$,
    $$SELECT * FROM crm.cohort_table('SELECT n, now(), 1, n FROM generate_series(1, 10001) AS n', 'month', now())$$,
    $$SELECT * FROM crm.cohort_table('SELECT n, now(), 1, repeat(n::text, 50000) FROM generate_series(1, 60) AS n', 'month', now())$$,
    $$SELECT * FROM crm.cohort_table('SELECT 1, timestamptz ''4714-11-24 00:00+00 BC'', 1', 'month UTC', '4714-12-30 00:00+00 BC')$$]) AS statement;
-- counts stay in memory: 256 MB are enough for 500 values with 260 days each, but not for 6,000
SET pg_crm.memory = 0;
SELECT pg_temp.refusal(format($$SELECT * FROM crm.cohort_table('SELECT s, timestamptz ''2025-01-01'' + d * interval ''1 day'', 1, s
    FROM generate_series(1, %s) AS s, generate_series(0, 260) AS d', 'day UTC', '2025-12-31')$$, splits))
FROM (VALUES (500), (6000)) AS v(splits);
RESET pg_crm.memory;

-- text and binary

CREATE TEMP TABLE received (cohorts crm.cohorts);
CREATE FUNCTION pg_temp.receive(value bytea) RETURNS crm.cohorts LANGUAGE plpgsql AS $$
DECLARE
    message bytea := '\x5047434f50590aff0d0a00' || int4send(0) || int4send(0) || int2send(1::int2)
                     || int4send(length(value)) || value || int2send((-1)::int2);
    escaped text := string_agg(format('\%s%s%s', byte / 64, byte / 8 % 8, byte % 8), '' ORDER BY i)
                    FROM (SELECT i, get_byte(message, i) AS byte FROM generate_series(0, length(message) - 1) AS i) AS bytes;
    result crm.cohorts;
BEGIN
    EXECUTE format('COPY received FROM PROGRAM %L (FORMAT binary)', format('printf ''%s''', escaped));
    DELETE FROM received RETURNING cohorts INTO result;
    RETURN result;
END $$;
CREATE TEMP TABLE small AS
SELECT period, crm.cohorts(history, period, '2024-04-15 00:00+00') AS cohorts
FROM cohort_histories, unnest(ARRAY['month UTC', '30 days Asia/Tokyo', 'quarter UTC']::crm.calendar[]) AS period
WHERE customer IN (2, 5, 12, 30, 303) GROUP BY period;
SELECT count(*) AS compared,
       count(*) FILTER (WHERE crm.cohorts_send(cohorts::text::crm.cohorts) <> crm.cohorts_send(cohorts)) AS text,
       count(*) FILTER (WHERE crm.cohorts_send(pg_temp.receive(crm.cohorts_send(cohorts))) <> crm.cohorts_send(cohorts)) AS binary,
       count(*) FILTER (WHERE cohorts::text <> crm.cohorts_send(cohorts)::text) AS hexadecimal
FROM small;
SELECT count(*) AS compared, count(*) FILTER (WHERE crm.cohorts_send(cohorts::text::crm.cohorts) <> crm.cohorts_send(cohorts)) AS text FROM whole;

-- What is read back is what was written or refused; whatever is accepted can be read, merged and printed.
CREATE FUNCTION pg_temp.outcome(value bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found crm.cohorts;
    cells bigint;
BEGIN
    BEGIN
        found := value::text::crm.cohorts;
    EXCEPTION WHEN OTHERS THEN
        RETURN SQLSTATE || ' ' || SQLERRM;
    END;
    IF crm.cohorts_send(found) <> value THEN
        RETURN 'changed';
    END IF;
    SELECT count(*) FROM crm.cohort_rows(found, 'on_or_after') INTO cells;
    PERFORM crm.rollup(v) FROM (VALUES (found)) AS u(v);
    RETURN CASE WHEN cells > 0 THEN 'accepted' ELSE 'accepted without cells' END;
EXCEPTION WHEN OTHERS THEN
    RETURN 'accepted, then ' || SQLSTATE || ' ' || SQLERRM;
END $$;
SET statement_timeout = '60s';
CREATE TEMP TABLE one AS SELECT crm.cohorts_send(cohorts) AS value FROM small WHERE period OPERATOR(crm.=) 'month UTC';
-- the head is 16 bytes, as_of 8, the calendar 2 + 262; each cell 48: cohort, age, buyers, last purchases, orders, revenue
SELECT what, pg_temp.outcome(mutant)
FROM one, LATERAL (SELECT substring(value FROM 1 FOR 288) AS head, substring(value FROM 289 FOR 48) AS cell, substring(value FROM 337) AS rest) AS p,
     LATERAL (VALUES (1, 'same', value), (2, 'empty', ''), (3, 'cut', substring(value FOR length(value) - 1)), (4, 'longer', value || '\x00'),
                     (5, 'kind', set_byte(value, 0, 65)), (6, 'version', set_byte(value, 1, 2)), (7, 'scale', set_byte(value, 2, 7)),
                     (8, 'reserved byte', set_byte(value, 5, 1)), (9, 'count', set_byte(value, 8, 200)), (10, 'huge count', set_byte(value, 15, 127)),
                     (11, 'no cells', set_byte(head, 8, 0)), (12, 'all zero', decode(repeat('00', 288), 'hex')),
                     (13, 'infinite as_of', overlay(value PLACING '\xffffffffffffff7f' FROM 17)),
                     (14, 'no calendar', set_byte(value, 24, 0)), (15, 'long calendar', overlay(value PLACING '\xffff' FROM 25)),
                     (16, 'calendar unit', set_byte(value, 27, 9)), (17, 'behind the calendar', set_byte(value, 200, 1)),
                     (18, 'cells twice', set_byte(head, 8, 2) || cell || cell), (19, 'unsorted', head || rest || cell),
                     (20, 'age below 0', head || overlay(cell PLACING '\xffffffff' FROM 5) || rest),
                     (21, 'huge age', set_byte(head, 8, 1) || overlay(cell PLACING '\xffffff7f' FROM 5)),
                     (22, 'age not begun', set_byte(head, 8, 1) || overlay(cell PLACING '\xe8030000' FROM 5)),
                     (23, 'cohort after as_of', set_byte(head, 8, 1) || overlay(cell PLACING '\xffff0000' FROM 1)),
                     (24, 'huge cohort', set_byte(head, 8, 1) || overlay(cell PLACING '\xffffff7f' FROM 1)),
                     (25, 'early cohort', set_byte(head, 8, 1) || overlay(cell PLACING '\x00000080' FROM 1)),
                     (26, 'nobody', set_byte(head, 8, 1) || overlay(cell PLACING '\x0000000000000000' FROM 17)),
                     (27, 'buyers below 0', head || overlay(cell PLACING '\xffffffffffffffff' FROM 9) || rest),
                     (28, 'customers below 0', head || overlay(cell PLACING '\xffffffffffffffff' FROM 17) || rest),
                     (29, 'more buyers than customers', head || overlay(cell PLACING '\xff00000000000000' FROM 9) || rest),
                     (30, 'fewer orders than buyers', head || overlay(cell PLACING '\x0000000000000000' FROM 25) || rest)) AS m(number, what, mutant)
ORDER BY number;

CREATE TEMP TABLE mutation AS
SELECT i, pg_temp.outcome(CASE i % 5 WHEN 0 THEN substring(mutated FOR (pg_temp.chance(i, 3, 3) * length(mutated))::int)
                                     WHEN 1 THEN mutated || substring(value FROM (pg_temp.chance(i, 4, 4) * length(value))::int)
                                     ELSE mutated END) AS outcome
FROM small, LATERAL (SELECT crm.cohorts_send(cohorts) AS value) AS v, generate_series(1, 300) AS i,
     LATERAL (SELECT CASE WHEN i % 2 = 0 THEN 48 ELSE length(value) END AS reach) AS r,
     LATERAL (SELECT set_byte(value, floor(pg_temp.chance(i, 1, 1) * reach)::int, floor(pg_temp.chance(i, 2, 2) * 256)::int) AS mutated) AS m;
SELECT count(*) AS mutated, count(*) FILTER (WHERE outcome = '22P03 invalid representation of crm.cohorts') > 400 AS refused,
       count(*) FILTER (WHERE outcome !~ '^(accepted(, then (22003|22023 unknown time zone).*)?|22P03 invalid representation of crm.cohorts)$') AS otherwise
FROM mutation;

-- Functions of the aggregates called by hand, with states that no aggregate made.
CREATE TEMP TABLE state AS
SELECT crm.cohorts_accumulate(NULL, history, 'month UTC', '2024-08-17') AS state, history FROM cohort_histories WHERE customer = 303;
CREATE FUNCTION pg_temp.by_hand(state bytea, history crm.history) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text := '';
    statement text;
BEGIN
    FOREACH statement IN ARRAY ARRAY['crm.cohorts_finish(crm.cohorts_accumulate($1, $2, ''month UTC'', ''2024-08-17''))',
                                     'crm.cohorts_finish(crm.cohorts_combine($1, $1))', 'crm.cohorts_finish(crm.cohorts_combine(NULL, $1))',
                                     'crm.cohorts_finish($1)'] LOOP
        BEGIN
            EXECUTE format('SELECT count(*) FROM crm.cohort_rows(%s)', statement) USING state, history;
            found := found || 'ok ';
        EXCEPTION WHEN OTHERS THEN
            found := found || CASE WHEN SQLSTATE IN ('22023', '22P03') THEN 'refused ' ELSE SQLSTATE || ' ' END;
        END;
    END LOOP;
    RETURN found;
END $$;
SELECT what, pg_temp.by_hand(mutant, history)
FROM state, LATERAL (SELECT 24 + 272 AS front, length(state) AS bytes) AS f,
     LATERAL (VALUES (1, 'same', state), (2, 'empty', ''), (3, 'kind', set_byte(state, 0, 65)), (4, 'version', set_byte(state, 1, 9)), (5, 'scale', set_byte(state, 2, 9)),
                     (6, 'capacity', set_byte(state, 16, 65)), (7, 'huge capacity', set_byte(state, 23, 127)), (8, 'count', set_byte(state, 8, 200)),
                     (9, 'long calendar', overlay(state PLACING '\xffff' FROM 33)), (10, 'no calendar', overlay(state PLACING '\x0000' FROM 33)),
                     (11, 'calendar unit', set_byte(state, 35, 9)), (12, 'cut', substring(state FOR 1000)),
                     (13, 'infinite as_of', overlay(state PLACING '\xffffffffffffff7f' FROM 25)),
                     (14, 'all slots taken', (SELECT substring(state FOR front) || string_agg(int8send(-1) || substring(state FROM front + 9 + 48 * i FOR 40), '' ORDER BY i)
                                              FROM generate_series(0, (bytes - front) / 48 - 1) AS i))) AS m(number, what, mutant)
ORDER BY number;
SELECT count(*) AS called,
       count(*) FILTER (WHERE outcome !~ '^(ok |refused |22003 )+$') AS otherwise
FROM state, generate_series(1, 300) AS i,
     LATERAL (SELECT pg_temp.by_hand(set_byte(state, floor(pg_temp.chance(i, 5, 5) * CASE WHEN i % 2 = 0 THEN 48 ELSE length(state) END)::int,
                                              floor(pg_temp.chance(i, 6, 6) * 256)::int), history) AS outcome) AS o;
RESET statement_timeout;

-- more cells than one table may count
SET pg_crm.memory = '1GB';
SELECT pg_temp.refusal($$SELECT count(*) FROM crm.cohort_table('SELECT c, timestamptz ''2010-01-01Z'' + (c + a) * interval ''1 day'', 1
    FROM generate_series(0, 2899) AS c, generate_series(0, 2899 - c) AS a', 'day UTC', '2018-01-01Z')$$);
RESET pg_crm.memory;

-- every object says what it is
SELECT count(*) > 0 AS functions, count(*) FILTER (WHERE obj_description(oid, 'pg_proc') IS NULL) AS without_comment
FROM pg_proc
WHERE pronamespace = 'crm'::regnamespace AND (proname ~ '^cohort' OR 'crm.cohorts'::regtype = ANY (proargtypes));
DROP TABLE cohort_orders, cohort_histories;
