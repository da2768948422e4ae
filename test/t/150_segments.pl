# Segments of shops against a model: orders change at random, days go by, refreshes are killed, definitions change. After
# every refresh the members have to be what plain SQL finds in customer, the events what leads from the members of the
# last refresh to these, and every earlier day has to be what it was. CRM_TEST_SEED repeats the same steps.
use strict;
use warnings FATAL => 'all';

use FindBin;
use List::Util qw(shuffle);
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $seed = $ENV{CRM_TEST_SEED} // int(rand(1 << 31));
srand($seed);
note("CRM_TEST_SEED=$seed");

my $steps = 30;
my $node = start_server('segments', 'restart_after_crash = on', "timezone = 'America/New_York'");
sub sql { return $node->safe_psql('postgres', $_[0]) }

# 1. Customers by numbers, negative ones too, and the same customers by text with Japanese and quotes in it. Members that
#    are known are kept beside the shops: by day, and as whoever reads the events has them.

sql(q{
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int, key text COLLATE "C",
        at timestamptz, amount numeric, paid boolean DEFAULT true);
    CREATE INDEX ON orders (customer);
    CREATE TABLE favourite (customer int, key text);
    CREATE FUNCTION key_of(customer int) RETURNS text LANGUAGE sql IMMUTABLE RETURN format('顧客''"%s', customer);
    CREATE TABLE definition (shop name, segment text, condition text, plain text, operation text, parts text[],
        PRIMARY KEY (shop, segment));
    CREATE TABLE member_of_day (shop name, segment text, day date, member bigint);
    CREATE TABLE heard (shop name, segment text, customer_id text, PRIMARY KEY (shop, segment, customer_id));
    CREATE TABLE listener (shop name PRIMARY KEY, last_event bigint DEFAULT 0);
    INSERT INTO orders (customer, key, at, amount)
    SELECT g % 120 - 60, key_of(g % 120 - 60), timestamptz '2025-01-01+09' + g * interval '3 hours', g % 97 * 100
        FROM generate_series(1, 500) AS g WHERE g % 120 < 100 AND g % 7 > 2;
    INSERT INTO favourite SELECT c, key_of(c) FROM generate_series(-30, 10) AS c;
    SELECT crm.create_shop('numbers', 'orders', 'customer', 'at', 'amount', condition => 'paid', zone => 'Asia/Tokyo',
        batch_rows => 20, answers_kept => '20 days');
    SELECT crm.create_shop('texts', 'orders', 'key', 'at', 'amount', condition => 'paid', zone => 'Asia/Tokyo',
        batch_rows => 20, horizon => NULL);
    INSERT INTO listener SELECT shop FROM crm.shop});
my @shops = qw(numbers texts);

# What plain SQL finds: conditions on customer, and their combinations by UNION, INTERSECT and EXCEPT.
sql(q{
    CREATE FUNCTION plain_members(of_shop name, of_segment text) RETURNS TABLE (customer_id text) LANGUAGE plpgsql AS $$
    DECLARE
        d definition;
        query text;
    BEGIN
        SELECT * INTO STRICT d FROM definition AS x WHERE x.shop = of_shop AND x.segment = of_segment;
        IF d.operation IS NULL THEN
            SET LOCAL TimeZone = 'Asia/Tokyo';
            RETURN QUERY EXECUTE format('SELECT customer.customer_id::text FROM %I.customer WHERE %s', of_shop, d.plain);
        ELSE
            SELECT string_agg(format('(SELECT * FROM plain_members(%L, %L))', of_shop, p),
                CASE d.operation WHEN 'union' THEN ' UNION ' WHEN 'intersection' THEN ' INTERSECT ' ELSE ' EXCEPT ' END
                ORDER BY n)
            INTO query FROM unnest(d.parts) WITH ORDINALITY AS u (p, n);
            RETURN QUERY EXECUTE query;
        END IF;
    END $$;

    CREATE FUNCTION differences(of_shop name) RETURNS SETOF text LANGUAGE plpgsql AS $$
    DECLARE
        d definition;
        today date;
        next record;
    BEGIN
        EXECUTE format('SELECT day FROM %I.scoring', of_shop) INTO today;
        FOR next IN EXECUTE format('SELECT * FROM %I.segment_event WHERE event > $1 ORDER BY event', of_shop)
            USING (SELECT last_event FROM listener AS l WHERE l.shop = of_shop)
        LOOP
            IF next.kind = 'entered' THEN
                INSERT INTO heard VALUES (of_shop, next.segment, next.customer_id::text);
            ELSE
                DELETE FROM heard AS h
                WHERE (h.shop, h.segment, h.customer_id) = (of_shop, next.segment, next.customer_id::text);
                IF NOT FOUND THEN
                    RETURN NEXT format('left, but was not in %s: %s', next.segment, next.customer_id);
                END IF;
            END IF;
            UPDATE listener AS l SET last_event = next.event WHERE l.shop = of_shop;
        END LOOP;
        FOR d IN SELECT * FROM definition AS x WHERE x.shop = of_shop LOOP
            RETURN QUERY EXECUTE format($sql$
                WITH plain AS (SELECT * FROM plain_members(%1$L, %2$L)),
                     stored AS (SELECT m.customer_id::text FROM %1$I.segment_member AS m WHERE m.segment = %2$L),
                     heard_of AS (SELECT h.customer_id FROM heard AS h WHERE h.shop = %1$L AND h.segment = %2$L)
                SELECT format('%%s: not stored: %%s', %2$L, x) FROM (TABLE plain EXCEPT ALL TABLE stored) AS x UNION ALL
                SELECT format('%%s: stored: %%s', %2$L, x) FROM (TABLE stored EXCEPT ALL TABLE plain) AS x UNION ALL
                SELECT format('%%s: no event: %%s', %2$L, x) FROM (TABLE stored EXCEPT ALL TABLE heard_of) AS x UNION ALL
                SELECT format('%%s: still there: %%s', %2$L, x) FROM (TABLE heard_of EXCEPT ALL TABLE stored) AS x
                $sql$, of_shop, d.segment);
            DELETE FROM member_of_day AS m WHERE (m.shop, m.segment) = (of_shop, d.segment) AND m.day >= today;
            INSERT INTO member_of_day
            SELECT of_shop, d.segment, today, m FROM crm.segment_members(of_shop, d.segment) AS m;
        END LOOP;
    END $$;

    -- Days are known from the first that a segment was evaluated for, or from the first that the shop keeps.
    CREATE FUNCTION past_differences(of_shop name) RETURNS SETOF text LANGUAGE plpgsql AS $$
    DECLARE
        known record;
    BEGIN
        FOR known IN EXECUTE format('SELECT m.segment, m.known_since, d::date AS day, e::date AS to_day, '
            'd::date = m.day AS is_today FROM %I.segment_set AS m, generate_series(m.known_since, m.day, interval ''2 days'') AS d, '
            'generate_series(d, m.day, interval ''7 days'') AS e', of_shop)
        LOOP
            RETURN QUERY
            WITH plain AS (
                SELECT m.member FROM member_of_day AS m
                WHERE m.shop = of_shop AND m.segment = known.segment
                      AND m.day = (SELECT max(x.day) FROM member_of_day AS x WHERE x.shop = of_shop AND x.day <= known.day)
            ), stored AS (
                SELECT crm.segment_members(of_shop, known.segment, known.day) AS member
            )
            SELECT format('%s on %s not stored: %s', known.segment, known.day, x) FROM (TABLE plain EXCEPT ALL TABLE stored) AS x
            UNION ALL
            SELECT format('%s on %s stored: %s', known.segment, known.day, x) FROM (TABLE stored EXCEPT ALL TABLE plain) AS x
            UNION ALL
            SELECT format('%s from %s to %s', known.segment, known.day, known.to_day)
            FROM crm.segment_moves(of_shop, known.segment, known.day, known.to_day) AS m
            HAVING crm.segment_set_of(of_shop, known.segment, known.day)
                   OPERATOR(crm.-) crm.idset_union(m.members) FILTER (WHERE m.move = 'left')
                   OPERATOR(crm.|) crm.idset_union(m.members) FILTER (WHERE m.move = 'entered')
                   OPERATOR(crm.<>) crm.segment_set_of(of_shop, known.segment, known.to_day);
        END LOOP;
    END $$});

# Defines a segment in both shops. Members that a changed definition makes, also of what is made of it, write no events.
sub define
{
    my ($segment, %given) = @_;
    for my $shop (@shops)
    {
        my ($call, $condition) = ('', $given{condition} // '');
        $condition =~ s/THE_KEY/$shop eq 'numbers' ? 'customer' : 'key'/ge;
        my $plain = $given{plain} // $condition;
        if ($given{operation})
        {
            $call = "crm.define_segment_set('$shop', \$\$$segment\$\$, '$given{operation}', '{$given{parts}}')";
        }
        else
        {
            $call = "crm.define_segment('$shop', \$\$$segment\$\$, \$\$$condition\$\$)";
        }
        sql(qq{
            INSERT INTO definition VALUES ('$shop', \$\$$segment\$\$, \$\$$condition\$\$, \$\$$plain\$\$,
                nullif('@{[ $given{operation} // '' ]}', ''), nullif('{@{[ $given{parts} // '' ]}}', '{}')::text[])
            ON CONFLICT (shop, segment) DO UPDATE SET condition = excluded.condition, plain = excluded.plain,
                operation = excluded.operation, parts = excluded.parts;
            SELECT $call;
            DELETE FROM heard WHERE shop = '$shop';
            INSERT INTO heard SELECT '$shop', segment, customer_id::text FROM $shop.segment_member});
    }
}

my $day = 60;
sub as_of { return "timestamptz '2025-01-01 12:00+09' + $day * interval '1 day'" }
sub refresh { my ($how) = @_; sql("CALL crm.$how('$_', ${\as_of()})") for @shops }

define('first', condition => 'orders = 1');
refresh('refresh');
define('first', condition => 'orders = 1');
define(q{late's "遅"}, condition => 'customer.recency_days > 20 -- days');
define('best', condition => q{tier IS NULL AND score::int > 300 AND revenue / orders > 3000});
define('twice', condition => 'crm.orders(history) >= 2 AND crm.revenue(history) > 5000', plain => 'orders >= 2 AND revenue > 5000');
define('may', condition => q{to_char(last_order_at, 'MM-DD HH24') < '02-20 12'});
define('favourite', condition => 'EXISTS (SELECT FROM public.favourite AS f WHERE f.THE_KEY = customer.customer_id)');
define('nobody', condition => 'false');
define('both', operation => 'intersection', parts => 'favourite,twice');
define('any', operation => 'union', parts => 'first,both,nobody');
define('rest', operation => 'difference', parts => 'any,favourite');
is(sql("SELECT differences('$_')"), '', "$_: the first members are right") for @shops;
is(sql("SELECT count(*) FROM $_.segment_event"), 0, "$_: the first evaluation writes no events") for @shops;
cmp_ok(sql("SELECT count(*) FROM $_.segment_size WHERE customers > 3"), '>=', 8, "$_: most have members") for @shops;

# 2. Anything may happen.

sub change_orders
{
    my $customer = int(rand(130)) - 65;
    my $soon = "timestamptz '2025-01-01+09' + ($day - " . int(rand(30)) . ") * interval '1 day' + random() * interval '1 day'";
    my @ways = (
        "INSERT INTO orders (customer, key, at, amount) SELECT c, key_of(c), $soon, 1000 * c + 65000
            FROM generate_series($customer, $customer + 9) AS c",
        "DELETE FROM orders WHERE customer BETWEEN $customer AND $customer + 3",
        "UPDATE orders SET customer = $customer, key = key_of($customer) WHERE customer = -($customer)",
        "UPDATE orders SET paid = NOT paid WHERE customer BETWEEN $customer AND $customer + 5",
        "UPDATE orders SET at = at + interval '20 days' WHERE id % 20 = $day % 20",
        "UPDATE orders SET amount = amount + 999 WHERE id % 11 = $day % 11",
        "INSERT INTO favourite SELECT c, key_of(c) FROM generate_series($customer, $customer + 20) AS c;
            UPDATE orders SET amount = amount + 1 WHERE customer = (SELECT min(customer) FROM orders WHERE paid)",
        "DELETE FROM favourite WHERE customer % 3 = 0;
            UPDATE orders SET amount = amount + 1 WHERE customer = (SELECT max(customer) FROM orders WHERE paid)");
    sql($ways[ rand @ways ]);
}

# A run that stops after some batches, as one that is killed
sub begin_and_stop
{
    my $batches = int(rand(4));
    sql("SELECT crm.start_run('$_', 'refresh', ${\as_of()}) AS run \\gset\n"
            . 'SELECT more FROM crm.run_step(:run);' x $batches) for @shops;
}

my (%times, @draws);
for my $step (1 .. $steps)
{
    change_orders() for 1 .. 1 + rand(3);
    @draws = shuffle(0 .. 11) unless @draws;
    my $draw = shift @draws;
    my $what = $draw == 0 ? 'a rebuild' : $draw == 1 ? 'a new definition' : $draw < 5 ? 'a new day' : $draw < 8
        ? 'a run that stopped' : 'a refresh';
    $times{$what}++;
    if ($draw == 1)
    {
        # By what the last refresh knows; what changed since comes with the next one
        my ($name, %given) = (
            [ 'first', condition => 'orders <= ' . int(1 + rand(3)) ],
            [ 'favourite', condition => 'orders > ' . int(rand(4)) ],
            [ 'favourite', condition => 'EXISTS (SELECT FROM public.favourite AS f WHERE f.THE_KEY = customer.customer_id)' ],
            [ 'any', operation => (qw(union difference))[ rand 2 ], parts => 'first,both,twice' ],
            [ 'twice', condition => 'frequency >= 2' ])[ rand 5 ]->@*;
        define($name, %given);
    }
    $day += 1 + int(rand(3)) if $what eq 'a new day';
    begin_and_stop() if $what eq 'a run that stopped';
    refresh($draw == 0 ? 'rebuild' : 'refresh');
    for my $shop (@shops)
    {
        is(sql("SELECT differences('$shop') LIMIT 5"), '', "step $step, $shop: members and events after $what");
        next if $step % 15;
        is(sql("SELECT past_differences('$shop') LIMIT 5"), '', 'and all days before');
    }
}
is(join(', ', sort keys %times), 'a new day, a new definition, a rebuild, a refresh, a run that stopped', 'all of it happened');
for my $shop (@shops)
{
    is(sql("SELECT count(*) FROM $shop.segment_todo"), 0, "$shop: nothing is left to do");
    cmp_ok(sql("SELECT count(*) FROM $shop.segment_event WHERE kind = '$_'"), '>', 20, "$_ by many") for qw(entered left);
    is(sql("SELECT count(*) FROM crm.refresh_run WHERE shop = '$shop' AND note LIKE '%could not%'"), 0, 'nothing failed');
    is(sql("SELECT count(*) FROM (SELECT event, lag(run) OVER (ORDER BY event) > run AS back FROM $shop.segment_event) AS e
        WHERE back"), 0, 'events are in the order of runs');
}
is(sql("SELECT past_differences('$_') LIMIT 5"), '', "$_: all days before are as they were") for @shops;
$day += 25;
refresh('refresh');
is(sql("SELECT differences('$_') LIMIT 5"), '', "$_: 25 days later") for @shops;
is(sql(q{SELECT bool_and(known_since = (SELECT known_since FROM numbers.scoring)) AND min(known_since) > '2025-03-02' FROM numbers.segment_set}),
    't', 'a shop that keeps answers for twenty days forgets its older ones');
is(sql('SELECT count(*) FROM numbers.segment_event AS e WHERE day < (SELECT known_since FROM numbers.scoring)'), 0, 'and their events');
like(refusal_of($node, q{SELECT crm.segment_size('numbers', 'first', '2025-03-02')}),
    qr/^22023: customers of segment "first" are not known for 2025-03-02/, 'and says so');

# 3. Killed in the middle: what the batches have written is still to be done.

sql(q{SELECT crm.alter_shop(shop, batch_rows => 3) FROM crm.shop});
refresh('refresh');
my ($killed, $enough) = (0, 4);
for my $crash (1 .. 5 * $enough)
{
    last if $killed == $enough;
    sql('UPDATE orders SET amount = amount + (CASE WHEN id % 2 = 0 THEN 1000 ELSE -1000 END)');
    my $shop = $shops[ $crash % 2 ];
    my $session = start_script($node, "CALL crm.refresh('$shop', ${\as_of()})", 'refresher');
    $node->poll_query_until('postgres', "SELECT batches > 5 FROM crm.refresh_run WHERE shop = '$shop' ORDER BY run DESC LIMIT 1");
    my $log = -s $node->logfile;
    my $dies = kill('KILL', sql("SELECT pid FROM crm.refresh_run WHERE shop = '$shop' ORDER BY run DESC LIMIT 1"));
    if ($dies) # else it was faster
    {
        $node->wait_for_log(qr/database system is ready to accept connections/, $log);
        $node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
    }
    finish_script($session);
    $killed++ if sql("SELECT count(*) > 0 FROM $shop.segment_todo") eq 't';
    refresh('refresh');
    is(sql("SELECT differences('$_') LIMIT 5"), '', "crash $crash, $_: the next refresh finds all") for @shops;
}
is($killed, $enough, 'runs were killed with customers to do');

# 4. Whoever listens hears of the events of each transaction, once it is committed, and that is all; while a refresh
#    runs, nobody defines.

$day++;
sql("INSERT INTO orders (customer, key, at, amount) VALUES (500, key_of(500), timestamptz '2025-01-01+09' + $day * interval '1 day', 100)");
my $before = sql('SELECT coalesce(max(event), 0) FROM texts.segment_event');
my $heard = sql("LISTEN crm_segment; BEGIN; CALL crm.refresh('texts', ${\as_of()}); SELECT 'not yet'; COMMIT; SELECT pg_sleep(0.01)");
my ($run, $first, $last, $events) = sql("SELECT max(run), min(event), max(event), count(*) FROM texts.segment_event
    WHERE event > $before") =~ /\d+/g;
cmp_ok($events, '>', 0, 'a day brings events');
is(() = $heard =~ /Asynchronous/g, 1, 'and one notification');
like($heard, qr/^not yet\nAsynchronous notification "crm_segment" with payload "\{"shop" : "texts", "run" : $run, "first_event" : $first, "last_event" : $last, "events" : $events\}"/m,
    'that says which');
unlike(sql("LISTEN crm_segment; CALL crm.refresh('texts', ${\as_of()})"), qr/Asynchronous/, 'without events there is none');
refresh('refresh');
is(sql("SELECT differences('$_') LIMIT 5"), '', "$_: and they are right") for @shops;

my $refresher = start_script($node, q{SELECT pg_advisory_lock(crm.shop_lock('texts')); SELECT pg_sleep(600)}, 'refresher');
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory'});
is(refusal_of($node, $_), '55006: shop "texts" is being refreshed', "refused: $_") for
    q{SELECT crm.define_segment('texts', 'new', 'true')}, q{SELECT crm.drop_segment('texts', 'rest')},
    q{SELECT crm.define_segment_set('texts', 'new', 'union', '{first,both}')};
sql(q{SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'});
finish_script($refresher);

# 5. The day goes back.

$day -= 5;
refresh('rebuild');
for my $shop (@shops)
{
    sql("DELETE FROM heard WHERE shop = '$shop'; INSERT INTO heard SELECT '$shop', segment, customer_id::text FROM $shop.segment_member;
        DELETE FROM member_of_day WHERE shop = '$shop'");
    is(sql("SELECT differences('$shop') LIMIT 5"), '', "$shop: a rebuild for an earlier day is right");
    is(sql("SELECT past_differences('$shop') LIMIT 5"), '', 'the past begins anew');
    is(sql("SELECT count(*) FROM $shop.segment_event, $shop.scoring WHERE segment_event.day > scoring.day"), 0, 'nothing happens later');
}
$day += 3;
change_orders();
refresh('refresh');
is(sql("SELECT differences('$_') LIMIT 5"), '', "$_: and it goes on") for @shops;

$node->stop;
done_testing();
