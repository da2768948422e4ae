-- reading segments of a shop, with the rights of the caller

CREATE TYPE crm.segment AS (
    segment text, version int, label text, label_ja text, family text, operation crm.set_operation, parts text[]);

COMMENT ON TYPE crm.segment IS 'The definition of a segment that is in force.';
COMMENT ON COLUMN crm.segment.segment IS 'Name of the segment.';
COMMENT ON COLUMN crm.segment.version IS 'Number of the definition.';
COMMENT ON COLUMN crm.segment.label IS 'English label.';
COMMENT ON COLUMN crm.segment.label_ja IS 'Japanese label.';
COMMENT ON COLUMN crm.segment.family IS 'The exclusive family that it belongs to; NULL for none.';
COMMENT ON COLUMN crm.segment.operation IS 'How the parts are combined; NULL for a condition.';
COMMENT ON COLUMN crm.segment.parts IS 'The segments that are combined; NULL for a condition.';

CREATE FUNCTION crm.check_shop_exists(shop name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM crm.shop AS s WHERE s.shop = check_shop_exists.shop) THEN
        RAISE undefined_object USING
            MESSAGE = format('shop "%s" does not exist', shop),
            HINT = (SELECT coalesce('There are: ' || string_agg(s.shop, ', ' ORDER BY s.shop) || '.',
                                    'Make one with crm.create_shop.')
                    FROM crm.shop AS s);
    END IF;
END $$;

COMMENT ON FUNCTION crm.check_shop_exists(name) IS
'Refuses a name that no shop has. Errors: 42704, the hint lists the shops. A part of crm.segment_members.';

CREATE FUNCTION crm.find_segment(shop name, segment text) RETURNS crm.segment
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    definition crm.segment;
    others text;
BEGIN
    PERFORM crm.check_shop_exists(shop);
    EXECUTE format('SELECT d.* FROM %I.segment_in_force AS d WHERE d.segment = $1', shop) INTO definition USING segment;
    IF definition.segment IS NULL THEN
        EXECUTE format('SELECT string_agg(d.segment, '', '' ORDER BY d.segment) FROM %I.segment_in_force AS d', shop)
        INTO others;
        RAISE undefined_object USING
            MESSAGE = format('segment "%s" of shop "%s" does not exist', segment, shop),
            HINT = coalesce('There are: ' || others || '.', 'Define one with crm.define_segment.');
    END IF;
    RETURN definition;
END $$;

COMMENT ON FUNCTION crm.find_segment(name, text) IS
'The definition of a segment of a shop that is in force. Errors: 42704 no such shop or segment; the hint lists those that there are. A part of crm.segment_members.';

CREATE FUNCTION crm.segment_set_of(shop name, segment text, as_of date DEFAULT NULL) RETURNS crm.idset
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD'
AS $$
DECLARE
    known record;
    change record;
    result crm.idset;
BEGIN
    PERFORM crm.check_shop_exists(shop);
    EXECUTE format('SELECT o.members, o.known_since, (SELECT coalesce(max(x.day) FILTER (WHERE d.segment IS NOT NULL), max(x.day)) '
                   'FROM %1$I.segment_known AS x LEFT JOIN %1$I.segment_in_force AS d ' -- a dropped one has the day of its end
                   'ON d.segment = x.segment) AS today '
                   'FROM %1$I.segment_known AS o WHERE o.segment = $1', shop)
    INTO known USING segment;
    IF known.known_since IS NULL THEN
        PERFORM crm.find_segment(shop, segment);
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('segment "%s" of shop "%s" has not been evaluated yet', segment, shop),
            HINT = format('CALL crm.refresh(%L);', shop);
    ELSIF as_of IS NULL THEN
        PERFORM crm.find_segment(shop, segment); -- a dropped one has a past only
    ELSIF as_of < known.known_since OR as_of > known.today THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('customers of segment "%s" are not known for %s', segment, as_of),
            HINT = format('They are known from %s to %s.', known.known_since, known.today);
    END IF;
    result := known.members;
    FOR change IN EXECUTE format('SELECT x.entered, x.departed FROM %I.segment_day AS x '
                                 'WHERE x.segment = $1 AND x.day > $2 ORDER BY x.day DESC', shop) USING segment, as_of
    LOOP
        result := (result OPERATOR(crm.-) change.entered) OPERATOR(crm.|) change.departed;
    END LOOP;
    RETURN result;
END $$;

COMMENT ON FUNCTION crm.segment_set_of(name, text, date) IS
'The customers of a segment of a shop as a set of their ids in sets (the view customer_member): as of the last refresh, or at the end of an earlier day of the shop. For a dropped segment a day has to be given. Errors: 42704 no such shop or segment, 22023 a day that is not known (the hint says which are), 55000 not evaluated yet, 42501 no right to read the shop.';

CREATE FUNCTION crm.segment_members(shop name, segment text, as_of date DEFAULT NULL) RETURNS SETOF bigint
    LANGUAGE sql STABLE ROWS 10000
BEGIN ATOMIC
    SELECT crm.members(crm.segment_set_of(shop, segment, as_of));
END;

COMMENT ON FUNCTION crm.segment_members(name, text, date) IS
'The customers of a segment of a shop, now or at the end of an earlier day, by their ids in sets, ascending: customers who are integers by themselves. Errors: as crm.segment_set_of.';

CREATE FUNCTION crm.segment_members(shop name, segment text, as_of date, key anyelement) RETURNS SETOF anyelement
    LANGUAGE plpgsql STABLE ROWS 10000 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT m.customer_id::%2$s FROM %1$I.customer_member AS m WHERE m.member IN '
                                '(SELECT crm.members($1)) ORDER BY m.member', shop, pg_typeof(key))
    USING crm.segment_set_of(shop, segment, as_of);
END $$;

COMMENT ON FUNCTION crm.segment_members(name, text, date, anyelement) IS
'The customers of a segment of a shop, now (as_of NULL) or at the end of an earlier day, in the type of key, such as NULL::uuid. Those who are not in customer any more are left out. Errors: as crm.segment_set_of, and those of the cast.';

CREATE FUNCTION crm.segment_size(shop name, segment text, as_of date DEFAULT NULL) RETURNS bigint
    LANGUAGE sql STABLE
RETURN crm.cardinality(crm.segment_set_of(shop, segment, as_of));

COMMENT ON FUNCTION crm.segment_size(name, text, date) IS
'How many customers a segment of a shop has, now or at the end of an earlier day. Errors: as crm.segment_set_of.';

CREATE FUNCTION crm.member_of(shop name, customer text) RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member bigint;
BEGIN
    EXECUTE format('SELECT m.member FROM %1$I.customer_member AS m WHERE m.customer_id %2$s $1::%3$s', shop,
                   crm.shop_equality(shop), crm.shop_customer_type(shop))
    INTO member USING customer;
    RETURN member;
END $$;

COMMENT ON FUNCTION crm.member_of(name, text) IS 'The id in sets of a customer of a shop; NULL where there is none. A part of crm.segments_of.';

CREATE FUNCTION crm.segments_of(shop name, customer text) RETURNS TABLE(segment text, label text, label_ja text)
    LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM crm.check_shop_exists(shop);
    RETURN QUERY EXECUTE format('SELECT d.segment, d.label, d.label_ja FROM %1$I.segment_in_force AS d '
                                'JOIN %1$I.segment_known AS o ON o.segment = d.segment '
                                'WHERE crm.contains(o.members, $1) ORDER BY d.segment', shop)
    USING crm.member_of(shop, customer);
END $$;

CREATE FUNCTION crm.segments_of(shop name, customer anyelement) RETURNS TABLE(segment text, label text, label_ja text)
    LANGUAGE sql STABLE ROWS 20
AS $$
    SELECT * FROM crm.segments_of(shop, customer::pg_catalog.text)
$$;

COMMENT ON FUNCTION crm.segments_of(name, text) IS
'The segments of a shop that a customer is in, by the last refresh. Errors: 42704 no such shop, 42501 no right to read it, and those of reading the customer.';
COMMENT ON FUNCTION crm.segments_of(name, anyelement) IS 'The same for customers of any type.';

CREATE FUNCTION crm.segment_overlap(shop name)
    RETURNS TABLE(segment_a text, segment_b text, customers bigint, share_of_a numeric, share_of_b numeric, jaccard numeric)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM crm.check_shop_exists(shop);
    RETURN QUERY EXECUTE format($sql$
        WITH sets AS MATERIALIZED (
            SELECT d.segment, o.members, crm.cardinality(o.members) AS customers
            FROM %1$I.segment_in_force AS d JOIN %1$I.segment_known AS o ON o.segment = d.segment
        )
        SELECT v.segment_a, v.segment_b, v.customers, round(v.customers::numeric / nullif(v.of_a, 0), 4),
               round(v.customers::numeric / nullif(v.of_b, 0), 4),
               round(v.customers::numeric / nullif(v.of_a + v.of_b - v.customers, 0), 4)
        FROM (SELECT a.segment AS segment_a, b.segment AS segment_b, a.customers AS of_a, b.customers AS of_b,
                     crm.intersection_cardinality(a.members, b.members) AS customers
              FROM sets AS a JOIN sets AS b ON a.segment < b.segment
              OFFSET 0) AS v
        ORDER BY v.segment_a, v.segment_b
        $sql$, shop);
END $$;

COMMENT ON FUNCTION crm.segment_overlap(name) IS
'How many customers each pair of a shop''s segments has in common, by the last refresh, and what share they are of the one, of the other, and of both together (Jaccard). NULL shares of empty segments. Errors: 42704 no such shop, 42501 no right to read it.';

CREATE FUNCTION crm.segment_moves(shop name, segment text, from_day date, to_day date)
    RETURNS TABLE(move text, customers bigint, members crm.idset)
    LANGUAGE plpgsql STABLE ROWS 3 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    before CONSTANT crm.idset := crm.segment_set_of(shop, segment, from_day);
    after CONSTANT crm.idset := crm.segment_set_of(shop, segment, to_day);
BEGIN
    RETURN QUERY
    SELECT v.move, crm.cardinality(v.members), v.members
    FROM (VALUES ('entered', after OPERATOR(crm.-) before), ('left', before OPERATOR(crm.-) after),
                 ('stayed', before OPERATOR(crm.&) after)) AS v (move, members);
END $$;

COMMENT ON FUNCTION crm.segment_moves(name, text, date, date) IS
'Which customers entered a segment of a shop, left it, and stayed, from the end of one day to the end of another; NULL is the last refresh. Errors: as crm.segment_set_of.';

CREATE FUNCTION crm.check_segment_family(shop name, family text)
    RETURNS TABLE(problem text, segments text[], customers bigint, examples text[])
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    families text[];
BEGIN
    PERFORM crm.check_shop_exists(shop);
    EXECUTE format('SELECT coalesce(array_agg(DISTINCT d.family), ''{}'') FROM %I.segment_in_force AS d '
                   'WHERE d.family IS NOT NULL', shop)
    INTO families;
    IF (family = ANY (families)) IS NOT TRUE THEN
        RAISE undefined_object USING
            MESSAGE = format('no segment of shop "%s" is in family "%s"', shop, family),
            HINT = coalesce('There are: ' || nullif(array_to_string(families, ', '), '') || '.', 'crm.define_segment(…, family => …) puts it into one.');
    END IF;
    RETURN QUERY EXECUTE format($sql$
        WITH sets AS MATERIALIZED (
            SELECT d.segment, coalesce(o.members, '{}') AS members
            FROM %1$I.segment_in_force AS d LEFT JOIN %1$I.segment_known AS o ON o.segment = d.segment
            WHERE d.family = $1
        ), problems AS (
            SELECT 'gap' AS problem, array_agg(s.segment ORDER BY s.segment) AS segments,
                   (SELECT coalesce(crm.idset(m.member), '{}') FROM %1$I.customer_member AS m)
                   OPERATOR(crm.-) crm.idset_union(s.members) AS members
            FROM sets AS s
            UNION ALL
            SELECT 'overlap', ARRAY[a.segment, b.segment], a.members OPERATOR(crm.&) b.members
            FROM sets AS a JOIN sets AS b ON a.segment < b.segment
        )
        SELECT p.problem, p.segments, crm.cardinality(p.members),
               (SELECT array_agg(h.customer_id::text ORDER BY i.member)
                FROM (SELECT crm.members(p.members) AS member LIMIT 5) AS i %2$s)
        FROM problems AS p
        WHERE p.members OPERATOR(crm.<>) '{}'
        ORDER BY p.problem, p.segments
        $sql$, shop, replace(crm.member_keys_sql(shop), 'customer_history AS h ON h.number', 'customer_member AS h ON h.member'))
    USING family;
END $$;

COMMENT ON FUNCTION crm.check_segment_family(name, text) IS
'Whether every customer of a shop is in exactly one segment of a family, by the last refresh: no row where it is so. A row with gap counts the customers in none of the segments, one with overlap those in both; examples are up to five of them. Errors: 42704 no such shop or family, 42501 no right to read the shop.';
