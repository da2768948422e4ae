-- cohort: customers by the period of their first purchase

CREATE TYPE crm.retention AS ENUM ('on', 'on_or_after');

COMMENT ON TYPE crm.retention IS
'Who counts as retained at an age: on, customers who bought in just that period; on_or_after, customers who bought in it or later (unbounded retention, 1 minus churn).';

CREATE TYPE crm.cohorts;

CREATE FUNCTION crm.cohorts_in(cstring) RETURNS crm.cohorts
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_cohorts_in';
CREATE FUNCTION crm.cohorts_out(crm.cohorts) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_cohorts_out';
CREATE FUNCTION crm.cohorts_recv(internal) RETURNS crm.cohorts
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_cohorts_recv';
CREATE FUNCTION crm.cohorts_send(crm.cohorts) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_cohorts_send';

CREATE TYPE crm.cohorts (
    INPUT = crm.cohorts_in,
    OUTPUT = crm.cohorts_out,
    RECEIVE = crm.cohorts_recv,
    SEND = crm.cohorts_send,
    INTERNALLENGTH = VARIABLE,
    STORAGE = EXTENDED,
    CATEGORY = 'U'
);

COMMENT ON TYPE crm.cohorts IS
'Counts of customers, orders and revenue by cohort and age, for one calendar and one as_of; read by crm.cohort_rows, merged by crm.rollup. Text form: its bytes in hexadecimal, as of bytea.';
COMMENT ON FUNCTION crm.cohorts_in(cstring) IS 'Text input of crm.cohorts. Errors: 22P03 for what crm.cohorts did not print.';
COMMENT ON FUNCTION crm.cohorts_out(crm.cohorts) IS 'Text output of crm.cohorts: its bytes in hexadecimal.';
COMMENT ON FUNCTION crm.cohorts_recv(internal) IS 'Binary input of crm.cohorts, as strict as text. Errors: 22P03.';
COMMENT ON FUNCTION crm.cohorts_send(crm.cohorts) IS 'Binary output of crm.cohorts.';

CREATE FUNCTION crm.cohorts_accumulate(bytea, crm.history, crm.calendar, timestamptz) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_cohorts_accumulate';
CREATE FUNCTION crm.cohorts_accumulate(bytea, crm.cohorts) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_cohorts_accumulate_cohorts';
CREATE FUNCTION crm.cohorts_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_cohorts_combine';
CREATE FUNCTION crm.cohorts_finish(bytea) RETURNS crm.cohorts
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_cohorts_finish';

COMMENT ON FUNCTION crm.cohorts_accumulate(bytea, crm.history, crm.calendar, timestamptz) IS 'Transition function of the aggregate crm.cohorts.';
COMMENT ON FUNCTION crm.cohorts_accumulate(bytea, crm.cohorts) IS 'Transition function of crm.rollup(crm.cohorts).';
COMMENT ON FUNCTION crm.cohorts_combine(bytea, bytea) IS 'Merges two states of the cohort aggregates.';
COMMENT ON FUNCTION crm.cohorts_finish(bytea) IS 'Final function of the cohort aggregates.';

CREATE AGGREGATE crm.cohorts(h crm.history, period crm.calendar, as_of timestamptz) (
    SFUNC = crm.cohorts_accumulate, STYPE = bytea, SSPACE = 8192, FINALFUNC = crm.cohorts_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.cohorts_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.rollup(crm.cohorts) (
    SFUNC = crm.cohorts_accumulate, STYPE = bytea, SSPACE = 8192, FINALFUNC = crm.cohorts_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.cohorts_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.cohorts(crm.history, crm.calendar, timestamptz) IS
'Cohorts of the customers whose histories are aggregated: one history a customer, one calendar and one as_of for all. Purchases after as_of do not exist. Periods are the calendar''s; of ''30 days'' and the like they begin with each customer''s own first purchase, and cohorts with runs of days from 2000-01-01. A refund counts at its own time, one before the first purchase at age 0. NULL inputs are skipped; NULL without customers. Errors: 22023 calendar or as_of changes, 54000 more than 4 million cells.';
COMMENT ON AGGREGATE crm.rollup(crm.cohorts) IS
'Cohorts of disjoint groups of customers in one, for instance of several servers. NULL without rows. Errors: 22023 different calendars or dates.';

CREATE FUNCTION crm.cohort_rows(cohorts crm.cohorts, kind crm.retention DEFAULT 'on')
    RETURNS TABLE(cohort date, age integer, customers bigint, retained bigint, retention double precision, orders bigint,
                  revenue numeric, cumulative_revenue numeric, ltv numeric, elapsed boolean)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 500 AS 'MODULE_PATHNAME', 'crm_cohort_rows';

COMMENT ON FUNCTION crm.cohort_rows(crm.cohorts, crm.retention) IS
'One row for each cohort and each age that has begun at as_of. cohort: first date of the period of the first purchase; age: periods since, 0 the first; customers: size of the cohort; retained: how many bought, as kind says; retention: retained by customers; orders and revenue of the age, refunds taken off at their own time; cumulative_revenue: up to the age; ltv: cumulative_revenue by customers. elapsed is false while the period still runs for any customer of the cohort; retention and ltv are NULL then, and the counts are those so far.';

CREATE FUNCTION crm.cohort_table(query text, period crm.calendar, as_of timestamptz DEFAULT now(), kind crm.retention DEFAULT 'on')
    RETURNS TABLE(split text, cohort date, age integer, customers bigint, retained bigint, retention double precision,
                  orders bigint, revenue numeric, cumulative_revenue numeric, ltv numeric, elapsed boolean)
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 ROWS 500 AS 'MODULE_PATHNAME', 'crm_cohort_table';

COMMENT ON FUNCTION crm.cohort_table(text, crm.calendar, timestamptz, crm.retention) IS
'crm.cohort_rows straight from a query of orders, in one pass. The query is as for crm.histories, its customers of any type that can be hashed; an optional fourth column splits the cohorts: each customer belongs to the value of the first purchase (of several at the same microsecond, to the one that sorts first), which split shows as text. Without it split is NULL. Errors: as crm.histories and crm.cohorts; 54000 more than 10000 values to split by, or 4 MB of them, or counts that take more than pg_crm.memory and 256 MB.';

CREATE FUNCTION crm.cohort_at(cohorts crm.cohorts)
    RETURNS TABLE(cohort date, customers bigint, second_rate double precision, sixth_rate double precision, ltv_12 numeric)
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 50
BEGIN ATOMIC
    SELECT cells.cohort,
           min(cells.customers),
           min(cells.retention) FILTER (WHERE cells.age = 1),
           min(cells.retention) FILTER (WHERE cells.age = 5),
           min(cells.ltv) FILTER (WHERE cells.age = 11)
    FROM crm.cohort_rows(cohorts, 'on'::crm.retention) AS cells
    GROUP BY cells.cohort
    ORDER BY cells.cohort;
END;

COMMENT ON FUNCTION crm.cohort_at(crm.cohorts) IS
'The table that cohorts are first judged by, one row a cohort; with a calendar of months: second_rate, share who bought in the second month (age 1); sixth_rate, in the sixth month (age 5); ltv_12, revenue per customer over the first twelve months. NULL while the period has not elapsed.';
