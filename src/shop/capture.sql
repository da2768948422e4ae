-- Noticing changes: statement-level triggers that append signed changes to the shop's queue, in the same transaction.

CREATE FUNCTION crm.can_capture(s crm.shop) RETURNS boolean
    LANGUAGE sql STABLE
BEGIN ATOMIC
    -- Statements on a parent pass a child's triggers by, and the other way round.
    SELECT NOT s.is_query AND EXISTS (
        SELECT FROM pg_catalog.pg_class AS c
        WHERE c.oid = pg_catalog.to_regclass(s.orders) AND c.relkind = 'r' AND c.relpersistence <> 't'
              AND NOT c.relispartition
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE c.oid IN (i.inhrelid, i.inhparent)));
END;

COMMENT ON FUNCTION crm.can_capture(crm.shop) IS
'Whether triggers notice every change of a shop''s orders: those of a plain table without partitions or inheritance. A part of crm.create_shop.';

CREATE FUNCTION crm.captured_table(shop name) RETURNS regclass
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT min(t.tgrelid)::pg_catalog.regclass
    FROM pg_catalog.pg_trigger AS t
         JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
         JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = captured_table.shop AND p.proname IN ('capture_insert', 'capture_update', 'capture_delete', 'capture_truncate')
          AND t.tgenabled IN ('O', 'A')
    HAVING count(*) = 4 AND count(DISTINCT t.tgrelid) = 1;
END;

COMMENT ON FUNCTION crm.captured_table(name) IS
'The table whose changes a shop notices; NULL where a trigger is missing or disabled. A part of crm.create_shop.';

-- The functions belong to the owner of the shop and run with the owner's rights: whoever writes orders needs none on the
-- shop. They evaluate the expressions late, so that the platform may change its table at any time; what goes wrong
-- then is noted for the next refresh, and the platform's own statement goes through.
CREATE FUNCTION crm.make_capture(s crm.shop) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $make$
DECLARE
    columns CONSTANT text := concat_ws(', ', 'customer_id', 'ordered_at', 'amount',
                                       CASE WHEN s.channel IS NOT NULL THEN 'channel' END);
    usable CONSTANT text := 'customer_id IS NOT NULL AND ordered_at IS NOT NULL AND amount IS NOT NULL';
    new_entries CONSTANT text := format('(%s)', crm.shop_select(s, 'new_rows'));
    old_entries CONSTANT text := format('(%s)', crm.shop_select(s, 'old_rows'));
    event record;
BEGIN
    PERFORM crm.drop_capture(s.shop);
    FOR event IN
        SELECT v.name, v.transition, v.change
        FROM (VALUES
            ('insert', 'REFERENCING NEW TABLE AS new_rows',
             format('INSERT INTO %I.change_queue (%s, times) SELECT %2$s, 1 FROM %3$s AS e WHERE %4$s',
                    s.shop, columns, new_entries, usable)),
            ('delete', 'REFERENCING OLD TABLE AS old_rows',
             format('INSERT INTO %I.change_queue (%s, times) SELECT %2$s, -1 FROM %3$s AS e WHERE %4$s',
                    s.shop, columns, old_entries, usable)),
            ('update', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows',
             format('INSERT INTO %I.change_queue (%s, times) SELECT %2$s, sum(times) FROM '
                    '(SELECT e.*, 1 AS times FROM %3$s AS e UNION ALL SELECT e.*, -1 FROM %4$s AS e) AS both_sides '
                    'WHERE %5$s GROUP BY %2$s HAVING sum(times) <> 0',
                    s.shop, columns, new_entries, old_entries, usable)),
            ('truncate', '',
             format('INSERT INTO %I.attention (reason) VALUES (''orders were truncated'')', s.shop)))
             AS v (name, transition, change)
    LOOP
        EXECUTE format($function$
            CREATE FUNCTION %1$I.capture_%2$s() RETURNS trigger
                LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
                SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' -- as crm.run_step
                SET standard_conforming_strings = on
            AS %3$L
            $function$,
            s.shop, event.name,
            format($body$
#variable_conflict use_column
BEGIN
    %s;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    BEGIN
        INSERT INTO %I.attention (reason, detail) VALUES ('changes of orders could not be noted', SQLERRM);
    EXCEPTION WHEN undefined_table THEN
        NULL; -- dropped by hand: the next refresh says so
    END;
    RETURN NULL;
END $body$, event.change, s.shop));
        EXECUTE format('REVOKE ALL ON FUNCTION %I.capture_%s() FROM PUBLIC', s.shop, event.name);
        -- After DROP EXTENSION … CASCADE nothing shall go on noting.
        EXECUTE format('ALTER FUNCTION %I.capture_%s() DEPENDS ON EXTENSION pg_crm', s.shop, event.name);
        EXECUTE format('COMMENT ON FUNCTION %I.capture_%s() IS %L', s.shop, event.name,
                       format('Notes each %s of orders for the next refresh of the shop.', event.name));
        EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION %I.capture_%2$s()',
                       format('crm_%s_%s', event.name, CASE WHEN octet_length(s.shop) <= 50 THEN s.shop::text ELSE md5(s.shop) END), event.name, s.orders, event.transition, s.shop);
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE insufficient_privilege USING
        MESSAGE = format('changes of %s cannot be noticed: %s', s.orders, SQLERRM),
        HINT = format('GRANT TRIGGER ON %s TO %I; or say capture => ''compare''.', s.orders, current_user);
WHEN feature_not_supported OR internal_error THEN
    -- A distributed table of Citus looks like any other, and refuses triggers without an SQLSTATE.
    RAISE feature_not_supported USING
        MESSAGE = format('changes of %s cannot be noticed: %s', s.orders, SQLERRM),
        HINT = 'Say capture => ''compare''.';
END $make$;

COMMENT ON FUNCTION crm.make_capture(crm.shop) IS
'Makes the triggers of a shop on its orders anew. Waits for transactions that are writing orders. Errors: 42501 without the right TRIGGER, 0A000 for a table that refuses triggers. A part of crm.create_shop.';

CREATE FUNCTION crm.drop_capture(shop name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
DECLARE
    event text;
BEGIN
    FOREACH event IN ARRAY '{insert,update,delete,truncate}'::text[] LOOP
        -- CASCADE reaches the trigger, also on a table of another owner.
        EXECUTE format('DROP FUNCTION IF EXISTS %I.capture_%s() CASCADE', shop, event);
    END LOOP;
END $$;

COMMENT ON FUNCTION crm.drop_capture(name) IS 'Removes the triggers of a shop from its orders. A part of crm.create_shop.';

CREATE FUNCTION crm.check_capture(s crm.shop) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    captured CONSTANT regclass := crm.captured_table(s.shop);
    named CONSTANT regclass := CASE WHEN NOT s.is_query THEN to_regclass(s.orders) END;
    happened text;
BEGIN
    IF s.is_query OR named IS NOT NULL AND s.capture = 'compare' THEN
        RETURN NULL;
    ELSIF captured = named AND crm.can_capture(s) THEN
        RETURN NULL;
    ELSIF named IS NULL AND captured IS NULL THEN
        RAISE undefined_table USING
            MESSAGE = format('orders "%s" of shop "%s" do not exist any more', s.orders, s.shop),
            HINT = format('SELECT crm.alter_shop(%L, orders => …) names others, SELECT crm.drop_shop(%1$L) drops the shop.', s.shop);
    ELSIF named IS NULL THEN
        happened := format('orders were renamed from %s to %s', s.orders, captured);
        UPDATE crm.own_shop AS o SET orders = captured::text WHERE o.shop = s.shop;
        RETURN happened;
    ELSIF NOT crm.can_capture(s) THEN
        RAISE feature_not_supported USING
            MESSAGE = format('triggers cannot notice every change of orders "%s" any more', s.orders),
            DETAIL = 'It is a view, a foreign table, or part of a partitioned or inherited table now.',
            HINT = format('SELECT crm.alter_shop(%L, capture => ''compare'');', s.shop);
    END IF;
    happened := format('triggers on %s were missing and were made again', s.orders);
    PERFORM crm.make_capture(s);
    EXECUTE format('INSERT INTO %I.attention (reason) VALUES ($1)', s.shop) USING happened;
    RETURN happened;
END $$;

COMMENT ON FUNCTION crm.check_capture(crm.shop) IS
'Sees to it that changes of a shop''s orders are noticed: follows a renamed table, and makes triggers again that are missing on the table of that name, which asks for a rebuild. Returns what it did, NULL for nothing. Errors: 42P01 no such orders any more, 0A000 they became something without triggers. A part of crm.create_shop.';
