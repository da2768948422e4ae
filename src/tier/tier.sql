-- tier: ranks by amount, what is missing to the next one, and ranks that hold for a calendar year

CREATE TYPE crm.tier_ladder AS (names text[], thresholds numeric[], labels_ja text[]);
CREATE TYPE crm.tier AS (tier text, next_tier text, missing numeric);

COMMENT ON TYPE crm.tier_ladder IS
'A ladder of tiers (会員ランク), from the lowest to the highest, as the function crm.tier_ladder makes it. Checked by crm.tier.';
COMMENT ON COLUMN crm.tier_ladder.names IS 'Names of the tiers, from the lowest to the highest, 1 to 64, all different.';
COMMENT ON COLUMN crm.tier_ladder.thresholds IS 'Amount that each begins at, ascending, in the currency of the amounts.';
COMMENT ON COLUMN crm.tier_ladder.labels_ja IS 'Japanese label of each; NULL: those of the published ladder for its names, and the other names themselves.';
COMMENT ON TYPE crm.tier IS 'The tier of an amount, and the next one.';
COMMENT ON COLUMN crm.tier.tier IS 'The highest tier whose threshold is not above the amount. Below the lowest threshold it is NULL, or the lowest tier where that begins at 0: such a ladder takes everybody in, also who has more refunds than purchases.';
COMMENT ON COLUMN crm.tier.next_tier IS 'The tier above it; NULL in the highest.';
COMMENT ON COLUMN crm.tier.missing IS 'What is missing to the next tier; NULL in the highest.';

CREATE FUNCTION crm.tier_ladder() RETURNS crm.tier_ladder
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ROW('{bronze,silver,gold,platinum}', '{0,30000,100000,300000}', NULL)::crm.tier_ladder;
CREATE FUNCTION crm.tier_ladder(tiers text[], thresholds numeric[], labels_ja text[] DEFAULT NULL) RETURNS crm.tier_ladder
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ROW(tiers, thresholds, labels_ja)::crm.tier_ladder;
CREATE FUNCTION crm.tier(amount numeric, ladder crm.tier_ladder DEFAULT crm.tier_ladder()) RETURNS crm.tier
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_tier';
CREATE FUNCTION crm.tier(history crm.history, period crm.calendar, as_of timestamptz, ladder crm.tier_ladder DEFAULT crm.tier_ladder())
    RETURNS crm.tier
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_tier_by_period';
CREATE FUNCTION crm.tier_label_ja(tier text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE tier WHEN 'platinum' THEN 'プラチナ' WHEN 'gold' THEN 'ゴールド' WHEN 'silver' THEN 'シルバー' WHEN 'bronze' THEN 'ブロンズ' END;
-- [:] counts from 1, whatever the bounds of the array.
CREATE FUNCTION crm.tier_label_ja(tier text, ladder crm.tier_ladder) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(((ladder).labels_ja[:])[pg_catalog.array_position((ladder).names[:], tier)], crm.tier_label_ja(tier), tier);
CREATE FUNCTION crm.tier_rank(tier text, ladder crm.tier_ladder) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(pg_catalog.array_position((ladder).names[:], tier), (((ladder).thresholds[:])[1] <= 0)::integer, 0);

COMMENT ON FUNCTION crm.tier_ladder() IS
'The published ladder, in yen a year: platinum from 300,000, gold from 100,000, silver from 30,000, bronze from 0.';
COMMENT ON FUNCTION crm.tier_ladder(text[], numeric[], text[]) IS
'A ladder of tiers: their names from the lowest to the highest, the amount that each begins at, and their Japanese labels. It is checked where it is used, by crm.tier and crm.create_shop.';
COMMENT ON FUNCTION crm.tier(numeric, crm.tier_ladder) IS
'The tier of an amount, the next one, and what is missing to it. An amount of exactly a threshold has reached it. Errors: 22003 amount NaN or infinite; 22023 or 22004 a ladder whose lists differ in length, hold a NULL, repeat a name or do not ascend.';
COMMENT ON FUNCTION crm.tier(crm.history, crm.calendar, timestamptz, crm.tier_ladder) IS
'The tier held at as_of where tiers go by the calendar (年間ランク, with a period of year): the higher of what purchases less refunds of the last full period reached and those of the running one so far. So the rank of a year holds through the next one, and a better running period promotes at once. missing is what the running period lacks to the next tier. Refunds count at their own time; what comes after as_of does not exist. Errors: as crm.tier(numeric, crm.tier_ladder); 22008 infinite time; 22023 a zone that this server does not know.';
COMMENT ON FUNCTION crm.tier_label_ja(text) IS 'Japanese label of a tier of the published ladder: プラチナ, ゴールド, シルバー, ブロンズ; NULL for other names.';
COMMENT ON FUNCTION crm.tier_label_ja(text, crm.tier_ladder) IS
'Japanese label of a tier: that of the ladder, else that of the published ladder, else the name itself.';
COMMENT ON FUNCTION crm.tier_rank(text, crm.tier_ladder) IS
'The place of a tier in its ladder, from 1; that of an amount of 0 for NULL and for names that the ladder does not have. Of two tiers, the one with the higher rank is better.';
