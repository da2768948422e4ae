# The life of a shop: refreshed by pg_cron, dumped and restored, and left with a clear state and message when the
# platform
# or its owner renames, replaces or drops what it stands on. Writing orders goes on through all of it.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = start_server('shop_life');
sub sql { return $node->safe_psql($_[1] // 'postgres', $_[0]) }

my $as_of = q{timestamptz '2025-06-30 12:00+09'};
my $entries = 'SELECT customer AS customer_id, at AS ordered_at, amount, channel FROM orders';
my $make_orders = q{
    CREATE TABLE orders (id serial PRIMARY KEY, customer int, at timestamptz, amount numeric, channel text);
    INSERT INTO orders (customer, at, amount, channel)
    SELECT g % 50, timestamptz '2025-01-01+09' + g * interval '7 hours', g, 'c' || g % 3 FROM generate_series(1,
        500) AS g;
};
my $make_shop = q{SELECT crm.create_shop('shop', 'orders', 'customer', 'at', 'amount', channel => 'channel',
    zone => 'Asia/Tokyo');};
my $write = q{
    INSERT INTO orders (customer, at, amount, channel) VALUES (7, '2025-02-02+09', 77, 'c9'), (1000, '2025-02-02+09',
        77, NULL);
    UPDATE orders SET customer = customer + 1 WHERE id % 50 = 3;
    DELETE FROM orders WHERE id = (SELECT min(id) FROM orders);
};

sub is_whole
{
    my ($what, %options) = @_;
    my $database = $options{database} // 'postgres';
    sql("CALL crm.refresh('shop', $as_of)", $database);
    is(sql("SELECT * FROM plain.differences('shop', '" . ($options{entries} // $entries) . "') LIMIT 5", $database),
        '', "$what: the shop is what the orders say");
}

sub last_note { return sql(q{SELECT note FROM crm.refresh_run WHERE shop = 'shop' ORDER BY run DESC LIMIT 1}) }

# 1. pg_cron, once with connections of its own and once with background workers. The jobs run when the next minute
#    begins; the test looks at them at its end.

my %cron;
my $cron_exists = sql(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'});
if ($cron_exists)
{
    for my $mode (qw(connections workers))
    {
        my $server = PostgreSQL::Test::Cluster->new("shop_cron_$mode");
        $server->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
        $server->append_conf('postgresql.conf', join("\n", q{shared_preload_libraries = 'pg_cron'},
            q{cron.database_name = 'postgres'},
            "cron.host = '" . $server->host . "'", 'cron.use_background_workers = ' . ($mode eq 'workers' ? 'on'
                : 'off')));
        $server->start;
        $server->safe_psql('postgres', "CREATE EXTENSION pg_crm; CREATE EXTENSION pg_cron; CREATE ROLE stranger LOGIN;
            $make_orders $make_shop");
        $server->safe_psql('postgres', q{SELECT crm.create_shop('it''s "店"; %s', 'orders', 'customer', 'at', 'amount',
            zone => 'UTC')});
        $server->safe_psql('postgres', q{SELECT crm.schedule('shop', '* * * * *'), crm.schedule('it''s "店"; %s',
            '* * * * *')});
        $cron{$mode} = $server;
    }
}

# 2. Without pg_cron the hint names the ways, and its line for a crontab works as it is.

sql("$make_orders $make_shop CALL crm.refresh('shop', $as_of)");
like(refusal_of($node, q{SELECT crm.schedule('shop', '10 3 * * *')}),
    qr/^0A000: pg_cron is not installed in this database$/, 'no pg_cron here');
my $hint = refusal_of($node, q{SELECT crm.schedule('shop', '10 3 * * *')}, hint => 1);
like($hint, qr/shared_preload_libraries.*CREATE EXTENSION pg_cron.*cron\.schedule_in_database/,
    'the hint says how to get it');
my ($line) = $hint =~ /(?<= 10 3 \* \* \* )(psql .*)$/;
ok($line, 'and what to write into a crontab') or diag($hint);
my $runs = sql('SELECT count(*) FROM crm.refresh_run');
{
    local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);
    is(system("$line >/dev/null"), 0, 'that line runs');
}
is(sql('SELECT count(*) FROM crm.refresh_run') - $runs, 1, 'and refreshes');
for my $name ('postgres', q{a'b\"$(id)=%})
{
    my $shop = q{x"$(id)%\\`date` '1'};
    sql('CREATE DATABASE "' . $name =~ s/"/""/gr . q{"; }) if $name ne 'postgres';
    sql("CREATE EXTENSION pg_crm; $make_orders", $name) if $name ne 'postgres';
    sql("SELECT crm.create_shop(\$s\$$shop\$s\$, 'orders', 'customer', 'at', 'amount')", $name);
    my ($entry) = refusal_of($node, "SELECT crm.schedule(\$s\$$shop\$s\$, '10 3 * * *')", database => $name, hint => 1) =~
        /crontab: 10 3 \* \* \* (psql .*)$/s;
    unlike($entry, qr/(?<!\\)%/, "cron finds no end of the command: $entry");
    $entry =~ s/\\%/%/g; # as cron does
    local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);
    is(system("$entry >/dev/null"), 0, 'nor the shell anything to do');
    is(sql(q{SELECT status FROM crm.refresh_run ORDER BY run DESC LIMIT 1}, $name), 'done', 'the shop of that name is refreshed');
    sql("SELECT crm.drop_shop(\$s\$$shop\$s\$)", $name);
}
sql("CALL crm.rebuild('shop', $as_of)");
is(sql(q{SELECT crm.unschedule('shop')}), 'f', 'there is nothing to unschedule');

# 3. Dumped with changes that wait, restored into another database: the shop goes on there.

sub pg_program { $node->command_ok([ $_[0], '-h', $node->host, '-p', $node->port, @_[ 2 .. $#_ ] ], $_[1]) }

sql($write);
my $folder = $node->basedir;
pg_program('pg_dump', 'dumped as a script', '-f', "$folder/plain.sql", 'postgres');
pg_program('pg_dump', 'dumped as an archive', '-Fc', '-f', "$folder/archive.dump", 'postgres');
sql('CREATE DATABASE from_script; CREATE DATABASE from_archive');
pg_program('psql', 'the script is restored', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/plain.sql", '-d',
    'from_script');
pg_program('pg_restore', 'the archive is restored', '--exit-on-error', '-j', '2', '-d', 'from_archive',
    "$folder/archive.dump");
my $content = q{SELECT md5(string_agg(x, E'\n' ORDER BY x)) FROM (
    SELECT h::text AS x FROM shop.customer_history AS h UNION ALL SELECT q::text FROM shop.change_queue AS q UNION ALL
    SELECT s::text FROM shop.scoring AS s UNION ALL SELECT s::text FROM crm.shop AS s UNION ALL SELECT r::text
        FROM crm.refresh_run AS r UNION ALL
    SELECT u::text FROM shop.customer AS u UNION ALL SELECT tgname || pg_get_triggerdef(oid) FROM pg_trigger
        WHERE NOT tgisinternal) AS x};
for my $database (qw(from_script from_archive))
{
    is(sql($content, $database), sql($content), "$database has the same shop, its settings, log and triggers");
    is(sql('SELECT count(*) FROM shop.change_queue', $database), sql('SELECT count(*) FROM shop.change_queue'),
        'and its waiting changes');
    sql($write, $database);
    is_whole($database, database => $database);
    is(sql(q{SELECT rebuilt, run > 2 FROM crm.refresh_run WHERE shop = 'shop' ORDER BY run DESC LIMIT 1}, $database),
        'f|t', 'from the changes alone');
    sql("CALL crm.rebuild('shop', $as_of)", $database);
    is(sql(q{SELECT customers FROM crm.refresh_run WHERE shop = 'shop' ORDER BY run DESC LIMIT 1}, $database), 0,
        'a rebuild finds nothing else');
    is(sql(q{SELECT count(*) FROM pg_depend AS d WHERE d.classid = 'pg_trigger'::regclass
        AND d.refobjid = 'crm.capture'::regproc AND d.deptype = 'n'}, $database), 4,
            'the triggers still belong to the extension');
}

# The owner of a database, who is no superuser, does it alone.
sql(q{CREATE ROLE keeper LOGIN; CREATE DATABASE kept OWNER keeper; CREATE DATABASE kept_again OWNER keeper});
my @keeper = (extra_params => [ '-U', 'keeper' ]);
$node->safe_psql('kept', "CREATE EXTENSION pg_crm; CREATE SCHEMA public2; SET search_path = public2;
    $make_orders $make_shop CALL crm.refresh('shop', $as_of); $write", @keeper);
pg_program('pg_dump', 'the owner dumps', '-U', 'keeper', '-Fc', '-f', "$folder/kept.dump", 'kept');
pg_program('pg_restore', 'and restores', '-U', 'keeper', '--exit-on-error', '-d', 'kept_again', "$folder/kept.dump");
$node->safe_psql($_, "CALL crm.refresh('shop', $as_of)", @keeper) for qw(kept kept_again);
is($node->safe_psql('kept_again', 'SELECT md5(string_agg(h::text, $$ $$ ORDER BY customer_id))
    FROM shop.customer_history AS h', @keeper),
    $node->safe_psql('kept', 'SELECT md5(string_agg(h::text, $$ $$ ORDER BY customer_id))
        FROM shop.customer_history AS h', @keeper), 'both go on alike');

# 4. The platform changes its table. Its writes go through at once; the shop says what it lacks, and goes on.

is_whole('before');
sql('ALTER TABLE orders RENAME amount TO total');
sql($write =~ s/amount/total/r);
my $refresh = "CALL crm.refresh('shop', $as_of)";
like(refusal_of($node, $refresh), qr/^42703: .*amount/, 'a renamed column is missed by its name');
like(refusal_of($node, $refresh, hint => 1), qr/crm\.alter_shop/, 'with a way out');
is(sql(q{SELECT status, sqlstate FROM crm.refresh_run ORDER BY run DESC LIMIT 1}), 'failed|42703', 'the log has it');
is(sql(q{SELECT verdict FROM crm.shop_check('shop') WHERE subject = 'last run'}), 'error', 'and so has the check')
    if refusal_of($node, q{SELECT crm.shop_check('shop')}) =~ /^accepted/;
is(sql('SELECT count(*) > 0 FROM shop.customer'), 't', 'the views still answer');
sql(q{SELECT crm.alter_shop('shop', amount => 'total')});
my $renamed = $entries =~ s/amount/total AS amount/r;
is_whole('told the new name', entries => $renamed);

sql('ALTER TABLE orders DROP COLUMN channel');
sql(q{INSERT INTO orders (customer, at, total) VALUES (8, '2025-02-03+09', 1); UPDATE orders SET total = total + 1
    WHERE id % 9 = 0});
like(refusal_of($node, $refresh), qr/^42703: .*channel/, 'a dropped column too');
sql(q{SELECT crm.alter_shop('shop', unset => '{channel}')});
my $channels = $renamed =~ s/channel/NULL AS channel/r;
is_whole('told to do without', entries => $channels);

sql(q{ALTER TABLE orders RENAME TO "Orders 2"; CREATE SCHEMA moved; ALTER TABLE "Orders 2" SET SCHEMA moved;
    INSERT INTO moved."Orders 2" (customer, at, total) VALUES (9, '2025-02-03+09', 1)});
my $moved = $channels =~ s/FROM orders/FROM moved."Orders 2"/r;
is_whole('a renamed and moved table is followed', entries => $moved);
like(sql(q{SELECT string_agg(note, ' ') FROM crm.refresh_run}),
    qr/orders were renamed from public\.orders to moved\."Orders 2"/, 'and noted');
sql(q{ALTER TABLE moved."Orders 2" SET SCHEMA public; ALTER TABLE "Orders 2" RENAME TO orders});
is_whole('and back', entries => $channels);

sql(q{ALTER TABLE orders ALTER customer TYPE bigint, ALTER total TYPE numeric(20, 3), ADD note text;
    INSERT INTO orders (customer, at, total) VALUES (10, '2025-02-03+09', 1.005)});
is_whole('other types', entries => $channels);
sql(q{INSERT INTO orders (customer, at, total) VALUES (5000000000, '2025-02-03+09', 1)});
like(refusal_of($node, $refresh), qr/^(22003|42804): /,
    'customers that do not fit any more are an error of the refresh');
sql('DELETE FROM orders WHERE customer = 5000000000');
is_whole('which goes when they do', entries => $channels);

# Values change without any row being written.
sql('ALTER TABLE orders ADD paid numeric; UPDATE orders SET paid = id');
is_whole('another column', entries => $channels);
for my $change (
    'ALTER TABLE orders ALTER total TYPE numeric(20, 3) USING total / 100.0',
    q{ALTER TABLE orders ALTER at TYPE timestamptz USING at + interval '1 day'},
    'ALTER TABLE orders DROP total; ALTER TABLE orders ADD total numeric(20, 3)',
    'ALTER TABLE orders RENAME total TO other; ALTER TABLE orders RENAME paid TO total; '
        . 'ALTER TABLE orders RENAME other TO paid',
    # statements that the triggers do not see
    'CREATE TABLE whole (LIKE orders) PARTITION BY LIST (id); ALTER TABLE whole ATTACH PARTITION orders DEFAULT; '
        . q{INSERT INTO whole (id, customer, at, total) VALUES (100000, 12, '2025-02-03+09', 1); UPDATE whole SET total = 9
            WHERE customer = 5; } . 'ALTER TABLE whole DETACH PARTITION orders; DROP TABLE whole',
    'CREATE TABLE parent (customer bigint, total numeric); ALTER TABLE orders INHERIT parent; '
        . 'UPDATE parent SET total = total + 100 WHERE customer = 6; DELETE FROM parent WHERE customer = 8; '
        . 'ALTER TABLE orders NO INHERIT parent; DROP TABLE parent',
    'ALTER TABLE orders DISABLE TRIGGER USER; UPDATE orders SET total = total + 1 WHERE customer = 7; '
        . 'ALTER TABLE orders ENABLE TRIGGER USER',
    # nothing has changed, which the catalog does not say
    'GRANT SELECT (total) ON orders TO PUBLIC',
    'ALTER TABLE orders ALTER total SET STATISTICS 50')
{
    sql($change);
    is_whole($change, entries => $channels);
    like(last_note(), qr/^all orders read: columns or triggers of the orders were changed$/,
        'which read all orders');
    $node->safe_psql('postgres', $refresh);
    is(last_note(), '', 'once');
}
for my $change (
    'VACUUM FULL orders',
    'ALTER TABLE orders ADD token float8 DEFAULT random()',
    'CREATE INDEX ON orders (total)',
    'ANALYZE orders',
    'GRANT SELECT ON orders TO PUBLIC',
    q{SELECT crm.alter_shop('shop', repeat_within => '100 days')})
{
    sql($change);
    sql('UPDATE orders SET total = total + 1 WHERE id % 9 = 0');
    is_whole($change, entries => $channels);
    is(last_note(), '', 'from the changes alone');
}

my $twice = q{CREATE TRIGGER twice AFTER INSERT ON orders REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION crm.capture('shop')};
for my $change ('ALTER TABLE orders DISABLE TRIGGER USER', 'DROP TRIGGER crm_update_shop ON orders',
    "DROP TRIGGER crm_update_shop ON orders; $twice",
    'DO $$ DECLARE t name; BEGIN FOR t IN SELECT tgname FROM pg_trigger
        WHERE NOT tgisinternal LOOP EXECUTE format($f$DROP TRIGGER %I ON orders$f$, t); END LOOP; END $$')
{
    sql($change);
    sql(q{UPDATE orders SET total = total + 5 WHERE id % 7 = 0; INSERT INTO orders (customer, at, total) VALUES (11,
        '2025-02-03+09', 1)});
    is_whole('after ' . $change =~ s/\s+/ /gr, entries => $channels);
    like(last_note(), qr/were missing and were made again/, 'the triggers are back');
    sql('UPDATE orders SET total = total + 5 WHERE id % 8 = 0');
    is_whole('and notice again', entries => $channels);
}

# alter_shop makes the triggers anew, whatever became of them, and none is there twice.
for my $change ('ALTER TABLE orders DISABLE TRIGGER USER', 'DROP TRIGGER crm_update_shop ON orders',
    # restored elsewhere, nothing is known of the triggers' versions
    q{UPDATE shop.scoring SET columns_read = columns_read || '{"system": "another"}';
        ALTER TABLE orders DISABLE TRIGGER USER},
    'ALTER TRIGGER crm_update_shop ON orders RENAME TO renamed',
    'ALTER TRIGGER crm_insert_shop ON orders RENAME TO x; ALTER TRIGGER crm_update_shop ON orders RENAME TO
        crm_insert_shop; ALTER TRIGGER x ON orders RENAME TO crm_update_shop',
    $twice)
{
    sql("$change; " . q{INSERT INTO orders (customer, at, total) VALUES (11, '2025-02-03+09', 1)});
    sql(q{UPDATE orders SET total = total + 5 WHERE id % 7 = 0; SELECT crm.alter_shop('shop', span => '2 years')});
    is(sql(q{SELECT string_agg(concat(tgname, tgtype, tgenabled), ' ' ORDER BY tgname) FROM pg_trigger
        WHERE tgrelid = 'orders'::regclass AND NOT tgisinternal}),
        'crm_delete_shop8O crm_insert_shop4O crm_truncate_shop32O crm_update_shop16O', 'alter_shop makes the triggers');
    is_whole('after ' . $change =~ s/\s+/ /gr, entries => $channels);
    like(last_note(), qr/^all orders read: /, 'by one pass');
    sql('UPDATE orders SET total = total + 5 WHERE id % 8 = 0');
    is_whole('and then', entries => $channels);
    is(last_note(), '', 'from the changes alone');
}

# Who takes the triggers away again and again
sql(q{CREATE FUNCTION takes() RETURNS event_trigger LANGUAGE plpgsql AS
    $$BEGIN EXECUTE 'ALTER TABLE public.orders DISABLE TRIGGER crm_delete_shop'; END$$;
    CREATE EVENT TRIGGER takes ON ddl_command_end WHEN TAG IN ('CREATE TRIGGER') EXECUTE FUNCTION takes();
    ALTER TABLE orders DISABLE TRIGGER crm_delete_shop; DELETE FROM orders WHERE customer = 14});
like(refusal_of($node, $refresh), qr/^55000: changes of orders "public\.orders" cannot be noticed$/,
    'a refresh does not make triggers for ever');
like(refusal_of($node, $refresh, hint => 1), qr/crm\.alter_shop\('shop', capture => 'compare'\);/, 'with a way out');
sql('DROP EVENT TRIGGER takes');
is_whole('and makes them when they stay', entries => $channels);

# The table becomes a partition, a parent, or a view: triggers would miss changes there.
sql(q{CREATE TABLE every_order (LIKE orders) PARTITION BY LIST (note);
    ALTER TABLE every_order ATTACH PARTITION orders DEFAULT;
    INSERT INTO every_order (id, customer, at, total) VALUES (100001, 12, '2025-02-03+09', 1)});
like(refusal_of($node, $refresh), qr/^0A000: triggers cannot notice every change of orders "public\.orders" any more$/,
    'a partition is refused');
sql('ALTER TABLE every_order DETACH PARTITION orders; CREATE TABLE child () INHERITS (orders); '
    . q{INSERT INTO child (id, customer, at, total) VALUES (100002, 13, '2025-02-03+09', 1)});
like(refusal_of($node, $refresh), qr/^0A000: /, 'a parent too');
is(refusal_of($node, $refresh, hint => 1), q{SELECT crm.alter_shop('shop', capture => 'compare');}, 'with a way out');
sql(q{SELECT crm.alter_shop('shop', capture => 'compare')});
is_whole('compared', entries => $channels);
is(sql(q{SELECT count(*) FROM pg_trigger WHERE tgname ~ 'crm'}), 0, 'without triggers');
sql(q{DROP TABLE child; SELECT crm.alter_shop('shop', capture => 'triggers')});
is_whole('with triggers again', entries => $channels);

# What statements do to the rows of a child is nothing of the shop's when it is none any more.
sql(q{CREATE TABLE child () INHERITS (orders);
    INSERT INTO child (id, customer, at, total) SELECT 100003, customer, at, total FROM orders WHERE customer = 9 LIMIT 1;
    DELETE FROM orders WHERE id = 100003; ALTER TABLE child NO INHERIT orders; DROP TABLE child});
is_whole('after a time as a parent', entries => $channels);
sql(q{UPDATE orders SET total = total + 1 WHERE customer = 9});
is_whole('and later', entries => $channels);
is(last_note(), '', 'changes are noted again');

sql('ALTER TABLE orders RENAME TO old_orders; CREATE TABLE orders (LIKE old_orders); INSERT INTO orders SELECT *
    FROM old_orders WHERE id % 2 = 0; '
    . q{INSERT INTO old_orders (customer, at, total) VALUES (14, '2025-02-03+09', 1)});
is_whole('another table of that name is read', entries => $channels);
is(sql(q{SELECT count(*), count(DISTINCT tgrelid), bool_and(tgrelid = 'orders'::regclass) FROM pg_trigger
    WHERE tgname ~ 'crm'}), '4|1|t', 'and has the triggers alone');
sql('DROP TABLE orders');
like(refusal_of($node, $refresh), qr/^42P01: orders "public\.orders" of shop "shop" do not exist any more$/,
    'a dropped table is missed');
like(refusal_of($node, $refresh, hint => 1), qr/crm\.alter_shop\('shop', orders => .*crm\.drop_shop\('shop'\)/,
    'the hint says what can be done');
is(sql('SELECT count(*) > 0 FROM shop.customer'), 't', 'what is stored can still be read');
sql(q{SELECT crm.alter_shop('shop', orders => 'old_orders')});
is_whole('given another table', entries => $channels =~ s/FROM orders/FROM old_orders/r);
sql('ALTER TABLE old_orders RENAME TO orders');
is_whole('which gets the old name', entries => $channels);

# 5. What is dropped by hand

sql('DROP TABLE shop.change_queue');
sql(q{INSERT INTO orders (customer, at, total) VALUES (15, '2025-02-03+09', 1); UPDATE orders SET total = 2
    WHERE customer = 15; DELETE FROM orders WHERE customer = 15});
pass('writing orders goes on without the queue');
like(refusal_of($node, $refresh), qr/^42P01: tables of shop "shop" are missing$/, 'the refresh misses it');
like(refusal_of($node, $refresh, hint => 1), qr/crm\.drop_shop\('shop'\)/, 'with a way out');
sql(q{DROP TABLE shop.attention; TRUNCATE orders});
pass('nor does the other table matter');
sql(q{INSERT INTO orders (id, customer, at, total) SELECT g, g % 20, '2025-03-03', g FROM generate_series(200001,
    200100) AS g});
sql('DROP SCHEMA shop CASCADE');
sql(q{UPDATE orders SET total = total + 1 WHERE customer = 3});
like(refusal_of($node, $refresh), qr/^42P01: tables of shop "shop" are missing$/, 'its schema is missed, too');
sql($make_shop =~ s/'amount', channel => 'channel'/'total'/r);
is_whole('made again under the same name', entries => $channels);
sql(q{DROP SCHEMA shop CASCADE; SELECT crm.drop_shop('shop')});
is(sql('SELECT count(*) FROM crm.shop'), 0, 'what is left of it is cleared away');
like(refusal_of($node, q{SELECT crm.drop_shop('shop')}), qr/^42704: shop "shop" does not exist$/, 'once');

# A role that goes hands its shop on.
sql(q{CREATE ROLE leaving LOGIN; CREATE ROLE heir LOGIN; GRANT CREATE ON DATABASE postgres TO leaving; GRANT SELECT,
    TRIGGER ON orders TO leaving, heir});
$node->safe_psql('postgres', $make_shop =~ s/'amount', channel => 'channel'/'total'/r . "CALL crm.refresh('shop',
    $as_of)", extra_params => [ '-U', 'leaving' ]);
sql(q{UPDATE orders SET total = total + 1 WHERE customer = 3; REASSIGN OWNED BY leaving TO heir; DROP OWNED BY leaving;
    DROP ROLE leaving;
    UPDATE orders SET total = total + 1 WHERE customer = 4});
$node->safe_psql('postgres', $refresh, extra_params => [ '-U', 'heir' ]);
is_whole('inherited', entries => $channels);
sql(q{SELECT crm.drop_shop('shop')});

# 6. DROP EXTENSION

sql(($make_shop =~ s/'amount', channel => 'channel'/'total'/r) . $refresh);
like(refusal_of($node, 'DROP EXTENSION pg_crm'), qr/^2BP01: /, 'the extension is not dropped under a shop');
is_whole('so that goes on', entries => $channels);
sql('CREATE VIEW dashboard AS SELECT count(*) FROM shop.customer');
like(refusal_of($node, q{SELECT crm.drop_shop('shop')}), qr/^2BP01: /, 'nor a shop under what others have made of it');
sql('DROP EXTENSION pg_crm CASCADE');
is(sql(q{SELECT count(*) FROM pg_trigger WHERE tgname ~ 'crm'}), 0, 'with CASCADE it is, and no trigger is left');
sql(q{INSERT INTO orders (id, customer, at, total) VALUES (300001, 15, '2025-02-03+09', 1); UPDATE orders SET total = 2
    WHERE customer = 15; DELETE FROM orders WHERE customer = 15; TRUNCATE orders});
is(sql('SELECT count(*) FROM orders'), 0, 'writing orders goes on');
sql('CREATE EXTENSION pg_crm');
like(refusal_of($node, $make_shop =~ s/'amount', channel => 'channel'/'total'/r),
    qr/^42P06: schema "shop" exists already$/, 'the rest of the shop is in the way of a new one');
sql('DROP SCHEMA shop CASCADE; ' . ($make_shop =~ s/'amount', channel => 'channel'/'total'/r) . $refresh);
is(sql('SELECT count(*) FROM shop.customer'), 0, 'until it is dropped');

# 7. Refreshes inside of statements, triggers of others, nobody to grade, sessions with other settings

sql('CREATE DATABASE corner');
sub corner { return sql($_[0], 'corner') }
sub refused_in_corner { return refusal_of($node, $_[0], database => 'corner') }
my $customers = 'SELECT customer_id, orders FROM s.customer ORDER BY 1';
corner(q{CREATE EXTENSION pg_crm; CREATE TABLE known (c int PRIMARY KEY); INSERT INTO known VALUES (1), (2), (3);
    CREATE TABLE o (c int REFERENCES known DEFERRABLE INITIALLY DEFERRED, at timestamptz, a int);
    SELECT crm.create_shop('s', 'o', 'c', 'at', 'a'); INSERT INTO o VALUES (1, '2025-01-01', 5);
    CALL crm.refresh('s', '2025-02-01');
    CREATE FUNCTION refreshing() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN CALL crm.refresh('s', '2025-02-01'); RETURN NULL; END$$;
    CREATE FUNCTION rebuilding() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN CALL crm.rebuild('s', '2025-02-01'); RETURN NULL; END$$;
    CREATE FUNCTION rebuilt() RETURNS int LANGUAGE plpgsql AS
        $$BEGIN CALL crm.rebuild('s', '2025-02-01'); RETURN 1; END$$});
my $insert = q{INSERT INTO o VALUES (2, '2025-01-01', 5)};
for my $inside ("CREATE TRIGGER a AFTER INSERT ON o FOR EACH STATEMENT EXECUTE FUNCTION refreshing(); $insert",
    "CREATE TRIGGER a AFTER INSERT ON o FOR EACH ROW EXECUTE FUNCTION rebuilding(); $insert",
    "CREATE TRIGGER z AFTER INSERT ON o FOR EACH ROW EXECUTE FUNCTION refreshing(); $insert",
    "WITH i AS ($insert RETURNING 1) SELECT rebuilt() FROM i",
    "DELETE FROM o WHERE rebuilt() = 1")
{
    is(refused_in_corner("BEGIN; $inside"), '55006: orders "o" are being used by active queries in this session',
        "refused: $inside");
}
like(refusal_of($node, 'DELETE FROM o WHERE rebuilt() = 1', database => 'corner', hint => 1), qr/call it afterwards/,
    'with a way out');
corner(qq{BEGIN; $insert; CALL crm.refresh('s', '2025-02-01'); SELECT rebuilt(); COMMIT;
    BEGIN; $insert; DO \$\$BEGIN CALL crm.refresh('s', '2025-02-01'); END\$\$; COMMIT;
    CREATE TABLE other (); CREATE TRIGGER a AFTER INSERT ON other FOR EACH STATEMENT EXECUTE FUNCTION refreshing();
    $insert; INSERT INTO other DEFAULT VALUES});
is(corner($customers), "1|1\n2|3", 'afterwards, in transactions, blocks and functions, each order counts once');

corner('CREATE TRIGGER crm_delete_theirs AFTER DELETE ON o FOR EACH STATEMENT EXECUTE FUNCTION rebuilding()');
is(refused_in_corner(q{SELECT crm.create_shop('theirs', 'o', 'c', 'at', 'a')}),
    '42710: changes of public.o cannot be noticed: trigger "crm_delete_theirs" for relation "o" already exists',
    'a trigger of the platform is not replaced');
corner(q{SELECT crm.create_shop('theirs', 'o', 'c', 'at', 'a', capture => 'compare'); SELECT crm.drop_shop('theirs');
    ALTER TRIGGER crm_delete_theirs ON o RENAME TO theirs; SELECT crm.create_shop('theirs', 'o', 'c', 'at', 'a');
    DROP TRIGGER crm_delete_theirs ON o; ALTER TRIGGER theirs ON o RENAME TO crm_delete_theirs});
like(refused_in_corner(q{CALL crm.refresh('theirs', '2025-02-01')}), qr/^42710: /, 'nor later');
corner(q{SELECT crm.drop_shop('theirs')});
is(corner(q{SELECT tgname FROM pg_trigger WHERE tgname ~ 'theirs'}), 'crm_delete_theirs', 'nor dropped with a shop');

corner(q{DROP TRIGGER crm_delete_theirs ON o; SELECT crm.drop_shop('s'); TRUNCATE o;
    INSERT INTO o VALUES (1, '2025-02-01', 5), (2, '2025-01-01', -5);
    SELECT crm.create_shop('s', 'o', 'c', 'at', 'a', grades => 5, zone => 'UTC'); CALL crm.refresh('s', '2025-01-01')});
is(corner('SELECT count(*), (SELECT bands FROM s.scoring) IS NULL FROM s.band'), '0|t', 'without a purchase there is nobody to grade');
corner(q{INSERT INTO o VALUES (3, '2025-01-01', 5); CALL crm.refresh('s', '2025-01-01')});
is(corner('SELECT valid_from, score FROM s.band, s.customer'), '2025-01-01|111', 'and then there is somebody');
corner(q{DELETE FROM o WHERE a > 0; CALL crm.refresh('s', '2025-05-01')});
is(corner('SELECT valid_from FROM s.band'), '2025-01-01', 'the next quarter has none to decide them by');
corner(q{INSERT INTO o VALUES (3, '2025-04-01', 5); CALL crm.refresh('s', '2025-05-01')});
is(corner('SELECT max(valid_from), min(score) FROM s.band, s.customer'), '2025-05-01|111', 'but for the first one');
corner(q{SELECT crm.drop_shop('s'); TRUNCATE o; SELECT crm.create_shop('s', 'o', 'c', 'at', 'a', grades => 5);
    CALL crm.refresh('s', '2025-05-01'); INSERT INTO o VALUES (3, '2025-04-01', 5); CALL crm.refresh('s', '2025-05-01')});
is(corner(q{SELECT note FROM crm.refresh_run WHERE shop = 's' ORDER BY run DESC LIMIT 1}), '',
    'first orders are changes like others');
is(corner('SELECT customer_id, score FROM s.customer'), '3|111', 'and are graded');

# Whoever writes, under whatever settings: an expression gives what a refresh finds.
my $settings = q{
    SET extra_float_digits = 0; SET bytea_output = escape; SET IntervalStyle = iso_8601; SET DateStyle = German;
    SET TimeZone = 'Asia/Tokyo'; SET timezone_abbreviations = 'Australia'; SET array_nulls = off;
    SET quote_all_identifiers = on; SET transform_null_equals = on; SET xmlbinary = hex;
    SET default_text_search_config = english; SET backslash_quote = off; SET standard_conforming_strings = off;
    SET escape_string_warning = off;};
my $values = q{concat_ws('|', f, b, i, at, ('2025-01-01 ' || z)::timestamptz, ('{NULL,' || z || '}')::text[],
    quote_ident(lower(z)), c = NULL, to_tsvector(z || 's the houses'), 'a\b')};
my $make = qq{SELECT value FROM crm.create_shop('s', 't', 'c', 'at', 'a', channel => \$e\$$values\$e\$,
    condition => \$e\$at::date = '2025-06-30'\$e\$, currency_code => \$e\$f::text\$e\$, zone => 'Asia/Tokyo')
    WHERE subject = 'rows that count';};
corner(q{SELECT crm.drop_shop('s');
    CREATE TABLE t (c int, at timestamptz, a int, f float8, b bytea, i interval, z text);
    CREATE TABLE one_row AS SELECT timestamptz '2025-06-30 12:00+09' AS at, 10 AS a, 1.1 / 3::float8 AS f,
        '\x00ff'::bytea AS b, interval '1 day 2 hours' AS i, 'EST' AS z;
    INSERT INTO t SELECT 1, r.* FROM one_row AS r; INSERT INTO t SELECT 2, '2025-06-30 05:00+09', 10, r.f, r.b, r.i, r.z
        FROM one_row AS r});
is(corner("$settings BEGIN; $make ROLLBACK"), 1, 'what is counted before');
is(corner($make), 1, 'in any session,');
is(corner("$settings INSERT INTO t SELECT 3, r.* FROM one_row AS r; CALL crm.refresh('s', '2025-07-01');
    INSERT INTO t SELECT 4, r.* FROM one_row AS r; UPDATE t SET a = 11 WHERE c IN (1, 2);
    CALL crm.refresh('s', '2025-07-01'); SELECT changes FROM crm.refresh_run ORDER BY run DESC LIMIT 1;
    SELECT value FROM crm.shop_check('s') WHERE subject = 'rows that count'; SHOW TimeZone; SHOW bytea_output"),
    "3\n3\nAsia/Tokyo\nescape", 'is what a refresh counts');
is(corner('SELECT count(*), count(DISTINCT channel), min(channel) FROM s.customer_history'),
    q{3|1|0.3666666666666667|\x00ff|1 day 02:00:00|2025-06-30 03:00:00+00|2025-01-01 05:00:00+00|{NULL,EST}|est|}
        . q{'ests':1 'houses':3 'the':2|a\b}, 'values are those of UTC and plain settings');
is(corner(q{CALL crm.rebuild('s', '2025-07-01'); SELECT customers FROM crm.refresh_run ORDER BY run DESC LIMIT 1}), 0,
    'and a rebuild finds nothing else');

# An unlogged table is empty after a crash.
corner(q{CREATE UNLOGGED TABLE u AS SELECT c, at, a FROM t; CREATE TABLE logged AS SELECT * FROM u;
    SELECT crm.create_shop('unlogged', 'u', 'c', 'at', 'a'); SELECT crm.create_shop('logged', 'logged', 'c', 'at', 'a');
    CALL crm.refresh('unlogged', '2025-07-01'); CALL crm.refresh('logged', '2025-07-01'); CHECKPOINT});
is(corner(q{SELECT shop, capture FROM crm.shop WHERE shop ~ 'logged' ORDER BY 1}), "logged|triggers\nunlogged|compare",
    'unlogged orders are compared');
$node->stop('immediate');
$node->start;
is(corner(q{SELECT count(*) FROM unlogged.customer; CALL crm.refresh('unlogged', '2025-07-01');
    SELECT count(*) FROM unlogged.customer}), "4\n0", 'so a refresh sees that none is left');
corner('ALTER TABLE logged SET UNLOGGED');
is(refused_in_corner(q{CALL crm.refresh('logged', '2025-07-01')}),
    '0A000: triggers cannot notice every change of orders "public.logged" any more', 'and triggers are not enough any more');
$node->stop;

# 8. What pg_cron did meanwhile

SKIP:
{
    skip 'this PostgreSQL has no pg_cron (Debian: postgresql-15-cron)', 1 unless $cron_exists;
    for my $mode (sort keys %cron)
    {
        my $server = $cron{$mode};
        my $ask = sub { return $server->safe_psql('postgres', $_[0]) };
        for my $shop ('shop', q{it''s "店"; %s})
        {
            ok($server->poll_query_until('postgres', "SELECT count(*) > 0 FROM crm.refresh_run WHERE shop = '$shop'
                AND status = 'done'"),
                "pg_cron with $mode refreshed $shop");
        }
        is($ask->('SELECT count(*), sum(orders) FROM shop.customer'), '50|500', 'the shop is filled');
        is($ask->(q{SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'}), 0, 'no job failed');
        my $job = $ask->(q{SELECT jobid, jobname, command FROM cron.job WHERE jobname ~ 'shop'});
        like($job, qr/^\d+\|pg_crm refresh shop in postgres\|CALL crm\.refresh\('shop'\)$/,
            'the job says what it does');
        my ($number) = $job =~ /^(\d+)/;
        is($ask->(q{SELECT crm.schedule('shop', '30 4 * * *')}), $number, 'scheduling again changes the job');
        is($ask->(q{SELECT schedule, count(*) OVER () FROM cron.job WHERE jobname ~ 'shop'}), '30 4 * * *|1',
            'and makes no second one');
        like(refusal_of($server, q{SELECT crm.schedule('shop', 'at noon')}), qr/invalid schedule/,
            'a malformed schedule is refused by pg_cron');
        like(refusal_of($server, q{SELECT crm.schedule('shop', '* * * * *')}, role => 'stranger'),
            qr/^42501: must be owner of shop "shop"$/, 'strangers do not schedule');
        is($ask->(q{SELECT crm.unschedule('shop'), crm.unschedule('shop')}), 't|f', 'unscheduled once');
        $ask->(q{SELECT crm.drop_shop('it''s "店"; %s')});
        is($ask->('SELECT count(*) FROM cron.job'), 0, 'a dropped shop takes its job along');
        is($ask->('CREATE DATABASE elsewhere; SELECT 1'), 1, 'another database');
        $server->safe_psql('elsewhere', "CREATE EXTENSION pg_crm; $make_orders $make_shop");
        like(refusal_of($server, q{SELECT crm.schedule('shop', '* * * * *')}, database => 'elsewhere', hint => 1),
            qr/in its database SELECT cron\.schedule_in_database\('pg_crm refresh shop in elsewhere', '\* \* \* \* \*', 'CALL crm\.refresh\(''shop''\)', 'elsewhere'\)/,
            'is told how to use that of the server');
        my ($way) = refusal_of($server, q{SELECT crm.schedule('shop', '* * * * *')}, database => 'elsewhere',
            hint => 1) =~ /(SELECT cron\.schedule_in_database\(.*?\)) *;/;
        like($ask->($way), qr/^\d+$/, 'in words that work');
        $server->stop;
    }
}

done_testing();
