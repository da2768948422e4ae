-- crm.history: one customer's purchases, a compact sorted value

CREATE TYPE crm.history;

CREATE FUNCTION crm.history_in(cstring) RETURNS crm.history
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_history_in';
CREATE FUNCTION crm.history_out(crm.history) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_history_out';
CREATE FUNCTION crm.history_recv(internal) RETURNS crm.history
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_history_recv';
CREATE FUNCTION crm.history_send(crm.history) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_send';

CREATE TYPE crm.history (
    INPUT = crm.history_in,
    OUTPUT = crm.history_out,
    RECEIVE = crm.history_recv,
    SEND = crm.history_send,
    INTERNALLENGTH = VARIABLE,
    STORAGE = EXTERNAL,
    CATEGORY = 'U'
);

COMMENT ON TYPE crm.history IS
'One customer''s purchases and refunds: a multiset of (time, amount), sorted, exact to the microsecond and to six decimal places. Equal multisets are equal values, whatever the order of input or of merging. Text form: [["2026-01-01T00:30:00Z",1200],["2026-02-03T04:05:06.5Z",-99.5]], JSON, times in UTC; a negative amount is a refund, zero is a purchase. Less than 1 GB, about 6 bytes a purchase.';
COMMENT ON FUNCTION crm.history_in(cstring) IS 'Text input of crm.history. Errors: 22P02 malformed text, 22003 sum of amounts out of range.';
COMMENT ON FUNCTION crm.history_out(crm.history) IS 'Text output of crm.history: JSON, times in UTC.';
COMMENT ON FUNCTION crm.history_recv(internal) IS 'Binary input of crm.history, as strict as text. Errors: 22P03 for bytes that pg_crm would not write.';
COMMENT ON FUNCTION crm.history_send(crm.history) IS 'Binary output of crm.history: the stored bytes, laid out as src/history/history.hpp says.';

CREATE CAST (crm.history AS jsonb) WITH INOUT;
COMMENT ON CAST (crm.history AS jsonb) IS 'The text form as jsonb: an array of [time in UTC, amount].';

-- comparison

CREATE FUNCTION crm.history_eq(crm.history, crm.history) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_eq';
CREATE FUNCTION crm.history_ne(crm.history, crm.history) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_ne';
CREATE FUNCTION crm.history_lt(crm.history, crm.history) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_lt';
CREATE FUNCTION crm.history_le(crm.history, crm.history) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_le';
CREATE FUNCTION crm.history_gt(crm.history, crm.history) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_gt';
CREATE FUNCTION crm.history_ge(crm.history, crm.history) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_ge';
CREATE FUNCTION crm.history_cmp(crm.history, crm.history) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_cmp';
CREATE FUNCTION crm.history_hash(crm.history) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_hash';
CREATE FUNCTION crm.history_hash_extended(crm.history, bigint) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_hash_extended';

COMMENT ON FUNCTION crm.history_eq(crm.history, crm.history) IS 'True when both hold the same purchases and refunds; implements =.';
COMMENT ON FUNCTION crm.history_ne(crm.history, crm.history) IS 'True when the purchases or refunds differ; implements <>.';
COMMENT ON FUNCTION crm.history_lt(crm.history, crm.history) IS 'Orders histories by their bytes, for indexes and sorting only; implements <.';
COMMENT ON FUNCTION crm.history_le(crm.history, crm.history) IS 'Orders histories by their bytes, for indexes and sorting only; implements <=.';
COMMENT ON FUNCTION crm.history_gt(crm.history, crm.history) IS 'Orders histories by their bytes, for indexes and sorting only; implements >.';
COMMENT ON FUNCTION crm.history_ge(crm.history, crm.history) IS 'Orders histories by their bytes, for indexes and sorting only; implements >=.';
COMMENT ON FUNCTION crm.history_cmp(crm.history, crm.history) IS 'Orders histories by their bytes: -1, 0 or 1. Support function of the btree operator class.';
COMMENT ON FUNCTION crm.history_hash(crm.history) IS 'Hash of a history. Support function of the hash operator class.';
COMMENT ON FUNCTION crm.history_hash_extended(crm.history, bigint) IS 'Hash of a history with a seed. Support function of the hash operator class.';

CREATE OPERATOR crm.= (FUNCTION = crm.history_eq, LEFTARG = crm.history, RIGHTARG = crm.history,
    COMMUTATOR = OPERATOR(crm.=), NEGATOR = OPERATOR(crm.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR crm.<> (FUNCTION = crm.history_ne, LEFTARG = crm.history, RIGHTARG = crm.history,
    COMMUTATOR = OPERATOR(crm.<>), NEGATOR = OPERATOR(crm.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR crm.< (FUNCTION = crm.history_lt, LEFTARG = crm.history, RIGHTARG = crm.history,
    COMMUTATOR = OPERATOR(crm.>), NEGATOR = OPERATOR(crm.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR crm.<= (FUNCTION = crm.history_le, LEFTARG = crm.history, RIGHTARG = crm.history,
    COMMUTATOR = OPERATOR(crm.>=), NEGATOR = OPERATOR(crm.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR crm.> (FUNCTION = crm.history_gt, LEFTARG = crm.history, RIGHTARG = crm.history,
    COMMUTATOR = OPERATOR(crm.<), NEGATOR = OPERATOR(crm.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR crm.>= (FUNCTION = crm.history_ge, LEFTARG = crm.history, RIGHTARG = crm.history,
    COMMUTATOR = OPERATOR(crm.<=), NEGATOR = OPERATOR(crm.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);

COMMENT ON OPERATOR crm.= (crm.history, crm.history) IS 'Same purchases and refunds.';
COMMENT ON OPERATOR crm.<> (crm.history, crm.history) IS 'Different purchases or refunds.';
COMMENT ON OPERATOR crm.< (crm.history, crm.history) IS 'Order of the bytes, for indexes and sorting.';
COMMENT ON OPERATOR crm.<= (crm.history, crm.history) IS 'Order of the bytes, for indexes and sorting.';
COMMENT ON OPERATOR crm.> (crm.history, crm.history) IS 'Order of the bytes, for indexes and sorting.';
COMMENT ON OPERATOR crm.>= (crm.history, crm.history) IS 'Order of the bytes, for indexes and sorting.';

CREATE OPERATOR CLASS crm.history_ops DEFAULT FOR TYPE crm.history USING btree AS
    OPERATOR 1 crm.<, OPERATOR 2 crm.<=, OPERATOR 3 crm.=, OPERATOR 4 crm.>=, OPERATOR 5 crm.>,
    FUNCTION 1 crm.history_cmp(crm.history, crm.history);
CREATE OPERATOR CLASS crm.history_ops DEFAULT FOR TYPE crm.history USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.history_hash(crm.history), FUNCTION 2 crm.history_hash_extended(crm.history, bigint);
COMMENT ON OPERATOR CLASS crm.history_ops USING btree IS 'Sorting, DISTINCT and unique indexes of histories.';
COMMENT ON OPERATOR CLASS crm.history_ops USING hash IS 'Hashing of histories.';

-- building

CREATE FUNCTION crm.history_accumulate(bytea, timestamptz, numeric) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_accumulate_numeric';
CREATE FUNCTION crm.history_accumulate(bytea, timestamptz, bigint) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_accumulate_bigint';
CREATE FUNCTION crm.history_accumulate(bytea, timestamptz, integer) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_accumulate_integer';
CREATE FUNCTION crm.history_accumulate(bytea, crm.history) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_history_accumulate_history';
CREATE FUNCTION crm.history_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_history_combine';
CREATE FUNCTION crm.history_finish(bytea) RETURNS crm.history
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_history_finish';

COMMENT ON FUNCTION crm.history_accumulate(bytea, timestamptz, numeric) IS 'Transition function of crm.history(timestamptz, numeric).';
COMMENT ON FUNCTION crm.history_accumulate(bytea, timestamptz, bigint) IS 'Transition function of crm.history(timestamptz, bigint).';
COMMENT ON FUNCTION crm.history_accumulate(bytea, timestamptz, integer) IS 'Transition function of crm.history(timestamptz, integer).';
COMMENT ON FUNCTION crm.history_accumulate(bytea, crm.history) IS 'Transition function of crm.rollup(crm.history).';
COMMENT ON FUNCTION crm.history_combine(bytea, bytea) IS 'Merges two states of the history aggregates.';
COMMENT ON FUNCTION crm.history_finish(bytea) IS 'Final function of the history aggregates.';

CREATE AGGREGATE crm.history(ordered_at timestamptz, amount numeric) (
    SFUNC = crm.history_accumulate, STYPE = bytea, SSPACE = 128, FINALFUNC = crm.history_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.history_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.history(ordered_at timestamptz, amount bigint) (
    SFUNC = crm.history_accumulate, STYPE = bytea, SSPACE = 128, FINALFUNC = crm.history_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.history_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.history(ordered_at timestamptz, amount integer) (
    SFUNC = crm.history_accumulate, STYPE = bytea, SSPACE = 128, FINALFUNC = crm.history_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.history_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.rollup(crm.history) (
    SFUNC = crm.history_accumulate, STYPE = bytea, SSPACE = 256, FINALFUNC = crm.history_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.history_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.history(timestamptz, numeric) IS
'The history of the orders aggregated, one row an order. A negative amount is a refund. Rows with a NULL are skipped; NULL without rows. Errors: 22008 infinite time, 22003 amount NaN, infinite, finer than six decimal places or beyond 64 bits, 54000 beyond 1 GB.';
COMMENT ON AGGREGATE crm.history(timestamptz, bigint) IS
'As crm.history(timestamptz, numeric), for amounts in whole units.';
COMMENT ON AGGREGATE crm.history(timestamptz, integer) IS
'As crm.history(timestamptz, numeric), for amounts in whole units.';
COMMENT ON AGGREGATE crm.rollup(crm.history) IS
'All purchases of several histories in one, for instance of several servers or of merged customer accounts. NULL without rows.';

CREATE FUNCTION crm.history_merge(crm.history, crm.history) RETURNS crm.history
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_history_merge';
CREATE FUNCTION crm.history_subtract(crm.history, crm.history) RETURNS crm.history
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_history_subtract';
CREATE OPERATOR crm.|| (FUNCTION = crm.history_merge, LEFTARG = crm.history, RIGHTARG = crm.history, COMMUTATOR = OPERATOR(crm.||));
CREATE OPERATOR crm.- (FUNCTION = crm.history_subtract, LEFTARG = crm.history, RIGHTARG = crm.history);
CREATE FUNCTION crm.add(h crm.history, at timestamptz, amount numeric) RETURNS crm.history
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_history_add';
CREATE FUNCTION crm.within(h crm.history, during tstzrange) RETURNS crm.history
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_history_within';
CREATE FUNCTION crm.until(h crm.history, as_of timestamptz) RETURNS crm.history
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_history_until';

COMMENT ON FUNCTION crm.history_merge(crm.history, crm.history) IS 'Purchases of both histories; implements ||.';
COMMENT ON FUNCTION crm.history_subtract(crm.history, crm.history) IS 'Takes purchases out of a history; implements -. Errors: 22023 when one is not there.';
COMMENT ON OPERATOR crm.|| (crm.history, crm.history) IS 'Purchases of both histories; what is in both counts twice.';
COMMENT ON OPERATOR crm.- (crm.history, crm.history) IS 'The left history without exactly the purchases of the right one. Errors: 22023 when one of them is not there.';
COMMENT ON FUNCTION crm.add(crm.history, timestamptz, numeric) IS 'The history with one more purchase, or refund where the amount is negative. Errors: 22008, 22003 as crm.history().';
COMMENT ON FUNCTION crm.within(crm.history, tstzrange) IS 'The purchases and refunds whose time lies in the range; the empty history [] when there are none.';
COMMENT ON FUNCTION crm.until(crm.history, timestamptz) IS 'The history as it was known at as_of: purchases and refunds at or before it.';

-- reading

CREATE FUNCTION crm.orders(h crm.history) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_history_orders';
CREATE FUNCTION crm.revenue(h crm.history) RETURNS numeric
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 4 AS 'MODULE_PATHNAME', 'crm_history_revenue';
CREATE FUNCTION crm.refunded(h crm.history) RETURNS numeric
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 4 AS 'MODULE_PATHNAME', 'crm_history_refunded';
CREATE FUNCTION crm.first_order(h crm.history) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_history_first_order';
CREATE FUNCTION crm.last_order(h crm.history) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_history_last_order';
CREATE FUNCTION crm.recency(h crm.history, as_of timestamptz) RETURNS interval
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 4 AS 'MODULE_PATHNAME', 'crm_history_recency';
CREATE FUNCTION crm.tenure(h crm.history, as_of timestamptz) RETURNS interval
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 4 AS 'MODULE_PATHNAME', 'crm_history_tenure';
CREATE FUNCTION crm.intervals(h crm.history) RETURNS double precision[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'crm_history_intervals';
CREATE FUNCTION crm.purchases(h crm.history) RETURNS TABLE(ordered_at timestamptz, amount numeric)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 10 AS 'MODULE_PATHNAME', 'crm_history_purchases';

COMMENT ON FUNCTION crm.orders(crm.history) IS 'Number of purchases; refunds do not count.';
COMMENT ON FUNCTION crm.revenue(crm.history) IS 'Sum of all amounts, purchases less refunds, in the currency of the orders.';
COMMENT ON FUNCTION crm.refunded(crm.history) IS 'Sum of the refunds as a positive number, in the currency of the orders.';
COMMENT ON FUNCTION crm.first_order(crm.history) IS 'Time of the first purchase; NULL without one.';
COMMENT ON FUNCTION crm.last_order(crm.history) IS 'Time of the last purchase; NULL without one.';
COMMENT ON FUNCTION crm.recency(crm.history, timestamptz) IS 'Time from the last purchase at or before as_of to as_of, in 24-hour days and the rest; NULL without one. Models of the lifetime slice call another thing recency: last minus first purchase.';
COMMENT ON FUNCTION crm.tenure(crm.history, timestamptz) IS 'Time from the first purchase to as_of, in 24-hour days and the rest; NULL when there was none yet.';
COMMENT ON FUNCTION crm.intervals(crm.history) IS 'Days of 24 hours from each purchase to the next, one number less than there are purchases; empty for one-time buyers.';
COMMENT ON FUNCTION crm.purchases(crm.history) IS 'One row for each purchase, and for each refund with its negative amount, sorted by time and amount.';

-- the one-pass door

CREATE FUNCTION crm.histories(query text)
    RETURNS TABLE(customer_id bigint, history crm.history)
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 ROWS 100000 AS 'MODULE_PATHNAME', 'crm_histories';
CREATE FUNCTION crm.histories(query text, key anyelement)
    RETURNS TABLE(customer_id anyelement, history crm.history)
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 ROWS 100000 AS 'MODULE_PATHNAME', 'crm_histories';

COMMENT ON FUNCTION crm.histories(text) IS
'The history of every customer of a query, in one pass and without a GROUP BY. The query selects customer (bigint or integer), time (timestamptz) and amount (numeric, bigint or integer), one row an order; it runs with the caller''s rights and snapshot. Rows with a NULL are skipped and counted in a NOTICE. Memory: pg_crm.memory. Errors: 22023 not one plain SELECT, 42804 wrong column types, 22008 infinite time, 22003 amount out of range.';
COMMENT ON FUNCTION crm.histories(text, anyelement) IS
'As crm.histories(text), for customers of any type that can be hashed, which key shows: key => NULL::uuid.';
