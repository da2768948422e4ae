# pg_upgrade: a cluster with a filled shop is upgraded, once by copying and once by links, and the shop goes on there:
# what it stored is the same, changes that waited and new ones are applied, and all equals a rebuild.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

chomp(my $bindir = (run_command([ 'pg_config', '--bindir' ]))[0]);
my ($pg_upgrade) = grep { -x "$_/pg_upgrade" } (split(/:/, $ENV{PATH}), $bindir);
plan skip_all => 'this PostgreSQL has no pg_upgrade' unless $pg_upgrade;

my $as_of = q{timestamptz '2025-06-30 12:00+09'};
my $next_day = q{timestamptz '2025-07-01 12:00+09'};
my $entries = 'SELECT customer AS customer_id, at AS ordered_at, amount, channel FROM platform.orders';
my $write = q{
    INSERT INTO platform.orders (customer, at, amount, channel) VALUES (7, '2025-02-02+09', 77, 'c9'),
        (1000, '2025-02-02+09', 77, NULL);
    UPDATE platform.orders SET customer = customer + 1 WHERE id % 50 = 3;
    DELETE FROM platform.orders WHERE id = (SELECT min(id) FROM platform.orders)};

my $node = start_server('before');
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub sql_as { return $node->safe_psql('postgres', $_[1], extra_params => [ '-U', $_[0] ]) }

# All that the shop and the extension stored, whatever OIDs it has.
my $tables = q{SELECT string_agg(format('%I.%I', n.nspname, c.relname), ' ' ORDER BY n.nspname, c.relname)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v') AND n.nspname IN ('shop', 'crm')};
sub contents
{
    return join("\n", map { "$_ " . sql("SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM $_ AS t") }
            split / /, sql($tables));
}
my $definitions = q{
    SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT p.proname, pg_get_userbyid(p.proowner) || pg_get_functiondef(p.oid) FROM pg_proc AS p
    WHERE p.pronamespace = 'shop'::regnamespace
    UNION ALL
    SELECT v.viewname, v.definition FROM pg_views AS v WHERE v.schemaname = 'shop'
    UNION ALL
    SELECT 'needs', count(*)::text FROM pg_depend AS d JOIN pg_proc AS p ON p.oid = d.objid
    WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'x' AND p.pronamespace = 'shop'::regnamespace
    UNION ALL
    SELECT c.relname, c.relacl::text FROM pg_class AS c WHERE c.relnamespace = 'shop'::regnamespace
    ORDER BY 1, 2};

sub is_whole
{
    my ($what, $time, $rebuilt) = @_;
    sql_as('merchant', "CALL crm.refresh('shop', $time)");
    is(sql("SELECT * FROM plain.differences('shop', '$entries') LIMIT 5"), '', "$what: the shop is what the orders say");
    is(sql(q{SELECT status, rebuilt FROM crm.refresh_run ORDER BY run DESC LIMIT 1}), "done|$rebuilt",
        $rebuilt eq 't' ? 'all orders were read' : 'from the changes alone');
    sql_as('merchant', "CALL crm.rebuild('shop', $time)");
    is(sql(q{SELECT customers FROM crm.refresh_run ORDER BY run DESC LIMIT 1}), 0, 'a rebuild finds nothing else');
}

# The shop: of an owner who is no superuser, with quantiles, tiers, models and segments, runs of several kinds, and
# changes that wait

sql(q{
    CREATE ROLE merchant LOGIN;
    CREATE ROLE dashboards;
    CREATE ROLE reader LOGIN IN ROLE dashboards;
    GRANT CREATE ON DATABASE postgres TO merchant;
    CREATE SCHEMA platform AUTHORIZATION merchant});
sql_as('merchant', q{
    CREATE TABLE platform.orders (id serial PRIMARY KEY, customer int, at timestamptz, amount numeric, channel text);
    INSERT INTO platform.orders (customer, at, amount, channel)
    SELECT g * g % 611, timestamptz '2025-01-01+09' + g * interval '1 hour', g % 100 + 0.5, 'c' || g % 3
    FROM generate_series(1, 4000) AS g;
    SELECT crm.create_shop('shop', 'platform.orders', 'customer', 'at', 'amount', channel => 'channel', grades => 5,
        zone => 'Asia/Tokyo', tiers => crm.tier_ladder('{regular,gold}', '{0,500}', '{一般,ゴールド}'));
    SELECT crm.define_segment('shop', 'regulars', 'orders >= 5');
    SELECT crm.define_segment('shop', 'big', 'revenue >= 400');
    SELECT crm.define_segment_set('shop', 'both', 'intersection', '{regulars,big}');
    SELECT crm.grant_shop('shop', 'dashboards')});
is_whole('made', $as_of, 't');
sql_as('merchant', $write);
is_whole('changed', $as_of, 'f');
is(sql('SELECT count(*) FROM shop.answer_change') > 0, 1, 'answers have changed');
is(sql('SELECT count(*) FILTER (WHERE customers > 0), count(*) FROM shop.segment_size'), '3|3', 'segments have members');
is(sql('SELECT churn IS NOT NULL AND spend IS NOT NULL FROM shop.model'), 't', 'there are models');

my $turn = 0;
for my $mode (qw(--copy --link))
{
    sql_as('merchant', $write);
    my ($stored, $defined, $waiting) = (contents(), sql($definitions), sql('SELECT count(*) FROM shop.change_queue'));
    cmp_ok($waiting, '>', 0, "$waiting changes wait");
    my $old = $node;
    my $new = PostgreSQL::Test::Cluster->new('after' . ++$turn);
    $new->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
    $old->stop;
    chdir $PostgreSQL::Test::Utils::tmp_check or die "no directory to work in: $!"; # it writes scripts there
    command_ok(
        [   'pg_upgrade', '--no-sync', $mode eq '--link' ? $mode : (), '-d', $old->data_dir, '-D',
            $new->data_dir, '-b', $pg_upgrade, '-B', $pg_upgrade, '-s', $new->host, '-p', $old->port, '-P', $new->port ],
        "pg_upgrade $mode");
    $node = $new;
    $node->append_conf('postgresql.conf', 'jit = off');
    $node->start;

    is(contents(), $stored, "$mode: all tables and views of the shop hold what they held");
    is(sql($definitions), $defined, 'triggers, functions, views and rights are the same');
    is(sql_as('reader', 'SELECT count(*) > 0 FROM shop.customer'), 't', 'readers still read');
    is_whole("$mode, with the changes that waited", $as_of, 'f');
    sql_as('merchant', $write);
    is_whole("$mode, with new ones", $as_of, 'f');
}
is_whole('on the next day', $next_day, 'f');
sql_as('merchant', 'TRUNCATE platform.orders');
is_whole('emptied', $next_day, 't');
$node->stop;

done_testing();
