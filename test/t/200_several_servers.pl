# Several servers: customers are spread over two servers by hash and read by a third through postgres_fdw. Each server
# aggregates its own customers, the states are rolled up, and the answers are those of one server with all orders. The
# rules that Citus has for aggregates are checked for each aggregate, and each is computed the way Citus does.
use strict;
use warnings FATAL => 'all';

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my %nodes = map { $_ => PostgreSQL::Test::Cluster->new("servers_$_") } qw(front east west);
for my $node (values %nodes)
{
    $node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
    $node->append_conf('postgresql.conf', "timezone = 'UTC'\nenable_partitionwise_aggregate = on");
    $node->start;
    $node->safe_psql('postgres', 'CREATE EXTENSION pg_crm');
}
my $front = $nodes{front};

sub sql { return $front->safe_psql('postgres', $_[0]) }

# A query over a relation, which stands as %s in it.
sub over { my ($query, $relation) = @_; return $query =~ s/%s/$relation/gr }

# The plan of a query, as text.
sub plan_of { return sql("EXPLAIN (VERBOSE, COSTS OFF) $_[0]") }

sub is_remote
{
    my ($query, $name) = @_;
    my $plan = plan_of($query);
    my $scans = () = $plan =~ /^ *(?:-> +)?(?:Async )?Foreign Scan/mg;
    my $remote = () = $plan =~ /Relations: Aggregate on/g;
    my $local = $plan =~ /^ *(?:-> +)?(?:\w+ )*(?:Aggregate|HashAggregate|GroupAggregate)$/m;
    return ok($scans > 0 && $scans == $remote && !$local, $name) || diag($plan);
}

# 1. What is where. The names of columns are those that the calls below use.

my $orders = 'customer bigint NOT NULL, at timestamptz NOT NULL, total numeric NOT NULL, yen bigint NOT NULL, '
    . 'points int NOT NULL, channel text NOT NULL';
my %views = (
    histories => 'SELECT customer, crm.history(at, total) AS h FROM orders GROUP BY customer',
    measures => "SELECT customer, crm.rfm(at, total, '2026-01-01', '1 year') AS rfm FROM orders GROUP BY customer",
    summaries => q{SELECT customer, count(DISTINCT at::date) - 1 AS x, (max(at::date) - min(at::date)) / 7.0::float8 AS t_x,
                       (date '2026-01-01' - min(at::date)) / 7.0::float8 AS t, avg(abs(total))::float8 AS mean,
                       (count(*) - 1)::int AS renewals, customer % 3 > 0 AS cancelled
                   FROM orders GROUP BY customer},
    states => q{SELECT customer % 4 AS part, crm.rollup(h) AS h, crm.cohorts(h, 'month Asia/Tokyo', '2026-01-01') AS cohorts,
                    crm.repeats(h, '2026-01-01') AS repeats, crm.survival(crm.orders(h)::float8, customer % 3 > 0) AS survival,
                    crm.idset(customer) AS ids, crm.btyd_counts(h, 'week UTC', '2026-01-01') AS btyd,
                    crm.gamma_gamma_counts(h, 'week UTC', '2026-01-01') AS gamma_gamma,
                    crm.sbg_counts((crm.orders(h)::int + 1) % 9, customer % 3 > 0) AS sbg
                FROM histories GROUP BY 1});
my @views = qw(histories measures summaries states);

for my $node (values %nodes)
{
    $node->safe_psql('postgres', "CREATE TABLE one_orders ($orders)") if $node == $front;
    next if $node == $front;
    $node->safe_psql('postgres', "CREATE TABLE orders ($orders)");
    $node->safe_psql('postgres', "CREATE VIEW $_ AS $views{$_}") for @views;
}

sql('CREATE EXTENSION postgres_fdw');
sql("CREATE TABLE orders ($orders) PARTITION BY HASH (customer)");
sql('CREATE TABLE histories (customer bigint, h crm.history) PARTITION BY HASH (customer)');
my $remainder = 0;
for my $name (qw(east west))
{
    my ($host, $port) = ($nodes{$name}->host, $nodes{$name}->port);
    my $partition = "FOR VALUES WITH (MODULUS 2, REMAINDER $remainder) SERVER $name";
    sql(qq{
        CREATE SERVER $name FOREIGN DATA WRAPPER postgres_fdw
            OPTIONS (host '$host', port '$port', dbname 'postgres', extensions 'pg_crm', async_capable 'true');
        CREATE USER MAPPING FOR CURRENT_USER SERVER $name;
        CREATE SCHEMA $name;
        IMPORT FOREIGN SCHEMA public FROM SERVER $name INTO $name;
        CREATE FOREIGN TABLE orders_$name PARTITION OF orders $partition OPTIONS (table_name 'orders');
        CREATE FOREIGN TABLE histories_$name PARTITION OF histories $partition OPTIONS (table_name 'histories')});
    ++$remainder;
}

# One server's orders, and the same rows through the partitions; 1,500 customers, a sixth with 12 orders.
sql(q{
    INSERT INTO one_orders
    SELECT c, timestamptz '2024-03-01 09:00Z' + (c * 7919 % 400 + n * (9 + c * 31 % 50)) * interval '1 day'
                  + c * 41 % 86400 * interval '1 second',
           round(500 + (c * 131 + n * 37) % 9000 / 7.0, 2), 1000 + (c * 17 + n) % 5000, (c + n) % 300 + 1,
           (ARRAY['ad', 'mail', 'search', '店'])[1 + (c + n) % 4]
    FROM generate_series(1, 1500) AS c, generate_series(0, 11) AS n
    WHERE n <= CASE c % 6 WHEN 0 THEN 11 ELSE c % 6 - 1 END
      AND timestamptz '2024-03-01 09:00Z' + (c * 7919 % 400 + n * (9 + c * 31 % 50)) * interval '1 day' < '2026-01-01';
    INSERT INTO orders SELECT * FROM one_orders;
    INSERT INTO orders SELECT 2000000, at, -total, -yen, points, channel FROM one_orders WHERE customer = 6 LIMIT 3;
    INSERT INTO one_orders SELECT 2000000, at, -total, -yen, points, channel FROM one_orders WHERE customer = 6 LIMIT 3;
    CREATE VIEW one_histories AS SELECT customer, crm.history(at, total) AS h FROM one_orders GROUP BY customer;
    ANALYZE orders; ANALYZE histories; ANALYZE one_orders});
for my $name (qw(east west))
{
    cmp_ok($nodes{$name}->safe_psql('postgres', 'SELECT count(*) FROM orders'), '>', 1500, "$name has orders");
}

# Compares two queries as sets of rows, and sees to it that there are any.
sub same_rows
{
    my ($several, $one, $name) = @_;
    my ($rows, $differing) = split /\|/, sql(qq{
        WITH several AS MATERIALIZED ($several), one AS MATERIALIZED ($one)
        SELECT (SELECT count(*) FROM one),
               (SELECT count(*) FROM ((SELECT s::text FROM several AS s EXCEPT ALL SELECT o::text FROM one AS o)
                                      UNION ALL (SELECT o::text FROM one AS o EXCEPT ALL SELECT s::text FROM several AS s)) AS d)});
    return ok($rows > 0 && $differing == 0, "$name: $rows rows") || diag("$differing differ");
}

# 2. Each aggregate. A new one needs a call here: its arguments, a relation, and the grouping where it is for the orders of
#    one customer.

my ($by_customer, $as_of, $week) = ('GROUP BY customer', "'2026-01-01'", "'week UTC'");
my %calls = (
    'crm.first(anyelement,timestamp with time zone)' => [ 'channel, at', 'orders', $by_customer ],
    'crm.last(anyelement,timestamp with time zone)' => [ 'channel, at', 'orders', $by_customer ],
    'crm.history(timestamp with time zone,numeric)' => [ 'at, total', 'orders', $by_customer ],
    'crm.history(timestamp with time zone,bigint)' => [ 'at, yen', 'orders', $by_customer ],
    'crm.history(timestamp with time zone,integer)' => [ 'at, points', 'orders', $by_customer ],
    'crm.rfm(timestamp with time zone,numeric,timestamp with time zone,interval)' =>
        [ "at, total, $as_of, '1 year'", 'orders', $by_customer ],
    'crm.rfm(timestamp with time zone,bigint,timestamp with time zone,interval)' =>
        [ "at, yen, $as_of, NULL", 'orders', $by_customer ],
    'crm.rfm(timestamp with time zone,integer,timestamp with time zone,interval)' =>
        [ "at, points, $as_of, '90 days'", 'orders', $by_customer ],
    'crm.funnel(timestamp with time zone,integer,interval)' => [ "at, points % 3 + 1, '60 days'", 'orders', $by_customer ],
    'crm.signal_trend(timestamp with time zone,double precision)' => [ 'at, yen::float8', 'orders', $by_customer ],
    'crm.rollup(crm.history)' => [ 'h', 'states', '' ],
    'crm.rollup(crm.cohorts)' => [ 'cohorts', 'states', '' ],
    'crm.rollup(crm.repeats)' => [ 'repeats', 'states', '' ],
    'crm.rollup(crm.survival)' => [ 'survival', 'states', '' ],
    'crm.idset_union(crm.idset)' => [ 'ids', 'states', '' ],
    'crm.idset_intersection(crm.idset)' => [ 'ids', 'states', '' ],
    'crm.bgnbd_fit(bytea)' => [ 'btyd', 'states', '' ],
    'crm.mbgnbd_fit(bytea)' => [ 'btyd', 'states', '' ],
    'crm.pareto_nbd_fit(bytea)' => [ 'btyd', 'states', '' ],
    'crm.gamma_gamma_fit(bytea)' => [ 'gamma_gamma', 'states', '' ],
    'crm.sbg_fit(bytea)' => [ 'sbg', 'states', '' ],
    'crm.rfm_quantiles(crm.rfm,integer)' => [ 'rfm, 5', 'measures', '' ],
    'crm.idset(bigint)' => [ 'customer', 'histories', '' ],
    'crm.cohorts(crm.history,crm.calendar,timestamp with time zone)' => [ "h, 'month Asia/Tokyo', $as_of", 'histories', '' ],
    'crm.repeats(crm.history,timestamp with time zone)' => [ "h, $as_of", 'histories', '' ],
    'crm.ltv(crm.history,timestamp with time zone)' => [ "h, $as_of", 'histories', '' ],
    'crm.btyd_counts(crm.history,crm.calendar,timestamp with time zone)' => [ "h, $week, $as_of", 'histories', '' ],
    'crm.btyd_counts(crm.history,crm.calendar,timestamp with time zone,crm.fit_method)' =>
        [ "h, $week, $as_of, 'map'", 'histories', '' ],
    'crm.gamma_gamma_counts(crm.history,crm.calendar,timestamp with time zone)' => [ "h, $week, $as_of", 'histories', '' ],
    'crm.gamma_gamma_fit(crm.history,crm.calendar,timestamp with time zone)' => [ "h, $week, $as_of", 'histories', '' ],
    'crm.gamma_gamma_fit(bigint,double precision,crm.calendar)' => [ "x, mean, $week", 'summaries', '' ],
    'crm.survival(double precision,boolean)' => [ 't_x, cancelled', 'summaries', '' ],
    'crm.renewal_hazard(integer,boolean)' => [ 'renewals, cancelled', 'summaries', '' ],
    'crm.sbg_counts(integer,boolean)' => [ 'renewals, cancelled', 'summaries', '' ],
    'crm.sbg_fit(integer,boolean)' => [ 'renewals, cancelled', 'summaries', '' ]);
for my $model (qw(bgnbd mbgnbd pareto_nbd))
{
    my $history = 'crm.history,crm.calendar,timestamp with time zone';
    my $numbers = 'bigint,double precision,double precision,crm.calendar';
    $calls{"crm.${model}_fit($history)"} = [ "h, $week, $as_of", 'histories', '' ];
    $calls{"crm.${model}_fit($history,crm.fit_method)"} = [ "h, $week, $as_of, 'map'", 'histories', '' ];
    $calls{"crm.${model}_fit($numbers)"} = [ "x, t_x, t, $week", 'summaries', '' ];
    $calls{"crm.${model}_fit($numbers,crm.fit_method)"} = [ "x, t_x, t, $week, 'map'", 'summaries', '' ];
}

my @aggregates = split /\n/, sql(q{
    SELECT p.oid::regprocedure
    FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    WHERE p.prokind = 'a' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_crm')
    ORDER BY p.oid::regprocedure::text});
is(join("\n", @aggregates), join("\n", sort keys %calls), 'a call for each of ' . @aggregates . ' aggregates');

# Read on one server of those that have the customers, it goes there whole, and comes back as if computed here from rows
# that came here.
for my $aggregate (grep { $calls{$_} } @aggregates)
{
    my ($arguments, $relation, $grouping) = @{ $calls{$aggregate} };
    my $keys = $grouping ? 'customer, ' : '';
    (my $name = $aggregate) =~ s/\(.*//;
    my $query = "SELECT $keys$name($arguments) FROM %s $grouping";
    is_remote(over($query, "east.$relation"), "$aggregate is computed where the rows are");
    same_rows(over($query, "east.$relation"), over($query, "(SELECT * FROM east.$relation OFFSET 0) AS rows_here"),
        "$aggregate comes back unchanged");
}

# 3. GROUP BY the customer over all servers, and what one makes of the states of each.

my %grouped = (
    history => 'SELECT customer, crm.history(at, total) FROM %s GROUP BY customer',
    'rfm and channels' => q{SELECT customer, crm.rfm(at, total, '2026-01-01', '1 year'), crm.first(channel, at),
                                crm.last(channel, at), crm.funnel(at, points % 3 + 1, '60 days')
                            FROM %s GROUP BY customer},
    filtered => q{SELECT customer, crm.history(at, yen) FILTER (WHERE channel = 'mail') FROM %s GROUP BY customer
                  HAVING count(*) > 2});
for my $name (sort keys %grouped)
{
    is_remote(over($grouped{$name}, 'orders'), "$name by customer is computed where the orders are");
    same_rows(over($grouped{$name}, 'orders'), over($grouped{$name}, 'one_orders'), "$name by customer");
}

sub of_each { return join(' UNION ALL ', map { over($_[0], "histories_$_") } qw(east west)) }

my %rolled = (
    cohorts => [ "crm.cohorts(h, 'month Asia/Tokyo', '2026-01-01')", 'crm.rollup(state)' ],
    repeats => [ "crm.repeats(h, '2026-01-01')", 'crm.rollup(state)' ],
    survival => [ "crm.survival(crm.orders(h)::float8, customer % 3 > 0)", 'crm.rollup(state)' ],
    ids => [ 'crm.idset(customer) FILTER (WHERE crm.orders(h) > 3)', 'crm.idset_union(state)' ],
    histories => [ 'crm.rollup(h)', 'crm.rollup(state)' ]);
for my $name (sort keys %rolled)
{
    my ($state, $rollup) = @{ $rolled{$name} };
    my $states = of_each("SELECT $state AS state FROM %s");
    is_remote($states, "$name: the state of each server is computed there");
    same_rows("SELECT $rollup FROM ($states) AS s", "SELECT $state FROM one_histories", "$name: rolled up");
}
for my $model (qw(bgnbd mbgnbd pareto_nbd gamma_gamma))
{
    my $counts = $model eq 'gamma_gamma' ? 'crm.gamma_gamma_counts' : 'crm.btyd_counts';
    my $states = of_each("SELECT $counts(h, 'week Asia/Tokyo', '2026-01-01') AS state FROM %s");
    is_remote($states, "$model: customers are counted where they are");
    same_rows("SELECT crm.${model}_fit(state) FROM ($states) AS s",
        "SELECT crm.${model}_fit(h, 'week Asia/Tokyo', '2026-01-01') FROM one_histories", "$model: fitted to all, to the last bit");
}

# The cut points are those of all customers; then each server grades its own.
my $cuts = q{(SELECT crm.rfm_quantiles(rfm, 5)
              FROM (SELECT crm.rfm(at, total, '2026-01-01', '1 year') AS rfm FROM %s GROUP BY customer) AS m)};
same_rows(over("SELECT $cuts", 'orders'), over("SELECT $cuts", 'one_orders'), 'quantile cut points of all');
my $score = q{SELECT customer, crm.rfm_grade(crm.rfm(at, total, '2026-01-01', '1 year'), crm.rfm_bands())
              FROM %s GROUP BY customer};
is_remote(over($score, 'orders'), 'scores are computed where the orders are');
same_rows(over($score, 'orders'), over($score, 'one_orders'), 'scores');

# Functions of a history that are asked for in a WHERE, too.
like(plan_of(q{SELECT customer FROM histories WHERE crm.orders(h) > 3 AND crm.last_order(h) < '2025-06-01'}),
    qr/Remote SQL: SELECT customer FROM public\.histories WHERE \(\(crm\.orders\(h\) > 3\)\) AND/, 'conditions are checked there');

# Through the other door, with the rows coming here.
same_rows(q{SELECT * FROM crm.histories('SELECT customer, at, total FROM orders')}, 'SELECT * FROM one_histories',
    'the table function');

# 4. What does not go there; docs/scale.md says so.

sub stays_here
{
    my ($query, $name) = @_;
    return unlike(plan_of($query), qr/Relations: Aggregate on/, $name);
}

my $cohorts = "SELECT crm.cohorts(h, 'month UTC', '2026-01-01') FROM %s";
stays_here(over($cohorts, 'histories'), 'one aggregate over all servers fetches the histories');
same_rows(over($cohorts, 'histories'), over($cohorts, 'one_histories'), 'and is right');
stays_here('SELECT crm.repeats(h, now()) FROM histories_east', 'now() stays here');
stays_here(
    q{SELECT crm.survival(extract(epoch FROM crm.tenure(h, '2026-01-01'))::float8, true) FROM histories_east},
    'so does a call with a text that no column gives a collation, such as that of extract');
stays_here('SELECT customer, crm.history(at, total) FROM (SELECT * FROM orders_east OFFSET 0) AS o GROUP BY customer',
    'so does what stands above a subquery that stays');
my $score_of_history = q{crm.rfm_grade(crm.rfm(h, '2026-01-01', NULL), crm.rfm_bands())};
unlike(plan_of("SELECT customer FROM histories_east WHERE crm.rfm_segment($score_of_history, 'six') = 'vip'"),
    qr/Remote SQL: .*rfm_segment/, 'and a function that reads a table, such as the segment of a map');
sql("ALTER SERVER east OPTIONS (DROP extensions)");
stays_here('SELECT customer, crm.history(at, total) FROM orders_east GROUP BY customer',
    'and everything, where the server is not said to have pg_crm');
sql("ALTER SERVER east OPTIONS (ADD extensions 'pg_crm')");
unlike(
    sql('SET enable_partitionwise_aggregate = off; EXPLAIN (VERBOSE) ' . over($grouped{history}, 'orders')),
    qr/Relations: Aggregate on/, 'and GROUP BY over all partitions, without enable_partitionwise_aggregate');

# 5. A shop over the orders of all servers, and shops on each.

sql(q{
    CREATE FUNCTION refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE
        hint text;
    BEGIN
        EXECUTE statement;
        RETURN 'accepted';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
        RETURN SQLSTATE || ' ' || SQLERRM || ' / ' || hint;
    END $$});
sub settings_of
{
    my ($shop, $orders) = @_;
    return "'$shop', '$orders', 'customer', 'at', 'total', channel => 'channel', zone => 'Asia/Tokyo'";
}
like(sql(q{SELECT refused($$SELECT crm.create_shop(} . settings_of('all_shop', 'orders') . q{, capture => 'triggers')$$)}),
    qr/^0A000 triggers cannot notice every change of these orders .*compare/, 'triggers are refused where they cannot be');
sql('SELECT crm.create_shop(' . settings_of("${_}shop", "${_}orders") . ')') for ('', 'one_');
is(sql(q{SELECT string_agg(shop || ' ' || capture, ', ' ORDER BY shop) FROM crm.shop}), 'one_shop triggers, shop compare',
    'a shop over several servers compares');
my @both = ('shop', 'one_shop');
sql("CALL crm.refresh('$_', '2026-01-01')") for @both;
my $customer = 'SELECT * FROM %s.customer';
same_rows(over($customer, 'shop'), over($customer, 'one_shop'), 'customers of the shop');
$nodes{east}->safe_psql('postgres', 'DELETE FROM orders WHERE customer < 100 AND points % 2 = 0');
sql(q{DELETE FROM one_orders WHERE customer < 100 AND points % 2 = 0
      AND customer NOT IN (SELECT customer FROM west.orders)});
sql("CALL crm.refresh('$_', '2026-01-02')") for @both;
cmp_ok(sql('SELECT customers FROM shop.refresh_log ORDER BY run DESC LIMIT 1'), '>', 3, 'a change on one server is noticed');
same_rows(over($customer, 'shop'), over($customer, 'one_shop'), 'customers of the shop after it');

# A distributed table of Citus looks like a plain one, but refuses triggers, with this message and without an SQLSTATE.
sql(q{
    CREATE TABLE distributed (LIKE one_orders);
    CREATE FUNCTION refuse_triggers() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE internal_error USING MESSAGE = 'triggers are not supported on distributed tables';
    END $$;
    CREATE EVENT TRIGGER citus ON ddl_command_end WHEN TAG IN ('CREATE TRIGGER') EXECUTE FUNCTION refuse_triggers()});
like(sql(q{SELECT refused($$SELECT crm.create_shop(} . settings_of('other', 'distributed') . q{)$$)}),
    qr/^0A000 changes of .*distributed cannot be noticed: triggers are not supported .*capture => 'compare'/,
    'where a table refuses triggers, the error says what to do');
is(sql(q{SELECT count(*) > 0 FROM crm.create_shop(} . settings_of('other', 'distributed') . q{, capture => 'compare')}), 't',
    'and that works');
sql('DROP EVENT TRIGGER citus');

# Near the orders: a shop on each server notices changes by triggers, and is read from here.
for my $name (qw(east west))
{
    my $node = $nodes{$name};
    $node->safe_psql('postgres', 'SELECT crm.create_shop(' . settings_of('shop', 'orders') . ')');
    $node->safe_psql('postgres', "CALL crm.refresh('shop', '2026-01-02')");
    sql(qq{
        CREATE SCHEMA ${name}_shop;
        IMPORT FOREIGN SCHEMA shop LIMIT TO (customer, customer_history) FROM SERVER $name INTO ${name}_shop});
}
sub of_shops { my ($query) = @_; return join(' UNION ALL ', map { over($query, "${_}_shop") } qw(east west)) }
my $scores = 'SELECT customer_id, orders, revenue, score, segment FROM %s.customer';
same_rows(of_shops($scores), over($scores, 'one_shop'), 'customers of the shops on each server');
my $ladder = "SELECT crm.repeats(history, '2026-01-02') AS r FROM %s.customer_history";
my $ladders = of_shops($ladder);
is_remote($ladders, 'their stored histories are counted there');
same_rows("SELECT crm.rollup(r) FROM ($ladders) AS s", over($ladder, 'one_shop'), 'and rolled up here');

# 6. The rules of Citus: an aggregate that is not grouped by the distribution column is split over the workers when it has a
#    combine function and an ordinary type of state. The workers send states, as text or binary. For each row the function
#    is looked up anew.

is( sql(q{
        SELECT count(*) FILTER (WHERE a.aggkind = 'n' AND a.aggcombinefn <> 0 AND t.typtype <> 'p' AND t.typsend <> 0
                                      AND t.typreceive <> 0 AND NOT f.proisstrict)
        FROM pg_aggregate AS a JOIN pg_type AS t ON t.oid = a.aggtranstype JOIN pg_proc AS f ON f.oid = a.aggtransfn
        WHERE a.aggfnoid::oid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'crm'::regnamespace)}),
    scalar @aggregates, 'every aggregate can be split');

# One function call for each row, in four parts; the states travel as text between all calls.
sql(q{
    CREATE FUNCTION split(aggregate regprocedure, arguments text, relation text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE
        a pg_aggregate := (SELECT x FROM pg_aggregate AS x WHERE x.aggfnoid = aggregate);
        extra CONSTANT text := CASE WHEN a.aggfinalextra THEN ', NULL::text, NULL::timestamptz' ELSE '' END;
        whole text;
        state text;
        answer text;
        place int;
    BEGIN
        FOR part IN 0..3 LOOP
            state := NULL;
            FOR place IN EXECUTE format('SELECT number FROM %s WHERE number %% 4 = $1', relation) USING part LOOP
                EXECUTE format('SELECT %s($1::bytea, %s)::text FROM %s WHERE number = $2', a.aggtransfn, arguments, relation)
                    INTO STRICT state USING state, place;
            END LOOP;
            EXECUTE format('SELECT %s($1::bytea, $2::bytea)::text', a.aggcombinefn) INTO whole USING whole, state;
        END LOOP;
        IF a.aggfinalfn = 0 THEN
            RETURN whole;
        END IF;
        EXECUTE format('SELECT %s($1::bytea%s)::text', a.aggfinalfn, extra) INTO answer USING whole;
        RETURN answer;
    END $$;
});
for my $relation (qw(orders histories measures summaries states))
{
    my $some = $relation eq 'orders' ? '(SELECT min(customer) FROM east.orders WHERE customer % 6 = 0)' : 'customer';
    $some = $relation eq 'states' ? '' : "WHERE customer = $some";
    sql("CREATE TABLE numbered_$relation AS
         SELECT row_number() OVER () AS number, r.* FROM east.$relation AS r $some LIMIT 400");
}
for my $aggregate (grep { $calls{$_} } @aggregates)
{
    my ($arguments, $relation) = @{ $calls{$aggregate} };
    (my $name = $aggregate) =~ s/\(.*//;
    # Literals have the type of the parameter only where the function cannot be mistaken.
    my @types = $aggregate =~ /\((.*)\)/ ? split(/,/, $1) : ();
    my @values = split /, /, $arguments;
    my $typed =
        join(', ', map { $types[$_] eq 'anyelement' ? $values[$_] : "($values[$_])::$types[$_]" } 0 .. $#values);
    my $whole = sql("SELECT $name($typed)::text FROM numbered_$relation");
    my $split = sql("SELECT split('$aggregate', \$\$$typed\$\$, 'numbered_$relation')");
    if ($aggregate =~ /_counts\(/)
    {
        # The bytes of unfinished states depend on how they grew; what is fitted to them does not.
        my ($fit) = $aggregate =~ /crm\.(\w+)_counts/;
        $fit = 'mbgnbd' if $fit eq 'btyd';
        ($whole, $split) = map { sql("SELECT crm.${fit}_fit('$_'::bytea)") } $whole, $split;
    }
    ok($whole ne '' && $split eq $whole, "$aggregate as Citus splits it")
        or diag(substr($whole, 0, 300), "\n", substr($split, 0, 300));
}

done_testing();
