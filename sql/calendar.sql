-- crm.calendar, and the functions of a history that take one. What PostgreSQL itself makes of dates is the measure.
SET DateStyle = 'ISO';
SET TimeZone = 'UTC';

-- text

SELECT form, crm.calendar_out(form::crm.calendar) AS read_as
FROM unnest(ARRAY['month Asia/Tokyo', 'WEEK asia/tokyo', ' quarter  Europe/London ', 'years utc', '1 day UTC', '1 week UTC',
                  '30 Days UTC', '36500 days UTC', 'day Etc/GMT-9', 'day PST8PDT', 'day <+09>-09', 'day <-03:30>+03:30']) AS form;

CREATE FUNCTION pg_temp.refusal(form text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    RETURN 'read as ' || form::crm.calendar;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN format('%s %s. %s', SQLSTATE, SQLERRM, detail);
END $$;

SELECT form, pg_temp.refusal(form)
FROM unnest(ARRAY['', '30', 'fortnight', 'Asia/Tokyo', 'dayss', '0 days', '36501 days', '99999999999999999999 days', '-5 days',
                  '1.5 days', '30days', '2 months', 'month UTC now', 'month Mars/Base', 'month JST', 'month local',
                  'month localtime', 'month JST-9', 'month UTC+9', 'month +09:00', 'month 9', 'month <JST>-9', 'month <+09>+09',
                  'month Etc/GMT+15', 'month EST5EDT4', 'month ../Asia/Tokyo', '月 Asia/Tokyo']) AS form;
SELECT pg_temp.refusal('month ' || repeat('x', 300)) = '22023 unknown time zone. "' || repeat('x', 180) || '" is no time zone of this server.' AS cut;

SELECT crm.calendar('30 days', 'asia/tokyo'), crm.calendar('month', NULL) IS NULL AS strict;
SELECT crm.calendar('month', '');
SELECT crm.calendar('month UTC', 'UTC');

-- A calendar that names no zone is the session's from the moment it is read.

SET TimeZone = 'Asia/Tokyo';
CREATE TEMP TABLE setting (period crm.calendar DEFAULT 'month');
INSERT INTO setting DEFAULT VALUES;
CREATE TEMP VIEW new_year AS SELECT crm.period_date('2025-12-31 15:30:00+00', 'month');
SET TimeZone = 'America/New_York';
INSERT INTO setting DEFAULT VALUES;
INSERT INTO setting VALUES ('month');
SELECT period, crm.period_date('2025-12-31 15:30:00+00', period) FROM setting;
SELECT * FROM new_year;
SELECT pg_get_viewdef('new_year') AS dumped;
SELECT pg_get_expr(adbin, adrelid) AS dumped FROM pg_attrdef WHERE adrelid = 'setting'::regclass;

SET TimeZone = 9;
SELECT 'month'::crm.calendar;
SET TimeZone = 'JST-9';
SELECT 'month'::crm.calendar;
SET TimeZone = 'CET-1CEST,M3.5.0,M10.5.0/3';
SELECT 'month'::crm.calendar;
SELECT 'month UTC'::crm.calendar;
SET TimeZone = 'UTC';

-- comparison

CREATE TEMP TABLE calendars AS
SELECT crm.calendar(period, zone) AS calendar, number
FROM unnest(ARRAY['year', 'day', '30 days', '7 days', 'week', 'quarter', 'month']) WITH ORDINALITY AS p(period, number),
     unnest(ARRAY['UTC', 'Asia/Tokyo']) AS zone;
SELECT string_agg(calendar::text, ', ' ORDER BY calendar) AS in_order FROM calendars;
SELECT count(*) AS compared,
       count(*) FILTER (WHERE (a.calendar OPERATOR(crm.=) b.calendar) <> (a.calendar::text = b.calendar::text)) AS equal,
       count(*) FILTER (WHERE (a.calendar OPERATOR(crm.<>) b.calendar) <> (a.calendar::text <> b.calendar::text)) AS unequal,
       count(*) FILTER (WHERE (a.calendar OPERATOR(crm.<) b.calendar) <> (crm.calendar_cmp(a.calendar, b.calendar) < 0)) AS less,
       count(*) FILTER (WHERE (a.calendar OPERATOR(crm.<=) b.calendar) <> (crm.calendar_cmp(a.calendar, b.calendar) <= 0)) AS at_most,
       count(*) FILTER (WHERE (a.calendar OPERATOR(crm.>) b.calendar) <> (crm.calendar_cmp(b.calendar, a.calendar) < 0)) AS greater,
       count(*) FILTER (WHERE (a.calendar OPERATOR(crm.>=) b.calendar) <> (crm.calendar_cmp(b.calendar, a.calendar) <= 0)) AS at_least,
       count(*) FILTER (WHERE a.calendar::text = b.calendar::text AND crm.calendar_hash(a.calendar) <> crm.calendar_hash(b.calendar)) AS hash
FROM calendars a, calendars b;
SELECT count(*) AS hashed FROM calendars GROUP BY calendar HAVING count(*) <> 1;
SELECT crm.calendar_hash(calendar) = crm.calendar_hash_extended(calendar, 0)::bit(32)::integer AS same_hash,
       crm.calendar_hash_extended(calendar, 0) <> crm.calendar_hash_extended(calendar, 1) AS seeded
FROM calendars LIMIT 1;
CREATE UNIQUE INDEX ON calendars (calendar);
INSERT INTO calendars SELECT * FROM calendars ON CONFLICT DO NOTHING;

-- Periods against date_trunc in the zone: summer time, a half-hour one, days that are missing or begin twice, leap days, the
-- year 1 BC and the far future.

CREATE TEMP TABLE zones AS
SELECT unnest(ARRAY['UTC', 'Asia/Tokyo', 'Asia/Kolkata', 'America/New_York', 'Europe/London', 'Australia/Lord_Howe',
                    'America/Sao_Paulo', 'Africa/Casablanca', 'America/Havana', 'America/St_Johns', 'Pacific/Apia',
                    'America/Juneau', 'Africa/Monrovia', '<+09>-09']) AS zone;
CREATE TEMP TABLE units AS SELECT unnest(ARRAY['day', 'week', 'month', 'quarter', 'year']) AS unit;
CREATE TEMP TABLE instants AS
SELECT generate_series('1999-12-30'::timestamptz, '2030-01-03', '19 days 1 hour 17 minutes') AS at
UNION SELECT generate_series('2018-10-27'::timestamptz, '2018-11-12', '30 minutes')
UNION SELECT generate_series('2011-12-28'::timestamptz, '2012-01-02', '30 minutes')
UNION SELECT generate_series('2006-10-29 02:20+00'::timestamptz, '2006-10-29 05:40+00', '1 minute')
UNION SELECT generate_series('1850-01-01'::timestamptz, '2500-01-01', '9876 hours 54 minutes 32.123456 seconds')
UNION SELECT unnest(ARRAY['2000-02-29 23:59:59.999999+00', '2000-03-01 00:00:00+00', '2100-02-28 15:00:00+00', '1867-10-19 00:00:00+00',
                          '0001-12-31 23:00:00+00 BC', '0001-01-01 00:00:00+00', '4000-06-01 00:00:00+00 BC', '9999-12-31 23:59:59+00']::timestamptz[]);

CREATE TEMP TABLE periods AS
SELECT at, zone, unit, crm.calendar(unit, zone) AS calendar FROM units, zones, instants ORDER BY unit, zone, at;

SELECT count(*) AS compared,
       count(*) FILTER (WHERE crm.period_date(at, calendar) IS DISTINCT FROM date_trunc(unit, at AT TIME ZONE zone)::date) AS different
FROM periods;

-- midnights that occur twice: date_trunc gives the second one, by which the day is an hour old, or a whole day
SELECT zone, count(*) AS instants, start AS period_start, date_trunc
FROM (SELECT zone, crm.period_start(at, calendar) AS start, date_trunc(unit, at, zone)
      FROM periods WHERE unit = 'day' AND extract(year FROM at) IN (1867, 2006, 2011, 2018)) AS both_starts
WHERE start <> date_trunc GROUP BY zone, start, date_trunc ORDER BY start, zone;

-- in general: the period is entered at its start, and no instant of the days before it is in the period
SELECT count(*) AS compared,
       count(*) FILTER (WHERE start > at OR crm.period_date(start, calendar) <> period) AS outside,
       count(*) FILTER (WHERE greatest(crm.period_date(start - '1 us'::interval, calendar), crm.period_date(start - '1 min'::interval, calendar),
                                       crm.period_date(start - '1 h'::interval, calendar), crm.period_date(start - '25 h'::interval, calendar)) >= period) AS late
FROM (SELECT at, calendar, crm.period_start(at, calendar) AS start, crm.period_date(at, calendar) AS period FROM periods OFFSET 0) AS started;

SELECT days, count(*) AS compared,
       count(*) FILTER (WHERE crm.period_date(at, calendar) <>
                              DATE '2000-01-01' + floor(((at AT TIME ZONE zone)::date - DATE '2000-01-01') / days::numeric)::int * days) AS different,
       count(*) FILTER (WHERE (crm.period_start(at, calendar) AT TIME ZONE zone)::date <> crm.period_date(at, calendar)) AS start_elsewhere
FROM (SELECT at, zone, days, crm.calendar(days || ' days', zone) AS calendar FROM zones, instants, unnest(ARRAY[2, 30, 36500]) AS days) AS counted
GROUP BY days ORDER BY days;

-- one call site, whatever calendar and time each row brings
SELECT count(*) AS compared,
       count(*) FILTER (WHERE crm.period_date(at, calendar) <> date_trunc(unit, at AT TIME ZONE zone)::date) AS different
FROM (SELECT * FROM periods ORDER BY hashtext(at::text || zone || unit) LIMIT 20000) AS shuffled;

SELECT crm.period_date('2026-01-01 00:30+09', 'month Asia/Tokyo') AS tokyo, crm.period_date('2026-01-01 00:30+09', 'month UTC') AS utc;
SELECT crm.period_start('2018-11-04 12:00-02', 'day America/Sao_Paulo') AT TIME ZONE 'America/Sao_Paulo' AS no_midnight;
SELECT crm.period_start('2026-03-09 00:00-04', 'day America/New_York') - crm.period_start('2026-03-08 12:00-04', 'day America/New_York') AS short_day,
       crm.period_start('2026-11-02 00:00-05', 'day America/New_York') - crm.period_start('2026-11-01 12:00-05', 'day America/New_York') AS long_day;

-- the ends of time
SELECT count(*) AS compared, count(*) FILTER (WHERE crm.period_date(at, crm.calendar('month', zone)) <> date_trunc('month', at AT TIME ZONE zone)::date) AS different
FROM zones, unnest(ARRAY['100000-07-01 03:59:59+00', '294276-04-01 04:30:00+00', '294276-12-30 12:00:00.000001+00']::timestamptz[]) AS at;
SELECT crm.period_date('294276-12-31 23:59:59.999999', 'day Asia/Tokyo'), crm.period_start('294276-12-31 23:59:59.999999', 'day Asia/Tokyo'),
       crm.period_start('294276-12-31 23:59:59.999999', 'year America/New_York');
SELECT crm.period_date('4714-11-24 BC', 'day UTC'), crm.period_start('4714-11-24 BC', 'day UTC');
SELECT crm.period_date('4714-11-24 BC', 'month UTC');
SELECT crm.period_start('4714-11-24 BC', 'month UTC');
SELECT crm.period_date('4714-11-24 BC', 'day America/New_York');
SELECT crm.period_date('infinity', 'day UTC');
SELECT crm.period_start('-infinity', 'day UTC');

-- An index may hold periods.
CREATE TEMP TABLE sales AS SELECT at FROM instants WHERE at > '2018-01-01';
CREATE INDEX ON sales (crm.period_date(at, 'month Asia/Tokyo'));

-- binary

CREATE TEMP TABLE received (calendar crm.calendar);
CREATE FUNCTION pg_temp.receive(value bytea) RETURNS crm.calendar LANGUAGE plpgsql AS $$
DECLARE
    message bytea := '\x5047434f50590aff0d0a00' || int4send(0) || int4send(0) || int2send(1::int2)
                     || int4send(length(value)) || value || int2send((-1)::int2);
    escaped text := string_agg(format('\%s%s%s', byte / 64, byte / 8 % 8, byte % 8), '' ORDER BY i)
                    FROM (SELECT i, get_byte(message, i) AS byte FROM generate_series(0, length(message) - 1) AS i) AS bytes;
    result crm.calendar;
BEGIN
    EXECUTE format('COPY received FROM PROGRAM %L (FORMAT binary)', format('printf ''%s''', escaped));
    DELETE FROM received RETURNING calendar INTO result;
    RETURN result;
END $$;
CREATE FUNCTION pg_temp.binary_refusal(value bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found crm.calendar;
BEGIN
    found := pg_temp.receive(value);
    RETURN CASE WHEN found::text::crm.calendar OPERATOR(crm.=) found AND crm.calendar_send(found) = value THEN 'received' END;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

SELECT count(*) AS compared, count(*) FILTER (WHERE pg_temp.receive(crm.calendar_send(calendar)) OPERATOR(crm.<>) calendar) AS different
FROM calendars;
SELECT crm.calendar_send('30 days UTC');
SELECT what, pg_temp.binary_refusal(value)
FROM (VALUES ('same', crm.calendar_send('month Asia/Tokyo')),
             ('empty', ''),
             ('no zone', '\x01030001'),
             ('version', set_byte(crm.calendar_send('month Asia/Tokyo'), 0, 2)),
             ('unit', set_byte(crm.calendar_send('month Asia/Tokyo'), 1, 6)),
             ('no days', set_byte(crm.calendar_send('day Asia/Tokyo'), 3, 0)),
             ('many days', set_byte(crm.calendar_send('day Asia/Tokyo'), 2, 255)),
             ('2 months', set_byte(crm.calendar_send('month Asia/Tokyo'), 3, 2)),
             ('zone in other case', '\x01030001' || convert_to('asia/tokyo', 'UTF8')),
             ('zone with zero byte', crm.calendar_send('month UTC') || '\x00'),
             ('unknown zone', '\x01030001' || convert_to('Mars/Base', 'UTF8')),
             ('POSIX rule', '\x01030001' || convert_to('JST-9', 'UTF8')),
             ('long zone', '\x01030001' || convert_to(repeat('x', 256), 'UTF8'))) AS malformed(what, value);

CREATE TEMP TABLE mutation (outcome text);
DO $$
DECLARE
    original bytea;
    mutated bytea;
BEGIN
    PERFORM setseed(0.5);
    FOR i IN 1..300 LOOP
        original := crm.calendar_send((ARRAY['month Asia/Tokyo', '30 days UTC', 'day <+09>-09']::crm.calendar[])[i % 3 + 1]);
        mutated := set_byte(original, (random() * (length(original) - 1))::int, (random() * 255)::int);
        mutated := CASE i % 5 WHEN 0 THEN substring(mutated FOR (random() * length(mutated))::int)
                              WHEN 1 THEN mutated || substring(original FROM (random() * length(original))::int)
                              ELSE mutated END;
        INSERT INTO mutation VALUES (pg_temp.binary_refusal(mutated));
    END LOOP;
END $$;
SELECT count(*) AS mutated,
       count(*) FILTER (WHERE outcome ~ '^22P03 invalid binary representation of crm.calendar$') > 100 AS refused,
       count(*) FILTER (WHERE outcome ~ '^22023 ') > 10 AS zone_refused,
       count(*) FILTER (WHERE outcome IS NULL OR outcome !~ '^(received$|22P03 invalid binary|22023 )') AS otherwise
FROM mutation;

-- histories

CREATE TEMP TABLE customers AS
SELECT customer, at, (n % 1000 * CASE WHEN extract(minute FROM at)::int % 7 = 0 THEN -0.25 ELSE 0.25 END)::numeric(10, 2) AS amount
FROM (SELECT at, row_number() OVER (ORDER BY at) AS n FROM instants WHERE at BETWEEN '2006-01-01' AND '2019-01-01') AS numbered,
     LATERAL (SELECT CASE WHEN at BETWEEN '2006-10-28' AND '2006-10-31' THEN n % 3 ELSE n % 97 END AS customer) AS assigned;
CREATE TEMP TABLE histories AS
SELECT customer, calendar, zone, history
FROM (SELECT customer, crm.history(at, amount) AS history FROM customers GROUP BY customer) AS made,
     LATERAL (SELECT crm.calendar(unit, zone) AS calendar, zone FROM zones, (TABLE units UNION ALL VALUES ('30 days')) AS u) AS all_calendars;

SELECT count(*) AS compared,
       count(*) FILTER (WHERE crm.cohort(history, calendar) IS DISTINCT FROM crm.period_date(crm.first_order(history), calendar)) AS different
FROM histories;

-- what per() gives, from single purchases: the first of each period, with the sum; a run of days begins at the first purchase
WITH purchase AS (
    SELECT customer, calendar, zone, ordered_at AS at, amount,
           (ordered_at AT TIME ZONE zone)::date - (crm.first_order(history) AT TIME ZONE zone)::date AS days
    FROM histories, crm.purchases(history)),
merged AS (
    SELECT customer, calendar, min(at) AS at, sum(amount) AS amount
    FROM purchase WHERE amount >= 0
    GROUP BY customer, calendar,
             CASE WHEN calendar::text LIKE '30 days%' THEN floor(days / 30.0)::text ELSE crm.period_date(at, calendar)::text END
    UNION ALL
    SELECT customer, calendar, at, amount FROM purchase WHERE amount < 0),
expected AS (
    SELECT customer, calendar, crm.history(at, amount) AS history FROM merged GROUP BY customer, calendar)
SELECT count(*) AS compared,
       count(*) FILTER (WHERE crm.per(h.history, h.calendar) OPERATOR(crm.<>) e.history) AS different,
       count(*) FILTER (WHERE crm.per(e.history, h.calendar) OPERATOR(crm.<>) e.history) AS not_again,
       count(*) FILTER (WHERE crm.revenue(h.history) <> crm.revenue(e.history) OR crm.refunded(h.history) <> crm.refunded(e.history)) AS money,
       count(*) FILTER (WHERE crm.orders(e.history) < crm.orders(h.history)) > 1000 AS merged
FROM histories h JOIN expected e ON e.customer = h.customer AND e.calendar OPERATOR(crm.=) h.calendar;

SELECT crm.cohort('[]', 'month UTC'), crm.cohort('[["2026-01-01T00:00:00Z",-1]]', 'month UTC'), crm.per('[]', 'month UTC');
SELECT crm.cohort('[["2025-12-31T15:30:00Z",1]]', 'month Asia/Tokyo') AS tokyo, crm.cohort('[["2025-12-31T15:30:00Z",1]]', 'month UTC') AS utc,
       crm.cohort('[["2025-12-31T15:30:00Z",1]]', '30 days UTC') AS thirty_days;
SELECT crm.per('[["2026-01-01T01:00:00Z",9000000000000000000],["2026-01-01T02:00:00Z",-9000000000000000000],["2026-01-01T03:00:00Z",9000000000000000000]]', 'day UTC');

-- every object says what it is
SELECT count(*) > 0 AS functions, count(*) FILTER (WHERE obj_description(oid, 'pg_proc') IS NULL) AS without_comment
FROM pg_proc
WHERE pronamespace = 'crm'::regnamespace AND (proname ~ '^(calendar|period_)' OR 'crm.calendar'::regtype = ANY (proargtypes));
SELECT count(*) > 0 AS operators, count(*) FILTER (WHERE obj_description(oid, 'pg_operator') IS NULL) AS without_comment
FROM pg_operator WHERE oprleft = 'crm.calendar'::regtype;
