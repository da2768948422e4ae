# Texts. Customers whose ids are texts are the same where their collation says so, as in GROUP BY: upper and lower case,
# accents. Texts in aggregate states do not depend on the encoding of the client.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('collations');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]) }

my ($status, undef, $error) = $node->psql('postgres', q{
    CREATE COLLATION without_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE COLLATION without_accents (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
    CREATE COLLATION exact (provider = icu, locale = 'und')}, on_error_die => 0);
plan skip_all => "this server has no ICU: $error" if $status && $error =~ /ICU is not supported/;
is($status, 0, 'collations are there') or diag($error);

# 3,000 names, each in four spellings
sql(q{
    CREATE EXTENSION pg_crm;
    CREATE TABLE orders AS
    SELECT CASE g / 3000 % 4 WHEN 0 THEN upper(name) WHEN 1 THEN initcap(name) WHEN 2 THEN replace(name, 'e', 'é')
        ELSE name END AS customer,
           timestamptz '2024-01-01' + abs(hashint8extended(g, 1)) % 31536000 * interval '1 second' AS at,
               abs(hashint8(g)) % 100000 / 100.0 AS amount
    FROM (SELECT g, 'peer ' || g % 3000 AS name FROM generate_series(1, 120000) AS g) AS named});

sub differing
{
    my ($setting, $one, $other) = @_;
    return sql(qq{
        SET pg_crm.memory = '$setting';
        WITH one AS MATERIALIZED ($one), other AS MATERIALIZED ($other)
        SELECT (SELECT count(*) FROM (TABLE one EXCEPT ALL TABLE other) AS missing)
             + (SELECT count(*) FROM (TABLE other EXCEPT ALL TABLE one) AS surplus), (SELECT count(*) FROM one)});
}

my %customers = ('"C"' => 12000, exact => 12000, without_case => 6000, without_accents => 3000);
for my $collation (sort keys %customers)
{
    for my $type ('text', 'varchar(40)', 'text[]')
    {
        my $customer = $type eq 'text[]' ? "ARRAY[customer COLLATE $collation, NULL]" :
            "customer::$type COLLATE $collation";
        for my $memory ('256MB', '64kB')
        {
            my $query = "SELECT $customer, at, amount FROM orders";
            is( differing($memory,
                    "SELECT crm.history(at, amount) FROM orders GROUP BY $customer",
                    "SELECT history FROM crm.histories('$query', NULL::$type)"),
                "0|$customers{$collation}", "$type in $collation with $memory: histories are those of GROUP BY");
            is( differing($memory,
                    "SELECT crm.rfm(at, amount, '2025-01-02', '1 year') FROM orders GROUP BY $customer",
                    "SELECT (recency, frequency, monetary)::crm.rfm
                     FROM crm.rfm_table('$query', NULL::$type, as_of => '2025-01-02')"),
                "0|$customers{$collation}", 'and so are the rows of rfm_table');
        }
    }
    my $query = "SELECT customer COLLATE $collation, at, amount FROM orders";
    is(sql("SELECT sum(customers) FROM crm.rfm_migration('$query', '2024-02-01', '2025-01-02')"),
        $customers{$collation}, "$collation: rfm_migration counts each customer once");
}

# The collation may come from the column, and the id that stands for all spellings is one of them.
sql(q{CREATE TABLE named (customer text COLLATE without_accents, at timestamptz, amount numeric);
      INSERT INTO named SELECT * FROM orders});
is( sql(q{SELECT count(*), count(DISTINCT customer_id COLLATE without_accents),
    bool_and(EXISTS (SELECT FROM orders WHERE customer = customer_id COLLATE "C"))
          FROM crm.histories('TABLE named', NULL::text)}),
    '3000|3000|t', 'the collation of a column counts');

# crm.grade: equal values have equal grades.
is( sql(q{SELECT count(*) FROM (SELECT FROM (SELECT customer, crm.grade(customer COLLATE without_accents, 5) OVER ()
    FROM orders) AS graded
                                GROUP BY customer COLLATE without_accents HAVING count(DISTINCT grade) > 1) AS split}),
    0, 'grade splits no ties of the collation');
is( sql(q{SELECT count(*) FROM (SELECT crm.grade(customer COLLATE without_accents, 5) OVER () AS grade,
                                       1 + 5 * (rank() OVER (ORDER BY customer COLLATE without_accents) - 1) / count(*)
                                           OVER () AS plain FROM orders) AS g
          WHERE grade <> plain}),
    0, 'and is that of plain SQL');

# crm.first and crm.last keep texts in states, which workers write and the leader reads.
sql(q{
    CREATE TABLE visits AS
    SELECT g % 20 AS customer, timestamptz '2025-01-01' + g * interval '1 minute' AS at,
           (ARRAY['é1', '広告', 'ｶﾅ', 'plain'])[g % 4 + 1] || g % 7 AS channel
    FROM generate_series(1, 4000) AS g;
    ALTER TABLE visits SET (parallel_workers = 2)});
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
    SET parallel_leader_participation = off';
my $first_and_last = 'SELECT customer, crm.first(channel, at), crm.last(ARRAY[channel, NULL], at) FROM visits GROUP BY customer';
like(sql("$parallel; EXPLAIN $first_and_last"), qr/Partial/, 'first and last in a parallel plan');
for my $encoding ('UTF8', 'LATIN1', 'SJIS', 'EUC_JP')
{
    for my $plan ($parallel, 'SET max_parallel_workers_per_gather = 0')
    {
        is( sql("SET client_encoding = '$encoding'; $plan;
                 SELECT count(*), count(*) FILTER (WHERE first = one AND last = ARRAY[other, NULL])
                 FROM ($first_and_last) AS ours
                      JOIN (SELECT customer, (array_agg(channel ORDER BY at))[1] AS one,
                                   (array_agg(channel ORDER BY at DESC))[1] AS other
                            FROM visits GROUP BY customer) AS plain USING (customer)"),
            '20|20', "with client_encoding = $encoding" . ($plan eq $parallel ? ' in workers' : ''));
    }
}

$node->stop;
done_testing();
