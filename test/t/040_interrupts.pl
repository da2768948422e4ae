# Interrupts: whatever pg_crm is doing, it stops when it is told to, the session works on, and nothing is left behind.
# No loop of its own works long without looking. crm.progress shows from another session what a pass is doing.
use strict;
use warnings FATAL => 'all';

use FindBin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('interrupts');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]) }

# Cancels a pass as soon as crm.progress shows it in the state wanted; gives what was seen, unless the session was
# faster.
sql(q{
    CREATE EXTENSION pg_crm;
    CREATE TABLE orders AS SELECT g % 100 AS customer, timestamptz '2025-01-01' + g * interval '1 hour' AS at,
        g AS amount FROM generate_series(1, 1000) AS g;
    CREATE FUNCTION cancel_when(state text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE
        pass crm.progress;
        begun boolean := false;
        busy boolean;
    BEGIN
        FOR i IN 1..30000 LOOP
            PERFORM pg_stat_clear_snapshot();
            SELECT count(*) > 0 INTO busy FROM pg_stat_activity WHERE application_name = 'worker';
            begun := begun OR busy;
            EXECUTE format('SELECT * FROM crm.progress WHERE %s', state) INTO pass;
            IF pass.pid IS NOT NULL THEN
                PERFORM pg_cancel_backend(pass.pid);
                RETURN pass;
            ELSIF begun AND NOT busy THEN
                EXIT;
            END IF;
            PERFORM pg_sleep(0.002);
        END LOOP;
        RETURN 'nothing';
    END $$});

# What every session is asked when it has been interrupted: does it still work, does it hold anything?
my $aftermath = q{
    SET statement_timeout = 0;
    RESET temp_file_limit;
    SELECT 'then', (SELECT count(*) FROM crm.histories('TABLE orders')),
        (SELECT count(*) FROM crm.rfm_table('TABLE orders', as_of => '2025-06-01')),
           (SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'pg_crm%'),
               (SELECT count(*) FROM crm.progress);
};
my $healthy = 'then|100|100|0|0';
my $temporary_files = 'SELECT count(*) FROM pg_ls_tmpdir()';

my $sessions = 0;
sub start_session
{
    my ($script) = @_;
    my %session = (output => '', error => '');
    my $file = $node->basedir . '/script' . ++$sessions . '.sql';
    append_to_file($file, "\\set VERBOSITY verbose\n$script;$aftermath");
    $session{run} = IPC::Run::start(
        [ 'psql', '-XAtq', '-d', $node->connstr('postgres') . ' application_name=worker', '-f', $file ],
        '>', \$session{output}, '2>', \$session{error});
    return \%session;
}

sub outcome_of
{
    my ($session) = @_;
    IPC::Run::finish($session->{run});
    my ($code) = $session->{error} =~ /(?:ERROR|FATAL): +(\w{5}):/;
    return ($code // 'completed', $session->{output} =~ /^(then.*)$/m ? $1 : $session->{error});
}

sub is_interrupted
{
    my ($script, $code, $what) = @_;
    my ($end, $then) = outcome_of(start_session($script));
    is($end, $code, "$what: stopped");
    is($then, $healthy, 'and the session works on');
}

# 1. In each phase of a pass. The last number scales the work until it takes long enough to be caught.

# So many orders in random order, as a literal that is read row by row.
sub orders
{
    my ($customer, $rows) = @_;
    return "'SELECT $customer, timestamptz ''2020-01-01'' + hashint8(g) * interval ''1 second'', g
             FROM (SELECT generate_series(1, $rows) AS g) AS s'";
}
my $endless = 1_000_000_000;
my @sizes = (1_000_000, 4_000_000, 16_000_000);
my $little_memory = q{SET pg_crm.memory = '4MB'};
my $random = 'hashint8extended(g, 1)';
my %phases = (
    'reading' => [ q{orders_read > 1000000 AND phase = 'reading orders' AND customers_done = 0},
        'SELECT count(*) FROM crm.histories(' . orders('g % 1000', $endless) . ')' ],
    'reading texts' => [ q{orders_read > 100000 AND phase = 'reading orders'},
        'SELECT count(*) FROM crm.histories(' . orders(q{''customer '' || g % 1000}, $endless) . ', NULL::text)' ],
    'spilling' => [ q{spilled_bytes > 10000000},
        "$little_memory; SELECT count(*) FROM crm.histories(" . orders($random, $endless) . ')' ],
    'reading for rfm_table' => [ q{orders_read > 1000000},
        'SELECT count(*) FROM crm.rfm_table(' . orders('g % 1000', $endless) . ', grades => 5)' ],
    'folding' => [ q{phase = 'folding customers' AND customers_done > 0},
        map { 'SELECT count(*) FROM crm.histories(' . orders('g', $_) . ')' } @sizes ],
    'folding what was spilled' => [ q{phase = 'folding customers' AND spilled_bytes > 0},
        map { "$little_memory; SELECT count(*) FROM crm.histories(" . orders($random, $_) . ')' } @sizes ],
    'one giant customer' => [ q{phase = 'folding customers'},
        map { 'SELECT count(*) FROM crm.histories(' . orders('1', $_) . ')' } @sizes ],
    'folding for rfm_migration' => [ q{phase = 'folding customers' AND customers_done > 0},
        map { 'SELECT count(*) FROM crm.rfm_migration(' . orders('g', $_) . q{, '2024-01-01', '2026-01-01')} } @sizes ]);
for my $phase (sort keys %phases)
{
    my ($state, @scripts) = @{ $phases{$phase} };
    my ($code, $then, $seen);
    for my $script (@scripts)
    {
        my $session = start_session($script);
        $seen = sql("SELECT cancel_when(\$\$$state\$\$)");
        ($code, $then) = outcome_of($session);
        last if $code ne 'completed';
    }
    is($code, '57014', "$phase: cancelled; crm.progress had shown $seen");
    is($then, $healthy, 'and the session works on');
    is(sql($temporary_files), 0, 'without a temporary file left');
}

# 2. statement_timeout, and a LIMIT that never comes

my $timeout = 'SET statement_timeout = 500';
is_interrupted(
    "$timeout; SELECT * FROM crm.histories(" . orders('g', $endless) =~ s/'$/ LIMIT 999999999'/r . ') LIMIT 1',
    '57014', 'a limit of a billion rows');
is_interrupted("$timeout; SELECT count(*) FROM crm.rfm_table(" . orders('g', $endless) . ')', '57014',
    'rfm_table over a billion rows');
is_interrupted("$timeout; SELECT crm.orders(crm.history(now(), g)) FROM generate_series(1, 30000000) AS g", '57014',
    'the aggregate');
is_interrupted(q{SET statement_timeout = 2000;
    SELECT sum(s) FROM (SELECT crm.grade(g % 1000, 5) OVER () AS s FROM generate_series(1, 10000000) AS g) AS t},
    '57014', 'the window function');
is_interrupted(q{SET statement_timeout = 1000;
    SELECT crm.rfm_quantiles((g % 1000, g % 100, g)::crm.rfm, 5) FROM generate_series(1, 50000000) AS g},
    '57014', 'quantiles');

# 3. Functions of one large value: six million purchases, and their text of 200 MB

sql(q{
    CREATE TABLE large (text text, h crm.history);
    ALTER TABLE large ALTER text SET STORAGE EXTERNAL;
    INSERT INTO large (text)
    SELECT '[' || repeat(entries || ',', 29) || entries || ']'
    FROM (SELECT string_agg(format('["2026-01-01T00:00:%s.%sZ",1]', lpad((g % 60)::text, 2, '0'),
        lpad(g::text, 6, '0')), ',' ORDER BY hashint4(g)) AS entries
          FROM generate_series(1, 200000) AS g) AS o;
    UPDATE large SET h = text::crm.history});
my %uses = (
    'reading text' => 'crm.orders(text::crm.history)',
    'writing text' => 'octet_length(h::text)',
    'merging' => 'crm.orders(h || h || h || h)',
    'subtracting' => 'crm.orders(h - h)',
    'one day' => q{crm.orders(crm.per(h, 'day UTC'))},
    'purchases' => '(SELECT count(*) FROM crm.purchases(h))',
    'intervals' => 'cardinality(crm.intervals(h))',
    'rollup' => '(SELECT crm.orders(crm.rollup(o.h)) FROM large AS o, generate_series(1, 4))');
for my $use (sort keys %uses)
{
    is_interrupted("SET search_path = public, crm; SET statement_timeout = 50; SELECT $uses{$use} FROM large",
        '57014', $use);
}

# 4. Wherever they are, they look: a timer (test/fault/polls.c) raises what they look at every ten milliseconds of the
#    processor's time, and counts how often it still stands.

my $library = $node->basedir . '/polls.so';
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
chomp(my ($headers, $libraries) = `$pg_config --includedir-server --pkglibdir`);
SKIP: {
    skip 'sanitizers make it slow' if (`nm -D $libraries/pg_crm.so` // '') =~ /__asan_/;
    system($ENV{CC} // 'cc', '-O2', '-fPIC', '-shared', '-isystem', $headers, '-o', $library,
        "$FindBin::Bin/../fault/polls.c") == 0
        or skip 'no C compiler';
    sql(qq{
        CREATE SCHEMA polls;
        CREATE FUNCTION polls.watch() RETURNS void LANGUAGE c AS '$library', 'polls_watch';
        CREATE FUNCTION polls.longest() RETURNS int LANGUAGE c AS '$library', 'polls_longest';
        -- does not look for half a second
        CREATE FUNCTION polls.deaf() RETURNS void LANGUAGE c AS '$library', 'polls_deaf'});
    sub longest
    {
        my ($script) = @_;
        return (split /\n/, sql("SET client_min_messages = error; SET search_path = public, crm;
            SELECT polls.watch() \\g /dev/null\n$script \\g /dev/null\nSELECT polls.longest()"))[-1];
    }
    cmp_ok(longest('SELECT polls.deaf()'), '>', 20, 'who does not look is noticed');
    my $few = 1_000_000;
    my %work = (
        (map { ($_ => "SELECT $uses{$_} FROM large") } keys %uses),
        'folding' => 'SELECT count(*) FROM crm.histories(' . orders('g % 100000', $few) . ')',
        'folding texts' => 'SELECT count(*) FROM crm.histories(' . orders(q{''customer '' || g % 1000}, $few) . ', NULL::text)',
        'folding what was spilled' => "$little_memory; SELECT count(*) FROM crm.histories(" . orders($random, $few) . ')',
        'one giant customer' => 'SELECT count(*) FROM crm.histories(' . orders('1', $few) . ')',
        'rfm_table' => 'SELECT count(*) FROM crm.rfm_table(' . orders('g % 100000', $few) . ', grades => 5)',
        'cohort_table' => 'SELECT count(*) FROM crm.cohort_table(' . orders('g % 100000', $few) . q{, 'month UTC', '2026-01-01')},
        'repeat_table' => 'SELECT count(*) FROM crm.repeat_table(' . orders('g % 100000', $few) . q{, '2026-01-01')},
        'lifetime_table' => 'SELECT count(*) FROM crm.lifetime_table(' . orders('g % 30000', 300_000) . q{, 'week UTC', '2026-01-01')},
        'a set of ids' => 'SELECT crm.cardinality(crm.idset(hashint8(g) % 100000000)) FROM generate_series(1, 3000000) AS g',
        'quantiles' => "SELECT crm.rfm_quantiles((g % 1000, g % 100, g)::crm.rfm, 5) FROM generate_series(1, $few) AS g");
    for my $name (sort keys %work)
    {
        my $ticks = longest($work{$name});
        cmp_ok($ticks, '<', 10, "$name: at most $ticks ticks without a look");
    }
}

# 5. temp_file_limit holds, and a session that is killed leaves nothing

is_interrupted(
    "$little_memory; SET temp_file_limit = '20MB'; SELECT count(*) FROM crm.histories(" . orders($random, 1e7) . ')',
    '53400', 'temp_file_limit');
is(sql($temporary_files), 0, 'without a temporary file left');
my $killed = start_session("$little_memory; SELECT count(*) FROM crm.histories(" . orders($random, $endless) . ')');
$node->poll_query_until('postgres', 'SELECT pg_terminate_backend(pid) FROM crm.progress WHERE spilled_bytes > 0');
is((outcome_of($killed))[0], '57P01', 'a session that spills is killed');
$node->poll_query_until('postgres', "SELECT ($temporary_files) = 0") or fail('temporary files are left');

# 6. crm.progress tells how far a pass is, and does not mistake COPY for one.

my $pass = start_session('SELECT count(*) FROM crm.histories(' . orders('nullif(g % 1000, 0)', $endless) . ')');
my ($pid, @read);
for my $least (1, 1000000)
{
    $node->poll_query_until('postgres',
        "SELECT count(*) = 1 FROM crm.progress WHERE orders_read >= $least + " . ($read[-1] // 0));
    my @progress = split /\|/, sql('SELECT pid, phase, orders_read, customers_done FROM crm.progress');
    $pid = $progress[0];
    is("@progress[1, 3]", 'reading orders 0', "$progress[2] orders were read");
    push @read, $progress[2];
}
is(sql("SELECT query LIKE 'SELECT count(*) FROM crm.histories%' FROM pg_stat_activity WHERE pid = $pid"), 't',
    'by the session that reads them');
my $copy = start_session(q{COPY (SELECT generate_series(1, 1000000000)) TO PROGRAM 'cat > /dev/null'});
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_progress_copy WHERE pid <> $pid");
is(sql('SELECT count(*) FROM crm.progress'), 1, 'COPY is no pass');
sql('SELECT pg_cancel_backend(pid) FROM pg_stat_progress_copy');
outcome_of($_) for $copy, $pass;
my $inside = start_session(
    'COPY (SELECT * FROM crm.histories(' . orders('g % 1000', $endless) . q{)) TO PROGRAM 'cat > /dev/null'});
$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM pg_stat_progress_copy');
is(sql('SELECT (SELECT count(*) FROM crm.progress), (SELECT command FROM pg_stat_progress_copy)'), '0|COPY TO',
    'a COPY of a pass reports itself');
sql('SELECT pg_cancel_backend(pid) FROM pg_stat_progress_copy');
outcome_of($inside);
# nor does a pass show when it has failed inside a block that goes on
is( sql(q{
        DO $$
        BEGIN
            PERFORM count(*) FROM crm.histories('SELECT 1, now(), 1 / (100000 - g)
                FROM generate_series(1, 200000) AS g');
        EXCEPTION WHEN division_by_zero THEN
            IF EXISTS (SELECT FROM crm.progress) THEN RAISE 'the failed pass still shows'; END IF;
        END $$;
        SELECT count(*) FROM crm.progress}), 0, 'a pass that failed is over');

unlike(slurp_file($node->logfile), qr/server process .* terminated by signal|PANIC|TRAP/, 'no process died');
$node->stop;
done_testing();
