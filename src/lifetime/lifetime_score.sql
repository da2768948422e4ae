-- What the models say of one customer

CREATE FUNCTION crm.p_alive(h crm.history, model crm.bgnbd, as_of timestamptz) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'crm_bgnbd_p_alive';
CREATE FUNCTION crm.p_alive(h crm.history, model crm.mbgnbd, as_of timestamptz) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'crm_mbgnbd_p_alive';
CREATE FUNCTION crm.p_alive(h crm.history, model crm.pareto_nbd, as_of timestamptz) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'crm_pareto_nbd_p_alive';
CREATE FUNCTION crm.p_alive(x bigint, t_x double precision, t double precision, model crm.bgnbd) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'crm_bgnbd_p_alive_summary';
CREATE FUNCTION crm.p_alive(x bigint, t_x double precision, t double precision, model crm.mbgnbd) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'crm_mbgnbd_p_alive_summary';
CREATE FUNCTION crm.p_alive(x bigint, t_x double precision, t double precision, model crm.pareto_nbd) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'crm_pareto_nbd_p_alive_summary';
CREATE FUNCTION crm.expected_orders(h crm.history, model crm.bgnbd, as_of timestamptz, horizon interval) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 60 AS 'MODULE_PATHNAME', 'crm_bgnbd_expected_orders';
CREATE FUNCTION crm.expected_orders(h crm.history, model crm.mbgnbd, as_of timestamptz, horizon interval) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 60 AS 'MODULE_PATHNAME', 'crm_mbgnbd_expected_orders';
CREATE FUNCTION crm.expected_orders(h crm.history, model crm.pareto_nbd, as_of timestamptz, horizon interval) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 60 AS 'MODULE_PATHNAME', 'crm_pareto_nbd_expected_orders';
CREATE FUNCTION crm.expected_orders(x bigint, t_x double precision, t double precision, model crm.bgnbd, horizon double precision) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'crm_bgnbd_expected_orders_summary';
CREATE FUNCTION crm.expected_orders(x bigint, t_x double precision, t double precision, model crm.mbgnbd, horizon double precision) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'crm_mbgnbd_expected_orders_summary';
CREATE FUNCTION crm.expected_orders(x bigint, t_x double precision, t double precision, model crm.pareto_nbd, horizon double precision) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'crm_pareto_nbd_expected_orders_summary';
CREATE FUNCTION crm.next_order(h crm.history, model crm.bgnbd, as_of timestamptz) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'crm_bgnbd_next_order';
CREATE FUNCTION crm.next_order(h crm.history, model crm.mbgnbd, as_of timestamptz) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'crm_mbgnbd_next_order';
CREATE FUNCTION crm.next_order(h crm.history, model crm.pareto_nbd, as_of timestamptz) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'crm_pareto_nbd_next_order';
CREATE FUNCTION crm.churn_risk(h crm.history, model crm.bgnbd, as_of timestamptz) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'crm_bgnbd_churn_risk';
CREATE FUNCTION crm.churn_risk(h crm.history, model crm.mbgnbd, as_of timestamptz) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'crm_mbgnbd_churn_risk';
CREATE FUNCTION crm.churn_risk(h crm.history, model crm.pareto_nbd, as_of timestamptz) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'crm_pareto_nbd_churn_risk';
CREATE FUNCTION crm.expected_order_value(h crm.history, model crm.gamma_gamma, as_of timestamptz) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'crm_gamma_gamma_expected_order_value';
CREATE FUNCTION crm.expected_order_value(x bigint, mean double precision, model crm.gamma_gamma) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_gamma_gamma_expected_order_value_summary';
CREATE FUNCTION crm.clv(h crm.history, model crm.bgnbd, gg crm.gamma_gamma, as_of timestamptz, horizon interval,
                        yearly_discount double precision DEFAULT 0.10) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'crm_bgnbd_clv';
CREATE FUNCTION crm.clv(h crm.history, model crm.mbgnbd, gg crm.gamma_gamma, as_of timestamptz, horizon interval,
                        yearly_discount double precision DEFAULT 0.10) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'crm_mbgnbd_clv';
CREATE FUNCTION crm.clv(h crm.history, model crm.pareto_nbd, gg crm.gamma_gamma, as_of timestamptz, horizon interval,
                        yearly_discount double precision DEFAULT 0.10) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'crm_pareto_nbd_clv';

COMMENT ON FUNCTION crm.p_alive(crm.history, crm.bgnbd, timestamptz) IS
'As crm.p_alive by crm.mbgnbd, by the BG/NBD model. It is 1 for every one-time buyer: take crm.mbgnbd for lists of customers at risk.';
COMMENT ON FUNCTION crm.p_alive(crm.history, crm.mbgnbd, timestamptz) IS
'The probability, 0 to 1, that somebody is still a customer at as_of, by what he or she bought until then. NULL without a purchase by then. Errors: 22023 a model with impossible parameters or another calendar than day or week.';
COMMENT ON FUNCTION crm.p_alive(crm.history, crm.pareto_nbd, timestamptz) IS
'As crm.p_alive by crm.mbgnbd, by the Pareto/NBD model.';
COMMENT ON FUNCTION crm.p_alive(bigint, double precision, double precision, crm.bgnbd) IS
'As crm.p_alive by crm.mbgnbd, by the BG/NBD model. It is 1 for every one-time buyer: take crm.mbgnbd for lists of customers at risk.';
COMMENT ON FUNCTION crm.p_alive(bigint, double precision, double precision, crm.mbgnbd) IS
'The same for x repeat purchases, the last one at t_x, and an age of t, both since the first purchase and in periods of the model. Errors: 22023 numbers that no customer can have.';
COMMENT ON FUNCTION crm.p_alive(bigint, double precision, double precision, crm.pareto_nbd) IS
'As crm.p_alive by crm.mbgnbd, by the Pareto/NBD model.';
COMMENT ON FUNCTION crm.expected_orders(crm.history, crm.bgnbd, timestamptz, interval) IS
'As crm.expected_orders by crm.mbgnbd, by the BG/NBD model.';
COMMENT ON FUNCTION crm.expected_orders(crm.history, crm.mbgnbd, timestamptz, interval) IS
'How many further orders to expect of a customer from as_of until the horizon has passed, whether or not he or she is still there; orders of one day count once. The horizon ends at the day, in the model''s zone, that as_of plus horizon lies in. NULL without a purchase by as_of. Errors: 22023 horizon negative, a model with impossible parameters; 22008 horizon beyond all times.';
COMMENT ON FUNCTION crm.expected_orders(crm.history, crm.pareto_nbd, timestamptz, interval) IS
'As crm.expected_orders by crm.mbgnbd, by the Pareto/NBD model.';
COMMENT ON FUNCTION crm.expected_orders(bigint, double precision, double precision, crm.bgnbd, double precision) IS
'As crm.expected_orders by crm.mbgnbd, by the BG/NBD model.';
COMMENT ON FUNCTION crm.expected_orders(bigint, double precision, double precision, crm.mbgnbd, double precision) IS
'The same for x repeat purchases, the last one at t_x, and an age of t, both since the first purchase and, as the horizon, in periods of the model. Errors: 22023 numbers that no customer can have, horizon negative or not finite.';
COMMENT ON FUNCTION crm.expected_orders(bigint, double precision, double precision, crm.pareto_nbd, double precision) IS
'As crm.expected_orders by crm.mbgnbd, by the Pareto/NBD model.';
COMMENT ON FUNCTION crm.next_order(crm.history, crm.bgnbd, timestamptz) IS
'As crm.next_order by crm.mbgnbd, by the BG/NBD model.';
COMMENT ON FUNCTION crm.next_order(crm.history, crm.mbgnbd, timestamptz) IS
'When to expect the next order, if he or she is still a customer: the time by which half of all customers with the same purchases have bought again, days being 24 hours. NULL without a purchase by as_of, and where it would lie beyond the times of timestamptz. Errors: 22023 a model with impossible parameters.';
COMMENT ON FUNCTION crm.next_order(crm.history, crm.pareto_nbd, timestamptz) IS
'As crm.next_order by crm.mbgnbd, by the Pareto/NBD model.';
COMMENT ON FUNCTION crm.churn_risk(crm.history, crm.bgnbd, timestamptz) IS
'As crm.churn_risk by crm.mbgnbd, by the BG/NBD model. Every one-time buyer is low: take crm.mbgnbd for lists of customers at risk.';
COMMENT ON FUNCTION crm.churn_risk(crm.history, crm.mbgnbd, timestamptz) IS
'The risk that somebody has left, in words: low from P(alive) 2/3 on, medium from 1/3 on, high below. NULL without a purchase by as_of. Errors: as crm.p_alive.';
COMMENT ON FUNCTION crm.churn_risk(crm.history, crm.pareto_nbd, timestamptz) IS
'As crm.churn_risk by crm.mbgnbd, by the Pareto/NBD model.';
COMMENT ON FUNCTION crm.expected_order_value(crm.history, crm.gamma_gamma, timestamptz) IS
'The mean amount to expect of a customer''s further orders, in the currency of the orders: between the mean of his or her repeat purchases by as_of and that of all customers, the nearer to the own one the more purchases there are. Who has none gets the mean of all, or NULL where that is infinite (q of 1 or less). NULL without a purchase by as_of. Errors: 22023 a model with impossible parameters or another calendar than day or week.';
COMMENT ON FUNCTION crm.expected_order_value(bigint, double precision, crm.gamma_gamma) IS
'The same for x repeat purchases with the mean amount given, which does not matter where x is 0. Errors: 22023 numbers that no customer can have.';
COMMENT ON FUNCTION crm.clv(crm.history, crm.bgnbd, crm.gamma_gamma, timestamptz, interval, double precision) IS
'As crm.clv by crm.mbgnbd, by the BG/NBD model.';
COMMENT ON FUNCTION crm.clv(crm.history, crm.mbgnbd, crm.gamma_gamma, timestamptz, interval, double precision) IS
'The present value of what to expect of a customer from as_of until the horizon has passed (customer lifetime value, 顧客生涯価値), in the currency of the orders: expected orders, each at its time, discounted by the yearly rate (0.10 is ten percent a year of 365.25 days), times the expected order value. NULL as crm.expected_order_value. Errors: 22023 horizon or discount out of range, models of different calendars or with impossible parameters.';
COMMENT ON FUNCTION crm.clv(crm.history, crm.pareto_nbd, crm.gamma_gamma, timestamptz, interval, double precision) IS
'As crm.clv by crm.mbgnbd, by the Pareto/NBD model.';
