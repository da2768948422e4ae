# Ends that come at any moment: cancelled and terminated statements, processes that are killed while they write, and
# stacks that are too deep. What is left is whole, and the next session works. CRM_TEST_ENDS multiplies how many come.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use Examples;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;
use Time::HiRes qw(sleep time);

my $seed = $ENV{CRM_TEST_SEED} // int(rand(1 << 31));
srand($seed);
note("CRM_TEST_SEED=$seed");
my $factor = $ENV{CRM_TEST_ENDS} // 1;

my $node = PostgreSQL::Test::Cluster->new('ends');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "client_min_messages = error\njit = off\nrestart_after_crash = on");
$node->start;
make_examples($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }
sql(q{
    CREATE TABLE example.many AS
    SELECT hashint8(g) % 5000 AS customer, timestamptz '2023-01-01Z' + g * interval '5 minutes' AS at,
           g % 1000 AS amount
    FROM generate_series(1, 200000) AS g});

# 1. Random moments of everything that is long

my $all = q{'TABLE example.many'};
my @long = (
    "SELECT count(*) FROM crm.histories($all)",
    q{SELECT count(*) FROM crm.histories('SELECT customer::text, at, amount FROM example.many', NULL::text)},
    "SELECT count(*) FROM crm.rfm_table($all, as_of => '2025-01-01Z', grades => 5)",
    "SELECT count(*) FROM crm.rfm_migration($all, '2024-01-01Z', '2025-01-01Z')",
    "SELECT count(*) FROM crm.cohort_table($all, 'month UTC', '2025-01-01Z')",
    "SELECT count(*) FROM crm.repeat_table($all, '2025-01-01Z')",
    "SELECT count(*) FROM crm.lifetime_table($all, 'week UTC', as_of => '2025-01-01Z')",
    "SELECT crm.pareto_nbd_fit($all, 'week UTC', '2025-01-01Z')",
    "SELECT crm.gamma_gamma_fit($all, 'week UTC'::crm.calendar, '2025-01-01Z')",
    "SELECT count(*) FROM crm.model_check($all, 'week UTC', 'mbgnbd', '2024-01-01Z', '90 days')",
    'SELECT count(*) FROM (SELECT crm.history(at, amount) FROM example.many GROUP BY customer) AS h',
    'SELECT crm.cardinality(crm.idset(customer)) FROM example.many',
    q{SELECT count(*) FROM (SELECT crm.repeats(history, '2025-01-01Z') FROM shop.customer_history) AS r},
    q{UPDATE example.orders SET amount = amount + 1; CALL crm.refresh('shop', '2025-02-01Z')},
    q{CALL crm.rebuild('shop', '2025-02-01Z')}, q{CALL crm.refresh('shop', '2025-02-01Z')},
    q{SELECT crm.define_segment('shop', 'new', 'orders < ' || (random() * 9)::int)});
my $healthy = q{SELECT (SELECT count(*) FROM crm.histories('TABLE example.buyers')),
    (SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'pg_crm%' AND name <> 'pg_crm capture'),
    (SELECT count(*) FROM crm.progress)};
sql('CREATE VIEW example.buyers AS SELECT customer, at, amount FROM example.orders');
my $expected = sql($healthy);

# Ends what the worker does again and again, after pauses of any length up to a tenth of a second.
sub start_ending
{
    my ($how) = @_;
    return start_script($node,
        "DO \$\$BEGIN LOOP PERFORM pg_sleep(random() * 0.1); PERFORM pg_stat_clear_snapshot();
             PERFORM pg_${how}_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'worker' AND state = 'active' AND strpos(query, 'pg_backend_memory_contexts') = 0;
         END LOOP; END\$\$", 'ending');
}

sub finish_ending
{
    my ($ending) = @_;
    sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ending'});
    finish_script($ending);
    return;
}

my $ending = start_ending('cancel');
my ($cancelled, %never) = (0);
for my $statement (@long)
{
    my $session = start_script($node, join(";\n", ($statement) x (6 * $factor), $healthy), 'worker');
    my @errors = finish_script($session);
    $cancelled += @errors;
    is(join("\n", grep { !/^57014/ } @errors), '', scalar @errors . " times cancelled: $statement");
    is((split /\n/, $session->{output})[-1], $expected, 'and the session works on');
}
finish_ending($ending);
cmp_ok($cancelled, '>', 3, "$cancelled statements were cancelled");

$ending = start_ending('terminate');
my $terminated = 0;
for my $statement (map { ($_) x (2 * $factor) } @long)
{
    my $session = start_script($node, "$statement;\n$statement;\n\\echo survived", 'worker');
    my @errors = grep { !/^57P01/ } finish_script($session);
    $terminated++ if $session->{output} !~ /survived/;
    fail("$statement: @errors") if @errors;
}
finish_ending($ending);
cmp_ok($terminated, '>', 3, "$terminated sessions were terminated");
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_ls_tmpdir()') or fail('temporary files are left');

sub is_whole
{
    my ($what) = @_;
    is(sql(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), 0, "$what: nothing stays locked");
    sql(q{CALL crm.refresh('shop', '2025-02-01Z'); CALL crm.rebuild('shop', '2025-02-01Z')});
    is(sql(q{SELECT status, customers FROM crm.refresh_run WHERE shop = 'shop' ORDER BY run DESC LIMIT 1}), 'done|0',
        'the shop is what its orders say');
    is(sql(q{SELECT segment FROM shop.segment_definition AS d WHERE d.ended_at IS NULL AND d.condition IS NOT NULL
             AND NOT EXISTS (SELECT FROM shop.segment_set AS s
                             WHERE s.segment = d.segment AND s.version = d.version)}), '',
        'every segment has its customers');
    return;
}
is_whole('after cancelled and terminated runs');

# 2. kill -9 while definitions are written: each is there as a whole or not at all.

my $definitions = q{
    DO $$
    BEGIN
        LOOP
            PERFORM crm.create_shop('other', 'example.orders', 'customer', 'at', 'amount', zone => 'UTC',
                                    batch_rows => 7);
            COMMIT;
            PERFORM crm.define_segment('other', 'two', 'orders >= 2');
            COMMIT;
            PERFORM crm.alter_shop('other', condition => 'amount > 3', grades => 3, map => 'klaviyo');
            COMMIT;
            PERFORM crm.alter_shop('shop', batch_rows => 10 + (random() * 10)::int);
            COMMIT;
            PERFORM crm.define_rfm_map('theirs', ARRAY[('a', NULL, NULL, '{[12]..}'),
                                                       ('b', NULL, NULL, '{[345]..}')]::crm.rfm_rule[]);
            COMMIT;
            PERFORM crm.define_rfm_map('theirs', ARRAY[('c', NULL, NULL, '{...}')]::crm.rfm_rule[]);
            COMMIT;
            PERFORM crm.drop_rfm_map('theirs');
            COMMIT;
            PERFORM crm.drop_segment('other', 'two');
            COMMIT;
            PERFORM crm.drop_shop('other');
            COMMIT;
        END LOOP;
    END $$};
my $kills = 6 * $factor;
for my $kill (1 .. $kills)
{
    sql(q{SELECT crm.drop_shop('other') FROM crm.shop WHERE shop = 'other';
          SELECT crm.drop_rfm_map('theirs') FROM crm.rfm_map WHERE map = 'theirs'});
    my $session = start_script($node, $definitions, 'worker');
    $node->poll_query_until('postgres',
        q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'worker' AND state = 'active'});
    sleep(rand(1.5));
    my $log = -s $node->logfile;
    kill('KILL', sql(q{SELECT pid FROM pg_stat_activity WHERE application_name = 'worker'}));
    is(join("\n", finish_script($session)), '', "kill $kill");
    $node->wait_for_log(qr/database system is ready to accept connections/, $log);
    $node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
    is( sql(q{SELECT count(DISTINCT found) FROM (VALUES (EXISTS (SELECT FROM crm.shop WHERE shop = 'other')),
                  (EXISTS (SELECT FROM pg_namespace WHERE nspname = 'other')),
                  (EXISTS (SELECT FROM pg_trigger AS t
                           WHERE t.tgrelid = 'example.orders'::regclass AND t.tgname LIKE 'crm\_%\_other'))
                  ) AS o (found)}),
        1, 'the shop that was being made, changed or dropped is there with its schema and triggers, or not at all');
    is(sql(q{SELECT count(*) FROM crm.rfm_map AS m, crm.check_rfm_map(m.map) WHERE m.map <> 'gap'}), 0,
        'no map has lost a rule');
    is(sql(q{SELECT count(*) FROM crm.shop AS s, crm.shop_check(s.shop) WHERE verdict = 'error'}), 0,
        'and shops are sound');
}
is_whole("after $kills kills");

# 3. Depth: text that is nested without end, and little stack

my @types = qw(calendar history rfm_score cohorts repeats survival idset);
for my $type (@types)
{
    for my $text (
        q{repeat('[', 1000000)}, q<repeat('{', 1000000)>, q{repeat('[[', 100000) || '1'}, q{repeat('(', 1000000)})
    {
        my ($status, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT ($text)::crm.$type");
        like($error, qr/ERROR: +(22\w{3}|54\w{3}):/, "crm.$type of $text");
    }
}
my $nested = q{repeat('(', 100000) || 'orders > 1' || repeat(')', 100000)};
my $negated = q{repeat('NOT ', 100000) || 'orders > 1'};
for my $condition ($nested, $negated)
{
    for my $use (
        "SELECT crm.define_segment('shop', 'deep', $condition)",
        "SELECT crm.check_condition('shop.customer', $condition)",
        "SELECT * FROM crm.condition_parts('shop.customer', $condition)",
        "SELECT crm.alter_shop('shop', condition => $condition)")
    {
        my ($status, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n$use");
        like($error, qr/ERROR: +(54001|42\w{3}|53200):/, $use);
    }
}
is( sql(q{SET max_stack_depth = 100; SELECT signature, error FROM example.answers('reads') WHERE error !~ '^54001'}),
    '',
    'every function gives an answer or the right error with 100 kB of stack');

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|signal (?!9:)\d+/, 'no process died by itself');
$node->stop;
done_testing();
