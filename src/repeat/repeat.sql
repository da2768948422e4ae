-- repeat: how many customers come back, and after how long

CREATE TYPE crm.repeats;

CREATE FUNCTION crm.repeats_in(cstring) RETURNS crm.repeats
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_repeats_in';
CREATE FUNCTION crm.repeats_out(crm.repeats) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_repeats_out';
CREATE FUNCTION crm.repeats_recv(internal) RETURNS crm.repeats
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_repeats_recv';
CREATE FUNCTION crm.repeats_send(crm.repeats) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_repeats_send';

CREATE TYPE crm.repeats (
    INPUT = crm.repeats_in,
    OUTPUT = crm.repeats_out,
    RECEIVE = crm.repeats_recv,
    SEND = crm.repeats_send,
    INTERNALLENGTH = VARIABLE,
    STORAGE = EXTENDED,
    CATEGORY = 'U'
);

COMMENT ON TYPE crm.repeats IS
'For each of the first 100 purchases of customers: how many bought again after so many days, and how many have not for so many days, as of one time; read by crm.repeat_rows, merged by crm.rollup. Text form: its bytes in hexadecimal, as of bytea.';
COMMENT ON FUNCTION crm.repeats_in(cstring) IS 'Text input of crm.repeats. Errors: 22P03 for what crm.repeats did not print.';
COMMENT ON FUNCTION crm.repeats_out(crm.repeats) IS 'Text output of crm.repeats: its bytes in hexadecimal.';
COMMENT ON FUNCTION crm.repeats_recv(internal) IS 'Binary input of crm.repeats, as strict as text. Errors: 22P03.';
COMMENT ON FUNCTION crm.repeats_send(crm.repeats) IS 'Binary output of crm.repeats.';

CREATE FUNCTION crm.repeats_accumulate(bytea, crm.history, timestamptz) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_repeats_accumulate';
CREATE FUNCTION crm.repeats_accumulate(bytea, crm.repeats) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_repeats_accumulate_repeats';
CREATE FUNCTION crm.repeats_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_repeats_combine';
CREATE FUNCTION crm.repeats_finish(bytea) RETURNS crm.repeats
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_repeats_finish';

COMMENT ON FUNCTION crm.repeats_accumulate(bytea, crm.history, timestamptz) IS 'Transition function of the aggregate crm.repeats.';
COMMENT ON FUNCTION crm.repeats_accumulate(bytea, crm.repeats) IS 'Transition function of crm.rollup(crm.repeats).';
COMMENT ON FUNCTION crm.repeats_combine(bytea, bytea) IS 'Merges two states of the repeat aggregates.';
COMMENT ON FUNCTION crm.repeats_finish(bytea) IS 'Final function of the repeat aggregates.';

CREATE AGGREGATE crm.repeats(h crm.history, as_of timestamptz) (
    SFUNC = crm.repeats_accumulate, STYPE = bytea, SSPACE = 8192, FINALFUNC = crm.repeats_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.repeats_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.rollup(crm.repeats) (
    SFUNC = crm.repeats_accumulate, STYPE = bytea, SSPACE = 8192, FINALFUNC = crm.repeats_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.repeats_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.repeats(crm.history, timestamptz) IS
'The ladder of repeat purchases of the customers whose histories are aggregated: one history a customer, one as_of for all. Purchases after as_of do not exist, refunds are no purchases. The gap to the next purchase is in days of 24 hours, rounded up (two purchases at the same instant: 0); who has not bought again is followed up for the whole days from the last purchase to as_of. More than 36525 days count as 36525, and purchases beyond the 101st are not looked at. NULL inputs are skipped; NULL when nobody has bought by as_of. Errors: 22023 as_of changes.';
COMMENT ON AGGREGATE crm.rollup(crm.repeats) IS
'Repeat purchases of disjoint groups of customers in one, for instance of several servers. NULL without rows. Errors: 22023 different as_of.';

CREATE FUNCTION crm.repeat_rows(repeats crm.repeats, within interval DEFAULT '90 days')
    RETURNS TABLE(nth integer, customers bigint, repeated bigint, rate double precision, km_rate double precision,
                  km_se double precision, q1_days integer, median_days integer, q3_days integer, never double precision)
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1000 ROWS 20 AS 'MODULE_PATHNAME', 'crm_repeat_rows';

COMMENT ON FUNCTION crm.repeat_rows(crm.repeats, interval) IS
'One row for each nth purchase that anybody has made, up to the 100th; nth = 1 is F2 conversion. customers: who made an nth purchase; repeated: who made the next one within so many days (NULL: ever); rate: repeated by customers, which newcomers drag down; km_rate: the share to be expected within so many days by Kaplan and Meier, where newcomers count for as long as they have been there, NULL while nobody has been there that long; km_se: its standard error by Greenwood, NULL at a rate of 1; q1_days, median_days, q3_days: quartiles of the days to the next purchase of all who made one, however late; never: share without a next purchase so far. No rows for NULL. Errors: 22023 within has months, is negative or not whole days.';

CREATE FUNCTION crm.repeat_table(query text, as_of timestamptz DEFAULT now(), within interval DEFAULT '90 days')
    RETURNS TABLE(split text, nth integer, customers bigint, repeated bigint, rate double precision, km_rate double precision,
                  km_se double precision, q1_days integer, median_days integer, q3_days integer, never double precision)
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 ROWS 20 AS 'MODULE_PATHNAME', 'crm_repeat_table';

COMMENT ON FUNCTION crm.repeat_table(text, timestamptz, interval) IS
'crm.repeat_rows straight from a query of orders, in one pass. The query is as for crm.histories, its customers of any type that can be hashed; an optional fourth column splits the customers: each belongs to the value of the first purchase (of several at the same microsecond, to the one that sorts first), which split shows as text. Without it split is NULL. Errors: as crm.histories and crm.repeat_rows; 54000 more than 10000 values to split by, or 4 MB of them, or counts that take more than pg_crm.memory and 256 MB.';

CREATE FUNCTION crm.f2_band(rate double precision) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 2
RETURN CASE WHEN rate < 0 OR rate > 1 THEN NULL
            WHEN rate::numeric >= 0.40 THEN 'excellent'
            WHEN rate::numeric >= 0.25 THEN 'good'
            WHEN rate::numeric >= 0.15 THEN 'average'
            ELSE 'needs_work' END;
CREATE FUNCTION crm.f2_band_ja(rate double precision) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 2
RETURN CASE WHEN rate < 0 OR rate > 1 THEN NULL
            WHEN rate::numeric >= 0.40 THEN '優秀'
            WHEN rate::numeric >= 0.25 THEN '良好'
            WHEN rate::numeric >= 0.15 THEN '平均的'
            ELSE '要改善' END;

COMMENT ON FUNCTION crm.f2_band(double precision) IS
'The published band of an F2 conversion rate: excellent from 0.40, good from 0.25, average from 0.15, needs_work below; to 15 digits, so that a computed 0.4 is one. NULL for NULL and for what is no share of 0 to 1.';
COMMENT ON FUNCTION crm.f2_band_ja(double precision) IS
'The band of an F2 conversion rate in Japanese: 優秀 from 0.40, 良好 from 0.25, 平均的 from 0.15, 要改善 below. NULL for NULL and for what is no share of 0 to 1.';
