-- What the owner of the shop in shop.sql wants to know at the end of the year. Runs after it, in the same database, and
-- leaves the tables "rfm" (each customer's scores and segment), "histories" (each customer's purchases) and "lifetime"
-- (what to expect of each) to look at, and the schema "shop", which holds all that and stays fresh.

\set ON_ERROR_STOP on
\set QUIET on
\pset pager off
\pset footer off
\pset null ''
\set as_of '2026-01-01 00:00 Asia/Tokyo'
\set last_quarter '2025-10-01 00:00 Asia/Tokyo'

SET client_min_messages = warning;
SET timezone = 'Asia/Tokyo';

CREATE EXTENSION IF NOT EXISTS pg_crm;
CREATE TABLE rfm AS SELECT * FROM crm.rfm_table('SELECT * FROM sales', :'as_of');
CREATE TABLE histories AS SELECT * FROM crm.histories('SELECT * FROM sales');
ALTER TABLE rfm ADD PRIMARY KEY (customer_id);
ALTER TABLE histories ADD PRIMARY KEY (customer_id);
VACUUM ANALYZE rfm, histories;

CREATE TEMP VIEW segments AS
SELECT segment, label, label_ja, position FROM crm.rfm_map_rule WHERE map = 'six'
UNION ALL
SELECT otherwise, initcap(otherwise), otherwise_ja, 99 FROM crm.rfm_map WHERE map = 'six';

\echo
\echo '1. Your customers on 1 January 2026, by what they bought in 2025    顧客の構成'
\echo
SELECT CASE WHEN grouping(segment) = 1 THEN 'All' ELSE min(label) END AS "Segment",
       CASE WHEN grouping(segment) = 1 THEN '合計' ELSE min(label_ja) END AS "区分",
       to_char(count(*), '9,999,990') AS "Customers",
       to_char(100 * count(*) / sum(count(*)) OVER whole, '990.0 %') AS "Of customers",
       to_char(sum(monetary), '99,999,999,990') AS "Revenue, ¥",
       to_char(100 * sum(monetary) / sum(sum(monetary)) OVER whole, '990.0 %') AS "Of revenue",
       to_char(sum(monetary) / count(*), '9,999,990') AS "¥ each",
       CASE WHEN grouping(segment) = 0
            THEN repeat('█', (50 * sum(monetary) / sum(sum(monetary)) OVER whole)::int) END AS "Revenue"
FROM rfm JOIN segments USING (segment)
GROUP BY ROLLUP (segment)
WINDOW whole AS (PARTITION BY grouping(segment))
ORDER BY grouping(segment), min(position);

\echo '2. Where they moved since 1 October 2025    前四半期からの移動 (rows: then, columns: now, blank: nobody)'
\echo
SELECT coalesce(was.label, 'Not yet here') AS "From", now.label AS "To", customers, now.position
FROM crm.rfm_migration('SELECT * FROM sales', :'last_quarter', :'as_of')
     JOIN segments AS now ON now.segment = to_segment
     LEFT JOIN segments AS was ON was.segment = from_segment
ORDER BY was.position, now.position
\crosstabview "From" "To" customers position

\echo '3. Loyal customers you are about to lose: write to them first    離反しそうな優良顧客'
\echo
SELECT customer_id AS "Customer", name AS "Name", prefecture AS "Prefecture", score AS "RFM",
       crm.orders(history) AS "Orders",
       to_char(crm.revenue(history), '99,999,990') AS "Bought so far, ¥",
       crm.last_order(history)::date AS "Last order",
       recency AS "Days ago",
       round((SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY days) FROM unnest(crm.intervals(history)) AS days))
           AS "Usual days between"
FROM rfm JOIN histories USING (customer_id) JOIN customers USING (customer_id)
WHERE segment = 'at_risk' AND f >= 3
ORDER BY monetary DESC, customer_id
LIMIT 10;

\echo '4. Who comes back: customers by the month of their first order    継続率'
\echo '   (columns: months since; % who bought in that month; ░ below 15, ▒ below 20, ▓ below 25, █ from 25; … is still running)'
\echo
SELECT format('%s %s', to_char(cohort, 'YYYY-MM'), to_char(customers, '999,990')) AS "First order, customers", age,
       CASE WHEN age = 0 THEN '100'
            WHEN elapsed THEN format('%s %s', substr('░▒▓█', 1 + width_bucket(percent, '{15,20,25}'), 1), lpad(percent::text, 2))
            ELSE '…' END AS retention
FROM crm.cohort_rows((SELECT crm.cohorts(history, 'month Asia/Tokyo', :'as_of') FROM histories)),
     LATERAL (SELECT round(100 * retention)::int AS percent) AS p
WHERE cohort >= (timestamptz :'as_of' - interval '12 months')::date AND cohort < :'as_of'::date
ORDER BY cohort, age
\crosstabview 1 age retention

\echo '5. How many buy again within 90 days: F2 is the step from the first to the second order, F3 the next …    F2転換率'
\echo '   (so far: newcomers count as if they had had their 90 days; expected: they count for the days they have had)'
\echo
WITH steps AS (
    SELECT NULL AS came_by, rungs.*
    FROM crm.repeat_rows((SELECT crm.repeats(history, :'as_of') FROM histories), within => '90 days') AS rungs
    WHERE nth < 10
    UNION ALL
    SELECT f2.*
    FROM crm.repeat_table('SELECT customer_id, ordered_at, total, channel FROM orders WHERE status <> ''cancelled''',
                          :'as_of', within => '90 days') AS f2
    WHERE nth = 1
)
SELECT coalesce('   came by ' || came_by, 'F' || nth + 1) AS "Step",
       to_char(customers, '9,999,990') AS "Customers",
       to_char(repeated, '9,999,990') AS "Bought again",
       to_char(100 * rate, '990.0 %') AS "So far",
       to_char(100 * km_rate, '990.0 %') AS "Expected",
       median_days AS "Median days",
       CASE WHEN nth = 1 THEN replace(crm.f2_band(km_rate), '_', ' ') END AS "F2 is",
       CASE WHEN nth = 1 THEN crm.f2_band_ja(km_rate) END AS "評価",
       repeat('█', (40 * km_rate)::int) AS "Expected to buy again"
FROM steps
ORDER BY nth, came_by DESC NULLS FIRST;

-- Models need a few hundred customers.
SELECT count(*) >= 500 AS enough FROM histories \gset
\if :enough
\echo '6. What to expect of them in 2026    2026年の予測 (購入回数・売上)'
\echo
CREATE TABLE lifetime AS SELECT * FROM crm.lifetime_table('SELECT * FROM sales', 'week Asia/Tokyo', :'as_of', '1 year');
SELECT CASE churn_risk WHEN 'low' THEN 'Still here' WHEN 'medium' THEN 'Uncertain' WHEN 'high' THEN 'Probably gone' ELSE 'All' END AS "Customers who are",
       CASE churn_risk WHEN 'low' THEN '現役' WHEN 'medium' THEN '要注意' WHEN 'high' THEN '離脱' ELSE '合計' END AS "区分",
       to_char(count(*), '9,999,990') AS "Customers",
       to_char(sum(p_alive), '9,999,990') AS "Expected to be here",
       to_char(sum(expected_orders), '9,999,990') AS "Orders in 2026",
       to_char(sum(clv), '99,999,999,990') AS "Worth today, ¥"
FROM lifetime
GROUP BY ROLLUP (churn_risk)
ORDER BY grouping(churn_risk), min(p_alive) DESC;

\echo '7. Would it have been right a year ago? Expected against actual orders in 2025    予測の検証'
\echo
SELECT CASE breakdown WHEN 'total' THEN 'All' ELSE bucket || CASE bucket WHEN 7 THEN ' or more' ELSE '' END END AS "Repeat orders until 2024",
       to_char(customers, '9,999,990') AS "Customers", to_char(expected, '9,999,990') AS "Expected", to_char(actual, '9,999,990') AS "Actual",
       to_char(100 * error, 'SG990 %') AS "Error"
FROM crm.model_check('SELECT * FROM sales', 'week Asia/Tokyo', 'mbgnbd', '2025-01-01 00:00 Asia/Tokyo', '1 year')
WHERE breakdown IN ('frequency', 'total');
\endif

\echo '8. The shop in small: bytes per purchase    購買1件あたりのバイト数'
\echo
WITH sizes AS (
    SELECT (SELECT count(*) FROM crm.purchases(history)) AS purchases, pg_column_size(history) AS value,
           pg_column_size(histories.*) AS whole
    FROM histories
)
SELECT 'Histories of customers with ten or more purchases' AS "Stored as", count(*) AS "Customers",
       sum(purchases) AS "Purchases", round(sum(value) / sum(purchases), 1) AS "Value",
       round(sum(whole) / sum(purchases), 1) AS "Row with header"
FROM sizes WHERE purchases >= 10
UNION ALL
SELECT 'Histories of all customers', count(*), sum(purchases), round(sum(value) / sum(purchases), 1),
       round(sum(whole) / sum(purchases), 1)
FROM sizes
UNION ALL
SELECT 'The orders table', count(DISTINCT customer_id), count(*), NULL, round(avg(pg_column_size(orders.*)), 1)
FROM orders;

\echo '9. Keep it: a shop stores all that, notes every change of orders, and stays fresh    差分更新'
\echo '   (New Year''s Day: orders until noon, and the first refresh of a new day and month; orders until night, and a refresh)'
\echo
SELECT count(*) AS checks FROM crm.create_shop('shop', 'orders', 'customer_id', 'ordered_at', 'total',
    condition => $$status <> 'cancelled'$$, channel => 'channel', zone => 'Asia/Tokyo',
    tiers => crm.tier_ladder('{regular,silver,gold}', '{0,30000,100000}', '{一般,シルバー,ゴールド}')) \gset
CALL crm.refresh('shop', '2025-12-31 23:00 Asia/Tokyo');

-- Segments for section 12, so that they are known before the new orders come: the usual ones, and one of the shop's own.
SELECT count(*) AS segments FROM crm.define_standard_segments('shop', 'consumable') \gset
SELECT crm.define_segment('shop', 'late_members', $$tier <> 'regular' AND dormancy >= 0.5 AND churn_risk <> 'high'$$,
                          'Members who are late, not gone', 'ご無沙汰の会員') AS customers \gset

-- As many orders as on the first Saturday of December, by people who bought then and by new ones, with a cancellation.
CREATE TEMP TABLE new_year AS
SELECT (SELECT max(order_id) FROM orders) + row_number() OVER chance AS order_id,
       CASE row_number() OVER chance % 5 WHEN 0 THEN (SELECT max(customer_id) FROM customers) + row_number() OVER chance
            ELSE customer_id END AS customer_id,
       ordered_at + (timestamptz :'as_of' - timestamptz '2025-12-06 00:00 Asia/Tokyo') AS ordered_at, total, status, channel
FROM orders
WHERE ordered_at >= '2025-12-06 00:00 Asia/Tokyo' AND ordered_at < '2025-12-07 00:00 Asia/Tokyo' AND status = 'paid'
WINDOW chance AS (ORDER BY hashint8extended(order_id, 1));
INSERT INTO customers
SELECT customer_id, '新規 顧客', '東京都' FROM new_year
WHERE customer_id > (SELECT max(customer_id) FROM customers);

INSERT INTO orders SELECT * FROM new_year WHERE ordered_at < timestamptz :'as_of' + interval '12 hours';
CALL crm.refresh('shop', '2026-01-01 12:00 Asia/Tokyo');
INSERT INTO orders SELECT * FROM new_year WHERE ordered_at >= timestamptz :'as_of' + interval '12 hours';
UPDATE orders SET status = 'cancelled' WHERE order_id = (SELECT max(order_id) FROM new_year);
CALL crm.refresh('shop', '2026-01-01 23:00 Asia/Tokyo');
CALL crm.rebuild('shop', '2026-01-01 23:00 Asia/Tokyo');

SELECT CASE run WHEN 1 THEN 'The first refresh' WHEN 2 THEN 'Refresh at noon: new scores, new models of the month'
                WHEN 3 THEN 'Refresh at night' ELSE 'A rebuild, for comparison' END AS "Run",
       CASE WHEN rebuilt THEN 'all' ELSE 'none' END AS "Orders read",
       to_char(changes, '9,999,990') AS "Changes noted",
       to_char(customers, '9,999,990') AS "Customers written",
       to_char(1000 * seconds, '999,990') AS "Milliseconds"
FROM shop.refresh_log
ORDER BY run;

\echo '10. Who moved on that day: a view keeps what was known    セグメントの移動'
\echo
SELECT coalesce(from_label, 'Not yet here') AS "From", to_label AS "To", to_label_ja AS "移動先", customers AS "Customers"
FROM shop.segment_move
WHERE day = '2026-01-01'
ORDER BY customers DESC, from_segment, to_segment
LIMIT 6;

\echo '11. Views for your BI tool: one row for each customer …    顧客ビュー'
\echo
SELECT customer_id AS "Customer", tier_label_ja AS "会員ランク", segment_label_ja AS "区分",
       to_char(revenue, '9,999,990') AS "Bought, ¥", last_order_date AS "Last order",
       round(100 * p_alive::numeric) AS "Still here, %", next_order_date AS "Next order about",
       to_char(clv, '999,990') AS "Worth in 2026, ¥", entry_channel AS "Came by"
FROM shop.customer
WHERE tier = 'gold' AND churn_risk = 'medium'
ORDER BY clv DESC, customer_id
LIMIT 5;

\echo '    … each segment …    セグメント'
\echo
SELECT label AS "Segment", label_ja AS "区分", to_char(customers, '9,999,990') AS "Customers",
       to_char(100 * share, '990.0 %') AS "Of customers", to_char(100 * revenue_share, '990.0 %') AS "Of all revenue so far"
FROM shop.rfm_segment
ORDER BY position;

\echo '    … each month …    月次KPI'
\echo
SELECT to_char(month, 'YYYY-MM') AS "Month", to_char(customers, '9,999,990') AS "Customers", to_char(new_customers, '9,999,990') AS "New",
       to_char(100 * repeat_rate, '990.0 %') AS "Returning", to_char(100 * f2_rate, '990.0 %') AS "F2 of the new",
       to_char(revenue, '99,999,999,990') AS "Revenue, ¥", to_char(average_order_value, '999,990') AS "¥ an order",
       to_char(ltv, '999,990') AS "¥ a customer so far", CASE WHEN NOT is_complete THEN '…' END AS "Running"
FROM shop.kpi_month
ORDER BY month DESC
LIMIT 6;

\echo '    … and each step of the ladder.    リピート率'
\echo
SELECT 'F' || nth + 1 AS "Step", to_char(customers, '9,999,990') AS "Customers", to_char(repeated, '9,999,990') AS "Bought again",
       to_char(100 * km_rate, '990.0 %') AS "Expected", median_days AS "Median days"
FROM shop.repeat_ladder
ORDER BY nth
LIMIT 4;

\echo '12. Whom to write to: ready-made segments, and one by a condition of your own, kept by every refresh    施策セグメント'
\echo '    (entered and left: since 31 December, by the new orders and the new day)'
\echo
SELECT label AS "Segment", label_ja AS "区分", to_char(z.customers, '9,999,990') AS "Customers",
       to_char(100 * share, '990.0 %') AS "Of customers",
       to_char(sum(m.customers) FILTER (WHERE move = 'entered'), '9,999,990') AS "Entered",
       to_char(sum(m.customers) FILTER (WHERE move = 'left'), '9,999,990') AS "Left"
FROM shop.segment_size AS z, crm.segment_moves('shop', segment, '2025-12-31', '2026-01-01') AS m
GROUP BY segment, label, label_ja, z.customers, share
ORDER BY z.customers, segment;

\echo '    … whom two of them would reach …    重複'
\echo
SELECT segment_a AS "Segment", segment_b AS "And", to_char(customers, '9,999,990') AS "In both",
       to_char(100 * share_of_a, '990.0 %') AS "Of the one", to_char(100 * share_of_b, '990.0 %') AS "Of the other"
FROM crm.segment_overlap('shop')
WHERE customers > 0
ORDER BY jaccard DESC, segment_a, segment_b
LIMIT 3;

\echo '    … in a query on your own tables …    任意のSQLで'
\echo
SELECT prefecture AS "Prefecture", to_char(count(*), '9,999,990') AS "Customers",
       to_char(count(*) FILTER (WHERE crm.in_segment('shop', 'lapsing_loyal', customer_id)), '9,999,990') AS "Loyal, about to lapse",
       to_char(count(*) FILTER (WHERE crm.in_segment('shop', 'win_back', customer_id)), '9,999,990') AS "To win back"
FROM customers
GROUP BY prefecture
ORDER BY count(*) DESC, prefecture
LIMIT 3;

\echo '    … why one of them is in it …    離脱予兆の理由'
\echo
SELECT e.customer_id AS "Customer", round((d).score::numeric, 2) AS "Dormancy", reason AS "Because"
FROM (SELECT * FROM crm.segment_export('shop', 'lapsing_loyal') ORDER BY revenue DESC, customer_id LIMIT 1) AS e
     JOIN shop.customer_history AS h ON h.customer_id::text = e.customer_id,
     LATERAL (SELECT crm.dormancy(history, '2026-01-01 23:00 Asia/Tokyo')) AS dormancy (d), unnest((d).reasons) AS reason;

\echo '    … and as rows for the tool that writes to them.    CSV出力'
\echo
COPY (SELECT customer_id, segment, label_ja, orders, revenue, tier, next_order_date
      FROM crm.segment_export('shop', 'late_members') ORDER BY revenue DESC, customer_id LIMIT 3) TO STDOUT WITH (FORMAT csv, HEADER);
\echo
