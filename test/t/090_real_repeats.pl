# Real orders on the ladder: crm.repeat_table, crm.ltv, crm.funnel, crm.survival and crm.renewal_hazard say what SQL
# says that knows nothing of pg_crm. Counts, quartiles and shares of counts are equal exactly; estimates, which SQL
# makes of decimal numbers, to 1e-12 of their size. Both doors, parts of the customers merged, parallel plans and little
# memory change not even the last bit.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use RealOrders;
use Test::More;

start_with_real_orders('real_repeats');
store_histories();

# Clocks change in this zone; a day has 24 hours all the same. Online Retail is in its 62nd day at the first date, which
# tells days that have begun from days completed. A limit of NULL has days without end.
sql(q{
    ALTER DATABASE postgres SET TimeZone = 'Europe/London';
    CREATE TABLE limits AS
    SELECT within, coalesce(extract(epoch FROM within) / 86400, 'Infinity') AS days
    FROM unnest('{30 days,62 days,90 days,365 days,NULL}'::interval[]) AS within;
    CREATE AGGREGATE product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1');
    CREATE FUNCTION relative_error(found float8, expected float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE WHEN found IS NOT DISTINCT FROM expected THEN 0
                    ELSE coalesce(abs(found - expected) / nullif(abs(expected), 0), 'Infinity') END $$});

# Tests that two queries have the same rows, by their keys, equal but for a relative error of the estimates. Returns how
# many rows they have.
sub is_same
{
    my ($found, $expected, $keys, $name, @estimates) = @_;
    my $inexact = "'{@{[ join ',', @estimates ]}}'::text[]";
    my $error = join ', ', map { "relative_error(found.$_, expected.$_)" } @estimates;
    my ($compared, $largest, $differ) = split /\|/, sql(qq{
        WITH found AS MATERIALIZED ($found), expected AS MATERIALIZED ($expected)
        SELECT count(*), max(greatest(0, $error)),
               count(*) FILTER (WHERE to_jsonb(found) - $inexact IS DISTINCT FROM to_jsonb(expected) - $inexact)
               + abs((SELECT count(*) FROM found) - (SELECT count(*) FROM expected))
        FROM found FULL JOIN expected USING ($keys)});
    is($differ, 0, "$name: exactly plain SQL ($compared rows)");
    cmp_ok($largest, '<=', 1e-12, "and the estimates to $largest");
    return $compared;
}

# Calls a function for every question about the ladder: a shop, a date, and whether customers are split by entry.
sub for_each_question
{
    my ($ask) = @_;
    for my $shop (sort keys %dates)
    {
        for my $date (@{ $dates{$shop} })
        {
            $ask->($shop, "timestamptz '$date'", 0, "$shop at $date");
            $ask->($shop, "timestamptz '$date'", 1, "$shop by entry at $date");
        }
    }
    return;
}

# 1. The ladder.

# Every purchase, with the gap to the next one in days begun and the wait until as_of in days completed: whoever came
# back on a day that has not ended was followed up to the day before. Entries are quoted, for rows to join by NULL too.
sub plain_ladder
{
    my ($shop, $as_of, $splits) = @_;
    my $split = $splits ? 'entry' : 'NULL';
    return qq{
        WITH purchase AS (
            SELECT customer, row_number() OVER each AS nth, first_value(quote_nullable($split)) OVER each AS split,
                   ceil(extract(epoch FROM lead(at) OVER each - at) / 86400) AS gap,
                   floor(extract(epoch FROM $as_of - at) / 86400) AS wait
            FROM $shop WHERE amount >= 0 AND at <= $as_of
            WINDOW each AS (PARTITION BY customer ORDER BY at, entry COLLATE "C" NULLS FIRST)
        ), followed AS (
            SELECT split, nth, least(gap, wait) AS days, count(*) AS leave, count(*) FILTER (WHERE gap <= wait) AS back
            FROM purchase WHERE nth <= 100 GROUP BY 1, 2, 3
        ), risk AS (
            SELECT split, nth, followed.days, back::numeric,
                   sum(leave) OVER (PARTITION BY split, nth ORDER BY followed.days DESC) AS n
            FROM followed
        ), estimate AS (
            SELECT split, nth, limits.days, max(risk.days) AS last,
                   coalesce(product(round(1 - back / n, 40)) FILTER (WHERE risk.days <= limits.days), 1) AS s,
                   coalesce(sum(back / nullif(n * (n - back), 0)) FILTER (WHERE risk.days <= limits.days), 0) AS v
            FROM risk, limits GROUP BY 1, 2, 3
        ), rung AS (
            SELECT split, nth, days, count(*) AS customers, count(*) FILTER (WHERE gap <= days) AS repeated,
                   percentile_disc('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY gap) AS quartiles,
                   count(*) - count(gap) AS waiting
            FROM purchase, limits WHERE nth <= 100 GROUP BY 1, 2, 3
        )
        SELECT days, split, nth, customers, repeated, repeated / customers::float8 AS rate,
               CASE WHEN last >= days OR days = 'Infinity' OR s = 0 THEN 1 - s END AS km_rate,
               CASE WHEN (last >= days OR days = 'Infinity') AND s > 0 THEN s * sqrt(v) END AS km_se,
               quartiles[1] AS q1_days, quartiles[2] AS median_days, quartiles[3] AS q3_days,
               waiting / customers::float8 AS never
        FROM rung JOIN estimate USING (split, nth, days)};
}

sub one_pass
{
    my ($shop, $as_of, $splits) = @_;
    my $query = $splits ? "TABLE $shop" : "SELECT customer, at, amount FROM $shop";
    return qq{
        SELECT days, quote_nullable(split) AS split, nth, customers, repeated, rate, km_rate, km_se,
               q1_days, median_days, q3_days, never
        FROM limits, crm.repeat_table('$query', $as_of, within)};
}

# Histories in three parts by customer, each counted by itself, merged afterwards.
sub merged
{
    my ($shop, $as_of, $splits) = @_;
    my $split = $splits ? 'entry' : 'NULL';
    return qq{
        SELECT days, split, rows.*
        FROM (SELECT split, crm.rollup(part) AS ladder
              FROM (SELECT quote_nullable($split) AS split, crm.repeats(history, $as_of) AS part
                    FROM ${shop}_history GROUP BY 1, customer % 3) AS parts
              GROUP BY split) AS merged, limits, crm.repeat_rows(ladder, within) AS rows};
}

my $rungs = 0;
for_each_question(
    sub {
        my (@question) = @_;
        my $name = pop @question;
        my $compared = is_same(one_pass(@question), plain_ladder(@question), 'days, split, nth', "$name: repeat_table",
            'km_rate', 'km_se');
        is(join('|', differing(one_pass(@question), merged(@question))), "0|$compared",
            'the histories in parts, merged, give the same');
        $rungs += $compared;
    });
cmp_ok($rungs, '>', 10_000, "$rungs rungs were compared");

# That they were compared says little where all of them are alike.
for my $shop (sort keys %dates)
{
    my @question = ($shop, "timestamptz '$dates{$shop}[1]'", 1);
    is(sql(qq{
            SELECT bool_or(km_rate IS NULL), bool_or(km_rate = 1), bool_or(km_se > 0), bool_or(rate < km_rate)
            FROM (@{[ one_pass(@question) ]}) AS ladder}),
        't|t|t|t', "$shop: rates that are unknown, certain, and estimated; newcomers drag down the others");
}
is(sql(qq{
        SELECT bool_or(q1_days = 0), bool_or(split = 'NULL')
        FROM (@{[ one_pass('cdnow', "'1998-07-01'", 1) ]}) AS ladder}),
    't|t', 'cdnow: purchases at the same time, entries unknown');
is(sql(qq{
        SELECT max(nth), min(repeated) > 0
        FROM (@{[ one_pass('online_retail', "'2011-12-10'", 0) ]}) AS ladder WHERE nth > 99}),
    '100|t', 'online_retail: somebody goes on beyond the last rung');

# 2. Any partition, any plan, any memory.

for my $shop (sort keys %dates)
{
    my $ladder = "crm.repeats(history, '$dates{$shop}[1]')";
    my $whole = sql("SELECT md5(crm.repeats_send($ladder)) FROM ${shop}_history");
    for my $parts (2, 7, 100_000)
    {
        is(sql(qq{
                SELECT md5(crm.repeats_send(crm.rollup(part ORDER BY md5(number::text))))
                FROM (SELECT hashint4(customer) % $parts AS number, $ladder AS part
                      FROM ${shop}_history GROUP BY 1) AS parts}),
            $whole, "$shop: $parts parts merged give the same bytes");
    }
    is_same_in_parallel("SELECT md5(crm.repeats_send($ladder)) FROM ${shop}_history", "$shop, the ladder");

    # Every customer many times: more orders than little memory holds, the same shares, errors as of so many more.
    my $copies = $shop eq 'cdnow' ? 180 : 30;
    sql(qq{
        CREATE VIEW crowded_$shop AS
        SELECT customer + 100000 * copy AS customer, at, amount, entry
        FROM $shop, generate_series(1, $copies) AS copy});
    my @question = ("timestamptz '$dates{$shop}[1]'", 1);
    my $crowded = one_pass("crowded_$shop", @question);
    my (%rows, %log);
    for my $memory ('1GB', '0')
    {
        my $settings = "SET pg_crm.memory = '$memory'; SET log_temp_files = 0; SET client_min_messages = log;";
        (undef, $rows{$memory}, $log{$memory}) = $node->psql('postgres', "$settings $crowded");
    }
    unlike($log{'1GB'}, qr/temporary file/, "$shop: much memory");
    like($log{'0'}, qr/temporary file/, 'and little, which spills,');
    ok($rows{'0'} eq $rows{'1GB'}, 'give the same rows');
    is_same($crowded, qq{
        SELECT days, split, nth, $copies * customers AS customers, $copies * repeated AS repeated, rate, km_rate,
               km_se / sqrt($copies) AS km_se, q1_days, median_days, q3_days, never
        FROM (@{[ plain_ladder($shop, @question) ]}) AS ladder},
        'days, split, nth', "$shop, $copies times", 'km_rate', 'km_se');
}

# 3. Lifetime value.

sub plain_ltv
{
    my ($shop, $as_of, $splits) = @_;
    my $split = $splits ? 'entry' : 'NULL';
    return qq{
        WITH lived AS (
            SELECT (array_agg(quote_nullable($split) ORDER BY at, entry COLLATE "C" NULLS FIRST)
                    FILTER (WHERE amount >= 0))[1] AS split,
                   count(*) FILTER (WHERE amount >= 0) AS orders, sum(amount) AS revenue,
                   extract(epoch FROM $as_of - min(at) FILTER (WHERE amount >= 0)) / 31557600 AS years
            FROM $shop WHERE at <= $as_of GROUP BY customer
        )
        SELECT split, count(*) AS customers, sum(orders) AS orders, sum(revenue) AS revenue,
               sum(years) AS customer_years, sum(revenue) / sum(orders) AS average_order_value,
               sum(orders) / sum(years) AS orders_per_customer_year, sum(years) / count(*) AS years_per_customer,
               sum(revenue) / count(*) AS ltv
        FROM lived WHERE orders > 0 GROUP BY split};
}

sub ltv
{
    my ($shop, $as_of, $splits) = @_;
    my $split = $splits ? 'entry' : 'NULL';
    return qq{
        SELECT split, (total).*
        FROM (SELECT quote_nullable($split) AS split, crm.ltv(history, $as_of) AS total
              FROM ${shop}_history GROUP BY 1) AS totals
        WHERE total IS DISTINCT FROM NULL};
}

for_each_question(
    sub {
        my (@question) = @_;
        my $name = pop @question;
        is_same(ltv(@question), plain_ltv(@question), 'split', "$name: ltv",
            'customer_years', 'orders_per_customer_year', 'years_per_customer');
        my $product = 'average_order_value::float8 * orders_per_customer_year * years_per_customer';
        cmp_ok(sql("SELECT max(relative_error($product, ltv::float8)) FROM (@{[ ltv(@question) ]}) AS total"),
            '<=', 1e-12, 'it is the product of its factors');
    });
for my $shop (sort keys %dates)
{
    is_same_in_parallel("SELECT crm.ltv(history, '$dates{$shop}[1]') FROM ${shop}_history", "$shop, lifetime value");
}

# 4. Funnels: orders of four price bands in order, each at the earliest time after the one before.

my %bands = (cdnow => '{15, 30, 60}', online_retail => '{150, 300, 600}');

# An interval of days would be as long as local days are.
sub plain_funnel
{
    my ($shop, $days) = @_;
    my $end = defined $days ? "first.at + interval '@{[ 24 * $days ]} hours'" : "'infinity'";
    my $from = "${shop}_event AS first";
    my $furthest = 'CASE WHEN first.step = 1 THEN 1 ELSE 0 END';
    my $before = 'first';
    for my $step (2 .. 4)
    {
        $from .= qq{
            LEFT JOIN LATERAL (SELECT min(at) AS at FROM ${shop}_event
                               WHERE customer = first.customer AND step = $step AND at BETWEEN $before.at AND $end)
                AS step$step ON first.step = 1};
        $furthest .= " + CASE WHEN step$step.at IS NOT NULL THEN 1 ELSE 0 END";
        $before = "step$step";
    }
    return "SELECT first.customer, max($furthest) AS furthest FROM $from GROUP BY first.customer";
}

for my $shop (sort keys %bands)
{
    sql(qq{
        CREATE TABLE ${shop}_event AS
        SELECT customer, at, width_bucket(amount, '$bands{$shop}'::numeric[]) + 1 AS step FROM $shop WHERE amount >= 0;
        CREATE INDEX ON ${shop}_event (customer, step, at);
        CREATE STATISTICS ${shop}_few ON (customer % 100) FROM ${shop}_event;
        ALTER TABLE ${shop}_event SET (parallel_workers = 2);
        ANALYZE ${shop}_event});
    for my $days (0, 30, 90, undef)
    {
        my ($within, $name) = defined $days ? ("interval '$days days'", "within $days days") : ('NULL', 'ever');
        my $plain = plain_funnel($shop, $days);
        my ($differ, $compared) = differing(
            "SELECT customer, crm.funnel(at, step, $within) FROM ${shop}_event GROUP BY customer", $plain);
        is($differ, 0, "$shop, $name: funnel is plain SQL ($compared customers)");
        is(join('|', differing("SELECT * FROM crm.funnel_rows('TABLE ${shop}_event', $within)", qq{
                SELECT step, customers, customers / lag(nullif(customers, 0)) OVER (ORDER BY step)::float8,
                       customers / first_value(customers) OVER (ORDER BY step)::float8
                FROM (SELECT step, count(customer) AS customers
                      FROM generate_series(1, 4) AS step LEFT JOIN ($plain) AS each ON furthest >= step
                      GROUP BY step) AS counted})),
            '0|4', 'and so is funnel_rows');
    }
    is_same_in_parallel(
        "SELECT customer % 100, crm.funnel(at, step, '1 day') FROM ${shop}_event GROUP BY 1 ORDER BY 1",
        "$shop, funnels");
}

# 5. Survival: days, not rounded, from the first to the second order. Renewals: orders as deliveries, after which
# somebody has cancelled who has not ordered for 90 days; the riskiest by the lower limit of Wilson's interval.

my $plain_survival = q{
    WITH risk AS (
        SELECT days AS at, (sum(count(*)) OVER (ORDER BY days DESC))::bigint AS at_risk,
               count(*) FILTER (WHERE returned) AS events
        FROM waits GROUP BY days
    ), estimate AS (
        SELECT at, at_risk, events, product(round(1 - events / at_risk::numeric, 20)) OVER (ORDER BY at) AS survival,
               sum(events / nullif(at_risk * (at_risk - events), 0)::numeric) OVER (ORDER BY at) AS variance
        FROM risk WHERE events > 0
    )
    SELECT at, at_risk, events, survival, survival * sqrt(variance) AS se,
           survival ^ exp(-1.959963984540054 * sqrt(variance) / ln(survival)) AS lower,
           survival ^ exp(1.959963984540054 * sqrt(variance) / ln(survival)) AS upper,
           events / at_risk::float8 AS hazard
    FROM (SELECT at, at_risk, events, survival::float8, variance::float8 FROM estimate) AS rounded};
my $plain_renewals = q{
    WITH delivery AS (
        SELECT delivery, count(*) AS at_risk, count(*) FILTER (WHERE deliveries = delivery) AS cancelled
        FROM subscriptions, generate_series(1, CASE WHEN cancelled THEN deliveries ELSE deliveries - 1 END) AS delivery
        GROUP BY delivery
    )
    SELECT delivery, at_risk, cancelled, cancelled / at_risk::float8 AS hazard,
           product(round(1 - cancelled / at_risk::numeric, 20)) OVER (ORDER BY delivery) AS survival,
           row_number() OVER (ORDER BY (cancelled + square / 2 - sqrt(square) * sqrt(cancelled * (at_risk - cancelled)
                                        / at_risk::numeric + square / 4)) / (at_risk + square) DESC) <= 5 AS riskiest
    FROM delivery, (SELECT 1.959963984540054 ^ 2 AS square) AS z};
for my $shop (sort keys %dates)
{
    my $as_of = "timestamptz '$dates{$shop}[1]'";
    sql(qq{
        DROP TABLE IF EXISTS waits, subscriptions;
        CREATE TABLE subscriptions AS
        SELECT count(*)::int AS deliveries, max(at) < $as_of - interval '2160 hours' AS cancelled
        FROM $shop WHERE amount >= 0 AND at <= $as_of GROUP BY customer;
        CREATE TABLE waits AS
        SELECT customer, (extract(epoch FROM coalesce(next, $as_of) - at) / 86400)::float8 AS days,
               next IS NOT NULL AS returned
        FROM (SELECT customer, at, row_number() OVER each AS nth, lead(at) OVER each AS next
              FROM $shop WHERE amount >= 0 AND at <= $as_of
              WINDOW each AS (PARTITION BY customer ORDER BY at)) AS purchase
        WHERE nth = 1;
        ALTER TABLE waits SET (parallel_workers = 2);
        ANALYZE waits});
    is_same(q{
        SELECT rows.*
        FROM (SELECT crm.survival(days, returned) AS s FROM waits) AS whole, crm.survival_rows(s) AS rows},
        $plain_survival, 'at', "$shop: survival", 'survival', 'se', 'lower', 'upper');
    is(sql('SELECT crm.survival_median(crm.survival(days, returned)) FROM waits'),
        sql("SELECT min(at) FROM ($plain_survival) AS estimate WHERE survival <= 0.5"), 'and so is its median');
    my $whole = sql('SELECT md5(crm.survival_send(crm.survival(days, returned))) FROM waits');
    for my $parts (2, 7, 100_000)
    {
        is(sql(qq{
                SELECT md5(crm.survival_send(crm.rollup(part ORDER BY md5(number::text))))
                FROM (SELECT hashint4(customer) % $parts AS number, crm.survival(days, returned) AS part
                      FROM waits GROUP BY 1) AS parts}),
            $whole, "$shop: $parts parts of survival merged give the same bytes");
    }
    is_same_in_parallel('SELECT md5(crm.survival_send(crm.survival(days, returned))) FROM waits', "$shop, survival");
    is_same(q{
        SELECT rows.*
        FROM (SELECT crm.renewal_hazard(deliveries, cancelled) AS s FROM subscriptions) AS whole,
             crm.renewal_rows(s, riskiest => 5) AS rows},
        $plain_renewals, 'delivery', "$shop: renewals", 'survival');
}

$node->stop;
done_testing();
