-- segments for others: rows for COPY, and a mailing list in the same database

CREATE TYPE crm.segment_export AS (
    customer_id text, segment text, label text, label_ja text, as_of_date date, first_order_date date, last_order_date date,
    orders bigint, revenue numeric, score text, rfm_segment text, tier text, next_order_date date, clv numeric);

COMMENT ON TYPE crm.segment_export IS 'A row of crm.segment_export: a customer of a segment. No personal data but the id.';
COMMENT ON COLUMN crm.segment_export.customer_id IS 'The customer, as text.';
COMMENT ON COLUMN crm.segment_export.segment IS 'Name of the segment.';
COMMENT ON COLUMN crm.segment_export.label IS 'Its English label.';
COMMENT ON COLUMN crm.segment_export.label_ja IS 'Its Japanese label.';
COMMENT ON COLUMN crm.segment_export.as_of_date IS 'The shop''s day that all numbers are for.';
COMMENT ON COLUMN crm.segment_export.first_order_date IS 'Date of the first purchase in the shop''s zone.';
COMMENT ON COLUMN crm.segment_export.last_order_date IS 'Date of the last purchase.';
COMMENT ON COLUMN crm.segment_export.orders IS 'Purchases, without refunds.';
COMMENT ON COLUMN crm.segment_export.revenue IS 'All purchases less refunds.';
COMMENT ON COLUMN crm.segment_export.score IS 'Grades of R, F and M, such as 543.';
COMMENT ON COLUMN crm.segment_export.rfm_segment IS 'Segment of the score in the shop''s map.';
COMMENT ON COLUMN crm.segment_export.tier IS 'Member tier; NULL without a ladder.';
COMMENT ON COLUMN crm.segment_export.next_order_date IS 'When half of all customers with the same purchases have bought again; NULL without a model.';
COMMENT ON COLUMN crm.segment_export.clv IS 'Present value of what to expect within the shop''s horizon; NULL without a model.';

CREATE FUNCTION crm.segment_export(shop name, segment text) RETURNS SETOF crm.segment_export
    LANGUAGE plpgsql STABLE ROWS 10000 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    d CONSTANT crm.segment := crm.find_segment(shop, segment);
BEGIN
    RETURN QUERY EXECUTE format($sql$
        SELECT c.customer_id::text, $2, $3, $4, c.as_of_date, c.first_order_date, c.last_order_date, c.orders::bigint, c.revenue,
               c.score, c.segment, c.tier, c.next_order_date, c.clv
        FROM (SELECT crm.members($1) AS member OFFSET 0) AS i
             JOIN %1$I.customer_member AS m ON m.member = i.member
             JOIN %1$I.customer AS c ON c.customer_id %2$s m.customer_id
        ORDER BY i.member
        $sql$, shop, crm.shop_equality(shop))
    USING crm.segment_set_of(shop, segment), d.segment, d.label, d.label_ja;
END $$;

COMMENT ON FUNCTION crm.segment_export(name, text) IS
'The customers of a segment of a shop as rows for COPY, by the last refresh, with what the view customer says of them; ascending by their ids in sets. Errors: 42704 no such shop or segment, 55000 not evaluated yet, 42501 no right to read the shop.';

-- Listmonk sends to who is on a list unless unsubscribed from it or blocklisted. What others put on the list, and what
-- people said themselves, is theirs; only what carries this mark comes and goes with the segment.
CREATE FUNCTION crm.sync_listmonk(shop name, segment text, list int, addresses text, listmonk name DEFAULT 'public')
    RETURNS TABLE(members bigint, without_address bigint, unchanged bigint, added bigint, removed bigint,
                  unsubscribed bigint, blocked bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
DECLARE
    mark CONSTANT jsonb := jsonb_build_object('pg_crm', jsonb_build_object('shop', shop, 'segment', segment));
    lists text;
    is_known boolean;
BEGIN
    members := crm.segment_size(shop, segment);
    BEGIN
        EXECUTE format(E'SELECT FROM (%s\n) AS a (customer, email, name) LIMIT 0', addresses);
    EXCEPTION WHEN syntax_error_or_access_rule_violation THEN
        RAISE EXCEPTION USING
            ERRCODE = SQLSTATE,
            MESSAGE = format('addresses cannot be read: %s', SQLERRM),
            HINT = 'Give a query such as SELECT id, email, name FROM public.customer. It runs with search_path = '
                   'pg_catalog: write the schema before other names.';
    END;
    EXECUTE format('SELECT coalesce(bool_or(l.id = $1), false), string_agg(format(''%%s (%%s)'', l.id, l.name), '', '' ORDER BY l.id) '
                   'FROM %I.lists AS l', listmonk)
    INTO is_known, lists USING list;
    IF NOT is_known THEN
        RAISE undefined_object USING
            MESSAGE = format('listmonk has no list %s', list),
            HINT = coalesce('There are: ' || lists || '.', 'Make one in listmonk.');
    END IF;
    EXECUTE format($sql$
        WITH asked AS MATERIALIZED (
            SELECT a.customer::text AS customer, lower(btrim(a.email::text)) AS email, btrim(a.name::text) AS name
            FROM (%2$s
                 ) AS a (customer, email, name)
            WHERE btrim(a.email::text) ~ '^[^@\s]+@[^@\s]+$' AND crm.in_segment($1, $2, a.customer)
        ), wanted AS MATERIALIZED (
            SELECT a.email, coalesce(min(nullif(a.name, '')), split_part(a.email, '@', 1)) AS name
            FROM asked AS a
            GROUP BY a.email
        ), created AS (
            INSERT INTO %1$I.subscribers (uuid, email, name, status)
            SELECT gen_random_uuid(), w.email, w.name, 'enabled'
            FROM wanted AS w
            WHERE NOT EXISTS (SELECT FROM %1$I.subscribers AS s WHERE lower(s.email) = w.email)
            ON CONFLICT DO NOTHING -- listmonk takes an address at the same time: the next call finds it
            RETURNING id
        ), known AS MATERIALIZED (
            SELECT s.id, s.status::text AS status, x.status::text AS on_list
            FROM wanted AS w
                 JOIN %1$I.subscribers AS s ON lower(s.email) = w.email
                 LEFT JOIN %1$I.subscriber_lists AS x ON x.subscriber_id = s.id AND x.list_id = $3
        ), added AS (
            INSERT INTO %1$I.subscriber_lists (subscriber_id, list_id, meta, status)
            SELECT n.id, $3, $4, 'unconfirmed'
            FROM (SELECT c.id FROM created AS c
                  UNION ALL SELECT k.id FROM known AS k WHERE k.on_list IS NULL AND k.status = 'enabled') AS n
            ON CONFLICT DO NOTHING
            RETURNING 1
        ), removed AS (
            DELETE FROM %1$I.subscriber_lists AS x
            WHERE x.list_id = $3 AND x.meta @> $4 AND x.status <> 'unsubscribed'
                  AND NOT EXISTS (SELECT FROM known AS k WHERE k.id = x.subscriber_id)
            RETURNING 1
        )
        SELECT $5 - (SELECT count(DISTINCT a.customer) FROM asked AS a),
               count(*) FILTER (WHERE k.status = 'enabled' AND k.on_list <> 'unsubscribed'),
               (SELECT count(*) FROM added), (SELECT count(*) FROM removed),
               count(*) FILTER (WHERE k.status = 'enabled' AND k.on_list = 'unsubscribed'),
               count(*) FILTER (WHERE k.status <> 'enabled')
        FROM known AS k
        $sql$, listmonk, addresses)
    INTO without_address, unchanged, added, removed, unsubscribed, blocked USING shop, segment, list, mark, members;
    RETURN NEXT;
END $$;

COMMENT ON FUNCTION crm.sync_listmonk(name, text, int, text, name) IS
'Keeps a list of listmonk, whose tables are in the schema listmonk of this database, in step with a segment of a shop: who is in the segment comes onto the list, new addresses as new subscribers; who has left it goes. addresses is a query of customer, mail address and name; it runs with search_path = pg_catalog. All is done with the rights of the caller. Nobody who unsubscribed from the list, is blocklisted or disabled is touched, nor who is on the list for another reason than this segment: its own entries carry {"pg_crm": {"shop", "segment"}} in subscriber_lists.meta. Addresses are compared without regard to case. Entries are unconfirmed: nobody else can confirm for a person, so give a list with single opt-in. A second call changes nothing. Returns customers in the segment, those of them without an address, and of the addresses: unchanged on the list, added, removed, kept away because they unsubscribed, and because they are blocklisted or disabled. Errors: 42704 no such shop, segment or list, 55000 segment not evaluated yet, 42P01 no listmonk in that schema, 42501 missing rights, and those of the query.';
