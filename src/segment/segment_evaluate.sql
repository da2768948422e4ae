-- evaluating the segments of a shop: one pass over its customers for all conditions, or a look at those that changed

-- $1 run, $2 whether to note changes, $3 whether to write events. Who differs is few, so that little has to be computed.
CREATE FUNCTION crm.store_sql(shop name, found text) RETURNS text
    LANGUAGE sql STABLE
RETURN pg_catalog.format($sql$
    WITH found AS MATERIALIZED (
        %2$s
    ), compared AS MATERIALIZED (
        SELECT f.segment, f.version, f.members, c.day, c.as_of, o.segment IS NULL AS is_first, o.day <= c.day AS goes_on,
               o.version = f.version AS is_same,
               CASE WHEN f.looked_at IS NULL THEN o.members ELSE o.members OPERATOR(crm.&) f.looked_at END
               OPERATOR(crm.#) f.members AS differing
        FROM found AS f
             CROSS JOIN (SELECT * FROM %1$I.scoring LIMIT 1) AS c
             LEFT JOIN %1$I.segment_set AS o ON o.segment = f.segment
    ), moved AS MATERIALIZED (
        SELECT d.segment, d.version, d.day, d.goes_on, d.goes_on AND d.is_same AS is_move,
               d.differing OPERATOR(crm.&) d.members AS entered, d.differing OPERATOR(crm.-) d.members AS departed
        FROM compared AS d
        WHERE d.differing OPERATOR(crm.<>) '{}'
    ), inserted AS (
        INSERT INTO %1$I.segment_set (segment, version, as_of, day, known_since, members)
        SELECT d.segment, d.version, d.as_of, d.day, d.day, d.members FROM compared AS d WHERE d.is_first
    ), updated AS (
        UPDATE %1$I.segment_set AS o
        SET version = d.version, as_of = d.as_of, day = d.day, failure = NULL,
            members = CASE WHEN d.differing OPERATOR(crm.=) '{}' THEN o.members -- needs not be stored again
                           ELSE o.members OPERATOR(crm.#) d.differing END
        FROM compared AS d
        WHERE o.segment = d.segment
              AND (d.differing OPERATOR(crm.<>) '{}' OR NOT d.is_same OR o.as_of <> d.as_of OR o.failure IS NOT NULL)
    ), noted AS (
        INSERT INTO %1$I.segment_change AS x (segment, day, entered, departed)
        SELECT m.segment, m.day, m.entered, m.departed FROM moved AS m WHERE m.goes_on AND $2
        ON CONFLICT (segment, day) DO UPDATE -- who comes and goes on one day did neither
        SET entered = (x.entered OPERATOR(crm.-) excluded.departed) OPERATOR(crm.|) (excluded.entered OPERATOR(crm.-) x.departed),
            departed = (x.departed OPERATOR(crm.-) excluded.entered) OPERATOR(crm.|) (excluded.departed OPERATOR(crm.-) x.entered)
    )
    %3$s
    $sql$, shop, found, crm.event_sql(shop, pg_catalog.format('(SELECT day FROM %I.scoring)', shop), '$1', pg_catalog.format($sql$
        SELECT v.kind, v.segment, v.version, %s AS customer_id, NULL::text AS tier_before, NULL::text AS tier
        FROM (SELECT 'entered' AS kind, m.segment, m.version, m.entered AS members FROM moved AS m WHERE m.is_move AND $3
              UNION ALL
              SELECT 'left', m.segment, m.version, m.departed FROM moved AS m WHERE m.is_move AND $3) AS v
             CROSS JOIN LATERAL crm.members(v.members) AS i (member)
        ORDER BY v.segment, v.kind, i.member
        $sql$,
        CASE WHEN crm.member_sql(shop) = 'h.number' THEN pg_catalog.format(
            'coalesce((SELECT h.customer_id FROM %1$I.customer_history AS h WHERE h.number = i.member), '
            '(SELECT t.customer_id FROM %1$I.segment_todo AS t WHERE t.member = i.member LIMIT 1))', shop)
        ELSE 'i.member::' || crm.shop_customer_type(shop) END)));

COMMENT ON FUNCTION crm.store_sql(name, text) IS
'The statement that stores the members of segments, a query of segment, version, members and looked_at (the customers that were looked at; NULL: all), with who entered and left. A part of crm.refresh.';

CREATE FUNCTION crm.store_members(s crm.shop, run bigint, query text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
    EXECUTE crm.store_sql(s.shop, query) USING run, s.answers_kept IS NOT NULL, s.answers_kept IS NOT NULL AND run IS NOT NULL;
END $$;

COMMENT ON FUNCTION crm.store_members(crm.shop, bigint, text) IS
'Stores the members of segments of a shop that a query finds, as of the shop''s day, and notes who entered and left; writes events where it is a run. A part of crm.refresh.';

-- A subquery with OFFSET 0 computes each column that any condition reads once, and none that no condition reads.
CREATE FUNCTION crm.found_sql(s crm.shop, segments text[], of_changed boolean) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rows CONSTANT text := CASE WHEN of_changed THEN format(
        '(SELECT DISTINCT x.customer_id FROM %1$I.segment_todo AS x) AS t CROSS JOIN LATERAL (SELECT r.* '
        'FROM %1$I.customer_row AS r WHERE r.customer_id %2$s t.customer_id LIMIT 1) AS c', s.shop, crm.shop_equality(s.shop))
        ELSE format('%I.customer_row AS c', s.shop) END;
    sets text;
    items text;
BEGIN
    EXECUTE format($sql$
        SELECT string_agg(format('crm.idset(customer.member) FILTER (WHERE %%s) AS s%%s', crm.in_parentheses(d.condition), n), ', '),
               string_agg(format('(%%L, %%s, x.s%%s)', d.segment, d.version, n), ', ')
        FROM %I.segment_definition AS d JOIN unnest($1) WITH ORDINALITY AS u (segment, n) ON u.segment = d.segment
        WHERE d.ended_at IS NULL
        $sql$, s.shop) INTO STRICT sets, items USING segments;
    RETURN format($sql$
        SELECT v.segment, v.version, coalesce(v.members, '{}') AS members, %1$s AS looked_at
        FROM (SELECT %2$s FROM (SELECT c.* FROM %3$s OFFSET 0) AS customer) AS x
             CROSS JOIN LATERAL (VALUES %4$s) AS v (segment, version, members)
        $sql$,
        CASE WHEN of_changed THEN format('(SELECT crm.idset(t.member) FROM %I.segment_todo AS t)', s.shop)
             ELSE 'NULL::crm.idset' END, sets, rows, items);
END $$;

COMMENT ON FUNCTION crm.found_sql(crm.shop, text[], boolean) IS
'The query of the members that some segments of a shop with conditions have now, among all customers or among those that changed. A part of crm.refresh.';

-- Conditions mean the same in all sessions: they run with the shop's time zone, and with an error where row level
-- security would hide rows of other tables.
CREATE FUNCTION crm.evaluate_conditions(s crm.shop, run bigint, segments text[], of_changed boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off
    SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET standard_conforming_strings = on
AS $$
BEGIN
    PERFORM set_config('timezone', s.zone, true);
    PERFORM crm.store_members(s, run, crm.found_sql(s, segments, of_changed));
END $$;

COMMENT ON FUNCTION crm.evaluate_conditions(crm.shop, bigint, text[], boolean) IS
'Evaluates the conditions of some segments of a shop and stores their members: of all customers, or only of those that changed. Writes events where it is a run. A part of crm.refresh. Errors: those of the conditions.';

-- Something in a condition fails: halve them until it is alone.
CREATE FUNCTION crm.try_conditions(s crm.shop, run bigint, segments text[], of_changed boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    half CONSTANT int := cardinality(segments) / 2;
    complaint text;
BEGIN
    IF cardinality(segments) = 0 THEN
        RETURN;
    END IF;
    BEGIN
        PERFORM crm.evaluate_conditions(s, run, segments, of_changed);
        RETURN;
    EXCEPTION WHEN OTHERS THEN
        complaint := SQLERRM;
    END;
    IF half > 0 THEN
        PERFORM crm.try_conditions(s, run, segments[:half], of_changed);
        PERFORM crm.try_conditions(s, run, segments[half + 1:], of_changed);
    ELSE
        EXECUTE format('UPDATE %I.segment_set AS m SET failure = $1 WHERE m.segment = $2', s.shop) USING complaint, segments[1];
        UPDATE crm.own_refresh_run AS x
        SET note = concat_ws('; ', x.note, format('segment "%s" could not be evaluated: %s', segments[1], complaint))
        WHERE x.run = try_conditions.run;
    END IF;
END $$;

COMMENT ON FUNCTION crm.try_conditions(crm.shop, bigint, text[], boolean) IS
'As crm.evaluate_conditions, but a segment whose condition fails keeps its members, the run''s note says so, and the others go on. A part of crm.refresh.';

CREATE FUNCTION crm.evaluate_sets(s crm.shop, run bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    level int;
    segments text[];
BEGIN
    -- Parts come before the sets that are made of them.
    FOR level, segments IN EXECUTE format($sql$
        WITH RECURSIVE place AS (
            SELECT d.segment, 1 AS level FROM %1$I.segment_definition AS d WHERE d.operation IS NOT NULL AND d.ended_at IS NULL
            UNION
            SELECT d.segment, p.level + 1
            FROM place AS p JOIN %1$I.segment_definition AS d ON p.segment = ANY (d.parts) AND d.ended_at IS NULL
        )
        SELECT h.level, array_agg(h.segment)
        FROM (SELECT p.segment, max(p.level) AS level FROM place AS p GROUP BY p.segment) AS h
        GROUP BY h.level
        ORDER BY h.level
        $sql$, s.shop)
    LOOP
        PERFORM crm.store_members(s, run, format($sql$
            SELECT d.segment, d.version, NULL::crm.idset AS looked_at,
                   CASE d.operation WHEN 'union' THEN p.any_of WHEN 'intersection' THEN p.all_of
                                    ELSE p.first OPERATOR(crm.-) coalesce(p.others, '{}') END AS members
            FROM %1$I.segment_definition AS d
                 CROSS JOIN LATERAL (
                     SELECT crm.idset_union(o.members) AS any_of, crm.idset_intersection(o.members) AS all_of,
                            crm.idset_union(o.members) FILTER (WHERE u.n = 1) AS first,
                            crm.idset_union(o.members) FILTER (WHERE u.n > 1) AS others, count(o.members) AS known
                     FROM unnest(d.parts) WITH ORDINALITY AS u (segment, n)
                          LEFT JOIN %1$I.segment_set AS o ON o.segment = u.segment) AS p
            WHERE d.ended_at IS NULL AND d.segment = ANY (%2$L::text[]) AND p.known = cardinality(d.parts)
            $sql$, s.shop, segments));
    END LOOP;
END $$;

COMMENT ON FUNCTION crm.evaluate_sets(crm.shop, bigint) IS
'Combines the stored members of segments to those of the sets of a shop that are made of them. A part of crm.refresh.';

CREATE FUNCTION crm.evaluate_segments(s crm.shop, r crm.refresh_run, of_all boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pending record;
BEGIN
    IF NOT crm.has_segments(s.shop) THEN
        RETURN;
    END IF;
    EXECUTE format($sql$
        SELECT coalesce(array_agg(d.segment ORDER BY d.segment) FILTER (WHERE d.must_read_all), '{}') AS entire,
               coalesce(array_agg(d.segment ORDER BY d.segment) FILTER (WHERE d.any_todo AND NOT d.must_read_all), '{}') AS changed
        FROM (SELECT d.segment, t.any_todo,
                     $1 OR o.segment IS NULL OR o.version <> d.version OR o.as_of <> c.as_of OR o.failure IS NOT NULL
                     OR t.any_todo AND NOT d.reads_row_only AS must_read_all
              FROM %1$I.segment_definition AS d
                   CROSS JOIN %1$I.scoring AS c
                   CROSS JOIN (SELECT EXISTS (SELECT FROM %1$I.segment_todo) AS any_todo) AS t
                   LEFT JOIN %1$I.segment_set AS o ON o.segment = d.segment
              WHERE d.ended_at IS NULL AND d.condition IS NOT NULL) AS d
        $sql$, s.shop)
    INTO STRICT pending USING of_all;
    PERFORM crm.try_conditions(s, r.run, pending.entire, false);
    PERFORM crm.try_conditions(s, r.run, pending.changed, true);
    IF of_all OR cardinality(pending.entire) + cardinality(pending.changed) > 0 THEN
        PERFORM crm.evaluate_sets(s, r.run);
    END IF;
    -- A segment that failed still has customers who are gone: only here is known who they were.
    EXECUTE format(CASE WHEN crm.member_sql(s.shop) = 'h.number'
                        THEN 'DELETE FROM %1$I.segment_todo AS t WHERE NOT EXISTS (SELECT FROM %1$I.segment_set AS o WHERE o.failure IS NOT NULL) '
                             'OR EXISTS (SELECT FROM %1$I.customer_history AS h WHERE h.number = t.member)'
                        ELSE 'DELETE FROM %I.segment_todo' END, s.shop);
END $$;

COMMENT ON FUNCTION crm.evaluate_segments(crm.shop, crm.refresh_run, boolean) IS
'Brings the segments of a shop up to date at the end of a run: over all customers where asked to, on a new day, for a new definition or after a failure; otherwise conditions that read nothing but the customer''s row look only at customers that changed. A part of crm.refresh.';
