-- Subscriptions by the shifted-beta-geometric model

CREATE FUNCTION crm.sbg_accumulate(bytea, integer, boolean) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_sbg_accumulate';
CREATE FUNCTION crm.sbg_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_sbg_combine';
CREATE FUNCTION crm.sbg_finish(bytea) RETURNS crm.sbg
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100000 AS 'MODULE_PATHNAME', 'crm_sbg_finish';

COMMENT ON FUNCTION crm.sbg_accumulate(bytea, integer, boolean) IS 'Transition function of the aggregate crm.sbg_fit.';
COMMENT ON FUNCTION crm.sbg_combine(bytea, bytea) IS 'Merges two states of the aggregate crm.sbg_fit.';
COMMENT ON FUNCTION crm.sbg_finish(bytea) IS 'Final function of the aggregate crm.sbg_fit.';

CREATE AGGREGATE crm.sbg_fit(renewals integer, cancelled boolean) (
    SFUNC = crm.sbg_accumulate, STYPE = bytea, SSPACE = 8192, FINALFUNC = crm.sbg_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.sbg_combine, PARALLEL = SAFE);

CREATE AGGREGATE crm.sbg_counts(renewals integer, cancelled boolean) (
    SFUNC = crm.sbg_accumulate, STYPE = bytea, SSPACE = 8192, COMBINEFUNC = crm.sbg_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.sbg_fit(counts bytea) (
    SFUNC = crm.sbg_combine, STYPE = bytea, SSPACE = 8192, FINALFUNC = crm.sbg_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.sbg_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.sbg_fit(integer, boolean) IS
'The shifted-beta-geometric model of the subscriptions aggregated, one row each: how often it has been renewed so far, and whether it has been cancelled since. Somebody who left at the first renewal has renewals 0 and cancelled true. NULL inputs are skipped, and so are active ones without a renewal, which say nothing; NULL when none is left. Errors: 22023 renewals out of range, too little data.';
COMMENT ON AGGREGATE crm.sbg_counts(integer, boolean) IS
'What crm.sbg_fit sees of the subscriptions aggregated: how many there are of each number of renewals, cancelled and not. For subscriptions that are spread over several tables or servers, as crm.btyd_counts. Errors: as crm.sbg_fit.';
COMMENT ON AGGREGATE crm.sbg_fit(bytea) IS
'The shifted-beta-geometric model of all subscriptions that were counted by crm.sbg_counts: to the last bit what the aggregate gives for the subscriptions. Errors: as that one, and 22023 for bytes that are no counts.';

CREATE FUNCTION crm.sbg_survival(model crm.sbg, n integer) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_sbg_survival';
CREATE FUNCTION crm.sbg_lifetime(model crm.sbg, renewals integer, discount double precision) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_sbg_lifetime';

COMMENT ON FUNCTION crm.sbg_survival(crm.sbg, integer) IS
'The share of new subscriptions that is still there after n renewals; 1 for 0. Errors: 22023 n negative, a model with impossible parameters.';
COMMENT ON FUNCTION crm.sbg_lifetime(crm.sbg, integer, double precision) IS
'How many further renewals to expect of a subscription that has been renewed so often and comes to its next renewal now: the one of now counts in full, each later one is discounted by so much a renewal period (0.10 is ten percent). It is the discounted expected residual lifetime of Fader and Hardie 2010, Customer-Base Valuation in a Contractual Setting. Infinity for a discount of 0 where alpha is 1 or less. Errors: 22023 renewals or discount negative or not finite, a model with impossible parameters.';
