-- ltv: lifetime value so far, in its factors

CREATE TYPE crm.ltv AS (customers bigint, orders bigint, revenue numeric, customer_years double precision,
                        average_order_value numeric, orders_per_customer_year double precision,
                        years_per_customer double precision, ltv numeric);

COMMENT ON TYPE crm.ltv IS
'Lifetime value so far and its factors: average_order_value × orders_per_customer_year × years_per_customer is revenue by customers, which is ltv.';
COMMENT ON COLUMN crm.ltv.customers IS 'Customers with a purchase by as_of.';
COMMENT ON COLUMN crm.ltv.orders IS 'Their purchases by as_of.';
COMMENT ON COLUMN crm.ltv.revenue IS 'Their revenue by as_of less refunds, in the currency of the orders.';
COMMENT ON COLUMN crm.ltv.customer_years IS 'Time from the first purchase to as_of, summed over customers, in years of 365.25 days.';
COMMENT ON COLUMN crm.ltv.average_order_value IS 'Revenue by orders.';
COMMENT ON COLUMN crm.ltv.orders_per_customer_year IS 'Orders by customer_years; NULL when no time has passed.';
COMMENT ON COLUMN crm.ltv.years_per_customer IS 'Customer_years by customers.';
COMMENT ON COLUMN crm.ltv.ltv IS 'Revenue by customers.';

CREATE FUNCTION crm.ltv_accumulate(bytea, crm.history, timestamptz) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 4 AS 'MODULE_PATHNAME', 'crm_ltv_accumulate';
CREATE FUNCTION crm.ltv_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_ltv_combine';
CREATE FUNCTION crm.ltv_finish(bytea) RETURNS crm.ltv
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_ltv_finish';

COMMENT ON FUNCTION crm.ltv_accumulate(bytea, crm.history, timestamptz) IS 'Transition function of the aggregate crm.ltv.';
COMMENT ON FUNCTION crm.ltv_combine(bytea, bytea) IS 'Merges two states of the aggregate crm.ltv.';
COMMENT ON FUNCTION crm.ltv_finish(bytea) IS 'Final function of the aggregate crm.ltv.';

CREATE AGGREGATE crm.ltv(h crm.history, as_of timestamptz) (
    SFUNC = crm.ltv_accumulate, STYPE = bytea, SSPACE = 80, FINALFUNC = crm.ltv_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.ltv_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.ltv(crm.history, timestamptz) IS
'Lifetime value as of a time, with its factors, of the customers whose histories are aggregated: one history a customer. Purchases after as_of do not exist; refunds are taken off the revenue; somebody without a purchase by as_of is no customer. A customer''s time runs from the first purchase to as_of, not to the last purchase: so somebody who bought once has one too. NULL inputs are skipped; NULL without customers. Errors: 22023 as_of changes; 22003 revenue beyond 64 bits of its smallest unit.';
