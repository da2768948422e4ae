# Real orders in cohorts: crm.cohort_table and crm.cohorts give, cell by cell, what SQL that knows nothing of pg_crm gives,
# for several calendars, dates and both kinds of retention, whole and split by country, merged and in parallel.
#
# CRM_TEST_DATA names the folder with the public files, as in 020_real_orders.pl. Orders of the Online Retail shop have
# refunds at the same time, and a country.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = $ENV{CRM_TEST_DATA};
plan skip_all => 'CRM_TEST_DATA is not set' unless $folder;

my %files = (cdnow => "$folder/cdnow_elog.csv", online_retail => "$folder/online_retail_ii_orders.csv");
for my $shop (sort keys %files)
{
    next if ok(-r $files{$shop}, "$files{$shop} is there");
    done_testing();
    exit 1;
}

my $node = PostgreSQL::Test::Cluster->new('real_cohorts');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(qq{
    CREATE EXTENSION pg_crm;
    CREATE TABLE cdnow_file (master_id int, cust int, date date, cds int, sales numeric);
    CREATE TABLE online_retail_file (cust int, ts timestamp, lines int, gross numeric, returns numeric, country text);
    \\copy cdnow_file FROM '$files{cdnow}' (FORMAT csv, HEADER)
    \\copy online_retail_file FROM '$files{online_retail}' (FORMAT csv, HEADER)
    CREATE TABLE cdnow AS
    SELECT cust AS customer, date::timestamp AT TIME ZONE 'America/New_York' AS at, sales AS amount, NULL::text AS country FROM cdnow_file;
    CREATE TABLE online_retail AS
    SELECT cust AS customer, ts AT TIME ZONE 'Europe/London' AS at, gross AS amount, country FROM online_retail_file WHERE gross > 0
    UNION ALL
    SELECT cust, ts AT TIME ZONE 'Europe/London', returns, country FROM online_retail_file WHERE returns < 0;
    ANALYZE});
is(sql('SELECT count(*), count(DISTINCT customer) FROM cdnow'), '6919|2357', 'the CDNOW log is complete');
is(sql('SELECT count(*), count(DISTINCT country) FROM online_retail'), '44745|41', 'the Online Retail orders are complete');

# The triangle in plain SQL. Months are numbered since year 0, weeks and runs of days by local dates; a run of days begins
# with each customer's first purchase, and its cohort with a multiple of its length since 2000-01-01.
my %calendars = (
    'month UTC' => [ 'month', 'UTC' ],
    'month Asia/Tokyo' => [ 'month', 'Asia/Tokyo' ],
    'week Asia/Tokyo' => [ 'week', 'Asia/Tokyo' ],
    '30 days Asia/Tokyo' => [ 'run', 'Asia/Tokyo' ]);

sub plain_sql
{
    my ($shop, $calendar, $as_of, $kind, $splits) = @_;
    my ($unit, $zone) = @{ $calendars{$calendar} };
    my %number = (
        month => sub { "(12 * extract(year FROM $_[0]) + extract(month FROM $_[0]) - 1)::int" },
        week => sub { "floor(($_[0] - DATE '2000-01-03') / 7.0)::int" },
        run => sub { "floor(($_[0] - DATE '2000-01-01') / 30.0)::int" });
    my %begin = (
        month => sub { "make_date(($_[0]) / 12, ($_[0]) % 12 + 1, 1)" },
        week => sub { "(DATE '2000-01-03' + 7 * ($_[0]))" },
        run => sub { "(DATE '2000-01-01' + 30 * ($_[0]))" });
    my $number = $number{$unit}->('day');
    my $age = $unit eq 'run' ? 'floor((day - first_day) / 30.0)::int' : "$number - cohort";
    my $all_over = $begin{$unit}->('cohort + age + 1') . ($unit eq 'run' ? ' + 29' : '');
    my $split = $splits ? 'country' : 'NULL::text';
    my $retained = $kind eq 'on' ? 'coalesce(buyers, 0)'
      : 'coalesce(sum(last_here) OVER (PARTITION BY split, cohort ORDER BY age DESC), 0)::bigint';
    return qq{
        WITH movement AS (
            SELECT customer, at, amount, $split AS split, (at AT TIME ZONE '$zone')::date AS day FROM $shop WHERE at <= $as_of
        ), newcomer AS (
            SELECT DISTINCT ON (customer) customer, split, day AS first_day, $number AS cohort
            FROM movement WHERE amount >= 0 ORDER BY customer, at, split COLLATE "C"
        ), aged AS (
            SELECT n.customer, n.split, cohort, greatest($age, 0) AS age, amount,
                   max(greatest($age, 0)) FILTER (WHERE amount >= 0) OVER (PARTITION BY customer) AS last_age
            FROM movement JOIN newcomer AS n USING (customer)
        ), busy AS (
            SELECT coalesce(split, '') AS split, cohort, age, count(*) FILTER (WHERE amount >= 0) AS orders, sum(amount) AS revenue,
                   count(DISTINCT customer) FILTER (WHERE amount >= 0) AS buyers,
                   count(DISTINCT customer) FILTER (WHERE age = last_age) AS last_here
            FROM aged GROUP BY 1, 2, 3
        ), size AS (
            SELECT coalesce(split, '') AS split, cohort, count(*) AS customers FROM newcomer GROUP BY 1, 2
        ), cell AS (
            SELECT *, ($all_over)::timestamp AT TIME ZONE '$zone' <= $as_of AS elapsed
            FROM size, generate_series(0, 150) AS age
            WHERE @{[ $begin{$unit}->('cohort + age') ]}::timestamp AT TIME ZONE '$zone' <= $as_of
        ), filled AS (
            SELECT split, cohort, age, customers, $retained AS retained, coalesce(orders, 0) AS orders, coalesce(revenue, 0) AS revenue,
                   sum(coalesce(revenue, 0)) OVER (PARTITION BY split, cohort ORDER BY age) AS cumulative, elapsed
            FROM cell LEFT JOIN busy USING (split, cohort, age)
        )
        SELECT @{[ $splits ? 'split' : 'NULL' ]} AS split, @{[ $begin{$unit}->('cohort') ]} AS cohort, age, customers, retained,
               CASE WHEN elapsed THEN retained / customers::float8 END AS retention, orders, revenue, cumulative,
               CASE WHEN elapsed THEN cumulative / customers END AS ltv, elapsed
        FROM filled};
}

sub one_pass
{
    my ($shop, $calendar, $as_of, $kind, $splits) = @_;
    my $columns = $splits ? 'customer, at, amount, country' : 'customer, at, amount';
    return "SELECT * FROM crm.cohort_table('SELECT $columns FROM $shop', '$calendar', $as_of, '$kind')";
}

# Histories in three parts by customer, each part counted by itself, merged afterwards.
sub merged
{
    my ($shop, $calendar, $as_of, $kind, $splits) = @_;
    my $group = $splits ? 'country' : 'NULL::text';
    return qq{
        SELECT split, c.*
        FROM (SELECT split, crm.rollup(part) AS cohorts
              FROM (SELECT $group AS split, customer % 3, crm.cohorts(history, '$calendar', $as_of) AS part
                    FROM ${shop}_history GROUP BY 1, 2) AS parts
              GROUP BY split) AS merged, crm.cohort_rows(cohorts, '$kind') AS c};
}

# How many rows only one of two queries has, and how many the first has.
sub differing
{
    my ($one, $other) = @_;
    return split /\|/, sql(qq{
        WITH one AS MATERIALIZED ($one), other AS MATERIALIZED ($other)
        SELECT (SELECT count(*) FROM (TABLE one EXCEPT ALL TABLE other) AS missing)
             + (SELECT count(*) FROM (TABLE other EXCEPT ALL TABLE one) AS surplus), (SELECT count(*) FROM one)});
}

my %dates = (
    cdnow => [ '1997-03-01 00:00Z', '1997-12-17 12:34:56Z', '1998-07-01 00:00+09' ],
    online_retail => [ '2010-02-01 00:00Z', '2011-03-17 12:34:56.789Z', '2011-12-10 00:00Z' ]);
my $cells = 0;
for my $shop (sort keys %dates)
{
    # The country of the first purchase; no customer of this file has two at the same time.
    sql(qq{CREATE TABLE ${shop}_history AS
        SELECT customer, crm.history(at, amount) AS history, crm.first(country, at) FILTER (WHERE amount >= 0) AS country
        FROM $shop GROUP BY customer;
        ALTER TABLE ${shop}_history SET (parallel_workers = 2);
        ANALYZE ${shop}_history});
    for my $calendar (sort keys %calendars)
    {
        for my $date (@{ $dates{$shop} })
        {
            for my $kind ('on', 'on_or_after')
            {
                for my $splits ($shop eq 'cdnow' ? (0) : (0, 1))
                {
                    my @question = ($shop, $calendar, "timestamptz '$date'", $kind, $splits);
                    my $by = $splits ? ' by country' : '';
                    my ($differ, $compared) = differing(one_pass(@question), plain_sql(@question));
                    is($differ, 0, "$shop, $calendar, $kind$by, at $date: cohort_table is plain SQL ($compared cells)");
                    is(join('|', differing(one_pass(@question), merged(@question))), "0|$compared",
                        'and so are parts of the histories merged');
                    $cells += $compared;
                }
            }
        }
    }
}
cmp_ok($cells, '>', 50_000, "$cells cells were compared");

# Parallel plans give the value of the serial one, to the last byte.
my $parallel = q{SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
                 SET max_parallel_workers_per_gather = 2;};
for my $shop (sort keys %dates)
{
    for my $calendar (sort keys %calendars)
    {
        my $count = "SELECT md5(crm.cohorts_send(crm.cohorts(history, '$calendar', '$dates{$shop}[1]'))) FROM ${shop}_history";
        like(sql("$parallel EXPLAIN $count"), qr/Partial Aggregate/, "$shop, $calendar: a parallel plan");
        is(sql("$parallel $count"), sql("SET max_parallel_workers_per_gather = 0; $count"), 'gives the same bytes');
    }
}

$node->stop;
done_testing();
