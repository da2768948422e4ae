-- tier: ranks by amount, and how much is missing to the next one

CREATE TYPE crm.tier_ladder AS (names text[], thresholds numeric[]);
CREATE TYPE crm.tier AS (tier text, next_tier text, missing numeric);

COMMENT ON TYPE crm.tier_ladder IS
'A ladder of tiers (会員ランク), from the lowest to the highest: ROW(''{bronze,gold}'', ''{0,100000}'')::crm.tier_ladder. Checked by crm.tier.';
COMMENT ON COLUMN crm.tier_ladder.names IS 'Names of the tiers, from the lowest to the highest, 1 to 64, all different.';
COMMENT ON COLUMN crm.tier_ladder.thresholds IS 'Amount that each begins at, ascending, in the currency of the amounts.';
COMMENT ON TYPE crm.tier IS 'The tier of an amount, and the next one.';
COMMENT ON COLUMN crm.tier.tier IS 'The highest tier whose threshold is not above the amount; NULL below the lowest.';
COMMENT ON COLUMN crm.tier.next_tier IS 'The tier above it; NULL in the highest.';
COMMENT ON COLUMN crm.tier.missing IS 'What is missing to the next tier; NULL in the highest.';

CREATE FUNCTION crm.tier_ladder() RETURNS crm.tier_ladder
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ROW('{bronze,silver,gold,platinum}', '{0,30000,100000,300000}')::crm.tier_ladder;
CREATE FUNCTION crm.tier(amount numeric, ladder crm.tier_ladder DEFAULT crm.tier_ladder()) RETURNS crm.tier
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_tier';
CREATE FUNCTION crm.tier_label_ja(tier text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE tier WHEN 'platinum' THEN 'プラチナ' WHEN 'gold' THEN 'ゴールド' WHEN 'silver' THEN 'シルバー' WHEN 'bronze' THEN 'ブロンズ' END;

COMMENT ON FUNCTION crm.tier_ladder() IS
'The published ladder, in yen a year: platinum from 300,000, gold from 100,000, silver from 30,000, bronze from 0.';
COMMENT ON FUNCTION crm.tier(numeric, crm.tier_ladder) IS
'The tier of an amount, the next one, and what is missing to it. An amount of exactly a threshold has reached it. Errors: 22003 amount NaN or infinite; 22023 or 22004 a ladder whose lists differ in length, hold a NULL, repeat a name or do not ascend.';
COMMENT ON FUNCTION crm.tier_label_ja(text) IS 'Japanese label of a tier of the published ladder: プラチナ, ゴールド, シルバー, ブロンズ; NULL for other names.';
