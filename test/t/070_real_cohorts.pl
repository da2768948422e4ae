# Real orders in cohorts: crm.cohort_table and crm.cohorts give, cell by cell, what SQL that knows nothing of pg_crm gives,
# for several calendars, dates and both kinds of retention, whole and split by entry, merged and in parallel.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use RealOrders;
use Test::More;

start_with_real_orders('real_cohorts');
store_histories();

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
    my $split = $splits ? 'entry' : 'NULL::text';
    my $retained = $kind eq 'on' ? 'coalesce(buyers, 0)'
      : 'coalesce(sum(last_here) OVER (PARTITION BY split, cohort ORDER BY age DESC), 0)::bigint';
    return qq{
        WITH movement AS (
            SELECT customer, at, amount, $split AS split, (at AT TIME ZONE '$zone')::date AS day FROM $shop WHERE at <= $as_of
        ), newcomer AS (
            SELECT DISTINCT ON (customer) customer, split, day AS first_day, $number AS cohort
            FROM movement WHERE amount >= 0 ORDER BY customer, at, split COLLATE "C" NULLS FIRST
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
        SELECT nullif(split, '') AS split, @{[ $begin{$unit}->('cohort') ]} AS cohort, age, customers, retained,
               CASE WHEN elapsed THEN retained / customers::float8 END AS retention, orders, revenue, cumulative,
               CASE WHEN elapsed THEN cumulative / customers END AS ltv, elapsed
        FROM filled};
}

sub one_pass
{
    my ($shop, $calendar, $as_of, $kind, $splits) = @_;
    my $columns = $splits ? 'customer, at, amount, entry' : 'customer, at, amount';
    return "SELECT * FROM crm.cohort_table('SELECT $columns FROM $shop', '$calendar', $as_of, '$kind')";
}

# Histories in three parts by customer, each part counted by itself, merged afterwards.
sub merged
{
    my ($shop, $calendar, $as_of, $kind, $splits) = @_;
    my $group = $splits ? 'entry' : 'NULL::text';
    return qq{
        SELECT split, c.*
        FROM (SELECT split, crm.rollup(part) AS cohorts
              FROM (SELECT $group AS split, customer % 3, crm.cohorts(history, '$calendar', $as_of) AS part
                    FROM ${shop}_history GROUP BY 1, 2) AS parts
              GROUP BY split) AS merged, crm.cohort_rows(cohorts, '$kind') AS c};
}

my $cells = 0;
for my $shop (sort keys %dates)
{
    for my $calendar (sort keys %calendars)
    {
        for my $date (@{ $dates{$shop} })
        {
            for my $kind ('on', 'on_or_after')
            {
                for my $splits (0, 1)
                {
                    my @question = ($shop, $calendar, "timestamptz '$date'", $kind, $splits);
                    my $by = $splits ? ' by entry' : '';
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

for my $shop (sort keys %dates)
{
    for my $calendar (sort keys %calendars)
    {
        is_same_in_parallel(
            "SELECT md5(crm.cohorts_send(crm.cohorts(history, '$calendar', '$dates{$shop}[1]'))) FROM ${shop}_history",
            "$shop, $calendar");
    }
}

$node->stop;
done_testing();
