-- dormancy: how far a customer is behind their own rhythm, and whether outside signals rise or fall

CREATE TYPE crm.dormancy AS (purchases integer, days_since double precision, typical_days double precision,
                             days_overdue double precision, gaps integer, gap_trend text, gap_change double precision,
                             gap_p double precision, p_alive double precision, score double precision, reasons text[]);

COMMENT ON TYPE crm.dormancy IS
'How far a customer is behind their own rhythm (休眠の兆し), with the evidence. Days are of 24 hours. A gap is the time from one purchase to the next; gaps of less than a day are left out, since such orders are one visit; the latest 50 count.';
COMMENT ON COLUMN crm.dormancy.purchases IS 'Purchases by as_of.';
COMMENT ON COLUMN crm.dormancy.days_since IS 'Days since the last of them.';
COMMENT ON COLUMN crm.dormancy.typical_days IS 'Median of the gaps; where the shop''s typical_days are given, they count as one gap more. NULL without any.';
COMMENT ON COLUMN crm.dormancy.days_overdue IS 'What days_since has beyond typical_days, at least 0; NULL without typical_days.';
COMMENT ON COLUMN crm.dormancy.gaps IS 'Gaps counted, 0 to 50.';
COMMENT ON COLUMN crm.dormancy.gap_trend IS 'widening or narrowing where gap_p is at most 0.1, else steady; NULL for less than four gaps.';
COMMENT ON COLUMN crm.dormancy.gap_change IS 'Days by which a gap is longer than the one before: the median slope of Theil (1950) and Sen (1968); negative when gaps narrow. NULL for less than two gaps.';
COMMENT ON COLUMN crm.dormancy.gap_p IS 'How likely chance alone makes gaps widen or narrow as clearly: the two-sided test of Mann (1945) and Kendall (1975), exact up to 20 gaps that all differ, else by the normal approximation. NULL for less than two gaps.';
COMMENT ON COLUMN crm.dormancy.p_alive IS 'Probability that he or she is still a customer, by a lifetime model; NULL without one.';
COMMENT ON COLUMN crm.dormancy.score IS '0 to 1. With r = days_since / typical_days it is 0 for r up to 1, and 1 - 2^(1 - r) beyond: half when one whole gap is overdue, three quarters for two. Widening gaps take a quarter off what is missing to 1. With a lifetime model it is the larger of that and 1 - p_alive. NULL without typical_days and model.';
COMMENT ON COLUMN crm.dormancy.reasons IS 'The same in words, the most important first.';

CREATE FUNCTION crm.dormancy(h crm.history, as_of timestamptz) RETURNS crm.dormancy
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_dormancy';
CREATE FUNCTION crm.dormancy(h crm.history, as_of timestamptz, typical_days double precision) RETURNS crm.dormancy
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_dormancy';

COMMENT ON FUNCTION crm.dormancy(crm.history, timestamptz) IS
'How far a customer is behind their own rhythm as of a time. NULL without a purchase by then. Purchases after as_of do not exist; refunds are no purchases. Errors: 22008 infinite time.';
COMMENT ON FUNCTION crm.dormancy(crm.history, timestamptz, double precision) IS
'As crm.dormancy(history, timestamptz), with the shop''s usual days between two purchases for customers of few purchases: they count as one gap more, so they are all there is for somebody who bought once, and hardly matter after ten purchases. NULL is as if they were not given, and needs a cast: NULL::float8. Errors: 22023 typical_days not a positive number; 22008 infinite time.';

-- Either sign of leaving is enough: neither sees what the other one does.
CREATE FUNCTION crm.dormancy_with_model(d crm.dormancy, p_alive double precision) RETURNS crm.dormancy
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
BEGIN ATOMIC
    SELECT CASE WHEN p_alive IS NULL THEN d
                ELSE ROW((d).purchases, (d).days_since, (d).typical_days, (d).days_overdue, (d).gaps, (d).gap_trend, (d).gap_change,
                         (d).gap_p, p_alive, v.score,
                         CASE WHEN v.score > coalesce((d).score, 0) THEN v.reason || (d).reasons ELSE (d).reasons || v.reason END)::crm.dormancy
                END
    FROM (SELECT greatest((d).score, 1 - p_alive) AS score,
                 'the model gives a probability of ' || pg_catalog.round(100 * p_alive)::int::text
                     || ' % of still being a customer' AS reason) AS v;
END;

CREATE FUNCTION crm.dormancy(h crm.history, as_of timestamptz, model crm.bgnbd, typical_days double precision DEFAULT NULL)
    RETURNS crm.dormancy
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
    RETURN crm.dormancy_with_model(crm.dormancy(h, as_of, typical_days), crm.p_alive(h, model, as_of));
CREATE FUNCTION crm.dormancy(h crm.history, as_of timestamptz, model crm.mbgnbd, typical_days double precision DEFAULT NULL)
    RETURNS crm.dormancy
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
    RETURN crm.dormancy_with_model(crm.dormancy(h, as_of, typical_days), crm.p_alive(h, model, as_of));
CREATE FUNCTION crm.dormancy(h crm.history, as_of timestamptz, model crm.pareto_nbd, typical_days double precision DEFAULT NULL)
    RETURNS crm.dormancy
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
    RETURN crm.dormancy_with_model(crm.dormancy(h, as_of, typical_days), crm.p_alive(h, model, as_of));

COMMENT ON FUNCTION crm.dormancy_with_model(crm.dormancy, double precision) IS
'A dormancy with the probability of a model added, its score and reasons too. A part of crm.dormancy.';
COMMENT ON FUNCTION crm.dormancy(crm.history, timestamptz, crm.mbgnbd, double precision) IS
'As crm.dormancy(history, timestamptz, typical_days), with P(alive) by a fitted MBG/NBD model, and that in the reasons. The score is the larger of the rhythm''s and 1 - P(alive): the model knows how customers like this one went on, the rhythm knows this customer''s own gaps and whether they widen, and either is reason enough to write. For who has no rhythm, such as first-time buyers, the model''s alone. A model that is NULL is as if it were not given. Errors: as crm.dormancy and crm.p_alive.';
COMMENT ON FUNCTION crm.dormancy(crm.history, timestamptz, crm.bgnbd, double precision) IS
'As crm.dormancy by crm.mbgnbd, by the BG/NBD model. It holds every one-time buyer for alive: take crm.mbgnbd where those matter.';
COMMENT ON FUNCTION crm.dormancy(crm.history, timestamptz, crm.pareto_nbd, double precision) IS
'As crm.dormancy by crm.mbgnbd, by the Pareto/NBD model.';

CREATE TYPE crm.signal_trend AS (observations integer, usual double precision, latest double precision, trend text,
                                 change double precision, p double precision);

COMMENT ON TYPE crm.signal_trend IS 'Whether a signal rises or falls over time, with the evidence.';
COMMENT ON COLUMN crm.signal_trend.observations IS 'Observations counted: the latest 500.';
COMMENT ON COLUMN crm.signal_trend.usual IS 'Median of their values.';
COMMENT ON COLUMN crm.signal_trend.latest IS 'Value of the latest of them; of several at one time the greatest.';
COMMENT ON COLUMN crm.signal_trend.trend IS 'rising or falling where p is at most 0.1, else steady; NULL for less than four observations or when all are of one time.';
COMMENT ON COLUMN crm.signal_trend.change IS 'Change of the value a day of 24 hours: the median slope of Theil (1950) and Sen (1968). NULL when all are of one time.';
COMMENT ON COLUMN crm.signal_trend.p IS 'How likely chance alone makes a trend as clear: the two-sided test of Mann (1945) and Kendall (1975), exact up to 20 observations that all differ in time and value, else by the normal approximation. NULL when all are of one time.';

CREATE FUNCTION crm.signal_trend_accumulate(bytea, timestamptz, double precision) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_signal_trend_accumulate';
CREATE FUNCTION crm.signal_trend_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_signal_trend_combine';
CREATE FUNCTION crm.signal_trend_finish(bytea) RETURNS crm.signal_trend
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_signal_trend_finish';

COMMENT ON FUNCTION crm.signal_trend_accumulate(bytea, timestamptz, double precision) IS 'Transition function of the aggregate crm.signal_trend.';
COMMENT ON FUNCTION crm.signal_trend_combine(bytea, bytea) IS 'Merges two states of the aggregate crm.signal_trend.';
COMMENT ON FUNCTION crm.signal_trend_finish(bytea) IS 'Final function of the aggregate crm.signal_trend.';

CREATE AGGREGATE crm.signal_trend(at timestamptz, value double precision) (
    SFUNC = crm.signal_trend_accumulate, STYPE = bytea, SSPACE = 512, FINALFUNC = crm.signal_trend_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.signal_trend_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.signal_trend(timestamptz, double precision) IS
'Whether a signal from outside the orders rises or falls over time: mails opened (1) or not (0), deliveries skipped, visits a week. A few wild values do not mislead it. NULL inputs are skipped; NULL without rows. Errors: 22008 infinite time; 22003 value NaN, infinite or beyond 1e100.';
