-- Scores of a shop: functions of a customer's own history, of as_of and of the cut points that are in force.

-- The alias a has score, segment and tier; c is the row of the shop's table scoring.
CREATE FUNCTION crm.answer_sql(history text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.format($sql$
    LATERAL (SELECT crm.rfm(%s, c.as_of, c.lookback) AS measures OFFSET 0) AS measured,
    LATERAL (SELECT crm.rfm_grade(measured.measures, c.bands) AS score OFFSET 0) AS graded,
    LATERAL (SELECT (100 * crm.r(graded.score) + 10 * crm.f(graded.score) + crm.m(graded.score))::smallint AS score,
                    crm.rfm_segment(graded.score, c.map) AS segment,
                    c.tier_names[greatest(width_bucket((measured.measures).monetary, c.tier_bounds), 1)] AS tier) AS a
    $sql$, history);

COMMENT ON FUNCTION crm.answer_sql(text) IS
'The FROM items that give score, segment and tier of a history. A part of crm.refresh.';

CREATE FUNCTION crm.note_sql(shop name, day text, changed text, condition text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.format($sql$
    INSERT INTO %1$I.answer_change AS a (day, customer_id, score_before, segment_before, tier_before, score, segment, tier)
    SELECT %2$s, n.customer_id, n.score_before, n.segment_before, n.tier_before, n.score, n.segment, n.tier
    FROM %3$I AS n
    WHERE %4$s AND (n.score IS DISTINCT FROM n.score_before OR n.segment IS DISTINCT FROM n.segment_before
                    OR n.tier IS DISTINCT FROM n.tier_before)
    ON CONFLICT (customer_id, day) DO UPDATE SET score = excluded.score, segment = excluded.segment, tier = excluded.tier
    $sql$, shop, day, changed, condition);

COMMENT ON FUNCTION crm.note_sql(name, text, text, text) IS
'The INSERT that notes changed answers in answer_change. A part of crm.refresh.';

CREATE FUNCTION crm.rfm_map_digest(map name) RETURNS text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.md5(pg_catalog.concat(
               (SELECT m FROM crm.rfm_map AS m WHERE m.map = rfm_map_digest.map),
               (SELECT pg_catalog.string_agg(r::text, ',' ORDER BY r.position) FROM crm.rfm_map_rule AS r
                WHERE r.map = rfm_map_digest.map)));
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

CREATE FUNCTION crm.roll_scoring(s crm.shop, as_of timestamptz, from_orders boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    day CONSTANT date := (as_of AT TIME ZONE s.zone)::date;
    -- an interval of hours, which means the same in every session's time zone
    lookback CONSTANT interval := make_interval(secs => extract(epoch FROM
        as_of - ((as_of AT TIME ZONE s.zone) - s.span) AT TIME ZONE s.zone)::float8);
    cuts crm.rfm_bands := s.bands;
    day_before date;
    was_stale boolean;
BEGIN
    EXECUTE format('SELECT c.day, c.is_stale FROM %I.scoring AS c', s.shop) INTO STRICT day_before, was_stale;
    IF day < day_before THEN
        EXECUTE format('DELETE FROM %I.answer_change', s.shop);
        EXECUTE format('UPDATE %I.scoring SET known_since = NULL', s.shop);
        EXECUTE format('DELETE FROM %I.band WHERE valid_from > $1', s.shop) USING day;
    END IF;
    IF s.grades IS NOT NULL THEN
        cuts := crm.review_bands(s, day, as_of, lookback, from_orders, was_stale);
    END IF;
    EXECUTE format($sql$
        UPDATE %I.scoring
        SET day = $1, as_of = $2, lookback = $3, bands = $4, map = $5, map_digest = crm.rfm_map_digest($5),
            tier_names = (SELECT array_agg(t.tier) FROM unnest($6) AS t),
            tier_labels_ja = (SELECT array_agg(coalesce(t.label_ja, t.tier)) FROM unnest($6) AS t),
            tier_bounds = (SELECT array_agg(t.at_least) FROM unnest($6) AS t),
            is_stale = false, known_since = coalesce(known_since, $1)
        $sql$, s.shop)
    USING day, as_of, lookback, cuts, s.map, s.tiers;
    EXECUTE format('DELETE FROM %I.segment_label', s.shop);
    EXECUTE format('INSERT INTO %I.segment_label (segment, label, label_ja, position) '
                   'SELECT m.segment, m.label, m.label_ja, row_number() OVER (ORDER BY coalesce(r.position, 1000)) '
                   'FROM (SELECT DISTINCT x.segment, x.label, x.label_ja FROM crm.rfm_map_scores($1) AS x '
                   '      WHERE x.segment IS NOT NULL) AS m '
                   'LEFT JOIN crm.rfm_map_rule AS r ON r.map = $1 AND r.segment = m.segment', s.shop)
    USING s.map;
END $$;

COMMENT ON FUNCTION crm.roll_scoring(crm.shop, timestamptz, boolean) IS
'Moves what scores depend on, in the table scoring, to a day and to the settings of the shop; the scores themselves have to follow. A part of crm.refresh.';

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
                   CASE WHEN from_orders
                        THEN format('crm.histories_by_channel(%L, NULL::%s)', crm.shop_select(s, crm.shop_source(s)),
                                    crm.shop_customer_type(s.shop))
                        ELSE format('%I.customer_history', s.shop) END)
    INTO cuts USING as_of, lookback, s.grades;
    IF cuts IS NOT NULL THEN
        EXECUTE format('INSERT INTO %I.band (valid_from, bands) VALUES ($1, $2) '
                       'ON CONFLICT (valid_from) DO UPDATE SET bands = excluded.bands', s.shop) USING day, cuts;
    END IF;
    RETURN cuts;
END $$;

COMMENT ON FUNCTION crm.review_bands(crm.shop, date, timestamptz, interval, boolean, boolean) IS
'The quantile cut points of a shop that are in force on a day: those decided in the same quarter, or new ones, which are kept in the table band. NULL while there are no customers. A part of crm.refresh.';

CREATE FUNCTION crm.rescore(s crm.shop, as_of timestamptz) RETURNS crm.refresh_counts
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    counts crm.refresh_counts := (0, 0, 0, false);
BEGIN
    PERFORM crm.roll_scoring(s, as_of, false);
    EXECUTE format($sql$
        WITH differing AS MATERIALIZED (
            SELECT h.ctid AS tid, h.customer_id, a.score, a.segment, a.tier,
                   h.score AS score_before, h.segment AS segment_before, h.tier AS tier_before
            FROM %1$I.customer_history AS h, (SELECT * FROM %1$I.scoring LIMIT 1) AS c, %2$s
            WHERE a.score IS DISTINCT FROM h.score OR a.segment IS DISTINCT FROM h.segment OR a.tier IS DISTINCT FROM h.tier
        ), updated AS (
            UPDATE %1$I.customer_history AS h
            SET score = d.score, segment = d.segment, tier = d.tier
            FROM differing AS d
            WHERE h.ctid = d.tid
        ), noted AS (
            %3$s
        )
        SELECT count(*) FROM differing
        $sql$, s.shop, crm.answer_sql('h.history'), crm.note_sql(s.shop, '$1', 'differing', '$2'))
    INTO counts.written
    USING (as_of AT TIME ZONE s.zone)::date, s.answers_kept IS NOT NULL;
    RETURN counts;
END $$;

COMMENT ON FUNCTION crm.rescore(crm.shop, timestamptz) IS
'Scores all customers of a shop as of a day and writes the scores that differ. A part of crm.refresh.';

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
    END IF;
END $$;

COMMENT ON FUNCTION crm.prune_answers(crm.shop) IS
'Removes noted changes of answers that are older than the shop keeps them. A part of crm.refresh.';
