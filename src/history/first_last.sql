-- the first and the last value over time, such as entry channel or first product

CREATE FUNCTION crm.first_accumulate(bytea, anyelement, timestamptz) RETURNS bytea
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_first_accumulate';
CREATE FUNCTION crm.last_accumulate(bytea, anyelement, timestamptz) RETURNS bytea
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_last_accumulate';
CREATE FUNCTION crm.first_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_first_combine';
CREATE FUNCTION crm.last_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_last_combine';
CREATE FUNCTION crm.first_last_finish(bytea, anyelement, timestamptz) RETURNS anyelement
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_first_last_finish';

COMMENT ON FUNCTION crm.first_accumulate(bytea, anyelement, timestamptz) IS 'Transition function of crm.first.';
COMMENT ON FUNCTION crm.last_accumulate(bytea, anyelement, timestamptz) IS 'Transition function of crm.last.';
COMMENT ON FUNCTION crm.first_combine(bytea, bytea) IS 'Merges two states of crm.first.';
COMMENT ON FUNCTION crm.last_combine(bytea, bytea) IS 'Merges two states of crm.last.';
COMMENT ON FUNCTION crm.first_last_finish(bytea, anyelement, timestamptz) IS 'Final function of crm.first and crm.last.';

CREATE AGGREGATE crm.first(value anyelement, at timestamptz) (
    SFUNC = crm.first_accumulate, STYPE = bytea, SSPACE = 64, FINALFUNC = crm.first_last_finish, FINALFUNC_EXTRA,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = crm.first_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.last(value anyelement, at timestamptz) (
    SFUNC = crm.last_accumulate, STYPE = bytea, SSPACE = 64, FINALFUNC = crm.first_last_finish, FINALFUNC_EXTRA,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = crm.last_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.first(anyelement, timestamptz) IS
'The value of the earliest row, for instance the entry channel: crm.first(channel, ordered_at). Rows whose value or time is NULL are skipped; NULL without rows. Of rows at the same microsecond, the one whose binary form sorts first, so that the order of input does not matter. Errors: 22008 infinite time, 42883 type without binary form.';
COMMENT ON AGGREGATE crm.last(anyelement, timestamptz) IS
'The value of the latest row, otherwise as crm.first.';
