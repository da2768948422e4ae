-- Refreshing: crm.refresh calls start_run once and run_step until nothing is left, and commits after each.
--
-- A step is one transaction. What it takes from the queue and what that changes stand in one statement, so every
-- customer is consistent at every moment, and a run that is killed is simply gone on with by the next one.

CREATE PROCEDURE crm.refresh(shop name, as_of timestamptz DEFAULT now())
    LANGUAGE c AS 'MODULE_PATHNAME', 'crm_shop_refresh';
CREATE PROCEDURE crm.rebuild(shop name, as_of timestamptz DEFAULT now())
    LANGUAGE c AS 'MODULE_PATHNAME', 'crm_shop_rebuild';

COMMENT ON PROCEDURE crm.refresh(name, timestamptz) IS
'Brings the customers of a shop up to date with its orders, as of the end of the shop''s day that as_of lies in. Applies the changes noted since the last run, in batches with a commit after each; reads all orders instead where that is cheaper or something asks for it. Runs with the rights of the owner of the shop, whose rights the caller must have; CALL outside of a transaction block commits, inside of one it does not. crm.refresh_run shows the progress. Errors: 42704 no such shop, 42501 not the owner, or another one since the run began; 55006 another run is under way, or a statement that has not ended, such as one that calls this from a trigger, is using the orders; 22023 as_of on an earlier day than the shop''s; 22003, 22008 or 22023 when some orders cannot be counted: of noted changes, after all others were, and the message names the customer; where all orders are read, nothing is changed, and the message tells no customer; those of reading the orders.';
COMMENT ON PROCEDURE crm.rebuild(name, timestamptz) IS
'As crm.refresh, but reads all orders in one pass and writes what differs, or nothing where one order cannot be counted. as_of may lie on an earlier day: then the noted changes of answers are dropped.';

-- Noon is in no zone's change of clocks. Where they are set back to before midnight, a time may lie after the first
-- instant of the next day already.
CREATE FUNCTION crm.shop_day_end(at timestamptz, zone text) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
    SELECT min(next_day.begins) - interval '1 microsecond'
    FROM pg_catalog.generate_series(1, 2) AS days,
         crm.period_start(((at AT TIME ZONE zone)::date + days + time '12:00') AT TIME ZONE zone, crm.calendar('day', zone))
             AS next_day (begins)
    WHERE next_day.begins > at;
END;

COMMENT ON FUNCTION crm.shop_day_end(timestamptz, text) IS
'The last microsecond before the next day begins in a zone, as crm.calendar has it: at the first instant that has its date. A part of crm.refresh. Errors: 22008 infinite time.';

CREATE FUNCTION crm.check_orders_unused(orders regclass) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'crm_check_orders_unused';

COMMENT ON FUNCTION crm.check_orders_unused(regclass) IS
'Errors: 55006 where a statement of this session that has not ended is using the orders: its triggers would note what the refresh has counted. NULL and tables that do not exist are not used. A part of crm.refresh.';

CREATE FUNCTION crm.start_run(shop name, kind text, as_of timestamptz) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    s CONSTANT crm.shop := crm.find_own_shop(start_run.shop);
    day_end timestamptz;
    shop_as_of timestamptz;
    shop_day date;
    captured regclass;
    new_run bigint;
    changes bigint;
    queue_blocks bigint;
BEGIN
    IF NOT isfinite(start_run.as_of) THEN
        RAISE datetime_field_overflow USING MESSAGE = 'as_of must be finite';
    END IF;
    day_end := crm.shop_day_end(start_run.as_of, s.zone);
    EXECUTE format('SELECT as_of, day, captured FROM %I.scoring', s.shop) INTO STRICT shop_as_of, shop_day, captured;
    IF s.capture = 'triggers' THEN
        PERFORM crm.check_orders_unused(captured), crm.check_orders_unused(to_regclass(s.orders));
    END IF;
    IF (day_end AT TIME ZONE s.zone)::date < shop_day AND start_run.kind = 'refresh' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('as_of lies before the day of shop "%s"', s.shop),
            DETAIL = format('as_of is %s, the shop is at %s.', start_run.as_of, shop_as_of),
            HINT = 'crm.rebuild goes back; it forgets the noted changes of answers.';
    END IF;
    UPDATE crm.own_refresh_run AS r SET status = 'interrupted' WHERE r.shop = s.shop AND r.status = 'running';
    DELETE FROM crm.own_refresh_run AS r
    WHERE r.shop = s.shop AND r.started_at < clock_timestamp() - interval '90 days';
    EXECUTE format('SELECT count(*), pg_relation_size(%2$L) / current_setting(''block_size'')::int FROM %1$I.change_queue',
                   s.shop, format('%I.change_queue', s.shop))
    INTO changes, queue_blocks;
    INSERT INTO crm.own_refresh_run (shop, kind, as_of, waiting, queue_end)
    VALUES (s.shop, start_run.kind, day_end, changes, format('(%s,0)', queue_blocks)::tid)
    RETURNING run INTO new_run;
    RETURN new_run;
END $$;

COMMENT ON FUNCTION crm.start_run(name, text, timestamptz) IS
'Notes the beginning of a run in crm.refresh_run and returns its number. A part of crm.refresh. Errors: see there.';

CREATE FUNCTION crm.pin_settings() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'crm_pin_settings';

COMMENT ON FUNCTION crm.pin_settings() IS
'Gives all settings that values of PostgreSQL''s own functions and casts depend on those under which expressions of shops are evaluated: TimeZone UTC, DateStyle ISO, YMD, bytea_output hex and so on. As a SET clause of the function that calls it, which must have one itself. A part of crm.refresh.';

CREATE FUNCTION crm.run_step(run bigint, OUT more boolean, OUT code text, OUT message text, OUT detail text, OUT hint text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET jit = off
    SET row_security = off -- an error rather than some of the orders
AS $$
BEGIN
    PERFORM crm.pin_settings();
    BEGIN
        more := crm.advance_run(run);
    EXCEPTION WHEN OTHERS THEN
        more := false;
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
                                detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        IF hint = '' AND code IN ('42703', '42P01', '42883', '42804', '42501') THEN
            hint := 'Were the orders changed, or a right to read them revoked? '
                    'crm.alter_shop gives the shop other settings, crm.shop_check shows what it sees.';
        END IF;
    END;
    IF code IS NULL THEN
        SELECT r.sqlstate, r.error INTO code, message FROM crm.refresh_run AS r WHERE r.run = run_step.run AND NOT more;
    END IF;
    IF NOT more THEN
        UPDATE crm.own_refresh_run AS r
        SET status = CASE WHEN code IS NULL THEN 'done' ELSE 'failed' END, finished_at = clock_timestamp(),
            sqlstate = code, error = message
        WHERE r.run = run_step.run;
    END IF;
END $$;

COMMENT ON FUNCTION crm.run_step(bigint) IS
'One transaction of a run: more says whether another is needed; code, message, detail and hint are those of an error, which is noted in crm.refresh_run too. A part of crm.refresh.';

CREATE FUNCTION crm.advance_run(run bigint) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    r crm.refresh_run;
    s crm.shop;
    last_event bigint;
    more boolean;
BEGIN
    SELECT * INTO STRICT r FROM crm.refresh_run AS x WHERE x.run = advance_run.run;
    s := crm.find_own_shop(r.shop);
    last_event := crm.last_event(s);
    more := crm.advance_shop(s, r);
    PERFORM crm.notify_events(s, r, last_event);
    RETURN more;
END $$;

COMMENT ON FUNCTION crm.advance_run(bigint) IS
'What is to be done next in a run, in one transaction, and word of its events to those who listen. Returns whether more is left. A part of crm.refresh.';

CREATE FUNCTION crm.advance_shop(s crm.shop, r crm.refresh_run) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    reason text;
    is_new_day boolean := false;
    are_new_models boolean;
    counts crm.refresh_counts;
BEGIN
    reason := crm.check_capture(s);
    IF strpos(r.note, reason) > 0 THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('changes of orders "%s" cannot be noticed', s.orders),
            DETAIL = format('Again and again, %s.', reason),
            HINT = format('Something drops, disables or renames triggers. Let it leave those of the shop alone, or '
                          'SELECT crm.alter_shop(%L, capture => ''compare'');', s.shop);
    ELSIF reason IS NOT NULL THEN
        UPDATE crm.own_refresh_run AS x SET note = concat_ws('; ', note, reason) WHERE x.run = r.run;
        RETURN true; -- commit: the triggers' lock is on the platform's table
    END IF;
    PERFORM crm.check_rights(s);
    reason := crm.reason_to_rebuild(s, r);
    IF reason IS NOT NULL THEN
        counts := crm.rebuild_histories(s, r);
        UPDATE crm.own_refresh_run AS x
        SET batches = batches + 1, changes = changes + counts.taken, customers = customers + counts.written,
            rebuilt = true, rescored = true, held = 0, sqlstate = NULL, error = NULL,
            note = concat_ws('; ', note, 'all orders read: ' || reason)
        WHERE x.run = r.run;
    ELSE
        is_new_day := crm.must_rescore(s, r.as_of);
        counts := crm.apply_batch(s, r, NOT is_new_day);
        UPDATE crm.own_refresh_run AS x
        SET batches = batches + 1, changes = changes + counts.taken, customers = customers + counts.written
        WHERE x.run = r.run AND (counts.taken > 0 OR counts.held > 0);
        IF counts.taken + counts.held >= s.batch_rows OR counts.again THEN
            IF is_new_day AND counts.taken > 0 THEN -- their scores are to come, also should this run be killed before
                EXECUTE format('UPDATE %I.scoring SET map_digest = NULL', s.shop);
            END IF;
            RETURN true;
        END IF;
        IF is_new_day THEN
            counts.written := crm.score_all(s, r);
            UPDATE crm.own_refresh_run AS x
            SET batches = batches + 1, customers = customers + counts.written, rescored = true
            WHERE x.run = r.run;
        END IF;
    END IF;
    are_new_models := crm.fit_models(s, r.as_of);
    PERFORM crm.find_typical_days(s, r.as_of);
    PERFORM crm.evaluate_segments(s, r, is_new_day OR are_new_models OR reason IS NOT NULL);
    PERFORM crm.prune_answers(s);
    RETURN false;
END $$;

COMMENT ON FUNCTION crm.advance_shop(crm.shop, crm.refresh_run) IS
'What is to be done next in a run: a batch of changes and, after the last, the scores of a new day, or a pass over all orders; then models and segments. Returns whether more is left. A part of crm.refresh.';

-- Applying noted changes reads no order, and must not count what the owner may not read.
CREATE FUNCTION crm.check_rights(s crm.shop) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '1ms'
AS $$
BEGIN
    IF NOT s.is_query AND row_security_active(to_regclass(s.orders)) THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('row level security would hide some of %s from %I', s.orders, current_user),
            HINT = 'A shop counts all orders or none. Let a role with BYPASSRLS own the shop, or the owner of the table; or '
                   'read a view that the owner of the table makes.';
    END IF;
    IF s.capture = 'triggers' THEN
        BEGIN
            EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE NOWAIT', s.orders);
        EXCEPTION WHEN insufficient_privilege THEN
            NULL; -- a right to read some columns may be enough
        END;
    END IF;
    EXECUTE format('SELECT FROM (%s) AS entries LIMIT 0', crm.shop_select(s, crm.shop_source(s)));
EXCEPTION WHEN lock_not_available THEN
    NULL; -- a migration holds the orders: a refresh does not wait for it, and looks again the next time
END $$;

COMMENT ON FUNCTION crm.check_rights(crm.shop) IS
'Refuses to go on where the current user may not read the orders of a shop, or only some of them. A part of crm.refresh. Errors: those of reading them, 42501 above all.';

CREATE FUNCTION crm.reason_to_rebuild(s crm.shop, r crm.refresh_run) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Applying a change costs as much as reading so many orders, and no pass is cheaper than so many changes.
    orders_per_change CONSTANT float8 := 40;
    changes_worth_a_pass CONSTANT float8 := 2000;
    reason text;
BEGIN
    IF r.kind = 'rebuild' THEN
        RETURN 'asked for';
    ELSIF s.capture = 'compare' THEN
        RETURN 'they are compared';
    END IF;
    EXECUTE format('SELECT concat_ws('': '', a.reason, a.detail) FROM %I.attention AS a ORDER BY a.noted_at LIMIT 1', s.shop)
    INTO reason;
    reason := coalesce(reason, crm.check_columns(s));
    IF reason IS NULL AND r.batches = 0 AND r.waiting > changes_worth_a_pass
       AND r.waiting * orders_per_change > crm.estimated_rows(to_regclass(s.orders)) THEN
        reason := format('cheaper than to apply %s changes', r.waiting);
    END IF;
    RETURN reason;
END $$;

COMMENT ON FUNCTION crm.reason_to_rebuild(crm.shop, crm.refresh_run) IS
'Why a run has to read all orders; NULL where applying the noted changes is enough. A part of crm.refresh.';

CREATE FUNCTION crm.estimated_rows(relation regclass) RETURNS float8
    LANGUAGE sql STRICT
BEGIN ATOMIC
    -- as the planner does: the density found by the last ANALYZE, or 100 bytes a row, for the size of today
    SELECT pg_catalog.pg_relation_size(c.oid)
           * coalesce(c.reltuples / nullif(c.relpages, 0) / pg_catalog.current_setting('block_size')::int, 0.01)
    FROM pg_catalog.pg_class AS c
    WHERE c.oid = relation;
END;

COMMENT ON FUNCTION crm.estimated_rows(regclass) IS 'About how many rows a table has, without reading it. A part of crm.refresh.';

-- $1 run, $2 rows of the batch, $3 customers or NULL for the first ones, $4 whether to score, $5 day, $6 whether to note,
-- $7 end of the queue.
CREATE FUNCTION crm.apply_sql(s crm.shop, of_customers boolean) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    same CONSTANT text := crm.shop_equality(s.shop);
    picked text := 'SELECT DISTINCT f.customer_id FROM (SELECT q.customer_id FROM %1$I.change_queue AS q '
                   'WHERE q.ctid < $7 AND q.held_by IS DISTINCT FROM $1 LIMIT $2) AS f ORDER BY 1'; -- neighbours in the index
    channels text := '';
    channel text := 'NULL::text';
    channel_joins text := '';
    firsts text := '';
    entries text := 'taken';
BEGIN
    IF of_customers THEN
        -- What came and went again must not stand in the way, were it an amount that no history can hold.
        entries := '(SELECT t.customer_id, t.ordered_at, t.amount, sum(t.times) AS times FROM taken AS t '
                   'GROUP BY t.customer_id, t.ordered_at, t.amount HAVING sum(t.times) <> 0)';
        picked := format('SELECT DISTINCT u.id::%s AS customer_id FROM unnest($3::text[]) AS u (id) WHERE $2 > 0',
                         crm.shop_customer_type(s.shop));
    END IF;
    IF s.channel IS NOT NULL THEN
        -- The channel is that of the first purchase. It is known from the changes unless the first purchase went away
        -- or another one at the same instant changed: then the orders of these customers are looked at.
        channels := format($sql$
            , channel_net AS (
                SELECT t.customer_id, t.ordered_at, t.channel, sum(t.times) AS times
                FROM taken AS t
                WHERE t.amount >= 0
                GROUP BY t.customer_id, t.ordered_at, t.channel
                HAVING sum(t.times) <> 0
            ), channel_first AS (
                SELECT m.customer_id, m.first_order,
                       m.first_before IS NULL OR m.first_order < m.first_before AS is_known,
                       (array_agg(n.channel ORDER BY n.channel COLLATE "C" NULLS FIRST) FILTER (WHERE n.times > 0))[1] AS channel,
                       count(n.times) AS changes
                FROM merged AS m LEFT JOIN channel_net AS n ON n.customer_id %2$s m.customer_id AND n.ordered_at = m.first_order
                WHERE m.first_order IS NOT NULL
                GROUP BY m.customer_id, m.first_order, m.first_before
                HAVING count(n.times) > 0 OR m.first_before IS DISTINCT FROM m.first_order
            ), channel_read AS (
                SELECT f.customer_id,
                       (array_agg(x.channel ORDER BY x.channel COLLATE "C" NULLS FIRST))[1] AS channel
                FROM channel_first AS f JOIN (%3$s) AS x ON x.customer_id %2$s f.customer_id AND x.ordered_at = f.first_order
                WHERE NOT f.is_known AND x.amount >= 0
                GROUP BY f.customer_id
            )
            $sql$, s.shop, same, crm.shop_select(s, crm.shop_source(s)));
        firsts := ', crm.first_order(c.history) AS first_order, crm.first_order(c.history_before) AS first_before';
        channel_joins := format('LEFT JOIN channel_first AS cf ON cf.customer_id %1$s m.customer_id '
                                'LEFT JOIN channel_read AS cr ON cr.customer_id %1$s m.customer_id', same);
        channel := 'CASE WHEN m.first_order IS NULL THEN NULL WHEN cf.customer_id IS NULL THEN m.channel_before '
                   'WHEN cf.is_known THEN cf.channel ELSE cr.channel END';
    END IF;
    RETURN format($sql$
        WITH picked AS MATERIALIZED (
            %3$s
        ), taken AS MATERIALIZED (
            DELETE FROM %1$I.change_queue AS q
            USING picked AS p
            WHERE q.customer_id %2$s p.customer_id
            RETURNING q.customer_id, q.ordered_at, q.amount, q.times, q.channel
        ), change AS (
            SELECT n.customer_id,
                   crm.history(n.ordered_at, n.amount) FILTER (WHERE n.times > 0) AS added,
                   crm.history(n.ordered_at, n.amount) FILTER (WHERE n.times < 0) AS removed
            FROM (SELECT t.customer_id, t.ordered_at, t.amount, t.times
                  FROM %10$s AS t
                  WHERE t.times IN (1, -1)
                  UNION ALL
                  SELECT t.customer_id, t.ordered_at, t.amount, t.times
                  FROM %10$s AS t, generate_series(1, abs(t.times))
                  WHERE t.times NOT IN (1, -1)) AS n
            GROUP BY n.customer_id
        ), changed AS (
            SELECT coalesce(h.customer_id, p.customer_id) AS customer_id, h.tid, h.history AS history_before,
                   h.channel AS channel_before, h.score AS score_before, h.segment AS segment_before, h.tier AS tier_before,
                   CASE WHEN c.removed IS NULL THEN known.history ELSE known.history OPERATOR(crm.-) c.removed END AS history
            FROM picked AS p
                 LEFT JOIN change AS c ON c.customer_id %2$s p.customer_id
                 -- LIMIT keeps the planner from reading all histories where it thinks that the batch is large.
                 LEFT JOIN LATERAL (SELECT g.ctid AS tid, g.* FROM %1$I.customer_history AS g
                                    WHERE g.customer_id %2$s p.customer_id LIMIT 1) AS h ON true,
                 LATERAL (SELECT CASE WHEN c.added IS NULL THEN coalesce(h.history, '[]')
                                      ELSE coalesce(h.history, '[]') OPERATOR(crm.||) c.added END) AS known (history)
        ), merged AS MATERIALIZED (
            SELECT c.customer_id, c.tid, c.history, c.channel_before, c.score_before, c.segment_before, c.tier_before,
                   c.history OPERATOR(crm.=) '[]'::crm.history AS is_gone,
                   (c.history OPERATOR(crm.=) c.history_before) IS NOT TRUE AS is_changed%9$s
            FROM changed AS c
        )
        %4$s
        , channelled AS (
            SELECT m.*, %5$s AS channel FROM merged AS m %6$s
        ), scored AS MATERIALIZED (
            SELECT g.*, CASE WHEN g.is_gone THEN NULL WHEN $4 THEN a.score ELSE g.score_before END AS score,
                   CASE WHEN g.is_gone THEN NULL WHEN $4 THEN a.segment ELSE g.segment_before END AS segment,
                   CASE WHEN g.is_gone THEN NULL WHEN $4 THEN a.tier ELSE g.tier_before END AS tier
            FROM %7$s
        ), inserted AS (
            INSERT INTO %1$I.customer_history AS h (customer_id, history, channel, score, segment, tier)
            SELECT n.customer_id, n.history, n.channel, n.score, n.segment, n.tier
            FROM scored AS n
            WHERE n.tid IS NULL AND NOT n.is_gone
            RETURNING %11$s
        ), updated AS (
            UPDATE %1$I.customer_history AS h
            SET history = n.history, channel = n.channel, score = n.score, segment = n.segment, tier = n.tier
            FROM scored AS n
            WHERE h.ctid = n.tid AND NOT n.is_gone
                  AND (n.is_changed OR n.channel IS DISTINCT FROM n.channel_before)
            RETURNING %11$s
        ), deleted AS (
            DELETE FROM %1$I.customer_history AS h
            USING scored AS n
            WHERE h.ctid = n.tid AND n.is_gone
            RETURNING %11$s
        ), %8$s%12$s
        SELECT (SELECT count(*) FROM taken) AS taken,
               (SELECT count(*) FROM inserted) + (SELECT count(*) FROM updated) + (SELECT count(*) FROM deleted) AS written
        $sql$,
        s.shop, same, format(picked, s.shop), channels, channel, channel_joins, crm.answer_sql(s.shop, 'channelled'),
        crm.note_sql(s.shop, '$5', 'scored', '$6', '$1', '$6'), firsts, entries, 'h.customer_id, ' || crm.member_sql(s.shop),
        crm.todo_sql(s.shop, 'inserted', 'updated', 'deleted'));
END $$;

COMMENT ON FUNCTION crm.apply_sql(crm.shop, boolean) IS
'The statement that takes the changes of some customers from the queue of a shop and applies them: those of the first rows, or of the customers given. A part of crm.refresh.';

CREATE TYPE crm.refresh_counts AS (taken bigint, written bigint, held bigint, again boolean);
COMMENT ON TYPE crm.refresh_counts IS 'What a part of a refresh did.';
COMMENT ON COLUMN crm.refresh_counts.taken IS 'Noted changes taken from the queue.';
COMMENT ON COLUMN crm.refresh_counts.written IS 'Rows of customers written or removed.';
COMMENT ON COLUMN crm.refresh_counts.held IS 'Noted changes that could not be applied and stay.';
COMMENT ON COLUMN crm.refresh_counts.again IS 'Whether the shop has to be looked at anew.';

CREATE FUNCTION crm.apply_batch(s crm.shop, r crm.refresh_run, scoring boolean) RETURNS crm.refresh_counts
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    day CONSTANT date := (r.as_of AT TIME ZONE s.zone)::date;
    counts crm.refresh_counts := (0, 0, 0, false);
    customers text[];
BEGIN
    BEGIN
        EXECUTE crm.apply_sql(s, false) INTO counts.taken, counts.written
        USING r.run, s.batch_rows, NULL::text[], scoring, day, s.answers_kept IS NOT NULL, r.queue_end;
    EXCEPTION WHEN invalid_parameter_value OR numeric_value_out_of_range OR datetime_field_overflow OR program_limit_exceeded THEN
        EXECUTE format('SELECT array_agg(DISTINCT f.customer_id::text) FROM (SELECT q.customer_id FROM %I.change_queue AS q '
                       'WHERE q.ctid < $3 AND q.held_by IS DISTINCT FROM $1 LIMIT $2) AS f', s.shop)
        INTO customers USING r.run, s.batch_rows, r.queue_end;
        counts := crm.apply_customers(s, r, scoring, day, customers);
    END;
    RETURN counts;
END $$;

COMMENT ON FUNCTION crm.apply_batch(crm.shop, crm.refresh_run, boolean) IS
'Applies the next noted changes of a shop, with new scores or without. A part of crm.refresh.';

-- Something in the batch cannot be applied: halve it until it is alone.
CREATE FUNCTION crm.apply_customers(s crm.shop, r crm.refresh_run, scoring boolean, day date, ids text[])
    RETURNS crm.refresh_counts
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    half CONSTANT int := cardinality(ids) / 2;
    counts crm.refresh_counts := (0, 0, 0, false);
    other crm.refresh_counts;
    state text;
    complaint text;
BEGIN
    BEGIN
        EXECUTE crm.apply_sql(s, true) INTO counts.taken, counts.written
        USING r.run, s.batch_rows, ids, scoring, day, s.answers_kept IS NOT NULL, r.queue_end;
        RETURN counts;
    EXCEPTION WHEN invalid_parameter_value OR numeric_value_out_of_range OR datetime_field_overflow OR program_limit_exceeded THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, complaint = MESSAGE_TEXT;
    END;
    IF half > 0 THEN
        counts := crm.apply_customers(s, r, scoring, day, ids[:half]);
        other := crm.apply_customers(s, r, scoring, day, ids[half + 1:]);
        RETURN (counts.taken + other.taken, counts.written + other.written, counts.held + other.held,
                counts.again OR other.again);
    ELSIF state = '22023' THEN
        EXECUTE format('INSERT INTO %I.attention (reason, detail) VALUES ($1, $2)', s.shop)
        USING 'changed orders were not known', format('customer %s: %s', ids[1], complaint);
        counts.again := true;
    ELSE
        EXECUTE format('UPDATE %I.change_queue SET held_by = $1 WHERE customer_id %s $2::%s', s.shop,
                       crm.shop_equality(s.shop), crm.shop_customer_type(s.shop))
        USING r.run, ids[1];
        GET DIAGNOSTICS counts.held = ROW_COUNT;
        UPDATE crm.own_refresh_run AS x
        SET held = x.held + counts.held, sqlstate = coalesce(x.sqlstate, state),
            error = coalesce(x.error, format('orders of customer %s cannot be counted: %s', ids[1], complaint))
        WHERE x.run = r.run;
    END IF;
    RETURN counts;
END $$;

COMMENT ON FUNCTION crm.apply_customers(crm.shop, crm.refresh_run, boolean, date, text[]) IS
'Applies the noted changes of some customers where a batch failed: who cannot be counted is left in the queue for the next run; where changes contradict what is stored, it asks for a rebuild. A part of crm.refresh.';

-- Compares in the pass itself: only customers that differ become rows.
CREATE FUNCTION crm.history_changes(orders text, stored text, key anyelement)
    RETURNS TABLE(customer_id anyelement, place tid, history crm.history, channel text)
    LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 ROWS 10000 AS 'MODULE_PATHNAME', 'crm_history_changes';

COMMENT ON FUNCTION crm.history_changes(text, text, anyelement) IS
'What a pass over orders finds, less what is stored: orders is a query as for crm.histories, with the channel as an optional fourth column; stored one of customer, ctid, history (NULL: differs in any case) and channel. One row for each customer whose history or entry channel differs, place NULL where nothing is stored, and history NULL where there are no orders. Of several purchases at the same microsecond, the first one''s channel sorts first, NULL before all. A part of crm.rebuild.';

CREATE FUNCTION crm.rebuild_histories(s crm.shop, r crm.refresh_run) RETURNS crm.refresh_counts
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    counts crm.refresh_counts := (0, 0, 0, false);
    rolled CONSTANT record := crm.roll_scoring(s, r.as_of, true);
    -- The platform may have widened its customer ids: they are read as the shop keeps them, as long as they fit.
    customer_type CONSTANT text := crm.shop_customer_type(s.shop);
    orders CONSTANT text := format('SELECT e.customer_id::%s, e.ordered_at, e.amount%s FROM (%s) AS e', customer_type,
                                   CASE WHEN s.channel IS NOT NULL THEN ', e.channel' END,
                                   crm.shop_select(s, crm.shop_source(s)));
    is_first boolean;
    stored text;
    statement text;
BEGIN
    EXECUTE format('UPDATE %I.scoring SET columns_read = crm.order_columns($1, captured)', s.shop) USING s.shop;
    EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I.customer_history)', s.shop) INTO is_first;
    -- Who has another answer than the stored one differs, whatever the orders say.
    stored := format('SELECT g.customer_id, g.tid, CASE WHEN a.score IS NOT DISTINCT FROM g.score '
                     'AND a.segment IS NOT DISTINCT FROM g.segment AND a.tier IS NOT DISTINCT FROM g.tier '
                     'THEN g.history END, g.channel FROM %s', crm.answer_sql(s.shop, crm.stored_sql(s.shop)));
    statement := format($sql$
        WITH emptied AS (DELETE FROM %1$I.change_queue RETURNING 1), heeded AS (
            DELETE FROM %1$I.attention AS a -- what one snapshot may not have seen stays: orders written before the triggers were there
            WHERE current_setting('transaction_isolation') = 'read committed' OR a.noted_at < transaction_timestamp()
        ),
        differing AS MATERIALIZED (
            SELECT g.customer_id, g.place, g.history, g.channel, a.score, a.segment, a.tier,
                   h.score AS score_before, h.segment AS segment_before, h.tier AS tier_before
            FROM %2$s
                 LEFT JOIN LATERAL (SELECT x.score, x.segment, x.tier FROM %1$I.customer_history AS x
                                    WHERE x.ctid = g.place LIMIT 1) AS h ON true
        ), inserted AS (
            INSERT INTO %1$I.customer_history (customer_id, history, channel, score, segment, tier)
            SELECT d.customer_id, d.history, d.channel, d.score, d.segment, d.tier
            FROM differing AS d
            WHERE d.place IS NULL
        ), updated AS (
            UPDATE %1$I.customer_history AS h
            SET history = d.history, channel = d.channel, score = d.score, segment = d.segment, tier = d.tier
            FROM differing AS d
            WHERE h.ctid = d.place AND d.history IS NOT NULL
        ), deleted AS (
            DELETE FROM %1$I.customer_history AS h
            USING differing AS d
            WHERE h.ctid = d.place AND d.history IS NULL
            RETURNING h.customer_id, %4$s
        ), %3$s%5$s
        SELECT (SELECT count(*) FROM emptied), (SELECT count(*) FROM differing)
        $sql$, s.shop,
        crm.answer_sql(s.shop, format('crm.history_changes(%L, %L, NULL::%s)', orders, stored, customer_type)),
        crm.note_sql(s.shop, format('(SELECT day FROM %I.scoring)', s.shop), 'differing', '$1', '$2', '$3'),
        crm.member_sql(s.shop), crm.todo_sql(s.shop, 'deleted'));
    IF is_first THEN -- an index is faster made afterwards
        EXECUTE format('ALTER TABLE %I.customer_history DROP CONSTRAINT customer_history_pkey', s.shop);
    END IF;
    EXECUTE statement INTO counts.taken, counts.written USING rolled.noting, r.run, rolled.telling;
    IF is_first THEN
        EXECUTE format('ALTER TABLE %I.customer_history ADD PRIMARY KEY (customer_id)', s.shop);
        EXECUTE format('ANALYZE %I.customer_history', s.shop);
    END IF;
    RETURN counts;
END $$;

COMMENT ON FUNCTION crm.rebuild_histories(crm.shop, crm.refresh_run) IS
'Reads all orders of a shop in one pass, scores all customers, writes those that differ, and makes the noted changes void. A part of crm.refresh and crm.rebuild.';
