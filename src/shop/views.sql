-- The views of a shop: plain columns that every BI tool understands, over the stored tables.

CREATE FUNCTION crm.shop_views() RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{customer,rfm_segment,segment_move,answer_history,cohort_month,repeat_ladder,kpi_month,refresh_log,customer_member,segment_size,'
       'segment_member,segment_transition}'::text[];

COMMENT ON FUNCTION crm.shop_views() IS 'Names of the views of a shop that others may read. A part of crm.create_shop.';

CREATE FUNCTION crm.segment_views() RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{segment_in_force,segment_known,segment_day}'::text[];

COMMENT ON FUNCTION crm.segment_views() IS
'Names of the views of a shop that functions on segments read with the rights of the caller. A part of crm.create_shop.';

-- Sets hold bigint. Customers of other types get a number.
CREATE FUNCTION crm.member_sql(shop name) RETURNS text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                             WHERE a.attrelid = pg_catalog.to_regclass(pg_catalog.format('%I.customer_history', shop))
                                   AND a.attname = 'number' AND NOT a.attisdropped)
                THEN 'h.number' ELSE 'h.customer_id::bigint' END;
END;

COMMENT ON FUNCTION crm.member_sql(name) IS
'The id in sets of a customer of a shop, as an expression over a row h of customer_history: smallint, integer and bigint customers stand for themselves, others have a number. A part of crm.create_shop.';

CREATE FUNCTION crm.make_shop_views(s crm.shop) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    month CONSTANT text := format('%L::crm.calendar', crm.calendar('month', s.zone));
    within CONSTANT text := format('%L::interval', s.repeat_within);
    comments CONSTANT jsonb := crm.shop_view_comments();
BEGIN
    -- What conditions of segments read. New columns go to the end: CREATE OR REPLACE VIEW asks for that.
    EXECUTE format($sql$
        CREATE OR REPLACE VIEW %1$I.customer_row AS
        SELECT %6$s AS member,
               k.history,
               h.customer_id,
               crm.first_order(k.history) AS first_order_at,
               (crm.first_order(k.history) AT TIME ZONE %2$L)::date AS first_order_date,
               crm.last_order(k.history) AS last_order_at,
               (crm.last_order(k.history) AT TIME ZONE %2$L)::date AS last_order_date,
               crm.orders(k.history) AS orders,
               crm.revenue(k.history) AS revenue,
               crm.refunded(k.history) AS refunded,
               round(crm.revenue(k.history) / crm.orders(k.history), 2) AS average_order_value,
               (m.measures).recency AS recency_days,
               (m.measures).frequency AS frequency,
               (m.measures).monetary AS monetary,
               h.score / 100::smallint AS r,
               h.score / 10::smallint %% 10::smallint AS f,
               h.score %% 10::smallint AS m,
               h.score::text AS score,
               h.segment,
               l.label AS segment_label,
               l.label_ja AS segment_label_ja,
               h.tier,
               crm.tier_label_ja(h.tier, c.ladder) AS tier_label_ja,
               (t.held).next_tier AS next_tier,
               (t.held).missing AS to_next_tier,
               round((m.rhythm).typical_days::numeric, 1) AS typical_days,
               round((m.rhythm).days_overdue::numeric, 1) AS days_overdue,
               (m.rhythm).gap_trend AS gap_trend,
               round((m.rhythm).score::numeric, 3) AS dormancy,
               crm.p_alive(k.history, c.churn_model, c.as_of) AS p_alive,
               crm.churn_risk(k.history, c.churn_model, c.as_of) AS churn_risk,
               crm.expected_orders(k.history, c.churn_model, c.as_of, %4$s) AS expected_orders,
               crm.next_order(k.history, c.churn_model, c.as_of) AS next_order_at,
               (crm.next_order(k.history, c.churn_model, c.as_of) AT TIME ZONE %2$L)::date AS next_order_date,
               round(crm.clv(k.history, c.churn_model, c.spend_model, c.as_of, %4$s, %5$s)::numeric, 2) AS clv,
               crm.cohort(k.history, %3$s) AS cohort_month,
               h.channel AS entry_channel,
               c.as_of,
               c.day AS as_of_date
        FROM %1$I.customer_history AS h
             CROSS JOIN %1$I.scoring AS c
             CROSS JOIN LATERAL (SELECT crm.until(h.history, c.as_of) AS history OFFSET 0) AS k
             CROSS JOIN LATERAL (SELECT crm.rfm(h.history, c.as_of, c.lookback) AS measures,
                                        crm.dormancy(h.history, c.as_of, c.typical_days) AS rhythm OFFSET 0) AS m
             CROSS JOIN LATERAL (SELECT %7$s AS held) AS t
             LEFT JOIN %1$I.segment_label AS l ON l.segment = h.segment
        WHERE h.score IS NOT NULL
        $sql$, s.shop, s.zone, month, format('%L::interval', s.horizon), s.yearly_discount, crm.member_sql(s.shop),
        crm.held_tier_sql('c', 'h.history', '(m.measures).monetary'));
    EXECUTE format('CREATE OR REPLACE VIEW %1$I.customer AS SELECT %2$s FROM %1$I.customer_row AS c', s.shop,
                   (SELECT string_agg(format('c.%I', a.attname), ', ' ORDER BY a.attnum)
                    FROM pg_attribute AS a
                    WHERE a.attrelid = format('%I.customer_row', s.shop)::regclass AND a.attnum > 0
                          AND a.attname NOT IN ('member', 'history')));
    EXECUTE format($sql$
        CREATE OR REPLACE VIEW %1$I.rfm_segment AS
        SELECT l.position, l.segment, l.label, l.label_ja, coalesce(n.customers, 0) AS customers,
               round(coalesce(n.customers, 0) / nullif(sum(n.customers) OVER (), 0), 4) AS share,
               coalesce(n.revenue, 0) AS revenue,
               round(coalesce(n.revenue, 0) / nullif(sum(n.revenue) OVER (), 0), 4) AS revenue_share,
               coalesce(n.monetary, 0) AS monetary,
               n.as_of, n.as_of_date
        FROM %1$I.segment_label AS l
             LEFT JOIN (SELECT u.segment, count(*) AS customers, sum(u.revenue) AS revenue, sum(u.monetary) AS monetary,
                               min(u.as_of) AS as_of, min(u.as_of_date) AS as_of_date
                        FROM %1$I.customer AS u
                        GROUP BY u.segment) AS n ON n.segment = l.segment
        $sql$, s.shop);
    EXECUTE format($sql$
        CREATE OR REPLACE VIEW %1$I.segment_move AS
        SELECT a.day, a.segment_before AS from_segment, b.label AS from_label, b.label_ja AS from_label_ja,
               a.segment AS to_segment, l.label AS to_label, l.label_ja AS to_label_ja, count(*) AS customers
        FROM %1$I.answer_change AS a
             LEFT JOIN %1$I.segment_label AS b ON b.segment = a.segment_before
             LEFT JOIN %1$I.segment_label AS l ON l.segment = a.segment
        WHERE a.segment IS DISTINCT FROM a.segment_before
        GROUP BY a.day, a.segment_before, b.label, b.label_ja, a.segment, l.label, l.label_ja
        $sql$, s.shop);
    EXECUTE format($sql$
        CREATE OR REPLACE VIEW %1$I.answer_history AS
        SELECT v.customer_id, v.valid_from, v.valid_to,
               v.score / 100::smallint AS r, v.score / 10::smallint %% 10::smallint AS f, v.score %% 10::smallint AS m,
               v.score::text AS score, v.segment, v.tier, v.is_current
        FROM (
            SELECT h.customer_id, c.known_since AS valid_from, c.day AS valid_to, h.score, h.segment, h.tier, true AS is_current
            FROM %1$I.customer_history AS h CROSS JOIN %1$I.scoring AS c
            WHERE NOT EXISTS (SELECT FROM %1$I.answer_change AS a WHERE a.customer_id %2$s h.customer_id)
            UNION ALL
            SELECT a.customer_id, a.day, coalesce(lead(a.day) OVER of_customer - 1, c.day), a.score, a.segment, a.tier,
                   lead(a.day) OVER of_customer IS NULL
            FROM %1$I.answer_change AS a CROSS JOIN %1$I.scoring AS c
            WINDOW of_customer AS (PARTITION BY a.customer_id ORDER BY a.day)
            UNION ALL
            (SELECT DISTINCT ON (a.customer_id) a.customer_id, c.known_since, a.day - 1, a.score_before, a.segment_before,
                    a.tier_before, false
             FROM %1$I.answer_change AS a CROSS JOIN %1$I.scoring AS c
             ORDER BY a.customer_id, a.day)
        ) AS v
        WHERE v.score IS NOT NULL AND v.valid_from <= v.valid_to
        $sql$, s.shop, crm.shop_equality(s.shop));
    EXECUTE format($sql$
        CREATE OR REPLACE VIEW %1$I.cohort_month AS
        SELECT n.cohort AS cohort_month, (n.cohort + n.age * interval '1 month')::date AS month, n.age, n.customers,
               n.retained, n.retention, n.orders, n.revenue, n.cumulative_revenue, round(n.ltv, 2) AS ltv, n.elapsed
        FROM (SELECT crm.cohorts(h.history, %2$s, c.as_of) AS counts
              FROM %1$I.customer_history AS h CROSS JOIN %1$I.scoring AS c) AS all_customers
             CROSS JOIN LATERAL crm.cohort_rows(all_customers.counts) AS n
        $sql$, s.shop, month);
    EXECUTE format($sql$
        CREATE OR REPLACE VIEW %1$I.repeat_ladder AS
        SELECT n.nth, n.customers, n.repeated, n.rate, n.km_rate, n.km_se, n.q1_days, n.median_days, n.q3_days, n.never
        FROM (SELECT crm.repeats(h.history, c.as_of) AS counts
              FROM %1$I.customer_history AS h CROSS JOIN %1$I.scoring AS c) AS all_customers
             CROSS JOIN LATERAL crm.repeat_rows(all_customers.counts, %2$s) AS n
        $sql$, s.shop, within);
    -- Cohorts have the refunds before a first purchase in its month, and none of who never bought. Here, each is in its own.
    EXECUTE format($sql$
        CREATE OR REPLACE VIEW %1$I.kpi_month AS
        WITH early AS (
            SELECT crm.period_date(p.ordered_at, %2$s) AS month, p.amount,
                   CASE WHEN crm.first_order(h.history) <= c.as_of THEN crm.cohort(h.history, %2$s) END AS cohort_month
            FROM %1$I.customer_history AS h
                 CROSS JOIN %1$I.scoring AS c
                 CROSS JOIN LATERAL crm.purchases(crm.until(h.history, least(c.as_of, crm.first_order(h.history) - interval '1 microsecond'))) AS p
            WHERE crm.refunded(h.history) > 0
        ), months AS (
            SELECT n.month, sum(n.customers) AS customers, sum(n.new_customers) AS new_customers,
                   sum(n.customers) - sum(n.new_customers) AS returning_customers, sum(n.orders) AS orders, sum(n.revenue) AS revenue
            FROM (SELECT x.month, x.retained AS customers, CASE x.age WHEN 0 THEN x.retained ELSE 0 END AS new_customers, x.orders, x.revenue
                  FROM %1$I.cohort_month AS x
                  UNION ALL
                  SELECT e.month, 0, 0, 0, e.amount FROM early AS e
                  UNION ALL
                  SELECT e.cohort_month, 0, 0, 0, -e.amount FROM early AS e WHERE e.cohort_month IS NOT NULL) AS n
            GROUP BY n.month
        ), repeats AS (
            SELECT g.month, n.km_rate AS f2_rate
            FROM (SELECT crm.cohort(h.history, %2$s) AS month, crm.repeats(h.history, c.as_of) AS counts
                  FROM %1$I.customer_history AS h CROSS JOIN %1$I.scoring AS c
                  GROUP BY 1) AS g
                 CROSS JOIN LATERAL crm.repeat_rows(g.counts, %3$s) AS n
            WHERE n.nth = 1
        )
        SELECT m.month, m.customers::bigint, m.new_customers::bigint, m.returning_customers::bigint,
               round(m.returning_customers / nullif(m.customers, 0), 4) AS repeat_rate,
               r.f2_rate, m.orders::bigint, m.revenue,
               round(m.revenue / nullif(m.orders, 0), 2) AS average_order_value,
               round(sum(m.revenue) OVER upto / nullif(sum(m.new_customers) OVER upto, 0), 2) AS ltv,
               m.month < date_trunc('month', c.day)::date AS is_complete
        FROM months AS m CROSS JOIN %1$I.scoring AS c LEFT JOIN repeats AS r ON r.month = m.month
        WINDOW upto AS (ORDER BY m.month)
        $sql$, s.shop, month, within);
    EXECUTE format($sql$
        CREATE OR REPLACE VIEW %1$I.refresh_log AS
        SELECT r.run, r.kind, r.status, r.started_at, (r.started_at AT TIME ZONE %2$L)::date AS started_date, r.finished_at,
               round(extract(epoch FROM r.finished_at - r.started_at), 3) AS seconds, r.as_of,
               (r.as_of AT TIME ZONE %2$L)::date AS as_of_date, r.waiting, r.batches, r.changes, r.customers, r.held, r.rebuilt,
               r.rescored, r.note, r.error
        FROM crm.refresh_run AS r
        WHERE r.shop = %3$L
        $sql$, s.shop, s.zone, s.shop);
    PERFORM crm.make_segment_views(s);
    PERFORM crm.comment_relations(s.shop, 'VIEW', comments || jsonb_build_object('customer_row', jsonb_build_array(
        'What conditions of segments read: customer, with the history.',
        comments #> '{customer,1}' || '{"member": "The customer''s id in sets of customers.", '
                                      '"history": "All purchases and refunds by as_of."}')));
END $$;

COMMENT ON FUNCTION crm.make_shop_views(crm.shop) IS 'Makes or replaces the views of a shop. A part of crm.create_shop.';

CREATE FUNCTION crm.shop_view_comments() RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{
    "customer": ["One row for each customer with a purchase by as_of. No personal data but the id.", {
        "customer_id": "The customer, as in the orders; guests by their key.",
        "first_order_at": "Time of the first purchase.",
        "first_order_date": "Its date in the shop''s zone.",
        "last_order_at": "Time of the last purchase.",
        "last_order_date": "Its date in the shop''s zone.",
        "orders": "Purchases, without refunds.",
        "revenue": "All purchases less refunds.",
        "refunded": "All refunds, as a positive number.",
        "average_order_value": "revenue by orders.",
        "recency_days": "Whole days of 24 hours from the last purchase to as_of.",
        "frequency": "Purchases in the shop''s span.",
        "monetary": "Purchases less refunds in the shop''s span.",
        "r": "Grade of recency, the highest is best.",
        "f": "Grade of frequency.",
        "m": "Grade of monetary.",
        "score": "The three grades, such as 543.",
        "segment": "Segment of the score in the shop''s map.",
        "segment_label": "English label of the segment.",
        "segment_label_ja": "Japanese label of the segment.",
        "tier": "Member tier by monetary, or by the shop''s tier_period; NULL without a ladder, and below its lowest threshold where that is not 0.",
        "tier_label_ja": "Japanese label of the tier.",
        "next_tier": "The next higher tier; NULL at the top.",
        "to_next_tier": "How much monetary, or the running tier_period, lacks to the next tier.",
        "typical_days": "The customer''s usual days between two purchases: the median, in which the shop''s own usual days count as one gap more. NULL while nobody has bought twice.",
        "days_overdue": "Days since the last purchase beyond typical_days, at least 0.",
        "gap_trend": "Whether the customer''s gaps change: widening, narrowing or steady; NULL for less than four gaps.",
        "dormancy": "How far the customer is behind that rhythm, 0 to 1, as the score of crm.dormancy: 0 within typical_days, half when one whole gap is overdue, three quarters for two.",
        "p_alive": "Probability that he or she is still a customer, by the MBG/NBD model of the shop; NULL without a model.",
        "churn_risk": "The risk that he or she has left: low, medium or high.",
        "expected_orders": "Further orders to expect within the shop''s horizon; orders of one day count once.",
        "next_order_at": "When half of all customers with the same purchases have bought again.",
        "next_order_date": "Its date in the shop''s zone.",
        "clv": "Present value of what to expect within the horizon (CLV), discounted by the shop''s yearly_discount.",
        "cohort_month": "First date of the month of the first purchase.",
        "entry_channel": "Channel of the first purchase.",
        "as_of": "The last microsecond of the day that all numbers are for.",
        "as_of_date": "That day, in the shop''s zone."}],
    "rfm_segment": ["One row for each segment of the shop''s map, also where it is empty.", {
        "position": "Order for display.",
        "segment": "Name of the segment.",
        "label": "English label.",
        "label_ja": "Japanese label.",
        "customers": "Customers in it.",
        "share": "Their share of all customers, 0 to 1.",
        "revenue": "Their revenue of all time.",
        "revenue_share": "Its share of all revenue.",
        "monetary": "Their revenue in the shop''s span.",
        "as_of": "The time that the numbers are for; NULL in an empty segment.",
        "as_of_date": "That day."}],
    "segment_move": ["How many customers changed from one segment to another on each day, as noted by the refreshes.", {
        "day": "The shop''s day.",
        "from_segment": "Segment before; NULL: not a customer yet.",
        "from_label": "Its English label.",
        "from_label_ja": "Its Japanese label.",
        "to_segment": "Segment after; NULL: not a customer any more.",
        "to_label": "Its English label.",
        "to_label_ja": "Its Japanese label.",
        "customers": "Customers who moved."}],
    "answer_history": ["Score, segment and tier of each customer as they were known at the end of each day: WHERE day BETWEEN valid_from AND valid_to.", {
        "customer_id": "The customer.",
        "valid_from": "First day of the answer; no earlier than the shop keeps them.",
        "valid_to": "Last day of the answer; of current ones the shop''s day.",
        "r": "Grade of recency.",
        "f": "Grade of frequency.",
        "m": "Grade of monetary.",
        "score": "The three grades.",
        "segment": "Segment.",
        "tier": "Tier.",
        "is_current": "Whether it is today''s answer."}],
    "cohort_month": ["The cohort triangle: one row for each month of first purchases and each month since.", {
        "cohort_month": "First date of the month of the first purchases.",
        "month": "First date of the month that the row is about.",
        "age": "Months from one to the other; 0 is the first.",
        "customers": "Customers of the cohort.",
        "retained": "Those who bought in the month.",
        "retention": "Their share; NULL while the month runs.",
        "orders": "Their purchases in the month.",
        "revenue": "Revenue in the month, less refunds; refunds before a first purchase count in its month.",
        "cumulative_revenue": "Revenue up to the month.",
        "ltv": "cumulative_revenue by customers; NULL while the month runs.",
        "elapsed": "Whether the month is over."}],
    "repeat_ladder": ["How many customers went on from the nth purchase to the next; nth = 1 is F2 conversion.", {
        "nth": "Number of the purchase.",
        "customers": "Who made it.",
        "repeated": "Who made the next one within the shop''s repeat_within.",
        "rate": "repeated by customers.",
        "km_rate": "The share to be expected (Kaplan-Meier), where newcomers count for as long as they have been there.",
        "km_se": "Its standard error.",
        "q1_days": "A quarter of those who came back did so within these days.",
        "median_days": "Half of them.",
        "q3_days": "Three quarters of them.",
        "never": "Share without a next purchase so far."}],
    "kpi_month": ["Key figures of each calendar month of the shop''s zone from the first purchase on, and of those before it with refunds.", {
        "month": "First date of the month.",
        "customers": "Customers who bought.",
        "new_customers": "Those whose first purchase it was.",
        "returning_customers": "Those who had bought in an earlier month.",
        "repeat_rate": "returning_customers by customers.",
        "f2_rate": "F2 conversion of the month''s new customers: the share to be expected to buy again within the shop''s repeat_within (Kaplan-Meier).",
        "orders": "Purchases.",
        "revenue": "Purchases less refunds, each in the month that it was made in; also refunds of who never bought.",
        "average_order_value": "revenue by orders.",
        "ltv": "Revenue of all time up to the month by customers won so far.",
        "is_complete": "Whether the month is over."}],
    "refresh_log": ["Runs of refreshes and rebuilds of the shop.", {
        "run": "Number of the run.",
        "kind": "refresh or rebuild.",
        "status": "running, done, failed or interrupted.",
        "started_at": "When it began.",
        "started_date": "Its date in the shop''s zone.",
        "finished_at": "When it ended.",
        "seconds": "How long it took.",
        "as_of": "End of the day that the answers are for.",
        "as_of_date": "That day.",
        "waiting": "Changes of orders that waited when it began.",
        "batches": "Transactions that did something.",
        "changes": "Changes of orders applied.",
        "customers": "Customers written.",
        "held": "Changes that cannot be applied.",
        "rebuilt": "Whether all orders were read.",
        "rescored": "Whether all customers were scored.",
        "note": "What is worth knowing; NULL for who does not own the shop, as it may quote an order.",
        "error": "Error message; NULL for who does not own the shop."}],
    "customer_member": ["The id of each customer in sets of customers (crm.idset): the customer''s own where it is an integer.", {
        "customer_id": "The customer.",
        "member": "The id in sets. It is never given to another customer."}],
    "segment_size": ["One row for each segment of customers that is defined, as of the last refresh.", {
        "segment": "Name of the segment.",
        "label": "English label.",
        "label_ja": "Japanese label.",
        "family": "The exclusive family that it belongs to; NULL for none.",
        "customers": "Customers in it; NULL while it has not been evaluated.",
        "share": "Their share of all customers, 0 to 1.",
        "as_of_date": "The shop''s day that it was evaluated for."}],
    "segment_member": ["One row for each customer in each segment.", {
        "segment": "Name of the segment.",
        "customer_id": "The customer."}],
    "segment_transition": ["Customers who entered or left a segment or changed their tier, as noted by the refreshes, in the order of event.", {
        "event": "Number of the event; a later one is higher.",
        "happened_at": "When the refresh noted it.",
        "date": "The shop''s day that it was noted for.",
        "kind": "entered or left a segment; promoted or demoted to another tier.",
        "segment": "Name of the segment; NULL for tiers.",
        "customer_id": "The customer.",
        "tier_before": "Tier before; NULL for segments.",
        "tier": "Tier after; NULL for segments."}],
    "segment_in_force": ["Segments that are defined, without their conditions. What functions on segments read for their callers.", {
        "segment": "Name of the segment.",
        "version": "Number of the definition.",
        "label": "English label.",
        "label_ja": "Japanese label.",
        "family": "The exclusive family that it belongs to; NULL for none.",
        "operation": "How the parts are combined; NULL for a condition.",
        "parts": "Names of the segments that are combined; NULL for a condition."}],
    "segment_known": ["The customers of each segment as of the last refresh. What functions on segments read for their callers.", {
        "segment": "Name of the segment.",
        "day": "The shop''s day.",
        "known_since": "First day that members are known for.",
        "members": "The customers, by their ids in sets."}],
    "segment_day": ["Who entered and left a segment on a day. What functions on segments read for their callers.", {
        "segment": "Name of the segment.",
        "day": "The shop''s day.",
        "entered": "Customers who were not in it at the end of the day before.",
        "departed": "Customers who were in it at the end of the day before."}]
}'::jsonb;

COMMENT ON FUNCTION crm.shop_view_comments() IS 'Comments on the views of a shop and their columns. A part of crm.create_shop.';
