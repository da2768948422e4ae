# The public data sets in a server of their own, for tests that hold pg_crm against SQL that knows nothing of it.
#
# CRM_TEST_DATA names the folder with the public files; CONTRIBUTING.md says where they come from. A row of the Online
# Retail file is a purchase of its `gross`, where that is positive, and a refund of its `returns`, where there are some,
# at the same time; the six rows with neither are left out. CDNOW's rows are purchases, of nothing in eight cases.
package RealOrders;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(start_with_real_orders store_histories sql differing is_same_in_parallel %dates $node);

our $node;

# For each table of orders dates early, in the middle of a month, and after everything.
our %dates = (
    cdnow => [ '1997-03-01 00:00Z', '1997-12-17 12:34:56Z', '1998-07-01 00:00+09' ],
    online_retail => [ '2010-02-01 00:00Z', '2011-03-17 12:34:56.789Z', '2011-12-10 00:00Z' ]);

sub sql { return $node->safe_psql('postgres', $_[0]) }

# Starts the server with tables cdnow and online_retail (customer, at, amount, entry), where entry is what customers may
# be split by: how many CDs were bought, NULL from 4 on, or the country.
sub start_with_real_orders
{
    my ($name) = @_;
    my $folder = $ENV{CRM_TEST_DATA};
    plan skip_all => 'CRM_TEST_DATA is not set' unless $folder;
    my %files = (cdnow => "$folder/cdnow_elog.csv", online_retail => "$folder/online_retail_ii_orders.csv");
    for my $shop (sort keys %files)
    {
        next if ok(-r $files{$shop}, "$files{$shop} is there");
        done_testing();
        exit 1;
    }

    $node = PostgreSQL::Test::Cluster->new($name);
    $node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
    $node->start;
    sql(qq{
        CREATE EXTENSION pg_crm;
        CREATE TABLE cdnow_file (master_id int, cust int, date date, cds int, sales numeric);
        CREATE TABLE online_retail_file (cust int, ts timestamp, lines int, gross numeric, returns numeric,
                                         country text);
        \\copy cdnow_file FROM '$files{cdnow}' (FORMAT csv, HEADER)
        \\copy online_retail_file FROM '$files{online_retail}' (FORMAT csv, HEADER)
        CREATE TABLE cdnow AS
        SELECT cust AS customer, date::timestamp AT TIME ZONE 'America/New_York' AS at, sales AS amount,
               CASE WHEN cds < 4 THEN cds || ' CDs' END AS entry
        FROM cdnow_file;
        CREATE TABLE online_retail AS
        SELECT cust AS customer, ts AT TIME ZONE 'Europe/London' AS at, gross AS amount, country AS entry
        FROM online_retail_file WHERE gross > 0
        UNION ALL
        SELECT cust, ts AT TIME ZONE 'Europe/London', returns, country FROM online_retail_file WHERE returns < 0;
        ANALYZE});
    is(sql('SELECT count(*), count(DISTINCT customer), count(DISTINCT entry) FROM cdnow'), '6919|2357|3',
        'the CDNOW log is complete');
    is(sql('SELECT count(*), count(DISTINCT customer), sum(amount) FROM online_retail WHERE amount > 0'),
        '36851|5878|17431533.16', 'the Online Retail orders are complete');
    is(sql('SELECT count(*), (SELECT count(DISTINCT entry) FROM online_retail) FROM online_retail WHERE amount < 0'),
        '7894|41', 'and so are the refunds and the countries');
    return;
}

# Tables cdnow_history and online_retail_history (customer, history, entry): entry is that of the first purchase, at the
# same time the one that sorts first. Plans over them may be parallel.
sub store_histories
{
    for my $shop (keys %dates)
    {
        sql(qq{
            CREATE TABLE ${shop}_history AS
            SELECT customer, crm.history(at, amount) AS history,
                   (array_agg(entry ORDER BY at, entry COLLATE "C" NULLS FIRST) FILTER (WHERE amount >= 0))[1] AS entry
            FROM $shop GROUP BY customer;
            ALTER TABLE ${shop}_history SET (parallel_workers = 2);
            ANALYZE ${shop}_history});
    }
    return;
}

# How many rows only one of two queries has, and how many the first has.
sub differing
{
    my ($one, $other, $zone) = @_;
    return split /\|/, sql(qq{
        @{[ defined $zone ? "SET TimeZone = '$zone';" : '' ]}
        WITH one AS MATERIALIZED ($one), other AS MATERIALIZED ($other)
        SELECT (SELECT count(*) FROM (TABLE one EXCEPT ALL TABLE other) AS missing)
             + (SELECT count(*) FROM (TABLE other EXCEPT ALL TABLE one) AS surplus), (SELECT count(*) FROM one)});
}

# Tests that an aggregating query is planned in parallel and then gives what it gives serially, to the last byte.
sub is_same_in_parallel
{
    my ($query, $name) = @_;
    my $parallel = q{SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
                     SET max_parallel_workers_per_gather = 2;};
    like(sql("$parallel EXPLAIN $query"), qr/Partial (Hash|Group)?Aggregate/, "$name: a parallel plan");
    is(sql("$parallel $query"), sql("SET max_parallel_workers_per_gather = 0; $query"), 'gives the same bytes');
    return;
}

1;
