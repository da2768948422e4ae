SET search_path = public, crm;
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'ISO, YMD';

-- the published ladder
SELECT tier_ladder();
SELECT amount, (tier(amount)).*, tier_label_ja((tier(amount)).tier)
FROM unnest('{-500,0,0.01,29999.99,30000,99999,100000,299999.5,300000,123456789012345678901234567890}'::numeric[]) AS amount;
SELECT tier(NULL), tier(5, NULL), tier_label_ja('other'), tier_label_ja(NULL::text);

-- own ladders
SELECT amount, (tier(amount, tier_ladder('{one,two}', '{10,99.5}'))).* FROM unnest('{-11,0,9.99,10,99.49,99.5}'::numeric[]) AS amount;
-- a ladder from 0 takes everybody in
SELECT amount, (tier(amount, tier_ladder('{one,two}', '{-10,99.5}'))).* FROM unnest('{-11,-10,0}'::numeric[]) AS amount;
SELECT tier(7, tier_ladder('{"only"}', '{5}')), tier(3, '("{only}","{5}",)');
-- another one for each row
SELECT g, (tier(50, tier_ladder(ARRAY['low', 'high' || g], ARRAY[0, g * 20]))).* FROM generate_series(1, 4) AS g;
CREATE TABLE ladders (brand text, ladder tier_ladder);
INSERT INTO ladders VALUES ('a', tier_ladder()), ('b', tier_ladder('{member,friend}', '{0,5000}'));
SELECT brand, amount, (tier(amount, ladder)).* FROM ladders, unnest('{1000,40000}'::numeric[]) AS amount ORDER BY brand, amount;
DROP TABLE ladders;

-- labels and ranks
SELECT name, tier_label_ja(name, tier_ladder('{gold,black}', '{10,20}')) AS published, tier_label_ja(name, tier_ladder('{gold,black}', '{10,20}', '{金,黒}')) AS own,
       tier_rank(name, tier_ladder('{gold,black}', '{10,20}')) AS rank, tier_rank(name, tier_ladder()) AS rank_from_0
FROM unnest('{gold,black,other,NULL}'::text[]) AS name;
-- arrays that count from elsewhere say the same
SELECT name, tier_rank(name, ladder), tier_label_ja(name, ladder), (tier(15, ladder)).tier
FROM unnest('{a,b,c,NULL}'::text[]) AS name, CAST(ROW('[0:2]={a,b,c}', '[-3:-1]={0,10,20}', '[5:7]={い,ろ,は}') AS tier_ladder) AS ladder;

-- ranks that hold for a calendar year
CREATE TABLE customers (name text, h history);
INSERT INTO customers VALUES
    ('better last year', '[["2025-03-01T01:00:00Z",60000],["2025-11-01T01:00:00Z",45000],["2026-01-10T01:00:00Z",9000]]'),
    ('better this year', '[["2025-12-31T14:59:59.999999Z",28000],["2025-12-31T15:00:00Z",28000],["2026-05-01T00:00:00Z",300000]]'),
    ('two years ago', '[["2024-12-31T14:59:59Z",500000]]'),
    ('paid back', '[["2025-12-01T00:00:00Z",100000],["2026-02-01T00:00:00Z",-100000]]'),
    ('nobody', '[]');
SELECT name, day, (tier(h, 'year Asia/Tokyo', day + time '12:00')).*
FROM customers, unnest('{2025-12-31,2026-01-01,2026-12-31,2027-01-01,2028-01-01}'::date[]) AS day ORDER BY name, day;
-- each instant against the amounts of both years, written out
SELECT count(*), bool_and(by_period IS NOT DISTINCT FROM
    CASE WHEN revenue_last > revenue_running THEN ((last).tier, (last).next_tier, (last).missing + revenue_last - revenue_running)::tier ELSE running END) AS same
FROM (SELECT tier(h, calendar(period, 'America/New_York'), at, ladder) AS by_period, revenue_last, revenue_running,
             tier(revenue_last, ladder) AS last, tier(revenue_running, ladder) AS running
      FROM customers, unnest('{year,quarter,month}'::text[]) AS period, generate_series(timestamptz '2024-12-30', '2027-01-03', '5 hours 1 minute') AS at,
           unnest(ARRAY[tier_ladder(), tier_ladder('{a,b}', '{20000,70000}')]) AS ladder,
           LATERAL (SELECT date_trunc(period, at, 'America/New_York') AS start) AS s,
           LATERAL (SELECT revenue(within(h, tstzrange(date_trunc(period, start - interval '1 s', 'America/New_York'), start))) AS revenue_last,
                           revenue(within(h, tstzrange(start, at, '[]'))) AS revenue_running) AS r) AS v;
SELECT tier(h, NULL, now()), tier(h, 'year UTC', NULL), tier(NULL::history, 'year UTC', now()), tier(h, 'year UTC', now(), NULL) FROM customers WHERE name = 'nobody';
SELECT tier(h, 'year UTC', 'infinity') FROM customers;
SELECT tier(h, 'year UTC', '2026-01-01', tier_ladder('{a,b}', '{1}')) FROM customers;
DROP TABLE customers;

-- what is no ladder, and no amount
SELECT tier(1, tier_ladder('{a,b}', '{0}'));
SELECT tier(1, tier_ladder('{a,b}', '{5,5}'));
SELECT tier(1, tier_ladder('{a,b}', '{5,1}'));
SELECT tier(1, tier_ladder('{a,a}', '{1,2}'));
SELECT tier(1, tier_ladder('{a,NULL}', '{1,2}'));
SELECT tier(1, tier_ladder('{a,b}', '{1,NULL}'));
SELECT tier(1, tier_ladder('{a,b}', '{1,NaN}'));
SELECT tier(1, tier_ladder('{a,b}', '{1,Infinity}'));
SELECT tier(1, tier_ladder('{}', '{}'));
SELECT tier(1, tier_ladder('{{a},{b}}', '{1,2}'));
SELECT tier(1, tier_ladder(NULL, '{1}'));
SELECT tier(1, (SELECT tier_ladder(array_agg('t' || i), array_agg(i::numeric)) FROM generate_series(1, 65) AS i));
SELECT tier(1, tier_ladder('{a,""}', '{1,2}'));
SELECT tier(1, tier_ladder('{a,b}', '{1,2}', '{あ}'));
SELECT tier(1, tier_ladder('{a,b}', '{1,2}', '{あ,NULL}'));
SELECT tier('NaN');
SELECT tier('-Infinity');
