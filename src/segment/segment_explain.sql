-- why a customer is in a segment of a shop, or is not

CREATE FUNCTION crm.explain_membership(shop name, segment text, customer text)
    RETURNS TABLE(part int, depth int, expression text, holds boolean, values_now text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = off
    SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET standard_conforming_strings = on
AS $$
DECLARE
    s CONSTANT crm.shop := crm.find_own_shop(shop);
    definition CONSTANT crm.segment := crm.find_segment(s.shop, segment);
    rows CONSTANT text := format('(SELECT c.* FROM %I.customer_row AS c WHERE c.customer_id %s $1::%s LIMIT 1)', s.shop,
                                 crm.shop_equality(s.shop), crm.shop_customer_type(s.shop));
    condition text;
    of_condition record;
BEGIN
    PERFORM set_config('timezone', s.zone, true);
    EXECUTE format('SELECT d.condition FROM %I.segment_definition AS d WHERE d.segment = $1 AND d.ended_at IS NULL', s.shop)
    INTO condition USING segment;
    IF condition IS NULL THEN
        RETURN QUERY EXECUTE format($sql$
            SELECT 1 + u.n::int, CASE u.n WHEN 0 THEN 0 ELSE 1 END, CASE u.n WHEN 0 THEN $2::text || ' of' ELSE u.segment END,
                   coalesce(crm.contains(o.members, $1), false), NULL::text
            FROM unnest($3 || $4) WITH ORDINALITY AS p (segment, place)
                 CROSS JOIN LATERAL (SELECT p.segment, p.place - 1 AS n) AS u
                 LEFT JOIN %I.segment_set AS o ON o.segment = u.segment
            ORDER BY u.n
            $sql$, s.shop)
        USING crm.member_of(s.shop, customer), definition.operation, ARRAY[segment], definition.parts;
        RETURN;
    END IF;
    FOR of_condition IN
        WITH RECURSIVE parts AS MATERIALIZED (
            SELECT * FROM crm.condition_parts(format('%I.customer_row', s.shop)::regclass, condition)
        ), tree AS (
            SELECT p.*, 0 AS depth FROM parts AS p WHERE p.parent IS NULL
            UNION ALL
            SELECT p.*, t.depth + 1 FROM tree AS t JOIN parts AS p ON p.parent = t.part
        )
        SELECT * FROM tree AS t ORDER BY t.part
    LOOP
        part := of_condition.part;
        depth := of_condition.depth;
        expression := of_condition.expression;
        EXECUTE format('SELECT %s FROM %s AS customer',
                       coalesce((SELECT string_agg(format('%L || coalesce(customer.%I::text, ''NULL'')', c || ' = ', c), ' || '', '' || ')
                                 FROM unnest(of_condition.columns) AS c WHERE c <> 'history'), 'NULL'), rows)
        INTO values_now USING customer;
        BEGIN -- another part may have kept this one from being evaluated at all
            EXECUTE format(E'SELECT (%s\n) FROM %s AS customer', of_condition.expression, rows) INTO holds USING customer;
        EXCEPTION
        WHEN insufficient_resources OR operator_intervention OR system_error THEN
            RAISE;
        WHEN OTHERS THEN
            holds := NULL;
            values_now := concat_ws('; ', values_now, 'error: ' || SQLERRM);
        END;
        RETURN NEXT;
    END LOOP;
END $$;

CREATE FUNCTION crm.explain_membership(shop name, segment text, customer anyelement)
    RETURNS TABLE(part int, depth int, expression text, holds boolean, values_now text)
    LANGUAGE sql STABLE
AS $$
    SELECT * FROM crm.explain_membership(shop, segment, customer::pg_catalog.text)
$$;

COMMENT ON FUNCTION crm.explain_membership(name, text, text) IS
'Which part of the condition of a shop''s segment holds for a customer, with the values it reads, as they are now: one row for the whole condition and for each part of AND, OR and NOT, with its depth; holds is NULL where it is unknown because a value is NULL, where there is no such customer, and where the part fails by itself: values_now ends with the error then. Of a set of segments: one row for it and for each of its parts, with whether the customer was in it at the last refresh. It runs the condition, so only the owner of the shop may ask. Errors: 42704 no such shop or segment, 42501 not the owner itself, and those of reading the customer.';
COMMENT ON FUNCTION crm.explain_membership(name, text, anyelement) IS 'The same for customers of any type.';
