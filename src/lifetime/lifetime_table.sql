-- The one-pass doors: every customer scored, and the model checked against what happened

CREATE FUNCTION crm.lifetime_table(query text, calendar crm.calendar, as_of timestamptz DEFAULT now(),
                                   horizon interval DEFAULT '1 year', model crm.btyd_model DEFAULT 'mbgnbd',
                                   method crm.fit_method DEFAULT 'automatic', yearly_discount double precision DEFAULT 0.10)
    RETURNS TABLE(customer_id bigint, orders integer, p_alive double precision, expected_orders double precision,
                  next_order timestamptz, expected_order_value double precision, clv double precision, churn_risk text)
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 ROWS 100000 AS 'MODULE_PATHNAME', 'crm_lifetime_table';
-- The key has as_of's place, and as_of is last: so the function above keeps its meaning for literals in any place.
CREATE FUNCTION crm.lifetime_table(query text, calendar crm.calendar, key anyelement,
                                   horizon interval DEFAULT '1 year', model crm.btyd_model DEFAULT 'mbgnbd',
                                   method crm.fit_method DEFAULT 'automatic', yearly_discount double precision DEFAULT 0.10,
                                   as_of timestamptz DEFAULT now())
    RETURNS TABLE(customer_id anyelement, orders integer, p_alive double precision, expected_orders double precision,
                  next_order timestamptz, expected_order_value double precision, clv double precision, churn_risk text)
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 ROWS 100000 AS 'MODULE_PATHNAME', 'crm_lifetime_table';

-- An as_of written as a bare literal would fit both functions above.
CREATE FUNCTION crm.lifetime_table(query text, calendar crm.calendar, as_of text,
                                   horizon interval DEFAULT '1 year', model crm.btyd_model DEFAULT 'mbgnbd',
                                   method crm.fit_method DEFAULT 'automatic', yearly_discount double precision DEFAULT 0.10)
    RETURNS TABLE(customer_id bigint, orders integer, p_alive double precision, expected_orders double precision,
                  next_order timestamptz, expected_order_value double precision, clv double precision, churn_risk text)
    LANGUAGE sql STABLE PARALLEL UNSAFE COST 1000000 ROWS 100000
BEGIN ATOMIC
    SELECT * FROM crm.lifetime_table(query, calendar, as_of::timestamptz, horizon, model, method, yearly_discount);
END;

COMMENT ON FUNCTION crm.lifetime_table(text, crm.calendar, text, interval, crm.btyd_model, crm.fit_method, double precision) IS
'As crm.lifetime_table(query, calendar, as_of timestamptz, …), for an as_of written as a literal without its type.';
COMMENT ON FUNCTION crm.lifetime_table(text, crm.calendar, timestamptz, interval, crm.btyd_model, crm.fit_method, double precision) IS
'What to expect of every customer of a query, in one pass: fits the model and crm.gamma_gamma to all of them as of a time, and gives for each what the functions of a history give. orders: purchases by as_of; p_alive; expected_orders within the horizon; next_order; expected_order_value; clv at the yearly discount; churn_risk. Somebody without a purchase at as_of has no row. A model whose status is not ok is told in a WARNING. Where crm.gamma_gamma has too little data, expected_order_value and clv are NULL and a NOTICE says so. The query is as for crm.histories. The calendar is day or week, with its zone. Memory: pg_crm.memory, and that of the fit. Errors: as crm.histories and crm.mbgnbd_fit; 22023 horizon or discount out of range.';
COMMENT ON FUNCTION crm.lifetime_table(text, crm.calendar, anyelement, interval, crm.btyd_model, crm.fit_method, double precision, timestamptz) IS
'As crm.lifetime_table(query, calendar, …), for customers of any type that can be hashed, which key shows: key => NULL::uuid.';

CREATE FUNCTION crm.model_check(query text, calendar crm.calendar, model crm.btyd_model, calibration_end timestamptz, holdout interval,
                                method crm.fit_method DEFAULT 'automatic')
    RETURNS TABLE(breakdown text, bucket integer, customers bigint, expected double precision, actual bigint, error double precision)
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 ROWS 60 AS 'MODULE_PATHNAME', 'crm_model_check';

COMMENT ON FUNCTION crm.model_check(text, crm.calendar, crm.btyd_model, timestamptz, interval, crm.fit_method) IS
'Whether to believe a model of this shop: fits it as of calibration_end, and compares the orders that it expects in the holdout after it with those that were made, of the customers known at calibration_end; orders of one day count once. breakdown frequency: one row for each number of repeat purchases until then, bucket, where 7 is seven or more; week: one row for each week of the holdout, bucket, from 1, of that week alone, the last one being shorter where the holdout is no whole weeks; total: one row, bucket NULL. customers: how many; expected and actual: orders; error: expected by actual less 1, NULL where actual is 0. No rows without customers. A NOTICE says when the holdout ends more than a week after the last order of the query. The query is as for crm.histories, its customers of any type that can be hashed. Errors: as crm.mbgnbd_fit; 22023 holdout not positive.';
