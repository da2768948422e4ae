SET search_path = public, crm;

-- the published ladder
SELECT tier_ladder();
SELECT amount, (tier(amount)).*, tier_label_ja((tier(amount)).tier)
FROM unnest('{-500,0,0.01,29999.99,30000,99999,100000,299999.5,300000,123456789012345678901234567890}'::numeric[]) AS amount;
SELECT tier(NULL), tier(5, NULL), tier_label_ja('other'), tier_label_ja(NULL);

-- own ladders
SELECT amount, (tier(amount, ROW ('{one,two}', '{-10,99.5}'))).* FROM unnest('{-11,-10,99.49,99.5}'::numeric[]) AS amount;
SELECT tier(7, ('{"only"}', '{5}')), tier(3, '("{only}","{5}")');
-- another one for each row
SELECT g, (tier(50, ROW (ARRAY['low', 'high' || g], ARRAY[0, g * 20])::tier_ladder)).* FROM generate_series(1, 4) AS g;
CREATE TABLE ladders (brand text, ladder tier_ladder);
INSERT INTO ladders VALUES ('a', tier_ladder()), ('b', ROW ('{member,friend}', '{0,5000}'));
SELECT brand, amount, (tier(amount, ladder)).* FROM ladders, unnest('{1000,40000}'::numeric[]) AS amount ORDER BY brand, amount;
DROP TABLE ladders;

-- what is no ladder, and no amount
SELECT tier(1, ROW ('{a,b}', '{0}'));
SELECT tier(1, ROW ('{a,b}', '{5,5}'));
SELECT tier(1, ROW ('{a,b}', '{5,1}'));
SELECT tier(1, ROW ('{a,a}', '{1,2}'));
SELECT tier(1, ROW ('{a,NULL}', '{1,2}'));
SELECT tier(1, ROW ('{a,b}', '{1,NULL}'));
SELECT tier(1, ROW ('{a,b}', '{1,NaN}'));
SELECT tier(1, ROW ('{a,b}', '{1,Infinity}'));
SELECT tier(1, ROW ('{}', '{}'));
SELECT tier(1, ROW ('{{a},{b}}', '{1,2}'));
SELECT tier(1, ROW (NULL, '{1}'));
SELECT tier(1, (SELECT ROW (array_agg('t' || i), array_agg(i::numeric))::tier_ladder FROM generate_series(1, 65) AS i));
SELECT tier('NaN');
SELECT tier('-Infinity');
