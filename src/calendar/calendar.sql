-- crm.calendar: a period and a time zone in one constant

CREATE TYPE crm.calendar;

CREATE FUNCTION crm.calendar_in(cstring) RETURNS crm.calendar
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_calendar_in';
CREATE FUNCTION crm.calendar_out(crm.calendar) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_calendar_out';
CREATE FUNCTION crm.calendar_recv(internal) RETURNS crm.calendar
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_calendar_recv';
CREATE FUNCTION crm.calendar_send(crm.calendar) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_calendar_send';

CREATE TYPE crm.calendar (
    INPUT = crm.calendar_in,
    OUTPUT = crm.calendar_out,
    RECEIVE = crm.calendar_recv,
    SEND = crm.calendar_send,
    INTERNALLENGTH = VARIABLE,
    STORAGE = MAIN,
    CATEGORY = 'U'
);

COMMENT ON TYPE crm.calendar IS
'A period and the time zone whose days it is made of: month Asia/Tokyo. Periods are day, week (from Monday), month, quarter, year and 2 to 36500 days; singular and plural, in any case. Without a zone, the session''s TimeZone is taken when the text is read; the text form always names the zone, so that it means the same everywhere. Zones are those of pg_timezone_names, read as SET TimeZone reads them (CET has summer time), and fixed offsets as SET TimeZone = 9 shows them, <+09>-09. The local date of a time is (time AT TIME ZONE zone)::date.';
COMMENT ON FUNCTION crm.calendar_in(cstring) IS 'Text input of crm.calendar. Depends on the session''s TimeZone where the text names no zone. Errors: 22P02 malformed text; 22023 unknown period, number of days out of range, unknown or ambiguous zone.';
COMMENT ON FUNCTION crm.calendar_out(crm.calendar) IS 'Text output of crm.calendar: period and zone.';
COMMENT ON FUNCTION crm.calendar_recv(internal) IS 'Binary input of crm.calendar, as strict as text. Errors: 22P03 for bytes that pg_crm would not write, 22023 for a zone that this server does not know.';
COMMENT ON FUNCTION crm.calendar_send(crm.calendar) IS 'Binary output of crm.calendar: the stored bytes, laid out as src/core/calendar.hpp says.';

CREATE FUNCTION crm.calendar(period text, zone text) RETURNS crm.calendar
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_calendar_make';
COMMENT ON FUNCTION crm.calendar(text, text) IS
'The calendar of a period such as month or 30 days, in a zone such as Asia/Tokyo. Errors: 22P02 malformed period; 22023 unknown period, number of days out of range, unknown or ambiguous zone.';

-- comparison

CREATE FUNCTION crm.calendar_eq(crm.calendar, crm.calendar) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_calendar_eq';
CREATE FUNCTION crm.calendar_ne(crm.calendar, crm.calendar) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_calendar_ne';
CREATE FUNCTION crm.calendar_lt(crm.calendar, crm.calendar) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_calendar_lt';
CREATE FUNCTION crm.calendar_le(crm.calendar, crm.calendar) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_calendar_le';
CREATE FUNCTION crm.calendar_gt(crm.calendar, crm.calendar) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_calendar_gt';
CREATE FUNCTION crm.calendar_ge(crm.calendar, crm.calendar) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_calendar_ge';
CREATE FUNCTION crm.calendar_cmp(crm.calendar, crm.calendar) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_calendar_cmp';
CREATE FUNCTION crm.calendar_hash(crm.calendar) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_calendar_hash';
CREATE FUNCTION crm.calendar_hash_extended(crm.calendar, bigint) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_calendar_hash_extended';

COMMENT ON FUNCTION crm.calendar_eq(crm.calendar, crm.calendar) IS 'True when period and zone are the same; implements =.';
COMMENT ON FUNCTION crm.calendar_ne(crm.calendar, crm.calendar) IS 'True when period or zone differ; implements <>.';
COMMENT ON FUNCTION crm.calendar_lt(crm.calendar, crm.calendar) IS 'Orders calendars by unit, days and zone name; implements <.';
COMMENT ON FUNCTION crm.calendar_le(crm.calendar, crm.calendar) IS 'Orders calendars by unit, days and zone name; implements <=.';
COMMENT ON FUNCTION crm.calendar_gt(crm.calendar, crm.calendar) IS 'Orders calendars by unit, days and zone name; implements >.';
COMMENT ON FUNCTION crm.calendar_ge(crm.calendar, crm.calendar) IS 'Orders calendars by unit, days and zone name; implements >=.';
COMMENT ON FUNCTION crm.calendar_cmp(crm.calendar, crm.calendar) IS 'Orders calendars by unit, days and zone name: -1, 0 or 1. Support function of the btree operator class.';
COMMENT ON FUNCTION crm.calendar_hash(crm.calendar) IS 'Hash of a calendar. Support function of the hash operator class.';
COMMENT ON FUNCTION crm.calendar_hash_extended(crm.calendar, bigint) IS 'Hash of a calendar with a seed. Support function of the hash operator class.';

CREATE OPERATOR crm.= (FUNCTION = crm.calendar_eq, LEFTARG = crm.calendar, RIGHTARG = crm.calendar,
    COMMUTATOR = OPERATOR(crm.=), NEGATOR = OPERATOR(crm.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR crm.<> (FUNCTION = crm.calendar_ne, LEFTARG = crm.calendar, RIGHTARG = crm.calendar,
    COMMUTATOR = OPERATOR(crm.<>), NEGATOR = OPERATOR(crm.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR crm.< (FUNCTION = crm.calendar_lt, LEFTARG = crm.calendar, RIGHTARG = crm.calendar,
    COMMUTATOR = OPERATOR(crm.>), NEGATOR = OPERATOR(crm.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR crm.<= (FUNCTION = crm.calendar_le, LEFTARG = crm.calendar, RIGHTARG = crm.calendar,
    COMMUTATOR = OPERATOR(crm.>=), NEGATOR = OPERATOR(crm.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR crm.> (FUNCTION = crm.calendar_gt, LEFTARG = crm.calendar, RIGHTARG = crm.calendar,
    COMMUTATOR = OPERATOR(crm.<), NEGATOR = OPERATOR(crm.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR crm.>= (FUNCTION = crm.calendar_ge, LEFTARG = crm.calendar, RIGHTARG = crm.calendar,
    COMMUTATOR = OPERATOR(crm.<=), NEGATOR = OPERATOR(crm.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);

COMMENT ON OPERATOR crm.= (crm.calendar, crm.calendar) IS 'Same period and same zone name; two names of one zone differ.';
COMMENT ON OPERATOR crm.<> (crm.calendar, crm.calendar) IS 'Different period or zone name.';
COMMENT ON OPERATOR crm.< (crm.calendar, crm.calendar) IS 'Order by unit, days and zone name, for indexes and sorting.';
COMMENT ON OPERATOR crm.<= (crm.calendar, crm.calendar) IS 'Order by unit, days and zone name, for indexes and sorting.';
COMMENT ON OPERATOR crm.> (crm.calendar, crm.calendar) IS 'Order by unit, days and zone name, for indexes and sorting.';
COMMENT ON OPERATOR crm.>= (crm.calendar, crm.calendar) IS 'Order by unit, days and zone name, for indexes and sorting.';

CREATE OPERATOR CLASS crm.calendar_ops DEFAULT FOR TYPE crm.calendar USING btree AS
    OPERATOR 1 crm.<, OPERATOR 2 crm.<=, OPERATOR 3 crm.=, OPERATOR 4 crm.>=, OPERATOR 5 crm.>,
    FUNCTION 1 crm.calendar_cmp(crm.calendar, crm.calendar);
CREATE OPERATOR CLASS crm.calendar_ops DEFAULT FOR TYPE crm.calendar USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.calendar_hash(crm.calendar), FUNCTION 2 crm.calendar_hash_extended(crm.calendar, bigint);
COMMENT ON OPERATOR CLASS crm.calendar_ops USING btree IS 'Sorting, DISTINCT and unique indexes of calendars.';
COMMENT ON OPERATOR CLASS crm.calendar_ops USING hash IS 'Hashing of calendars.';

-- periods of single times

CREATE FUNCTION crm.period_date(at timestamptz, period crm.calendar) RETURNS date
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_period_date';
CREATE FUNCTION crm.period_start(at timestamptz, period crm.calendar) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_period_start';

COMMENT ON FUNCTION crm.period_date(timestamptz, crm.calendar) IS
'The first local date of the period that a time lies in, in the calendar''s zone. Periods of several days are counted from 2000-01-01. Errors: 22008 infinite time, or a date before the first one that date can hold.';
COMMENT ON FUNCTION crm.period_start(timestamptz, crm.calendar) IS
'The first instant of the period that a time lies in: the earliest one whose local date is in it, also where midnight occurs twice or not at all. Periods of several days are counted from 2000-01-01. Errors: 22008 infinite time, or a start before the first time that timestamptz can hold.';
