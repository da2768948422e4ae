# Memory: functions called over and over, in one statement and in many, hold no more at the end than at the beginning,
# nor do passes that fail; and a pass keeps to pg_crm.memory, whatever its customers are.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('memory');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
sub sql { return $node->safe_psql('postgres', "SET search_path = public, crm;\n$_[0]") }

sql(q{
    CREATE EXTENSION pg_crm;
    CREATE TABLE orders AS SELECT g % 100 AS customer, timestamptz '2025-01-01' + g * interval '1 hour' AS at,
        g * 1.5 - 100 AS amount FROM generate_series(1, 1000) AS g;

    -- histories of nothing, of one purchase, of many, and of so many that they are stored out of line
    CREATE TABLE samples AS
    SELECT n, coalesce(crm.history(timestamptz '2025-01-01' + g * g * interval '1 second', (g % 17 - 2) * 0.5)
        FILTER (WHERE g > 0), '[]') AS h
    FROM unnest('{0, 1, 2, 10, 50, 4000}'::int[]) AS n, generate_series(0, n) AS g GROUP BY n;

    CREATE TABLE sets AS SELECT n, crm.idset(g * n) AS s FROM generate_series(1, 20) AS n, generate_series(1, 3000) AS g GROUP BY n;

    -- what this session holds: in PostgreSQL's memory contexts, but for its catalog caches, which grow by half a megabyte
    -- when a name too many was looked up; and in kB as the operating system sees it
    CREATE FUNCTION held() RETURNS bigint VOLATILE LANGUAGE plpgsql AS $$
        BEGIN RETURN (SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name <> 'CacheMemoryContext'); END $$;
    CREATE FUNCTION resident(what text) RETURNS bigint VOLATILE LANGUAGE plpgsql AS $$
        BEGIN RETURN (regexp_match(pg_read_file('/proc/self/status'), what || ':\s*(\d+) kB'))[1]; END $$;
    CREATE FUNCTION open_files() RETURNS bigint VOLATILE LANGUAGE sql AS $$SELECT count(*)
        FROM pg_ls_dir('/proc/self/fd')$$;
    CREATE FUNCTION ours() RETURNS bigint VOLATILE LANGUAGE sql AS $$SELECT count(*) FROM pg_backend_memory_contexts
        WHERE name LIKE 'pg_crm%'$$});
my $linux = -r '/proc/self/status';

# 1. One statement of many rows: what it holds does not grow from its tenth part on. (Functions that return rows are
# left out here: PostgreSQL itself keeps some hundred bytes for each call of any.)

my $rows = 20_000;
my %of_history = map { $_ => 1 } (
    'h::text', 'h::text::crm.history', 'h::jsonb', 'crm.history_send(h)', 'crm.history_hash(h)', 'h = h', 'h || h',
        'h - h', q{crm.add(h, '2026-01-01', g)},
    q{crm.until(h, timestamptz '2025-01-01' + g * interval '1 minute')},
        q{crm.within(h, tstzrange('2025-01-01', timestamptz '2025-01-01' + g * interval '1 minute'))},
    'crm.orders(h)', 'crm.revenue(h)', 'crm.refunded(h)', 'crm.first_order(h)', 'crm.last_order(h)',
        q{crm.recency(h, timestamptz '2025-01-01' + g * interval '1 minute')},
    q{crm.tenure(h, '2026-01-01')}, 'crm.intervals(h)', q{crm.per(h, 'month Asia/Tokyo')},
        q{crm.cohort(h, 'week Asia/Tokyo')},
    '(SELECT crm.rollup(x) FROM (VALUES (h), (h)) AS v(x))',
    q{crm.dormancy(h, timestamptz '2025-01-01' + g * interval '1 minute')}, q{crm.dormancy(h, '2026-01-01', g)},
    q{crm.dormancy(h, '2026-01-01', crm.mbgnbd(1, 1, 1, g, 'week UTC'))},
        q{crm.tier(h, 'year Asia/Tokyo', timestamptz '2025-01-01' + g * interval '1 minute')},
    q{crm.rfm(h, timestamptz '2026-01-01' + g * interval '1 minute', '1 year')}, q{crm.cpm(h, '2026-01-01')},
        q{crm.cpm_label_ja(crm.cpm(h, '2026-01-01'))});
my %of_number = map { $_ => 1 } (
    q{crm.rfm_grade((g % 300, g % 20, g), crm.rfm_bands())},
        q{crm.rfm_grade((g % 300, 1, g), (ARRAY[g % 50, 60], ARRAY[3, 2], ARRAY[g + 5, 5.0])::crm.rfm_bands)},
    q{crm.rfm_segment(crm.rfm_score(g % 5 + 1, 5, 5), 'six')}, 'crm.rfm_score(g % 9 + 1, 1, 1)::text::crm.rfm_score',
        'crm.rfm_bands()',
    q{(SELECT crm.rfm_quantiles((i, i, i), 5) FROM generate_series(1, 10) AS i)},
        q{(SELECT count(*) FROM crm.rfm_drift(crm.rfm_bands(),
        (ARRAY[g, g], ARRAY[3, 2], ARRAY[g, 0])::crm.rfm_bands))},
    q{(SELECT crm.rfm(timestamptz '2025-01-01', i::numeric, '2026-01-01', NULL) FROM generate_series(1, 100) AS i)},
    q{(SELECT crm.orders(crm.history(timestamptz '2025-01-01', i + 0.5)) FROM generate_series(1, 100) AS i)},
    q{(SELECT max(s) FROM (SELECT crm.grade(i % 7, 5) OVER () AS s FROM generate_series(1, 10) AS i) AS o)},
        q{crm.calendar('month', 'Asia/Tokyo')},
    q{('{1..70000}'::crm.idset - crm.idset_range(g, g + 5))::text}, q{crm.idset_range(g, 100000)::text::crm.idset},
        q{crm.idset_send(crm.idset_range(g, g + 9) | '{1,5,100000}')}, q{crm.ids(crm.idset_range(1, 10) # crm.idset_range(g, g + 9))},
    q{crm.contains((ARRAY['{1,2}', '{3}']::crm.idset[])[g % 2 + 1], g)},
        q{(SELECT crm.idset(i * g) FROM generate_series(1, 20) AS i)},
    q{(SELECT crm.idset_union(crm.idset_range(i, g % 100)) FROM generate_series(1, 3) AS i)},
        q{(SELECT crm.idset_intersection(crm.idset_range(i, g % 100)) FROM generate_series(1, 3) AS i)},
    q{crm.tier(g)}, q{crm.tier(g, crm.tier_ladder(ARRAY['low', 'high'], ARRAY[0, g]))},
        q{(SELECT crm.signal_trend(now(), i * g) FROM generate_series(1, 20) AS i)});
for my $expression (sort(keys %of_history), sort keys %of_number)
{
    my $source = $of_history{$expression}
        ? "(SELECT generate_series(1, $rows / 6) AS g) AS s, samples"
        : "(SELECT 1 AS n, generate_series(1, $rows) AS g) AS s";
    my $last = $of_history{$expression} ? int($rows / 6) : $rows;
    my $grown = sql(qq{
        SELECT max(m) FILTER (WHERE g = $last) - min(m) FILTER (WHERE g = $last / 10)
        FROM (SELECT g, $expression AS value, CASE WHEN n = 1 AND g IN ($last / 10, $last) THEN held() END AS m
            FROM $source OFFSET 0) AS o
        WHERE value IS DISTINCT FROM NULL OR m IS NOT NULL});
    cmp_ok($grown, '<', 200_000, "$rows times $expression");
}
# a map for each row
my $grown = sql(q{
    SELECT max(m) FILTER (WHERE g = 300) - min(m) FILTER (WHERE g = 30)
    FROM (SELECT g, crm.rfm_segment('333', (ARRAY['six', 'eleven', 'klaviyo'])[g % 3 + 1]) AS value,
        CASE WHEN g IN (30, 300) THEN held() END AS m
          FROM (SELECT generate_series(1, 300) AS g) AS s OFFSET 0) AS o
    WHERE value <> ''});
cmp_ok($grown, '<', 200_000, 'another map for each row');

# 2. Many statements in one session, those that fail among them

my %statements = (
    'histories' => [ 300, q{SELECT count(*) FROM crm.histories('TABLE orders')} ],
    'purchases' => [ 300, q{SELECT count(*) FROM samples, crm.purchases(h)} ],
    'histories of texts' => [ 300, q{SELECT count(*) FROM crm.histories('SELECT customer::text, at, amount FROM orders',
        NULL::text)} ],
    'rfm_table' => [ 300, q{SELECT count(*) FROM crm.rfm_table('TABLE orders', as_of => '2026-01-01', grades => 5)} ],
    'rfm_migration' => [ 300, q{SELECT count(*) FROM crm.rfm_migration('TABLE orders', '2025-01-20', '2026-01-01')} ],
    'spilling' => [ 10, q{SET LOCAL pg_crm.memory = 0; SELECT count(*)
        FROM crm.histories('SELECT hashint8extended(g, 1), now(), g FROM generate_series(1, 400000) AS g')} ],
    'aggregates' => [ 300, q{SELECT count(crm.history(at, amount)), count(crm.rfm(at, amount, '2026-01-01', NULL))
        FROM orders GROUP BY customer} ],
    'another stored set for each row' => [ 30, q{SELECT count(*) FROM sets AS a JOIN sets AS b ON crm.intersection_cardinality(a.s, b.s) > 0
        WHERE crm.contains(a.s, b.n)} ],
    'members' => [ 300, q{SELECT count(*) FROM sets, crm.members(s)} ],
    'members left in the middle' => [ 3000, q{SELECT crm.members(s) FROM sets LIMIT 5} ],
    'a set that is wrong' => [ 20000, q{SELECT '{1,2,x}'::crm.idset} ],
    'text that is wrong' => [ 20000, q{SELECT '[["2026-01-01T00:00:00Z",1],x]'::crm.history} ],
    'a score that is wrong' => [ 20000, q{SELECT crm.rfm_score(0, 1, 1)} ],
    'an overflow in an aggregate' => [ 3000, q{SELECT crm.history(now(), a)
        FROM unnest('{9223372036854775807, 1}'::bigint[]) AS a} ],
    'an amount that is wrong' => [ 1000, q{SELECT count(*)
        FROM crm.histories('SELECT customer, at, amount / 7 FROM orders')} ],
    'a query that is wrong' => [ 1000, q{SELECT count(*)
        FROM crm.histories('SELECT customer, at, total FROM orders')} ],
    'columns that are wrong' => [ 1000, q{SELECT count(*) FROM crm.histories('SELECT customer, at FROM orders')} ],
    'a query that fails in the middle' => [ 300, q{SELECT count(*)
        FROM crm.rfm_table('SELECT customer, at, 1 / (amount - 500) FROM orders')} ],
    'an overflow while folding' => [ 1000, q{SELECT count(*)
        FROM crm.histories('SELECT customer, at, 9223372036854775807 FROM orders')} ],
    'an unknown map' => [ 1000, q{SELECT count(*) FROM crm.rfm_table('TABLE orders', map => 'none')} ],
    'failing after spilling' => [ 10, q{SET LOCAL pg_crm.memory = 0; SELECT count(*)
        FROM crm.histories('SELECT hashint8extended(g, 1), now(), 1 / (400000 - g)
        FROM generate_series(1, 400000) AS g')} ],
    'failing while folding what was spilled' => [ 10, q{SET LOCAL pg_crm.memory = 0; SELECT count(*)
        FROM crm.histories('SELECT g % 1000, now(), 9223372036854775807 - 9223372036854775807 * (g % 2)
        FROM generate_series(1, 400000) AS g')} ]);
for my $what (sort keys %statements)
{
    my ($times, $statement) = @{ $statements{$what} };
    my ($contexts, $kilobytes, $files, $ours) = split /\|/, sql(qq{
        CREATE FUNCTION pg_temp.repeat(times int, statement text) RETURNS void LANGUAGE plpgsql AS \$\$
        BEGIN
            FOR i IN 1..times LOOP
                BEGIN
                    EXECUTE statement;
                EXCEPTION WHEN OTHERS THEN
                    IF SQLSTATE !~ '^(22|42)' OR public.ours() > 0 THEN RAISE; END IF;
                END;
            END LOOP;
        END \$\$;
        CREATE TEMP TABLE measured (contexts bigint, kilobytes bigint, files bigint);
        SET client_min_messages = warning;
        DO \$\$
        BEGIN
            FOR i IN 0..1 LOOP
                PERFORM pg_temp.repeat(CASE i WHEN 0 THEN greatest($times / 10, 3) ELSE $times END,
                    \$statement\$$statement\$statement\$);
                INSERT INTO measured SELECT held(), @{[ $linux ? "resident('RssAnon'), open_files()" : '0, 0' ]};
            END LOOP;
        END \$\$;
        SELECT max(contexts) - min(contexts), max(kilobytes) - min(kilobytes), max(files) - min(files),
            ours() FROM measured});
    cmp_ok($contexts, '<', 300_000, "$times times $what: no more in memory contexts");
    cmp_ok($kilobytes, '<', 4_000, 'nor outside of them');
    cmp_ok($files, '<', $times, 'no files are left open'); # but for a few of the catalog's
    is($ours, 0, 'and no context of ours');
}
is(sql('SELECT count(*) FROM pg_ls_tmpdir()'), 0, 'nor a temporary file');

# 3. A pass keeps to its memory: 2,000,000 orders in 16 MB. The greatest extent of the process is compared with that of
# one that read as many rows and kept none.

SKIP:
{
    skip 'needs /proc', 7 unless $linux;

    sub extent_of_pass
    {
        my ($query, $key) = @_;
        my $output = sql(qq{
            SET max_parallel_workers_per_gather = 0;
            SET work_mem = '64kB';
            SET pg_crm.memory = '16MB';
            SELECT count(*) FROM crm.histories(\$query\$$query\$query\$, NULL::$key);
            SELECT resident('VmHWM')});
        return (split /\n/, $output)[-1];
    }

    my $times = q{timestamptz '2025-01-01' + g * interval '1 minute', 5 FROM (SELECT generate_series(1, 2000000) AS g) AS s};
    my $reading = extent_of_pass("SELECT NULL::int, $times", 'int');
    my %customers = (
        'bigint' => 'g % 20000',
        'text' => q{'customer ' || g % 20000},
        'uuid' => 'md5((g % 20000)::text)::uuid',
        'integer[]' => 'ARRAY[g % 20000]',
        # in several spellings
        'numeric' => q{((g % 20000)::text || (ARRAY['', '.0', '.00'])[g % 3 + 1])::numeric},
        'interval' => q{CASE WHEN g % 40000 < 20000 THEN g % 20000 * interval '1 day' ELSE g % 20000 * interval '24 hours' END});
    for my $key (sort keys %customers)
    {
        my $taken = int((extent_of_pass("SELECT $customers{$key}, $times", $key) - $reading) / 1024);
        cmp_ok($taken, '<', 32, "customers of type $key: $taken MB");
    }

    # ids that are stored compressed
    sql(q{CREATE TABLE long_ids AS
          SELECT repeat('x', 2000) || g % 1000 AS customer, now() AS at, 5 AS amount FROM generate_series(1, 200000) AS g});
    my $taken = int((extent_of_pass('TABLE long_ids', 'text')
                     - extent_of_pass(q{SELECT nullif(length(customer), length(customer)), at, amount FROM long_ids}, 'int')) / 1024);
    cmp_ok($taken, '<', 32, "customers of compressed texts: $taken MB");
}

$node->stop;
done_testing();
