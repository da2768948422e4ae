# What the tests of shops share: a server, scripts that run side by side, and what a shop has to contain, by plain SQL.
package Shop;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_server refusal_of start_script finish_script notes_of);

# plain.differences(shop, entries) says what a shop has that it should not, and the other way round; nothing where it is
# right. entries is a query of all that counts: customer_id, ordered_at, amount, channel. The answers are computed from
# it by what the scores mean: grades are the cut points reached, and the segments those of the map "six".
# plain.untold_ranks(shop) gives events of tiers that do not lead to the customer's next one, or to the tier of today. Who
# is no customer stands where one with an amount of 0 does.
my $plain = q{
    SET check_function_bodies = off; -- they read a temporary table
    CREATE SCHEMA plain;
    CREATE FUNCTION plain.grade(reached boolean[]) RETURNS int LANGUAGE sql
        RETURN 1 + (SELECT count(*) FROM unnest(reached) AS r WHERE r);

    CREATE FUNCTION plain.answers(as_of timestamptz, first_moment timestamptz, cuts crm.rfm_bands,
        tiers crm.tier_ladder, period text, zone text)
        RETURNS TABLE (customer_id text, orders bigint, revenue numeric, refunded numeric, first_order timestamptz,
                       last_order timestamptz, recency int, frequency bigint, monetary numeric, score int,
                           segment text, tier text)
        LANGUAGE sql AS $$
        WITH measured AS (
            SELECT e.customer_id, count(*) FILTER (WHERE e.amount >= 0) AS orders, sum(e.amount) AS revenue,
                   coalesce(-sum(e.amount) FILTER (WHERE e.amount < 0), 0) AS refunded,
                   min(e.ordered_at) FILTER (WHERE e.amount >= 0) AS first_order,
                   max(e.ordered_at) FILTER (WHERE e.amount >= 0) AS last_order,
                   count(*) FILTER (WHERE e.amount >= 0 AND (e.ordered_at > first_moment) IS NOT FALSE) AS frequency,
                   coalesce(sum(e.amount) FILTER (WHERE (e.ordered_at > first_moment) IS NOT FALSE), 0) AS monetary,
                   coalesce(sum(e.amount) FILTER (WHERE e.in_period = 0), 0) AS running,
                   coalesce(sum(e.amount) FILTER (WHERE e.in_period = 1), 0) AS last
            FROM (SELECT p.*, CASE date_trunc(period, p.ordered_at AT TIME ZONE zone)
                                  WHEN date_trunc(period, as_of AT TIME ZONE zone) THEN 0
                                  WHEN date_trunc(period, date_trunc(period, as_of AT TIME ZONE zone) - interval '1 day') THEN 1
                              END AS in_period
                  FROM plain_entry AS p) AS e
            WHERE e.ordered_at <= as_of
            GROUP BY e.customer_id
        ), graded AS (
            SELECT m.*, floor(extract(epoch FROM as_of - m.last_order) / 86400)::int AS recency,
                   plain.grade(ARRAY(SELECT floor(extract(epoch FROM as_of - m.last_order) / 86400) <= c
                                     FROM unnest(cuts.recency) AS c)) AS r,
                   plain.grade(ARRAY(SELECT m.frequency > 0 AND m.frequency >= c
                       FROM unnest(cuts.frequency) AS c)) AS f,
                   plain.grade(ARRAY(SELECT m.monetary >= c FROM unnest(cuts.monetary) AS c)) AS m
            FROM measured AS m
            WHERE m.orders > 0
        )
        SELECT g.customer_id, g.orders, g.revenue, g.refunded, g.first_order, g.last_order, g.recency, g.frequency,
            g.monetary,
               100 * g.r + 10 * g.f + g.m,
               CASE WHEN least(g.r, g.f, g.m) >= 4 THEN 'vip'
                    WHEN least(g.r, g.f, g.m) >= 3 THEN 'loyal'
                    WHEN g.r >= 3 AND g.f >= 2 AND g.m >= 2 THEN 'growing'
                    WHEN g.r >= 4 AND g.f = 1 THEN 'new'
                    WHEN g.r = 2 AND g.f >= 2 THEN 'at_risk'
                    WHEN g.r = 1 THEN 'dormant'
                    ELSE 'other' END,
               (SELECT t.name FROM unnest((tiers).names, (tiers).thresholds) AS t (name, at_least)
                WHERE t.at_least <= greatest(CASE WHEN period IS NULL THEN g.monetary ELSE greatest(g.last, g.running) END, 0)
                ORDER BY t.at_least DESC LIMIT 1)
        FROM graded AS g
        $$;

    CREATE FUNCTION plain.differences(shop name, entries text) RETURNS SETOF text LANGUAGE plpgsql
        SET client_min_messages = warning AS $$
    DECLARE
        s crm.shop;
        scoring record;
    BEGIN
        SELECT * INTO STRICT s FROM crm.shop AS x WHERE x.shop = differences.shop;
        EXECUTE format('SELECT * FROM %I.scoring', shop) INTO STRICT scoring;
        DROP TABLE IF EXISTS plain_entry, plain_answer;
        EXECUTE format('CREATE TEMP TABLE plain_entry AS '
            'SELECT e.customer_id::text, e.ordered_at, e.amount, e.channel::text FROM (%s) AS e '
            'WHERE e.customer_id IS NOT NULL AND e.ordered_at IS NOT NULL AND e.amount IS NOT NULL', entries);
        CREATE TEMP TABLE plain_answer AS
        SELECT * FROM plain.answers(scoring.as_of, (scoring.as_of AT TIME ZONE s.zone - s.span) AT TIME ZONE s.zone,
                                    scoring.bands, s.tiers, s.tier_period, s.zone);
        ANALYZE plain_entry, plain_answer;
        RETURN QUERY EXECUTE format($sql$
            WITH stored AS (
                SELECT h.customer_id::text, p.ordered_at, p.amount
                FROM %1$I.customer_history AS h, crm.purchases(h.history) AS p
            ), source AS (
                SELECT e.customer_id, e.ordered_at, e.amount FROM plain_entry AS e
            )
            SELECT 'only in the shop: ' || x FROM (TABLE stored EXCEPT ALL TABLE source) AS x UNION ALL
            SELECT 'only in the orders: ' || x FROM (TABLE source EXCEPT ALL TABLE stored) AS x UNION ALL
            SELECT format('histories: %%s, %%s', h.history, f.history)
            FROM (SELECT n.customer_id::text, n.history FROM %1$I.customer_history AS n) AS h
                 FULL JOIN crm.histories('SELECT customer_id, ordered_at, amount FROM plain_entry', NULL::text) AS f
                    USING (customer_id)
            WHERE h.history::text IS DISTINCT FROM f.history::text UNION ALL
            SELECT format('answers: %%s, %%s', h, a)
            FROM (SELECT n.customer_id::text, n.score::int, n.segment, n.tier FROM %1$I.customer_history AS n) AS h
                 FULL JOIN plain_answer AS a USING (customer_id)
            WHERE (h.score, h.segment, h.tier) IS DISTINCT FROM (a.score, a.segment, a.tier) UNION ALL
            SELECT format('profiles: %%s, %%s', u, a)
            FROM (SELECT n.*, n.customer_id::text AS id FROM %1$I.customer AS n) AS u
                 FULL JOIN plain_answer AS a ON a.customer_id = u.id
            WHERE (u.orders, u.revenue, u.refunded, u.first_order_at, u.last_order_at, u.recency_days, u.frequency,
                u.monetary)
                  IS DISTINCT FROM (a.orders, a.revenue, a.refunded, a.first_order, a.last_order, a.recency,
                      a.frequency, a.monetary)
            $sql$, shop);
        IF s.channel IS NOT NULL THEN
            RETURN QUERY EXECUTE format($sql$
                SELECT format('channels: %%s, %%s', h, c)
                FROM %I.customer_history AS h
                     LEFT JOIN (SELECT DISTINCT ON (e.customer_id) e.customer_id, e.channel
                                FROM plain_entry AS e
                                WHERE e.amount >= 0
                                ORDER BY e.customer_id, e.ordered_at, e.channel COLLATE "C" NULLS FIRST) AS c
                        ON c.customer_id = h.customer_id::text
                WHERE c.channel IS DISTINCT FROM h.channel
                $sql$, shop);
        END IF;
    END $$;

    CREATE FUNCTION plain.untold_ranks(shop name) RETURNS SETOF text LANGUAGE plpgsql AS $$
    DECLARE
        ladder crm.tier_ladder := (SELECT s.tiers FROM crm.shop AS s WHERE s.shop = untold_ranks.shop);
        of_nobody text := CASE WHEN ladder.thresholds[1] = 0 THEN ladder.names[1] ELSE 'none' END;
    BEGIN
        RETURN QUERY EXECUTE format($sql$
            SELECT format('event %%s: %%s from %%s to %%s, then %%s', v.event, v.kind, v.tier_before, v.tier, v.later)
            FROM (SELECT e.event, e.kind, coalesce(e.tier_before, $1) AS tier_before, coalesce(e.tier, $1) AS tier,
                         coalesce(CASE WHEN lead(e.event) OVER w IS NULL THEN h.tier ELSE lead(e.tier_before) OVER w END,
                             $1) AS later
                  FROM %1$I.segment_event AS e LEFT JOIN %1$I.customer_history AS h ON h.customer_id = e.customer_id
                  WHERE e.segment IS NULL
                  WINDOW w AS (PARTITION BY e.customer_id ORDER BY e.event)) AS v
            WHERE v.later <> v.tier OR v.kind IS DISTINCT FROM CASE
                sign(coalesce(array_position($2, v.tier), 0) - coalesce(array_position($2, v.tier_before), 0))
                WHEN 1 THEN 'promoted' WHEN -1 THEN 'demoted' END
            $sql$, shop) USING of_nobody, ladder.names;
    END $$;
};

# A server with pg_crm and the functions of plain SQL.
sub start_server
{
    my ($name, @settings) = @_;
    my $node = PostgreSQL::Test::Cluster->new($name);
    $node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
    $node->append_conf('postgresql.conf', join("\n", 'jit = off', @settings));
    $node->start;
    $node->safe_psql('postgres', "CREATE EXTENSION pg_crm;$plain");
    return $node;
}

# The SQLSTATE and message of the first error of a script, with its hint where it is asked for; what the script printed
# where there is none.
sub refusal_of
{
    my ($node, $sql, %options) = @_;
    my ($status, $output, $error) = $node->psql(
        $options{database} // 'postgres',
        "\\set VERBOSITY verbose\n$sql",
        extra_params => [ $options{role} ? ('-U', $options{role}) : () ]);
    return "accepted: $output" unless $status;
    my ($refusal) = $error =~ /(?:ERROR|FATAL): +(\w{5}: [^\n]*)/;
    my ($hint) = $error =~ /HINT: +([^\n]*)/;
    return $options{hint} ? $hint // '' : $refusal;
}

# Starts psql on a script that goes on after errors, beside the others.
my $scripts = 0;
sub start_script
{
    my ($node, $script, $name) = @_;
    $name //= 'script';
    my %session = (output => '', error => '');
    my $file = $node->basedir . "/$name" . ++$scripts . '.sql';
    append_to_file($file, "\\set VERBOSITY verbose\n$script");
    $session{run} = IPC::Run::start(
        [ 'psql', '-XAtq', '-d', $node->connstr('postgres') . " application_name=$name", '-f', $file ],
        '>', \$session{output}, '2>', \$session{error});
    return \%session;
}

# Waits for its end and gives the SQLSTATEs and messages of its errors.
sub finish_script
{
    my ($session) = @_;
    IPC::Run::finish($session->{run});
    return $session->{error} =~ /(?:ERROR|FATAL|PANIC): +(\w{5}: [^\n]*)/g;
}

# Why runs of a shop read all orders.
sub notes_of
{
    my ($node, $shop) = @_;
    return $node->safe_psql('postgres',
        "SELECT DISTINCT note FROM crm.refresh_run WHERE shop = '$shop' AND note IS NOT NULL ORDER BY 1");
}

1;
