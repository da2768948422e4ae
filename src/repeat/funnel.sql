-- funnel: how far people get through steps in order

CREATE FUNCTION crm.funnel_accumulate(bytea, timestamptz, integer, interval) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_funnel_accumulate';
CREATE FUNCTION crm.funnel_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_funnel_combine';
CREATE FUNCTION crm.funnel_finish(bytea) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_funnel_finish';

COMMENT ON FUNCTION crm.funnel_accumulate(bytea, timestamptz, integer, interval) IS 'Transition function of the aggregate crm.funnel.';
COMMENT ON FUNCTION crm.funnel_combine(bytea, bytea) IS 'Merges two states of the aggregate crm.funnel.';
COMMENT ON FUNCTION crm.funnel_finish(bytea) IS 'Final function of the aggregate crm.funnel.';

CREATE AGGREGATE crm.funnel(at timestamptz, step integer, within interval) (
    SFUNC = crm.funnel_accumulate, STYPE = bytea, SSPACE = 96, FINALFUNC = crm.funnel_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.funnel_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.funnel(timestamptz, integer, interval) IS
'The furthest of the steps 1, 2, 3 … that one customer took in this order, all within so long after the step 1 that the way began with; whichever beginning leads furthest counts. Other steps in between do not matter, and steps at the same time count as in order. 0 when there was no step 1. within is a constant without months, days have 24 hours, NULL is no limit. A NULL at or step is skipped; NULL without rows. Errors: 22023 a step not 1 to 64; within has months, is negative or changes.';

CREATE FUNCTION crm.funnel_rows(query text, within interval)
    RETURNS TABLE(step integer, customers bigint, from_previous double precision, from_first double precision)
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 ROWS 10 AS 'MODULE_PATHNAME', 'crm_funnel_rows';

COMMENT ON FUNCTION crm.funnel_rows(text, interval) IS
'How many customers reach each step of a funnel, in one pass over a query of events: customer (of any type that can be hashed), time and step, a whole number. One row for each step up to the last that occurs. customers: who reached it as of crm.funnel; from_previous: share of those who reached the step before, NULL for step 1; from_first: share of those who began. NULL shares where there is nobody to take a share of. Errors: as crm.histories and crm.funnel.';
