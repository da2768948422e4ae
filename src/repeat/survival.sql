-- survival: how long until something happens, when for some it has not happened yet

CREATE TYPE crm.survival;

CREATE FUNCTION crm.survival_in(cstring) RETURNS crm.survival
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_survival_in';
CREATE FUNCTION crm.survival_out(crm.survival) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_survival_out';
CREATE FUNCTION crm.survival_recv(internal) RETURNS crm.survival
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_survival_recv';
CREATE FUNCTION crm.survival_send(crm.survival) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_survival_send';

CREATE TYPE crm.survival (
    INPUT = crm.survival_in,
    OUTPUT = crm.survival_out,
    RECEIVE = crm.survival_recv,
    SEND = crm.survival_send,
    INTERNALLENGTH = VARIABLE,
    STORAGE = EXTENDED,
    CATEGORY = 'U'
);

COMMENT ON TYPE crm.survival IS
'Durations: at each, for how many it ended with the event and how many were last seen; read by crm.survival_rows or crm.renewal_rows, merged by crm.rollup. Text form: its bytes in hexadecimal, as of bytea.';
COMMENT ON FUNCTION crm.survival_in(cstring) IS 'Text input of crm.survival. Errors: 22P03 for what crm.survival did not print.';
COMMENT ON FUNCTION crm.survival_out(crm.survival) IS 'Text output of crm.survival: its bytes in hexadecimal.';
COMMENT ON FUNCTION crm.survival_recv(internal) IS 'Binary input of crm.survival, as strict as text. Errors: 22P03.';
COMMENT ON FUNCTION crm.survival_send(crm.survival) IS 'Binary output of crm.survival.';

CREATE FUNCTION crm.survival_accumulate(bytea, double precision, boolean) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_survival_accumulate';
CREATE FUNCTION crm.survival_accumulate(bytea, crm.survival) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_survival_accumulate_survival';
CREATE FUNCTION crm.renewal_hazard_accumulate(bytea, integer, boolean) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_renewal_hazard_accumulate';
CREATE FUNCTION crm.survival_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_survival_combine';
CREATE FUNCTION crm.survival_finish(bytea) RETURNS crm.survival
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_survival_finish';

COMMENT ON FUNCTION crm.survival_accumulate(bytea, double precision, boolean) IS 'Transition function of the aggregate crm.survival.';
COMMENT ON FUNCTION crm.survival_accumulate(bytea, crm.survival) IS 'Transition function of crm.rollup(crm.survival).';
COMMENT ON FUNCTION crm.renewal_hazard_accumulate(bytea, integer, boolean) IS 'Transition function of the aggregate crm.renewal_hazard.';
COMMENT ON FUNCTION crm.survival_combine(bytea, bytea) IS 'Merges two states of the survival aggregates.';
COMMENT ON FUNCTION crm.survival_finish(bytea) IS 'Final function of the survival aggregates.';

CREATE AGGREGATE crm.survival(duration double precision, event boolean) (
    SFUNC = crm.survival_accumulate, STYPE = bytea, SSPACE = 8192, FINALFUNC = crm.survival_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.survival_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.rollup(crm.survival) (
    SFUNC = crm.survival_accumulate, STYPE = bytea, SSPACE = 8192, FINALFUNC = crm.survival_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.survival_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.renewal_hazard(renewals integer, cancelled boolean) (
    SFUNC = crm.renewal_hazard_accumulate, STYPE = bytea, SSPACE = 8192, FINALFUNC = crm.survival_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.survival_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.survival(double precision, boolean) IS
'Durations of one row each, in any unit: true where the event ended it, false where it had not happened when last seen (right-censored). NULL inputs are skipped; NULL without rows. Errors: 22023 a duration that is negative, infinite or NaN; 54000 more than 4 million different durations.';
COMMENT ON AGGREGATE crm.rollup(crm.survival) IS
'Durations of disjoint groups in one, for instance of several servers. NULL without rows. Errors: 54000 more than 4 million different durations.';
COMMENT ON AGGREGATE crm.renewal_hazard(integer, boolean) IS
'Subscriptions, one row each: renewals, how many deliveries there were so far, the first among them, and whether it has been cancelled after the last of them. An active subscription has gone on after every delivery but the last, after which it can still be cancelled: it is followed up to the one before. NULL inputs are skipped, and so are active ones without a delivery; NULL when none is left. Errors: 22023 renewals not 0 to 100000.';

CREATE FUNCTION crm.survival_rows(survival crm.survival, confidence double precision DEFAULT 0.95)
    RETURNS TABLE(at double precision, at_risk bigint, events bigint, survival double precision, se double precision,
                  lower double precision, upper double precision, hazard double precision)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 100 AS 'MODULE_PATHNAME', 'crm_survival_rows';
CREATE FUNCTION crm.survival_median(survival crm.survival) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_survival_median';
CREATE FUNCTION crm.renewal_rows(survival crm.survival, riskiest integer DEFAULT 3)
    RETURNS TABLE(delivery integer, at_risk bigint, cancelled bigint, hazard double precision, survival double precision,
                  riskiest boolean)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 30 AS 'MODULE_PATHNAME', 'crm_renewal_rows';

COMMENT ON FUNCTION crm.survival_rows(crm.survival, double precision) IS
'The estimate of Kaplan and Meier, one row for each time of an event: at, the time; at_risk, those who were still there, including who was last seen at just that time; events; survival, the share for whom it has not happened by then; se, its standard error by Greenwood, NULL once survival is 0; lower and upper, log-log limits of the confidence given, NULL at a survival of 0; hazard, events by at_risk. Errors: 22023 confidence not between 0 and 1.';
COMMENT ON FUNCTION crm.survival_median(crm.survival) IS
'The first time by which the event has happened to half of them by the estimate of Kaplan and Meier; NULL when it has not come so far.';
COMMENT ON FUNCTION crm.renewal_rows(crm.survival, integer) IS
'At which delivery subscriptions are cancelled, one row for each: delivery; at_risk, subscriptions for which it is known whether they went on after it; cancelled; hazard, cancelled by at_risk; survival, share that goes on after it by Kaplan and Meier; riskiest, whether it is among the so many deliveries whose hazard is the highest beyond chance, by the lower limit of its interval of 95 percent (E. B. Wilson 1927), of equal ones the earlier. Delivery 0 has a row only when somebody cancelled before the first. Errors: 22023 durations that are no numbers of deliveries, or riskiest is negative.';
