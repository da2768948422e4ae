SET search_path = public, crm;
SET TimeZone = 'UTC';
SET extra_float_digits = 0;

CREATE TABLE customers AS
SELECT name, history(timestamptz '2026-01-01' + day * interval '1 day', CASE WHEN name = 'refunded' AND day > 50 THEN -5 ELSE 100 END)
       FILTER (WHERE day IS NOT NULL) AS h
FROM (VALUES ('steady', '{0,20,40,60,80,100}'::numeric[]), ('widening', '{0,10,22,37,55,78,106}'), ('narrowing', '{0,40,70,90,100,105}'),
             ('once', '{60}'), ('twice', '{60,90}'), ('one visit', '{60,60.2,60.9}'), ('late', '{0,10,20,30}'),
             ('refunded', '{0,10,20,30,90}'), ('future', '{200}'), ('outlier', '{0,10,20,90,100,110}')) AS v(name, days),
     unnest(days) AS day
GROUP BY name;

SELECT name, (dormancy(h, '2026-04-21')).* FROM customers ORDER BY name;
SELECT name, (dormancy(h, '2026-04-21', 45)).* FROM customers ORDER BY name;

-- nothing known
SELECT dormancy(NULL, '2026-01-01'), dormancy('[]', '2026-01-01'), dormancy('[]', '2026-01-01', 30), dormancy(NULL, '2026-01-01', 30),
       dormancy((SELECT h FROM customers WHERE name = 'steady'), NULL, 30);
SELECT name FROM customers WHERE dormancy(h, '2025-12-31') IS NOT NULL;
-- NULL is as if no typical days were given
SELECT bool_and(dormancy(h, '2026-04-21') IS NOT DISTINCT FROM dormancy(h, '2026-04-21', NULL::float8)) FROM customers;
-- as of a time, what comes later does not exist
SELECT bool_and(dormancy(h, at) IS NOT DISTINCT FROM dormancy(until(h, at), at)) FROM customers,
    generate_series(timestamptz '2026-01-01', '2026-08-01', '1 week') AS at;

-- with a model: the larger of the rhythm's score and of what it says, in words too
SELECT name, round((d).p_alive::numeric, 3) AS p_alive, round((d).score::numeric, 3) AS score, (d).reasons
FROM (SELECT name, dormancy(h, '2026-04-21', mbgnbd(0.9, 8.0, 0.8, 2.5, 'week UTC')) AS d FROM customers) AS v ORDER BY name;
SELECT model, count(*), bool_and((d).p_alive = p) AS p_alive, bool_and((d).score = greatest((w).score, 1 - p)) AS score,
       bool_and(((d).purchases, (d).days_since, (d).typical_days, (d).days_overdue, (d).gaps, (d).gap_trend, (d).gap_change, (d).gap_p)
                IS NOT DISTINCT FROM ((w).purchases, (w).days_since, (w).typical_days, (w).days_overdue, (w).gaps, (w).gap_trend, (w).gap_change, (w).gap_p)) AS rest,
       bool_and((d).reasons @> (w).reasons AND cardinality((d).reasons) = cardinality((w).reasons) + 1) AS reasons,
       bool_and((d).reasons[1] ~ 'model' = (1 - p > coalesce((w).score, 0))) AS what_decides_is_first
FROM (SELECT 'mbgnbd' AS model, dormancy(h, '2026-04-21', m, t) AS d, dormancy(h, '2026-04-21', t) AS w, p_alive(h, m, '2026-04-21') AS p
      FROM customers, mbgnbd(0.9, 8.0, 0.8, 2.5, 'week UTC') AS m, unnest('{30,NULL}'::float8[]) AS t UNION ALL
      SELECT 'bgnbd', dormancy(h, '2026-04-21', m, t), dormancy(h, '2026-04-21', t), p_alive(h, m, '2026-04-21')
      FROM customers, bgnbd(0.9, 8.0, 0.8, 2.5, 'week UTC') AS m, unnest('{30,NULL}'::float8[]) AS t UNION ALL
      SELECT 'pareto_nbd', dormancy(h, '2026-04-21', m, t), dormancy(h, '2026-04-21', t), p_alive(h, m, '2026-04-21')
      FROM customers, pareto_nbd(0.9, 8.0, 0.8, 12.5, 'week UTC') AS m, unnest('{30,NULL}'::float8[]) AS t) AS v
WHERE p IS NOT NULL GROUP BY model ORDER BY model;
SELECT bool_and(dormancy(h, '2026-04-21', NULL::mbgnbd) IS NOT DISTINCT FROM dormancy(h, '2026-04-21')) AS without FROM customers;
SELECT dormancy('[]', '2026-04-21', mbgnbd(1, 8, 1, 2, 'week UTC')), dormancy(NULL, '2026-04-21', mbgnbd(1, 8, 1, 2, 'week UTC'));

-- errors
SELECT dormancy(h, 'infinity') FROM customers WHERE name = 'once';
SELECT dormancy(h, '2026-04-21', x) FROM customers, unnest('{1}'::float8[]) AS x WHERE name = 'once';
SELECT dormancy(h, '2026-04-21', 0) FROM customers WHERE name = 'once';
SELECT dormancy(h, '2026-04-21', 'NaN'::float8) FROM customers WHERE name = 'once';
SELECT dormancy(h, '2026-04-21', 'Infinity'::float8) FROM customers WHERE name = 'once';

-- the columns against plain SQL
WITH gaps AS (
    SELECT name, h, gap, n
    FROM (SELECT c.name, c.h, p.ordered_at, extract(epoch FROM p.ordered_at - lag(p.ordered_at) OVER w) / 86400 AS gap, row_number() OVER w AS n
          FROM customers AS c, purchases(c.h) AS p WHERE p.amount >= 0 AND p.ordered_at <= '2026-04-21'
          WINDOW w AS (PARTITION BY c.name ORDER BY p.ordered_at)) AS each
    WHERE gap >= 1
), expected AS (
    SELECT name, percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) AS typical,
           (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY (b.gap - a.gap) / (b.n - a.n))
            FROM gaps AS a, gaps AS b WHERE a.name = g.name AND b.name = g.name AND a.n < b.n) AS slope
    FROM gaps AS g GROUP BY name
)
SELECT count(*), bool_and(abs((d).typical_days - typical) < 1e-9) AS typical, bool_and(abs((d).gap_change - slope) < 1e-9) AS slope
FROM (SELECT name, dormancy(h, '2026-04-21') AS d FROM customers) AS c JOIN expected USING (name);

-- signals
SELECT (signal_trend(timestamptz '2026-01-01' + g * interval '1 day', 100 - 3 * g)).* FROM generate_series(1, 8) AS g;
SELECT (signal_trend(timestamptz '2026-01-01' + g * interval '7 days', v)).*
FROM unnest('{1,1,1,0,1,0,0,0,0,0}'::float8[]) WITH ORDINALITY AS o(v, g);
SELECT (signal_trend(at, v)).* FROM (VALUES (timestamptz '2026-01-01', 5.0), ('2026-01-01', 7), (NULL, 1), ('2026-02-01', NULL)) AS o(at, v);
SELECT (signal_trend('2026-01-01', 5)).*;
SELECT signal_trend(NULL, 5), signal_trend(now(), NULL);
SELECT signal_trend('infinity', 5);
SELECT signal_trend('2026-01-01', 'NaN');
SELECT signal_trend('2026-01-01', '-Infinity');
SELECT signal_trend('2026-01-01', 1e101);
SELECT signal_trend_finish('\x00');
-- the latest 500, whatever the order, the plan and the way of merging
CREATE TABLE signals AS
SELECT g % 3 AS who, timestamptz '2020-01-01' + (hashint8extended(g, 1) % 1000000) * interval '1 minute' AS at, (hashint8extended(g, 2) % 100)::float8 AS v
FROM generate_series(1, 6000) AS g;
SELECT who, (signal_trend(at, v)).observations, signal_trend(at, v) = signal_trend(at, v ORDER BY at DESC) AS same,
       (signal_trend(at, v)).usual = (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY v)
           FROM (SELECT v FROM signals AS l WHERE l.who = s.who ORDER BY at DESC, v DESC LIMIT 500) AS latest) AS usual
FROM signals AS s GROUP BY who ORDER BY who;
SELECT signal_trend(at, v) AS serial FROM signals \gset
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT signal_trend(at, v)::text = :'serial' AS same FROM signals;
RESET ALL;

DROP TABLE public.customers, public.signals;
