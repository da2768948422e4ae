-- rfm: recency, frequency and monetary value, their grades and segments

CREATE TYPE crm.rfm AS (recency integer, frequency integer, monetary numeric);

COMMENT ON TYPE crm.rfm IS
'Measures of one customer at a date: recency, whole 24-hour days since the last purchase; frequency, purchases in the window; monetary, revenue in the window less refunds, in the currency of the orders.';

COMMENT ON COLUMN crm.rfm.recency IS 'Whole days of 24 hours from the last purchase to as_of.';
COMMENT ON COLUMN crm.rfm.frequency IS 'Purchases in the window.';
COMMENT ON COLUMN crm.rfm.monetary IS 'Revenue in the window less refunds, in the currency of the orders.';

CREATE TYPE crm.rfm_bands AS (recency integer[], frequency integer[], monetary numeric[]);

COMMENT ON TYPE crm.rfm_bands IS
'Cut points of the grades, from the best grade down. recency: the most days that still reach the grade, rising; frequency and monetary: the least that reaches it, falling. As many for each measure, one less than there are grades, 1 to 8; equal neighbours leave a grade empty. A frequency of 0 is always grade 1.';

COMMENT ON COLUMN crm.rfm_bands.recency IS 'The most days that still reach each grade, rising.';
COMMENT ON COLUMN crm.rfm_bands.frequency IS 'The least purchases that reach each grade, falling.';
COMMENT ON COLUMN crm.rfm_bands.monetary IS 'The least amount that reaches each grade, falling.';

CREATE TYPE crm.rfm_score;

CREATE FUNCTION crm.rfm_score_in(cstring) RETURNS crm.rfm_score
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_score_in';
CREATE FUNCTION crm.rfm_score_out(crm.rfm_score) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_score_out';
CREATE FUNCTION crm.rfm_score_recv(internal) RETURNS crm.rfm_score
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_score_recv';
CREATE FUNCTION crm.rfm_score_send(crm.rfm_score) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_score_send';

CREATE TYPE crm.rfm_score (
    INPUT = crm.rfm_score_in,
    OUTPUT = crm.rfm_score_out,
    RECEIVE = crm.rfm_score_recv,
    SEND = crm.rfm_score_send,
    LIKE = pg_catalog.int4
);

COMMENT ON TYPE crm.rfm_score IS
'Grades of R, F and M, one digit from 1 to 9 each, 5 best where there are five: 543. Sorts by R, then F, then M.';
COMMENT ON FUNCTION crm.rfm_score_in(cstring) IS 'Text input of crm.rfm_score. Errors: 22P02 unless three digits from 1 to 9.';
COMMENT ON FUNCTION crm.rfm_score_out(crm.rfm_score) IS 'Text output of crm.rfm_score: 543.';
COMMENT ON FUNCTION crm.rfm_score_recv(internal) IS 'Binary input of crm.rfm_score. Errors: 22P03 unless three digits from 1 to 9.';
COMMENT ON FUNCTION crm.rfm_score_send(crm.rfm_score) IS 'Binary output of crm.rfm_score: the number as int4.';

CREATE FUNCTION crm.rfm_score(r integer, f integer, m integer) RETURNS crm.rfm_score
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_score_make';
CREATE FUNCTION crm.r(score crm.rfm_score) RETURNS smallint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_score_r';
CREATE FUNCTION crm.f(score crm.rfm_score) RETURNS smallint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_score_f';
CREATE FUNCTION crm.m(score crm.rfm_score) RETURNS smallint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_score_m';

COMMENT ON FUNCTION crm.rfm_score(integer, integer, integer) IS 'The score of three grades. Errors: 22023 unless each is 1 to 9.';
COMMENT ON FUNCTION crm.r(crm.rfm_score) IS 'The grade of recency in a score.';
COMMENT ON FUNCTION crm.f(crm.rfm_score) IS 'The grade of frequency in a score.';
COMMENT ON FUNCTION crm.m(crm.rfm_score) IS 'The grade of monetary value in a score.';

CREATE FUNCTION crm.rfm_score_eq(crm.rfm_score, crm.rfm_score) RETURNS boolean
    LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'int4eq';
CREATE FUNCTION crm.rfm_score_ne(crm.rfm_score, crm.rfm_score) RETURNS boolean
    LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'int4ne';
CREATE FUNCTION crm.rfm_score_lt(crm.rfm_score, crm.rfm_score) RETURNS boolean
    LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'int4lt';
CREATE FUNCTION crm.rfm_score_le(crm.rfm_score, crm.rfm_score) RETURNS boolean
    LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'int4le';
CREATE FUNCTION crm.rfm_score_gt(crm.rfm_score, crm.rfm_score) RETURNS boolean
    LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'int4gt';
CREATE FUNCTION crm.rfm_score_ge(crm.rfm_score, crm.rfm_score) RETURNS boolean
    LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'int4ge';
CREATE FUNCTION crm.rfm_score_cmp(crm.rfm_score, crm.rfm_score) RETURNS integer
    LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'btint4cmp';
CREATE FUNCTION crm.rfm_score_hash(crm.rfm_score) RETURNS integer
    LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'hashint4';
CREATE FUNCTION crm.rfm_score_hash_extended(crm.rfm_score, bigint) RETURNS bigint
    LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'hashint4extended';

COMMENT ON FUNCTION crm.rfm_score_eq(crm.rfm_score, crm.rfm_score) IS 'Implements =.';
COMMENT ON FUNCTION crm.rfm_score_ne(crm.rfm_score, crm.rfm_score) IS 'Implements <>.';
COMMENT ON FUNCTION crm.rfm_score_lt(crm.rfm_score, crm.rfm_score) IS 'Implements <.';
COMMENT ON FUNCTION crm.rfm_score_le(crm.rfm_score, crm.rfm_score) IS 'Implements <=.';
COMMENT ON FUNCTION crm.rfm_score_gt(crm.rfm_score, crm.rfm_score) IS 'Implements >.';
COMMENT ON FUNCTION crm.rfm_score_ge(crm.rfm_score, crm.rfm_score) IS 'Implements >=.';
COMMENT ON FUNCTION crm.rfm_score_cmp(crm.rfm_score, crm.rfm_score) IS 'Support function of the btree operator class.';
COMMENT ON FUNCTION crm.rfm_score_hash(crm.rfm_score) IS 'Support function of the hash operator class.';
COMMENT ON FUNCTION crm.rfm_score_hash_extended(crm.rfm_score, bigint) IS 'Support function of the hash operator class.';

CREATE OPERATOR crm.= (FUNCTION = crm.rfm_score_eq, LEFTARG = crm.rfm_score, RIGHTARG = crm.rfm_score,
    COMMUTATOR = OPERATOR(crm.=), NEGATOR = OPERATOR(crm.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR crm.<> (FUNCTION = crm.rfm_score_ne, LEFTARG = crm.rfm_score, RIGHTARG = crm.rfm_score,
    COMMUTATOR = OPERATOR(crm.<>), NEGATOR = OPERATOR(crm.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR crm.< (FUNCTION = crm.rfm_score_lt, LEFTARG = crm.rfm_score, RIGHTARG = crm.rfm_score,
    COMMUTATOR = OPERATOR(crm.>), NEGATOR = OPERATOR(crm.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR crm.<= (FUNCTION = crm.rfm_score_le, LEFTARG = crm.rfm_score, RIGHTARG = crm.rfm_score,
    COMMUTATOR = OPERATOR(crm.>=), NEGATOR = OPERATOR(crm.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR crm.> (FUNCTION = crm.rfm_score_gt, LEFTARG = crm.rfm_score, RIGHTARG = crm.rfm_score,
    COMMUTATOR = OPERATOR(crm.<), NEGATOR = OPERATOR(crm.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR crm.>= (FUNCTION = crm.rfm_score_ge, LEFTARG = crm.rfm_score, RIGHTARG = crm.rfm_score,
    COMMUTATOR = OPERATOR(crm.<=), NEGATOR = OPERATOR(crm.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);

COMMENT ON OPERATOR crm.= (crm.rfm_score, crm.rfm_score) IS 'Same grades.';
COMMENT ON OPERATOR crm.<> (crm.rfm_score, crm.rfm_score) IS 'Different grades.';
COMMENT ON OPERATOR crm.< (crm.rfm_score, crm.rfm_score) IS 'By R, then F, then M.';
COMMENT ON OPERATOR crm.<= (crm.rfm_score, crm.rfm_score) IS 'By R, then F, then M.';
COMMENT ON OPERATOR crm.> (crm.rfm_score, crm.rfm_score) IS 'By R, then F, then M.';
COMMENT ON OPERATOR crm.>= (crm.rfm_score, crm.rfm_score) IS 'By R, then F, then M.';

CREATE OPERATOR CLASS crm.rfm_score_ops DEFAULT FOR TYPE crm.rfm_score USING btree AS
    OPERATOR 1 crm.<, OPERATOR 2 crm.<=, OPERATOR 3 crm.=, OPERATOR 4 crm.>=, OPERATOR 5 crm.>,
    FUNCTION 1 crm.rfm_score_cmp(crm.rfm_score, crm.rfm_score);
CREATE OPERATOR CLASS crm.rfm_score_ops DEFAULT FOR TYPE crm.rfm_score USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.rfm_score_hash(crm.rfm_score), FUNCTION 2 crm.rfm_score_hash_extended(crm.rfm_score, bigint);
COMMENT ON OPERATOR CLASS crm.rfm_score_ops USING btree IS 'Sorting and indexes of scores.';
COMMENT ON OPERATOR CLASS crm.rfm_score_ops USING hash IS 'Hashing of scores.';

-- measures

CREATE FUNCTION crm.rfm(h crm.history, as_of timestamptz, span interval) RETURNS crm.rfm
    LANGUAGE c STABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'crm_rfm';

COMMENT ON FUNCTION crm.rfm(crm.history, timestamptz, interval) IS
'Recency over all purchases at or before as_of; frequency and monetary over those in (as_of - span, as_of], or over all with span NULL. NULL for somebody without a purchase yet. STABLE, because months and days of the span follow the session''s time zone. Errors: 22008 infinite as_of, 22023 span not positive.';

CREATE FUNCTION crm.rfm_accumulate(bytea, timestamptz, numeric, timestamptz, interval) RETURNS bytea
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_accumulate_numeric';
CREATE FUNCTION crm.rfm_accumulate(bytea, timestamptz, bigint, timestamptz, interval) RETURNS bytea
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_accumulate_bigint';
CREATE FUNCTION crm.rfm_accumulate(bytea, timestamptz, integer, timestamptz, interval) RETURNS bytea
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_accumulate_integer';
CREATE FUNCTION crm.rfm_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_combine';
CREATE FUNCTION crm.rfm_finish(bytea) RETURNS crm.rfm
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_finish';

COMMENT ON FUNCTION crm.rfm_accumulate(bytea, timestamptz, numeric, timestamptz, interval) IS 'Transition function of the aggregate crm.rfm.';
COMMENT ON FUNCTION crm.rfm_accumulate(bytea, timestamptz, bigint, timestamptz, interval) IS 'Transition function of the aggregate crm.rfm.';
COMMENT ON FUNCTION crm.rfm_accumulate(bytea, timestamptz, integer, timestamptz, interval) IS 'Transition function of the aggregate crm.rfm.';
COMMENT ON FUNCTION crm.rfm_combine(bytea, bytea) IS 'Merges two states of the aggregate crm.rfm.';
COMMENT ON FUNCTION crm.rfm_finish(bytea) IS 'Final function of the aggregate crm.rfm.';

CREATE AGGREGATE crm.rfm(ordered_at timestamptz, amount numeric, as_of timestamptz, span interval) (
    SFUNC = crm.rfm_accumulate, STYPE = bytea, SSPACE = 112, FINALFUNC = crm.rfm_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.rfm_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.rfm(ordered_at timestamptz, amount bigint, as_of timestamptz, span interval) (
    SFUNC = crm.rfm_accumulate, STYPE = bytea, SSPACE = 112, FINALFUNC = crm.rfm_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.rfm_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.rfm(ordered_at timestamptz, amount integer, as_of timestamptz, span interval) (
    SFUNC = crm.rfm_accumulate, STYPE = bytea, SSPACE = 112, FINALFUNC = crm.rfm_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.rfm_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.rfm(timestamptz, numeric, timestamptz, interval) IS
'crm.rfm(crm.history, as_of, span) straight from the orders of a customer, with a state of constant size. as_of and span are the same for all rows. Rows with a NULL time, amount or as_of are skipped. Errors: 22023 as_of or span changes, 22008 infinite time, 22003 amount or sum out of range.';
COMMENT ON AGGREGATE crm.rfm(timestamptz, bigint, timestamptz, interval) IS 'As with numeric amounts, for amounts in whole units.';
COMMENT ON AGGREGATE crm.rfm(timestamptz, integer, timestamptz, interval) IS 'As with numeric amounts, for amounts in whole units.';

-- bands and grades

CREATE FUNCTION crm.rfm_bands() RETURNS crm.rfm_bands
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_rfm_bands';

COMMENT ON FUNCTION crm.rfm_bands() IS
'The five grades of the published Japanese table, for a window of one year and amounts in yen: R up to 30, 60, 90, 180 days; F from 10, 7, 4, 2 purchases; M from 100000, 50000, 30000, 10000. A bound belongs to the better grade.';

CREATE FUNCTION crm.rfm_quantiles_accumulate(bytea, crm.rfm, integer) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_quantiles_accumulate';
CREATE FUNCTION crm.rfm_quantiles_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_quantiles_combine';
CREATE FUNCTION crm.rfm_quantiles_finish(bytea) RETURNS crm.rfm_bands
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rfm_quantiles_finish';

COMMENT ON FUNCTION crm.rfm_quantiles_accumulate(bytea, crm.rfm, integer) IS 'Transition function of crm.rfm_quantiles.';
COMMENT ON FUNCTION crm.rfm_quantiles_combine(bytea, bytea) IS 'Merges two states of crm.rfm_quantiles.';
COMMENT ON FUNCTION crm.rfm_quantiles_finish(bytea) IS 'Final function of crm.rfm_quantiles.';

CREATE AGGREGATE crm.rfm_quantiles(crm.rfm, grades integer) (
    SFUNC = crm.rfm_quantiles_accumulate, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.rfm_quantiles_finish,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = crm.rfm_quantiles_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.rfm_quantiles(crm.rfm, integer) IS
'Exact quantile cut points of a population in so many grades, 2 to 9. The grade of a value is 1 + floor(grades × share of the customers who are strictly worse), so ties are never split and one-time buyers stay together in the lowest grade. A grade that nobody reaches is kept: its cut point equals its neighbour''s or lies one unit beyond the best customer. NULL measures are skipped; NULL without customers. Errors: 22023 grades out of range or changing, 54000 beyond 60 million customers.';

CREATE FUNCTION crm.rfm_grade(measures crm.rfm, bands crm.rfm_bands) RETURNS crm.rfm_score
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_rfm_grade';

COMMENT ON FUNCTION crm.rfm_grade(crm.rfm, crm.rfm_bands) IS
'The score of measures by bands. NULL when a measure is NULL. Errors: 22023 bands not monotone, of unequal length, or not of 1 to 8 cut points.';

CREATE FUNCTION crm.rfm_score(h crm.history, as_of timestamptz, span interval, bands crm.rfm_bands) RETURNS crm.rfm_score
    LANGUAGE c STABLE PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'crm_rfm_score_of_history';

COMMENT ON FUNCTION crm.rfm_score(crm.history, timestamptz, interval, crm.rfm_bands) IS
'crm.rfm_grade(crm.rfm(h, as_of, span), bands) in one step, several times as fast. NULL for somebody without a purchase yet, and for NULL but in span. STABLE and errors as both.';

CREATE FUNCTION crm.grade(value anyelement, n integer) RETURNS integer
    LANGUAGE c IMMUTABLE WINDOW PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_grade';

COMMENT ON FUNCTION crm.grade(anyelement, integer) IS
'Window function: the grade of a value in its partition, 1 to n (2 to 9), n for the greatest: 1 + floor(n × share of the values that are strictly less). What NTILE is used for, but equal values get equal grades. Give -recency, or the time of the last order, where less is better. ORDER BY and frame do not matter. NULL for NULL. Errors: 22023 n out of range, 42883 type does not sort.';

CREATE FUNCTION crm.rfm_drift(old_bands crm.rfm_bands, new_bands crm.rfm_bands)
    RETURNS TABLE(measure text, grade smallint, old_cut numeric, new_cut numeric, change numeric, change_pct numeric)
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 12
BEGIN ATOMIC
    SELECT cuts.measure,
           (greatest(cardinality(old_bands.recency), cardinality(new_bands.recency)) + 2 - place)::smallint,
           cuts.old_cut,
           cuts.new_cut,
           cuts.new_cut - cuts.old_cut,
           round(100 * (cuts.new_cut - cuts.old_cut) / nullif(abs(cuts.old_cut), 0), 1)
    FROM (
        SELECT 1 AS position, 'recency' AS measure, place, old_cut::numeric, new_cut::numeric
        FROM ROWS FROM (unnest(old_bands.recency), unnest(new_bands.recency)) WITH ORDINALITY AS cut(old_cut, new_cut, place)
        UNION ALL
        SELECT 2, 'frequency', place, old_cut::numeric, new_cut::numeric
        FROM ROWS FROM (unnest(old_bands.frequency), unnest(new_bands.frequency)) WITH ORDINALITY AS cut(old_cut, new_cut, place)
        UNION ALL
        SELECT 3, 'monetary', place, old_cut, new_cut
        FROM ROWS FROM (unnest(old_bands.monetary), unnest(new_bands.monetary)) WITH ORDINALITY AS cut(old_cut, new_cut, place)
    ) AS cuts
    ORDER BY cuts.position, place;
END;

COMMENT ON FUNCTION crm.rfm_drift(crm.rfm_bands, crm.rfm_bands) IS
'How the cut points moved from old to new bands, best grade first: change is new less old in days, purchases or currency, change_pct in percent of the old one (NULL when that is 0). A rising recency cut means that customers buy less recently.';

-- segments

CREATE FUNCTION crm.rfm_segment(score crm.rfm_score, map name) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_rfm_segment';

COMMENT ON FUNCTION crm.rfm_segment(crm.rfm_score, name) IS
'The segment of a score in a map of crm.rfm_map. Errors: 42704 unknown map, 22023 score with a grade that the map does not have.';

CREATE TYPE crm.cpm_class AS ENUM ('first_time', 'infant', 'steady', 'trend', 'loyal');
CREATE TYPE crm.cpm AS (class crm.cpm_class, active boolean);

COMMENT ON TYPE crm.cpm_class IS
'Classes of the customer portfolio (CPM, 顧客ポートフォリオ): first_time 初回, infant よちよち, steady コツコツ, trend 流行, loyal 優良.';
COMMENT ON TYPE crm.cpm IS 'A customer''s class in the portfolio, and whether the customer is still active (現役) or lapsed (離脱).';

COMMENT ON COLUMN crm.cpm.class IS 'The class in the portfolio.';
COMMENT ON COLUMN crm.cpm.active IS 'Whether the last purchase is recent enough: active (現役), else lapsed (離脱).';

CREATE FUNCTION crm.cpm(h crm.history, as_of timestamptz, lapsed_after integer DEFAULT 240, infant_below integer DEFAULT 90,
                        loyal_from integer DEFAULT 210, revenue numeric DEFAULT 70000) RETURNS crm.cpm
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'crm_cpm';

COMMENT ON FUNCTION crm.cpm(crm.history, timestamptz, integer, integer, integer, numeric) IS
'The class of a customer in the portfolio at as_of. One purchase: first_time. Less than infant_below days from the first purchase to the last: infant. Else steady below the revenue given, trend below loyal_from days, loyal from there on. Active while the last purchase is less than lapsed_after days ago. The published table gives revenue of exactly 70000 to two classes; here it is the higher one. NULL for somebody without a purchase yet. Errors: 22023 limits contradict each other.';

CREATE FUNCTION crm.cpm_label_ja(portfolio crm.cpm) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE portfolio.active WHEN true THEN '現役' ELSE '離脱' END || CASE portfolio.class
    WHEN 'first_time' THEN '初回' WHEN 'infant' THEN 'よちよち' WHEN 'steady' THEN 'コツコツ' WHEN 'trend' THEN '流行' ELSE '優良' END;

COMMENT ON FUNCTION crm.cpm_label_ja(crm.cpm) IS 'The customary Japanese name of a class of the portfolio, such as 現役優良 or 離脱初回.';

-- the one-pass doors

CREATE FUNCTION crm.rfm_table(query text, as_of timestamptz DEFAULT now(), span interval DEFAULT '1 year',
                              bands crm.rfm_bands DEFAULT NULL, grades integer DEFAULT NULL, map name DEFAULT 'six')
    RETURNS TABLE(customer_id bigint, recency integer, frequency integer, monetary numeric, r smallint, f smallint, m smallint,
                  score crm.rfm_score, segment text)
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 ROWS 100000 AS 'MODULE_PATHNAME', 'crm_rfm_table';
-- as_of stands last here: so no literal in second or third place fits this function better than the one above.
CREATE FUNCTION crm.rfm_table(query text, key anyelement, span interval DEFAULT '1 year', bands crm.rfm_bands DEFAULT NULL,
                              grades integer DEFAULT NULL, map name DEFAULT 'six', as_of timestamptz DEFAULT now())
    RETURNS TABLE(customer_id anyelement, recency integer, frequency integer, monetary numeric, r smallint, f smallint, m smallint,
                  score crm.rfm_score, segment text)
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 ROWS 100000 AS 'MODULE_PATHNAME', 'crm_rfm_table';

-- An as_of written as a bare literal would fit both functions above.
CREATE FUNCTION crm.rfm_table(query text, as_of text, span interval DEFAULT '1 year',
                              bands crm.rfm_bands DEFAULT NULL, grades integer DEFAULT NULL, map name DEFAULT 'six')
    RETURNS TABLE(customer_id bigint, recency integer, frequency integer, monetary numeric, r smallint, f smallint, m smallint,
                  score crm.rfm_score, segment text)
    LANGUAGE sql STABLE PARALLEL UNSAFE COST 1000000 ROWS 100000
BEGIN ATOMIC
    SELECT * FROM crm.rfm_table(query, as_of::timestamptz, span, bands, grades, map);
END;

COMMENT ON FUNCTION crm.rfm_table(text, text, interval, crm.rfm_bands, integer, name) IS
'As crm.rfm_table(query, as_of timestamptz, …), for an as_of written as a literal without its type: crm.rfm_table(''…'', ''2026-01-01'').';
COMMENT ON FUNCTION crm.rfm_table(text, timestamptz, interval, crm.rfm_bands, integer, name) IS
'Measures, grades and segment of every customer of a query, in one pass. The query is as for crm.histories. as_of: purchases after it do not exist; span: the window of frequency and monetary, NULL for the lifetime. bands: fixed cut points, crm.rfm_bands() by default; or grades: quantiles of just this population. map: segments from crm.rfm_map, NULL for none. Somebody without a purchase at as_of has no row. Memory: pg_crm.memory. Errors: as crm.histories; 22023 bands and grades together, span not positive, map made for another number of grades; 42704 unknown map.';
COMMENT ON FUNCTION crm.rfm_table(text, anyelement, interval, crm.rfm_bands, integer, name, timestamptz) IS
'As crm.rfm_table(query, …), for customers of any type that can be hashed, which key shows: key => NULL::uuid.';

CREATE FUNCTION crm.rfm_migration(query text, from_date timestamptz, to_date timestamptz, span interval DEFAULT '1 year',
                                  bands crm.rfm_bands DEFAULT NULL, grades integer DEFAULT NULL, map name DEFAULT 'six')
    RETURNS TABLE(from_segment text, to_segment text, customers bigint)
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 ROWS 50 AS 'MODULE_PATHNAME', 'crm_rfm_migration';

COMMENT ON FUNCTION crm.rfm_migration(text, timestamptz, timestamptz, interval, crm.rfm_bands, integer, name) IS
'How many customers moved from each segment to each between two dates, in one pass; moves that nobody made have no row, and a from_segment of NULL means not yet a customer. Customers of any type that can be hashed. With grades, each date has the quantiles of its own population. Other arguments and errors as crm.rfm_table; 22023 when from_date is after to_date.';
