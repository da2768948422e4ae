-- shop: ladders of tiers, those that go by the calendar, and what a change of rank writes
\set SHOW_CONTEXT never
SET TimeZone = 'America/St_Johns'; -- nobody's: days and years are the shop's
SET DateStyle = 'ISO, YMD';
SET client_min_messages = warning;

CREATE TABLE sales (who int, at timestamptz, yen bigint);
INSERT INTO sales VALUES
    (1, '2024-03-10 12:00+09', 70000), (1, '2025-02-10 12:00+09', 4000),                                   -- top in 2024
    (2, '2024-12-31 23:59:59+09', 25000), (2, '2025-01-01 00:00+09', 25000), (2, '2025-12-01 12:00+09', 40000), -- top late in 2025
    (3, '2025-06-01 12:00+09', 3000), (3, '2025-06-02 12:00+09', -9000),                                   -- more refunds than purchases
    (4, '2023-06-01 12:00+09', 90000);                                                                      -- long ago
SELECT DISTINCT 'created' FROM crm.create_shop('shop', 'sales', 'who', 'at', 'yen', zone => 'Asia/Tokyo', horizon => NULL,
    tiers => crm.tier_ladder('{bronze,silver,top}', '{0,20000,60000}'));
CREATE VIEW ranks AS
    SELECT customer_id, as_of_date, monetary, tier, tier_label_ja, next_tier, to_next_tier FROM shop.customer ORDER BY customer_id;

-- over the shop's span; labels are those of the published ladder, or the names
CALL crm.refresh('shop', '2024-12-31 12:00+09');
TABLE ranks;
CALL crm.refresh('shop', '2025-03-11 12:00+09');
TABLE ranks;
-- what has changed since the first answers is an event: once for each customer, up or down
CREATE VIEW events AS
    SELECT date, kind, customer_id, tier_before, tier, segment FROM shop.segment_transition ORDER BY event;
TABLE events;
CALL crm.rebuild('shop', '2025-03-11 12:00+09');
SELECT count(*) FROM events;

-- by the calendar: the rank of a year holds through the next one
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', tier_period => 'year', tiers => crm.tier_ladder('{bronze,silver,top}', '{0,20000,60000}', '{一般,銀,金}'));
CALL crm.refresh('shop', '2025-03-11 12:00+09');
TABLE ranks;
-- a better running year promotes at once, in a refresh of the same day
INSERT INTO sales VALUES (2, '2025-03-11 13:00+09', 60000);
CALL crm.refresh('shop', '2025-03-11 14:00+09');
SELECT * FROM ranks WHERE customer_id = 2;
-- settings that were changed promote nobody, and one day can promote and demote
SELECT * FROM events OFFSET 1;
DELETE FROM sales WHERE yen = 60000;
CALL crm.refresh('shop', '2025-03-11 15:00+09');
SELECT * FROM events OFFSET 2;
-- a first purchase that only makes a customer is no promotion, a great one is; as is the loss of it when it goes again
INSERT INTO sales VALUES (5, '2025-03-11 13:00+09', 100), (6, '2025-03-11 13:00+09', 20000);
CALL crm.refresh('shop', '2025-03-11 16:00+09');
DELETE FROM sales WHERE who IN (5, 6);
CALL crm.refresh('shop', '2025-03-11 17:00+09');
SELECT * FROM events OFFSET 3;
CALL crm.refresh('shop', '2025-12-31 12:00+09');
TABLE ranks;
-- a new year demotes at its first refresh
CALL crm.refresh('shop', '2026-01-01 00:30+09');
TABLE ranks;
SELECT kind, status, rebuilt, rescored FROM shop.refresh_log ORDER BY run DESC LIMIT 1;
SELECT * FROM events OFFSET 5;
CALL crm.rebuild('shop', '2026-01-01 00:30+09');
SELECT customers AS changed_by_a_rebuild FROM shop.refresh_log ORDER BY run DESC LIMIT 1;
-- a ladder is changed as a whole: no label is left of the other one; below its lowest threshold there is no tier
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', tiers => crm.tier_ladder('{friend,gold}', '{5000,50000}'));
CALL crm.refresh('shop', '2026-01-01 00:30+09');
TABLE ranks;
SELECT tiers, tier_period FROM crm.shop;
-- in this ladder the first tier has to be reached: that is a promotion, and its loss a demotion
INSERT INTO sales VALUES (1, '2026-01-01 00:10+09', 6000), (7, '2026-01-01 00:10+09', 6000), (8, '2026-01-01 00:10+09', 60);
CALL crm.refresh('shop', '2026-01-01 00:30+09');
DELETE FROM sales WHERE who >= 7;
CALL crm.refresh('shop', '2026-01-01 00:30+09');
SELECT * FROM events OFFSET 7;
-- without
SELECT crm.alter_shop('shop', unset => '{tiers}');
SELECT DISTINCT 'changed' FROM crm.alter_shop('shop', unset => '{tiers,tier_period}');
CALL crm.refresh('shop', '2026-01-01 00:30+09');
SELECT count(*), count(tier), count(tier_label_ja), count(next_tier), count(to_next_tier) FROM shop.customer;

SELECT count(*) FROM events;

DROP VIEW ranks, events;
SELECT crm.drop_shop('shop');
DROP TABLE sales;
