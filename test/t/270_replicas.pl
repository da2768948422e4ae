# Replicas: a hot standby answers whatever only reads, and every type travels by logical replication, as text and in
# binary.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use Examples;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 'logical', extra => [ '--encoding=UTF8', '--no-locale' ]);
$primary->append_conf('postgresql.conf', 'client_min_messages = error');
$primary->start;
make_examples($primary);
sub sql { return $primary->safe_psql('postgres', $_[0]) }

# 1. A hot standby

$primary->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
my $answers = q{SELECT signature, digest, given, error FROM example.answers('reads') ORDER BY signature};
my $here = sql($answers);
my $functions = () = $here =~ /^crm\./mg;
cmp_ok($functions, '>', 280, "$functions functions read");
is($standby->safe_psql('postgres', $answers), $here, 'and give the same on a standby');
for my $written (q{CALL crm.refresh('shop', '2025-03-01Z')}, q{SELECT crm.drop_shop('shop')})
{
    my (undef, undef, $error) = $standby->psql('postgres', "\\set VERBOSITY verbose\n$written");
    like($error, qr/ERROR: +25006:/, "which refuses what writes: $written");
}

# 2. Logical replication of a column of every type that is stored

# Types of their own: since PostgreSQL 17 those of rows of tables and views belong to the extension, too.
my $types = q{
    FROM pg_depend AS d JOIN pg_type AS t ON d.objid = t.oid LEFT JOIN pg_class AS c ON c.oid = t.typrelid
    WHERE coalesce(c.relkind, 'c') = 'c' AND d.classid = 'pg_type'::regclass AND d.deptype = 'e' AND t.typtype IN ('b', 'c', 'e', 'd')
      AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_crm') AND typcategory <> 'A'};
my @types = split /\n/, sql("SELECT t.oid::regtype $types ORDER BY 1");
my %made = (
    'crm.cpm_class' => q{'loyal'}, 'crm.ltv' => q{(SELECT crm.ltv(h.history, '2025-01-01Z') FROM example.sample AS h)},
    'crm.model_status' => q{'ok'}, 'crm.rfm_rule' => q{('a', NULL, 'い', '{...}')::crm.rfm_rule},
    'crm.shop_capture' => q{'compare'}, 'crm.set_operation' => q{'union'}, 'crm.goods_type' => q{'durable'},
    'crm.signal_trend' => q{(SELECT crm.signal_trend(timestamp_with_time_zone, n) FROM example.sample)},
    'crm.segment' => q{crm.find_segment('shop', 'vip')},
    'crm.segment_export' => q{(SELECT e FROM crm.segment_export('shop', 'vip') AS e LIMIT 1)},
    'crm.refresh_counts' => '(1, 2, 3, true)::crm.refresh_counts', 'crm.tier' => 'crm.tier(5000, crm.tier_ladder())');
my %columns = map { ($_ => 1) } split /\n/, sql(
    q{SELECT attname FROM pg_attribute WHERE attrelid = 'example.sample'::regclass AND attnum > 0});
my (@columns, @values, @missing);
for my $type (@types)
{
    my $column = $type =~ s/^crm\.//r;
    push @columns, "\"$column\" $type";
    push @values, $made{$type} // ($columns{$column} ? "s.$column" : "NULL::$type");
    push @missing, $type if $values[-1] =~ /^NULL/;
}
is("@missing", '', scalar @types . ' types, each with values');
my $table = 'CREATE TABLE public.everything (n int PRIMARY KEY, ' . join(', ', @columns) . ')';
my $rows = 'SELECT n, ' . join(', ', @values) . ' FROM example.sample AS s';
sql("$table; INSERT INTO everything $rows WHERE n < 20; CREATE PUBLICATION everything FOR TABLE everything");
my $digest = 'SELECT count(*), md5(string_agg(e::text, E\'\n\' ORDER BY n)) FROM public.everything AS e';
for my $binary ('off', 'on')
{
    my $subscriber = PostgreSQL::Test::Cluster->new("subscriber_$binary");
    $subscriber->init(allows_streaming => 'logical', extra => [ '--encoding=UTF8', '--no-locale' ]);
    $subscriber->start;
    $subscriber->safe_psql('postgres', "CREATE EXTENSION pg_crm; $table;
        CREATE SUBSCRIPTION everything_$binary CONNECTION '@{[ $primary->connstr ]} dbname=postgres'
        PUBLICATION everything WITH (binary = $binary)");
    $subscriber->wait_for_subscription_sync($primary, "everything_$binary");
    is($subscriber->safe_psql('postgres', $digest), sql($digest), "copied, binary = $binary");
    sql("INSERT INTO everything $rows WHERE n >= 20;
         UPDATE everything SET history = crm.add(history, '2025-05-05Z', n), idset = crm.idset_of(ARRAY[n])
         WHERE n % 3 = 0;
         DELETE FROM everything WHERE n % 7 = 0");
    $primary->wait_for_catchup("everything_$binary");
    is($subscriber->safe_psql('postgres', $digest), sql($digest), 'and changed');

    # without a key rows are found by all their columns, which takes types that can be compared
    my @comparable = grep { /^crm\.(history|calendar|idset|rfm_score)$/ } @types;
    my $keyless = 'CREATE TABLE public.keyless (' . join(', ', map { s/^crm\.//r . " $_" } @comparable) . ')';
    $subscriber->safe_psql('postgres', $keyless);
    sql("$keyless; ALTER TABLE keyless REPLICA IDENTITY FULL; ALTER PUBLICATION everything ADD TABLE keyless;
         INSERT INTO keyless SELECT " . join(', ', map { s/^crm\.//r } @comparable) . ' FROM example.sample');
    $subscriber->safe_psql('postgres', "ALTER SUBSCRIPTION everything_$binary REFRESH PUBLICATION");
    $subscriber->wait_for_subscription_sync($primary, "everything_$binary");
    sql(q{UPDATE keyless SET history = '[]' WHERE crm.orders(history) > 10;
          DELETE FROM keyless WHERE crm.orders(history) = 3});
    $primary->wait_for_catchup("everything_$binary");
    my $kept = q{SELECT count(*), md5(string_agg(k::text, '|' ORDER BY k::text)) FROM public.keyless AS k};
    is($subscriber->safe_psql('postgres', $kept), sql($kept), 'also without a key');

    $subscriber->safe_psql('postgres', "DROP SUBSCRIPTION everything_$binary");
    sql(q{ALTER PUBLICATION everything DROP TABLE keyless; DROP TABLE keyless; DELETE FROM everything WHERE n >= 20});
    $subscriber->stop;
}

unlike(slurp_file($_->logfile), qr/terminated by signal|PANIC|TRAP/, $_->name . ': no process died')
    for $primary, $standby;
$standby->stop;
$primary->stop;
done_testing();
