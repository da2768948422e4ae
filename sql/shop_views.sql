-- shop: what the views say, against plain SQL over the orders
SET TimeZone = 'America/St_Johns'; -- nobody's: days and months are the shop's
SET DateStyle = 'ISO, YMD';
SET client_min_messages = warning;

CREATE TABLE sales (id serial PRIMARY KEY, who uuid, at timestamptz, yen bigint, via text);
INSERT INTO sales (who, at, yen, via)
SELECT md5(c::text)::uuid,
       timestamptz '2025-01-01 00:00+09' + (hashint8extended(c, 1) & 255) * interval '1 day'
           + n * (1 + (hashint8extended(c, 2) & 63)) * interval '1 day' + (hashint8extended(c * 100 + n, 3) & 86399) * interval '1 second',
       CASE WHEN (hashint8extended(c * 100 + n, 4) & 15) = 0 THEN -500 ELSE 1000 + (hashint8extended(c * 100 + n, 5) & 8191) END,
       (ARRAY['ad', 'search', 'mail'])[1 + (hashint8extended(c * 100 + n, 6) & 1)::int]
FROM generate_series(1, 300) AS c, generate_series(0, ((hashint8extended(c, 7) & 7) * (hashint8extended(c, 8) & 1))::int) AS n;
SELECT subject, value FROM crm.create_shop('shop', 'sales', 'who', 'at', 'yen', channel => 'via', zone => 'Asia/Tokyo',
    tiers => crm.tier_ladder('{bronze,silver,gold}', '{0,10000,30000}'))
WHERE subject !~ 'order$';
CALL crm.refresh('shop', '2025-12-31 12:00+09');

-- the orders that exist at the end of the shop's day
CREATE VIEW known AS
    SELECT *, at AT TIME ZONE 'Asia/Tokyo' AS local, date_trunc('month', at AT TIME ZONE 'Asia/Tokyo')::date AS month,
           yen >= 0 AS purchase, at > timestamptz '2025-01-01 00:00+09' - interval '1 microsecond' AS in_span
    FROM sales WHERE at < '2026-01-01 00:00+09';
CREATE VIEW plain AS
    SELECT who, min(at) FILTER (WHERE purchase) AS first_at, max(at) FILTER (WHERE purchase) AS last_at,
           count(*) FILTER (WHERE purchase) AS orders, sum(yen) AS revenue, -coalesce(sum(yen) FILTER (WHERE NOT purchase), 0) AS refunded,
           count(*) FILTER (WHERE purchase AND in_span) AS frequency, sum(yen) FILTER (WHERE in_span) AS monetary,
           (array_agg(via ORDER BY at) FILTER (WHERE purchase))[1] AS via, min(month) FILTER (WHERE purchase) AS month
    FROM known GROUP BY who HAVING bool_or(purchase);
SELECT count(*) AS customers, count(*) FILTER (WHERE
    (c.first_order_at, c.last_order_at, c.orders, c.revenue, c.refunded, c.entry_channel, c.cohort_month)
        IS NOT DISTINCT FROM (p.first_at, p.last_at, p.orders::int, p.revenue, p.refunded, p.via, p.month)
    AND c.first_order_date = (p.first_at AT TIME ZONE 'Asia/Tokyo')::date AND c.last_order_date = (p.last_at AT TIME ZONE 'Asia/Tokyo')::date
    AND c.recency_days = floor(extract(epoch FROM timestamptz '2025-12-31 23:59:59.999999+09' - p.last_at) / 86400)
    AND (c.frequency, c.monetary) = (p.frequency::int, coalesce(p.monetary, 0))
    AND c.average_order_value = round(p.revenue / p.orders, 2)
    AND c.r = 1 + (c.recency_days <= 180)::int + (c.recency_days <= 90)::int + (c.recency_days <= 60)::int + (c.recency_days <= 30)::int
    AND c.f = 1 + (c.frequency >= 2)::int + (c.frequency >= 4)::int + (c.frequency >= 7)::int + (c.frequency >= 10)::int
    AND c.m = 1 + (c.monetary >= 10000)::int + (c.monetary >= 30000)::int + (c.monetary >= 50000)::int + (c.monetary >= 100000)::int
    AND c.score = concat(c.r, c.f, c.m) AND c.segment = crm.rfm_segment(c.score::crm.rfm_score, 'six')
    AND c.tier = CASE WHEN c.monetary >= 30000 THEN 'gold' WHEN c.monetary >= 10000 THEN 'silver' ELSE 'bronze' END
    AND c.next_tier IS NOT DISTINCT FROM CASE c.tier WHEN 'bronze' THEN 'silver' WHEN 'silver' THEN 'gold' END
    AND c.to_next_tier IS NOT DISTINCT FROM CASE c.tier WHEN 'bronze' THEN 10000 - c.monetary WHEN 'silver' THEN 30000 - c.monetary END
    AND c.as_of = '2025-12-31 23:59:59.999999+09' AND c.as_of_date = '2025-12-31') AS as_plain_sql_says
FROM shop.customer AS c FULL JOIN plain AS p ON p.who = c.customer_id;
SELECT orders, recency_days, (last_order_at - first_order_at) AS life, typical_days, days_overdue, gap_trend, dormancy, segment_label, segment_label_ja, tier_label_ja
FROM shop.customer ORDER BY customer_id LIMIT 5;
-- the shop's usual days are the middle of its customers', and count as one gap of each
WITH gaps AS (
    SELECT who, gap FROM (SELECT who, extract(epoch FROM at - lag(at) OVER (PARTITION BY who ORDER BY at)) / 86400 AS gap FROM known WHERE purchase) AS g
    WHERE gap >= 1
), usual AS (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY days) AS days FROM (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) AS days FROM gaps GROUP BY who) AS own
), own AS (
    SELECT who, percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) AS days
    FROM (SELECT who, gap FROM gaps UNION ALL SELECT p.who, u.days FROM plain AS p, usual AS u) AS g GROUP BY who
)
SELECT count(*), count(*) FILTER (WHERE c.typical_days = round(o.days::numeric, 1)
    AND c.days_overdue = round(greatest(0, since - o.days)::numeric, 1)
    AND c.dormancy IN (v.score, round((v.score + 0.25 * (1 - v.score))::numeric, 3))) AS as_plain_sql_says,
    count(gap_trend) = count(*) FILTER (WHERE (SELECT count(*) FROM gaps AS g WHERE g.who = customer_id) >= 4) AS trends
FROM shop.customer AS c JOIN own AS o ON o.who = c.customer_id,
     LATERAL (SELECT extract(epoch FROM c.as_of - c.last_order_at) / 86400 AS since) AS s,
     LATERAL (SELECT round((CASE WHEN since <= o.days THEN 0 ELSE 1 - 2 ^ (1 - since / o.days) END)::numeric, 3) AS score) AS v;

SELECT position, s.segment, label, label_ja, customers, share, revenue,
       (customers, revenue, monetary) = (coalesce(n.n, 0), coalesce(n.r, 0), coalesce(n.m, 0)) AS as_customers_say
FROM shop.rfm_segment AS s
     LEFT JOIN (SELECT segment, count(*) AS n, sum(revenue) AS r, sum(monetary) AS m FROM shop.customer GROUP BY 1) AS n USING (segment)
ORDER BY position;

-- cohorts, months and the ladder
WITH cells AS (
    SELECT p.month AS cohort_month, k.month, count(DISTINCT k.who) FILTER (WHERE k.purchase) AS retained,
           count(*) FILTER (WHERE k.purchase) AS orders, sum(k.yen) AS revenue
    FROM known AS k JOIN plain AS p USING (who) WHERE k.month >= p.month GROUP BY 1, 2
), early AS ( -- refunds before the month of the first purchase count at age 0
    SELECT p.month, sum(k.yen) AS revenue FROM known AS k JOIN plain AS p USING (who) WHERE k.month < p.month GROUP BY 1
)
SELECT count(*) AS cells, count(*) FILTER (WHERE
    (v.retained, v.orders, v.revenue) = (coalesce(c.retained, 0), coalesce(c.orders, 0),
        coalesce(c.revenue, 0) + CASE WHEN v.age = 0 THEN coalesce((SELECT e.revenue FROM early AS e WHERE e.month = v.cohort_month), 0) ELSE 0 END)
    AND v.customers = (SELECT count(*) FROM plain AS p WHERE p.month = v.cohort_month)
    AND v.retention IS NOT DISTINCT FROM CASE WHEN v.elapsed THEN v.retained::float8 / v.customers END) AS as_plain_sql_says
FROM shop.cohort_month AS v FULL JOIN cells AS c USING (cohort_month, month);
SELECT count(*) AS months, count(*) FILTER (WHERE
    (v.customers, v.new_customers, v.orders, v.revenue) = (p.customers, p.new_customers, p.orders, p.revenue) AND v.returning_customers = p.customers - p.new_customers
    AND v.repeat_rate = round((p.customers - p.new_customers)::numeric / p.customers, 4)) AS as_plain_sql_says
FROM shop.kpi_month AS v FULL JOIN (
    SELECT k.month, count(DISTINCT who) FILTER (WHERE purchase) AS customers, count(*) FILTER (WHERE purchase) AS orders,
           count(DISTINCT who) FILTER (WHERE p.month = k.month) AS new_customers, sum(k.yen) AS revenue
    FROM known AS k LEFT JOIN plain AS p USING (who) GROUP BY 1) AS p USING (month);
SELECT sum(revenue) = (SELECT sum(yen) FROM known) AS all_revenue FROM shop.kpi_month;
SELECT count(DISTINCT who) FILTER (WHERE p.who IS NULL) > 5 AS some_never_bought, count(DISTINCT who) FILTER (WHERE k.month < p.month) > 5 AS some_bought_later
FROM known AS k LEFT JOIN plain AS p USING (who) WHERE NOT purchase;
-- refunds before any purchase have months of their own; those of tomorrow none
INSERT INTO sales (who, at, yen) VALUES (md5('early')::uuid, '2024-11-05', -70), (md5('late')::uuid, '2024-10-05', -10), (md5('late')::uuid, '2026-01-20', 50),
    (md5('later')::uuid, '2026-01-21', -30);
CALL crm.refresh('shop', '2025-12-31 12:00+09');
SELECT month, customers, new_customers, returning_customers, repeat_rate, orders, revenue, average_order_value, ltv FROM shop.kpi_month ORDER BY month LIMIT 3;
SELECT sum(revenue) = (SELECT sum(yen) FROM known) AS all_revenue FROM shop.kpi_month;
DELETE FROM sales WHERE who IN (md5('early')::uuid, md5('late')::uuid, md5('later')::uuid);
CALL crm.refresh('shop', '2025-12-31 12:00+09');
SELECT month, new_customers, returning_customers, repeat_rate, round(f2_rate::numeric, 4) AS f2_rate, average_order_value, ltv, is_complete
FROM shop.kpi_month ORDER BY month LIMIT 3;
SELECT l.nth, l.customers, l.customers = (SELECT count(*) FROM plain AS p WHERE p.orders >= l.nth) AS as_plain_sql_says
FROM shop.repeat_ladder AS l ORDER BY nth;
SELECT nth, repeated = (SELECT count(*) FROM (SELECT lead(at) OVER w - at <= interval '90 days' AS soon, row_number() OVER w AS n
                        FROM known WHERE purchase WINDOW w AS (PARTITION BY who ORDER BY at)) AS x WHERE x.n = 1 AND soon) AS as_plain_sql_says
FROM shop.repeat_ladder WHERE nth = 1;

-- lifetime: what the models of the month say, and these are what the fits give
SELECT count(*) AS customers, count(*) FILTER (WHERE
    (c.p_alive, c.churn_risk, c.expected_orders, c.next_order_at) IS NOT DISTINCT FROM
        (crm.p_alive(o.h, m.churn, c.as_of), crm.churn_risk(o.h, m.churn, c.as_of), crm.expected_orders(o.h, m.churn, c.as_of, '1 year'),
         crm.next_order(o.h, m.churn, c.as_of))
    AND c.clv IS NOT DISTINCT FROM round(crm.clv(o.h, m.churn, m.spend, c.as_of, '1 year', 0.1)::numeric, 2)
    AND c.next_order_date IS NOT DISTINCT FROM (c.next_order_at AT TIME ZONE 'Asia/Tokyo')::date) AS as_the_models_say
FROM shop.customer AS c JOIN (SELECT who, crm.history(at, yen) AS h FROM known GROUP BY who) AS o ON o.who = c.customer_id, shop.model AS m;
SELECT fitted_on, churn = (SELECT crm.mbgnbd_fit(h, 'week Asia/Tokyo', '2025-12-31 23:59:59.999999+09') FROM (SELECT crm.history(at, yen) AS h FROM sales GROUP BY who) AS x) AS churn,
       spend = (SELECT crm.gamma_gamma_fit(h, 'week Asia/Tokyo', '2025-12-31 23:59:59.999999+09') FROM (SELECT crm.history(at, yen) AS h FROM sales GROUP BY who) AS x) AS spend, note
FROM shop.model;

-- answers as they were known on each day, by asking every day

CREATE TABLE day_by_day AS SELECT as_of_date AS day, customer_id, score, segment, tier FROM shop.customer;
DO $$
BEGIN
    FOR day IN 1..20 LOOP
        INSERT INTO sales (who, at, yen, via)
        SELECT md5((day * 13 + g)::text)::uuid, timestamptz '2026-01-01 09:00+09' + (day - 1 - g) * interval '1 day', 5000 * g, 'mail'
        FROM generate_series(0, 3) AS g;
        DELETE FROM sales WHERE id % 211 = day;
        IF day % 4 > 0 THEN -- on some days nobody looks, on others twice
            CALL crm.refresh('shop', timestamptz '2025-12-31 10:00+09' + day * interval '1 day');
            UPDATE sales SET yen = yen + 3000 WHERE id % 197 = day;
            CALL crm.refresh('shop', timestamptz '2025-12-31 11:00+09' + day * interval '1 day');
            INSERT INTO day_by_day SELECT as_of_date, customer_id, score, segment, tier FROM shop.customer;
        END IF;
        IF day = 10 THEN
            CALL crm.rebuild('shop', timestamptz '2025-12-31 11:00+09' + day * interval '1 day');
        END IF;
    END LOOP;
END $$;
SELECT count(*) AS answers, count(DISTINCT d.day) AS days, count(*) FILTER (WHERE
    (d.score, d.segment, d.tier) IS NOT DISTINCT FROM (h.score, h.segment, h.tier)) AS as_known_then
FROM day_by_day AS d FULL JOIN (SELECT g.day::date, h.* FROM generate_series('2025-12-31'::date, '2026-01-20', '1 day') AS g (day)
                                JOIN shop.answer_history AS h ON g.day BETWEEN h.valid_from AND h.valid_to) AS h
     ON (h.day, h.customer_id) = (d.day, d.customer_id)
WHERE extract(day FROM coalesce(d.day, h.day))::int % 4 <> 0 OR coalesce(d.day, h.day) = '2025-12-31';
SELECT count(*) > 30 AS some, count(*) FILTER (WHERE m.customers IS DISTINCT FROM d.n) AS wrong_moves
FROM (SELECT day, from_segment, to_segment, customers FROM shop.segment_move) AS m
     FULL JOIN (
        SELECT x.day, b.segment AS from_segment, a.segment AS to_segment, count(*) AS n
        FROM (SELECT d.day, c.customer_id FROM (SELECT DISTINCT day FROM day_by_day) AS d, (SELECT DISTINCT customer_id FROM day_by_day) AS c) AS x
             LEFT JOIN day_by_day AS a ON (a.day, a.customer_id) = (x.day, x.customer_id)
             LEFT JOIN day_by_day AS b ON b.customer_id = x.customer_id
                AND b.day = (SELECT max(day) FROM day_by_day AS e WHERE e.day < x.day)
        WHERE a.segment IS DISTINCT FROM b.segment AND x.day > '2025-12-31'
        GROUP BY 1, 2, 3) AS d
     ON m.day = d.day AND m.from_segment IS NOT DISTINCT FROM d.from_segment AND m.to_segment IS NOT DISTINCT FROM d.to_segment;
SELECT valid_from, valid_to, score, segment, tier, is_current FROM shop.answer_history WHERE customer_id = md5('13')::uuid ORDER BY 1;

SELECT fitted_on, NOT (churn IS NULL) AS churn, note FROM shop.model ORDER BY 1;

-- kept for a time; not at all; and forgotten by going back
SELECT known_since, (SELECT min(day) FROM shop.answer_change) FROM shop.scoring;
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', answers_kept => '5 days');
CALL crm.refresh('shop', '2026-01-20 12:00+09');
SELECT known_since, (SELECT min(day) FROM shop.answer_change) FROM shop.scoring;
SELECT count(DISTINCT d.day) AS days, count(*) = count(h.customer_id) AS all_known FROM day_by_day AS d
     LEFT JOIN shop.answer_history AS h ON h.customer_id = d.customer_id AND d.day BETWEEN h.valid_from AND h.valid_to
        AND (d.score, d.segment, d.tier) IS NOT DISTINCT FROM (h.score, h.segment, h.tier)
WHERE d.day >= '2026-01-15' AND extract(day FROM d.day)::int % 4 > 0;
CALL crm.rebuild('shop', '2026-01-10 12:00+09');
SELECT known_since, day, (SELECT count(*) FROM shop.answer_change) FROM shop.scoring;
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', unset => '{answers_kept,tiers}', span => '30 days');
CALL crm.refresh('shop', '2026-02-10 12:00+09');
SELECT known_since, day, (SELECT count(*) FROM shop.answer_change) FROM shop.scoring;
SELECT count(*), count(tier), count(next_tier), bool_and(frequency <= 3) FROM shop.customer;
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', unset => '{span}');
CALL crm.refresh('shop', '2026-02-10 12:00+09');
SELECT bool_and(frequency = orders AND monetary = revenue) AS lifetime FROM shop.customer;

-- the score in one step is the score in two
SELECT count(*) AS customers, count(*) FILTER (WHERE
    crm.rfm_score(h.history, d, s, b)::text IS NOT DISTINCT FROM crm.rfm_grade(crm.rfm(h.history, d, s), b)::text) AS same,
    count(*) FILTER (WHERE crm.rfm_score(h.history, d, s, b) IS NULL) > 0 AS nobody_yet
FROM shop.customer_history AS h,
     (VALUES (timestamptz '2025-06-01', interval '1 year'), ('2026-02-01', NULL), ('2025-12-31', '90 days')) AS v (d, s),
     (VALUES (crm.rfm_bands()), (ROW ('{10}', '{2}', '{5000}')::crm.rfm_bands)) AS w (b);
SELECT crm.rfm_score(NULL, now(), NULL, crm.rfm_bands()), crm.rfm_score('[]', now(), NULL, crm.rfm_bands()),
       crm.rfm_score('[["2025-01-01T00:00:00Z",1]]', '2025-01-02', NULL, NULL),
       crm.rfm_score('[["2025-01-01T00:00:00Z",1]]', NULL, NULL, crm.rfm_bands());
SELECT crm.rfm_score('[["2025-01-01T00:00:00Z",1]]', '2025-01-02', '-1 day', crm.rfm_bands());
SELECT crm.rfm_score('[["2025-01-01T00:00:00Z",1]]', '2025-01-02', NULL, ROW ('{5,4}', '{2,1}', '{2,1}')::crm.rfm_bands);

-- quantile grades and own maps: as rfm_table says, with cut points that stay for a quarter

SELECT crm.define_rfm_map('by recency', ARRAY[('lately', 'Lately', '最近', '{[45]..}'), ('before', NULL, NULL, '{[1-3]..}')]::crm.rfm_rule[]);
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', grades => 5, map => 'by recency', span => '1 year');
CALL crm.refresh('shop', '2026-02-11 12:00+09');
CREATE FUNCTION same_as_table(at timestamptz) RETURNS TABLE (customers bigint, same bigint) LANGUAGE sql SET TimeZone = 'Asia/Tokyo' AS $$
    SELECT count(*), count(*) FILTER (WHERE (c.score, c.segment) = (t.score::text, t.segment))
    FROM shop.customer AS c
         FULL JOIN crm.rfm_table('SELECT who, at, yen FROM sales', NULL::uuid, bands => (SELECT bands FROM shop.scoring), map => 'by recency',
                                 as_of => $1) AS t USING (customer_id)
$$;
SELECT * FROM same_as_table('2026-02-11 23:59:59.999999+09');
SELECT segment, label_ja, customers > 0 AS some FROM shop.rfm_segment ORDER BY position;
CREATE TABLE first_bands AS TABLE shop.band;
-- other settings leave them as they are
UPDATE sales SET yen = yen * 3 WHERE id % 2 = 0;
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', batch_rows => 100, answers_kept => '1 year');
CALL crm.refresh('shop', '2026-02-20 12:00+09');
SELECT DISTINCT 'same' FROM crm.alter_shop('shop');
CALL crm.refresh('shop', '2026-02-21 12:00+09');
SELECT valid_from, b.bands = f.bands AS as_before FROM shop.band AS b LEFT JOIN first_bands AS f USING (valid_from);
SELECT (SELECT bands FROM shop.scoring) = bands AS in_force FROM first_bands;
CALL crm.refresh('shop', '2026-03-31 12:00+09');
SELECT * FROM same_as_table('2026-03-31 23:59:59.999999+09');
SELECT count(*) AS reviews FROM shop.band;
CALL crm.refresh('shop', '2026-04-01 00:00+09');
SELECT * FROM same_as_table('2026-04-01 23:59:59.999999+09');
SELECT b.valid_from, b.bands = f.bands AS as_before FROM shop.band AS b LEFT JOIN first_bands AS f USING (valid_from) ORDER BY 1;
CALL crm.rebuild('shop', '2026-07-01 12:00+09');
SELECT valid_from, bands = (SELECT crm.rfm_quantiles(crm.rfm(h, '2026-07-01 23:59:59.999999+09', '365 days'), 5)
                            FROM (SELECT crm.history(at, yen) AS h FROM sales GROUP BY who) AS x) AS exact
FROM shop.band ORDER BY 1 DESC LIMIT 1;
-- nor do those that they follow from wait for a new quarter
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', span => '180 days');
CALL crm.refresh('shop', '2026-07-02 12:00+09');
SELECT valid_from, bands = (SELECT crm.rfm_quantiles(crm.rfm(h, '2026-07-02 23:59:59.999999+09', '180 days'), 5)
                            FROM (SELECT crm.history(at, yen) AS h FROM sales GROUP BY who) AS x) AS exact
FROM shop.band ORDER BY 1 DESC LIMIT 1;
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', condition => 'yen > 0');
CALL crm.refresh('shop', '2026-07-03 12:00+09');
SELECT valid_from, bands = (SELECT crm.rfm_quantiles(crm.rfm(h, '2026-07-03 23:59:59.999999+09', '180 days'), 5)
                            FROM (SELECT crm.history(at, yen) AS h FROM sales WHERE yen > 0 GROUP BY who) AS x) AS exact
FROM shop.band ORDER BY 1 DESC LIMIT 1;
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', span => '1 year', unset => '{condition}');
CALL crm.rebuild('shop', '2026-07-01 12:00+09');
-- a map that changes is noticed
SELECT crm.define_rfm_map('by recency', ARRAY[('just now', NULL, NULL, '{5..}'), ('before', NULL, NULL, '{[1-4]..}')]::crm.rfm_rule[]);
CALL crm.refresh('shop', '2026-07-01 12:00+09');
SELECT segment, customers > 0 AS some FROM shop.rfm_segment ORDER BY position;
SELECT rescored, customers > 0 AS some FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', bands => crm.rfm_bands(), map => 'eleven');
SELECT crm.drop_rfm_map('by recency');

-- what a rebuild compares: customers that differ, in history or channel, those gone, and those without a stored history
CREATE TABLE stored (who text, history crm.history, channel text);
INSERT INTO stored VALUES ('same', '[["2025-01-01T00:00:00Z",1]]', 'ad'), ('more', '[["2025-01-01T00:00:00Z",1]]', NULL),
    ('other channel', '[["2025-01-01T00:00:00Z",1]]', 'ad'), ('no channel', '[["2025-01-01T00:00:00Z",1]]', NULL), ('gone', '[]', NULL),
    ('unknown', NULL, NULL);
INSERT INTO stored SELECT 'long', crm.history(timestamptz '2025-01-01' + g * interval '1 us' * g, g * 12345), 'ad' FROM generate_series(1, 20000) AS g;
CREATE TABLE now_ordered (who text, at timestamptz, amount int, channel text);
INSERT INTO now_ordered SELECT who, '2025-01-01 00:00+00', 1, CASE who WHEN 'other channel' THEN 'tv' WHEN 'no channel' THEN '' WHEN 'same' THEN 'ad' END
FROM stored WHERE who NOT IN ('gone', 'long');
INSERT INTO now_ordered VALUES ('more', '2025-01-01 00:00+00', 1, 'ad'), ('new', '2025-01-01 00:00+00', 1, 'ad'), (NULL, now(), 1, 'ad');
INSERT INTO now_ordered SELECT 'long', timestamptz '2025-01-01' + g * interval '1 us' * g, g * 12345, 'ad' FROM generate_series(1, 20000) AS g;
SELECT c.customer_id, s.who = c.customer_id AS in_place, c.history, c.channel
FROM crm.history_changes('SELECT who, at, amount, channel FROM now_ordered', 'SELECT who, ctid, history, channel FROM stored', NULL::text) AS c
     LEFT JOIN stored AS s ON s.ctid = c.place
ORDER BY 1;
SELECT count(*) FROM crm.history_changes('SELECT who, at, amount FROM now_ordered', 'SELECT who, ctid, history, NULL::text FROM stored', NULL::text)
WHERE customer_id = 'long';
UPDATE now_ordered SET amount = amount + 1 WHERE ctid = (SELECT max(ctid) FROM now_ordered WHERE who = 'long');
SELECT customer_id, crm.orders(history)
FROM crm.history_changes('SELECT who, at, amount, channel FROM now_ordered', 'SELECT who, ctid, history, channel FROM stored', NULL::text)
WHERE customer_id = 'long';
SELECT crm.history_changes('SELECT who, at, amount FROM now_ordered', 'SELECT who, history, channel FROM stored', NULL::text);
SELECT crm.history_changes('SELECT who, at, amount FROM now_ordered', 'SELECT 1, ctid, history, channel FROM stored', NULL::text);
SELECT crm.history_changes('SELECT who, at, amount FROM now_ordered', NULL, NULL::text);
DROP TABLE stored, now_ordered;

-- columns are of the types that BI tools know, and hold no infinity or NaN
SELECT DISTINCT format_type(a.atttypid, NULL) AS types
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'shop'::regnamespace AND c.relname = ANY (crm.shop_views()) AND a.attname <> 'customer_id' ORDER BY 1;
SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'v' ORDER BY 1;
CREATE TEMP TABLE texts (line text);
DO $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY crm.shop_views() LOOP
        EXECUTE format('INSERT INTO texts SELECT v::text FROM shop.%I AS v', one);
    END LOOP;
END $$;
SELECT count(*) > 500 AS rows, count(*) FILTER (WHERE line ~* 'infinity|nan') AS endless FROM texts;

-- nobody has bought yet, or nobody any more
TRUNCATE sales;
CALL crm.refresh('shop', '2026-07-02 12:00+09');
SELECT (SELECT count(*) FROM shop.customer) AS customers, (SELECT sum(customers) FROM shop.rfm_segment) AS in_segments,
       (SELECT count(*) FROM shop.cohort_month) AS cohorts, (SELECT count(*) FROM shop.repeat_ladder) AS steps, (SELECT count(*) FROM shop.kpi_month) AS months;
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', grades => 5);
CALL crm.refresh('shop', '2026-07-02 12:00+09');
INSERT INTO sales (who, at, yen) VALUES (md5('1')::uuid, '2026-07-01', 100);
CALL crm.refresh('shop', '2026-07-02 12:00+09');
SELECT orders, score, round(p_alive::numeric, 6) AS p_alive, round(clv) AS clv FROM shop.customer;
CALL crm.refresh('shop', '2026-08-02 12:00+09');
SELECT fitted_on, churn, spend, note FROM shop.model ORDER BY 1 DESC LIMIT 1;
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', unset => '{horizon}');
INSERT INTO sales (who, at, yen) SELECT md5((g % 50)::text)::uuid, timestamptz '2026-07-01' + g * interval '1 hour', 100 * g FROM generate_series(1, 200) AS g;
CALL crm.refresh('shop', '2026-09-02 12:00+09');
SELECT count(*) AS fits, max(fitted_on) FROM shop.model;
SELECT count(*), count(p_alive), count(expected_orders), count(clv) FROM shop.customer;
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', horizon => '90 days', yearly_discount => 0);
CALL crm.refresh('shop', '2026-09-02 12:00+09');
SELECT count(*), count(p_alive), count(expected_orders), count(clv) FROM shop.customer;
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', unset => '{horizon}');
CALL crm.refresh('shop', '2026-09-02 12:00+09');
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', horizon => '90 days');
CALL crm.refresh('shop', '2026-09-02 12:00+09');
SELECT count(*), count(p_alive), count(expected_orders), count(clv) FROM shop.customer;
SELECT crm.drop_shop('shop');
DROP TABLE sales CASCADE;
