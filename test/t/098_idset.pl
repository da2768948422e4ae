# Sets of ids: large random and awkward ones against SQL's own UNION, INTERSECT and EXCEPT, through COPY BINARY and back,
# stopped in the middle, and built in parallel. Of CRoaring only functions that allocate nothing are called.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('idset');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "work_mem = '256MB'\nfsync = off\nmax_wal_size = '4GB'\n");
$node->start;
sub sql { return $node->safe_psql('postgres', "SET search_path = public, crm;\n$_[0]") }
sql('CREATE EXTENSION pg_crm; CREATE TABLE sets (name text PRIMARY KEY, s crm.idset NOT NULL)');

# 1. Set algebra. What is compared: how many ids there are, their sum, and the sum of their hashes.

my $random = 'hashint8extended(g, 1)';
my %cases = (
    # name => [ number of candidates, ids of the left set, of the right one ]; NULL leaves a candidate out
    'dense, a half each' => [ 1_000_000, "CASE WHEN $random & 1 = 0 THEN g END", "CASE WHEN $random & 6 > 3 THEN g END" ],
    'dense, few of them' => [ 1_000_000, "CASE WHEN $random & 63 = 0 THEN g END", "CASE WHEN $random & 124 = 0 THEN g END" ],
    'far apart' => [ 200_000, $random, "CASE WHEN g % 3 > 0 THEN $random ELSE hashint8extended(g, 2) END" ],
    'of 10^12' => [ 200_000, "abs($random) % 1000000000000", "abs(hashint8extended(g / 2, 1)) % 1000000000000" ],
    'dense and far apart' => [ 200_000, 'g', "CASE WHEN g % 2 = 0 THEN g ELSE $random END" ],
    'runs' => [ 500_000, 'CASE WHEN g % 1000 < 900 THEN g - 250000 END', 'CASE WHEN g % 777 > 7 THEN g - 250000 END' ],
    'clusters' => [ 300_000, '(g / 100) * 1000003 + g % 100', '(g / 70) * 1000003 + g % 70' ],
    'borders of chunks' => [ 20_000, 'g * 65536 - g % 3', 'g * 65536 - g % 2' ],
    'around 4096 of a chunk' => [ 400_000, '(g / 4095) * 65536 + g % 4095 * 2', '(g / 4097) * 65536 + g % 4097 * 3' ],
    'ends of bigint' => [ 100_000, '-9223372036854775808 + g', 'CASE WHEN g % 2 = 0 THEN 9223372036854775807 - g ELSE -9223372036854775808 + g END' ],
    'nothing on the right' => [ 100_000, 'g', 'NULL::bigint' ],
    'the same' => [ 100_000, 'g * 3', 'g * 3' ],
    '10 million' => [ 10_000_000, "CASE WHEN $random & 7 > 0 THEN g END", "CASE WHEN $random & 56 > 0 THEN g END" ]);
my %operations = ('|' => 'UNION', '&' => 'INTERSECT', '-' => 'EXCEPT');

sub sums_of
{
    return sql("SELECT count(*), sum(id), sum(hashint8extended(id, 7)::numeric) FROM ($_[0]) AS ids(id)");
}

for my $case (sort keys %cases)
{
    my ($candidates, $left, $right) = @{ $cases{$case} };
    sql(qq{
        DROP TABLE IF EXISTS a, b;
        CREATE TABLE a AS SELECT DISTINCT $left AS id FROM (SELECT generate_series(1, $candidates)::bigint AS g) AS s;
        CREATE TABLE b AS SELECT DISTINCT $right AS id FROM (SELECT generate_series(1, $candidates)::bigint AS g) AS s;
        DELETE FROM a WHERE id IS NULL;
        DELETE FROM b WHERE id IS NULL;
        ANALYZE a, b;
        INSERT INTO sets SELECT '$case: a', coalesce(crm.idset(id), '{}') FROM a;
        INSERT INTO sets SELECT '$case: b', coalesce(crm.idset(id), '{}') FROM b});
    my ($left_set, $right_set) = map { "(SELECT s FROM sets WHERE name = '$case: $_')" } qw(a b);
    is(sums_of("SELECT members($left_set)"), sums_of('TABLE a'), "$case: members");
    for my $operator (sort keys %operations)
    {
        is(sums_of("SELECT members($left_set $operator $right_set)"), sums_of("TABLE a $operations{$operator} TABLE b"),
            "$case: $operator is $operations{$operator}");
    }
    is(sums_of("SELECT members($left_set # $right_set)"), sums_of('(TABLE a EXCEPT TABLE b) UNION ALL (TABLE b EXCEPT TABLE a)'),
        "$case: # is what only one has");
    is( sql("SELECT intersection_cardinality($left_set, $right_set), $left_set && $right_set, $left_set @> $right_set, $left_set <@ $right_set, $left_set = $right_set, ($left_set | $right_set) @> $right_set"),
        sql(q{
            SELECT count(*), count(*) > 0, count(*) = (SELECT count(*) FROM b), count(*) = (SELECT count(*) FROM a),
                   count(*) = (SELECT count(*) FROM b) AND count(*) = (SELECT count(*) FROM a), true
            FROM a JOIN b USING (id)}),
        "$case: comparisons");
    is( sql("SELECT (SELECT count(*) FROM a WHERE NOT $left_set @> id), (SELECT count(*) FROM b WHERE $left_set @> id)"),
        sql('SELECT 0, count(*) FROM a JOIN b USING (id)'),
        "$case: probes");
    is(sql("SELECT ${left_set}::text::crm.idset = $left_set"), 't', "$case: text and back") if $candidates < 1_000_000;
}

# 2. COPY BINARY and back, byte by byte; a dump's text too is far smaller than the ids.

my $file = $node->basedir . '/sets';
sql(qq{
    INSERT INTO sets SELECT 'range', crm.idset_range(-5, 3000000000);
    COPY sets TO '$file' (FORMAT binary);
    CREATE TABLE returned (LIKE sets);
    COPY returned FROM '$file' (FORMAT binary)});
is( sql('SELECT count(*), bool_and(a.s = b.s), bool_and(idset_send(a.s) = idset_send(b.s)) FROM sets AS a JOIN returned AS b USING (name)'),
    sql('SELECT count(*), true, true FROM sets'),
    'sets come back from COPY BINARY as they were');

# 3. Stored out of line, a set is fetched once for the query, not once for each row.

my $reads = sql(q{
    SELECT count(*) FROM generate_series(1, 100000) AS g WHERE contains((SELECT s FROM sets WHERE name = 'dense, a half each: a'), g);
    SELECT pg_stat_force_next_flush();
    SELECT idx_scan < 1000 FROM pg_stat_all_tables
    WHERE relid = (SELECT reltoastrelid FROM pg_class WHERE oid = 'sets'::regclass)})
    if $node->pg_version >= 15;
like($reads, qr/\n?t$/, 'a probe of 100,000 rows reads the set once') if $reads;

# 4. In parallel, and one after the other.

my $building = 'SELECT md5(string_agg(s::text, $$ $$ ORDER BY k)) FROM (SELECT id % 5 AS k, idset(id) AS s FROM a GROUP BY 1) AS x';
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;';
is(sql("$parallel SET max_parallel_workers_per_gather = 4; $building"),
    sql("SET max_parallel_workers_per_gather = 0; $building"), 'parallel workers build the same sets');

# 5. Ctrl-C.

for my $statement (
    'SELECT cardinality(idset_range(-1000000000000, 1000000000000))',
    'SELECT count(*) FROM members(idset_range(1, 100000000000))',
    'SELECT idset_range(1, 10000000000) # idset_range(2, 100000000000)',
    q{SELECT length(('{}'::idset | idset_range(1, 10000000000) - '{5000000000}')::text) FROM generate_series(1, 100)},
    'SELECT idset(hashint8extended(g, 1)) FROM generate_series(1, 1000000000) AS g')
{
    my ($status, $output, $error) = $node->psql('postgres',
        "\\set VERBOSITY verbose\nSET search_path = public, crm; SET statement_timeout = 200; $statement; SELECT 'completed'");
    like($error, qr/57014/, "stopped: $statement");
}
is(sql(q{SELECT '{1,2}'::idset | '{3}'}), '{1,2,3}', 'and the server works on');

# 6. CRoaring's functions that allocate end the server when memory runs out, so none of them is called.

SKIP:
{
    my $library = `@{[ $node->config_data('--bindir') ]}/pg_config --pkglibdir`;
    chomp $library;
    my @needed = `nm -D --undefined-only $library/pg_crm.so 2>/dev/null`;
    skip 'needs nm', 1 if $? || !@needed;
    my %kernels = map { $_ => 1 } qw(
        array_container_union array_container_intersection array_container_andnot array_container_xor
        array_container_intersection_cardinality array_container_number_of_runs
        array_bitset_container_intersection_cardinality
        bitset_container_or bitset_container_and bitset_container_andnot bitset_container_xor
        bitset_container_and_justcard bitset_container_number_of_runs
        bitset_set_list bitset_extract_setbits_uint16);
    my @others = grep { !$kernels{$_} } map { /(\S*(?:roaring|container|bitset)\S*)/ ? $1 : () } @needed;
    is("@others", '', 'only kernels of CRoaring that write into memory given to them are called');
}

$node->stop;
done_testing();
