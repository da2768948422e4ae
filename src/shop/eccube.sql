-- EC-CUBE 4 (4.0 to 4.3): its tables, statuses and conventions.

CREATE FUNCTION crm.create_shop_eccube(
    name name, schema name DEFAULT 'public', guests boolean DEFAULT false, zone text DEFAULT 'Asia/Tokyo',
    span interval DEFAULT '1 year', bands crm.rfm_bands DEFAULT NULL, grades int DEFAULT NULL, map name DEFAULT 'six',
    tiers crm.tier_ladder DEFAULT NULL, tier_period text DEFAULT NULL, repeat_within interval DEFAULT '90 days',
    horizon interval DEFAULT '1 year', yearly_discount float8 DEFAULT 0.10, answers_kept interval DEFAULT '2 years',
    currency text DEFAULT 'JPY', dry_run boolean DEFAULT false)
    RETURNS TABLE(subject text, value text, verdict text, explanation text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    orders CONSTANT text := format('%I.dtb_order', schema);
BEGIN
    IF to_regclass(orders) IS NULL THEN
        RAISE undefined_table USING
            MESSAGE = format('schema "%s" has no table dtb_order of EC-CUBE', schema),
            HINT = 'Name the schema of EC-CUBE: crm.create_shop_eccube(''shop'', ''public'').';
    END IF;
    RETURN QUERY SELECT * FROM crm.create_shop(
        name, orders, 'customer_id', 'order_date', 'total',
        -- new, in progress, delivered, paid: what EC-CUBE itself adds up in buy_times and buy_total. The others are
        -- cancelled (3), waiting for the payment provider (7), not finished (8) and returned (9).
        condition => 'order_status_id IN (1, 4, 5, 6)',
        guest_key => CASE WHEN guests THEN '''guest:'' || md5(lower(btrim(email)))' END,
        channel => 'CASE device_type_id WHEN 2 THEN ''mobile'' WHEN 10 THEN ''pc'' ELSE device_type_id::text END',
        currency_code => format('coalesce(currency_code, %L)', currency), currency => currency, zone => zone, span => span, bands => bands, grades => grades,
        map => map, tiers => tiers, tier_period => tier_period, repeat_within => repeat_within, horizon => horizon,
        yearly_discount => yearly_discount, answers_kept => answers_kept, dry_run => dry_run);
END $$;

COMMENT ON FUNCTION crm.create_shop_eccube(name, name, boolean, text, interval, crm.rfm_bands, int, name, crm.tier_ladder, text, interval, interval, float8, interval, text, boolean) IS
'crm.create_shop for EC-CUBE 4: orders of dtb_order with the statuses that EC-CUBE counts in buy_times and buy_total (1, 4, 5, 6), their total, the device as channel. With guests, orders without a customer belong to a hash of their mail address, and customers are text. currency: that of the shop, and of orders whose currency_code is NULL, as EC-CUBE counts them. Errors: 42P01 no dtb_order in the schema, otherwise as crm.create_shop.';
