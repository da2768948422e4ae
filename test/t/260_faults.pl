# Faults: memory that runs out at each allocation of a run, one after the other, disks that fill up at each write, and
# reads that fail. Each gives an error that says so; the session works on and has not leaked. A library that is
# preloaded into the server (test/fault/fault.c) makes them happen. Every twelfth allocation or so fails, others each
# time; CRM_TEST_FAULTS=1 takes all of them, for a quarter of an hour or more. CRM_TEST_SEED repeats the same.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use Examples;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{CRM_TEST_SEED} // int(rand(1 << 31));
srand($seed);
note("CRM_TEST_SEED=$seed");
my $stride = $ENV{CRM_TEST_FAULTS} // 12;

my $node = PostgreSQL::Test::Cluster->new('faults');
my $library = $node->basedir . '/fault.so';
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my $headers = `$pg_config --includedir-server`;
chomp $headers;
system($ENV{CC} // 'cc', '-O2', '-fPIC', '-shared', '-fno-builtin', '-isystem', $headers, '-o', $library,
    "$FindBin::RealBin/../fault/fault.c") == 0
    or plan skip_all => 'no C compiler, or not this C library';

$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf',
    "client_min_messages = error\nlog_min_messages = fatal\njit = off\nautovacuum = off");
{
    local $ENV{LD_PRELOAD} = $library;
    $node->start;
}
sub sql { return $node->safe_psql('postgres', $_[0]) }
make_examples($node);

# What can fail, as fault.arm() knows it, and the errors that say so: some of PostgreSQL's own parts have no other word
# for a lack of memory.
my $memory = '^(53200 |2201B .*out of memory|22023 invalid value for parameter "(TimeZone|DateStyle|default_text_search_config)")';
my %kinds = (allocation => [ 0, $memory ], write => [ 1, '^53100 ' ], read => [ 2, '^58030 ' ]);
sql(qq{
    CREATE SCHEMA fault;
    CREATE FUNCTION fault.arm(kind int, n bigint) RETURNS void LANGUAGE c AS '$library', 'fault_arm';
    CREATE FUNCTION fault.disarm(kind int) RETURNS bigint LANGUAGE c AS '$library', 'fault_disarm';
    CREATE FUNCTION fault.live() RETURNS bigint LANGUAGE c AS '$library', 'fault_live';
    -- Triggers keep what they need of their shop for the session, in pg_crm capture.
    CREATE FUNCTION fault.held() RETURNS bigint LANGUAGE plpgsql AS \$\$
    BEGIN
        IF EXISTS (SELECT FROM pg_backend_memory_contexts WHERE name LIKE 'pg_crm%' AND name <> 'pg_crm capture') THEN
            RAISE 'a memory context of pg_crm is left';
        END IF;
        RETURN fault.live();
    END \$\$;

    -- Runs a statement over and over, each time with another call that fails, until none is left to fail: how many
    -- failed, the errors other than the one wanted, and by how much the process has grown between the tenth failure and
    -- the last.
    CREATE FUNCTION fault.run(statement text, kind int, wanted text, stride int,
        OUT failed int, OUT strange text, OUT grown bigint) LANGUAGE plpgsql AS \$\$
    DECLARE
        n bigint := 1;
        code text;
        message text;
        calls bigint;
        held bigint;
    BEGIN
        failed := 0;
        EXECUTE statement;
        LOOP
            code := NULL;
            BEGIN
                PERFORM fault.arm(kind, n);
                EXECUTE statement;
            EXCEPTION WHEN OTHERS THEN
                code := SQLSTATE; message := SQLERRM;
            END;
            calls := fault.disarm(kind);
            EXIT WHEN calls >= 0;
            failed := failed + 1;
            IF code IS NULL OR concat_ws(' ', code, message) !~ wanted THEN
                strange := concat_ws(E'\\n', strange,
                                     format('%s of %s: %s %s', n, -calls, coalesce(code, 'nothing'), message));
            END IF;
            IF failed = 10 THEN held := fault.held(); END IF;
            n := n + 1 + floor(random() * 2 * (stride - 1))::int;
        END LOOP;
        EXECUTE statement;
        grown := fault.held() - held;
    END \$\$});

my %failed;

# 1. Memory, in every function that reads, called from a block that catches the error

sql('CREATE TABLE example.few AS SELECT * FROM example.sample WHERE n IN (5, 39)');
my ($functions, $failures, $strange, $grown) = split /\|/, sql(qq{
    SET client_min_messages = error;
    SELECT setseed(@{[ ($seed % 1000) / 1000 ]}) \\g /dev/null
    SELECT count(*), sum(f.failed),
           coalesce(string_agg(c.signature || ': ' || f.strange, E'\\n') FILTER (WHERE f.strange <> ''), ''),
           coalesce(string_agg(c.signature || ': ' || f.grown, E'\\n') FILTER (WHERE f.grown > 400000), '')
    FROM example.call AS c,
         LATERAL (SELECT CASE WHEN kind = 'a' THEN example.query(expression)
                              ELSE replace(example.query(expression), 'example.sample', 'example.few')
                         END AS query) AS q,
         fault.run('SELECT count(*) FROM (' || query || ') AS t', 0, '$memory', $stride) AS f
    WHERE reads AND expression IS NOT NULL});
$failed{allocation} += $failures;
is($strange, '', "$failures allocations failed in $functions functions, each said so");
is($grown, '', 'and none has left memory behind');

# 2. Memory and disk in whole statements of a session, which works on with the same answer

my $file = $node->basedir . '/received';
my $columns = 'calendar, history, rfm_score, cohorts, repeats, survival, idset';
sql(qq{COPY (SELECT $columns FROM example.sample) TO '$file' (FORMAT binary);
       CREATE TABLE example.received AS SELECT $columns FROM example.sample LIMIT 0});
my $random = q{SELECT hashint8extended(g, 1) %s, timestamptz '2025-01-01Z' + g * interval '1 minute', g
    FROM generate_series(1, 60000) AS g};
my ($integers, $texts) = map { sprintf($random, $_) =~ s/'/''/gr } '', '::text';
my $small = 'SET pg_crm.memory = 0; SET work_mem = 64';
my @statements = (
    [ 'spilling customers', $small, "SELECT count(*), sum(crm.orders(history)) FROM crm.histories('$integers')",
        qw(allocation write read) ],
    [ 'spilling customers of texts', $small, "SELECT count(*) FROM crm.histories('$texts', NULL::text)",
        qw(allocation write read) ],
    [ 'rfm_table', $small,
        "SELECT count(*), sum(monetary) FROM crm.rfm_table('$integers', as_of => '2026-01-01Z', grades => 5)",
        qw(allocation write read) ],
    [ 'cohort_table', $small, "SELECT count(*) FROM crm.cohort_table('$integers', 'month UTC', '2026-01-01Z')",
        qw(allocation write) ],
    [ 'lifetime_table', '',
        q{SELECT count(*) FROM crm.lifetime_table('TABLE example.buyers', 'week UTC', as_of => '2025-03-01Z')},
        'allocation' ],
    [ 'COPY BINARY', '', "COPY example.received FROM '$file' (FORMAT binary)", 'allocation' ],
    [ 'refresh', '',
        q{UPDATE example.orders SET amount = amount + 1 WHERE id % 50 = 1; CALL crm.refresh('shop', '2025-02-01Z')},
        'allocation' ],
    [ 'rebuild', '', q{CALL crm.rebuild('shop', '2025-02-01Z')}, 'allocation' ],
    [ 'define_segment', '', q{BEGIN; SELECT crm.define_segment('shop', 'new', 'orders = 1'); ROLLBACK},
        'allocation' ],
    [ 'create_shop', '', q{BEGIN;
        SELECT count(*) FROM crm.create_shop('other', 'example.orders', 'customer', 'at', 'amount', zone => 'UTC');
        ROLLBACK}, 'allocation' ]);
sql('CREATE VIEW example.buyers AS SELECT customer, at, amount FROM example.orders');

# The output of a script that goes on after errors
sub output_of
{
    my ($script) = @_;
    my $output;
    IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ],
        '<', \"\\set VERBOSITY verbose\n$script", '>', \$output, '2>&1');
    return $output;
}

for my $case (@statements)
{
    my ($name, $settings, $statement, @faults) = @$case;
    for my $fault (@faults)
    {
        my ($kind, $state) = @{ $kinds{$fault} };
        my $start = "SET client_min_messages = error; SET max_parallel_workers_per_gather = 0; $settings;";
        my $counting = output_of("$start\n$statement;\n\\echo answer\n$statement;\n\\echo counted\n"
                . "SELECT fault.arm($kind, 0);\n$statement;\n\\echo calls\nSELECT fault.disarm($kind);");
        my ($answer) = $counting =~ /answer\n(.*)counted\n/s;
        my ($calls) = $counting =~ /calls\n(\d+)\n/;
        ok($calls, "$name: $calls calls of kind $fault") or diag($counting), next;
        my @places = sort { $a <=> $b } map { 1 + int(rand($calls)) } 1 .. 300 / $stride;
        @places = 1 .. $calls if $stride == 1;
        my $seen = 0;
        my $output = output_of(join("\n", $start, "$statement;", (map {
            ("\\echo try $_", "SELECT fault.arm($kind, $_);", "$statement;", 'ROLLBACK;',
                "SELECT 'ended', fault.disarm($kind);" x 2,
                $_ == $places[9] && !$seen++ || $_ == $places[-1] ? "\\echo held\nSELECT fault.held();" : ())
        } @places),
            "\\echo answer\n$statement;\n\\echo done"));
        my (@strange, $hit);
        while ($output =~ /^try (\d+)\n(.*?)^ended\|(-?\d+)$/msg)
        {
            my ($place, $said, $asked) = ($1, $2, $3);
            my @errors = map { s/: +/ /r } $said =~ /ERROR: +(\w{5}: [^\n]*)/g;
            $hit++ if $asked < 0;
            # a run goes on without a segment whose condition fails, and notes that; files are read without a buffer
            my @others = $asked < 0 ? grep { !/$state|^25P02/ } @errors : @errors;
            push @strange, "$place: $said" if @others || $asked < 0 && !@errors && $name !~ /^(re|COPY)/;
        }
        $failed{$fault} += $hit // 0;
        is(join("\n", @strange), '', ($hit // 0) . ' of them failed and said so');
        my @held = ($output =~ /held\n(-?\d+)/g)[ 0, -1 ];
        # PostgreSQL keeps something of every row type that there ever was, in blocks of megabytes, and of settings
        my $limit = $name eq 'create_shop' ? 5_000_000 + 20_000 * @places : 400_000 + 1_000 * @places;
        cmp_ok($held[1] - $held[0], '<', $limit, 'without leaving memory behind') or diag($output);
        is(($output =~ /answer\n(.*)done\n/s)[0], $answer, 'and the session works on');
    }
}
is(sql('SELECT count(*) FROM pg_ls_tmpdir()'), 0, 'no temporary file is left');
sql(q{CALL crm.refresh('shop', '2025-02-01Z'); CALL crm.rebuild('shop', '2025-02-01Z')});
is(sql('SELECT status, customers FROM crm.refresh_run ORDER BY run DESC LIMIT 1'), 'done|0',
    'the shop is what its orders say');
note("failed: $failed{$_} ${_}s") for sort keys %failed;

unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|TRAP/, 'no process died');
$node->stop;
done_testing();
