-- Scores of a shop: functions of a customer's own history, of as_of and of the cut points that are in force.

CREATE FUNCTION crm.held_tier_sql(scoring text, history text, monetary text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.format('CASE WHEN %1$s.tier_period IS NULL THEN crm.tier(%3$s, %1$s.ladder) '
                         'ELSE crm.tier(%2$s, %1$s.tier_period, %1$s.as_of, %1$s.ladder) END', scoring, history, monetary);

COMMENT ON FUNCTION crm.held_tier_sql(text, text, text) IS
'The expression of a customer''s crm.tier: by the monetary value of the span or by the calendar, as scoring says. A part of crm.refresh.';

-- Written out, because every row of a large table passes here: one call for the score, and no join for each row.
CREATE FUNCTION crm.answer_sql(shop name, histories text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.format($sql$
    (SELECT r.*, crm.rfm_score(r.history, c.as_of, c.lookback, c.bands) AS graded,
            c.as_of, c.lookback, c.map, c.ladder, c.tier_period
     FROM %s AS r, (SELECT * FROM %I.scoring LIMIT 1) AS c
     OFFSET 0) AS g,
    LATERAL (SELECT (100 * crm.r(g.graded) + 10 * crm.f(g.graded) + crm.m(g.graded))::smallint AS score,
                    crm.rfm_segment(g.graded, g.map) AS segment,
                    CASE WHEN NOT (g.ladder IS NULL) AND g.graded IS NOT NULL THEN (%s).tier END AS tier) AS a
    $sql$, histories, shop, crm.held_tier_sql('g', 'g.history', '(crm.rfm(g.history, g.as_of, g.lookback)).monetary'));

COMMENT ON FUNCTION crm.answer_sql(name, text) IS
'The FROM items that give score, segment and tier, as a, of rows with a history, which are g. A part of crm.refresh.';

CREATE FUNCTION crm.stored_sql(shop name) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.format('(SELECT h.ctid AS tid, h.* FROM %I.customer_history AS h)', shop);

COMMENT ON FUNCTION crm.stored_sql(name) IS 'The FROM item of the stored customers of a shop. A part of crm.refresh.';

-- Dearer than it looks, were it ON CONFLICT. LIMIT makes each look-up one in the index.
CREATE FUNCTION crm.note_sql(shop name, day text, changed text, condition text, run text, is_told text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN format($sql$
    noting AS MATERIALIZED (
        SELECT n.customer_id, n.score_before, n.segment_before, n.tier_before, n.score, n.segment, n.tier, on_day.day, a.tid
        FROM (SELECT %5$s AS day) AS on_day, %2$I AS n
             LEFT JOIN LATERAL (SELECT x.ctid AS tid FROM %1$I.answer_change AS x
                                WHERE x.customer_id %4$s n.customer_id AND x.day = %5$s LIMIT 1) AS a ON true
        WHERE %3$s AND (n.score IS DISTINCT FROM n.score_before OR n.segment IS DISTINCT FROM n.segment_before
                        OR n.tier IS DISTINCT FROM n.tier_before)
    ), noted AS (
        INSERT INTO %1$I.answer_change (day, customer_id, score_before, segment_before, tier_before, score, segment, tier)
        SELECT n.day, n.customer_id, n.score_before, n.segment_before, n.tier_before, n.score, n.segment, n.tier
        FROM noting AS n
        WHERE n.tid IS NULL
    ), noted_again AS (
        UPDATE %1$I.answer_change AS a SET score = n.score, segment = n.segment, tier = n.tier
        FROM noting AS n
        WHERE a.ctid = n.tid
    ), told AS (
        %6$s
    )
    $sql$, shop, changed, condition, crm.shop_equality(shop), day, crm.event_sql(shop, day, run, format($sql$
        SELECT CASE WHEN v.rank > v.rank_before THEN 'promoted' ELSE 'demoted' END AS kind, NULL::text AS segment,
               NULL::int AS version, v.customer_id, v.tier_before, v.tier
        FROM (SELECT n.customer_id, n.tier_before, n.tier, crm.tier_rank(n.tier_before, c.ladder) AS rank_before,
                     crm.tier_rank(n.tier, c.ladder) AS rank
              FROM %2$I AS n CROSS JOIN %1$I.scoring AS c
              WHERE n.tier IS DISTINCT FROM n.tier_before AND %3$s) AS v
        WHERE v.rank <> v.rank_before
        ORDER BY v.customer_id
        $sql$, shop, changed, is_told)));
END $$;

COMMENT ON FUNCTION crm.note_sql(name, text, text, text, text, text) IS
'The WITH items that note the changed answers of a day in answer_change, of rows with answers and answers before, once a customer and day; and that write promotions and demotions as events of a run. Both under a condition of their own. A part of crm.refresh.';

CREATE FUNCTION crm.rfm_map_digest(map name) RETURNS text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.hashtextextended(pg_catalog.concat(
               (SELECT m FROM crm.rfm_map AS m WHERE m.map = rfm_map_digest.map),
               (SELECT pg_catalog.string_agg(r::text, ',' ORDER BY r.position) FROM crm.rfm_map_rule AS r
                WHERE r.map = rfm_map_digest.map)), 0)::text;
END;

COMMENT ON FUNCTION crm.rfm_map_digest(name) IS 'Changes when the map does. A part of crm.refresh.';

CREATE FUNCTION crm.must_rescore(s crm.shop, as_of timestamptz) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    must boolean;
BEGIN
    EXECUTE format('SELECT c.as_of IS DISTINCT FROM $1 OR c.is_stale OR c.bands IS NULL '
                   'OR c.map_digest IS DISTINCT FROM crm.rfm_map_digest($2) FROM %I.scoring AS c', s.shop)
    INTO STRICT must USING as_of, s.map;
    RETURN must;
END $$;

COMMENT ON FUNCTION crm.must_rescore(crm.shop, timestamptz) IS
'Whether all customers of a shop have to be scored: on a new day, for other settings or another content of the map. A part of crm.refresh.';

CREATE FUNCTION crm.roll_scoring(s crm.shop, as_of timestamptz, from_orders boolean, OUT noting boolean, OUT telling boolean)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    day CONSTANT date := (as_of AT TIME ZONE s.zone)::date;
    -- an interval of hours, which means the same in every session's time zone
    lookback CONSTANT interval := make_interval(secs => extract(epoch FROM
        as_of - ((as_of AT TIME ZONE s.zone) - s.span) AT TIME ZONE s.zone)::float8);
    cuts crm.rfm_bands := s.bands;
    before record;
    goes_back boolean;
BEGIN
    EXECUTE format('SELECT c.day, c.known_since, c.is_stale, c.bands FROM %I.scoring AS c', s.shop) INTO STRICT before;
    goes_back := coalesce(day < before.day, false);
    IF goes_back THEN
        EXECUTE format('DELETE FROM %I.answer_change', s.shop);
        EXECUTE format('DELETE FROM %I.band WHERE valid_from > $1', s.shop) USING day;
        EXECUTE format('DELETE FROM %I.model WHERE fitted_on > $1', s.shop) USING day;
        PERFORM crm.forget_segment_days(s, day);
    END IF;
    IF s.grades IS NOT NULL THEN
        cuts := crm.review_bands(s, day, as_of, lookback, from_orders, before.bands IS NULL);
    END IF;
    EXECUTE format($sql$
        UPDATE %I.scoring
        SET day = $1, as_of = $2, lookback = $3, bands = $4, map = $5, map_digest = crm.rfm_map_digest($5),
            ladder = CASE WHEN NOT $6 IS NULL THEN crm.tier_ladder(($6).names, ($6).thresholds, ARRAY(
                SELECT crm.tier_label_ja(t.name, $6) FROM unnest(($6).names) WITH ORDINALITY AS t (name, place) ORDER BY t.place)) END,
            tier_period = crm.calendar($7, $8),
            is_stale = false, known_since = CASE WHEN $9 THEN $1 ELSE coalesce(known_since, $1) END
        $sql$, s.shop)
    USING day, as_of, lookback, cuts, s.map, s.tiers, s.tier_period, s.zone, goes_back;
    EXECUTE format('DELETE FROM %I.segment_label', s.shop);
    EXECUTE format('INSERT INTO %I.segment_label (segment, label, label_ja, position) '
                   'SELECT m.segment, m.label, m.label_ja, row_number() OVER (ORDER BY coalesce(r.position, 1000)) '
                   'FROM (SELECT DISTINCT x.segment, x.label, x.label_ja FROM crm.rfm_map_scores($1) AS x '
                   '      WHERE x.segment IS NOT NULL) AS m '
                   'LEFT JOIN crm.rfm_map_rule AS r ON r.map = $1 AND r.segment = m.segment', s.shop)
    USING s.map;
    noting := s.answers_kept IS NOT NULL AND before.known_since IS NOT NULL AND NOT goes_back;
    telling := noting AND NOT before.is_stale;
END $$;

COMMENT ON FUNCTION crm.roll_scoring(crm.shop, timestamptz, boolean) IS
'Moves what scores depend on, in the table scoring, to a day and to the settings of the shop; the scores themselves have to follow. Returns whether changes of answers are to be noted: not from the first answers, nor when the shop goes back to an earlier day; and whether promotions and demotions are to be told: neither where settings have changed, since that is nothing a customer did. A part of crm.refresh.';

CREATE FUNCTION crm.review_bands(s crm.shop, day date, as_of timestamptz, lookback interval, from_orders boolean, anew boolean)
    RETURNS crm.rfm_bands
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decided record;
    cuts crm.rfm_bands;
BEGIN
    EXECUTE format('SELECT b.valid_from, b.bands, cardinality((b.bands).recency) + 1 AS grades FROM %I.band AS b '
                   'ORDER BY b.valid_from DESC LIMIT 1', s.shop)
    INTO decided;
    IF date_trunc('quarter', decided.valid_from::timestamp) = date_trunc('quarter', day::timestamp)
       AND decided.grades = s.grades AND NOT anew THEN
        RETURN decided.bands;
    END IF;
    EXECUTE format('SELECT (q.cuts).* FROM (SELECT crm.rfm_quantiles(crm.rfm(h.history, $1, $2), $3) AS cuts FROM %s AS h) AS q',
                   CASE WHEN from_orders THEN crm.shop_histories(s) ELSE format('%I.customer_history', s.shop) END)
    INTO cuts USING as_of, lookback, s.grades;
    IF cuts IS NOT NULL THEN
        EXECUTE format('INSERT INTO %I.band (valid_from, bands) VALUES ($1, $2) '
                       'ON CONFLICT (valid_from) DO UPDATE SET bands = excluded.bands', s.shop) USING day, cuts;
        RETURN cuts;
    END IF;
    RETURN NULL; -- what an aggregate says of nobody would be a row of NULLs here
END $$;

COMMENT ON FUNCTION crm.review_bands(crm.shop, date, timestamptz, interval, boolean, boolean) IS
'The quantile cut points of a shop that are in force on a day: those decided in the same quarter, or new ones where there are none or they are asked for, which are kept in the table band. NULL while nobody has bought. A part of crm.refresh.';

CREATE FUNCTION crm.score_all(s crm.shop, r crm.refresh_run) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rolled CONSTANT record := crm.roll_scoring(s, r.as_of, false);
    written bigint;
BEGIN
    EXECUTE format($sql$
        WITH differing AS MATERIALIZED (
            SELECT g.tid, g.customer_id, a.score, a.segment, a.tier,
                   g.score AS score_before, g.segment AS segment_before, g.tier AS tier_before
            FROM %2$s
            WHERE a.score IS DISTINCT FROM g.score OR a.segment IS DISTINCT FROM g.segment OR a.tier IS DISTINCT FROM g.tier
        ), updated AS (
            UPDATE %1$I.customer_history AS h
            SET score = d.score, segment = d.segment, tier = d.tier
            FROM differing AS d
            WHERE h.ctid = d.tid
        ), %3$s
        SELECT count(*) FROM differing
        $sql$, s.shop, crm.answer_sql(s.shop, crm.stored_sql(s.shop)),
        crm.note_sql(s.shop, format('(SELECT day FROM %I.scoring)', s.shop), 'differing', '$1', '$2', '$3'))
    INTO written USING rolled.noting, r.run, rolled.telling;
    RETURN written;
END $$;

COMMENT ON FUNCTION crm.score_all(crm.shop, crm.refresh_run) IS
'Scores all customers of a shop as of the day of a run, writes the scores that differ, and notes the changes; returns how many. A part of crm.refresh.';

CREATE FUNCTION crm.fit_models(s crm.shop, as_of timestamptz) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    day CONSTANT date := (as_of AT TIME ZONE s.zone)::date;
    fit_sql CONSTANT text := 'SELECT (f.model).* FROM (SELECT crm.%s(h.history, $1, $2) AS model FROM %I.customer_history AS h) AS f';
    calendar CONSTANT crm.calendar := crm.calendar('week', s.zone);
    is_due boolean;
    churn crm.mbgnbd;
    spend crm.gamma_gamma;
    notes text;
    changed int := 0;
BEGIN
    EXECUTE format('SELECT coalesce(max(date_trunc(''month'', m.fitted_on::timestamp)) <> date_trunc(''month'', $1::timestamp), true) '
                   'FROM %I.model AS m', s.shop)
    INTO is_due USING day;
    IF s.horizon IS NULL THEN
        EXECUTE format('UPDATE %I.scoring SET churn_model = NULL, spend_model = NULL WHERE NOT (churn_model IS NULL)', s.shop);
        GET DIAGNOSTICS changed = ROW_COUNT;
        RETURN changed > 0;
    ELSIF NOT is_due THEN
        -- back again after a time without
        EXECUTE format('UPDATE %1$I.scoring AS c SET churn_model = m.churn, spend_model = m.spend FROM %1$I.model AS m '
                       'WHERE c.churn_model IS NULL AND NOT (m.churn IS NULL) '
                       'AND m.fitted_on = (SELECT max(x.fitted_on) FROM %1$I.model AS x)', s.shop);
        GET DIAGNOSTICS changed = ROW_COUNT;
        RETURN changed > 0;
    END IF;
    BEGIN
        EXECUTE format(fit_sql, 'mbgnbd_fit', s.shop) INTO churn USING calendar, as_of;
    EXCEPTION WHEN invalid_parameter_value THEN
        notes := SQLERRM; -- too few orders yet
    END;
    BEGIN
        EXECUTE format(fit_sql, 'gamma_gamma_fit', s.shop) INTO spend USING calendar, as_of;
    EXCEPTION WHEN invalid_parameter_value THEN
        notes := concat_ws('; ', nullif(notes, SQLERRM), SQLERRM);
    END;
    IF NOT (churn IS NULL) OR notes IS NOT NULL THEN -- a row without a NULL is something else
        EXECUTE format('INSERT INTO %I.model (fitted_on, churn, spend, note) VALUES ($1, $2, $3, $4) ON CONFLICT (fitted_on) DO UPDATE '
                       'SET churn = excluded.churn, spend = excluded.spend, note = excluded.note', s.shop)
        USING day, churn, spend, notes;
        EXECUTE format('UPDATE %I.scoring SET churn_model = $1, spend_model = $2', s.shop) USING churn, spend;
        GET DIAGNOSTICS changed = ROW_COUNT;
    END IF;
    RETURN changed > 0;
END $$;

COMMENT ON FUNCTION crm.fit_models(crm.shop, timestamptz) IS
'Fits the lifetime models of a shop where this month has none yet, by its stored histories. Returns whether other models are in force now. A part of crm.refresh.';

-- Each customer counts once, so that those who buy each week do not speak for all others.
CREATE FUNCTION crm.find_typical_days(s crm.shop, as_of timestamptz) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    day CONSTANT date := (as_of AT TIME ZONE s.zone)::date;
BEGIN
    EXECUTE format($sql$
        UPDATE %1$I.scoring
        SET typical_days = (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY (crm.dormancy(h.history, $2)).typical_days)
                            FROM %1$I.customer_history AS h),
            typical_since = $1
        WHERE typical_since IS NULL OR typical_since > $1 OR typical_days IS NULL AND typical_since <> $1
              OR date_trunc('month', typical_since::timestamp) <> date_trunc('month', $1::timestamp)
        $sql$, s.shop) USING day, as_of;
END $$;

COMMENT ON FUNCTION crm.find_typical_days(crm.shop, timestamptz) IS
'Finds the usual days between two purchases of a shop where this month has none yet, by its stored histories. A part of crm.refresh.';

CREATE FUNCTION crm.prune_answers(s crm.shop) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moved int;
BEGIN
    EXECUTE format('UPDATE %I.scoring SET known_since = coalesce((day - $1)::date, day) '
                   'WHERE known_since < coalesce((day - $1)::date, day)', s.shop)
    USING s.answers_kept;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved > 0 THEN
        EXECUTE format('DELETE FROM %1$I.answer_change WHERE day <= (SELECT known_since FROM %1$I.scoring)', s.shop);
        PERFORM crm.prune_segments(s);
    END IF;
END $$;

COMMENT ON FUNCTION crm.prune_answers(crm.shop) IS
'Removes noted changes of answers and segments that are older than the shop keeps them. A part of crm.refresh.';
