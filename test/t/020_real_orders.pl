# Real orders: for several dates and windows, crm.rfm_table, the composable door and plain SQL that knows nothing of
# pg_crm give the same rows, and stored histories are as compact as promised.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use RealOrders;
use Test::More;

start_with_real_orders('real_orders');

# The measures of a shop at a date, and their fifths: 1 + floor(5 × share of the customers who are strictly worse).
sub plain_sql
{
    my ($shop, $as_of, $span) = @_;
    return qq{
        SELECT customer, recency, frequency, monetary,
               1 + 5 * (rank() OVER (ORDER BY recency DESC) - 1) / count(*) OVER () AS r,
               1 + 5 * (rank() OVER (ORDER BY frequency) - 1) / count(*) OVER () AS f,
               1 + 5 * (rank() OVER (ORDER BY monetary) - 1) / count(*) OVER () AS m
        FROM (SELECT customer,
                     floor(extract(epoch FROM $as_of - max(at) FILTER (WHERE amount >= 0)) / 86400)::int AS recency,
                     count(*) FILTER (WHERE amount >= 0 AND (at > $as_of - $span) IS NOT FALSE) AS frequency,
                     coalesce(sum(amount) FILTER (WHERE (at > $as_of - $span) IS NOT FALSE), 0) AS monetary
              FROM $shop
              WHERE at <= $as_of
              GROUP BY customer
              HAVING count(*) FILTER (WHERE amount >= 0) > 0) AS measured};
}

sub composable
{
    my ($shop, $as_of, $span) = @_;
    return qq{
        WITH measured AS (
            SELECT customer, crm.rfm(crm.history(at, amount), $as_of, $span) AS measures FROM $shop GROUP BY customer
        ), bands AS (
            SELECT crm.rfm_quantiles(measures, 5) AS bands FROM measured
        )
        SELECT customer, (measures).recency, (measures).frequency, (measures).monetary, crm.r(score), crm.f(score),
            crm.m(score)
        FROM measured, bands, crm.rfm_grade(measures, bands) AS score
        WHERE measures IS NOT NULL};
}

sub one_pass
{
    my ($shop, $as_of, $span) = @_;
    return qq{
        SELECT customer_id, recency, frequency, monetary, r, f, m
        FROM crm.rfm_table('SELECT customer, at, amount FROM $shop', as_of => $as_of, span => $span, grades => 5)};
}

my %moments = (
    cdnow => [ '1997-01-01 04:59:59.999999Z', '1997-01-01 05:00Z', '1997-10-01 00:00-04', '1998-06-30 12:34:56Z' ],
    online_retail => [ '2009-12-01 07:45Z', '2010-10-31 01:30Z', '2011-06-30 23:59:59.999999+09',
        '2011-12-10 00:00Z' ]);
my $rows = 0;
for my $shop (sort keys %moments)
{
    for my $date (@{ $moments{$shop} })
    {
        for my $span ('NULL::interval', "interval '1 year'", "interval '1 month 15 days'")
        {
            for my $zone ('Europe/London', 'Asia/Tokyo')
            {
                my @question = ($shop, "timestamptz '$date'", $span);
                my $plain = plain_sql(@question);
                my ($differ, $compared) = differing($plain, one_pass(@question), $zone);
                is($differ, 0, "$shop at $date over $span in $zone: rfm_table is plain SQL ($compared customers)");
                is(join('|', differing($plain, composable(@question), $zone)), "0|$compared",
                    'and so is the composable door');
                $rows += $compared;
            }
        }
    }
}
cmp_ok($rows, '>', 60_000, "$rows rows were compared");

# The segments of the fixed bands, one pass against stored histories.
for my $shop (sort keys %moments)
{
    my $orders = "SELECT customer, at, amount FROM $shop";
    sql("CREATE TABLE ${shop}_history AS SELECT * FROM crm.histories('$orders')");
    is(join('|', differing("SELECT customer, crm.history(at, amount) FROM $shop GROUP BY customer",
            "TABLE ${shop}_history")),
        '0|' . sql("SELECT count(DISTINCT customer) FROM $shop"), "$shop: stored histories are those of GROUP BY");
    my $date = "timestamptz '$moments{$shop}[2]'";
    my ($differ, $compared) = differing(
        qq{SELECT customer_id, score, segment FROM crm.rfm_table('$orders', as_of => $date)},
        qq{SELECT customer_id, score, crm.rfm_segment(score, 'six')
           FROM ${shop}_history, crm.rfm_grade(crm.rfm(history, $date, '1 year'), crm.rfm_bands()) AS score
           WHERE score IS NOT NULL});
    is($differ, 0, "$shop: rfm_table over orders is the same as over stored histories");
    cmp_ok($compared, '>', 1000, "$compared customers were compared");
}

# Bytes of a purchase or refund, header included, in the histories of customers with ten or more purchases.
for my $shop (sort keys %moments)
{
    my ($bytes, $customers) = split /\|/, sql(qq{
        SELECT round(sum(pg_column_size(history))::numeric / sum((SELECT count(*) FROM crm.purchases(history))), 2),
            count(*)
        FROM ${shop}_history WHERE crm.orders(history) >= 10});
    diag("$shop: $bytes bytes per purchase or refund, in histories of $customers customers with ten or more purchases");
    cmp_ok($bytes, '<=', 8, "$shop: eight bytes per purchase or less");
}

$node->stop;
done_testing();
