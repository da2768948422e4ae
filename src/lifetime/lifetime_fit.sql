-- Fitting the models: aggregates over histories and over summaries, and one pass over a query of orders

CREATE FUNCTION crm.btyd_accumulate(bytea, crm.history, crm.calendar, timestamptz) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_btyd_accumulate';
CREATE FUNCTION crm.btyd_accumulate(bytea, crm.history, crm.calendar, timestamptz, crm.fit_method) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_btyd_accumulate';
CREATE FUNCTION crm.btyd_accumulate(bytea, bigint, double precision, double precision, crm.calendar) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 4 AS 'MODULE_PATHNAME', 'crm_btyd_accumulate_summary';
CREATE FUNCTION crm.btyd_accumulate(bytea, bigint, double precision, double precision, crm.calendar, crm.fit_method) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 4 AS 'MODULE_PATHNAME', 'crm_btyd_accumulate_summary';
CREATE FUNCTION crm.btyd_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_btyd_combine';
CREATE FUNCTION crm.bgnbd_finish(bytea) RETURNS crm.bgnbd
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000000 AS 'MODULE_PATHNAME', 'crm_bgnbd_finish';
CREATE FUNCTION crm.mbgnbd_finish(bytea) RETURNS crm.mbgnbd
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000000 AS 'MODULE_PATHNAME', 'crm_mbgnbd_finish';
CREATE FUNCTION crm.pareto_nbd_finish(bytea) RETURNS crm.pareto_nbd
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000000 AS 'MODULE_PATHNAME', 'crm_pareto_nbd_finish';

COMMENT ON FUNCTION crm.btyd_accumulate(bytea, crm.history, crm.calendar, timestamptz) IS 'Transition function of the aggregates crm.bgnbd_fit, crm.mbgnbd_fit and crm.pareto_nbd_fit over histories.';
COMMENT ON FUNCTION crm.btyd_accumulate(bytea, crm.history, crm.calendar, timestamptz, crm.fit_method) IS 'Transition function of the same aggregates with a method.';
COMMENT ON FUNCTION crm.btyd_accumulate(bytea, bigint, double precision, double precision, crm.calendar) IS 'Transition function of the same aggregates over summaries.';
COMMENT ON FUNCTION crm.btyd_accumulate(bytea, bigint, double precision, double precision, crm.calendar, crm.fit_method) IS 'Transition function of the same aggregates over summaries with a method.';
COMMENT ON FUNCTION crm.btyd_combine(bytea, bytea) IS 'Merges two states of the aggregates that fit buy-till-you-die models.';
COMMENT ON FUNCTION crm.bgnbd_finish(bytea) IS 'Final function of the aggregate crm.bgnbd_fit.';
COMMENT ON FUNCTION crm.mbgnbd_finish(bytea) IS 'Final function of the aggregate crm.mbgnbd_fit.';
COMMENT ON FUNCTION crm.pareto_nbd_finish(bytea) IS 'Final function of the aggregate crm.pareto_nbd_fit.';

CREATE AGGREGATE crm.bgnbd_fit(h crm.history, calendar crm.calendar, as_of timestamptz) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.bgnbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.bgnbd_fit(h crm.history, calendar crm.calendar, as_of timestamptz, method crm.fit_method) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.bgnbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.bgnbd_fit(x bigint, t_x double precision, t double precision, calendar crm.calendar) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.bgnbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.bgnbd_fit(x bigint, t_x double precision, t double precision, calendar crm.calendar, method crm.fit_method) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.bgnbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE FUNCTION crm.bgnbd_fit(query text, calendar crm.calendar, as_of timestamptz DEFAULT now(), method crm.fit_method DEFAULT 'automatic')
    RETURNS crm.bgnbd
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 AS 'MODULE_PATHNAME', 'crm_bgnbd_fit_query';

CREATE AGGREGATE crm.mbgnbd_fit(h crm.history, calendar crm.calendar, as_of timestamptz) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.mbgnbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.mbgnbd_fit(h crm.history, calendar crm.calendar, as_of timestamptz, method crm.fit_method) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.mbgnbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.mbgnbd_fit(x bigint, t_x double precision, t double precision, calendar crm.calendar) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.mbgnbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.mbgnbd_fit(x bigint, t_x double precision, t double precision, calendar crm.calendar, method crm.fit_method) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.mbgnbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE FUNCTION crm.mbgnbd_fit(query text, calendar crm.calendar, as_of timestamptz DEFAULT now(), method crm.fit_method DEFAULT 'automatic')
    RETURNS crm.mbgnbd
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 AS 'MODULE_PATHNAME', 'crm_mbgnbd_fit_query';

CREATE AGGREGATE crm.pareto_nbd_fit(h crm.history, calendar crm.calendar, as_of timestamptz) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.pareto_nbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.pareto_nbd_fit(h crm.history, calendar crm.calendar, as_of timestamptz, method crm.fit_method) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.pareto_nbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.pareto_nbd_fit(x bigint, t_x double precision, t double precision, calendar crm.calendar) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.pareto_nbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.pareto_nbd_fit(x bigint, t_x double precision, t double precision, calendar crm.calendar, method crm.fit_method) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.pareto_nbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE FUNCTION crm.pareto_nbd_fit(query text, calendar crm.calendar, as_of timestamptz DEFAULT now(), method crm.fit_method DEFAULT 'automatic')
    RETURNS crm.pareto_nbd
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 AS 'MODULE_PATHNAME', 'crm_pareto_nbd_fit_query';

COMMENT ON AGGREGATE crm.bgnbd_fit(crm.history, crm.calendar, timestamptz) IS
'The BG/NBD model of the customers whose histories are aggregated, one history a customer, as of a time: purchases after it do not exist, refunds are no purchases. The calendar is day or week, with its zone: orders of one of its days count once, ages are differences of days, and its period only is the unit of time. The method is automatic. The model does not depend on the order of the rows or the plan, to the last bit. NULL inputs are skipped; NULL without customers. Errors: 22023 another calendar, too little data, or calendar or as_of changes.';
COMMENT ON AGGREGATE crm.bgnbd_fit(crm.history, crm.calendar, timestamptz, crm.fit_method) IS
'The same by a method. Errors: also 22023 method changes.';
COMMENT ON AGGREGATE crm.bgnbd_fit(bigint, double precision, double precision, crm.calendar) IS
'The same from one row a customer, the form that papers and packages give: x, repeat purchases; t_x, time of the last one; t, age at the end, both since the first purchase and in periods of the calendar. Errors: 22023 numbers that no customer can have, such as t_x > t, or t_x = 0 with x > 0.';
COMMENT ON AGGREGATE crm.bgnbd_fit(bigint, double precision, double precision, crm.calendar, crm.fit_method) IS
'The same by a method.';
COMMENT ON FUNCTION crm.bgnbd_fit(text, crm.calendar, timestamptz, crm.fit_method) IS
'The BG/NBD model straight from a query of orders, in one pass: to the last bit what the aggregate gives for the histories. The query is as for crm.histories, its customers of any type that can be hashed. NULL without customers. Errors: as crm.histories and the aggregate.';
COMMENT ON AGGREGATE crm.mbgnbd_fit(crm.history, crm.calendar, timestamptz) IS
'The MBG/NBD model of the customers whose histories are aggregated, one history a customer, as of a time: purchases after it do not exist, refunds are no purchases. The calendar is day or week, with its zone: orders of one of its days count once, ages are differences of days, and its period only is the unit of time. The method is automatic. The model does not depend on the order of the rows or the plan, to the last bit. NULL inputs are skipped; NULL without customers. Errors: 22023 another calendar, too little data, or calendar or as_of changes.';
COMMENT ON AGGREGATE crm.mbgnbd_fit(crm.history, crm.calendar, timestamptz, crm.fit_method) IS
'The same by a method. Errors: also 22023 method changes.';
COMMENT ON AGGREGATE crm.mbgnbd_fit(bigint, double precision, double precision, crm.calendar) IS
'The same from one row a customer, the form that papers and packages give: x, repeat purchases; t_x, time of the last one; t, age at the end, both since the first purchase and in periods of the calendar. Errors: 22023 numbers that no customer can have, such as t_x > t, or t_x = 0 with x > 0.';
COMMENT ON AGGREGATE crm.mbgnbd_fit(bigint, double precision, double precision, crm.calendar, crm.fit_method) IS
'The same by a method.';
COMMENT ON FUNCTION crm.mbgnbd_fit(text, crm.calendar, timestamptz, crm.fit_method) IS
'The MBG/NBD model straight from a query of orders, in one pass: to the last bit what the aggregate gives for the histories. The query is as for crm.histories, its customers of any type that can be hashed. NULL without customers. Errors: as crm.histories and the aggregate.';
COMMENT ON AGGREGATE crm.pareto_nbd_fit(crm.history, crm.calendar, timestamptz) IS
'The Pareto/NBD model of the customers whose histories are aggregated, one history a customer, as of a time: purchases after it do not exist, refunds are no purchases. The calendar is day or week, with its zone: orders of one of its days count once, ages are differences of days, and its period only is the unit of time. The method is automatic. The model does not depend on the order of the rows or the plan, to the last bit. NULL inputs are skipped; NULL without customers. Errors: 22023 another calendar, too little data, or calendar or as_of changes.';
COMMENT ON AGGREGATE crm.pareto_nbd_fit(crm.history, crm.calendar, timestamptz, crm.fit_method) IS
'The same by a method. Errors: also 22023 method changes.';
COMMENT ON AGGREGATE crm.pareto_nbd_fit(bigint, double precision, double precision, crm.calendar) IS
'The same from one row a customer, the form that papers and packages give: x, repeat purchases; t_x, time of the last one; t, age at the end, both since the first purchase and in periods of the calendar. Errors: 22023 numbers that no customer can have, such as t_x > t, or t_x = 0 with x > 0.';
COMMENT ON AGGREGATE crm.pareto_nbd_fit(bigint, double precision, double precision, crm.calendar, crm.fit_method) IS
'The same by a method.';
COMMENT ON FUNCTION crm.pareto_nbd_fit(text, crm.calendar, timestamptz, crm.fit_method) IS
'The Pareto/NBD model straight from a query of orders, in one pass: to the last bit what the aggregate gives for the histories. The query is as for crm.histories, its customers of any type that can be hashed. NULL without customers. Errors: as crm.histories and the aggregate.';

-- What a fit needs of customers who are spread over tables or servers: counted where they are, added up, then fitted.
CREATE AGGREGATE crm.btyd_counts(h crm.history, calendar crm.calendar, as_of timestamptz) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.btyd_counts(h crm.history, calendar crm.calendar, as_of timestamptz, method crm.fit_method) (
    SFUNC = crm.btyd_accumulate, STYPE = bytea, SSPACE = 65536, COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.bgnbd_fit(counts bytea) (
    SFUNC = crm.btyd_combine, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.bgnbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.mbgnbd_fit(counts bytea) (
    SFUNC = crm.btyd_combine, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.mbgnbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.pareto_nbd_fit(counts bytea) (
    SFUNC = crm.btyd_combine, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.pareto_nbd_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.btyd_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.btyd_counts(crm.history, crm.calendar, timestamptz) IS
'What the fits crm.bgnbd_fit, crm.mbgnbd_fit and crm.pareto_nbd_fit see of the customers whose histories are aggregated: how many there are of each (x, t_x, T). So customers who are spread over several tables or servers are counted where they are, and a few kilobytes travel instead of their histories. The bytes are read by these aggregates of the same version of pg_crm on the same kind of processor; store models, not counts. Arguments and errors: as crm.bgnbd_fit.';
COMMENT ON AGGREGATE crm.btyd_counts(crm.history, crm.calendar, timestamptz, crm.fit_method) IS
'The same by a method.';
COMMENT ON AGGREGATE crm.bgnbd_fit(bytea) IS
'The BG/NBD model of all customers that were counted by crm.btyd_counts: to the last bit what the aggregate gives for their histories. Every customer is in one of the counts only. Errors: as the aggregate over histories, and 22023 for counts of different calendars, times or methods, or bytes that are none.';
COMMENT ON AGGREGATE crm.mbgnbd_fit(bytea) IS
'The MBG/NBD model of all customers that were counted by crm.btyd_counts: to the last bit what the aggregate gives for their histories. Every customer is in one of the counts only. Errors: as the aggregate over histories, and 22023 for counts of different calendars, times or methods, or bytes that are none.';
COMMENT ON AGGREGATE crm.pareto_nbd_fit(bytea) IS
'The Pareto/NBD model of all customers that were counted by crm.btyd_counts: to the last bit what the aggregate gives for their histories. Every customer is in one of the counts only. Errors: as the aggregate over histories, and 22023 for counts of different calendars, times or methods, or bytes that are none.';

CREATE FUNCTION crm.gamma_gamma_accumulate(bytea, crm.history, crm.calendar, timestamptz) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_gamma_gamma_accumulate';
CREATE FUNCTION crm.gamma_gamma_accumulate(bytea, bigint, double precision, crm.calendar) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 4 AS 'MODULE_PATHNAME', 'crm_gamma_gamma_accumulate_summary';
CREATE FUNCTION crm.gamma_gamma_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_gamma_gamma_combine';
CREATE FUNCTION crm.gamma_gamma_finish(bytea) RETURNS crm.gamma_gamma
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000000 AS 'MODULE_PATHNAME', 'crm_gamma_gamma_finish';

COMMENT ON FUNCTION crm.gamma_gamma_accumulate(bytea, crm.history, crm.calendar, timestamptz) IS 'Transition function of the aggregate crm.gamma_gamma_fit over histories.';
COMMENT ON FUNCTION crm.gamma_gamma_accumulate(bytea, bigint, double precision, crm.calendar) IS 'Transition function of the aggregate crm.gamma_gamma_fit over summaries.';
COMMENT ON FUNCTION crm.gamma_gamma_combine(bytea, bytea) IS 'Merges two states of the aggregate crm.gamma_gamma_fit.';
COMMENT ON FUNCTION crm.gamma_gamma_finish(bytea) IS 'Final function of the aggregate crm.gamma_gamma_fit.';

CREATE AGGREGATE crm.gamma_gamma_fit(h crm.history, calendar crm.calendar, as_of timestamptz) (
    SFUNC = crm.gamma_gamma_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.gamma_gamma_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.gamma_gamma_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.gamma_gamma_fit(x bigint, mean double precision, calendar crm.calendar) (
    SFUNC = crm.gamma_gamma_accumulate, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.gamma_gamma_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.gamma_gamma_combine, PARALLEL = SAFE);
CREATE FUNCTION crm.gamma_gamma_fit(query text, calendar crm.calendar, as_of timestamptz DEFAULT now()) RETURNS crm.gamma_gamma
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 AS 'MODULE_PATHNAME', 'crm_gamma_gamma_fit_query';

COMMENT ON AGGREGATE crm.gamma_gamma_fit(crm.history, crm.calendar, timestamptz) IS
'The Gamma-Gamma model of what the customers spend whose histories are aggregated, one history a customer, as of a time. As in the papers it sees repeat purchases only: per customer their number, where orders of one day of the calendar (day or week, with its zone) count once, and their mean amount. Customers without a repeat purchase, or whose mean is 0, are left out. NULL inputs are skipped; NULL without customers. Errors: 22023 another calendar, too little data, or calendar or as_of changes.';
COMMENT ON AGGREGATE crm.gamma_gamma_fit(bigint, double precision, crm.calendar) IS
'The same from one row a customer: x, repeat purchases; mean, their mean amount. Errors: 22023 numbers that no customer can have.';
COMMENT ON FUNCTION crm.gamma_gamma_fit(text, crm.calendar, timestamptz) IS
'The Gamma-Gamma model straight from a query of orders, in one pass: to the last bit what the aggregate gives for the histories. The query is as for crm.histories, its customers of any type that can be hashed. With plain strings for all three arguments, give the last one by its name, as_of =>: PostgreSQL cannot tell them from numbers otherwise. NULL without customers. Errors: as crm.histories and the aggregate.';

CREATE AGGREGATE crm.gamma_gamma_counts(h crm.history, calendar crm.calendar, as_of timestamptz) (
    SFUNC = crm.gamma_gamma_accumulate, STYPE = bytea, SSPACE = 65536, COMBINEFUNC = crm.gamma_gamma_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.gamma_gamma_fit(counts bytea) (
    SFUNC = crm.gamma_gamma_combine, STYPE = bytea, SSPACE = 65536, FINALFUNC = crm.gamma_gamma_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.gamma_gamma_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.gamma_gamma_counts(crm.history, crm.calendar, timestamptz) IS
'What crm.gamma_gamma_fit sees of the customers whose histories are aggregated: how many there are of each number and mean amount of repeat purchases. For customers who are spread over several tables or servers, as crm.btyd_counts. Arguments and errors: as crm.gamma_gamma_fit.';
COMMENT ON AGGREGATE crm.gamma_gamma_fit(bytea) IS
'The Gamma-Gamma model of all customers that were counted by crm.gamma_gamma_counts: to the last bit what the aggregate gives for their histories. Every customer is in one of the counts only. Errors: as the aggregate over histories, and 22023 for counts of different calendars or times, or bytes that are none.';
