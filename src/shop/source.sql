-- The orders of a shop as SQL: the same text is read from the whole table, and from the changed rows in a trigger.
-- Everything runs with search_path = pg_catalog, pg_temp, so that nobody can slip in a function or an operator.

CREATE FUNCTION crm.shop_source(s crm.shop) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN s.is_query THEN '(' || s.orders || E'\n)' ELSE s.orders END;

COMMENT ON FUNCTION crm.shop_source(crm.shop) IS 'What a shop reads its orders FROM. A part of crm.create_shop.';

-- On lines of its own, so that a comment at its end hides nothing.
CREATE FUNCTION crm.in_parentheses(expression text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN '(' || expression || E'\n)';

COMMENT ON FUNCTION crm.in_parentheses(text) IS 'An SQL expression in parentheses; NULL for NULL. A part of crm.create_shop.';

CREATE FUNCTION crm.shop_key(s crm.shop) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN s.guest_key IS NULL THEN crm.in_parentheses(s.customer_id)
            ELSE pg_catalog.format('coalesce(%s, %s)', crm.in_parentheses(s.customer_id), crm.in_parentheses(s.guest_key)) END;

COMMENT ON FUNCTION crm.shop_key(crm.shop) IS 'The expression of the customer of an order, guests included. A part of crm.create_shop.';

CREATE FUNCTION crm.shop_time(expression text, source_zone text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN source_zone IS NULL OR expression IS NULL THEN crm.in_parentheses(expression)
            ELSE pg_catalog.format('(%s::timestamp AT TIME ZONE %L)', crm.in_parentheses(expression), source_zone) END;

COMMENT ON FUNCTION crm.shop_time(text, text) IS 'The expression of a time of an order as timestamptz. A part of crm.create_shop.';

CREATE FUNCTION crm.shop_money(expression text, amount_divisor int) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN amount_divisor = 1 OR expression IS NULL THEN crm.in_parentheses(expression)
            ELSE pg_catalog.format('(%s * %s)', crm.in_parentheses(expression), pg_catalog.trim_scale(1::numeric / amount_divisor)) END;

COMMENT ON FUNCTION crm.shop_money(text, int) IS 'The expression of an amount of an order in major units. A part of crm.create_shop.';

CREATE FUNCTION crm.shop_amount(s crm.shop) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN s.refund IS NULL THEN amount
                ELSE pg_catalog.format('(CASE WHEN %s THEN -abs(%s) ELSE %2$s END)', crm.in_parentheses(s.refund), amount) END
    FROM crm.shop_money(s.amount, s.amount_divisor) AS amount;
END;

COMMENT ON FUNCTION crm.shop_amount(crm.shop) IS 'The expression of the amount of an order, refunds negative. A part of crm.create_shop.';

CREATE FUNCTION crm.shop_condition(s crm.shop) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.concat_ws(' AND ', 'true', crm.in_parentheses(s.condition),
                            crm.in_parentheses(s.currency_code) || '::text = ' || pg_catalog.quote_literal(s.currency));

COMMENT ON FUNCTION crm.shop_condition(crm.shop) IS 'The condition of the orders that count. A part of crm.create_shop.';

CREATE FUNCTION crm.shop_entries(s crm.shop) RETURNS text[]
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN s.refund_amount IS NULL THEN ARRAY[ARRAY[ordered_at, crm.shop_amount(s)]]
                ELSE ARRAY[ARRAY[ordered_at, crm.shop_amount(s)],
                           ARRAY[coalesce('coalesce(' || crm.shop_time(s.refunded_at, s.source_zone) || ', ' || ordered_at || ')',
                                          ordered_at),
                                 pg_catalog.format('nullif(-abs(%s), 0)', crm.shop_money(s.refund_amount, s.amount_divisor))]]
           END
    FROM crm.shop_time(s.ordered_at, s.source_zone) AS ordered_at;
END;

COMMENT ON FUNCTION crm.shop_entries(crm.shop) IS
'The expressions of time and amount of what an order says: the purchase, and where the shop has refund_amount the refund, whose amount is NULL without one. A part of crm.create_shop.';

CREATE FUNCTION crm.shop_select(s crm.shop, source text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
        WHEN s.refund_amount IS NULL
        THEN pg_catalog.format('SELECT %s AS customer_id, %s AS ordered_at, %s AS amount%s FROM %s AS o WHERE %s',
                               crm.shop_key(s), entries[1][1], entries[1][2], channel, source, crm.shop_condition(s))
        -- names that no column of the orders has: the settings may name theirs without a table
        ELSE pg_catalog.format('SELECT %s AS customer_id, e.crm_at AS ordered_at, e.crm_amount AS amount%s FROM %s AS o '
                               'CROSS JOIN LATERAL (VALUES (%s, %s), (%s, %s)) AS e (crm_at, crm_amount) '
                               'WHERE %s AND e.crm_amount IS NOT NULL',
                               crm.shop_key(s), channel, source, entries[1][1], entries[1][2], entries[2][1], entries[2][2],
                               crm.shop_condition(s)) END
    FROM crm.shop_entries(s) AS entries,
         coalesce(', ' || crm.in_parentheses(s.channel) || '::text AS channel', '') AS channel;
END;

COMMENT ON FUNCTION crm.shop_select(crm.shop, text) IS
'The query of the entries of a shop that count: customer_id, ordered_at, amount, and channel where the shop has one; read FROM the source given, which has the columns of the shop''s orders. A part of crm.create_shop.';

CREATE FUNCTION crm.capture_queries(s crm.shop, orders regclass) RETURNS text[]
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.array_agg(pg_catalog.format('SELECT %s::%s, %s, %s, %s::text FROM %s AS o WHERE %s',
                                                  crm.shop_key(s), crm.shop_customer_type(s.shop), entries[i][1], entries[i][2],
                                                  coalesce(crm.in_parentheses(s.channel), 'NULL'), orders, crm.shop_condition(s))
                                ORDER BY i)
    FROM crm.shop_entries(s) AS entries, pg_catalog.generate_series(1, pg_catalog.array_length(entries, 1)) AS i;
END;

COMMENT ON FUNCTION crm.capture_queries(crm.shop, regclass) IS
'A query for each entry that an order of this table can be to a shop: customer, time, amount and channel. What crm.capture compiles. A part of crm.create_shop.';

-- Definition: reading what create_shop and alter_shop are given.

CREATE FUNCTION crm.shop_expression(setting text, expression text, source text) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    column_name CONSTANT text := quote_ident(expression);
    state text;
    complaint text;
    advice text;
BEGIN
    IF expression IS NULL THEN
        RETURN NULL;
    END IF;
    IF octet_length(expression) < 64 THEN -- the longest name
        BEGIN
            EXECUTE format('SELECT o.%s FROM %s AS o LIMIT 0', column_name, source);
            RETURN 'o.' || column_name;
        EXCEPTION WHEN undefined_column THEN
            NULL; -- not a column's name: an expression
        END;
    END IF;
    PERFORM crm.check_expression(source, expression);
    RETURN expression;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, complaint = MESSAGE_TEXT, advice = PG_EXCEPTION_HINT;
    RAISE EXCEPTION USING
        ERRCODE = state,
        MESSAGE = format('%s of the shop cannot be read: %s', setting, complaint),
        DETAIL = format('%s is %s', setting, expression),
        HINT = concat_ws(' ', nullif(advice, ''), 'Give the name of a column of the orders, or an SQL expression over '
               'one row of them. It runs with search_path = pg_catalog: write the schema before other names.');
END $$;

COMMENT ON FUNCTION crm.shop_expression(text, text, text) IS
'A setting of a shop as an expression over the orders: the quoted column where there is one of that name. NULL for NULL. Errors: those of reading it. A part of crm.create_shop.';

CREATE FUNCTION crm.reads_row_only(s crm.shop) RETURNS boolean
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT NOT EXISTS (
        SELECT
        FROM pg_catalog.unnest(ARRAY[s.customer_id, s.ordered_at, s.amount, s.condition, s.refund, s.refund_amount, s.refunded_at,
                                     s.guest_key, s.channel, s.currency_code]) AS setting (expression)
        WHERE NOT crm.check_expression(crm.shop_source(s), setting.expression));
END;

COMMENT ON FUNCTION crm.reads_row_only(crm.shop) IS
'Whether the settings of a shop depend on nothing but a row of its orders: what another table says can change without a change of orders. A part of crm.create_shop.';

CREATE FUNCTION crm.shop_type(expression text, source text) RETURNS regtype
    LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_type regtype;
BEGIN
    EXECUTE format(E'SELECT pg_typeof(x.value) FROM (VALUES (1)) AS one '
                   'LEFT JOIN (SELECT (%s\n) AS value FROM %s AS o LIMIT 0) AS x ON true', expression, source)
    INTO found_type;
    RETURN found_type;
END $$;

COMMENT ON FUNCTION crm.shop_type(text, text) IS 'The type of an expression over the orders of a shop. A part of crm.create_shop.';

CREATE FUNCTION crm.shop_histories(s crm.shop) RETURNS text
    LANGUAGE sql
RETURN pg_catalog.format('crm.histories(%L, NULL::%s)',
                         pg_catalog.format('SELECT e.customer_id, e.ordered_at, e.amount FROM (%s) AS e',
                                           crm.shop_select(s, crm.shop_source(s))),
                         crm.shop_type(crm.shop_key(s), crm.shop_source(s)));

COMMENT ON FUNCTION crm.shop_histories(crm.shop) IS
'The FROM item of all histories of a shop, by a pass over its orders. A part of crm.create_shop.';

CREATE FUNCTION crm.shop_orders(orders text, search_path text) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation regclass;
BEGIN
    PERFORM set_config('search_path', search_path, true);
    BEGIN
        relation := pg_catalog.to_regclass(orders);
    EXCEPTION WHEN invalid_name OR syntax_error OR feature_not_supported THEN
        NULL; -- perhaps it wants quotes
    END;
    relation := coalesce(relation, pg_catalog.to_regclass(pg_catalog.quote_ident(orders)));
    SET LOCAL search_path = pg_catalog, pg_temp;
    IF relation IS NULL THEN
        RAISE undefined_table USING
            MESSAGE = format('orders "%s" do not exist', orders),
            HINT = 'Give a table or a view, or a query that begins with SELECT.';
    END IF;
    RETURN relation::text;
END $$;

COMMENT ON FUNCTION crm.shop_orders(text, text) IS
'The name of a table or view with its schema, as the search_path given finds it. Errors: 42P01 where there is none. A part of crm.create_shop.';

CREATE FUNCTION crm.resolve_shop(s crm.shop, search_path text) RETURNS crm.shop
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
DECLARE
    setting record;
    source text;
    found_type regtype;
BEGIN
    SELECT * INTO setting
    FROM (VALUES ('name', s.shop::text), ('orders', s.orders), ('customer_id', s.customer_id),
                 ('ordered_at', s.ordered_at), ('amount', s.amount), ('amount_divisor', s.amount_divisor::text),
                 ('zone', s.zone), ('map', s.map::text), ('repeat_within', s.repeat_within::text), ('yearly_discount', s.yearly_discount::text),
                 ('batch_rows', s.batch_rows::text)) AS v (name, value)
    WHERE v.value IS NULL OR btrim(v.value) = ''
    LIMIT 1;
    IF FOUND THEN
        RAISE null_value_not_allowed USING MESSAGE = format('%s of a shop must not be NULL or empty', setting.name);
    END IF;

    s.is_query := s.orders ~* '^(\s|--[^\n]*(\n|$)|/\*([^*]|\*+[^*/])*\*+/)*(\(|(select|with|values|table)\M)'; -- after comments
    s.orders := CASE WHEN s.is_query THEN s.orders ELSE crm.shop_orders(s.orders, search_path) END;
    source := crm.shop_source(s);
    BEGIN
        EXECUTE format('SELECT FROM %s AS o LIMIT 0', source);
    EXCEPTION WHEN syntax_error OR undefined_table OR undefined_column OR undefined_function THEN
        RAISE EXCEPTION USING
            ERRCODE = SQLSTATE,
            MESSAGE = format('orders of the shop cannot be read: %s', SQLERRM),
            HINT = 'Give a table, a view or one SELECT. It runs with search_path = pg_catalog: '
                   'write the schema before the names of tables and functions.';
    END;

    s.customer_id := crm.shop_expression('customer_id', s.customer_id, source);
    s.ordered_at := crm.shop_expression('ordered_at', s.ordered_at, source);
    s.amount := crm.shop_expression('amount', s.amount, source);
    s.condition := crm.shop_expression('condition', s.condition, source);
    s.refund := crm.shop_expression('refund', s.refund, source);
    s.refund_amount := crm.shop_expression('refund_amount', s.refund_amount, source);
    s.refunded_at := crm.shop_expression('refunded_at', s.refunded_at, source);
    s.guest_key := crm.shop_expression('guest_key', s.guest_key, source);
    s.channel := crm.shop_expression('channel', s.channel, source);
    s.currency_code := crm.shop_expression('currency_code', s.currency_code, source);

    FOR setting IN
        SELECT v.name, v.expression, crm.shop_type(v.expression, source) AS type, v.types, v.hint
        FROM (VALUES
                ('amount', s.amount, ARRAY['numeric', 'bigint', 'integer', 'smallint']::regtype[],
                 'Cast it: round(total::numeric, 2).'),
                ('refund_amount', s.refund_amount, '{numeric,bigint,integer,smallint}',
                 'Cast it: round(refunded::numeric, 2).'),
                ('ordered_at', s.ordered_at, '{timestamptz,timestamp,date}', 'Make it a timestamptz: to_timestamp(created).'),
                ('refunded_at', s.refunded_at, '{timestamptz,timestamp,date}', 'Make it a timestamptz: to_timestamp(created).'),
                ('condition', s.condition, '{boolean}', 'Give a condition: status = ''paid''.'),
                ('refund', s.refund, '{boolean}', 'Give a condition: kind = ''refund''.'))
             AS v (name, expression, types, hint)
        WHERE v.expression IS NOT NULL
    LOOP
        found_type := crm.base_type(setting.type);
        IF found_type <> ALL (setting.types) THEN
            RAISE datatype_mismatch USING
                MESSAGE = format('%s of the shop must be %s', setting.name, array_to_string(setting.types, ' or ')),
                DETAIL = format('%s is %s.', setting.expression, setting.type),
                HINT = setting.hint;
        ELSIF found_type = 'timestamptz'::regtype AND s.source_zone IS NOT NULL THEN
            RAISE invalid_parameter_value USING
                MESSAGE = format('%s of the shop knows its time zone, so source_zone must be NULL', setting.name),
                HINT = 'zone is the time zone of the shop''s days.';
        ELSIF found_type IN ('timestamp'::regtype, 'date'::regtype) AND s.source_zone IS NULL THEN
            RAISE datatype_mismatch USING
                MESSAGE = format('%s of the shop has no time zone', setting.name),
                DETAIL = format('%s is %s.', setting.expression, setting.type),
                HINT = 'Say which it was written in: source_zone => ''UTC'', or ''Asia/Tokyo''.';
        END IF;
    END LOOP;

    IF crm.base_type(crm.shop_type(s.customer_id, source)) <> crm.base_type(crm.shop_type(s.guest_key, source)) THEN
        s.customer_id := format(E'(%s\n)::text', s.customer_id);
        s.guest_key := format(E'(%s\n)::text', s.guest_key);
    END IF;
    IF s.refunded_at IS NOT NULL AND s.refund_amount IS NULL THEN
        RAISE invalid_parameter_value USING MESSAGE = 'refunded_at says when refund_amount was paid back, which is missing';
    ELSIF s.currency IS NOT NULL AND s.currency_code IS NULL THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'currency needs currency_code, the column that says the currency of an order',
            HINT = 'Leave both out where all orders have the same currency.';
    ELSIF s.batch_rows <= 0 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'batch_rows must be positive', DETAIL = format('It is %s.', s.batch_rows);
    ELSIF s.amount_divisor NOT IN (1, 10, 100, 1000, 10000, 100000, 1000000) THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'amount_divisor must be 1, 10, 100 … or 1000000', DETAIL = format('It is %s.', s.amount_divisor);
    END IF;
    PERFORM crm.calendar('day', s.zone), crm.calendar('day', s.source_zone);
    PERFORM FROM crm.repeat_rows((SELECT crm.repeats('[["2000-01-01T00:00:00Z",1]]'::crm.history, '2000-01-02')),
                                 s.repeat_within);
    PERFORM crm.check_shop_scoring(s);
    IF s.capture = 'triggers' AND NOT (crm.can_capture(s) AND crm.reads_row_only(s)) THEN
        RAISE feature_not_supported USING
            MESSAGE = 'triggers cannot notice every change of these orders',
            DETAIL = CASE WHEN s.is_query THEN 'They are a query.'
                          WHEN NOT crm.reads_row_only(s) THEN 'A setting reads other tables than the orders, or their system columns.'
                          ELSE format('%s is a view, a foreign or unlogged table, or part of a partitioned or inherited table.', s.orders) END,
            HINT = 'Say capture => ''compare'', or leave it out.';
    END IF;
    s.currency := coalesce(s.currency, crm.only_currency(s));
    s.capture := coalesce(s.capture, CASE WHEN crm.can_capture(s) AND crm.reads_row_only(s) THEN 'triggers' ELSE 'compare' END::crm.shop_capture);
    RETURN s;
END $$;

COMMENT ON FUNCTION crm.resolve_shop(crm.shop, text) IS
'Settings of a shop checked and completed: orders with their schema, names of columns made expressions. Errors: 22004 missing settings, 22023 settings that contradict each other, 42804 wrong types, 0A000 triggers that are not possible, and those of reading the expressions. A part of crm.create_shop.';

CREATE FUNCTION crm.check_shop_scoring(s crm.shop) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sample CONSTANT crm.history := '[["2000-01-01T00:00:00Z",1]]';
    map_grades CONSTANT int := (crm.find_rfm_map(s.map)).grades;
    own_grades int := s.grades;
BEGIN
    PERFORM crm.rfm(sample, '2000-01-02', s.span);
    PERFORM crm.clv(sample, crm.mbgnbd(1, 1, 1, 1, 'week UTC'), crm.gamma_gamma(2, 2, 2, 'week UTC'), '2000-01-02',
                    coalesce(s.horizon, interval '1 year'), s.yearly_discount);
    IF num_nonnulls(s.bands, s.grades) <> 1 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'bands and grades exclude each other',
            HINT = 'Give bands for fixed cut points, or grades for quantiles that are reviewed each quarter.';
    ELSIF s.bands IS NOT NULL THEN
        PERFORM crm.rfm_grade(crm.rfm(sample, '2000-01-02', NULL), s.bands);
        own_grades := cardinality((s.bands).recency) + 1;
    ELSE
        PERFORM crm.rfm_quantiles(crm.rfm(sample, '2000-01-02', NULL), s.grades);
    END IF;
    IF own_grades <> map_grades THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('map "%s" is made for %s grades', s.map, map_grades),
            DETAIL = format('The shop has %s grades.', own_grades),
            HINT = 'Give bands or grades that fit the map, or another map.';
    ELSIF s.answers_kept < interval '0' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'answers_kept must not be negative', HINT = 'NULL keeps none.';
    END IF;
    PERFORM crm.tier(0, s.tiers);
    IF s.tier_period IS NOT NULL AND s.tiers IS NULL THEN
        RAISE invalid_parameter_value USING MESSAGE = 'tier_period needs tiers', HINT = 'tiers => crm.tier_ladder() is the published ladder.';
    END IF;
    PERFORM crm.calendar(s.tier_period, s.zone);
END $$;

COMMENT ON FUNCTION crm.check_shop_scoring(crm.shop) IS
'Checks the settings of a shop that scores depend on. Errors: 22023, 22004 or 22P02, and 42704 for an unknown map. A part of crm.create_shop.';

