-- defining segments of a shop

CREATE FUNCTION crm.define_segment(
    shop name, segment text, condition text, label text DEFAULT NULL, label_ja text DEFAULT NULL, family text DEFAULT NULL)
    RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    s CONSTANT crm.shop := crm.find_own_shop(shop);
BEGIN
    IF btrim(condition) = '' OR condition IS NULL THEN
        RAISE null_value_not_allowed USING
            MESSAGE = 'condition of a segment must not be NULL or empty',
            HINT = 'Give a condition on the columns of customer: ''orders = 1 AND recency_days BETWEEN 30 AND 45''.';
    END IF;
    RETURN crm.put_segment(s, segment, label, label_ja, family, condition, NULL, NULL, crm.check_segment_condition(s, condition));
END $$;

COMMENT ON FUNCTION crm.define_segment(name, text, text, text, text, text) IS
'Defines a segment of a shop, or gives it another definition: the customers whose row of customer makes the condition true. The condition may also read history, the purchases by as_of, call functions that are not volatile, and read other tables in subqueries; it runs with search_path = pg_catalog and the shop''s time zone. label and label_ja: its names for people, by default that of the segment; family: segments of one family shall exclude each other, see crm.check_segment_family. Evaluated at once and by every refresh, with the rights of the owner of the shop. Another condition makes a new version, whose moves write no events; the past stays. Returns how many customers are in it, NULL while the shop was never refreshed. Errors: 42704 no such shop, 42501 not the owner itself, or no right to read a table, 55006 a refresh is under way, 22004 no name or condition; with the position in the condition: 42601 not one expression, 42703 no such column, 42804 not boolean, 42803 an aggregate, 42P20 a window function, 0A000 a set-returning or volatile function, TABLESAMPLE, or a function of the current time; and what evaluating it raises.';

-- With the settings it will be evaluated with.
CREATE FUNCTION crm.check_segment_condition(s crm.shop, condition text) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off
    SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET standard_conforming_strings = on
AS $$
BEGIN
    PERFORM set_config('timezone', s.zone, true);
    RETURN crm.check_condition(format('%I.customer_row', s.shop)::regclass, condition);
END $$;

COMMENT ON FUNCTION crm.check_segment_condition(crm.shop, text) IS
'Checks the condition of a segment of a shop; whether it reads nothing but the customer''s row. A part of crm.define_segment. Errors: see there.';

CREATE FUNCTION crm.define_segment_set(
    shop name, segment text, operation crm.set_operation, parts text[],
    label text DEFAULT NULL, label_ja text DEFAULT NULL, family text DEFAULT NULL)
    RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    s CONSTANT crm.shop := crm.find_own_shop(shop);
    part text;
    path text[];
BEGIN
    IF operation IS NULL OR parts IS NULL OR EXISTS (SELECT FROM unnest(parts) AS p WHERE p IS NULL) THEN
        RAISE null_value_not_allowed USING MESSAGE = 'operation and parts of a set of segments must not be NULL';
    ELSIF cardinality(parts) < 2 OR array_ndims(parts) > 1 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'a set of segments needs at least two parts',
            DETAIL = format('parts is %s.', parts),
            HINT = format('SELECT crm.define_segment_set(%L, ''both'', ''intersection'', ''{one,another}'');', s.shop);
    END IF;
    FOREACH part IN ARRAY parts LOOP
        PERFORM crm.find_segment(s.shop, part);
    END LOOP;
    EXECUTE format($sql$
        WITH RECURSIVE path AS (
            SELECT p AS segment, ARRAY[p] AS places FROM unnest($2) AS p
            UNION ALL
            SELECT q, h.places || q
            FROM path AS h
                 JOIN %I.segment_definition AS d ON d.segment = h.segment AND d.ended_at IS NULL AND d.segment <> $1
                 CROSS JOIN unnest(d.parts) AS q
        )
        SELECT h.places FROM path AS h WHERE h.segment = $1 LIMIT 1
        $sql$, s.shop) INTO path USING segment, parts;
    IF path IS NOT NULL THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('segment "%s" cannot be made of itself', segment),
            DETAIL = format('It would be: "%s".', array_to_string(segment || path, '" of "'));
    END IF;
    RETURN crm.put_segment(s, segment, label, label_ja, family, NULL, operation, parts, false);
END $$;

COMMENT ON FUNCTION crm.define_segment_set(name, text, crm.set_operation, text[], text, text, text) IS
'Defines a segment of a shop, or gives it another definition, as crm.define_segment does, by two or more other segments, its parts: customers in any of them (union), in all of them (intersection), or in the first and in none of the others (difference). It follows its parts. Errors: 42704 no such shop or part, 42501 not the owner itself, 55006 a refresh is under way, 22004 something is NULL, 22023 fewer than two parts, or it would be made of itself.';

CREATE FUNCTION crm.put_segment(
    s crm.shop, segment text, label text, label_ja text, family text, condition text, operation crm.set_operation, parts text[],
    reads_row_only boolean)
    RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_same boolean;
    is_new boolean;
    customers bigint;
BEGIN
    IF btrim(segment) = '' OR segment IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'name of a segment must not be NULL or empty';
    END IF;
    PERFORM crm.lock_shop(s.shop);
    EXECUTE format('UPDATE %I.segment_definition AS d SET label = $2, label_ja = $3, family = $4 WHERE d.segment = $1 '
                   'AND d.ended_at IS NULL AND (d.condition, d.operation, d.parts) IS NOT DISTINCT FROM ($5, $6, $7) '
                   'RETURNING true', s.shop)
    INTO is_same
    USING segment, coalesce(label, segment), coalesce(label_ja, label, segment), family, condition, operation, parts;
    IF is_same IS NULL THEN
        EXECUTE format('UPDATE %I.segment_definition AS d SET ended_at = now() WHERE d.segment = $1 AND d.ended_at IS NULL', s.shop)
        USING segment;
        EXECUTE format($sql$
            INSERT INTO %1$I.segment_definition (segment, version, label, label_ja, family, condition, operation, parts, reads_row_only)
            SELECT $1, coalesce(max(d.version), 0) + 1, $2, $3, $4, $5, $6, $7, $8
            FROM %1$I.segment_definition AS d
            WHERE d.segment = $1
            $sql$, s.shop)
        USING segment, coalesce(label, segment), coalesce(label_ja, label, segment), family, condition, operation, parts,
              reads_row_only;
    END IF;
    EXECUTE format('SELECT day IS NULL FROM %I.scoring', s.shop) INTO STRICT is_new;
    IF is_new THEN
        RETURN NULL; -- by the first refresh
    ELSIF is_same IS NULL THEN
        IF condition IS NOT NULL THEN
            PERFORM crm.evaluate_conditions(s, NULL, ARRAY[segment], false);
        END IF;
        PERFORM crm.evaluate_sets(s, NULL);
    END IF;
    EXECUTE format('SELECT crm.cardinality(o.members) FROM %I.segment_set AS o WHERE o.segment = $1', s.shop)
    INTO customers USING segment;
    RETURN customers;
END $$;

COMMENT ON FUNCTION crm.put_segment(crm.shop, text, text, text, text, text, crm.set_operation, text[], boolean) IS
'Stores a checked definition of a segment of a shop and evaluates it and what is made of it; how many customers are in it. A part of crm.define_segment.';

CREATE FUNCTION crm.drop_segment(shop name, segment text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    s CONSTANT crm.shop := crm.find_own_shop(shop);
    users text;
BEGIN
    PERFORM crm.find_segment(s.shop, segment);
    PERFORM crm.lock_shop(s.shop);
    EXECUTE format('SELECT string_agg(d.segment, '', '' ORDER BY d.segment) FROM %I.segment_definition AS d '
                   'WHERE d.ended_at IS NULL AND $1 = ANY (d.parts)', s.shop)
    INTO users USING segment;
    IF users IS NOT NULL THEN
        RAISE dependent_objects_still_exist USING
            MESSAGE = format('segment "%s" cannot be dropped because other segments are made of it', segment),
            DETAIL = format('They are: %s.', users),
            HINT = 'Drop these, or define them without it, before.';
    END IF;
    EXECUTE format('UPDATE %I.segment_definition AS d SET ended_at = now() WHERE d.segment = $1 AND d.ended_at IS NULL', s.shop)
    USING segment;
    PERFORM crm.store_members(s, NULL, format('SELECT o.segment, o.version, ''{}''::crm.idset AS members, NULL::crm.idset AS looked_at '
                                              'FROM %I.segment_set AS o WHERE o.segment = %L', s.shop, segment));
END $$;

COMMENT ON FUNCTION crm.drop_segment(name, text) IS
'Drops a segment of a shop. Whom it had on earlier days can be asked for as long as the shop keeps answers. Errors: 42704 no such shop or segment, 42501 not the owner itself, 55006 a refresh is under way, 2BP01 another segment is made of it.';
