-- A made-up online shop: three years of orders, in yen, in Tokyo. The same shop every time, on every machine.
--
--   psql -v orders=100000 -f demo/shop.sql
--
-- makes about that many orders, of one customer for every five. All chance comes from hashes of the customer's number,
-- so neither the plan nor the number of workers changes it, and a bigger shop contains the smaller one's customers.

\set ON_ERROR_STOP on
\if :{?orders}
\else
    \set orders 100000
\endif

SET client_min_messages = warning;
SET timezone = 'Asia/Tokyo';

-- Chance: a number between 0 and 1 for a customer and a purpose, and the same as a standard normal deviate.
CREATE FUNCTION pg_temp.chance(customer bigint, purpose bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    SELECT ((hashint8extended(customer, purpose) & 4503599627370495)::float8 + 0.5) / 4503599627370496
$$;
CREATE FUNCTION pg_temp.normal(customer bigint, purpose bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    SELECT sqrt(-2 * ln(pg_temp.chance(customer, purpose))) * cos(2 * pi() * pg_temp.chance(customer, -purpose))
$$;
CREATE FUNCTION pg_temp.poisson(mean float8, chance float8) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    n int := 0;
    p float8 := exp(-mean);
    sum float8 := p;
BEGIN
    WHILE chance > sum AND n < 10 * mean + 20 LOOP
        n := n + 1;
        p := p * mean / n;
        sum := sum + p;
    END LOOP;
    RETURN n;
END
$$;
CREATE FUNCTION pg_temp.pick(choices text[], chance float8) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT choices[1 + floor(chance * cardinality(choices))::int]
$$;

-- The seasons: midsummer and year-end gifts, a spring of new beginnings, weekends, paydays, quiet days after New Year.
-- "busy" holds the share of the three years' business that is done by the end of each day.
CREATE TEMP TABLE season AS
WITH days AS (
    SELECT day, ('{0.80,0.78,1.08,1.02,0.95,1.00,1.22,0.86,0.90,0.96,1.16,1.55}'::float8[])[extract(month FROM day)]
                * CASE WHEN extract(isodow FROM day) >= 6 THEN 1.25 ELSE 1 END
                * CASE WHEN extract(day FROM day) BETWEEN 25 AND 28 THEN 1.20 ELSE 1 END
                * CASE WHEN to_char(day, 'MMDD') BETWEEN '0101' AND '0103' THEN 0.5 ELSE 1 END AS weight
    FROM generate_series('2023-01-01'::timestamptz, '2025-12-31', '1 day') AS day
)
SELECT array_agg(busy ORDER BY day) AS busy
FROM (SELECT day, sum(weight) OVER (ORDER BY day) / sum(weight) OVER () AS busy FROM days) AS running;

CREATE TABLE customers (
    customer_id bigint PRIMARY KEY,
    name        text NOT NULL,
    prefecture  text NOT NULL
);
CREATE TABLE orders (
    order_id    bigint PRIMARY KEY,
    customer_id bigint NOT NULL,
    ordered_at  timestamptz NOT NULL,
    total       integer NOT NULL,
    status      text NOT NULL,
    channel     text NOT NULL
);
COMMENT ON COLUMN orders.total IS 'yen; negative for a refund';
COMMENT ON COLUMN orders.status IS 'paid, cancelled or refund';
COMMENT ON COLUMN orders.channel IS 'search or ad; that of the first order is how the customer came';

INSERT INTO customers
SELECT id,
       pg_temp.pick('{佐藤,鈴木,高橋,田中,伊藤,渡辺,山本,中村,小林,加藤,吉田,山田,佐々木,山口,松本,'
                    '井上,木村,林,清水,斎藤,阿部,森,池田,橋本,石川,小川,岡田,藤田,後藤,前田}', pg_temp.chance(id, 1))
       || ' ' ||
       pg_temp.pick('{陽子,恵子,裕子,美咲,愛,彩,直美,由美,真由美,久美子,優子,智子,葵,結衣,美穂,'
                    '翔太,健一,大輔,拓也,誠,隆,直樹,和也,達也,学,浩,剛,亮,蓮,大和}', pg_temp.chance(id, 2)),
       pg_temp.pick('{東京都,東京都,東京都,東京都,神奈川県,神奈川県,大阪府,大阪府,愛知県,愛知県,埼玉県,埼玉県,'
                    '千葉県,千葉県,福岡県,北海道,兵庫県,京都府,静岡県,宮城県,広島県,新潟県,長野県,沖縄県}',
                    pg_temp.chance(id, 3))
FROM generate_series(1, greatest(:orders / 5, 1)) AS id;

-- A customer comes once. Some never return. The others buy at a rate of their own, most of them seldom and a few of
-- them very often, until they lose interest. Time runs with the shop's business: faster in December than in February.
CREATE TEMP TABLE habits AS
SELECT id, entry, joined, taste, staying,
       pg_temp.poisson(least(rate * staying, 400), pg_temp.chance(id, 8)) AS repeats
FROM customers,
     LATERAL (SELECT customer_id AS id) AS i,
     LATERAL (SELECT CASE WHEN pg_temp.chance(id, 4) < 0.45 THEN 'ad' ELSE 'search' END AS entry,
                     pg_temp.chance(id, 5) ^ 0.9 AS joined) AS arrival,
     LATERAL (SELECT 11 * exp(0.95 * pg_temp.normal(id, 6)) * CASE entry WHEN 'ad' THEN 0.75 ELSE 1 END AS rate,
                     0.30 * pg_temp.normal(id, 9) AS taste,
                     CASE WHEN pg_temp.chance(id, 7) < CASE entry WHEN 'ad' THEN 0.38 ELSE 0.22 END THEN 0
                          ELSE least(1 - joined, -0.9 * ln(pg_temp.chance(id, 10))) END AS staying) AS habit;

-- The n-th order of a customer uses the purposes from 100 * (n + 1) on.
CREATE TEMP TABLE baskets AS
SELECT id AS customer_id,
       '2023-01-01'::timestamptz + interval '1 second' * (86400 * day + second) AS ordered_at,
       greatest(10 * round(exp(8.80 + taste + 0.45 * pg_temp.normal(id, p + 3)) / 10), 480)::int AS total,
       CASE WHEN n = 0 THEN entry WHEN pg_temp.chance(id, p + 4) < 0.15 THEN 'ad' ELSE 'search' END AS channel,
       pg_temp.chance(id, p + 5) < 0.025 AS cancelled,
       pg_temp.chance(id, p + 6) AS refund,
       pg_temp.chance(id, p + 7) AS refunded_after
FROM habits, season,
     LATERAL generate_series(0, repeats) AS n,
     LATERAL (SELECT 100 * (n + 1) AS p) AS purpose,
     LATERAL (SELECT width_bucket(joined + CASE n WHEN 0 THEN 0 ELSE staying * pg_temp.chance(id, p) END, busy) AS day,
                     -- by the hour: asleep until six, a peak at lunch, the most between eight and eleven at night
                     floor(3600 * (width_bucket(pg_temp.chance(id, p + 1),
                         '{.025,.035,.040,.045,.050,.060,.080,.110,.145,.185,.230,.275,.340,.390,.430,.470,.510,.555,'
                         '.605,.665,.745,.840,.940}'::float8[]) + pg_temp.chance(id, p + 2)))::int AS second) AS moment;

-- Three in a hundred orders are sent back within three weeks, most of them whole.
INSERT INTO orders
SELECT row_number() OVER (ORDER BY ordered_at, customer_id, total), *
FROM (
    SELECT customer_id, ordered_at, total, CASE WHEN cancelled THEN 'cancelled' ELSE 'paid' END AS status, channel
    FROM baskets
    UNION ALL
    SELECT customer_id, date_trunc('second', ordered_at + interval '2 days' + interval '19 days' * refunded_after),
           CASE WHEN refund < 0.02 THEN -total ELSE -total / 2 END, 'refund', channel
    FROM baskets
    WHERE NOT cancelled AND refund < 0.03
) AS movements
WHERE ordered_at < '2026-01-01'
ORDER BY ordered_at, customer_id, total;

ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers;

-- What counts: everything but the cancelled orders.
CREATE VIEW sales AS SELECT customer_id, ordered_at, total FROM orders WHERE status <> 'cancelled';

VACUUM ANALYZE customers, orders;
