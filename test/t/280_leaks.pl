# Leaks: a backend that calls every function 10,000 times holds no more at the end than when it was warm: nothing in
# PostgreSQL's memory contexts, nothing outside of them. Functions that read a query are called as whole statements, and
# less often, because each call reads all orders. CRM_TEST_CALLS sets another number than 10,000.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use Examples;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs /proc' unless -r '/proc/self/status';
my $calls = $ENV{CRM_TEST_CALLS} // 10_000;

my $node = PostgreSQL::Test::Cluster->new('leaks');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "client_min_messages = error\njit = off");
$node->start;
make_examples($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(q{
    CREATE FUNCTION example.held(OUT contexts bigint, OUT lasting bigint, OUT kilobytes bigint) LANGUAGE plpgsql AS $$
    BEGIN
        SELECT sum(total_bytes), sum(total_bytes) FILTER (WHERE name IN ('TopMemoryContext', 'CacheMemoryContext'))
        INTO contexts, lasting FROM pg_backend_memory_contexts;
        kilobytes := (regexp_match(pg_read_file('/proc/self/status'), 'RssAnon:\s*(\d+) kB'))[1];
    END $$;

    -- one row, which is called again and again
    CREATE TABLE example.row AS SELECT * FROM example.sample WHERE n = 10;
    CREATE TABLE example.times AS SELECT g FROM generate_series(1, 100) AS g;
    ANALYZE example.times;

    -- Calls a function so many times, in statements of 100 calls each; aggregates and functions that read a query are
    -- one call a statement. How much more is held at the end than after the first tenth.
    CREATE FUNCTION example.grown(of example.call, times int,
                                  OUT contexts bigint, OUT lasting bigint, OUT kilobytes bigint)
        LANGUAGE plpgsql AS $$
    DECLARE
        query text := replace(of.expression, 'example.print', '');
        statement text;
        each int := CASE WHEN of.kind <> 'f' OR strpos(query, 's.query') > 0 THEN 1 ELSE 100 END;
        warm record;
        last record;
    BEGIN
        statement := format('SELECT count(v) FROM (SELECT %s AS v FROM %s AS s%s OFFSET 0) AS c', query,
                            CASE WHEN of.kind = 'f' THEN 'example.row' ELSE 'example.sample' END,
                            CASE each WHEN 100 THEN ', example.times' END);
        FOR i IN 1..greatest(times / each, 2) LOOP
            EXECUTE statement;
            IF i = greatest(times / each / 10, 1) THEN warm := example.held(); END IF;
        END LOOP;
        last := example.held();
        contexts := last.contexts - warm.contexts;
        lasting := last.lasting - warm.lasting;
        kilobytes := last.kilobytes - warm.kilobytes;
    END $$});

# Everything is called once first, so that what PostgreSQL keeps of functions and types is there.
my %times = (
    'kind = \'f\' AND strpos(expression, \'s.query\') = 0' => $calls,
    'kind <> \'f\' AND signature !~ \'_fit\'' => int($calls / 20),
    'kind <> \'f\' AND signature ~ \'_fit\'' => int($calls / 200),
    'kind = \'f\' AND strpos(expression, \'s.query\') > 0' => int($calls / 500));
for my $which (sort keys %times)
{
    my $which_ones = "AS g WHERE reads AND expression IS NOT NULL AND $which";
    my (undef, $functions, $leaking) = split /\n|\|/, sql(qq{
        SELECT count(*) FROM example.call AS c, example.grown(c, 4) $which_ones;
        SELECT count(*), coalesce(string_agg(concat_ws(' ', signature, contexts, lasting, kilobytes), ', ')
                         FILTER (WHERE contexts > 100000 OR lasting > 40000 OR kilobytes > 3000), '')
        FROM example.call AS c, example.grown(c, $times{$which}) $which_ones}), -1;
    is($leaking, '', "$times{$which} times each of $functions functions ($which)");
}

# receiving binary values
my $columns = 'calendar, history, rfm_score, cohorts, repeats, survival, idset';
my $file = $node->basedir . '/received';
my ($before, $after) = split /\n/, sql(qq{
    CREATE TABLE example.received AS SELECT $columns FROM example.row;
    INSERT INTO example.received SELECT r.* FROM example.received AS r, generate_series(2, $calls);
    COPY example.received TO '$file' (FORMAT binary);
    COPY example.received FROM '$file' (FORMAT binary);
    SELECT contexts FROM example.held();
    COPY example.received FROM '$file' (FORMAT binary);
    SELECT contexts FROM example.held()});
cmp_ok($after - $before, '<', 100_000, "$calls rows of binary values received");

# statements that write, each a whole run
for my $statement (@statements)
{
    my $times = 20;
    my $once = "BEGIN; $statement; ROLLBACK;\n";
    my ($warm, $end) = split /\n/, sql(join("\n", map {
        ('\o /dev/null', $once x $_, '\o', 'SELECT contexts FROM example.held();') } 5, $times));
    my $contexts = $end - $warm;
    cmp_ok($contexts, '<', 1_500_000, "$times times " . $statement =~ s/\s+/ /gr . ": $contexts bytes");
}

$node->stop;
done_testing();
