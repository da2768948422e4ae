# Rights: every door reads the orders with the caller's own rights, row level security included, and only those who may
# write the maps change them.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('rights');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;

sub sql_as
{
    my ($role, $sql) = @_;
    return $node->safe_psql('postgres', $sql, extra_params => [ '-U', $role ]);
}

# The SQLSTATE and message of the first error of a script; what it printed where there is none.
sub refusal_of
{
    my ($role, $sql) = @_;
    my ($status, $output, $error) =
        $node->psql('postgres', "\\set VERBOSITY verbose\n$sql", extra_params => [ '-U', $role ]);
    return $status ? ($error =~ /ERROR: +(\w{5}: [^\n]*)/)[0] : "accepted: $output";
}

my $admin = $node->safe_psql('postgres', 'SELECT current_user');
sql_as($admin, q{
    CREATE EXTENSION pg_crm;
    CREATE ROLE owner LOGIN;
    CREATE ROLE analyst LOGIN;
    CREATE ROLE clerk LOGIN;
    CREATE ROLE branch_1 LOGIN;
    CREATE ROLE branch_2 LOGIN;
    CREATE ROLE auditor LOGIN BYPASSRLS;
    CREATE SCHEMA shop AUTHORIZATION owner;
    GRANT USAGE ON SCHEMA shop TO PUBLIC});
sql_as('owner', q{
    CREATE TABLE shop.orders (customer bigint, at timestamptz, amount numeric, branch name);
    INSERT INTO shop.orders
    SELECT g % 100, timestamptz '2025-01-01' + g * interval '1 hour', g, 'branch_' || g % 100 % 3 + 1
    FROM generate_series(1, 1000) AS g;
    GRANT SELECT ON shop.orders TO analyst});
my $orders = 'SELECT customer, at, amount FROM shop.orders';

# 1. Every function that takes a query, whichever slice it is of: with a right to the orders it works, without one it does
#    not. New parameters without a default need a value here, and other columns than customer, time and amount a query.

my %values = (
    key => 'NULL::bigint', as_of => "'2025-06-01'", from_date => "'2025-02-01'", to_date => "'2025-06-01'",
    period => "'month UTC'", within => "'30 days'", calendar => "'day UTC'", model => "'mbgnbd'",
    calibration_end => "'2025-01-25'", holdout => "'10 days'");
my %queries = (funnel_rows => 'SELECT customer, at, (amount % 3)::int + 1 FROM shop.orders');
my @doors = split /\n/, sql_as($admin, q{
    SELECT concat_ws('|', p.proname,
                     string_agg(concat_ws('|', p.proargnames[place], format_type(type, NULL)), '|' ORDER BY place))
    FROM pg_proc AS p, unnest(p.proargtypes) WITH ORDINALITY AS a(type, place)
    WHERE p.pronamespace = 'crm'::regnamespace AND p.proargnames[1] = 'query' AND place <= p.pronargs - p.pronargdefaults
    GROUP BY p.oid, p.proname
    ORDER BY 1});
cmp_ok(scalar @doors, '>=', 5, scalar @doors . ' doors');
for my $door (@doors)
{
    my ($name, @parameters) = split /\|/, $door;
    my $query = $queries{$name} // $orders;
    my (@arguments, $parameter, $type);
    while (($parameter, $type) = splice(@parameters, 0, 2))
    {
        my $value = $parameter eq 'query' ? "\$query\$$query\$query\$" : $values{$parameter}
            // die "$name needs a value for $parameter, which is of type $type";
        push @arguments, $type eq 'anyelement' ? $value : "$value\::$type";
    }
    my $call = "SELECT count(*) > 0 FROM crm.$name(" . join(', ', @arguments) . ')';
    is(sql_as('analyst', $call), 't', 'a reader of the orders may call ' . $door =~ tr/|/ /r);
    is(refusal_of('clerk', $call), '42501: permission denied for table orders', 'and nobody else');
}
is(sql_as($admin, q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'crm'::regnamespace AND prosecdef}), 0,
    'no function runs with the rights of its owner');

# 2. Rights are those of the moment and of the user who calls.

my $histories = "SELECT count(*) FROM crm.histories('$orders')";
is( sql_as($admin, "PREPARE reading AS $histories; EXECUTE reading; SET ROLE analyst; EXECUTE reading; RESET ROLE"),
    "100\n100", 'a prepared statement runs again for somebody who may');
is( refusal_of($admin, "PREPARE reading AS $histories; EXECUTE reading; SET ROLE clerk; EXECUTE reading"),
    '42501: permission denied for table orders', 'but not for somebody who may not');
sql_as('owner', q{
    CREATE VIEW shop.totals AS SELECT customer, at, amount FROM shop.orders WHERE customer < 10;
    CREATE VIEW shop.own_totals WITH (security_invoker) AS SELECT customer, at, amount FROM shop.orders;
    GRANT SELECT ON shop.totals, shop.own_totals TO clerk;
    GRANT SELECT (customer, at) ON shop.orders TO clerk;
    CREATE FUNCTION shop.customers() RETURNS bigint SECURITY DEFINER SET search_path = '' LANGUAGE sql AS
        $$SELECT count(*) FROM crm.histories('SELECT customer, at, amount FROM shop.orders')$$});
is(sql_as('clerk', q{SELECT count(*) FROM crm.histories('TABLE shop.totals')}), 10,
    'a view reads with the rights of its owner');
is(refusal_of('clerk', q{SELECT count(*) FROM crm.histories('TABLE shop.own_totals')}),
    '42501: permission denied for table orders', 'or with those of its reader');
is(sql_as('clerk', q{SELECT count(*) FROM crm.histories('SELECT customer, at, 1 FROM shop.orders')}), 100,
    'columns that may be read are read');
is(refusal_of('clerk', $histories), '42501: permission denied for table orders', 'others are not');
is(sql_as('clerk', 'SELECT shop.customers()'), 100, 'a function of the owner reads for its callers');
is(refusal_of('clerk', q{SELECT count(*) FROM crm.histories('SELECT 1, now(), 1 FROM pg_authid')}),
    '42501: permission denied for table pg_authid', 'catalogs are closed as ever');
is( refusal_of('clerk', q{SELECT * FROM crm.histories('SELECT length(pg_read_file(''postgresql.conf'')), now(), 1')}),
    '42501: permission denied for function pg_read_file', 'and so are functions');
is(sql_as('analyst', "BEGIN READ ONLY; $histories; COMMIT"), 100, 'a read only transaction is enough');
sql_as($admin, 'REVOKE EXECUTE ON FUNCTION crm.histories(text) FROM PUBLIC');
is(refusal_of('analyst', $histories), '42501: permission denied for function histories',
    'a door can be closed altogether');
sql_as($admin, 'GRANT EXECUTE ON FUNCTION crm.histories(text) TO PUBLIC');

# 3. Row level security, in serial and in parallel plans

sql_as('owner', q{
    GRANT SELECT ON shop.orders TO branch_1, branch_2, auditor;
    ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY, SET (parallel_workers = 2);
    CREATE POLICY own_branch ON shop.orders FOR SELECT TO branch_1, branch_2 USING (branch = current_user)});
my %plans = (
    serial => 'SET max_parallel_workers_per_gather = 0',
    parallel => 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0');
like(sql_as('branch_1', "$plans{parallel}; EXPLAIN $orders"), qr/Gather/, 'the orders can be read in parallel');
for my $plan (sort keys %plans)
{
    my $customers = "$plans{$plan}; SELECT string_agg(DISTINCT (customer_id % 3 + 1)::text, ','), count(*)";
    is(sql_as('branch_1', "$customers FROM crm.histories('$orders')"), '1|34',
        "a branch sees its customers in a $plan plan");
    is(sql_as('branch_2', "$customers FROM crm.rfm_table('$orders')"), '2|33', 'and only those');
}
is(sql_as('analyst', $histories), 0, 'without a policy there is nothing to see');
is(sql_as('auditor', $histories), 100, 'who bypasses the policy sees all');
is(sql_as('owner', $histories), 100, 'and so does the owner');
is(refusal_of('branch_1', "SET row_security = off; $histories"),
    '42501: query would be affected by row-level security policy for table "orders"', 'it cannot be turned off');
is(sql_as($admin, "SET ROLE branch_1; $histories; SET ROLE branch_2; $histories; SET ROLE auditor; $histories"),
    "34\n33\n100", 'one session sees as much as the role of the moment');

# 4. The maps are for everybody to read, and for the owner of the database to write.

is(sql_as('clerk', q{SELECT count(*), crm.rfm_segment('555', 'six') FROM crm.rfm_map
    JOIN crm.rfm_map_rule USING (map)}),
    '33|vip', 'anybody reads maps');
my $define = q{crm.define_rfm_map('theirs', '{"(all,,,{...})"}')};
for my $statement (
    q{UPDATE crm.rfm_map SET note = 'gone'}, 'DELETE FROM crm.rfm_map', 'TRUNCATE crm.rfm_map CASCADE',
        q{INSERT INTO crm.rfm_map VALUES ('theirs')},
    q{UPDATE crm.rfm_map_rule SET segment = 'vip'}, 'DELETE FROM crm.rfm_map_rule',
        q{INSERT INTO crm.rfm_map_rule VALUES ('six', 9, 'x', 'x', 'x', '{...}')},
    "SELECT $define")
{
    like(refusal_of('analyst', $statement), qr/^42501: permission denied for table rfm_map(_rule)?$/,
        "not for others: $statement");
}
like(refusal_of('analyst', 'CREATE FUNCTION crm.theirs() RETURNS int LANGUAGE sql RETURN 1'),
    qr/^42501: permission denied for schema crm$/,
    'nor is the schema');
like(refusal_of('analyst', 'ALTER TABLE crm.rfm_map ADD theirs int'), qr/^42501: must be owner of table rfm_map$/,
    'nor the tables');
like(refusal_of('analyst', 'DROP FUNCTION crm.orders(crm.history)'), qr/^42501: must be owner of function crm.orders$/,
    'nor the functions');
sql_as($admin, "SELECT $define");
is(refusal_of('analyst', q{SELECT crm.drop_rfm_map('theirs')}), '42501: permission denied for table rfm_map',
    'nor maps of the owner');
sql_as($admin, 'GRANT INSERT, UPDATE, DELETE ON crm.rfm_map, crm.rfm_map_rule TO analyst');
is(sql_as('analyst', q{SELECT crm.drop_rfm_map('theirs')}), '', 'but the right can be granted');

# Functions and operators of the caller's own schemas do not get in between.
is( sql_as('branch_1', q{
        CREATE TEMP TABLE rfm_map (map name, grades int);
        CREATE FUNCTION pg_temp.rfm_map_scores(name) RETURNS int LANGUAGE sql RETURN 1 / 0;
        CREATE FUNCTION pg_temp.lower(text) RETURNS text LANGUAGE sql RETURN 1 / 0;
        SET search_path = pg_temp, pg_catalog;
        SELECT count(DISTINCT segment) FROM crm.rfm_table('SELECT customer, at, amount FROM shop.orders',
            as_of => '2025-03-01')}) > 0,
    1, 'objects of the same names elsewhere do not matter');

# 5. The setting and the progress are anybody's.

is(sql_as('clerk', "SET pg_crm.memory = '5MB'; SHOW pg_crm.memory"), '5MB', 'anybody sets pg_crm.memory');
is(sql_as('clerk', 'SELECT count(*) FROM crm.progress'), 0, 'and looks at crm.progress');
sql_as($admin, q{ALTER ROLE clerk SET pg_crm.memory = '7MB'});
is(sql_as('clerk', q{SELECT crm.rfm_bands() IS NOT NULL; SHOW pg_crm.memory}), "t\n7MB", 'also for a role');
like(refusal_of('analyst', 'CREATE CAST (bytea AS crm.history) WITHOUT FUNCTION'),
    qr/^42501: must be owner of type bytea or type crm.history$/,
    'bytes become histories through COPY BINARY only');

$node->stop;
done_testing();
