-- lifetime: models of who is still a customer and what is to be expected of each, as values

CREATE TYPE crm.btyd_model AS ENUM ('bgnbd', 'mbgnbd', 'pareto_nbd');
CREATE TYPE crm.fit_method AS ENUM ('automatic', 'maximum_likelihood', 'map');
CREATE TYPE crm.model_status AS ENUM ('ok', 'low_data', 'not_identified');

COMMENT ON TYPE crm.btyd_model IS
'Buy-till-you-die models: bgnbd, BG/NBD; mbgnbd, MBG/NBD, the default where one is needed; pareto_nbd, Pareto/NBD.';
COMMENT ON TYPE crm.fit_method IS
'How a model is fitted: maximum_likelihood, as in the papers; map, the most probable parameters given also a weak prior, free of the unit of time, for small shops; automatic, whichever of the two suits the data, and the model says which it was.';
COMMENT ON TYPE crm.model_status IS
'Whether to believe a model: ok; low_data, fitted to fewer customers than the documented minimum; not_identified, the data do not tell some parameter, and what hangs on it, such as P(alive), says nothing. The model''s reason says why.';

CREATE TYPE crm.bgnbd AS (r double precision, alpha double precision, a double precision, b double precision,
    calendar crm.calendar, log_likelihood double precision, customers bigint, repeaters bigint,
    r_se double precision, alpha_se double precision, a_se double precision, b_se double precision,
    method crm.fit_method, converged boolean, status crm.model_status, reason text);

COMMENT ON TYPE crm.bgnbd IS
'The BG/NBD model of a shop''s customers (Fader, Hardie and Lee 2005, Counting Your Customers the Easy Way): while a customer, somebody buys at a steady rate of his or her own, and may leave after each repeat purchase with a probability of his or her own. One-time buyers count as customers for ever: P(alive) is 1 for them; crm.mbgnbd mends that.';
COMMENT ON COLUMN crm.bgnbd.r IS 'Shape of the gamma distribution of the buying rates.';
COMMENT ON COLUMN crm.bgnbd.alpha IS 'Rate parameter of that distribution, in periods of the calendar: r / alpha is the mean number of orders per period of a customer who has not left.';
COMMENT ON COLUMN crm.bgnbd.a IS 'First shape of the beta distribution of the probability to leave after a purchase.';
COMMENT ON COLUMN crm.bgnbd.b IS 'Second shape of that distribution: a / (a + b) is the mean probability to leave.';
COMMENT ON COLUMN crm.bgnbd.calendar IS 'The calendar that orders were counted by, day or week with its zone: its period is the unit of time of the parameters.';
COMMENT ON COLUMN crm.bgnbd.log_likelihood IS 'Natural logarithm of the likelihood at these parameters, not scaled, as the papers print it; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.bgnbd.customers IS 'Customers that the model was fitted to; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.bgnbd.repeaters IS 'Those of them with a repeat purchase; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.bgnbd.r_se IS 'Standard error of r; NULL where it cannot be told.';
COMMENT ON COLUMN crm.bgnbd.alpha_se IS 'Standard error of alpha; NULL where it cannot be told.';
COMMENT ON COLUMN crm.bgnbd.a_se IS 'Standard error of a; NULL where it cannot be told.';
COMMENT ON COLUMN crm.bgnbd.b_se IS 'Standard error of b; NULL where it cannot be told.';
COMMENT ON COLUMN crm.bgnbd.method IS 'How it was fitted: maximum_likelihood or map; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.bgnbd.converged IS 'Whether the search for the best parameters came to its end; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.bgnbd.status IS 'ok, low_data or not_identified: whether to believe the model.';
COMMENT ON COLUMN crm.bgnbd.reason IS 'What is wrong where status is not ok; NULL where it is.';

CREATE TYPE crm.mbgnbd AS (r double precision, alpha double precision, a double precision, b double precision,
    calendar crm.calendar, log_likelihood double precision, customers bigint, repeaters bigint,
    r_se double precision, alpha_se double precision, a_se double precision, b_se double precision,
    method crm.fit_method, converged boolean, status crm.model_status, reason text);

COMMENT ON TYPE crm.mbgnbd IS
'The MBG/NBD model of a shop''s customers (Batislam, Denizel and Filiztekin 2007, Empirical Validation and Comparison of Models for Customer Base Analysis): as BG/NBD, but somebody may also leave right after the first purchase, so that P(alive) of a one-time buyer falls below 1.';
COMMENT ON COLUMN crm.mbgnbd.r IS 'Shape of the gamma distribution of the buying rates.';
COMMENT ON COLUMN crm.mbgnbd.alpha IS 'Rate parameter of that distribution, in periods of the calendar: r / alpha is the mean number of orders per period of a customer who has not left.';
COMMENT ON COLUMN crm.mbgnbd.a IS 'First shape of the beta distribution of the probability to leave after a purchase.';
COMMENT ON COLUMN crm.mbgnbd.b IS 'Second shape of that distribution: a / (a + b) is the mean probability to leave.';
COMMENT ON COLUMN crm.mbgnbd.calendar IS 'The calendar that orders were counted by, day or week with its zone: its period is the unit of time of the parameters.';
COMMENT ON COLUMN crm.mbgnbd.log_likelihood IS 'Natural logarithm of the likelihood at these parameters, not scaled, as the papers print it; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.mbgnbd.customers IS 'Customers that the model was fitted to; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.mbgnbd.repeaters IS 'Those of them with a repeat purchase; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.mbgnbd.r_se IS 'Standard error of r; NULL where it cannot be told.';
COMMENT ON COLUMN crm.mbgnbd.alpha_se IS 'Standard error of alpha; NULL where it cannot be told.';
COMMENT ON COLUMN crm.mbgnbd.a_se IS 'Standard error of a; NULL where it cannot be told.';
COMMENT ON COLUMN crm.mbgnbd.b_se IS 'Standard error of b; NULL where it cannot be told.';
COMMENT ON COLUMN crm.mbgnbd.method IS 'How it was fitted: maximum_likelihood or map; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.mbgnbd.converged IS 'Whether the search for the best parameters came to its end; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.mbgnbd.status IS 'ok, low_data or not_identified: whether to believe the model.';
COMMENT ON COLUMN crm.mbgnbd.reason IS 'What is wrong where status is not ok; NULL where it is.';

CREATE TYPE crm.pareto_nbd AS (r double precision, alpha double precision, s double precision, beta double precision,
    calendar crm.calendar, log_likelihood double precision, customers bigint, repeaters bigint,
    r_se double precision, alpha_se double precision, s_se double precision, beta_se double precision,
    method crm.fit_method, converged boolean, status crm.model_status, reason text);

COMMENT ON TYPE crm.pareto_nbd IS
'The Pareto/NBD model of a shop''s customers (Schmittlein, Morrison and Colombo 1987, Counting Your Customers: Who Are They and What Will They Do Next?): while a customer, somebody buys at a steady rate of his or her own, and may leave at any time, at a rate of his or her own.';
COMMENT ON COLUMN crm.pareto_nbd.r IS 'Shape of the gamma distribution of the buying rates.';
COMMENT ON COLUMN crm.pareto_nbd.alpha IS 'Rate parameter of that distribution, in periods of the calendar: r / alpha is the mean number of orders per period of a customer who has not left.';
COMMENT ON COLUMN crm.pareto_nbd.s IS 'Shape of the gamma distribution of the rates of leaving.';
COMMENT ON COLUMN crm.pareto_nbd.beta IS 'Rate parameter of that distribution, in periods of the calendar: s / beta is the mean rate of leaving.';
COMMENT ON COLUMN crm.pareto_nbd.calendar IS 'The calendar that orders were counted by, day or week with its zone: its period is the unit of time of the parameters.';
COMMENT ON COLUMN crm.pareto_nbd.log_likelihood IS 'Natural logarithm of the likelihood at these parameters, not scaled, as the papers print it; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.pareto_nbd.customers IS 'Customers that the model was fitted to; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.pareto_nbd.repeaters IS 'Those of them with a repeat purchase; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.pareto_nbd.r_se IS 'Standard error of r; NULL where it cannot be told.';
COMMENT ON COLUMN crm.pareto_nbd.alpha_se IS 'Standard error of alpha; NULL where it cannot be told.';
COMMENT ON COLUMN crm.pareto_nbd.s_se IS 'Standard error of s; NULL where it cannot be told.';
COMMENT ON COLUMN crm.pareto_nbd.beta_se IS 'Standard error of beta; NULL where it cannot be told.';
COMMENT ON COLUMN crm.pareto_nbd.method IS 'How it was fitted: maximum_likelihood or map; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.pareto_nbd.converged IS 'Whether the search for the best parameters came to its end; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.pareto_nbd.status IS 'ok, low_data or not_identified: whether to believe the model.';
COMMENT ON COLUMN crm.pareto_nbd.reason IS 'What is wrong where status is not ok; NULL where it is.';

CREATE TYPE crm.gamma_gamma AS (p double precision, q double precision, gamma double precision,
    calendar crm.calendar, log_likelihood double precision, customers bigint, correlation double precision,
    p_se double precision, q_se double precision, gamma_se double precision,
    method crm.fit_method, converged boolean, status crm.model_status, reason text);

COMMENT ON TYPE crm.gamma_gamma IS
'The Gamma-Gamma model of how much customers spend (Fader and Hardie 2013, The Gamma-Gamma Model of Monetary Value): the amounts of one customer scatter around a mean of his or her own, which has nothing to do with how often he or she buys.';
COMMENT ON COLUMN crm.gamma_gamma.p IS 'Shape of the gamma distribution of the amounts of one customer.';
COMMENT ON COLUMN crm.gamma_gamma.q IS 'Shape of the gamma distribution of what makes customers differ; at 1 or less the mean over all customers is infinite.';
COMMENT ON COLUMN crm.gamma_gamma.gamma IS 'Rate parameter of that distribution, in the currency of the orders.';
COMMENT ON COLUMN crm.gamma_gamma.calendar IS 'The calendar that orders were counted by, day or week with its zone: orders of one day count as one.';
COMMENT ON COLUMN crm.gamma_gamma.log_likelihood IS 'Natural logarithm of the likelihood at these parameters, not scaled, as the papers print it; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.gamma_gamma.customers IS 'Customers with a repeat purchase that the model was fitted to; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.gamma_gamma.correlation IS 'Correlation of a customers number and mean amount of repeat purchases, which the model takes to be 0; NULL for a model made from numbers, and where it cannot be told.';
COMMENT ON COLUMN crm.gamma_gamma.p_se IS 'Standard error of p; NULL where it cannot be told.';
COMMENT ON COLUMN crm.gamma_gamma.q_se IS 'Standard error of q; NULL where it cannot be told.';
COMMENT ON COLUMN crm.gamma_gamma.gamma_se IS 'Standard error of gamma; NULL where it cannot be told.';
COMMENT ON COLUMN crm.gamma_gamma.method IS 'How it was fitted: maximum_likelihood or map; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.gamma_gamma.converged IS 'Whether the search for the best parameters came to its end; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.gamma_gamma.status IS 'ok, low_data or not_identified: whether to believe the model.';
COMMENT ON COLUMN crm.gamma_gamma.reason IS 'What is wrong where status is not ok; NULL where it is.';

CREATE TYPE crm.sbg AS (alpha double precision, beta double precision, log_likelihood double precision,
    subscriptions bigint, cancelled bigint, alpha_se double precision, beta_se double precision,
    converged boolean, status crm.model_status, reason text);

COMMENT ON TYPE crm.sbg IS
'The shifted-beta-geometric model of subscriptions (Fader and Hardie 2007, How to Project Customer Retention): at each renewal somebody cancels with a probability of his or her own, which has a beta distribution. Those who cancel easily go first, so retention rises with age.';
COMMENT ON COLUMN crm.sbg.alpha IS 'First shape of the beta distribution of the probability to cancel: alpha / (alpha + beta) is the share lost at the first renewal.';
COMMENT ON COLUMN crm.sbg.beta IS 'Second shape of that distribution.';
COMMENT ON COLUMN crm.sbg.log_likelihood IS 'Natural logarithm of the likelihood at these parameters, not scaled; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.sbg.subscriptions IS 'Subscriptions that the model was fitted to; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.sbg.cancelled IS 'Those of them that have been cancelled; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.sbg.alpha_se IS 'Standard error of alpha; NULL where it cannot be told.';
COMMENT ON COLUMN crm.sbg.beta_se IS 'Standard error of beta; NULL where it cannot be told.';
COMMENT ON COLUMN crm.sbg.converged IS 'Whether the search for the best parameters came to its end; NULL for a model made from numbers.';
COMMENT ON COLUMN crm.sbg.status IS 'ok, low_data or not_identified: whether to believe the model.';
COMMENT ON COLUMN crm.sbg.reason IS 'What is wrong where status is not ok; NULL where it is.';

-- models from published numbers

CREATE FUNCTION crm.bgnbd(r double precision, alpha double precision, a double precision, b double precision, calendar crm.calendar) RETURNS crm.bgnbd
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_bgnbd';
CREATE FUNCTION crm.mbgnbd(r double precision, alpha double precision, a double precision, b double precision, calendar crm.calendar) RETURNS crm.mbgnbd
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_mbgnbd';
CREATE FUNCTION crm.pareto_nbd(r double precision, alpha double precision, s double precision, beta double precision, calendar crm.calendar) RETURNS crm.pareto_nbd
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_pareto_nbd';
CREATE FUNCTION crm.gamma_gamma(p double precision, q double precision, gamma double precision, calendar crm.calendar)
    RETURNS crm.gamma_gamma
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_gamma_gamma';
CREATE FUNCTION crm.sbg(alpha double precision, beta double precision) RETURNS crm.sbg
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_sbg';

COMMENT ON FUNCTION crm.bgnbd(double precision, double precision, double precision, double precision, crm.calendar) IS
'The BG/NBD model of known parameters, for instance published ones, in periods of the calendar: day or week, with its zone. Its status is ok. Errors: 22023 a parameter that is not positive and finite, or another calendar.';
COMMENT ON FUNCTION crm.mbgnbd(double precision, double precision, double precision, double precision, crm.calendar) IS
'The MBG/NBD model of known parameters, for instance published ones, in periods of the calendar: day or week, with its zone. Its status is ok. Errors: 22023 a parameter that is not positive and finite, or another calendar.';
COMMENT ON FUNCTION crm.pareto_nbd(double precision, double precision, double precision, double precision, crm.calendar) IS
'The Pareto/NBD model of known parameters, for instance published ones, in periods of the calendar: day or week, with its zone. Its status is ok. Errors: 22023 a parameter that is not positive and finite, or another calendar.';
COMMENT ON FUNCTION crm.gamma_gamma(double precision, double precision, double precision, crm.calendar) IS
'The Gamma-Gamma model of known parameters, for instance published ones. The calendar, day or week with its zone, says which orders count as one. Its status is ok. Errors: 22023 a parameter that is not positive and finite, or another calendar.';
COMMENT ON FUNCTION crm.sbg(double precision, double precision) IS
'The shifted-beta-geometric model of known parameters, for instance published ones. Its status is ok. Errors: 22023 a parameter that is not positive and finite.';
