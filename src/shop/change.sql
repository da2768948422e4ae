-- Changing, checking and dropping a shop, and letting others read it.

CREATE FUNCTION crm.alter_shop(
    name name, orders text DEFAULT NULL, customer_id text DEFAULT NULL, ordered_at text DEFAULT NULL,
    amount text DEFAULT NULL, condition text DEFAULT NULL, refund text DEFAULT NULL, refund_amount text DEFAULT NULL,
    refunded_at text DEFAULT NULL, guest_key text DEFAULT NULL, channel text DEFAULT NULL, currency_code text DEFAULT NULL,
    currency text DEFAULT NULL, amount_divisor int DEFAULT NULL, source_zone text DEFAULT NULL, zone text DEFAULT NULL,
    span interval DEFAULT NULL, bands crm.rfm_bands DEFAULT NULL, grades int DEFAULT NULL, map name DEFAULT NULL,
    tiers crm.tier_ladder DEFAULT NULL, tier_period text DEFAULT NULL, repeat_within interval DEFAULT NULL,
    horizon interval DEFAULT NULL, yearly_discount float8 DEFAULT NULL, answers_kept interval DEFAULT NULL,
    capture crm.shop_capture DEFAULT NULL, batch_rows int DEFAULT NULL, unset text[] DEFAULT '{}')
    RETURNS TABLE(subject text, value text, verdict text, explanation text)
    LANGUAGE plpgsql
AS $$
DECLARE
    given crm.shop := (name, orders, NULL, customer_id, ordered_at, amount, condition, refund, refund_amount, refunded_at,
                       guest_key, channel, currency_code, currency, amount_divisor, source_zone, zone, span, bands, grades,
                       map, tiers, tier_period, repeat_within, horizon, yearly_discount, answers_kept, capture, batch_rows, NULL);
BEGIN
    RETURN QUERY SELECT * FROM crm.change_shop(given, unset, pg_catalog.current_setting('search_path'));
END $$;

COMMENT ON FUNCTION crm.alter_shop(name, text, text, text, text, text, text, text, text, text, text, text, text, int, text, text, interval, crm.rfm_bands, int, name, crm.tier_ladder, text, interval, interval, float8, interval, crm.shop_capture, int, text[]) IS
'Changes the settings of a shop that are given, as crm.create_shop reads them; unset names settings that become NULL. The next refresh brings the customers up to date. To move a shop to a changed or another table of orders, give the settings that changed. Quantile cut points are decided anew where a setting that they follow from was changed: grades, span, zone, or how orders are read. Returns what it sees, as crm.create_shop; a verdict of error refuses the change only where it changes how orders are read. Errors: 42704 no such shop, 42501 not the owner, 55006 a run is under way, 42804 customers of another type, otherwise as crm.create_shop.';

CREATE FUNCTION crm.change_shop(given crm.shop, unset text[], caller_path text)
    RETURNS TABLE(subject text, value text, verdict text, explanation text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    optional CONSTANT text[] := '{condition,refund,refund_amount,refunded_at,guest_key,channel,currency_code,currency,'
                                'source_zone,span,bands,grades,tiers,tier_period,horizon,answers_kept,capture}';
    old CONSTANT crm.shop := crm.find_own_shop(given.shop);
    kept_type CONSTANT regtype := crm.shop_customer_type(old.shop);
    new crm.shop;
    key_type regtype;
    is_read_anew boolean;
BEGIN
    IF NOT unset <@ optional THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('%s is no setting that can be unset', (SELECT u FROM unnest(unset) AS u WHERE u <> ALL (optional) LIMIT 1)),
            HINT = 'Those are: ' || array_to_string(optional, ', ') || '.';
    END IF;
    PERFORM crm.lock_shop(old.shop);
    -- A choice between fixed and quantile cut points takes the place of the other one.
    IF given.bands IS NOT NULL AND given.grades IS NULL THEN
        unset := unset || 'grades'::text;
    ELSIF given.grades IS NOT NULL AND given.bands IS NULL THEN
        unset := unset || 'bands'::text;
    END IF;
    new := jsonb_populate_record(old, (SELECT jsonb_object_agg(u, NULL::text) FROM unnest(unset) AS u));
    IF NOT given.tiers IS NULL THEN
        new.tiers := NULL; -- a ladder is taken as a whole
    END IF;
    new := jsonb_populate_record(new, jsonb_strip_nulls(to_jsonb(given)));
    new := crm.resolve_shop(new, caller_path);
    key_type := crm.shop_type(crm.shop_key(new), crm.shop_source(new));
    -- They are read as the shop keeps them, where PostgreSQL would assign them to such a column.
    IF crm.base_type(key_type) <> crm.base_type(kept_type)
       AND NOT EXISTS (SELECT FROM pg_cast AS c
                       WHERE c.castsource = crm.base_type(key_type) AND c.casttarget = crm.base_type(kept_type)
                             AND c.castcontext IN ('a', 'i')) THEN
        RAISE datatype_mismatch USING
            MESSAGE = format('customers of shop "%s" are %s and cannot become %s', old.shop, kept_type, key_type),
            HINT = 'Drop the shop and make it again.';
    END IF;
    is_read_anew := crm.shop_select(new, crm.shop_source(new)) <> crm.shop_select(old, crm.shop_source(old));
    RETURN QUERY SELECT * FROM crm.accept_shop(new, must_be_right => is_read_anew);

    DELETE FROM crm.own_shop AS o WHERE o.shop = old.shop;
    INSERT INTO crm.own_shop SELECT new.*;
    PERFORM crm.make_shop_views(new);
    IF new.capture = 'triggers' THEN
        PERFORM crm.make_capture(new);
    ELSE
        PERFORM crm.drop_capture(old.shop);
    END IF;
    EXECUTE format('UPDATE %I.scoring SET is_stale = true, captured = CASE WHEN $1 THEN captured END, bands = CASE WHEN $2 THEN bands END',
                   old.shop)
    USING new.capture = 'triggers',
          NOT is_read_anew AND (new.bands, new.grades, new.span, new.zone) IS NOT DISTINCT FROM (old.bands, old.grades, old.span, old.zone);
    IF is_read_anew OR new.capture <> old.capture THEN
        EXECUTE format('INSERT INTO %I.attention (reason) VALUES (''settings were changed'')', old.shop);
    END IF;
END $$;

COMMENT ON FUNCTION crm.change_shop(crm.shop, text[], text) IS 'Changes the settings of a shop that are given. A part of crm.alter_shop.';

CREATE FUNCTION crm.drop_shop(name name, cascade boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
DECLARE
    relation record;
BEGIN
    PERFORM crm.check_not_renamed(drop_shop.name);
    IF NOT EXISTS (SELECT FROM crm.shop AS s WHERE s.shop = drop_shop.name) THEN
        PERFORM crm.find_shop(drop_shop.name); -- says so
    ELSIF NOT crm.owns_shop(drop_shop.name) THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('must be owner of shop "%s"', drop_shop.name),
            HINT = format('The shop belongs to "%s".', crm.shop_owner(drop_shop.name));
    END IF;
    PERFORM crm.lock_shop(drop_shop.name);
    PERFORM crm.drop_capture(drop_shop.name);
    IF crm.shop_owner(drop_shop.name) IS NOT NULL THEN
        IF cascade THEN
            EXECUTE format('DROP SCHEMA %I CASCADE', drop_shop.name);
        ELSE
            FOR relation IN
                SELECT v.kind, string_agg(format('%I.%I', drop_shop.name, v.name), ', ') AS names
                FROM (SELECT 'VIEW' AS kind, unnest(crm.shop_views() || crm.segment_views() || 'customer_row'::text) AS name
                      UNION ALL SELECT 'TABLE', unnest(crm.shop_tables())) AS v
                GROUP BY v.kind
                ORDER BY v.kind DESC
            LOOP
                EXECUTE format('DROP %s IF EXISTS %s', relation.kind, relation.names);
            END LOOP;
            EXECUTE format('DROP SCHEMA %I', drop_shop.name);
        END IF;
    END IF;
    PERFORM crm.forget_schedule(drop_shop.name);
    DELETE FROM crm.lost_shop AS o WHERE o.shop = drop_shop.name;
    DELETE FROM crm.lost_refresh_run AS r WHERE r.shop = drop_shop.name;
END $$;

COMMENT ON FUNCTION crm.drop_shop(name, boolean) IS
'Drops a shop with its schema, its triggers on the orders and its schedule; the orders stay. Also clears away what is left of a shop whose schema was dropped by hand. With cascade, other objects in the schema and what depends on its views go too. Errors: 42704 no such shop, 42501 not the owner, 55000 its schema was renamed, 55006 a run is under way, 2BP01 something depends on the shop.';

CREATE FUNCTION crm.shop_tables() RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{answer_change,change_queue,attention,segment_label,band,model,scoring,customer_history,segment_definition,segment_set,'
       'segment_change,segment_event,segment_todo}'::text[];

COMMENT ON FUNCTION crm.shop_tables() IS 'Names of the tables of a shop. A part of crm.alter_shop.';

CREATE FUNCTION crm.shop_check(name name) RETURNS TABLE(subject text, value text, verdict text, explanation text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    s CONSTANT crm.shop := crm.find_own_shop(name);
    seen record;
BEGIN
    RETURN QUERY SELECT * FROM crm.examine_shop(crm.resolve_shop(s, 'pg_catalog'));
    EXECUTE format($sql$
        SELECT (SELECT count(*) FROM %1$I.customer_history) AS customers, c.as_of, c.day,
               (SELECT count(*) FROM %1$I.change_queue) AS changes,
               (SELECT string_agg(DISTINCT a.reason, '; ') FROM %1$I.attention AS a) AS attention,
               (SELECT r.status FROM crm.refresh_run AS r WHERE r.shop = $1 ORDER BY r.run DESC LIMIT 1) AS last_status,
               (SELECT r.error FROM crm.refresh_run AS r WHERE r.shop = $1 ORDER BY r.run DESC LIMIT 1) AS last_error
        FROM %1$I.scoring AS c
        $sql$, s.shop) INTO STRICT seen USING s.shop;
    RETURN QUERY
    SELECT v.subject, v.value, v.verdict, CASE WHEN v.verdict <> 'ok' THEN v.explanation END
    FROM (VALUES
        ('customers stored', seen.customers::text, 'ok', NULL),
        ('answers as of', seen.as_of::text, CASE WHEN seen.as_of < now() OR seen.as_of IS NULL THEN 'note' ELSE 'ok' END,
         'CALL crm.refresh brings them to today'),
        ('capture', s.capture::text,
         CASE WHEN s.capture = 'triggers' AND crm.captured_table(s.shop) IS DISTINCT FROM to_regclass(s.orders)
              THEN 'error' ELSE 'ok' END,
         'triggers on the orders are missing or disabled; the next refresh makes them again'),
        ('changes noted', seen.changes::text, 'ok', NULL),
        ('reasons to read all orders', coalesce(seen.attention, 'none'),
         CASE WHEN seen.attention IS NULL THEN 'ok' ELSE 'note' END, 'the next refresh does'),
        ('last run', seen.last_status, CASE WHEN seen.last_status = 'failed' THEN 'error' ELSE 'ok' END, seen.last_error)
        ) AS v (subject, value, verdict, explanation);
END $$;

COMMENT ON FUNCTION crm.shop_check(name) IS
'What the orders of a shop look like now, and how the shop is: verdict is ok, note or error, with an explanation. Reads all orders twice. Errors: 42704 no such shop, 42501 not the owner, and those of reading the orders.';

CREATE FUNCTION crm.grant_shop(name name, reader name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    s CONSTANT crm.shop := crm.find_shop(name);
    relation text;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', s.shop, reader);
    FOREACH relation IN ARRAY crm.shop_views() || crm.segment_views() LOOP
        EXECUTE format('GRANT SELECT ON %I.%I TO %I', s.shop, relation, reader);
    END LOOP;
END $$;

COMMENT ON FUNCTION crm.grant_shop(name, name) IS
'Lets a role, best a group role, read the views of a shop, and its segments through them, and nothing else of it: neither histories nor orders, nor the conditions of segments. Errors: 42704 no such shop or role, 42501 not the owner.';
