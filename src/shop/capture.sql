-- Noticing changes: statement-level triggers that append signed changes to the shop's queue, in the same transaction.
-- They find out late what to do, so that the platform may change its table at any time.

CREATE FUNCTION crm.can_capture(s crm.shop) RETURNS boolean
    LANGUAGE sql STABLE
BEGIN ATOMIC
    -- Statements on a parent pass a child's triggers by, and the other way round.
    SELECT NOT s.is_query AND EXISTS (
        SELECT FROM pg_catalog.pg_class AS c
        WHERE c.oid = pg_catalog.to_regclass(s.orders) AND c.relkind = 'r'
              AND c.relpersistence = 'p' -- an unlogged table is empty after a crash
              AND NOT c.relispartition
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE c.oid IN (i.inhrelid, i.inhparent)));
END;

COMMENT ON FUNCTION crm.can_capture(crm.shop) IS
'Whether triggers notice every change of a shop''s orders: those of a plain, logged table without partitions or inheritance. A part of crm.create_shop.';

CREATE FUNCTION crm.capture() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'crm_capture';

COMMENT ON FUNCTION crm.capture() IS
'Trigger on the orders of a shop, named by its argument, that notes the changes of a statement for the next refresh. Whoever writes orders needs no rights on the shop: settings that could raise errors are evaluated with those of its owner. Never makes a statement fail for what the orders hold, or for how their table was changed: it asks for a pass over all orders then. On other tables it does nothing. A part of crm.create_shop.';

CREATE FUNCTION crm.capture_triggers(shop name) RETURNS TABLE(orders regclass, trigger name, event smallint, enabled boolean, version text)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT t.tgrelid::pg_catalog.regclass, t.tgname, t.tgtype, t.tgenabled IN ('O', 'A'), t.xmin::text
    FROM pg_catalog.pg_trigger AS t
    WHERE t.tgfoid = 'crm.capture'::pg_catalog.regproc
          AND t.tgargs = pg_catalog.convert_to(capture_triggers.shop::text, pg_catalog.getdatabaseencoding()) || E'\\x00';
END;

COMMENT ON FUNCTION crm.capture_triggers(name) IS 'The triggers that name a shop, with the version of their rows in the catalog. A part of crm.create_shop.';

CREATE FUNCTION crm.captured_table(shop name) RETURNS regclass
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    captured regclass;
BEGIN
    EXECUTE format('SELECT c.captured FROM %I.scoring AS c '
                   'WHERE (SELECT count(*) = 4 AND count(DISTINCT t.event) = 4 FROM crm.capture_triggers($1) AS t '
                   '       WHERE t.orders = c.captured AND t.enabled)', shop)
    INTO captured USING shop;
    RETURN captured;
END $$;

COMMENT ON FUNCTION crm.captured_table(name) IS
'The table whose changes a shop notices; NULL where a trigger is missing, disabled or there twice. A part of crm.create_shop.';

CREATE FUNCTION crm.make_capture(s crm.shop) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
DECLARE
    label CONSTANT text := CASE WHEN octet_length(s.shop) <= 50 THEN s.shop::text ELSE md5(s.shop) END;
    named CONSTANT regclass := s.orders::regclass;
    events CONSTANT jsonb := jsonb_build_object(
        'crm_insert_' || label, 'INSERT ON %s REFERENCING NEW TABLE AS new_rows',
        'crm_update_' || label, 'UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows',
        'crm_delete_' || label, 'DELETE ON %s REFERENCING OLD TABLE AS old_rows',
        'crm_truncate_' || label, 'TRUNCATE ON %s');
    before record;
    made record;
BEGIN
    EXECUTE format('SELECT c.captured, crm.captured_table($1) IS NOT DISTINCT FROM c.captured AS is_whole, '
                   'crm.were_columns_changed(c.columns_read, crm.order_columns($1, c.captured)) AS is_changed FROM %I.scoring AS c', s.shop)
    INTO STRICT before USING s.shop;
    IF NOT before.is_whole THEN -- which is not to be seen any more afterwards
        EXECUTE format('INSERT INTO %I.attention (reason) VALUES ($1)', s.shop)
        USING format('triggers on %s were missing and were made again', before.captured);
    END IF;
    PERFORM crm.drop_capture_trigger(s.shop, t.orders, t.trigger)
    FROM crm.capture_triggers(s.shop) AS t
    WHERE t.orders <> named OR NOT events ? t.trigger::text;
    -- Replaces none but its own: others may have such a name.
    FOR made IN
        SELECT e.key AS name, e.value AS event, t.trigger IS NOT NULL AS is_there
        FROM jsonb_each_text(events) AS e LEFT JOIN crm.capture_triggers(s.shop) AS t ON t.trigger = e.key
    LOOP
        EXECUTE format('CREATE %s TRIGGER %I AFTER %s FOR EACH STATEMENT EXECUTE FUNCTION crm.capture(%L)',
                       CASE WHEN made.is_there THEN 'OR REPLACE' END, made.name, format(made.event, s.orders), s.shop);
    END LOOP;
    EXECUTE format('UPDATE %I.scoring SET captured = $1, '
                   'columns_read = CASE WHEN $2 THEN crm.order_columns($3, $1) ELSE columns_read END', s.shop)
    USING named, before.is_whole AND NOT before.is_changed AND before.captured = named, s.shop;
EXCEPTION WHEN duplicate_object THEN
    RAISE duplicate_object USING
        MESSAGE = format('changes of %s cannot be noticed: %s', s.orders, SQLERRM),
        HINT = format('That trigger is not of shop "%s". Rename it, give the shop another name, or say capture => ''compare''.', s.shop);
WHEN insufficient_privilege THEN
    RAISE insufficient_privilege USING
        MESSAGE = format('changes of %s cannot be noticed: %s', s.orders, SQLERRM),
        HINT = format('GRANT TRIGGER ON %s TO %I; or say capture => ''compare''.', s.orders, current_user);
WHEN feature_not_supported OR internal_error THEN
    -- A distributed table of Citus looks like any other, and refuses triggers without an SQLSTATE.
    RAISE feature_not_supported USING
        MESSAGE = format('changes of %s cannot be noticed: %s', s.orders, SQLERRM),
        HINT = 'Say capture => ''compare''.';
END $$;

COMMENT ON FUNCTION crm.make_capture(crm.shop) IS
'Makes the triggers of a shop on its orders, or makes them read its settings anew, and drops others that it had. Where some were missing, the next refresh reads all orders. Waits for transactions that are writing orders. Errors: 42501 without the right TRIGGER, 42710 where a trigger of such a name is not the shop''s, 0A000 for a table that refuses triggers. A part of crm.create_shop.';

CREATE FUNCTION crm.drop_capture(shop name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
DECLARE
    found_trigger record;
BEGIN
    FOR found_trigger IN SELECT * FROM crm.capture_triggers(shop) LOOP
        PERFORM crm.drop_capture_trigger(shop, found_trigger.orders, found_trigger.trigger);
    END LOOP;
END $$;

COMMENT ON FUNCTION crm.drop_capture(name) IS 'Removes the triggers of a shop from its orders. Runs nothing of the shop''s owner. A part of crm.create_shop.';

-- Who may make a trigger on the table of another owner may not drop it, but may replace it by one that goes with its function.
CREATE FUNCTION crm.drop_capture_trigger(shop name, orders regclass, trigger name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $drop$
BEGIN
    BEGIN
        EXECUTE format('DROP TRIGGER %I ON %s', trigger, orders);
        RETURN;
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;
    EXECUTE format('CREATE FUNCTION %I.capture_end() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$', shop);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER INSERT ON %s FOR EACH STATEMENT EXECUTE FUNCTION %I.capture_end()',
                   trigger, orders, shop);
    EXECUTE format('DROP FUNCTION %I.capture_end() CASCADE', shop);
EXCEPTION WHEN insufficient_privilege OR invalid_schema_name THEN
    RAISE WARNING USING
        MESSAGE = format('trigger "%s" stays on %s', trigger, orders),
        DETAIL = 'It does nothing any more.',
        HINT = format('The owner of the table can drop it: DROP TRIGGER %I ON %s;', trigger, orders);
END $drop$;

COMMENT ON FUNCTION crm.drop_capture_trigger(name, regclass, name) IS
'Removes a trigger of a shop from a table, which may be another''s; a warning where that cannot be. A part of crm.create_shop.';

-- Changes that no trigger sees: DDL changes values, and statements on a parent or partitioned table pass the triggers of
-- a child by. A column has a new row in the catalog when its values are changed, when the table is attached or detached,
-- and for other reasons, such as a right on it or a default. Rewriting a table with the same values, as VACUUM FULL does,
-- leaves the row alone. Triggers that are disabled or enabled have a new one, too. A restored table is another one, whose
-- columns are as they were, and pg_upgrade writes all rows anew in another system.
CREATE FUNCTION crm.order_columns(shop name, orders regclass) RETURNS jsonb
    LANGUAGE sql STRICT -- volatile as pg_control_system
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_build_object(
        'system', (SELECT c.system_identifier::text FROM pg_catalog.pg_control_system() AS c), 'table', a.attrelid::bigint,
        'columns', pg_catalog.jsonb_object_agg(a.attnum, pg_catalog.format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, NULL))),
        'versions', pg_catalog.jsonb_object_agg(a.attnum, a.xmin::text)
                    || (SELECT coalesce(pg_catalog.jsonb_object_agg(t.trigger, t.version), '{}')
                        FROM crm.capture_triggers(order_columns.shop) AS t WHERE t.orders = order_columns.orders))
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = order_columns.orders AND a.attnum > 0 AND NOT a.attisdropped
    GROUP BY a.attrelid;
END;

COMMENT ON FUNCTION crm.order_columns(name, regclass) IS
'What tells whether a table of a shop''s orders was changed past its triggers: the database system, the OID of the table, name and type of each column, and the versions in the catalog of its columns and of the shop''s triggers. A part of crm.refresh.';

CREATE FUNCTION crm.were_columns_changed(before jsonb, after jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE
RETURN NOT after->'columns' OPERATOR(pg_catalog.@>) (before->'columns')
       OR (after->'system' = before->'system' AND after->'table' = before->'table'
           AND NOT after->'versions' OPERATOR(pg_catalog.@>) (before->'versions'));

COMMENT ON FUNCTION crm.were_columns_changed(jsonb, jsonb) IS
'Whether a table that crm.order_columns saw before may hold other values after, though no trigger has noticed: a column was dropped, renamed or got another type, or the catalog has another version of a column or trigger. More columns are no change. NULL where either is not known. A part of crm.refresh.';

CREATE FUNCTION crm.check_columns(s crm.shop) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    before jsonb;
    after jsonb;
BEGIN
    EXECUTE format('SELECT c.columns_read, crm.order_columns($1, c.captured) FROM %I.scoring AS c', s.shop)
    INTO before, after USING s.shop;
    IF crm.were_columns_changed(before, after) THEN
        RETURN 'columns or triggers of the orders were changed';
    ELSIF before IS DISTINCT FROM after THEN
        EXECUTE format('UPDATE %I.scoring SET columns_read = $1', s.shop) USING after;
    END IF;
    RETURN NULL;
END $$;

COMMENT ON FUNCTION crm.check_columns(crm.shop) IS
'Whether orders of a shop may have changed since the last refresh without its triggers, and why; NULL where they did not: what is there is remembered then. A part of crm.refresh.';

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
            DETAIL = 'It is a view, a foreign or unlogged table, or part of a partitioned or inherited table now.',
            HINT = format('SELECT crm.alter_shop(%L, capture => ''compare'');', s.shop);
    END IF;
    happened := format('triggers on %s were missing and were made again', s.orders);
    PERFORM crm.make_capture(s);
    EXECUTE format('INSERT INTO %I.attention (reason) VALUES ($1)', s.shop) USING happened;
    RETURN happened;
END $$;

COMMENT ON FUNCTION crm.check_capture(crm.shop) IS
'Sees to it that changes of a shop''s orders are noticed: follows a renamed table, and makes triggers again that are missing on the table of that name, which asks for a rebuild. Returns what it did, NULL for nothing. Errors: 42P01 no such orders any more, 0A000 they became something without triggers. A part of crm.create_shop.';
