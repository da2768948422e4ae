# A shop over EC-CUBE 4: its tables as its entities define them, with the orders of Online Retail II in every status.
# The
# shop's numbers are those of EC-CUBE's own summary (buy_times, buy_total and the dates of a customer), which adds up
# the
# orders with status 1, 4, 5 and 6; after every kind of change too, without reading all orders again.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $folder = $ENV{CRM_TEST_DATA};
plan skip_all => 'CRM_TEST_DATA is not set' unless $folder;
my $file = "$folder/online_retail_ii_orders.csv";
unless (ok(-r $file, "$file is there"))
{
    done_testing();
    exit 1;
}

my $node = start_server('shop_eccube', "timezone = 'UTC'"); # as EC-CUBE sets it
sub sql { return $node->safe_psql('postgres', $_[0]) }

# 1. The tables of src/Eccube/Entity, without those that an order does not need

sql(q{
    CREATE SCHEMA eccube;
    SET search_path = eccube;
    CREATE TABLE mtb_order_status (
        id smallint PRIMARY KEY, name varchar(255) NOT NULL, sort_no smallint NOT NULL,
            display_order_count boolean NOT NULL DEFAULT false,
        discriminator_type varchar(255) NOT NULL);
    INSERT INTO mtb_order_status VALUES
        (1, '新規受付', 0, true, 'orderstatus'), (3, '注文取消し', 3, false, 'orderstatus'), (4, '対応中', 2, true, 'orderstatus'),
        (5, '発送済み', 4, false, 'orderstatus'), (6, '入金済み', 1, true, 'orderstatus'), (7, '決済処理中', 5, false,
            'orderstatus'),
        (8, '購入処理中', 6, false, 'orderstatus'), (9, '返品', 7, false, 'orderstatus');
    CREATE TABLE dtb_customer (
        id serial PRIMARY KEY, customer_status_id smallint, sex_id smallint, job_id smallint, country_id smallint,
            pref_id smallint,
        name01 varchar(255) NOT NULL, name02 varchar(255) NOT NULL, kana01 varchar(255), kana02 varchar(255),
            company_name varchar(255),
        postal_code varchar(8), addr01 varchar(255), addr02 varchar(255), email varchar(255) NOT NULL,
            phone_number varchar(14),
        birth timestamp(0) with time zone, password varchar(255) NOT NULL, salt varchar(255),
            secret_key varchar(255) NOT NULL UNIQUE,
        first_buy_date timestamp(0) with time zone, last_buy_date timestamp(0) with time zone, buy_times numeric(10,
            0) DEFAULT 0,
        buy_total numeric(12, 2) DEFAULT 0, note varchar(4000), reset_key varchar(255),
            reset_expire timestamp(0) with time zone,
        point numeric(12, 0) NOT NULL DEFAULT 0, create_date timestamp(0) with time zone NOT NULL,
        update_date timestamp(0) with time zone NOT NULL, discriminator_type varchar(255) NOT NULL);
    CREATE INDEX ON dtb_customer (email);
    CREATE INDEX ON dtb_customer (buy_times);
    CREATE INDEX ON dtb_customer (buy_total);
    CREATE TABLE dtb_order (
        id serial PRIMARY KEY, customer_id int REFERENCES dtb_customer, country_id smallint, pref_id smallint,
            sex_id smallint,
        job_id smallint, payment_id int, device_type_id smallint, pre_order_id varchar(255) UNIQUE,
            order_no varchar(255),
        message varchar(4000), name01 varchar(255) NOT NULL, name02 varchar(255) NOT NULL, kana01 varchar(255),
            kana02 varchar(255),
        company_name varchar(255), email varchar(255), phone_number varchar(14), postal_code varchar(8),
            addr01 varchar(255),
        addr02 varchar(255), birth timestamp(0) with time zone, subtotal numeric(12, 2) NOT NULL DEFAULT 0,
        discount numeric(12, 2) NOT NULL DEFAULT 0, delivery_fee_total numeric(12, 2) NOT NULL DEFAULT 0,
        charge numeric(12, 2) NOT NULL DEFAULT 0, tax numeric(12, 2) NOT NULL DEFAULT 0, total numeric(12,
            2) NOT NULL DEFAULT 0,
        payment_total numeric(12, 2) NOT NULL DEFAULT 0, payment_method varchar(255), note varchar(4000),
        create_date timestamp(0) with time zone NOT NULL, update_date timestamp(0) with time zone NOT NULL,
        order_date timestamp(0) with time zone, payment_date timestamp(0) with time zone, currency_code varchar(255),
        complete_message text, complete_mail_message text, add_point numeric(12, 0) NOT NULL DEFAULT 0,
        use_point numeric(12, 0) NOT NULL DEFAULT 0, order_status_id smallint REFERENCES mtb_order_status,
        discriminator_type varchar(255) NOT NULL);
    CREATE INDEX ON dtb_order (customer_id);
    CREATE INDEX ON dtb_order (email);
    CREATE INDEX ON dtb_order (order_date);
    CREATE INDEX ON dtb_order (payment_date);
    CREATE INDEX ON dtb_order (update_date);
    CREATE TABLE dtb_order_item (
        id serial PRIMARY KEY, order_id int REFERENCES dtb_order, product_id int, product_class_id int,
            shipping_id int, rounding_type_id smallint,
        tax_type_id smallint, tax_display_type_id smallint, order_item_type_id smallint,
            product_name varchar(255) NOT NULL,
        product_code varchar(255), class_name1 varchar(255), class_name2 varchar(255),
            class_category_name1 varchar(255),
        class_category_name2 varchar(255), price numeric(12, 2) NOT NULL DEFAULT 0, quantity numeric(10,
            0) NOT NULL DEFAULT 0,
        tax numeric(10, 0) NOT NULL DEFAULT 0, tax_rate numeric(10, 0) NOT NULL DEFAULT 0, tax_adjust numeric(10,
            0) NOT NULL DEFAULT 0,
        tax_rule_id smallint, currency_code varchar(255), processor_name varchar(255), point_rate numeric(10, 0),
        discriminator_type varchar(255) NOT NULL)});

# 2. The orders of Online Retail II, in pence for yen: 2% cancelled (3), 1% returned (9), 2% in the till (7) or not
#    finished (8, without a date), the others in the four statuses that count; 3% by guests

sql(qq{
    CREATE TABLE file (cust int, ts timestamp, lines int, gross numeric, returns numeric, country text);
    \\copy file FROM '$file' (FORMAT csv, HEADER)
    INSERT INTO eccube.dtb_customer (id, customer_status_id, name01, name02, email, password, secret_key, create_date,
        update_date,
                                     discriminator_type)
    SELECT cust, 2, 'customer', cust, 'c' || cust || '\@example.jp', 'x', cust, min(ts), min(ts), 'customer'
        FROM file GROUP BY cust;
    INSERT INTO eccube.dtb_order (id, customer_id, email, device_type_id, pre_order_id, order_no, name01, name02,
        subtotal, total,
                                  payment_total, create_date, update_date, order_date, currency_code, order_status_id,
                                      discriminator_type)
    SELECT n, CASE WHEN n % 33 <> 0 THEN cust END,
        CASE WHEN n % 66 = 0 THEN ' C' ELSE 'c' END || cust || '\@Example.JP', CASE WHEN n % 3 = 0 THEN 2 ELSE 10 END,
           n, n, 'customer', cust, amount, amount, amount, ts, ts,
               CASE WHEN status <> 8 THEN ts AT TIME ZONE 'Europe/London' END, 'JPY', status, 'order'
    FROM (SELECT f.*, gross * 100 AS amount,
        CASE n % 100 WHEN 0 THEN 3 WHEN 1 THEN 3 WHEN 2 THEN 9 WHEN 3 THEN 7 WHEN 4 THEN 8
                      ELSE (ARRAY[1, 4, 5, 6])[1 + n % 4] END AS status
          FROM (SELECT *, row_number() OVER (ORDER BY ts, cust) AS n FROM file WHERE gross > 0) AS f) AS o;
    SELECT setval('eccube.dtb_order_id_seq', 100000), setval('eccube.dtb_customer_id_seq', 100000);
    INSERT INTO eccube.dtb_order_item (order_id, order_item_type_id, product_name, price, quantity, currency_code,
        discriminator_type)
    SELECT id, 1, 'goods', total, 1, 'JPY', 'orderitem' FROM eccube.dtb_order;
    ANALYZE});
is(sql('SELECT count(*), sum(total), count(DISTINCT name02) FROM eccube.dtb_order'), '36851|1743153316.00|5878',
    'the orders are complete');
is(sql('SELECT string_agg(DISTINCT order_status_id::text, $$ $$) FROM eccube.dtb_order'), '1 3 4 5 6 7 8 9',
    'in every status');

# EC-CUBE's OrderRepository::updateOrderSummary(), for all customers at once
my $summary = q{
    UPDATE eccube.dtb_customer AS c
    SET first_buy_date = s.first, last_buy_date = s.last, buy_times = coalesce(s.times, 0),
        buy_total = coalesce(s.total, 0)
    FROM eccube.dtb_customer AS k
         LEFT JOIN (SELECT o.customer_id, min(o.order_date) AS first, max(o.order_date) AS last, count(o.id) AS times,
             sum(o.total) AS total
                    FROM eccube.dtb_order AS o WHERE o.order_status_id IN (1, 4, 5, 6) GROUP BY o.customer_id) AS s
              ON s.customer_id = k.id
    WHERE c.id = k.id};

# 3. Two shops: of the members only, as EC-CUBE counts them, and with guests

like(refusal_of($node, q{SELECT crm.create_shop_eccube('members', 'public')}),
    qr/^42P01: schema "public" has no table dtb_order of EC-CUBE$/, 'another schema is refused');
is( sql(q{SELECT string_agg(DISTINCT verdict, ' ' ORDER BY verdict) FROM crm.create_shop_eccube('members', 'eccube')}),
    'note ok',
    'a shop of members');
is( sql(q{SELECT string_agg(DISTINCT verdict, ' ' ORDER BY verdict) FROM crm.create_shop_eccube('everybody', 'eccube',
    guests => true,
    tiers => crm.tier_ladder('{ブロンズ,シルバー,ゴールド}', '{0,100000,500000}'))}), 'ok', 'a shop with guests');
is(sql(q{SELECT value FROM crm.shop_check('everybody') WHERE subject = 'by guests'}),
    sql('SELECT count(*) FROM eccube.dtb_order WHERE order_status_id IN (1, 4, 5, 6) AND customer_id IS NULL'),
        'which are seen');

my $entries = q{
    SELECT %s AS customer_id, order_date AS ordered_at, total AS amount,
        CASE device_type_id WHEN 2 THEN 'mobile' ELSE 'pc' END AS channel
    FROM eccube.dtb_order WHERE order_status_id IN (1, 4, 5, 6)};
my %shops = (
    members => sprintf($entries, 'customer_id'),
    everybody => sprintf($entries, q{coalesce(customer_id::text, 'guest:' || md5(lower(trim(email))))}));

my $as_of = '2011-12-09 23:00+09';
sub is_eccube
{
    my ($what, $rebuilt) = @_;
    sql($summary);
    for my $shop (sort keys %shops)
    {
        sql("CALL crm.refresh('$shop', '$as_of')");
        is(sql("SELECT status, rebuilt FROM crm.refresh_run WHERE shop = '$shop' ORDER BY run DESC LIMIT 1"),
            $rebuilt ? 'done|t' : 'done|f', "$what, $shop: " . ($rebuilt ? 'all orders were read'
                : 'the changes were enough'));
        is(sql("SELECT * FROM plain.differences('$shop', \$q\$$shops{$shop}\$q\$) LIMIT 5"), '',
            'the shop is what the orders say');
    }
    is( sql(q{
            SELECT c.id, c.buy_times, c.buy_total, c.first_buy_date, c.last_buy_date, u
            FROM (SELECT * FROM eccube.dtb_customer WHERE buy_times > 0) AS c
                 FULL JOIN (SELECT * FROM members.customer_history) AS u ON u.customer_id = c.id
            WHERE (c.buy_times, c.buy_total, c.first_buy_date, c.last_buy_date)
                  IS DISTINCT FROM (crm.orders(u.history), crm.revenue(u.history), crm.first_order(u.history),
                      crm.last_order(u.history))
            LIMIT 5}),
        '', 'every member has the buy_times, buy_total and dates of EC-CUBE');
    is( sql('SELECT count(*), sum(orders), sum(revenue) FROM members.customer'),
        sql('SELECT count(*) FILTER (WHERE buy_times > 0), sum(buy_times), trim_scale(sum(buy_total))
            FROM eccube.dtb_customer'), 'and so has the sum');
}
is_eccube('at first', 1);
is( sql('SELECT sum(orders), sum(revenue) FROM everybody.kpi_month'),
    sql('SELECT count(*), trim_scale(sum(total)) FROM eccube.dtb_order WHERE order_status_id IN (1, 4, 5, 6)'),
        'the months have all orders');
is( sql(q{SELECT month, customers, orders, revenue FROM everybody.kpi_month ORDER BY month}),
    sql(q{
        SELECT date_trunc('month', order_date AT TIME ZONE 'Asia/Tokyo')::date,
            count(DISTINCT coalesce(customer_id::text, md5(lower(trim(email))))),
               count(*), trim_scale(sum(total))
        FROM eccube.dtb_order WHERE order_status_id IN (1, 4, 5, 6) GROUP BY 1 ORDER BY 1}),
    'each in its month of Tokyo');

# 4. What happens in a shop, each followed by a refresh. Which orders: those with an id that leaves a rest.

my $update = 'UPDATE eccube.dtb_order SET update_date = now(),';
my @days = (
    [ 'orders are cancelled' => "$update order_status_id = 3 WHERE order_status_id = 1 AND id % 37 = 1" ],
    [ 'and cancelled ones taken up again' => "$update order_status_id = 1 WHERE order_status_id = 3 AND id % 3 = 1" ],
    [ 'checkouts are finished' =>
        "$update order_status_id = 1, order_date = '2011-12-09 10:00+09'
        WHERE order_status_id = 8 AND id % 200 = 4" ],
    [ 'payments arrive' =>
        "$update order_status_id = 6, payment_date = now() WHERE order_status_id = 7 AND id % 200 = 3" ],
    [ 'or roll back to the cart' =>
        "$update order_status_id = 8, order_date = NULL WHERE order_status_id = 7 AND id % 400 = 103" ],
    [ 'goods are delivered' => "$update order_status_id = 5 WHERE order_status_id IN (1, 4) AND id % 21 = 0" ],
    [ 'and sent back' => "$update order_status_id = 9 WHERE order_status_id = 5 AND id % 41 = 0" ],
    [ 'the shop edits an order' =>
        "$update discount = 500, total = total - 500, payment_total = total - 500
        WHERE id % 51 = 0 AND total > 500" ],
    [ 'a customer leaves' => q{UPDATE eccube.dtb_customer SET customer_status_id = 3,
        email = md5(email) || '@dummy.dummy' WHERE id % 20 = 0} ],
    [ 'a guest becomes a member' => "$update customer_id = (SELECT id FROM eccube.dtb_customer AS c
        WHERE lower(trim(dtb_order.email)) = c.email) WHERE customer_id IS NULL AND id % 99 = 0" ],
    [ 'the shop merges members' => "$update customer_id = 12747 WHERE customer_id IN (12748, 12749, 12820)" ],
    [ 'a member orders, from the cart to the payment' => q{
        INSERT INTO eccube.dtb_order (customer_id, email, device_type_id, name01, name02, total, payment_total,
            create_date, update_date, currency_code, order_status_id, discriminator_type)
        SELECT id, email, 2, name01, name02, 1000, 1000, now(), now(), 'JPY', 8, 'order' FROM eccube.dtb_customer
            WHERE id % 50 = 1;
        UPDATE eccube.dtb_order SET order_status_id = 7, order_date = '2011-12-09 12:00+09' WHERE id > 100000;
        UPDATE eccube.dtb_order SET order_status_id = 1 WHERE id > 100000} ],
    [ 'orders have no currency, which EC-CUBE counts too' => "$update currency_code = NULL WHERE id % 61 = 0; $update
        currency_code = NULL, total = total + 1 WHERE id % 122 = 1" ],
    [ 'the shop deletes an order for good' => 'DELETE FROM eccube.dtb_order_item WHERE order_id % 71 = 0; DELETE
        FROM eccube.dtb_order WHERE id % 71 = 0' ]);
for my $day (@days)
{
    my ($what, $statement) = @$day;
    my $before = sql('SELECT sum(crm.orders(history)), sum(crm.revenue(history)),
        sum(hashtext(customer_id || history::text)::bigint) FROM everybody.customer_history');
    sql($statement);
    is_eccube($what, 0);
    my $after = sql('SELECT sum(crm.orders(history)), sum(crm.revenue(history)),
        sum(hashtext(customer_id || history::text)::bigint) FROM everybody.customer_history');
    if ($what =~ /leaves|delivered|roll back/)
    {
        is($after, $before, 'and nothing changes');
    }
    else
    {
        isnt($after, $before, 'and something changes');
    }
}

# 5. EC-CUBE's own migrations are not in the way of the shop, nor the shop in theirs.

sql('ALTER TABLE eccube.dtb_order ALTER order_no TYPE text, ADD plg_column int, DROP message,
    ALTER total TYPE numeric(14, 2)');
sql("$update total = total + 1 WHERE id % 60 = 7");
is_eccube('after a migration', 1);
is(sql(q{SELECT column_name FROM information_schema.columns WHERE table_schema IN ('members', 'everybody')
    AND column_name ~ 'email|name0|kana|phone|addr|birth'}), '', 'the shops hold no personal data');

# 6. A dry run shows what there is, and that orders in another currency do not fit, and makes nothing.

sub dry_run
{
    return sql("SELECT subject, value, verdict FROM crm.create_shop_eccube('dry', 'eccube', $_[0] dry_run => true)
        WHERE subject = 'rows that count' OR verdict = 'error' ORDER BY 1");
}
my $counted = sql('SELECT count(*) FROM eccube.dtb_order WHERE order_status_id IN (1, 4, 5, 6)');
is(dry_run(''), "rows that count|$counted|ok", 'orders without a currency are of the shop\'s at creation, too');
is(dry_run(q{currency => 'USD',}), "currencies|JPY, USD|error\nrows that count|$counted|ok", 'which is another one when told so');
sql("$update currency_code = 'EUR' WHERE id = (SELECT min(id) FROM eccube.dtb_order WHERE order_status_id = 5)");
is(dry_run(''), "currencies|EUR, JPY|error\nrows that count|$counted|ok", 'an order in euros is seen');
is(sql(q{SELECT to_regnamespace('dry') IS NULL, count(*) FROM crm.shop WHERE shop = 'dry'}), 't|0', 'and no shop is made');
sql("CALL crm.refresh('members', '$as_of')");
is(sql('SELECT sum(crm.orders(history)) FROM members.customer_history'),
    sql(q{SELECT count(*) FROM eccube.dtb_order WHERE order_status_id IN (1, 4, 5, 6) AND customer_id IS NOT NULL
        AND currency_code IS DISTINCT FROM 'EUR'}), 'nor does it count in a shop of yen');

$node->stop;
done_testing();
