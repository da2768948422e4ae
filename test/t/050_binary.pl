# Binary input: thousands of random changes to valid values, through COPY BINARY. Each is refused by an error that names
# the type, or gives a value that is sent as the very same bytes. Stored values that were damaged make an error or some
# value. Nothing makes a crash.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";
use Mutation;

my $changes_of_each_value = 250;
announce_seed();

my $node = PostgreSQL::Test::Cluster->new('binary');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]) }
sql('CREATE EXTENSION pg_crm');

# Values of each type, as queries that give them.
my %values = (
    history => q{
        SELECT text::crm.history
        FROM unnest('{[],
            "[[\"2026-01-01T00:30:00Z\",1200]]", "[[\"2026-01-01T00:00:00Z\",-0.5]]",
            "[[\"2026-01-01T00:30:00Z\",1200],[\"2026-02-03T04:05:06.5Z\",-99.5],[\"2026-02-03T04:05:06.5Z\",0.000001]]",
            "[[\"-4713-11-24T00:00:00Z\",9223372036854775807],[\"294276-12-31T23:59:59.999999Z\",-9223372036854775807]]",
            "[[\"2026-01-01T00:00:00Z\",-1],[\"2026-01-02T00:00:00Z\",5],[\"2026-01-03T00:00:00Z\",5],[\"2026-01-04T00:00:00Z\",-1]]"}'::text[]) AS text
        UNION ALL
        SELECT crm.history(timestamptz '2024-01-01' + g * g * step, (g % 11 - 3) * 12.34)
        FROM generate_series(1, 60) AS g, unnest('{1 day, 1 hour, 1 minute, 1 second, 1 microsecond}'::interval[]) AS step
        GROUP BY step},
    rfm_score => q{SELECT score::crm.rfm_score FROM unnest('{111,543,999,129,555}'::text[]) AS score},
    idset => q{
        SELECT text::crm.idset
        FROM unnest('{"{}", "{-1}", "{1,2,5}", "{0,1000000000000,-1000000000000}", "{1..100000}", "{-70000..-1,5,100..70000}",
            "{-9223372036854775808,9223372036854775807}"}'::text[]) AS text
        UNION ALL
        SELECT crm.idset(g * step) FROM generate_series(1, 9000) AS g, unnest('{2, 7, 65536, 1000003}'::bigint[]) AS step
        GROUP BY step},
    calendar => q{
        SELECT text::crm.calendar
        FROM unnest('{day UTC,month Asia/Tokyo,30 days America/New_York,year <+09>-09,week Etc/GMT+5}'::text[]) AS text},
    cohorts => q{
        SELECT crm.cohorts(h, calendar::crm.calendar, '2026-06-01')
        FROM some_histories, unnest('{day UTC,month Asia/Tokyo,30 days UTC}'::text[]) AS calendar GROUP BY calendar},
    repeats => q{SELECT crm.repeats(h, as_of) FROM some_histories, unnest('{2026-03-01,2027-01-01}'::timestamptz[]) AS as_of GROUP BY as_of},
    survival => q{
        SELECT crm.survival(g * g % 50 / n, g % 3 > 0) FROM generate_series(1, 100) AS g, unnest('{1,7}'::float8[]) AS n GROUP BY n
        UNION ALL
        SELECT crm.renewal_hazard(g % 12, g % 4 > 0) FROM generate_series(1, 100) AS g});
sql(q{
    CREATE TABLE some_histories AS
    SELECT crm.history(timestamptz '2026-01-01' + g * interval '7 hours' * (g % 5), (g % 9 - 2) * 1.5) AS h
    FROM generate_series(1, 200) AS g GROUP BY g * g % 23});
my %names = (history => qr/crm\.history/, rfm_score => qr/crm\.rfm_score/, idset => qr/crm\.idset/, calendar => qr/calendar|time zone/,
    cohorts => qr/crm\.cohorts/, repeats => qr/crm\.repeats/, survival => qr/crm\.survival/);

sub copy_file
{
    my ($name, @rows) = @_;
    my $file = $node->basedir . "/$name";
    open my $out, '>:raw', $file or die "$file: $!";
    print $out "PGCOPY\n\xff\r\n\0", pack('NN', 0, 0);
    print $out pack('nNNN/a*', 2, 4, $_->[0], $_->[1]) for @rows;
    print $out pack('n', 0xffff);
    close $out;
    return $file;
}

sub values_of
{
    my ($type) = @_;
    my $bytes = sql("SELECT encode(crm.${type}_send(v), 'hex') FROM ($values{$type}) AS o(v)");
    return map { pack('H*', $_) } split /\n/, $bytes;
}

for my $type (sort keys %values)
{
    my @valid = values_of($type);
    sql("CREATE TABLE ${type}_copy (id int, v crm.$type)");
    my $file = copy_file("valid_$type", map { [ $_, $valid[$_] ] } 0 .. $#valid);
    is( sql(qq{\\copy ${type}_copy FROM '$file' (FORMAT binary)
            SELECT count(*) FROM (SELECT crm.${type}_send(v) FROM ${type}_copy INTERSECT ALL SELECT crm.${type}_send(v) FROM ($values{$type}) AS o(v)) AS same;
            TRUNCATE ${type}_copy}),
        scalar @valid, "$type: what was sent is received");

    my (@tried, $script);
    for my $value (@valid)
    {
        push @tried, changed($value, @valid) for 1 .. $changes_of_each_value;
    }
    $script = "\\set VERBOSITY verbose\nSELECT pg_backend_pid();\n";
    for my $id (0 .. $#tried)
    {
        my $changed_file = copy_file("${type}_$id", [ $id, $tried[$id] ]);
        $script .= "\\echo :$id\n\\warn :$id\n\\copy ${type}_copy FROM '$changed_file' (FORMAT binary)\n";
    }
    $script .= "SELECT pg_backend_pid();\n";
    append_to_file($node->basedir . "/$type.sql", $script);
    my ($output, $errors) =
        run_command([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', $node->basedir . "/$type.sql" ]);
    my @pids = grep { !/^:/ } split /\n/, $output;
    is($pids[-1], $pids[0], "$type: one backend outlived " . @tried . ' attempts');

    my %accepted =
        map { split /\|/ } split /\n/, sql("SELECT id, encode(crm.${type}_send(v), 'hex') FROM ${type}_copy");
    my %refused = map { /^(\d+)\n(.*)/s ? ($1 => $2) : () } split /^:/m, $errors;
    # PostgreSQL itself says that there are too few or too many bytes, or that they are no text.
    my $reason = qr/$names{$type}|incorrect binary data format|insufficient data left in message|invalid byte sequence/;
    my @surprises = map { unpack('H*', $tried[$_]) . ': ' . ($accepted{$_} // $refused{$_}) } grep {
        exists $accepted{$_}
            ? pack('H*', $accepted{$_}) ne $tried[$_]
            : $refused{$_} !~ /ERROR: +(?:22P03|22P02|22023|08P01|22021): [^\n]*$reason/
    } 0 .. $#tried;
    is(join("\n", splice(@surprises, 0, 5)), '', "$type: each of them is refused for what it is, or kept as it is");
    cmp_ok(scalar keys %accepted, '>', 0, scalar(keys %accepted) . ' were values');
    cmp_ok(@tried - keys %accepted, '>', @tried / 2, @tried - keys(%accepted) . ' were none');
    is(sql("SELECT count(*) FROM ${type}_copy WHERE crm.${type}_send(v::text::crm.$type) <> crm.${type}_send(v)"),
        0, 'their text reads as the same value');
}

# Damaged histories that are stored already: reading them says so, or reads what is left of them.
sql(q{
    SET search_path = public, crm;
    CREATE CAST (bytea AS crm.history) WITHOUT FUNCTION;
    CREATE TABLE damaged (bytes bytea)});
my @histories = values_of('history');
for my $value (@histories)
{
    append_to_file($node->basedir . '/damaged', '\\\\x' . unpack('H*', changed($value, @histories)) . "\n")
        for 1 .. $changes_of_each_value;
}
sql("\\copy damaged FROM '" . $node->basedir . "/damaged'");
my $outcomes = sql(q{
    SET search_path = public, crm;
    CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        EXECUTE statement;
        RETURN 'read';
    EXCEPTION WHEN OTHERS THEN
        RETURN SQLSTATE;
    END $$;
    SELECT DISTINCT outcome(format('SELECT %s FROM (VALUES (%L::bytea::crm.history)) AS v(h)', use, bytes))
    FROM damaged,
         unnest(ARRAY['h::text', 'h::jsonb', 'crm.history_send(h)', 'crm.history_hash(h)', 'h = h', 'h || h', 'h - h',
             'crm.orders(h)', 'crm.revenue(h)', 'crm.refunded(h)', 'crm.first_order(h)', 'crm.last_order(h)',
             'crm.intervals(h)', '(SELECT count(*) FROM crm.purchases(h))', 'crm.rollup(h)',
             'crm.recency(h, ''2026-05-01'')', 'crm.tenure(h, ''2026-05-01'')', 'crm.add(h, ''2026-01-05'', 5)',
             'crm.until(h, ''2026-01-20'')', 'crm.within(h, ''[2026-01-01,2026-01-20]'')',
             'crm.rfm(h, ''2026-01-02'', ''1 year'')', 'crm.cpm(h, ''2026-03-02'')',
             'crm.cohort(h, ''month Asia/Tokyo'')', 'crm.per(h, ''month Asia/Tokyo'')']) AS use
    ORDER BY 1});
like($outcomes, qr/^(?:(?:22003|22008|XX001|read)\n?)+$/, 'damaged histories: ' . $outcomes =~ s/\n/ /gr);
cmp_ok(sql('SELECT count(*) FROM damaged'), '>', 2000, 'thousands of them');
unlike(slurp_file($node->logfile), qr/server process .* terminated by signal|PANIC|TRAP/, 'no process died');

$node->stop;
done_testing();
