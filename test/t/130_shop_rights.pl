# Rights around a shop: who reads its views reads nothing else, who writes orders needs no rights on it, its owner reads
# the orders with the rights of the moment, nobody else gets at it, and whatever names and objects others choose,
# nothing
# of theirs runs with the rights of somebody else.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = start_server('shop_rights');
my $admin = $node->safe_psql('postgres', 'SELECT current_user');

sub sql_as
{
    my ($role, $sql) = @_;
    return $node->safe_psql('postgres', $sql, extra_params => [ '-U', $role ]);
}

sub refusal
{
    my ($role, $sql, %options) = @_;
    return refusal_of($node, $sql, role => $role, %options);
}

my $as_of = q{timestamptz '2025-06-30 12:00+09'};
my $entries = 'SELECT customer AS customer_id, at AS ordered_at, amount, NULL AS channel FROM platform.orders';

# The platform owns the orders; the analyst makes a shop of them; a group of readers may see it.
sql_as($admin, q{
    CREATE ROLE platform LOGIN;
    CREATE ROLE till LOGIN;
    CREATE ROLE analyst LOGIN;
    CREATE ROLE assistant LOGIN IN ROLE analyst;
    CREATE ROLE dashboards;
    CREATE ROLE reader LOGIN IN ROLE dashboards;
    CREATE ROLE stranger LOGIN;
    GRANT CREATE ON DATABASE postgres TO analyst, stranger;
    CREATE SCHEMA platform AUTHORIZATION platform;
    GRANT USAGE ON SCHEMA platform TO PUBLIC});
sql_as('platform', q{
    CREATE TABLE platform.orders (id serial PRIMARY KEY, customer int, email text, at timestamptz, amount numeric,
        branch text DEFAULT 'b1');
    INSERT INTO platform.orders (customer, email, at, amount)
    SELECT g % 100, 'c' || g % 100 || '@example.jp', timestamptz '2025-01-01+09' + g * interval '4 hours', g
        FROM generate_series(1, 1000) AS g;
    CREATE TABLE platform.secret ();
    GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON platform.orders TO till;
    GRANT USAGE ON SEQUENCE platform.orders_id_seq TO till});

# 1. Making one: the rights it takes

my $create = q{SELECT count(*) > 0 FROM crm.create_shop('shop', 'platform.orders', 'customer', 'at', 'amount',
    zone => 'Asia/Tokyo')};
is(refusal('analyst', $create), '42501: permission denied for table orders',
    'without a right to read there is no shop');
sql_as('platform', 'GRANT SELECT ON platform.orders TO analyst');
like(refusal('analyst', $create), qr/^42501: changes of platform.orders cannot be noticed: permission denied/,
    'nor without the right to notice changes');
is(refusal('analyst', $create, hint => 1), q{GRANT TRIGGER ON platform.orders TO analyst; or say capture => 'compare'.}, 'the hint says which');
sql_as('platform', 'GRANT TRIGGER ON platform.orders TO analyst');
like(refusal('till', $create), qr/^42501: permission denied for database/, 'and the right to make a schema');
is(sql_as('analyst', $create), 't', 'with all three it is made');
sql_as('analyst', "CALL crm.refresh('shop', $as_of)");
is(sql_as($admin, "SELECT * FROM plain.differences('shop', '$entries')"), '', 'and right');

# 2. Who writes orders needs no rights on the shop.

sql_as('till', q{
    INSERT INTO platform.orders (customer, at, amount) VALUES (7, '2025-02-02+09', 77), (1000, '2025-02-02+09', 77);
    UPDATE platform.orders SET amount = amount + 1 WHERE customer = 8;
    DELETE FROM platform.orders WHERE customer = 9;
    COPY platform.orders (customer, at, amount) FROM stdin (FORMAT csv);
10,2025-03-03+09,5
\.
});
like(refusal('till', 'TABLE shop.change_queue'), qr/^42501: permission denied for schema shop$/,
    'who writes sees nothing of the shop');
sql_as('analyst', "CALL crm.refresh('shop', $as_of)");
is(sql_as($admin, "SELECT * FROM plain.differences('shop', '$entries')"), '', 'their orders are counted');
is(sql_as('analyst', q{SELECT rebuilt FROM crm.refresh_run WHERE shop = 'shop' ORDER BY run DESC LIMIT 1}), 'f',
    'each as a change');
sql_as('till', 'TRUNCATE platform.orders; INSERT INTO platform.orders (customer, email, at, amount) '
    . q{SELECT g % 10, 'secret' || g % 10 || '@example.jp', timestamptz '2025-01-01+09' + g * interval '1 day', g
        FROM generate_series(1, 100) AS g});
sql_as('assistant', "CALL crm.refresh('shop', $as_of)");
is(sql_as($admin, "SELECT * FROM plain.differences('shop', '$entries')"), '',
    'also by TRUNCATE; members of the owner refresh');

# A segment over what only the owner may read
sql_as('analyst', q{SELECT crm.define_segment('shop', 'high', 'revenue >= 500'), crm.define_segment('shop', 'here',
    'EXISTS (SELECT FROM platform.orders AS o WHERE o.customer = customer.customer_id AND o.branch = ''b1'')'),
    crm.define_segment_set('shop', 'both', 'intersection', '{high,here}')});
sql_as('till', q{INSERT INTO platform.orders (customer, at, amount) VALUES (4, '2025-05-05+09', 100)});
sql_as('assistant', "CALL crm.refresh('shop', $as_of)");
is(sql_as('analyst', 'SELECT string_agg(kind || customer_id || segment, $$ $$ ORDER BY event) FROM shop.segment_transition'),
    'entered4high entered4both', 'segments follow, whoever refreshes');
is(refusal('analyst', q{SELECT crm.define_segment('shop', 'peep', 'EXISTS (SELECT FROM platform.secret)')}),
    '42501: permission denied for table secret', 'a definition reads what its owner may read');

# 3. Readers read the views and the segments, all of them and nothing else.

sql_as('analyst', q{SELECT crm.grant_shop('shop', 'dashboards')});
my @views = split /\n/, sql_as('reader', q{SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop'
    AND table_type = 'VIEW' ORDER BY 1});
is("@views", sql_as($admin, q{SELECT string_agg(v, ' ' ORDER BY v) FROM unnest(crm.shop_views() || crm.segment_views()) AS v}),
    'a reader is shown the views only');
is( sql_as($admin, q{SELECT c.relname, c.relkind FROM pg_class AS c
        WHERE c.relnamespace = 'shop'::regnamespace AND (c.relkind IN ('r', 'p', 'm', 'f')
            AND has_any_column_privilege('reader', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
            OR c.relkind = 'S' AND has_sequence_privilege('reader', c.oid, 'USAGE, SELECT, UPDATE'))}),
    '', 'and has rights on nothing else, not on a single column');
cmp_ok(scalar @views, '>=', 8, 'of which there are ' . @views);
for my $view (@views)
{
    unlike(refusal('reader', "SELECT to_jsonb(v) FROM shop.$view AS v"), qr/secret|^42501/,
        "$view can be read and holds no mail address");
}
is(sql_as('reader', 'SELECT count(*), sum(revenue) FROM shop.customer'), '10|5150', 'there is something to read');
my @tables = split /\n/, sql_as($admin, q{SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace
    AND relkind = 'r' ORDER BY 1});
cmp_ok(scalar @tables, '>=', 7, scalar @tables . ' tables');
for my $table (@tables)
{
    is(refusal('reader', "SELECT * FROM shop.$table"), "42501: permission denied for table $table",
        "not the table $table");
}
is(refusal('reader', 'SELECT * FROM platform.orders'), '42501: permission denied for table orders', 'nor the orders');
for my $question (
    q{crm.in_segment('shop', 'high', 9)}, q{crm.segments_of('shop', 9)}, q{crm.segments_of('shop', '9')},
    q{crm.segment_members('shop', 'both')}, q{crm.segment_members('shop', 'both', NULL, NULL::text)},
    q{crm.segment_set_of('shop', 'here', '2025-06-30')}, q{crm.segment_size('shop', 'here')}, q{crm.segment_overlap('shop')},
    q{crm.segment_moves('shop', 'high', '2025-06-30', NULL)}, q{crm.check_segment_family('shop', 'none')},
    q{crm.segment_export('shop', 'high')})
{
    my $refused = refusal('reader', "SELECT $question");
    $question =~ /family/ ? like($refused, qr/^42704: no segment of shop "shop" is in family "none"/, "a reader may ask $question")
        : like($refused, qr/^accepted: \S/, "a reader may ask $question");
    like(refusal('stranger', "SELECT $question"), qr/^42501: permission denied for schema shop/, 'a stranger may not');
}
is(refusal('reader', "SELECT crm.$_"), '42501: must be owner of shop "shop"', "a reader may not: $_") for
    q{define_segment('shop', 'mine', 'true')}, q{define_segment_set('shop', 'mine', 'union', '{high,here}')},
    q{drop_segment('shop', 'high')}, q{define_standard_segments('shop', 'durable')}, q{explain_membership('shop', 'high', 9)};
is(refusal('assistant', "SELECT crm.$_"), '42501: only the owner of shop "shop" may do this', "nor may a member of the owner: $_") for
    q{define_segment('shop', 'mine', 'true')}, q{define_segment_set('shop', 'mine', 'union', '{high,here}')},
    q{drop_segment('shop', 'high')}, q{define_standard_segments('shop', 'durable')}, q{explain_membership('shop', 'high', 9)};
like(refusal('reader', $_), qr/^(42501|55000): /, "nor may it: $_") for 'CREATE TABLE shop.mine ()', 'DELETE
    FROM shop.customer', 'UPDATE shop.refresh_log SET status = NULL';

sql_as('reader', q{CREATE TEMP TABLE mine (customer int, at timestamptz, amount numeric);
    CREATE TRIGGER mine AFTER INSERT ON mine REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION crm.capture('shop');
    INSERT INTO mine VALUES (1, now(), 1)});
is(sql_as($admin, q{SELECT (SELECT count(*) FROM shop.change_queue), (SELECT count(*) FROM shop.attention)}), '0|0',
    'nor make up orders of a table of its own');

# 4. The shop is its owner's alone.

my %needs = (
    "CALL crm.refresh('shop')" => 'must be owner of shop "shop"',
    "CALL crm.rebuild('shop')" => 'must be owner of shop "shop"',
    "SELECT crm.alter_shop('shop', span => '2 years')" => 'must be owner of shop "shop"',
    "SELECT crm.drop_shop('shop')" => 'must be owner of shop "shop"',
    "SELECT crm.drop_shop('shop', true)" => 'must be owner of shop "shop"',
    "SELECT * FROM crm.shop_check('shop')" => 'must be owner of shop "shop"',
    "SELECT crm.grant_shop('shop', 'stranger')" => 'must be owner of shop "shop"',
    "SELECT crm.schedule('shop', '10 * * * *')" => 'must be owner of shop "shop"',
    "SELECT crm.unschedule('shop')" => 'must be owner of shop "shop"',
    "SELECT crm.start_run('shop', 'refresh', now())" => 'must be owner of shop "shop"',
    "SELECT crm.advance_run((SELECT min(run) FROM crm.refresh_run))" => 'must be owner of shop "shop"');
for my $role (qw(stranger reader till platform))
{
    is(refusal($role, $_), "42501: $needs{$_}", "$role may not: $_") for sort keys %needs;
}
for my $statement (
    'SELECT * FROM shop.customer', q{SELECT crm.make_capture(s) FROM crm.shop AS s WHERE shop = 'shop'}, q{SELECT crm.rebuild_histories(s, r)
        FROM crm.shop AS s, crm.refresh_run AS r WHERE s.shop = 'shop' AND r.shop = 'shop'},
    q{UPDATE crm.shop SET amount = '0'}, 'DELETE FROM crm.shop', q{UPDATE crm.shop_run SET error = 'x'},
    q{INSERT INTO crm.shop SELECT * FROM crm.shop}, 'TRUNCATE crm.shop_run', 'SELECT run FROM crm.shop_run')
{
    like(refusal('stranger', $statement), qr/^42501: /, 'a stranger may not: ' . $statement =~ s/\s+/ /gr);
}
sql_as('stranger', q{UPDATE crm.own_shop SET amount = '0'; DELETE FROM crm.own_shop;
    UPDATE crm.own_refresh_run SET error = 'x'; DELETE FROM crm.own_refresh_run});
is( sql_as($admin, q{SELECT (SELECT amount FROM crm.shop WHERE shop = 'shop'), count(*) > 0, count(error)
    FROM crm.refresh_run}),
    'o.amount|t|0', 'what strangers change of their own shops does not touch this one');
sql_as('stranger', q{SELECT crm.drop_capture('shop')});
is(sql_as($admin, q{SELECT count(*) FROM crm.capture_triggers('shop') WHERE enabled}), 4, 'nor its triggers');
like(refusal('stranger', q{INSERT INTO crm.own_shop SELECT (jsonb_populate_record(s, '{"amount": "1"}')).*
    FROM crm.shop AS s}), qr/^(23505|44000): /,
    'nor can they add to it');

# Expressions are their owner's code: others do not run it with their rights, whoever calls.
sql_as('analyst', q{
    CREATE SCHEMA mine;
    CREATE TABLE mine.caller (name text, session text);
    CREATE FUNCTION mine.spy(numeric) RETURNS numeric IMMUTABLE RETURN $1;
    CREATE TABLE mine.orders AS SELECT 1 AS customer, timestamptz '2025-01-01' AS at, 100::numeric AS amount;
    SELECT crm.create_shop('spying', 'mine.orders', 'customer', 'at', 'mine.spy(amount)');
    CREATE OR REPLACE FUNCTION mine.spy(numeric) RETURNS numeric LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO mine.caller VALUES (current_user, session_user); RETURN $1; END $$;
    GRANT USAGE ON SCHEMA mine TO PUBLIC; GRANT INSERT ON mine.orders TO PUBLIC});
sql_as($admin, q{CALL crm.refresh('spying', '2025-06-30'); CALL crm.rebuild('spying', '2025-06-30');
    SELECT count(*) FROM spying.customer});
my $calls = sql_as($admin, 'SELECT count(*) FROM mine.caller');
sql_as($admin, q{INSERT INTO mine.orders VALUES (2, '2025-01-01', 5)});
cmp_ok(sql_as($admin, 'SELECT count(*) FROM mine.caller'), '>', $calls, 'expressions are evaluated by who writes');
is(sql_as($admin, 'SELECT DISTINCT name FROM mine.caller'), 'analyst',
    'a superuser who refreshes or writes runs them as the owner');
like(refusal($admin, $_), qr/^42501: only the owner of shop "spying" may do this$/, "and does not: $_")
    for q{SELECT crm.shop_check('spying')}, q{SELECT crm.alter_shop('spying', span => '2 years')},
    q{SELECT crm.start_run('spying', 'rebuild', now())},
    q{SELECT crm.advance_run(max(run)) FROM crm.refresh_run WHERE shop = 'spying'};
for my $attack ('SET ROLE ' . $admin, 'SET SESSION AUTHORIZATION ' . $admin, 'RESET ROLE',
    'ALTER ROLE analyst SUPERUSER')
{
    sql_as('analyst',
        "CREATE OR REPLACE FUNCTION mine.spy(numeric) RETURNS numeric LANGUAGE plpgsql AS \$\$ BEGIN EXECUTE '$attack';
        RETURN \$1; END \$\$");
    my $answer = refusal($admin, q{CALL crm.rebuild('spying', '2025-06-30')});
    like($answer, qr/^(42501|0A000): /, "$attack does not work in an expression");
}
is(sql_as($admin, q{SELECT rolsuper FROM pg_roles WHERE rolname = 'analyst'}), 'f',
    'nobody became more than they were');

# So are triggers that an owner puts on the shop's tables.
my $make_sprung = q{SELECT crm.create_shop('sprung', 'mine.orders', 'customer', 'at', 'amount', batch_rows => 1)};
sql_as('analyst', qq{
    CREATE FUNCTION mine.note() RETURNS trigger LANGUAGE plpgsql AS \$\$
        BEGIN INSERT INTO mine.caller VALUES (current_user, 'trigger'); RETURN NULL; END \$\$;
    $make_sprung;
    CREATE TRIGGER note AFTER UPDATE OR DELETE ON sprung.scoring EXECUTE FUNCTION mine.note()});
sql_as($admin, q{SELECT crm.grant_shop('sprung', 'dashboards'); SELECT crm.unschedule('sprung');
    SELECT crm.drop_shop('sprung')});
is(sql_as($admin, q{SELECT count(*) FROM mine.caller WHERE session = 'trigger'}), 0,
    'a superuser who drops a shop runs none of its triggers');
sql_as('analyst', qq{$make_sprung; SELECT crm.alter_shop('sprung', capture => 'compare')});
is(sql_as($admin, q{SELECT (SELECT captured FROM sprung.scoring) IS NULL, count(*)
    FROM crm.capture_triggers('sprung')}), 't|0', 'its owner can end the capture of orders');
sql_as('analyst', q{SELECT crm.alter_shop('sprung', capture => 'triggers'); CALL crm.refresh('sprung', '2025-06-30')});
is(sql_as($admin, q{SELECT count(*) FROM crm.capture_triggers('sprung')
    WHERE orders = (SELECT captured FROM sprung.scoring)}), 4, 'and begin it again');

# Whose the shop is may change while it is refreshed: here in the first of three batches.
sql_as($admin, 'CREATE ROLE heir ROLE analyst');
sql_as('analyst', q{
    CREATE FUNCTION mine.give() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO mine.caller VALUES (current_user, 'batch');
            ALTER SCHEMA sprung OWNER TO heir;
            RETURN NULL;
        END $$;
    CREATE TRIGGER give AFTER INSERT ON sprung.customer_history EXECUTE FUNCTION mine.give();
    INSERT INTO mine.orders VALUES (11, '2025-01-01', 5), (12, '2025-01-01', 5), (13, '2025-01-01', 5)});
is(refusal('analyst', q{CALL crm.refresh('sprung', '2025-06-30')}),
    '42501: owner of shop "sprung" changed while it was being refreshed', 'a refresh ends where the owner changes');
is(sql_as($admin, q{SELECT name, count(*) FROM mine.caller WHERE session = 'batch' GROUP BY name}), 'analyst|1',
    'before anything else runs with the rights of the one before');
is(sql_as($admin, 'SELECT count(*) FROM sprung.customer_history WHERE customer_id > 10'), 1, 'what was done stays');
sql_as($admin, q{SELECT crm.drop_shop('sprung'); DELETE FROM mine.orders WHERE customer > 10});

# Names of schemas come and go: settings are for the owner of a schema that is there.
sql_as('analyst', q{SELECT crm.create_shop('kept', 'mine.orders', 'customer', 'at', 'amount');
    CALL crm.refresh('kept', '2025-06-30')});
my $forge = q{INSERT INTO crm.own_shop SELECT (jsonb_populate_record(s, '{"shop": "later", "amount": "0"}')).*
    FROM crm.shop AS s WHERE shop = 'kept'};
like(refusal($_, $forge), qr/^44000: /, "$_ cannot make settings for a schema to come") for qw(stranger analyst);
sql_as('analyst', 'ALTER SCHEMA kept RENAME TO away');
sql_as('stranger', q{UPDATE crm.own_shop SET amount = '0' WHERE shop = 'kept'; DELETE FROM crm.own_shop;
    CREATE SCHEMA kept; UPDATE crm.own_shop SET amount = '0' WHERE shop = 'kept'; DELETE FROM crm.own_shop;
    DROP SCHEMA kept; UPDATE crm.own_shop SET amount = '0' WHERE shop = 'kept'; DELETE FROM crm.lost_shop});
like(refusal('stranger', q{UPDATE crm.lost_shop SET shop = 'mine'}), qr/^42501: /, 'or for one that is gone');
like(refusal('analyst', q{CALL crm.refresh('away')}), qr/^42704: /, 'under its new name the shop is unknown');
like(refusal('analyst', $_), qr/^55000: schema of shop "kept" is called "away" now/, $_)
    for q{CALL crm.refresh('kept')}, q{SELECT crm.drop_shop('kept')}, q{SELECT crm.shop_check('kept')},
    q{SELECT crm.create_shop('kept', 'mine.orders', 'customer', 'at', 'amount')};
sql_as('analyst', q{ALTER SCHEMA away RENAME TO kept; CALL crm.refresh('kept', '2025-06-30')});
is(sql_as($admin, q{SELECT amount FROM crm.shop WHERE shop = 'kept'}), 'o.amount', 'and under the old one as it was');
sql_as('stranger', q{CREATE SCHEMA later; CREATE TABLE later.customer_history ();
    INSERT INTO crm.own_shop SELECT (jsonb_populate_record(s, '{"shop": "later", "histories": "later.customer_history"}')).*
        FROM crm.shop AS s WHERE shop = 'kept';
    DROP SCHEMA later CASCADE});
sql_as('analyst', 'ALTER SCHEMA kept RENAME TO later');
like(refusal('analyst', q{CALL crm.refresh('later')}), qr/^42P01: tables of shop "later" are missing/,
    'settings that were made before for a schema of the new name are not for this one');
sql_as('analyst', q{DELETE FROM crm.lost_shop WHERE shop = 'later'; ALTER SCHEMA later RENAME TO kept;
    DROP SCHEMA kept CASCADE});
is(sql_as('reader', q{SELECT string_agg(shop, ' ') FROM crm.lost_shop}), 'kept', 'what is lost all are shown');
sql_as('analyst', q{SELECT crm.drop_shop('kept')});
is(sql_as($admin, q{SELECT count(*) FROM crm.shop WHERE shop = 'kept'}), 0, 'what is lost can be cleared away');

# Runs are numbered for all shops together: nobody can take the numbers of others.
sql_as('stranger', 'CREATE SCHEMA taking');
my $number = q{(SELECT max(run) + 1 FROM crm.refresh_run)};
is(refusal('stranger', $_), '42501: permission denied for view own_refresh_run', "a shop's owner may not: $_")
    for "INSERT INTO crm.own_refresh_run (run, shop, kind, as_of) SELECT $number, 'taking', 'refresh', now()",
    'UPDATE crm.own_refresh_run SET run = run + 1', q{UPDATE crm.own_refresh_run SET shop = 'taking'};
is(sql_as('stranger', q{INSERT INTO crm.own_refresh_run (shop, kind, as_of, waiting, queue_end)
    VALUES ('taking', 'refresh', now(), 0, '(0,0)') RETURNING run > 1}), 't', 'runs get the next number');
sql_as('analyst', "CALL crm.refresh('shop', $as_of)");
sql_as('stranger', 'DELETE FROM crm.own_refresh_run; DROP SCHEMA taking');

# 5. Functions and operators of somebody else's search_path are not called, in triggers, refreshes and views.

sql_as($admin, q{
    CREATE SCHEMA trap;
    GRANT ALL ON SCHEMA trap TO PUBLIC;
    CREATE TABLE trap.sprung (what text, who text);
    GRANT ALL ON trap.sprung TO PUBLIC;
    DO $do$
    DECLARE
        f record;
    BEGIN
        -- Everything that has no parameter of a pseudo-type, under the same name and parameters
        FOR f IN
            SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, format_type(p.prorettype,
                NULL) AS result
            FROM pg_proc AS p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND NOT p.proretset
                AND p.provariadic = 0
                  AND p.proname ~ '^(abs|sum|lower|btrim|md5|format|round|timezone|date|numeric|int4|int8|text|now|coalesce|concat_ws|to_regclass|isfinite|array_agg|quote_ident|date_trunc|make_interval|width_bucket|trim_scale|clock_timestamp|pg_has_role|pg_get_userbyid)$'
                  AND NOT EXISTS (SELECT FROM unnest(p.proargtypes || p.prorettype) AS a JOIN pg_type AS t ON t.oid = a
                      WHERE t.typtype = 'p')
        LOOP
            EXECUTE format('CREATE FUNCTION trap.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', f.proname, f.arguments,
                f.result,
                           format('BEGIN INSERT INTO trap.sprung VALUES (%L, current_user); RETURN NULL; END',
                               f.proname));
        END LOOP;
        FOR f IN
            SELECT o.oprname, row_number() OVER () AS n, format_type(o.oprleft, NULL) AS l, format_type(o.oprright,
                NULL) AS r, format_type(o.oprresult, NULL) AS result
            FROM pg_operator AS o
                 JOIN pg_type AS a ON a.oid = o.oprleft JOIN pg_type AS b ON b.oid = o.oprright
            WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND a.typtype <> 'p' AND b.typtype <> 'p'
                  AND o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '+', '-', '*', '/', '||', '~')
                  AND a.typname ~ '^(int2|int4|int8|text|name|numeric|timestamptz|timestamp|date|interval|bool|oid|float8)$'
        LOOP
            EXECUTE format('CREATE FUNCTION trap.o%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', f.n, f.l, f.r,
                f.result,
                           format('BEGIN INSERT INTO trap.sprung VALUES (%L, current_user); RETURN NULL; END',
                               f.oprname));
            EXECUTE format('CREATE OPERATOR trap.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = trap.o%s)', f.oprname,
                f.l, f.r, f.n);
        END LOOP;
    END $do$});
cmp_ok(sql_as($admin, q{SELECT count(*) FROM pg_operator WHERE oprnamespace = 'trap'::regnamespace}), '>', 100,
    'the traps are set');
my $path = q{CREATE TEMP TABLE new_rows (customer int); CREATE TEMP TABLE orders (customer int);
    CREATE TEMP TABLE change_queue (customer_id int);
    CREATE TEMP TABLE shop (shop name); CREATE TEMP TABLE attention (reason text); SET search_path = trap, pg_temp,
        pg_catalog; };
is(refusal('till', "$path SELECT 1 + 1; SELECT pg_catalog.count(*) FROM trap.sprung"), "accepted: \n1", 'and work');
sql_as($admin, 'TRUNCATE trap.sprung');
sql_as('till', "$path
    INSERT INTO platform.orders (customer, at, amount) VALUES (1, '2025-02-02+09', 10);
    UPDATE platform.orders SET amount = 20 WHERE customer OPERATOR(pg_catalog.=) 1;
    DELETE FROM platform.orders WHERE customer OPERATOR(pg_catalog.=) 2;");
is(sql_as($admin, q{SELECT DISTINCT who FROM trap.sprung}), '', 'a writer\'s path does not reach into the triggers');
sql_as($admin, "$path CALL crm.refresh('shop', '2025-06-30 12:00+09'); CALL crm.rebuild('shop', '2025-06-30 12:00+09');
    CALL crm.refresh('shop', '2025-07-30 12:00+09');");
is(sql_as($admin, 'SELECT DISTINCT what FROM trap.sprung'), '', 'nor that of a superuser into a refresh');
sql_as('analyst', "$path SELECT crm.create_shop('second', 'platform.orders', 'customer', 'at', 'amount',
    condition => 'amount > 0', channel => 'lower(branch)',
        zone => 'Asia/Tokyo', grades => 5);
    CALL crm.refresh('second', '2025-06-30'); SELECT crm.shop_check('second'); SELECT crm.alter_shop('second',
        span => '2 years');
    CALL crm.refresh('second', '2025-06-30'); SELECT crm.grant_shop('second', 'dashboards');
        SELECT crm.drop_shop('second');");
is(sql_as($admin, 'SELECT DISTINCT what FROM trap.sprung'), '',
    'nor that of the owner into making and changing a shop');
sql_as('reader', "SET search_path = trap, pg_catalog; " . join(' ', map { "SELECT pg_catalog.to_jsonb(v)
    FROM shop.$_ AS v;" } @views));
is(sql_as($admin, 'SELECT DISTINCT what FROM trap.sprung'), '', 'nor that of a reader into the views');

# 6. The right to read counts at each refresh.

my $refresh = "CALL crm.refresh('shop', timestamptz '2025-07-30 12:00+09')";
sub customers { return sql_as($admin, 'SELECT count(*) FROM shop.customer_history') }
sql_as('analyst', $refresh);
my $before = customers();
my $insert = sub { sql_as('till', "INSERT INTO platform.orders (customer, at, amount) VALUES ($_[0], '2025-02-02+09',
    10)") };
sql_as('platform', 'REVOKE SELECT ON platform.orders FROM analyst');
$insert->(2001);
for my $call ($refresh, $refresh =~ s/refresh/rebuild/r)
{
    is(refusal('analyst', $call), '42501: permission denied for table orders',
        'an owner who may not read orders any more gets none');
    is(refusal($admin, $call), '42501: permission denied for table orders', 'whoever calls');
}
is(customers(), $before, 'and nothing new');
is(sql_as($admin, q{SELECT status, sqlstate, error FROM crm.refresh_run WHERE shop = 'shop' ORDER BY run DESC LIMIT 1}),
    'failed|42501|permission denied for table orders', 'the log says why');

# What went wrong may quote a customer's data: it is for the owner only.
my $unhidden = q{SELECT count(note), count(sqlstate), count(error) FROM crm.refresh_run WHERE shop = 'shop'};
my $logged = 'SELECT count(*) > 5, count(note), count(error) FROM shop.refresh_log';
is(sql_as($_, $unhidden) =~ s/[1-9]\d*/n/gr, 'n|n|n', "$_ reads it") for 'analyst', 'assistant', $admin;
is(sql_as($_, $logged) =~ s/[1-9]\d*/n/gr, 't|n|n', "$_ reads it in the shop's log") for 'analyst', 'assistant', $admin;
is(sql_as($_, $unhidden), '0|0|0', "$_ does not") for qw(stranger reader till platform);
is(sql_as('reader', $logged), 't|0|0', 'nor does a reader in the log of the shop');
is( sql_as('stranger', q{
        CREATE SCHEMA prying;
        CREATE FUNCTION prying.see(text) RETURNS boolean COST 0.0001 LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'seen: %', $1; END $$;
        SELECT count(*) FROM crm.own_refresh_run WHERE prying.see(error);
        SELECT count(*) FROM crm.refresh_run WHERE error IS NOT NULL AND prying.see(error);
        DELETE FROM crm.own_refresh_run WHERE prying.see(error);
        UPDATE crm.own_refresh_run SET note = 'x' WHERE prying.see(error);
        SELECT count(*) FROM crm.lost_refresh_run}),
    "0\n0\n0", 'functions of a stranger are not shown it either');
is(refusal('stranger', 'SELECT error FROM crm.shop_run'), '42501: permission denied for table shop_run',
    'nor is the table');
sql_as('platform', 'GRANT SELECT (customer, at) ON platform.orders TO analyst');
is(refusal('analyst', $refresh), '42501: permission denied for table orders', 'some of the columns are not enough');
sql_as('platform', 'GRANT SELECT (amount) ON platform.orders TO analyst');
sql_as('analyst', $refresh);
is(customers(), $before + 1, 'those it reads are: it goes on');
sql_as('platform', 'REVOKE USAGE ON SCHEMA platform FROM PUBLIC');
sql_as('platform', q{INSERT INTO platform.orders (customer, at, amount) VALUES (2002, '2025-02-02+09', 10)});
like(refusal('analyst', $refresh), qr/^42501: permission denied for schema platform$/, 'the schema counts too');
sql_as('platform', 'GRANT USAGE ON SCHEMA platform TO PUBLIC; GRANT SELECT ON platform.orders TO analyst;
    REVOKE TRIGGER ON platform.orders FROM analyst');
sql_as('analyst', $refresh);
is(customers(), $before + 2, 'triggers that are there may stay');
is(sql_as($admin, "SELECT * FROM plain.differences('shop', '$entries')"), '', 'and all is right again');

# 7. Row level security: a shop never counts rows that its owner may not see.

sql_as('platform', q{
    ALTER TABLE platform.orders ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own_branch ON platform.orders FOR SELECT TO analyst USING (branch = 'b1');
    CREATE POLICY writing ON platform.orders TO till USING (true) WITH CHECK (true);
    INSERT INTO platform.orders (customer, at, amount, branch) VALUES (3001, '2025-02-02+09', 10, 'b1'), (3002,
        '2025-02-02+09', 10, 'b2')});
for my $call ($refresh, $refresh =~ s/refresh/rebuild/r)
{
    like(refusal('analyst', $call), qr/^(42501|0A000): .*row.level security/,
        'triggers notice too much: the refresh says so');
}
is(sql_as($admin, 'SELECT count(*) FROM shop.customer_history WHERE customer_id >= 3000'), 0,
    'and counts nothing of it');
sql_as($admin, 'ALTER ROLE analyst BYPASSRLS');
sql_as('analyst', $refresh);
is(sql_as($admin, "SELECT * FROM plain.differences('shop', '$entries')"), '',
    'an owner who bypasses the policies has all');
sql_as($admin, 'ALTER ROLE analyst NOBYPASSRLS');
sql_as('platform', 'ALTER TABLE platform.orders DISABLE ROW LEVEL SECURITY');
sql_as('analyst', $refresh);
is(sql_as($admin, "SELECT * FROM plain.differences('shop', '$entries')"), '', 'and without policies it goes on');

# 8. Names are only names.

sql_as($admin, 'CREATE TABLE victim (id int)');
my $table = q{"売上 ""2025""; DROP TABLE victim; --"};
sql_as($admin, qq{
    CREATE SCHEMA "Platform ""%s"" \$1";
    CREATE TABLE "Platform ""%s"" \$1".$table ("顧客 ID" text,
        "日'時" timestamptz, "Total;--" numeric, "%I" text, "o" int, "e" int, "new_rows" int);
    INSERT INTO "Platform ""%s"" \$1".$table VALUES ('山田 ''太郎''', '2025-01-01+09', 100, '%s', 1, 1, 1), ('a"b', '2025-01-02+09', 200, NULL, 1, 1, 1)});
for my $shop (q{it's "店" %s $1; DROP TABLE victim}, 'SELECT', 'ショップ' x 5, 'x' x 62 . '1', 'x' x 62 . '2', 'A b', '$$; DROP TABLE victim; $$', 'pg-crm\\')
{
    my $name = sql_as($admin, 'SELECT quote_literal($q$' . $shop . '$q$)');
    my $schema = sql_as($admin, 'SELECT quote_ident($q$' . $shop . '$q$)');
    my $source = qq{"Platform ""%s"" \$1".$table};
    sql_as($admin, qq{SELECT crm.create_shop($name, \$q\$$source\$q\$, '顧客 ID',
        \$q\$日'時\$q\$, 'Total;--', condition => '"o" = 1', channel => '%I',
        guest_key => '''guest -- '' || "%I"', zone => 'Asia/Tokyo', batch_rows => 1);
        CALL crm.refresh($name, '2025-06-30');
        INSERT INTO $source VALUES ('新しい人', '2025-02-01+09', 300, 'x', 1, 1, 1), (NULL, '2025-02-01+09', 5, 'guest', 1, 1, 1), ('n', '2025-02-01+09', 5, 'no', 2, 2, 2);
        UPDATE $source SET "Total;--" = 150 WHERE "顧客 ID" = 'a"b';
        CALL crm.refresh($name, '2025-06-30')});
    my $found = sql_as($admin, qq{SELECT * FROM plain.differences($name, \$q\$
        SELECT coalesce("顧客 ID", 'guest -- ' || "%I") AS customer_id,
            "日'時" AS ordered_at, "Total;--" AS amount, "%I" AS channel FROM $source WHERE "o" = 1\$q\$)});
    is($found, '', "a shop called $shop is right");
    sql_as($admin, qq{SELECT crm.shop_check($name); SELECT crm.grant_shop($name, 'reader');
        SELECT crm.alter_shop($name, repeat_within => '30 days', unset => '{channel}');
        CALL crm.rebuild($name, '2025-07-30')});
    is(sql_as('reader', "SELECT count(*) FROM $schema.customer"), 4, 'and can be read');
    is(refusal('stranger', "CALL crm.refresh($name)"), "42501: must be owner of shop \"$shop\"", 'by nobody else');
    sql_as($admin, qq{DELETE FROM $source WHERE "顧客 ID" IN ('新しい人', 'n') OR "顧客 ID" IS NULL;
        UPDATE $source SET "Total;--" = 200 WHERE "顧客 ID" = 'a"b'});
}
is(sql_as($admin, 'SELECT count(*) FROM victim'), 0, 'the victim lives');
is(sql_as($admin, q{SELECT count(crm.drop_shop(shop)) FROM crm.shop}), 10, 'and all shops can be dropped');
is(sql_as($admin, q{SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal}), 0, 'with their triggers');

$node->stop;
done_testing();
