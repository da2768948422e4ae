SET intervalstyle = 'postgres';
-- Lifetime models against formulas in plain SQL over the same orders.
CREATE SCHEMA lifetime_test;
SET search_path = lifetime_test, crm, public;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SET extra_float_digits = 0;

\set ECHO none
\getenv tests PG_ABS_SRCDIR
\set include :tests '/sql/include/comparing.sql'
\i :include
\set ECHO all

-- Chance for a customer and a purpose, between 0 and 1.
CREATE FUNCTION chance(customer bigint, purpose bigint) RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN ((hashint8extended(customer, purpose) & 4503599627370495)::float8 + 0.5) / 4503599627370496;

-- 3,000 customers who come during 2025, buy at rates that differ, and leave after an order with a chance that differs too:
-- some orders at midnight, some several on a day, some refunds, some for nothing.
CREATE TABLE orders (customer bigint, at timestamptz, amount numeric);
INSERT INTO orders
WITH RECURSIVE life AS (
    SELECT c AS customer, 0 AS n, 300 * chance(c, 1) AS day, 4 - 30 * ln(chance(c, 2)) * (0.4 - ln(chance(c, 3))) AS gap, 1 - chance(c, 5) ^ 0.4 AS leaves
    FROM generate_series(1, 3000) AS c
    UNION ALL
    SELECT customer, n + 1, day - gap * ln(chance(customer, 100 + n)), gap, leaves
    FROM life
    WHERE chance(customer, 200 + n) > leaves AND n < 60 AND day < 700
)
SELECT customer, CASE customer % 5 WHEN 0 THEN date_trunc('day', at) ELSE at END,
       CASE WHEN chance(customer, 300 + n) < 0.03 THEN 0 ELSE round((20 * exp(chance(customer, 4)) * (0.4 - ln(chance(customer, 400 + n))))::numeric, 2) END
FROM life, LATERAL (SELECT timestamptz '2025-01-01' + day * interval '1 day' AS at) AS t;
INSERT INTO orders SELECT customer, at + interval '90 minutes', amount + 1 FROM orders WHERE customer % 50 = 0;
INSERT INTO orders SELECT customer, at + interval '3 days', -amount FROM orders WHERE customer % 17 = 0 AND amount > 0;
ANALYZE orders;
CREATE TABLE histories AS SELECT customer, crm.history(at, amount) AS h FROM orders GROUP BY customer;
ALTER TABLE histories SET (parallel_workers = 2);
ANALYZE histories;

-- x, t_x and t in weeks, and the mean amount of the repeat orders, by the days of a zone.
CREATE FUNCTION seen(zone text, as_of timestamptz) RETURNS TABLE(customer bigint, x bigint, t_x float8, t float8, mean float8) LANGUAGE sql AS $$
    SELECT customer, count(*) - 1, (max(day) - min(day)) / 7.0::float8, ((as_of AT TIME ZONE zone)::date - min(day)) / 7.0::float8,
           coalesce(avg(amount) FILTER (WHERE nth > 1), 0)::float8
    FROM (SELECT customer, day, sum(amount) AS amount, row_number() OVER (PARTITION BY customer ORDER BY day) AS nth
          FROM (SELECT *, (at AT TIME ZONE zone)::date AS day FROM orders WHERE at <= as_of AND amount >= 0) AS dated
          GROUP BY customer, day) AS days
    GROUP BY customer
$$;

-- 1. The models as values.

\x
SELECT (crm.bgnbd(0.243, 4.414, 0.793, 2.426, 'week Asia/Tokyo')).*;
SELECT (crm.sbg(0.668, 3.806)).*;
\x
SELECT crm.mbgnbd(0.525, 6.183, 0.891, 1.614, 'day UTC'), crm.pareto_nbd(0.553, 10.578, 0.606, 11.669, 'week UTC'),
       crm.gamma_gamma(6.25, 3.74, 15.44, 'week UTC');
-- They are stored, compared, and read back.
CREATE TABLE models (id int, b crm.bgnbd, m crm.mbgnbd, p crm.pareto_nbd, g crm.gamma_gamma, s crm.sbg);
INSERT INTO models VALUES (1, crm.bgnbd(0.243, 4.414, 0.793, 2.426, 'week UTC'), crm.mbgnbd(0.525, 6.183, 0.891, 1.614, 'week UTC'),
    crm.pareto_nbd(0.553, 10.578, 0.606, 11.669, 'week UTC'), crm.gamma_gamma(6.25, 3.74, 15.44, 'week UTC'), crm.sbg(0.668, 3.806));
SELECT b = b::text::crm.bgnbd AND m = m::text::crm.mbgnbd AND p = p::text::crm.pareto_nbd AND g = g::text::crm.gamma_gamma
       AND s = s::text::crm.sbg AS read_back, b = crm.bgnbd(0.243, 4.414, 0.793, 2.427, 'week UTC') AS other
FROM models;

-- 2. The worked examples of the papers.

-- Fader, Hardie and Lee (2005), Implementing the BG/NBD Model in Excel: customer 1.
SELECT round(crm.expected_orders(2, 30.43, 38.86, b, 39)::numeric, 3) AS expected_orders FROM models;
-- The share that is left after n renewals is the product of those that each renewal leaves.
SELECT string_agg(round(100 * crm.sbg_survival(s, n)::numeric, 1)::text, ' ' ORDER BY n) AS left_percent,
       max(abs(crm.sbg_survival(s, n) - (SELECT exp(coalesce(sum(ln(((s).beta + i) / ((s).alpha + (s).beta + i))), 0)) FROM generate_series(0, n - 1) AS i))) < 1e-14 AS as_multiplied
FROM models, generate_series(0, 12) AS n;
-- Further renewals are the sum of the chances of each, discounted.
SELECT n, d, abs(crm.sbg_lifetime(s, n, d) / (SELECT sum(crm.sbg_survival(s, n + t) / crm.sbg_survival(s, n) / (1 + d) ^ (t - 1)) FROM generate_series(1, 1500) AS t) - 1) < 1e-9 AS as_summed
FROM models, (VALUES (0), (1), (5)) AS r(n), (VALUES (0.1::float8), (0.5)) AS v(d);
SELECT crm.sbg_lifetime(crm.sbg(0.668, 3.806), 0, 0) AS without_end, round(crm.sbg_lifetime(crm.sbg(3, 6), 0, 0)::numeric, 6) AS mean;

-- 3. Probabilities and expectations against the formulas, over a grid of customers and models.

CREATE VIEW grid AS
SELECT x, CASE x WHEN 0 THEN 0 ELSE t * part END AS t_x, t, r, alpha, a, b
FROM (VALUES (0::bigint), (1), (2), (7), (40)) AS x(x), (VALUES (1.0::float8), (20), (150)) AS t(t), (VALUES (0.1::float8), (0.6), (1)) AS part(part),
     (VALUES (0.25::float8, 4.5::float8), (1, 1), (3, 60)) AS rate(r, alpha), (VALUES (0.8::float8, 2.4::float8), (1, 1), (0.05, 3), (6, 9)) AS dropout(a, b);
-- Fader, Hardie and Lee (2008), Computing P(alive); for MBG/NBD with b + x.
SELECT count(*), max(abs(crm.p_alive(x, t_x, t, crm.bgnbd(r, alpha, a, b, 'week UTC'))
                     - CASE x WHEN 0 THEN 1 ELSE 1 / (1 + a / (b + x - 1) * ((alpha + t) / (alpha + t_x)) ^ (r + x)) END)) < 1e-13 AS bgnbd,
       max(abs(crm.p_alive(x, t_x, t, crm.mbgnbd(r, alpha, a, b, 'week UTC')) - 1 / (1 + a / (b + x) * ((alpha + t) / (alpha + t_x)) ^ (r + x)))) < 1e-13 AS mbgnbd
FROM grid;
-- Pareto/NBD by the integral over the time of leaving, with Simpson's rule.
WITH customer AS (SELECT x, t_x, t, r, alpha, 1 + a AS s, 2 * b AS beta FROM grid WHERE t <= 20 AND x <= 7),
integral AS (
    SELECT c.*, coalesce((SELECT sum(CASE WHEN i IN (0, 400) THEN 1 WHEN i % 2 = 1 THEN 4 ELSE 2 END * s
                                     * ((alpha + t) / (alpha + y)) ^ (r + x) * ((beta + t) / (beta + y)) ^ s / (beta + y)) * (t - t_x) / 400 / 3
                          FROM generate_series(0, 400) AS i, LATERAL (SELECT t_x + (t - t_x) * i / 400 AS y) AS y), 0) AS odds_left
    FROM customer AS c)
SELECT count(*), max(abs(crm.p_alive(x, t_x, t, crm.pareto_nbd(r, alpha, s, beta, 'week UTC')) * (1 + odds_left) - 1)) < 1e-5 AS p_alive FROM integral;
-- Expected orders by the definition: E[(1 - (1 + p h / (alpha + t)) ^ -(r + x)) / p], p ~ Beta(a, b + x), for shapes of 1 and
-- more, where the midpoint rule does.
WITH customer AS (SELECT * FROM grid, (VALUES (1.0::float8), (52)) AS v(h) WHERE a >= 1 AND x IN (1, 2, 7)),
expected AS (
    SELECT c.*, (SELECT sum(p ^ (a - 1) * (1 - p) ^ (b + x - 1) * (1 - (1 + p * h / (alpha + t)) ^ -(r + x)) / p) / sum(p ^ (a - 1) * (1 - p) ^ (b + x - 1))
                 FROM generate_series(1, 4000) AS i, LATERAL (SELECT (i - 0.5) / 4000 AS p) AS p) AS if_alive
    FROM customer AS c)
SELECT count(*), max(abs(crm.expected_orders(x, t_x, t, m, h) / (crm.p_alive(x, t_x, t, m) * if_alive) - 1)) < 1e-3 AS expected_orders
FROM expected, LATERAL (SELECT crm.bgnbd(r, alpha, a, b, 'week UTC') AS m) AS made;
-- MBG/NBD is BG/NBD with one more b, for who has bought again.
SELECT count(*), bool_and(crm.expected_orders(x, t_x, t, crm.mbgnbd(r, alpha, a, b, 'week UTC'), 20) = crm.expected_orders(x, t_x, t, crm.bgnbd(r, alpha, a, b + 1, 'week UTC'), 20)) AS alike
FROM grid WHERE x > 0;
-- Nothing in no time; more in more time; never NaN.
SELECT bool_and(crm.expected_orders(x, t_x, t, m, 0) = 0) AS nothing, bool_and(crm.expected_orders(x, t_x, t, m, 1) < crm.expected_orders(x, t_x, t, m, 2)) AS more,
       bool_or(crm.expected_orders(x, t_x, t, m, 1e6) = 'NaN') AS any_nan
FROM grid, LATERAL (SELECT crm.pareto_nbd(r, alpha, a, b, 'week UTC') AS m) AS made;
-- Singular parameters: a = 1, s = 1, alpha = beta; the limits from both sides agree.
SELECT max(abs(crm.expected_orders(3, 10, 20, crm.bgnbd(1, 5, a, 2, 'week UTC'), 30) / crm.expected_orders(3, 10, 20, crm.bgnbd(1, 5, 1, 2, 'week UTC'), 30) - 1)) < 1e-8 AS a_is_1,
       max(abs(crm.expected_orders(3, 10, 20, crm.pareto_nbd(1, 5, a, 5, 'week UTC'), 30) / crm.expected_orders(3, 10, 20, crm.pareto_nbd(1, 5, 1, 5, 'week UTC'), 30) - 1)) < 1e-8 AS s_is_1
FROM (VALUES (1 - 1e-9), (1 + 1e-9)) AS near(a);
SELECT crm.p_alive(254, 60, 60.01, crm.pareto_nbd(0.553, 10.578, 0.606, 11.669, 'week UTC')) BETWEEN 0.9 AND 1 AS many_orders,
       crm.p_alive(100000, 30, 3000, crm.bgnbd(0.25, 4.5, 0.8, 2.4, 'week UTC')) AS long_gone;

-- 4. From histories: what the models see is what plain SQL sees.

CREATE TABLE fits AS
SELECT zone, as_of, crm.bgnbd_fit(h, c, as_of) AS b, crm.mbgnbd_fit(h, c, as_of) AS m, crm.pareto_nbd_fit(h, c, as_of) AS p, crm.gamma_gamma_fit(h, c, as_of) AS g
FROM histories, (VALUES ('UTC', timestamptz '2025-12-31 15:00'), ('Asia/Tokyo', '2026-06-30 23:59:59')) AS v(zone, as_of),
     LATERAL (SELECT crm.calendar('week', zone) AS c) AS calendar
GROUP BY zone, as_of;
SELECT zone, (b).customers, (b).repeaters, (b).method, (b).converged, (b).status, (m).status AS mbgnbd, (p).status AS pareto_nbd, (g).customers AS spending, (g).status AS gamma_gamma
FROM fits ORDER BY zone;
SELECT zone, round((m).r::numeric, 2) AS r, round((m).alpha::numeric, 1) AS alpha, (m).r_se < (m).r AS r_se, (b).log_likelihood < 0 AS likelihood, round((g).correlation::numeric, 1) AS correlation
FROM fits ORDER BY zone;
SELECT f.zone, count(*), max(abs(crm.p_alive(h, b, as_of) - crm.p_alive(x, t_x, t, b))) < 1e-12 AS bgnbd,
       max(abs(crm.p_alive(h, m, as_of) - crm.p_alive(x, t_x, t, m))) < 1e-12 AS mbgnbd, max(abs(crm.p_alive(h, p, as_of) - crm.p_alive(x, t_x, t, p))) < 1e-12 AS pareto_nbd,
       max(abs(crm.expected_orders(h, m, as_of, '10 weeks') - crm.expected_orders(x, t_x, t, m, 10))) < 1e-10 AS expected_orders,
       max(abs(crm.expected_order_value(h, g, as_of) / crm.expected_order_value(x, s.mean, g) - 1)) < 1e-10 AS order_value
FROM fits AS f, LATERAL seen(zone, as_of) AS s JOIN histories USING (customer)
GROUP BY f.zone ORDER BY f.zone;
SELECT max(abs(crm.expected_order_value(x, s.mean, g) / ((g).p * ((g).gamma + x * s.mean) / ((g).p * x + (g).q - 1)) - 1)) < 1e-12 AS as_published
FROM fits, LATERAL seen(zone, as_of) AS s;
-- Customers who are in their first day say nothing of how people buy; all others are fitted to.
SELECT zone, (b).customers = count(*) FILTER (WHERE t > 0) AS customers, (b).repeaters = count(*) FILTER (WHERE x > 0) AS repeaters
FROM fits, LATERAL seen(zone, as_of) GROUP BY zone, b ORDER BY zone;
-- From summaries, of histories, and by the query: the same.
SELECT f.zone, abs((crm.bgnbd_fit(x, t_x, t, crm.calendar('week', f.zone))).log_likelihood - (b).log_likelihood) < 1e-6 AS likelihood,
       abs((crm.gamma_gamma_fit(x, s.mean, crm.calendar('week', f.zone))).log_likelihood / (g).log_likelihood - 1) < 1e-9 AS spending
FROM fits AS f, LATERAL seen(zone, as_of) AS s GROUP BY f.zone, b, g ORDER BY f.zone;
SELECT zone, b = crm.bgnbd_fit('SELECT * FROM orders', crm.calendar('week', zone), as_of) AS bgnbd,
       m = crm.mbgnbd_fit('SELECT md5(customer::text), at, amount FROM orders ORDER BY amount', crm.calendar('week', zone), as_of, 'automatic') AS mbgnbd,
       p = crm.pareto_nbd_fit('SELECT * FROM orders', crm.calendar('week', zone), as_of) AS pareto_nbd,
       g = crm.gamma_gamma_fit('SELECT * FROM orders', crm.calendar('week', zone), as_of) AS gamma_gamma
FROM fits ORDER BY zone;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT plan_has('Partial Aggregate', 'SELECT crm.bgnbd_fit(h, ''week UTC'', ''2025-12-31 15:00'') FROM histories') AS parallel;
SELECT (SELECT crm.bgnbd_fit(h, 'week UTC', '2025-12-31 15:00') FROM histories) = b AS bgnbd,
       (SELECT crm.mbgnbd_fit(h, 'week UTC', '2025-12-31 15:00', 'automatic') FROM histories) = m AS mbgnbd,
       (SELECT crm.pareto_nbd_fit(h, 'week UTC', '2025-12-31 15:00') FROM histories) = p AS pareto_nbd,
       (SELECT crm.gamma_gamma_fit(h, 'week UTC', '2025-12-31 15:00') FROM histories) = g AS gamma_gamma
FROM fits WHERE zone = 'UTC';
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
-- Days are weeks by 7.
SELECT abs((w).log_likelihood - (d).log_likelihood - repeats * ln(7::float8)) < 1e-6 AS likelihood, abs((d).alpha / (w).alpha - 7) < 1e-6 AS alpha
FROM (SELECT crm.mbgnbd_fit(h, 'week UTC', '2026-06-30') AS w, crm.mbgnbd_fit(h, 'day UTC', '2026-06-30') AS d FROM histories) AS f,
     (SELECT sum(x) AS repeats FROM seen('UTC', '2026-06-30')) AS s;

-- Customers counted in parts, wherever they are, and fitted together.
CREATE TEMP TABLE parts AS
SELECT customer % 3 AS part, crm.btyd_counts(h, 'week UTC', '2025-12-31 15:00') AS counts,
       crm.btyd_counts(h, 'week UTC', '2025-12-31 15:00', 'map') AS map_counts,
       crm.gamma_gamma_counts(h, 'week UTC', '2025-12-31 15:00') AS spending, crm.sbg_counts((customer % 5)::int, customer % 3 > 0) AS subscriptions
FROM histories
GROUP BY 1;
SELECT count(*) AS parts, (SELECT count(*) FROM parts WHERE counts IS NULL) AS nothing, crm.bgnbd_fit(counts::text::bytea) = b AS bgnbd,
       crm.mbgnbd_fit(counts) = m AS mbgnbd, crm.pareto_nbd_fit(counts ORDER BY part DESC) = p AS pareto_nbd,
       crm.gamma_gamma_fit(spending) = g AS gamma_gamma,
       (crm.mbgnbd_fit(map_counts)).method,
       crm.sbg_fit(subscriptions) = (SELECT crm.sbg_fit((customer % 5)::int, customer % 3 > 0) FROM histories) AS sbg
FROM parts, fits
WHERE zone = 'UTC'
GROUP BY b, m, p, g;
SELECT crm.btyd_counts(h, 'week UTC', now()) AS nobody, crm.bgnbd_fit(NULL::bytea) AS no_part FROM histories WHERE false;

-- A row that is asked about several models and times, and models that change from row to row, get each its own answer.
SELECT count(*), max(abs(crm.p_alive(h, u, '2025-12-31 20:00') - crm.p_alive(a.x, a.t_x, a.t, u))) < 1e-12 AS utc,
       max(abs(crm.p_alive(h, j, '2025-12-31 20:00') - crm.p_alive(b.x, b.t_x, b.t, j))) < 1e-12 AS tokyo,
       max(abs(crm.p_alive(h, u, '2026-03-01') - crm.p_alive(c.x, c.t_x, c.t, u))) < 1e-12 AS later, count(*) FILTER (WHERE a.t <> b.t) > 0 AS dates_differ
FROM histories JOIN seen('UTC', '2025-12-31 20:00') AS a USING (customer) JOIN seen('Asia/Tokyo', '2025-12-31 20:00') AS b USING (customer)
     JOIN seen('UTC', '2026-03-01') AS c USING (customer),
     (SELECT crm.mbgnbd(0.525, 6.183, 0.891, 1.614, 'week UTC') AS u, crm.mbgnbd(0.525, 6.183, 0.891, 1.614, 'week Asia/Tokyo') AS j) AS models;
SELECT * FROM differing(
    'SELECT customer, one_of, ahead, crm.expected_orders(x, t_x, t, CASE one_of WHEN 1 THEN b ELSE crm.bgnbd(1, 5, 1, 2, ''week UTC'') END, ahead)
     FROM models, seen(''UTC'', ''2025-12-31'') AS s, (VALUES (1), (2)) AS v(one_of), (VALUES (10), (20)) AS w(ahead)',
    'SELECT customer, 1, 10, crm.expected_orders(x, t_x, t, b, 10) FROM models, seen(''UTC'', ''2025-12-31'')
     UNION ALL SELECT customer, 1, 20, crm.expected_orders(x, t_x, t, b, 20) FROM models, seen(''UTC'', ''2025-12-31'')
     UNION ALL SELECT customer, 2, 10, crm.expected_orders(x, t_x, t, crm.bgnbd(1, 5, 1, 2, ''week UTC''), 10) FROM seen(''UTC'', ''2025-12-31'')
     UNION ALL SELECT customer, 2, 20, crm.expected_orders(x, t_x, t, crm.bgnbd(1, 5, 1, 2, ''week UTC''), 20) FROM seen(''UTC'', ''2025-12-31'')');

-- 5. The next order, the risk, the value.

-- Half of all customers alike have bought again by then: 1 - ((alpha + t) / (alpha + t + wait)) ^ (r + x).
SELECT count(*), max(abs(1 - (((m).alpha + t) / ((m).alpha + t + extract(epoch FROM crm.next_order(h, m, as_of) - as_of)::float8 / 604800)) ^ ((m).r + x) - 0.5)) < 1e-9 AS half
FROM fits, LATERAL seen(zone, as_of) JOIN histories USING (customer);
SELECT crm.next_order('[["2025-01-01T00:00:00Z",1]]', crm.mbgnbd(1e-3, 5, 1, 1, 'week UTC'), '2025-06-01') AS beyond_all_times;
SELECT risk, count(*) > 0 AS some, min(alive) >= CASE risk WHEN 'low' THEN 2 / 3.0 WHEN 'medium' THEN 1 / 3.0 ELSE 0 END AS from_here,
       max(alive) < CASE risk WHEN 'low' THEN 1.1 WHEN 'medium' THEN 2 / 3.0 ELSE 1 / 3.0 END AS to_here
FROM (SELECT crm.churn_risk(h, m, as_of) AS risk, crm.p_alive(h, m, as_of) AS alive FROM fits, histories) AS scored
WHERE risk IS NOT NULL GROUP BY risk ORDER BY risk;
SELECT crm.churn_risk('[["2020-01-01T00:00:00Z",1]]', b, '2025-06-01') AS bgnbd, crm.churn_risk('[["2020-01-01T00:00:00Z",1]]', m, '2025-06-01') AS mbgnbd FROM models;
-- Without a discount the value is orders by value of each. With one it lies between that at once and that at the end.
SELECT max(abs(crm.clv(h, m, g, as_of, '1 year', 0) / nullif(crm.expected_orders(h, m, as_of, '1 year') * crm.expected_order_value(h, g, as_of), 0) - 1)) < 1e-12 AS at_par,
       bool_and(crm.clv(h, m, g, as_of, '1 year', 0.3) BETWEEN crm.clv(h, m, g, as_of, '1 year', 0) / 1.3 AND crm.clv(h, m, g, as_of, '1 year', 0)) AS discounted,
       bool_and(crm.clv(h, m, g, as_of, '1 year') = crm.clv(h, m, g, as_of, '1 year', 0.10)) AS by_default
FROM fits, histories WHERE crm.first_order(h) <= as_of;
-- The horizon is counted in days of the zone, and clocks that change do not matter; months are those of the calendar.
SELECT crm.expected_orders(h, m, '2026-03-01 12:00-05', '1 month') = crm.expected_orders(h, m, '2026-03-01 12:00-05', '31 days') AS month,
       crm.expected_orders(h, m, '2026-03-01 23:30-05', '1 hour') = crm.expected_orders(h, m, '2026-03-01 12:00-05', '1 day') AS next_day,
       crm.expected_orders(h, m, '2026-03-01 12:00-05', '0') AS nothing
FROM (SELECT crm.history '[["2026-01-01T00:00:00Z",1],["2026-02-01T00:00:00Z",1]]' AS h, crm.mbgnbd(0.5, 6, 0.9, 1.6, 'day America/New_York') AS m) AS v;

-- A model in a variable counts as what it holds now.
CREATE FUNCTION by_variable() RETURNS TABLE(variable float8, direct float8) LANGUAGE plpgsql AS $$
DECLARE
    h CONSTANT crm.history := '[["2025-01-01T00:00:00Z",1],["2025-03-01T00:00:00Z",1],["2025-05-01T00:00:00Z",1]]';
    as_of CONSTANT timestamptz := '2025-08-01';
    m crm.bgnbd;
    i int;
BEGIN
    FOR i IN 1..3 LOOP
        m := crm.bgnbd(0.2 * i, 4, 0.8, 2.5, 'day UTC');
        variable := crm.p_alive(h, m, as_of);
        direct := crm.p_alive(h, crm.bgnbd(0.2 * i, 4, 0.8, 2.5, 'day UTC'), as_of);
        RETURN NEXT;
        m.b := 2.5 + i;
        variable := crm.p_alive(h, m, as_of);
        direct := crm.p_alive(h, crm.bgnbd(0.2 * i, 4, 0.8, 2.5 + i, 'day UTC'), as_of);
        RETURN NEXT;
    END LOOP;
END $$;
SELECT count(*), count(DISTINCT direct), bool_and(variable = direct) AS same FROM by_variable();

-- 6. The table: row by row what the functions give, also by key.

SELECT name, d.* FROM (VALUES ('bgnbd', 'b'), ('mbgnbd', 'm'), ('pareto_nbd', 'p')) AS v(name, model), LATERAL differing(
    format('SELECT * FROM crm.lifetime_table(''SELECT * FROM orders'', ''week UTC'', ''2025-12-31 15:00'', ''6 months'', %L, ''automatic'', 0.2)', name),
    format('SELECT customer, crm.orders(crm.until(h, as_of)), crm.p_alive(h, %1$s, as_of), crm.expected_orders(h, %1$s, as_of, ''6 months''),
                   crm.next_order(h, %1$s, as_of), crm.expected_order_value(h, g, as_of), crm.clv(h, %1$s, g, as_of, ''6 months'', 0.2),
                   crm.churn_risk(h, %1$s, as_of)
            FROM histories, fits WHERE zone = ''UTC'' AND crm.first_order(h) <= as_of', model)) AS d;
SELECT * FROM differing(
    'SELECT md5(customer_id::text), orders, clv FROM crm.lifetime_table(''SELECT * FROM orders'', ''week UTC'', timestamptz ''2025-12-31 15:00'')',
    'SELECT customer_id, orders, clv FROM crm.lifetime_table(''SELECT md5(customer::text), at, amount FROM orders'', ''week UTC'', key => NULL::text, as_of => ''2025-12-31 15:00'')');
SET pg_crm.memory = '64kB';
SELECT * FROM differing(
    'SELECT * FROM crm.lifetime_table(''SELECT * FROM orders'', ''day UTC'', ''2025-12-31 15:00'')',
    'SELECT * FROM crm.lifetime_table(''SELECT * FROM orders ORDER BY at DESC'', ''day UTC'', ''2025-12-31 15:00'')');
RESET pg_crm.memory;
SELECT count(*) AS rows FROM crm.lifetime_table('SELECT * FROM orders', 'day UTC', '2024-12-31');
SELECT count(*) AS rows FROM crm.lifetime_table('SELECT * FROM orders WHERE false', 'day UTC');
-- Who has only ever bought once a shop cannot learn the value of further orders from.
CREATE TABLE few AS
SELECT c AS customer, timestamptz '2025-01-01' + (c + 40 * n) * interval '1 day' AS at, 10 AS amount
FROM generate_series(1, 100) AS c, generate_series(0, CASE WHEN c <= 20 THEN 1 + c % 3 ELSE 0 END) AS n;
SELECT count(*), count(p_alive) AS p_alive, count(clv) AS clv, count(expected_order_value) AS order_value FROM crm.lifetime_table('SELECT * FROM few', 'day UTC', '2025-12-01');

-- 7. The check of a model: what was bought, by plain SQL.

CREATE TABLE checked AS SELECT * FROM crm.model_check('SELECT * FROM orders', 'week Asia/Tokyo', 'mbgnbd', '2025-10-01 00:00+09', '100 days');
CREATE VIEW bought AS
SELECT customer, x, day - date '2025-10-01' AS days
FROM seen('Asia/Tokyo', '2025-10-01 00:00+09')
     LEFT JOIN (SELECT DISTINCT customer, (at AT TIME ZONE 'Asia/Tokyo' - interval '1 microsecond')::date AS day FROM orders
                WHERE amount >= 0 AND at > '2025-10-01 00:00+09' AND at <= '2026-01-09 00:00+09') AS later USING (customer);
SELECT breakdown, count(*), sum(customers) AS customers, sum(actual) AS actual, round(sum(expected)::numeric, 3) = (SELECT round(expected::numeric, 3) FROM checked WHERE breakdown = 'total') AS adds_up
FROM checked GROUP BY breakdown ORDER BY breakdown;
SELECT count(days), count(DISTINCT customer) FROM bought;
SELECT * FROM differing('SELECT bucket, customers, actual FROM checked WHERE breakdown = ''frequency''',
    'SELECT least(x, 7)::int, count(DISTINCT customer), count(days) FROM bought GROUP BY 1');
SELECT * FROM differing('SELECT bucket, actual FROM checked WHERE breakdown = ''week''',
    'SELECT week, (SELECT count(*) FROM bought WHERE days / 7 + 1 = week) FROM generate_series(1, 15) AS week');
SELECT max(abs(expected / nullif(actual, 0) - 1 - error)) < 1e-12 AS error FROM checked;
SELECT abs(sum(crm.expected_orders(h, m, '2025-10-01 00:00+09', '100 days')) / (SELECT expected FROM checked WHERE breakdown = 'total') - 1) < 1e-9 AS expected,
       abs(sum(crm.expected_orders(h, m, '2025-10-01 00:00+09', '14 days') - crm.expected_orders(h, m, '2025-10-01 00:00+09', '7 days'))
           / (SELECT expected FROM checked WHERE breakdown = 'week' AND bucket = 2) - 1) < 1e-9 AS second_week
FROM histories, (SELECT crm.mbgnbd_fit(h, 'week Asia/Tokyo', '2025-10-01 00:00+09') AS m FROM histories) AS fit;
SELECT breakdown, bucket, actual FROM crm.model_check('SELECT * FROM orders', 'day UTC', 'bgnbd', '2026-10-01', '1 year') WHERE breakdown = 'total';
SELECT count(*) AS rows FROM crm.model_check('SELECT * FROM orders', 'day UTC', 'mbgnbd', '2026-10-01', '30 years') WHERE breakdown = 'week';
SELECT count(*) AS rows FROM crm.model_check('SELECT * FROM orders', 'day UTC', 'bgnbd', '2020-10-01', '1 year');

-- 8. NULL and nothing.

SELECT crm.p_alive(NULL, m, now()) AS no_history, crm.p_alive(h, NULL::crm.mbgnbd, now()) AS no_model, crm.p_alive(h, m, NULL) AS no_time,
       crm.p_alive('[]', m, now()) AS empty, crm.p_alive('[["2026-01-01T00:00:00Z",-5]]', m, now()) AS refund_only, crm.p_alive(h, m, '2025-01-01') AS not_yet,
       crm.expected_orders('[]', m, now(), '1 year') AS orders, crm.next_order('[]', m, now()) AS next_order, crm.churn_risk('[]', m, now()) AS risk,
       crm.expected_order_value('[]', g, now()) AS order_value, crm.clv('[]', m, g, now(), '1 year') AS clv
FROM models, (SELECT crm.history '[["2026-01-01T00:00:00Z",5]]' AS h) AS v;
SELECT crm.bgnbd_fit(h, 'week UTC', now()) AS nobody, crm.gamma_gamma_fit(h, 'week UTC', now()) AS spending FROM histories WHERE false;
SELECT crm.bgnbd_fit(h, 'week UTC', '2024-01-01') AS not_yet, crm.bgnbd_fit(h, NULL, now()) AS no_calendar FROM histories;
SELECT crm.bgnbd_fit(NULL::bigint, 1, 2, 'week UTC') AS none, crm.sbg_fit(NULL, true) AS no_subscription;
SELECT crm.pareto_nbd_fit('SELECT * FROM orders WHERE false', 'week UTC') AS no_orders, crm.gamma_gamma_fit('SELECT * FROM orders WHERE false', 'week UTC', as_of => '2026-01-01') AS no_spending;
-- Without repeat orders the mean is that of all, where there is one.
SELECT round(crm.expected_order_value('[["2025-01-01T00:00:00Z",900]]', g, '2025-06-01')::numeric, 3) AS mean_of_all, round(((g).p * (g).gamma / ((g).q - 1))::numeric, 3) AS by_formula,
       crm.expected_order_value('[["2025-01-01T00:00:00Z",900]]', crm.gamma_gamma(6.25, 0.9, 15.44, 'week UTC'), '2025-06-01') AS infinite,
       crm.clv('[["2025-01-01T00:00:00Z",900]]', m, crm.gamma_gamma(6.25, 0.9, 15.44, 'week UTC'), '2025-06-01', '1 year') AS clv
FROM models;

-- 9. What is refused, and why.

SELECT regexp_replace(refused(statement), 'The \d{3,} bytes', 'The bytes') AS refused FROM unnest(ARRAY[
    $$SELECT crm.bgnbd(0, 1, 1, 1, 'week UTC')$$,
    $$SELECT crm.mbgnbd(1, 'NaN', 1, 1, 'week UTC')$$,
    $$SELECT crm.pareto_nbd(1, 1, 'infinity', 1, 'week UTC')$$,
    $$SELECT crm.gamma_gamma(1, -1, 1, 'week UTC')$$,
    $$SELECT crm.sbg(1, 0)$$,
    $$SELECT crm.bgnbd(1, 1, 1, 1, 'month UTC')$$,
    $$SELECT crm.bgnbd(1, 1, 1, 1, '7 days UTC')$$,
    $$SELECT crm.bgnbd_fit(h, 'month UTC', now()) FROM histories$$,
    $$SELECT crm.bgnbd_fit(h, 'week UTC', at) FROM histories, (VALUES (timestamptz '2026-01-01'), ('2026-01-02')) AS v(at)$$,
    $$SELECT crm.bgnbd_fit(h, c, '2026-01-01') FROM histories, (VALUES (crm.calendar 'week UTC'), ('day UTC')) AS v(c)$$,
    $$SELECT crm.bgnbd_fit(h, 'week UTC', '2026-01-01', m) FROM histories, (VALUES (crm.fit_method 'map'), ('automatic')) AS v(m)$$,
    $$SELECT crm.bgnbd_fit(h, 'week UTC', 'infinity') FROM histories$$,
    $$SELECT crm.bgnbd_fit(1, 2, 1, 'week UTC')$$,
    $$SELECT crm.bgnbd_fit(1, 0, 1, 'week UTC')$$,
    $$SELECT crm.bgnbd_fit(0, 1, 1, 'week UTC')$$,
    $$SELECT crm.bgnbd_fit(-1, 0, 1, 'week UTC')$$,
    $$SELECT crm.bgnbd_fit(1, 'NaN', 1, 'week UTC')$$,
    $$SELECT crm.gamma_gamma_fit(1, 'NaN', 'week UTC')$$,
    $$SELECT crm.gamma_gamma_fit(-1, 5, 'week UTC')$$,
    $$SELECT crm.bgnbd_fit(h, 'week UTC', '2026-01-01') FROM histories WHERE customer < 25$$,
    $$SELECT crm.gamma_gamma_fit(h, 'week UTC', '2026-01-01') FROM histories WHERE customer < 25$$,
    $$SELECT crm.sbg_fit(1, true)$$,
    $$SELECT crm.sbg_fit(-1, true)$$,
    $$SELECT crm.sbg_fit(100001, true)$$,
    $$SELECT crm.p_alive(1, 2, 1, m) FROM models$$,
    $$SELECT crm.p_alive(1, 0, 1, b) FROM models$$,
    $$SELECT crm.p_alive(h, ROW(1, 1, 1, NULL, 'week UTC', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::crm.bgnbd, now()) FROM histories$$,
    $$SELECT crm.p_alive(h, ROW(1, 1, 1, -1, 'week UTC', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::crm.bgnbd, now()) FROM histories$$,
    $$SELECT crm.p_alive(h, ROW(1, 1, 1, 1, 'year UTC', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::crm.bgnbd, now()) FROM histories$$,
    $$SELECT crm.p_alive(h, m, 'infinity') FROM histories, models$$,
    $$SELECT crm.expected_orders(h, m, '2026-01-01', '-1 day') FROM histories, models$$,
    $$SELECT crm.expected_orders(h, m, '2026-01-01', '300000 years') FROM histories, models$$,
    $$SELECT crm.expected_orders(1, 1, 2, m, -1) FROM models$$,
    $$SELECT crm.expected_orders(1, 1, 2, m, 'NaN') FROM models$$,
    $$SELECT crm.clv(h, m, g, '2026-01-01', '1 year', -0.1) FROM histories, models$$,
    $$SELECT crm.clv(h, m, g, '2026-01-01', '1 year', 'NaN') FROM histories, models$$,
    $$SELECT crm.clv(h, m, crm.gamma_gamma(1, 1, 1, 'week Asia/Tokyo'), '2026-01-01', '1 year') FROM histories, models$$,
    $$SELECT crm.expected_order_value(-1, 1, g) FROM models$$,
    $$SELECT crm.sbg_survival(s, -1) FROM models$$,
    $$SELECT crm.sbg_lifetime(s, -1, 0.1) FROM models$$,
    $$SELECT crm.sbg_lifetime(s, 1, -0.1) FROM models$$,
    $$SELECT crm.sbg_lifetime(s, 1, 'NaN') FROM models$$,
    $$SELECT * FROM crm.lifetime_table(NULL, 'week UTC', now())$$,
    $$SELECT * FROM crm.lifetime_table('SELECT * FROM orders', NULL, now())$$,
    $$SELECT * FROM crm.lifetime_table('SELECT * FROM orders', 'week UTC', model => NULL)$$,
    $$SELECT * FROM crm.lifetime_table('SELECT * FROM orders', 'quarter UTC')$$,
    $$SELECT * FROM crm.lifetime_table('SELECT * FROM orders', 'week UTC', horizon => '-1 year')$$,
    $$SELECT * FROM crm.lifetime_table('SELECT * FROM orders', 'week UTC', yearly_discount => -1)$$,
    $$SELECT * FROM crm.lifetime_table('SELECT md5(customer::text), at, amount FROM orders', 'week UTC')$$,
    $$SELECT * FROM crm.lifetime_table('SELECT * FROM orders WHERE customer < 25', 'week UTC')$$,
    $$SELECT * FROM crm.model_check('SELECT * FROM orders', 'week UTC', 'bgnbd', '2025-10-01', '1 hour')$$,
    $$SELECT * FROM crm.model_check('SELECT * FROM orders', 'week UTC', 'bgnbd', '2025-10-01', '1000 years')$$,
    $$SELECT * FROM crm.model_check('SELECT * FROM orders', 'week UTC', 'bgnbd', '2025-10-01', NULL)$$,
    $$SELECT crm.bgnbd_finish('\x')$$,
    $$SELECT crm.bgnbd_finish('\x0102030405060708090a0b0c0d0e0f10')$$,
    $$SELECT crm.btyd_combine(crm.btyd_accumulate(NULL, 1, 1, 2, 'week UTC'), crm.gamma_gamma_accumulate(NULL, 1, 1, 'week UTC'))$$,
    $$SELECT crm.btyd_combine(crm.btyd_accumulate(NULL, 1, 1, 2, 'week UTC'), crm.btyd_accumulate(NULL, 1, 1, 2, 'day UTC'))$$,
    $$SELECT crm.gamma_gamma_finish(crm.btyd_accumulate(NULL, 1, 1, 2, 'week UTC'))$$,
    $$SELECT crm.sbg_finish('\x00')$$,
    $$SELECT crm.bgnbd_fit(c) FROM (VALUES ('\x00'::bytea)) AS v(c)$$,
    $$SELECT crm.gamma_gamma_fit(counts) FROM parts$$,
    $$SELECT crm.mbgnbd_fit(c) FROM (SELECT counts FROM parts UNION ALL SELECT map_counts FROM parts) AS mixed(c)$$,
    $$SELECT crm.sbg_fit(c) FROM (VALUES ('\x0102030405060708090a0b0c0d0e0f10'::bytea)) AS v(c)$$
]) AS statement;

-- 10. Hostile populations.

-- Nobody repeats.
SELECT refused($$SELECT crm.bgnbd_fit(0, 0, t, 'week UTC') FROM generate_series(1, 1000) AS t$$);
-- Everybody buys again on the same day.
SELECT (m).status, (m).reason IS NOT NULL AS says_why, (m).method, crm.p_alive(1, 1, 10, m) BETWEEN 0 AND 1 AS p_alive
FROM (SELECT crm.bgnbd_fit(1, 1, 10, 'week UTC') AS m FROM generate_series(1, 1000)) AS f;
-- All orders of everybody on one day: nobody has repeated.
SELECT refused($$SELECT crm.bgnbd_fit(h, 'day UTC', '2026-01-01') FROM (SELECT crm.history('2025-06-01'::timestamptz + n * interval '1 second', 5) AS h
                 FROM generate_series(1, 1000) AS c, generate_series(1, 3) AS n GROUP BY c) AS all_of_them$$);
-- One customer with 100,000 orders, of which each day is one.
SELECT (m).status, (m).customers, crm.p_alive(h, m, '2026-01-01') BETWEEN 0 AND 1 AS p_alive, crm.expected_orders(h, m, '2026-01-01', '1 year') > 0 AS orders
FROM (SELECT crm.mbgnbd_fit(h, 'day UTC', '2026-01-01') AS m FROM (SELECT h FROM histories UNION ALL SELECT crm.history(at, 1) FROM generate_series(timestamptz '2014-08-01', '2025-12-31', '1 hour') AS at) AS all_of_them) AS f,
     (SELECT crm.history(at, 1) AS h FROM generate_series(timestamptz '2014-08-01', '2025-12-31', '1 hour') AS at) AS one;
SELECT (m).status IS NOT NULL AS fitted, crm.p_alive(100000, 100000, 100000, m) BETWEEN 0 AND 1 AS p_alive
FROM (SELECT crm.mbgnbd_fit(x, t_x, t, 'day UTC') AS m
      FROM (SELECT x, t_x, t FROM seen('UTC', '2026-01-01') UNION ALL VALUES (100000::bigint, 100000::float8, 100000::float8)) AS s) AS f;
-- Small shops: an answer with its status.
SELECT n, (m).status, (m).method, (m).reason IS NOT NULL AS says_why, (m).r > 0 AND (m).alpha > 0 AND (m).a > 0 AND (m).b > 0 AS sensible
FROM (SELECT n, crm.mbgnbd_fit(h, 'week UTC', '2025-12-31') AS m FROM histories, (VALUES (60), (300)) AS v(n) WHERE customer <= n GROUP BY n) AS f ORDER BY n;
-- No homogeneous population tells its spread: subscriptions that all cancel with a chance of one half.
SELECT (s).status, (s).reason IS NOT NULL AS says_why, round(crm.sbg_survival(s, 1)::numeric, 2) AS first
FROM (SELECT crm.sbg_fit(renewals, true) AS s FROM generate_series(0, 9) AS renewals, generate_series(1, (2 ^ (9 - renewals))::int)) AS f;

SET client_min_messages = warning;
DROP SCHEMA lifetime_test CASCADE;
