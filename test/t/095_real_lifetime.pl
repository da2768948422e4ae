# Real orders in the lifetime models: fits to the digits that papers and packages print, from their summaries and from the
# orders themselves, the same by both doors, in parallel and in days for weeks; every customer's scores against formulas in
# plain SQL; and the check of a model against what was bought.
#
# CRM_TEST_DATA names the folder with the public files, as in 020_real_orders.pl.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = $ENV{CRM_TEST_DATA};
plan skip_all => 'CRM_TEST_DATA is not set' unless $folder;

my %files = (
    cdnow => "$folder/cdnow_elog.csv", summary => "$folder/cdnow_summary.csv",
    online_retail => "$folder/online_retail_ii_orders.csv");
for my $shop (sort keys %files)
{
    next if ok(-r $files{$shop}, "$files{$shop} is there");
    done_testing();
    exit 1;
}

my $node = PostgreSQL::Test::Cluster->new('real_lifetime');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(qq{
    CREATE EXTENSION pg_crm;
    CREATE TABLE cdnow_file (master_id int, cust int, date date, cds int, sales numeric);
    CREATE TABLE online_retail_file (cust int, ts timestamp, lines int, gross numeric, returns numeric, country text);
    CREATE TABLE summary (id int, x bigint, t_x float8, t float8, x_star int, m_x float8);
    \\copy cdnow_file FROM '$files{cdnow}' (FORMAT csv, HEADER)
    \\copy online_retail_file FROM '$files{online_retail}' (FORMAT csv, HEADER)
    \\copy summary FROM '$files{summary}' (FORMAT csv, HEADER)
    CREATE TABLE cdnow AS
    SELECT cust AS customer, date::timestamp AT TIME ZONE 'America/New_York' AS at, sales AS amount FROM cdnow_file;
    CREATE TABLE online_retail AS
    SELECT cust AS customer, ts AT TIME ZONE 'Europe/London' AS at, gross AS amount FROM online_retail_file WHERE gross > 0
    UNION ALL
    SELECT cust, ts AT TIME ZONE 'Europe/London', returns FROM online_retail_file WHERE returns < 0;
    CREATE TABLE cdnow_history AS SELECT customer, crm.history(at, amount) AS h FROM cdnow GROUP BY customer;
    CREATE TABLE online_retail_history AS SELECT customer, crm.history(at, amount) AS h FROM online_retail GROUP BY customer;
    ALTER TABLE cdnow_history SET (parallel_workers = 2);
    ALTER TABLE online_retail_history SET (parallel_workers = 2);
    ALTER TABLE summary SET (parallel_workers = 2);
    ANALYZE});
is(sql('SELECT count(*), count(*) FILTER (WHERE x > 0), sum(x) FROM summary'), '2357|946|2457', 'the CDNOW summary is complete');

# 1. The published numbers, to the digits printed. The 39 weeks of calibration end with 30 September 1997.

my $week = "'week America/New_York'";
my $end = "timestamptz '1997-09-30 00:00 America/New_York'";
my %summarised = map { $_ => "(SELECT crm.${_}_fit(x, t_x, t, $week, 'maximum_likelihood') FROM summary)" }
    qw(bgnbd mbgnbd pareto_nbd);
my %from_log = map { $_ => "(SELECT crm.${_}_fit(h, $week, $end, 'maximum_likelihood') FROM cdnow_history)" } keys %summarised;
my %published = (
    # Fader, Hardie and Lee (2005), Counting Your Customers the Easy Way, table 2
    bgnbd => { r => '0.243', alpha => '4.414', a => '0.793', b => '2.426', log_likelihood => '-9582.4' },
    pareto_nbd => { r => '0.553', alpha => '10.578', s => '0.606', beta => '11.669', log_likelihood => '-9595.0' },
    # the R package BTYDplus (Platzer) on the same data
    mbgnbd => { r => '0.525', alpha => '6.183', a => '0.891', b => '1.614', log_likelihood => '-9582.136' });
for my $model (sort keys %published)
{
    for my $source ([ 'summary', $summarised{$model} ], [ 'log', $from_log{$model} ])
    {
        my ($from, $fit) = @$source;
        for my $number (sort keys %{ $published{$model} })
        {
            my $printed = $published{$model}{$number};
            my $places = length(($printed =~ /\.(\d+)/)[0]);
            is(sql("SELECT round((m).$number\::numeric, $places) FROM (SELECT $fit AS m) AS f"), $printed,
                "$model from the $from: $number");
        }
        is(sql("SELECT (m).customers, (m).repeaters, (m).method, (m).converged, (m).status, (m).reason IS NULL FROM (SELECT $fit AS m) AS f"),
            '2357|946|maximum_likelihood|t|ok|t', "$model from the $from: what was fitted, and how");
    }
}
# At the parameters as printed the likelihood is not higher than at ours: BG/NBD's equation 6 in SQL.
my $likelihood = sql(q{
    WITH printed AS (SELECT 0.243::float8 AS r, 4.414::float8 AS alpha, 0.793::float8 AS a, 2.426::float8 AS b),
    -- ln of G(r + x) / G(r) and of B(a, b + x) / B(a, b), as products
    each AS (SELECT x, r * ln(alpha) + coalesce((SELECT sum(ln(r + i)) FROM generate_series(0, x - 1) AS i), 0)
                    + coalesce((SELECT sum(ln((b + i) / (a + b + i))) FROM generate_series(0, x - 1) AS i), 0)
                    + ln((alpha + t) ^ -(r + x) + CASE WHEN x > 0 THEN a / (b + x - 1) * (alpha + t_x) ^ -(r + x) ELSE 0 END) AS ll
             FROM summary, printed)
    SELECT sum(ll) FROM each});
is(sql("SELECT (m).log_likelihood >= $likelihood - 1e-6 FROM (SELECT $summarised{bgnbd} AS m) AS f"), 't',
    "our log-likelihood is not below $likelihood, that of the printed parameters");

# Fader and Hardie (2013), The Gamma-Gamma Model of Monetary Value, section 5: of the 946 who bought again.
for my $source ([ 'summary', "crm.gamma_gamma_fit(x, m_x, $week) FROM summary" ], [ 'log', "crm.gamma_gamma_fit(h, $week, $end) FROM cdnow_history" ])
{
    is(sql("SELECT round((g).p::numeric, 2), round((g).q::numeric, 2), round((g).gamma::numeric, 2), (g).customers, (g).status,
                   round((g).correlation::numeric, 2) FROM (SELECT $source->[1]) AS f(g)"),
        '6.25|3.74|15.44|946|ok|0.11', "gamma_gamma from the $source->[0]");
}

# The worked example of the authors' note on BG/NBD in a spreadsheet: customer 1 in the next 39 weeks.
my $printed = "crm.bgnbd(0.243, 4.414, 0.793, 2.426, $week)";
is(sql("SELECT round(crm.expected_orders(2, 30.43, 38.86, $printed, 39)::numeric, 3)"), '1.226', 'the worked example');

# Fader and Hardie (2007), How to Project Customer Retention, table 1 and figure 4: 1000 customers each, seven years.
my %survivors = (
    'high end' => [ '0.668|3.806', 869, 743, 653, 593, 551, 517, 491 ], 'regular' => [ '0.704|1.182', 631, 468, 382, 326, 289, 262, 241 ]);
for my $kind (sort keys %survivors)
{
    my ($parameters, @left) = @{ $survivors{$kind} };
    my $rows = join(' UNION ALL ',
        map { 'SELECT ' . ($_ - 1) . ', true, ' . (($_ == 1 ? 1000 : $left[ $_ - 2 ]) - $left[ $_ - 1 ]) } 1 .. 7);
    is(sql("SELECT round((s).alpha::numeric, 3), round((s).beta::numeric, 3)
            FROM (SELECT crm.sbg_fit(renewals, cancelled)
                  FROM ($rows UNION ALL SELECT 7, false, $left[6]) AS c(renewals, cancelled, n), generate_series(1, n)) AS f(s)"),
        $parameters, "sbg, $kind");
}

# 2. Days for weeks: the same model, the likelihood by the change of unit.

for my $model (sort keys %published)
{
    for my $shop (qw(cdnow online_retail))
    {
        my $at = $shop eq 'cdnow' ? $end : "timestamptz '2010-12-01 00:00 Europe/London'";
        my $zone = $shop eq 'cdnow' ? 'America/New_York' : 'Europe/London';
        my $fits = "SELECT crm.${model}_fit(h, 'week $zone', $at, 'map') AS weeks, crm.${model}_fit(h, 'day $zone', $at, 'map') AS days FROM ${shop}_history";
        is(sql("WITH fit AS MATERIALIZED ($fits),
                bought AS (SELECT sum(days - 1) AS repeats
                           FROM (SELECT count(DISTINCT (at AT TIME ZONE '$zone')::date) AS days FROM $shop WHERE amount >= 0 AND at <= $at GROUP BY customer) AS c)
                SELECT abs((weeks).log_likelihood - (days).log_likelihood - repeats * ln(7)) < 1e-6, abs((days).alpha / (weeks).alpha - 7) < 1e-6,
                       abs((days).r / (weeks).r - 1) < 1e-6
                FROM fit, bought"),
            't|t|t', "$shop, $model: days are weeks by 7");
        is(sql("WITH fit AS MATERIALIZED ($fits)
                SELECT max(abs(crm.p_alive(h, weeks, $at) - crm.p_alive(h, days, $at))) < 1e-7,
                       max(abs(crm.expected_orders(h, weeks, $at, '1 year') - crm.expected_orders(h, days, $at, '1 year'))) < 1e-6,
                       count(crm.p_alive(h, weeks, $at)) > 1000
                FROM fit, ${shop}_history"),
            't|t|t', 'and say the same of every customer');
    }
}

# 3. Both doors, any order and any plan: the same bits.

my $parallel = q{SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
                 SET max_parallel_workers_per_gather = 2;};
for my $model (sort(keys %published), 'gamma_gamma')
{
    my $method = $model eq 'gamma_gamma' ? '' : ", 'automatic'";
    my $fit = "SELECT crm.${model}_fit(h, $week, $end$method) FROM cdnow_history";
    my $serial = sql("SET max_parallel_workers_per_gather = 0; $fit");
    like($serial, qr/^\(\d+\.\d{10,}/, "$model: $serial");
    like(sql("$parallel EXPLAIN $fit"), qr/Partial Aggregate/, 'a parallel plan');
    is(sql("$parallel $fit"), $serial, 'gives the same bits');
    is(sql("SELECT crm.${model}_fit(h, $week, $end$method ORDER BY md5(customer::text)) FROM cdnow_history"), $serial, 'so does another order');
    is(sql("SELECT crm.${model}_fit('SELECT customer::text, at, amount FROM cdnow ORDER BY amount', $week, $end)"), $serial, 'and the one pass');
}

# How many rows only one of two queries has, and how many the first has.
sub differing
{
    my ($one, $other) = @_;
    return sql(qq{
        WITH one AS MATERIALIZED ($one), other AS MATERIALIZED ($other)
        SELECT (SELECT count(*) FROM (TABLE one EXCEPT ALL TABLE other) AS missing)
             + (SELECT count(*) FROM (TABLE other EXCEPT ALL TABLE one) AS surplus), (SELECT count(*) FROM one)});
}

for my $model (sort keys %published)
{
    my $scores = qq{
        WITH model AS MATERIALIZED (
            SELECT crm.${model}_fit(h, $week, $end) AS m, crm.gamma_gamma_fit(h, $week, $end) AS g FROM cdnow_history)
        SELECT customer, crm.orders(crm.until(h, $end)), crm.p_alive(h, m, $end), crm.expected_orders(h, m, $end, '6 months'),
               crm.next_order(h, m, $end), crm.expected_order_value(h, g, $end), crm.clv(h, m, g, $end, '6 months', 0.15),
               crm.churn_risk(h, m, $end)
        FROM cdnow_history, model};
    my $table = "SELECT * FROM crm.lifetime_table('SELECT customer, at, amount FROM cdnow', $week, $end, '6 months', '$model', yearly_discount => 0.15)";
    is(differing($table, $scores), '0|2357', "lifetime_table by $model: row by row what the functions give");
    is( differing(
            "SELECT * FROM crm.lifetime_table('SELECT md5(customer::text), at, amount FROM cdnow', $week, NULL::text, '6 months', '$model', 'automatic', 0.15, $end)",
            $table =~ s/SELECT \*/SELECT md5(customer_id::text), orders, p_alive, expected_orders, next_order, expected_order_value, clv, churn_risk/r),
        '0|2357', 'also by key');
}

# 4. The scores against formulas in plain SQL.

# x, t_x, t and the mean amount of repeat orders, from the orders.
my $seen = qq{
    SELECT customer, count(*) - 1 AS x, (max(day) - min(day)) / 7.0::float8 AS t_x, ($end\::date - min(day)) / 7.0::float8 AS t,
           avg(amount) FILTER (WHERE nth > 1) AS mean
    FROM (SELECT customer, day, sum(amount)::float8 AS amount, row_number() OVER (PARTITION BY customer ORDER BY day) AS nth
          FROM (SELECT *, (at AT TIME ZONE 'America/New_York')::date AS day FROM cdnow WHERE at <= $end) AS dated
          GROUP BY customer, day) AS days
    GROUP BY customer};
my $ahead = 181 / 7; # days from 30 September to 30 March
my %p_alive = (
    bgnbd => 'CASE x WHEN 0 THEN 1 ELSE 1 / (1 + (m).a / ((m).b + x - 1) * (((m).alpha + t) / ((m).alpha + t_x)) ^ ((m).r + x)) END',
    mbgnbd => '1 / (1 + (m).a / ((m).b + x) * (((m).alpha + t) / ((m).alpha + t_x)) ^ ((m).r + x))');
for my $model (sort keys %p_alive)
{
    is(sql("SET TimeZone = 'America/New_York';
            WITH seen AS ($seen), model AS MATERIALIZED (SELECT $from_log{$model} AS m)
            SELECT max(abs(crm.p_alive(h, m, $end) - $p_alive{$model})) < 1e-12, max(abs(crm.p_alive(h, m, $end) - crm.p_alive(x, t_x, t, m))) < 1e-12,
                   max(abs(crm.expected_orders(h, m, $end, '6 months') / crm.expected_orders(x, t_x, t, m, $ahead) - 1)) < 1e-9, count(*)
            FROM seen JOIN cdnow_history USING (customer), model"),
        't|t|t|2357', "$model: P(alive) as published, for every customer");
}
is(sql("SET TimeZone = 'America/New_York';
        WITH seen AS ($seen), model AS MATERIALIZED (SELECT crm.gamma_gamma_fit(h, $week, $end) AS g FROM cdnow_history)
        SELECT max(abs(crm.expected_order_value(h, g, $end) / ((g).p * ((g).gamma + x * coalesce(mean, 0)) / ((g).p * x + (g).q - 1)) - 1)) < 1e-9, count(*)
        FROM seen JOIN cdnow_history USING (customer), model"),
    't|2357', 'the expected order value as published, for every customer');

# 5. The check: what was bought in the next 39 weeks is what the authors' file says of each customer.

my $check = "crm.model_check('SELECT customer, at, amount FROM cdnow', $week, 'bgnbd', $end, '273 days')";
is(sql("SELECT customers, actual, expected BETWEEN 1500 AND 1800, round((expected / actual - 1 - error)::numeric, 12) = 0 FROM $check WHERE breakdown = 'total'"),
    sql('SELECT count(*), sum(x_star) FROM summary') . '|t|t', 'as many orders as the summary says');
is(sql("SELECT string_agg(concat_ws(' ', bucket, customers, actual), ', ' ORDER BY bucket) FROM $check WHERE breakdown = 'frequency'"),
    sql("SELECT string_agg(concat_ws(' ', bucket, n, actual), ', ' ORDER BY bucket)
         FROM (SELECT least(x, 7) AS bucket, count(*) AS n, sum(x_star) AS actual FROM summary GROUP BY 1) AS b"),
    'also by the number of repeat orders');
is(sql("WITH bought AS (SELECT DISTINCT customer, (at AT TIME ZONE 'America/New_York')::date - date '1997-09-30' AS day
                        FROM cdnow WHERE at > $end AND at <= $end + interval '273 days')
        SELECT count(*), count(*) FILTER (WHERE actual <> (SELECT count(*) FROM bought WHERE ceil(day / 7.0) = bucket))
        FROM $check WHERE breakdown = 'week'"),
    '39|0', 'and week by week');
is(sql("WITH model AS MATERIALIZED (SELECT crm.bgnbd_fit(h, $week, $end) AS m FROM cdnow_history),
        each AS (SELECT customer, crm.orders(crm.until(h, $end)) AS orders, crm.expected_orders(h, m, $end, '273 days') AS expected,
                        crm.expected_orders(h, m, $end, '70 days') - crm.expected_orders(h, m, $end, '63 days') AS tenth
                 FROM cdnow_history, model)
        SELECT abs(sum(each.expected) / min(c.expected) - 1) < 1e-9 AND bool_and(breakdown = 'total')
               OR abs(sum(tenth) / min(c.expected) - 1) < 1e-9 AND bool_and(breakdown = 'week')
        FROM each, $check AS c WHERE breakdown = 'total' OR breakdown = 'week' AND bucket = 10 GROUP BY breakdown"),
    "t\nt", 'expected is the sum over the customers');
is(sql("SELECT count(DISTINCT round(sum::numeric, 6)) FROM (SELECT sum(expected) FROM $check GROUP BY breakdown) AS s"), 1,
    'all three breakdowns add up to the same');

# 6. A shop whose customers were there long before its records begin: nobody is seen to leave.

for my $model (qw(bgnbd mbgnbd pareto_nbd))
{
    my ($status, $reason) = split /\|/, sql("SELECT (m).status, (m).reason FROM (SELECT crm.${model}_fit(h, 'week Europe/London',
        '2010-12-01 00:00 Europe/London', 'maximum_likelihood') FROM online_retail_history) AS f(m)");
    is($status, 'not_identified', "$model of Online Retail II is not to be believed: " . ($reason // ''));
}

$node->stop;
done_testing();
