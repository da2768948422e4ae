-- ready-made segments

CREATE TYPE crm.goods_type AS ENUM ('consumable', 'apparel', 'durable');

COMMENT ON TYPE crm.goods_type IS
'What a shop sells, for crm.define_standard_segments: things that are used up (消耗品), clothes (アパレル), or things that last (耐久財).';

CREATE FUNCTION crm.define_standard_segments(
    shop name, goods crm.goods_type, rank_up_within numeric DEFAULT 5000, birthdays text DEFAULT NULL, subscriptions text DEFAULT NULL)
    RETURNS TABLE(segment text, label_ja text, customers bigint, condition text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    s CONSTANT crm.shop := crm.find_own_shop(shop);
    f2_window CONSTANT int[] := CASE goods WHEN 'consumable' THEN '{30,45}' WHEN 'apparel' THEN '{60,90}' ELSE '{90,180}' END;
    dormant_days CONSTANT int := CASE goods WHEN 'consumable' THEN 180 WHEN 'apparel' THEN 365 ELSE 730 END;
    loyal_grade CONSTANT int := ceil(0.6 * coalesce(s.grades, cardinality((s.bands).recency) + 1));
    label text;
BEGIN
    IF goods IS NULL OR rank_up_within IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'goods and rank_up_within must not be NULL';
    END IF;
    FOR segment, label, label_ja, condition IN
        SELECT v.segment, v.label, v.label_ja, v.condition
        FROM (VALUES
            ('first_time', 'First-time buyers due to repeat', '初回未リピート',
             format('orders = 1 AND recency_days BETWEEN %s AND %s', f2_window[1], f2_window[2])),
            ('lapsing_loyal', 'Loyal customers about to lapse', '優良の離脱予兆',
             format('f >= %s AND m >= %1$s AND dormancy >= 0.3 AND recency_days <= %s', loyal_grade, dormant_days)),
            ('win_back', 'Dormant customers to win back', '休眠掘り起こし',
             format('recency_days > %s AND recency_days <= %s', dormant_days, 2 * dormant_days)),
            ('exclude', 'Customers to leave out of mailings', '配信除外',
             format('recency_days > %s', 2 * dormant_days)),
            ('rank_up_near', 'Customers near the next tier', 'ランクアップ目前',
             CASE WHEN NOT s.tiers IS NULL THEN format('to_next_tier <= %s', rank_up_within) END),
            ('birthday_month', 'Customers with a birthday this month', '誕生月',
             format(E'(customer_id, extract(month FROM as_of_date)) IN\n'
                    '(SELECT b.customer_id, extract(month FROM b.birthday) FROM %s AS b (customer_id, birthday))',
                    crm.in_parentheses(birthdays))),
            ('cancellation_prone', 'Subscribers at the delivery after which most cancel', '解約しやすい回',
             format(E'customer_id IN (\n'
                    'WITH subscription (customer_id, deliveries, cancelled) AS %s\n'
                    'SELECT a.customer_id FROM subscription AS a WHERE NOT a.cancelled AND a.deliveries IN (\n'
                    'SELECT r.delivery FROM crm.renewal_rows((SELECT crm.renewal_hazard(x.deliveries, x.cancelled) '
                    'FROM subscription AS x)) AS r WHERE r.riskiest))',
                    crm.in_parentheses(subscriptions)))) AS v (segment, label, label_ja, condition)
        WHERE CASE v.segment WHEN 'birthday_month' THEN birthdays IS NOT NULL
                             WHEN 'cancellation_prone' THEN subscriptions IS NOT NULL
                             ELSE v.condition IS NOT NULL END
    LOOP
        customers := crm.define_segment(s.shop, segment, condition, label, label_ja);
        RETURN NEXT;
    END LOOP;
END $$;

COMMENT ON FUNCTION crm.define_standard_segments(name, crm.goods_type, numeric, text, text) IS
'Defines the usual segments of a shop by what it sells, as crm.define_segment does; they are ordinary definitions that may be changed or dropped, and a second call defines them anew. first_time: one purchase, and 30 to 45 days ago for consumable, 60 to 90 for apparel, 90 to 180 for durable goods, when the second one is due (F2転換). lapsing_loyal: high grades of frequency and monetary, half a usual gap overdue, or less where gaps widen. win_back: no purchase for 180, 365 or 730 days; exclude: for twice as long. rank_up_near, where the shop has tiers: rank_up_within or less is missing to the next one. birthday_month, where birthdays is given: a query of customer and birthday (date). cancellation_prone, where subscriptions is given: a query of customer, deliveries so far (integer) and cancelled (boolean), one row each; active ones that had the delivery after which crm.renewal_rows finds most to cancel. Returns them with their customers. Errors: as crm.define_segment; 22004 goods or rank_up_within NULL.';
