-- Making, changing, checking and dropping a shop.

CREATE FUNCTION crm.examine_shop(s crm.shop) RETURNS TABLE(subject text, value text, verdict text, explanation text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET row_security = off
AS $$
DECLARE
    without_currency crm.shop := s;
    caller_zone CONSTANT text := current_setting('TimeZone');
    caller_style CONSTANT text := current_setting('DateStyle');
    seen record;
    customers bigint;
    value_at_fault text;
BEGIN
    PERFORM crm.pin_settings();
    PERFORM crm.check_rights(s);
    without_currency.currency := NULL;
    BEGIN
        EXECUTE format($sql$
            SELECT count(*) AS rows,
                   count(*) FILTER (WHERE counted) AS counted,
                   count(*) FILTER (WHERE counted AND key IS NULL) AS no_customer,
                   count(*) FILTER (WHERE counted AND ordered_at IS NULL) AS no_time,
                   count(*) FILTER (WHERE counted AND amount IS NULL) AS no_amount,
                   count(*) FILTER (WHERE counted AND customer_id IS NULL AND key IS NOT NULL) AS guests,
                   count(*) FILTER (WHERE counted AND (amount < 0 OR refund <> 0)) AS refunds,
                   count(*) FILTER (WHERE counted AND NOT isfinite(ordered_at)) AS endless,
                   count(*) FILTER (WHERE counted AND amount IN ('NaN', 'Infinity', '-Infinity')) AS not_numbers,
                   count(*) FILTER (WHERE counted AND ordered_at > now() + interval '1 day') AS later,
                   min(ordered_at) FILTER (WHERE counted AND isfinite(ordered_at)) AS first,
                   max(ordered_at) FILTER (WHERE counted AND isfinite(ordered_at)) AS last,
                   sum(coalesce(amount, 0) - abs(coalesce(refund, 0))) FILTER (WHERE counted) AS revenue,
                   count(*) FILTER (WHERE counted AND currency IS DISTINCT FROM $1) AS foreign_currency,
                   (SELECT string_agg(DISTINCT coalesce(c.currency, 'NULL'), ', ') FROM (SELECT %7$s AS currency FROM %8$s AS o WHERE %6$s LIMIT 10000) AS c) AS currencies
            FROM (SELECT %1$s AS customer_id, %2$s AS key, %3$s AS ordered_at, (%4$s)::numeric AS amount, %5$s AS refund,
                         (%6$s) IS TRUE AS counted, %7$s AS currency
                  FROM %8$s AS o) AS orders
            $sql$,
            crm.in_parentheses(s.customer_id), crm.shop_key(s), crm.shop_time(s.ordered_at, s.source_zone), crm.shop_amount(s),
            coalesce(crm.shop_money(s.refund_amount, s.amount_divisor), 'NULL::numeric'), crm.shop_condition(without_currency),
            coalesce(crm.in_parentheses(s.currency_code) || '::text', '$1'), crm.shop_source(s))
        INTO seen USING s.currency;
    EXCEPTION WHEN data_exception THEN
        GET STACKED DIAGNOSTICS value_at_fault = PG_EXCEPTION_DETAIL;
        RETURN QUERY VALUES ('rows', NULL::text, 'error', concat_ws('. ', 'they cannot be read: ' || SQLERRM, nullif(value_at_fault, '')));
        RETURN;
    END;

    -- times are shown as the caller writes them
    PERFORM set_config('TimeZone', caller_zone, true), set_config('DateStyle', caller_style, true);
    RETURN QUERY
    SELECT v.subject, v.value, v.verdict, CASE WHEN v.verdict <> 'ok' THEN v.explanation END
    FROM (VALUES
        ('rows', seen.rows::text, 'ok', NULL),
        ('rows that count', seen.counted::text, CASE WHEN seen.counted = 0 AND seen.rows > 0 THEN 'note' ELSE 'ok' END,
         'the condition is true for no row'),
        ('without customer', seen.no_customer::text,
         CASE WHEN seen.no_customer = 0 THEN 'ok' WHEN seen.no_customer < seen.counted THEN 'note' ELSE 'error' END,
         'they are left out; guest_key says who bought where customer_id is NULL'),
        ('without time', seen.no_time::text,
         CASE WHEN seen.no_time = 0 THEN 'ok' WHEN seen.no_time < seen.counted THEN 'note' ELSE 'error' END, 'they are left out'),
        ('without amount', seen.no_amount::text,
         CASE WHEN seen.no_amount = 0 THEN 'ok' WHEN seen.no_amount < seen.counted THEN 'note' ELSE 'error' END, 'they are left out'),
        ('by guests', seen.guests::text, 'ok', NULL),
        ('with refunds', seen.refunds::text,
         CASE WHEN seen.refunds = seen.counted AND seen.counted > 0 AND s.refund_amount IS NULL THEN 'error' ELSE 'ok' END,
         'every order is a refund: look at refund and at the sign of amount'),
        ('infinite times', seen.endless::text, CASE WHEN seen.endless = 0 THEN 'ok' ELSE 'error' END,
         'leave them out by the condition'),
        ('amounts that are no numbers', seen.not_numbers::text, CASE WHEN seen.not_numbers = 0 THEN 'ok' ELSE 'error' END,
         'leave them out by the condition'),
        ('later than tomorrow', seen.later::text, CASE WHEN seen.later = 0 THEN 'ok' ELSE 'note' END,
         'they count from their day on; is the time zone right?'),
        ('first order', seen.first::text, 'ok', NULL),
        ('last order', seen.last::text, 'ok', NULL),
        ('revenue', seen.revenue::text, 'ok', NULL),
        ('currencies', coalesce(seen.currencies, 'none'),
         CASE WHEN s.currency IS NOT NULL AND seen.foreign_currency = 0 THEN 'ok' ELSE 'error' END,
         CASE WHEN s.currency IS NULL THEN 'a shop has one currency: say which, currency => ''JPY''; convert the others in a query'
              ELSE format('%s orders are not in %s: convert them, or leave them out by the condition; a shop has one currency',
                          seen.foreign_currency, s.currency) END)
        ) AS v (subject, value, verdict, explanation)
    WHERE v.subject <> 'currencies' OR s.currency_code IS NOT NULL;

    PERFORM crm.pin_settings();
    IF seen.endless + seen.not_numbers = 0 THEN
        BEGIN
            EXECUTE format('SELECT count(*) FROM %s', crm.shop_histories(s)) INTO customers;
            RETURN QUERY VALUES ('customers', customers::text, 'ok', NULL);
        EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
            GET STACKED DIAGNOSTICS value_at_fault = PG_EXCEPTION_DETAIL;
            RETURN QUERY VALUES ('customers', NULL::text, 'error',
                                 concat_ws('. ', 'they cannot be counted: ' || SQLERRM, nullif(value_at_fault, '')));
        END;
    END IF;
END $$;

COMMENT ON FUNCTION crm.examine_shop(crm.shop) IS
'Reads the orders that settings of a shop describe, twice, and tells what is there. What crm.create_shop and crm.shop_check show. A part of crm.create_shop.';

CREATE FUNCTION crm.accept_shop(s crm.shop, must_be_right boolean) RETURNS TABLE(subject text, value text, verdict text, explanation text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    problems text;
BEGIN
    FOR subject, value, verdict, explanation IN SELECT * FROM crm.examine_shop(s) LOOP
        IF verdict = 'error' THEN
            problems := concat_ws('; ', problems, format('%s: %s (%s)', subject, coalesce(value, 'unknown'), explanation));
        END IF;
        RETURN NEXT;
    END LOOP;
    IF problems IS NOT NULL AND must_be_right THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'a shop cannot be made of these orders',
            DETAIL = problems;
    END IF;
END $$;

COMMENT ON FUNCTION crm.accept_shop(crm.shop, boolean) IS
'As crm.examine_shop. Errors: 22023 where a verdict is error and must not be. A part of crm.create_shop.';

CREATE FUNCTION crm.create_shop(
    name name, orders text, customer_id text, ordered_at text, amount text,
    condition text DEFAULT NULL, refund text DEFAULT NULL, refund_amount text DEFAULT NULL, refunded_at text DEFAULT NULL,
    guest_key text DEFAULT NULL, channel text DEFAULT NULL, currency_code text DEFAULT NULL, currency text DEFAULT NULL,
    amount_divisor int DEFAULT 1, source_zone text DEFAULT NULL, zone text DEFAULT current_setting('TimeZone'),
    span interval DEFAULT '1 year', bands crm.rfm_bands DEFAULT NULL, grades int DEFAULT NULL, map name DEFAULT 'six',
    tiers crm.tier_ladder DEFAULT NULL, tier_period text DEFAULT NULL, repeat_within interval DEFAULT '90 days',
    horizon interval DEFAULT '1 year', yearly_discount float8 DEFAULT 0.10, answers_kept interval DEFAULT '2 years',
    capture crm.shop_capture DEFAULT NULL, batch_rows int DEFAULT 20000, dry_run boolean DEFAULT false)
    RETURNS TABLE(subject text, value text, verdict text, explanation text)
    LANGUAGE plpgsql
AS $$
DECLARE
    s crm.shop := (name, orders, false, customer_id, ordered_at, amount, condition, refund, refund_amount, refunded_at,
                   guest_key, channel, currency_code, currency, amount_divisor, source_zone, zone, span,
                   CASE WHEN grades IS NULL THEN coalesce(bands, crm.rfm_bands()) ELSE bands END, grades, map, tiers, tier_period,
                   repeat_within, horizon, yearly_discount, answers_kept, capture, batch_rows, NULL);
BEGIN
    RETURN QUERY SELECT * FROM crm.install_shop(s, dry_run, pg_catalog.current_setting('search_path'));
END $$;

COMMENT ON FUNCTION crm.create_shop(name, text, text, text, text, text, text, text, text, text, text, text, text, int, text, text, interval, crm.rfm_bands, int, name, crm.tier_ladder, text, interval, interval, float8, interval, crm.shop_capture, int, boolean) IS
'Makes a shop: a schema of this name with tables and views over orders, which the first CALL crm.refresh fills. orders is a table, a view or a query; customer_id, ordered_at, amount, condition (rows that count), refund (rows that are refunds), refund_amount and refunded_at (what was paid back of the row''s order), guest_key (who bought where customer_id is NULL), channel and currency_code are columns of it or SQL expressions over a row. amount_divisor: 100 for cents; source_zone: of times without a zone; zone: of the shop''s days and months. span, bands or grades (quantiles, reviewed each quarter), map: as for crm.rfm_table; tiers: a ladder (crm.tier_ladder) by the revenue of the span; tier_period: year makes tiers go by the calendar instead, so that the better of last year and this year counts; repeat_within: days for F2; horizon and yearly_discount: of expected orders and CLV, NULL for no lifetime models, which are fitted each month; answers_kept: how long changes of answers are kept; capture: triggers or compare, chosen by itself; batch_rows: changes between two commits; dry_run: only reads. Returns what it sees in the orders: verdict is ok, note or error, with an explanation. Where one is error, no shop is made; a dry run shows it as a row, and makes nothing in any case. Errors: 42P06 schema exists, 55000 there is a shop of this name whose schema was renamed, 22023 settings or orders that make no sense, 42804 wrong types, 42501 without the rights to read the orders, make triggers on them or create a schema, and those of reading the expressions.';

CREATE FUNCTION crm.install_shop(s crm.shop, dry_run boolean, caller_path text)
    RETURNS TABLE(subject text, value text, verdict text, explanation text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regnamespace(quote_ident(s.shop)) IS NOT NULL THEN
        RAISE duplicate_schema USING
            MESSAGE = format('schema "%s" exists already', s.shop),
            HINT = 'A shop gets a schema of its name; choose another name, or crm.alter_shop.';
    END IF;
    PERFORM crm.check_not_renamed(s.shop);
    s := crm.resolve_shop(s, caller_path);
    RETURN QUERY SELECT * FROM crm.accept_shop(s, must_be_right => dry_run IS NOT TRUE);
    IF dry_run THEN
        RETURN;
    END IF;

    DELETE FROM crm.lost_refresh_run AS r WHERE r.shop = s.shop; -- left behind by DROP SCHEMA
    DELETE FROM crm.lost_shop AS o WHERE o.shop = s.shop;
    EXECUTE format('CREATE SCHEMA %I', s.shop);
    PERFORM crm.make_shop_tables(s);
    s.histories := format('%I.customer_history', s.shop)::regclass;
    INSERT INTO crm.own_shop SELECT s.*;
    PERFORM crm.make_shop_views(s);
    IF s.capture = 'triggers' THEN
        PERFORM crm.make_capture(s);
    END IF;
END $$;

COMMENT ON FUNCTION crm.install_shop(crm.shop, boolean, text) IS 'Makes a shop of complete settings, or only looks at its orders. A part of crm.create_shop.';

CREATE FUNCTION crm.only_currency(s crm.shop) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    currencies text[];
BEGIN
    IF s.currency_code IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM crm.pin_settings();
    EXECUTE format(E'SELECT array_agg(DISTINCT (%s\n)::text) FROM %s AS o WHERE %s',
                   s.currency_code, crm.shop_source(s), crm.shop_condition(s))
    INTO currencies;
    RETURN CASE WHEN cardinality(currencies) = 1 THEN currencies[1] END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL; -- crm.examine_shop says so
END $$;

COMMENT ON FUNCTION crm.only_currency(crm.shop) IS 'The one currency that orders of a shop have; NULL for none or several. A part of crm.create_shop.';

CREATE FUNCTION crm.make_shop_tables(s crm.shop) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format($sql$
        CREATE TABLE %1$I.customer_history AS
            SELECT e.customer_id, NULL::crm.history AS history, NULL::text AS channel,
                   NULL::smallint AS score, NULL::text AS segment, NULL::text AS tier
            FROM (%2$s) AS e WITH NO DATA
        $sql$, s.shop, crm.shop_select(s, crm.shop_source(s)));
    BEGIN
        EXECUTE format('ALTER TABLE %I.customer_history ALTER history SET NOT NULL, ADD PRIMARY KEY (customer_id), '
                       'SET (fillfactor = 90)', s.shop);
    EXCEPTION WHEN undefined_object THEN
        RAISE datatype_mismatch USING
            MESSAGE = format('customers of type %s cannot be told apart', crm.shop_customer_type(s.shop)),
            HINT = 'Cast customer_id to bigint, uuid or text.';
    END;
    IF crm.base_type(crm.shop_customer_type(s.shop)::regtype) NOT IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN
        EXECUTE format('ALTER TABLE %I.customer_history ADD number bigint GENERATED BY DEFAULT AS IDENTITY UNIQUE', s.shop);
        EXECUTE format('COMMENT ON COLUMN %I.customer_history.number IS %L', s.shop,
                       'The customer''s id in sets of customers. Never given to another one.');
    END IF;
    EXECUTE format($sql$
        CREATE TABLE %1$I.change_queue AS
            SELECT h.customer_id, NULL::timestamptz AS ordered_at, NULL::numeric AS amount, NULL::int AS times,
                   NULL::text AS channel, NULL::bigint AS held_by
            FROM %1$I.customer_history AS h WITH NO DATA;
        CREATE TABLE %1$I.attention (
            noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            reason text NOT NULL,
            detail text
        );
        CREATE TABLE %1$I.scoring (
            only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
            day date,
            as_of timestamptz,
            lookback interval,
            bands crm.rfm_bands,
            churn_model crm.mbgnbd,
            spend_model crm.gamma_gamma,
            map name,
            map_digest text,
            ladder crm.tier_ladder,
            tier_period crm.calendar,
            typical_days double precision,
            typical_since date,
            known_since date,
            is_stale boolean NOT NULL DEFAULT false,
            captured regclass,
            columns_read jsonb
        );
        CREATE TABLE %1$I.segment_label (
            segment text PRIMARY KEY,
            label text NOT NULL,
            label_ja text NOT NULL,
            position int NOT NULL
        );
        CREATE TABLE %1$I.band (
            valid_from date PRIMARY KEY,
            bands crm.rfm_bands NOT NULL
        );
        CREATE TABLE %1$I.model (
            fitted_on date PRIMARY KEY,
            churn crm.mbgnbd,
            spend crm.gamma_gamma,
            note text
        );
        CREATE TABLE %1$I.answer_change AS
            SELECT NULL::date AS day, h.customer_id, h.score AS score_before, h.segment AS segment_before,
                   h.tier AS tier_before, h.score, h.segment, h.tier
            FROM %1$I.customer_history AS h WITH NO DATA;
        ALTER TABLE %1$I.answer_change ADD PRIMARY KEY (customer_id, day);
        CREATE INDEX ON %1$I.answer_change USING brin (day); -- rows come in the order of days
        INSERT INTO %1$I.scoring DEFAULT VALUES;
        INSERT INTO %1$I.attention (reason) VALUES ('the shop is new')
        $sql$, s.shop);
    PERFORM crm.comment_relations(s.shop, 'TABLE', '{
        "customer_history": ["Every customer with a history of orders. The views read it.", {
            "customer_id": "The customer, in the type of the orders.",
            "history": "All purchases and refunds that count.",
            "channel": "Entry channel: that of the first purchase.",
            "score": "Grades of R, F and M as one number, 543; NULL without a purchase yet.",
            "segment": "Segment of the score.",
            "tier": "Tier by the revenue of the span, or of the calendar periods."}],
        "change_queue": ["Changes of orders that no refresh has applied yet. Written by the triggers on the orders.", {
            "customer_id": "The customer.",
            "ordered_at": "Time of the purchase or refund.",
            "amount": "Its amount, negative for a refund.",
            "times": "How many such entries came, or went where it is negative.",
            "channel": "Its channel.",
            "held_by": "The run that could not apply it."}],
        "attention": ["Reasons why the next refresh has to read all orders.", {
            "noted_at": "When it was noted.",
            "reason": "The reason.",
            "detail": "More about it."}],
        "scoring": ["What the scores depend on, besides the histories: one row.", {
            "only_row": "True.",
            "day": "The shop''s day that the answers are for.",
            "as_of": "Its last microsecond.",
            "lookback": "The span of F, M and tier up to as_of, in hours; NULL: the lifetime.",
            "bands": "Cut points in force; NULL where they are to be decided anew.",
            "churn_model": "Model of who is still a customer; NULL without one.",
            "spend_model": "Model of what customers spend; NULL without one.",
            "map": "Map of segments.",
            "map_digest": "Digest of its content.",
            "ladder": "Ladder of tiers, with its labels.",
            "tier_period": "Calendar that tiers go by; NULL: the span.",
            "typical_days": "The shop''s usual days between two purchases: the median of those of its customers; NULL without any.",
            "typical_since": "The day that they were found on; once a month.",
            "known_since": "First day from which changes of answers are noted.",
            "is_stale": "Whether settings have changed since the last scoring.",
            "captured": "The table of orders whose triggers note changes for the shop; NULL with capture by compare.",
            "columns_read": "The columns that this table had at the last refresh, to notice DDL that changes values: see crm.order_columns."}],
        "segment_label": ["Labels of the segments.", {
            "segment": "Name of the segment.",
            "label": "English label.",
            "label_ja": "Japanese label.",
            "position": "Order for display."}],
        "band": ["Quantile cut points by the day they were decided; empty with fixed ones.", {
            "valid_from": "First day they are in force.",
            "bands": "The cut points."}],
        "model": ["Lifetime models by the day they were fitted.", {
            "fitted_on": "First day they are in force.",
            "churn": "MBG/NBD model; NULL where there were too few orders.",
            "spend": "Gamma-Gamma model; NULL where there were too few orders.",
            "note": "Why one is NULL."}],
        "answer_change": ["Changes of score, segment and tier, at most one row a customer and day.", {
            "day": "The shop''s day.",
            "customer_id": "The customer.",
            "score_before": "Score before that day''s refreshes.",
            "segment_before": "Segment before.",
            "tier_before": "Tier before.",
            "score": "Score after them.",
            "segment": "Segment after them; NULL: no customer any more.",
            "tier": "Tier after them."}]}');
    PERFORM crm.make_segment_tables(s);
END $$;

COMMENT ON FUNCTION crm.make_shop_tables(crm.shop) IS 'Makes the tables of a shop. A part of crm.create_shop.';

CREATE FUNCTION crm.comment_relations(shop name, kind text, comments jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation record;
    of_column record;
BEGIN
    FOR relation IN SELECT r.key AS name, r.value ->> 0 AS comment, r.value -> 1 AS columns FROM jsonb_each(comments) AS r LOOP
        EXECUTE format('COMMENT ON %s %I.%I IS %L', kind, shop, relation.name, relation.comment);
        FOR of_column IN SELECT c.key AS name, c.value AS comment FROM jsonb_each_text(relation.columns) AS c LOOP
            EXECUTE format('COMMENT ON COLUMN %I.%I.%I IS %L', shop, relation.name, of_column.name, of_column.comment);
        END LOOP;
    END LOOP;
END $$;

COMMENT ON FUNCTION crm.comment_relations(name, text, jsonb) IS
'Comments on tables or views of a shop and on their columns: {"name": ["comment", {"column": "comment"}]}. A part of crm.create_shop.';
