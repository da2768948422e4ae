# Every function written in C++, called by hand with whatever SQL can pass to it: damaged aggregate states, values at the
# edge of their types, binary values of every type that were changed at random. The server survives, and each outcome is a
# value or an error that says what is wrong.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Mutation;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $calls_of_each_function = 150;
my $changes_of_each_type = 150;
announce_seed();

my $node = PostgreSQL::Test::Cluster->new('hostile');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "statement_timeout = '5s'\nfsync = off\n");
$node->start;
sub sql { return $node->safe_psql('postgres', "SET search_path = public, crm;\n$_[0]") }

# What an error may be: no internal one, and nothing of the system. XX001 says that a set or history inside is damaged.
my $clean = qr/^(?!XX000|XX002|57P|58)/;

# 1. Values to call with, as expressions by their types, and rows to aggregate.

sql(q{
    CREATE EXTENSION pg_crm;
    CREATE TABLE samples AS
    SELECT g, timestamptz '2026-01-01' + g * g % 97 * interval '31 hours' AS t, (g * 7919 % 500 - 40) / 100.0 AS a
    FROM generate_series(1, 90) AS g;
    CREATE TABLE customers AS
    SELECT s.c, s.h, crm.rfm(s.h, '2026-07-01', '1 year') AS r, cohorts, repeats, survival, ids
    FROM (SELECT g * g % 17 AS c, crm.history(t, a) AS h FROM samples GROUP BY 1) AS s,
         LATERAL (SELECT crm.cohorts(i.h, 'month Asia/Tokyo', '2026-07-01'), crm.repeats(i.h, '2026-07-01')
                  FROM (SELECT s.h) AS i) AS counted(cohorts, repeats),
         LATERAL (SELECT crm.survival(g, g % 3 > 0) AS survival FROM generate_series(c, 40) AS g) AS curve,
         LATERAL (SELECT crm.idset(g * c) AS ids FROM generate_series(1, 50 * c + 1) AS g) AS sets});

my %values = (
    boolean => [qw(true false)],
    smallint => [qw(0 1 -1 32767 -32768)],
    integer => [qw(0 1 -1 2 5 9 100 2147483647 -2147483648)],
    bigint => [qw(0 1 -1 7 65536 9223372036854775807 -9223372036854775808)],
    numeric => [qw(0 12.34 -0.000001 1e30 -1e30 0.0000001 NaN Infinity 9223372036854775807)],
    'double precision' => [qw(0 -0 0.5 1 20 0.95 -3 1e-320 1e308 NaN Infinity -Infinity)],
    text => [ '', 'day', '2026', 'month Asia/Tokyo', 'SELECT 1', 'SELECT g, t, a FROM public.samples', 'SELECT g, t, g FROM public.samples', "x' ; --", 'あ' ],
    name => [ '', 'standard_ja', 'x' x 63 ],
    'timestamp with time zone' => [ '2026-07-01', '2026-03-08 12:34:56.789012+09', '2000-01-01', '4714-11-24 BC', '294276-12-31 23:59:59.999999+00', 'infinity', '-infinity' ],
    date => [ '2026-07-01', '4714-11-24 BC', '5874897-12-31', 'infinity' ],
    interval => [ '1 year', '90 days', '1 microsecond', '0', '-1 day', '1 mon -1 day', '178000000 years' ],
    regclass => [ 'samples', 'pg_class', '0' ],
    tstzrange => [ '[2026-01-01,2026-02-01)', 'empty', '(,)', '[infinity,infinity]', '[4714-11-24 BC,)' ],
    jsonb => [ '[]', '{}', 'null' ],
    'bigint[]' => [ '{}', '{1,5,2,2}', '{NULL}', '{{1,2},{3,4}}', '{-9223372036854775808,9223372036854775807}' ],
    'integer[]' => [ '{}', '{1}', '{NULL}', '{{1,2},{3,4}}' ],
    'text[]' => [ '{}', '{a,b}', '{NULL}' ],
    cstring => [ '', '{1..5}', '[]', 'month UTC', '\x00', 'x' x 500 ],
    anyelement => [ '0::integer', 'NULL::bigint', "'x'::text", "'2026-01-01'::date", 'ROW(1)' ],
    'crm.calendar' => [ 'day UTC', 'week Asia/Tokyo', 'month America/New_York', 'year Pacific/Apia', '36500 days UTC', '30 days Asia/Tokyo' ]);
for my $type (grep { $_ ne 'anyelement' } keys %values)
{
    $_ = "'" . s/'/''/gr . "'::$type" for @{ $values{$type} };
}
my %expressions = (
    'crm.history' => 'SELECT h FROM customers',
    'crm.rfm' => 'SELECT r FROM customers',
    'crm.cohorts' => 'SELECT cohorts FROM customers',
    'crm.repeats' => 'SELECT repeats FROM customers',
    'crm.survival' => 'SELECT survival FROM customers',
    'crm.idset' => 'SELECT ids FROM customers',
    'crm.rfm_bands' => "SELECT crm.rfm_bands() UNION ALL SELECT ROW('{1,2}', '{2,1}', '{NaN,1}')::crm.rfm_bands",
    'crm.rfm_score' => q{SELECT unnest('{111,999,345}'::crm.rfm_score[])},
    'crm.cpm' => "SELECT crm.cpm(h, '2026-07-01') FROM customers LIMIT 5",
    'crm.ltv' => "SELECT crm.ltv(h, '2026-07-01') FROM customers",
    'crm.tier_ladder' => q{
        SELECT jsonb_populate_record(NULL::crm.tier_ladder, ladder)
        FROM unnest('{"{\\"names\\": [\\"bronze\\", \\"gold\\"], \\"thresholds\\": [0, 100000]}", "{\\"names\\": [null]}"}'::jsonb[]) AS ladder});
for my $model (qw(bgnbd mbgnbd pareto_nbd gamma_gamma sbg))
{
    my %numbers = (gamma_gamma => '6, 4, 15', sbg => '0.7, 1.3');
    my $fields = sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 'crm.$model'::regclass AND attnum > 0");
    my @row = split /, /, $numbers{$model} // "0.2, 4, 0.8, 2.5, 'week UTC'";
    my @wild = map { /'/ ? $_ : pick('NaN', '1e-10', '1e10', '-1', 'NULL') } @row;
    $expressions{"crm.$model"} = join ' UNION ALL ',
        map { "SELECT '(" . join(',', map { s/'|NULL//gr } @$_) . ',' x ($fields - @$_) . ")'::crm.$model" } (\@row, \@wild);
}
my @types = split /\n/, sql(q{
    SELECT format_type(t.oid, NULL) || ' ' || typsend || ' ' || CASE typtype WHEN 'c' THEN format('SELECT jsonb_populate_record(NULL::crm.%I, $${}$$)', typname)
               WHEN 'e' THEN format('SELECT unnest(enum_range(NULL::crm.%I))', typname) ELSE '' END
    FROM pg_type AS t LEFT JOIN pg_class AS c ON c.oid = typrelid
    WHERE typnamespace = 'crm'::regnamespace AND typcategory <> 'A' AND coalesce(relkind, 'c') = 'c'}) =~ s/^(?!crm\.)/crm./gmr;
my %sender;
for (@types)
{
    my ($type, $sender, $plain) = split / /, $_, 3;
    $sender{$type} = $sender;
    $expressions{$type} //= $plain if $plain;
    next unless $expressions{$type};
    $values{$type} //= [ map { "'" . s/'/''/gr . "'::$type" } split /\x01/, sql("SELECT string_agg(v::text, E'\\x01') FROM ($expressions{$type}) AS o(v)") ];
}
is(join(' ', grep { !$values{$_} } sort keys %sender), '', keys(%sender) . ' types have values');

# 2. Aggregate states: what each transition function makes of some rows.

my %row = (
    anyelement => 'g', integer => '(g % 4 + 1)::integer', boolean => 'g % 3 > 0', numeric => 'a', bigint => '(g % 7)',
    interval => "interval '90 days'", 'crm.calendar' => "'week Asia/Tokyo'::crm.calendar", 'crm.fit_method' => "'automatic'::crm.fit_method",
    'crm.history' => 'h', 'crm.rfm' => 'r', 'crm.cohorts' => 'cohorts', 'crm.repeats' => 'repeats', 'crm.survival' => 'survival',
    'crm.idset' => 'ids');
my (%states, @all_states);
my @aggregates = split /\n/, sql(q{
    SELECT aggtransfn::oid::regproc, aggcombinefn::oid::regproc, aggfinalfn::oid::regproc,
           array_to_string(ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) WITH ORDINALITY AS u(t, n) ORDER BY n), ',')
    FROM pg_aggregate AS a JOIN pg_proc AS p ON p.oid = a.aggfnoid
    WHERE pronamespace = 'crm'::regnamespace AND aggtranstype = 'bytea'::regtype ORDER BY a.aggfnoid::regprocedure::text});
my $made = 0;
for (@aggregates)
{
    my ($transition, $combine, $final, $arguments) = split /\|/;
    my @arguments = map { /^(?:history|rfm|cohorts|repeats|survival|idset|calendar|fit_method)$/ ? "crm.$_" : $_ } split /,/, $arguments;
    next if grep { $_ eq 'bytea' } @arguments; # of what others counted
    my $numbers = 0;
    my @given = map {
        my $argument = $arguments[$_];
        $argument eq 'timestamp with time zone' ? ($_ == 0 || $arguments[0] eq 'anyelement' ? 't' : "timestamptz '2026-09-01'")
            : $argument eq 'double precision' ? ($numbers++ ? '20::float8' : '(g % 7)::float8')
            : $arguments[0] eq 'crm.rfm' && $_ > 0 ? '5' # grades, the same for all rows
            : $row{$argument} // die "no column for $argument of $transition"
    } 0 .. $#arguments;
    $made++;
    my @found = map { pack('H*', $_) } split /\n/, sql(qq{
        CREATE AGGREGATE public.state_$made($arguments) (SFUNC = $transition, STYPE = bytea);
        SELECT encode(public.state_$made(@{[ join(', ', @given) ]}), 'hex')
        FROM public.samples JOIN public.customers ON c = g % 17 GROUP BY g % 2 HAVING public.state_$made(@{[ join(', ', @given) ]}) IS NOT NULL});
    push @{ $states{$_} }, @found for grep { $_ ne '-' } ($transition, $combine, $final);
    push @all_states, @found;
}
cmp_ok(scalar @all_states, '>', $made, scalar(@all_states) . " states of $made aggregates");

sub literal_state
{
    my ($function) = @_;
    my @mine = @{ $states{$function} // \@all_states };
    my $state = pick(@mine, $mine[0], pick(@all_states), '', "\0" x 16, "\0" x 4096);
    return "'\\x" . unpack('H*', rand() < 0.85 ? changed($state, @mine) : $state) . "'::bytea";
}

sub null_of { return $_[0] eq 'anyelement' ? 'NULL::integer' : "NULL::$_[0]" }

# 3. Each statement in a session that none of them may end.

sub outcomes_of
{
    my ($name, @statements) = @_;
    my $file = $node->basedir . "/$name.sql";
    open my $script, '>:raw', $file or die "$file: $!";
    print $script "\\set VERBOSITY verbose\nSET search_path = public, crm;\nSELECT pg_backend_pid();\n\\o /dev/null\n";
    print $script "\\warn :$_\n$statements[$_]\n\\echo done\n" for 0 .. $#statements;
    print $script "\\o\nSELECT pg_backend_pid();\n";
    close $script;
    my ($output, $errors) = run_command([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', $file ]);
    my @pids = grep { /^\d+$/ } split /\n/, $output;
    is(scalar(() = $output =~ /^done$/mg), scalar @statements, "$name: " . @statements . ' statements were run');
    is($pids[-1], $pids[0], "$name: one backend outlived them");
    my %refused;
    for (split /^(?=:\d+$)/m, $errors)
    {
        $refused{$1} = "$2: $3" if /^:(\d+)\n.*?(?:ERROR|FATAL): +(\w{5}): ([^\n]*)/s;
    }
    my @bad = map { "$refused{$_}\n  of " . substr($statements[$_], 0, 2000) } grep { $refused{$_} !~ $clean } sort { $a <=> $b } keys %refused;
    is(join("\n", splice(@bad, 0, 5)), '', "$name: none of " . keys(%refused) . ' errors is internal');
    cmp_ok(keys %refused, '<', @statements, @statements - keys(%refused) . ' gave a value');
    my %codes;
    $codes{ substr($_, 0, 5) }++ for values %refused;
    note("$name: " . join(', ', map { "$_ $codes{$_}" } sort keys %codes));
}

my @functions = split /\n/, sql(q{
    SELECT p.oid::regproc, array_to_string(ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) WITH ORDINALITY AS u(t, n) ORDER BY n), ',')
    FROM pg_proc AS p JOIN pg_language AS l ON l.oid = prolang
    WHERE pronamespace = 'crm'::regnamespace AND lanname = 'c' AND prokind = 'f' AND prorettype <> 'trigger'::regtype
      AND NOT proargtypes::oid[] && ARRAY['internal'::regtype::oid] ORDER BY p.oid::regprocedure::text});
my @calls;
my %known = map { s/^crm\.//r => $_ } keys %values;
for (@functions)
{
    my ($function, $arguments) = split /\|/;
    my @arguments = map { $known{$_} // $_ } split /,/, $arguments;
    for (1 .. $calls_of_each_function)
    {
        my $call = join ', ', map { rand() < 0.05 ? null_of($_) : $_ eq 'bytea' ? literal_state($function) : pick(@{ $values{$_} // [ null_of($_) ] }) } @arguments;
        push @calls, "SELECT count(r::text) FROM $function($call) AS r;";
    }
}
cmp_ok(scalar @functions, '>', 200, scalar(@functions) . ' functions to call');
outcomes_of('functions', @calls);

# 4. Binary values of every type, changed.

my @copies;
for my $type (sort keys %sender)
{
    my $table = 'copied_' . $type =~ s/\W/_/gr;
    my @sent = map { pack('H*', $_) } split /\n/, sql("SELECT encode($sender{$type}(v), 'hex') FROM (VALUES " . join(', ', map { "($_)" } @{ $values{$type} }) . ") AS o(v)");
    sql("CREATE TABLE public.$table (v $type)");
    for my $number (1 .. $changes_of_each_type)
    {
        my $file = $node->basedir . "/$table.$number";
        open my $out, '>:raw', $file or die "$file: $!";
        print $out "PGCOPY\n\xff\r\n\0", pack('NN', 0, 0), pack('nN/a*n', 1, changed(pick(@sent), @sent), 0xffff);
        close $out;
        push @copies, "\\copy public.$table FROM '$file' (FORMAT binary)";
    }
    push @copies, "SELECT count(v::text) FROM public.$table;";
}
outcomes_of('copies', @copies);

unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|TRAP|AddressSanitizer|runtime error/, 'no process died');
is(sql("SELECT crm.orders(crm.history('2026-01-01', 1))"), '1', 'and the server works on');
$node->stop;
done_testing();
