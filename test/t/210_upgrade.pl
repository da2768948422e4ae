# Versions and upgrades: every released version can be upgraded to this one, and an upgraded extension is object by object,
# comment by comment and row by row what a fresh one is.
#
# A release leaves two files in src/upgrade: pg_crm--A.sql, its install script as it was, and later pg_crm--A--B.sql, the
# way from it to the next. Before 0.1.0 there was no release, so until 0.2.0 there is nothing to upgrade from. All the
# same it is tested that the comparison would see a difference, and, with an older version that is made up here, that a
# shop lives through an upgrade and that nothing can be forgotten in one.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use Examples;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::Bin/../..";

# An installation of its own, to which versions can be added: PostgreSQL finds its files relative to its programs, so a
# copy of these beside links to the rest is one.
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my $root = PostgreSQL::Test::Utils::tempdir('installation');
my %place = map { $_ => (run_command([ $pg_config, "--$_" ]))[0] } qw(bindir pkglibdir sharedir);
for my $name (sort keys %place)
{
    my $links = $name eq 'bindir' ? '--dereference' : '--symbolic-link';
    system_or_bail('mkdir', '-p', "$root$place{$name}");
    system_or_bail('cp', '-R', $links, "$place{$name}/.", "$root$place{$name}");
}
symlink("$root$place{bindir}", "$root/bin") or die "$root/bin: $!";
mkdir("$root/lib");
my $extension = "$root$place{sharedir}/extension";

my $node = PostgreSQL::Test::Cluster->new('upgrade', install_path => $root);
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', 'client_min_messages = error');
$node->start;

sub sql { return $node->safe_psql(@_) }

sub new_database
{
    my ($name) = @_;
    sql('postgres', "CREATE DATABASE $name");
    return $name;
}

# 1. The version is the same wherever it stands.

my ($version) = slurp_file("$top/pg_crm.control") =~ /^default_version = '([^']+)'/m;
my $meta = decode_json(slurp_file("$top/META.json"));
my $changelog = slurp_file("$top/CHANGELOG.md");
my @listed = $changelog =~ /^## \[(\d[^\]]*)\]/mg;
is(sql('postgres', q{SELECT default_version FROM pg_available_extensions WHERE name = 'pg_crm'}), $version,
    "version $version is the one that is installed");
ok((grep { $_ eq $version } @listed) || $changelog =~ /^## \[Unreleased\]\s+[^#\s]/m, "CHANGELOG.md tells of version $version");
ok((grep { $_ eq $meta->{version} } @listed), "META.json is of version $meta->{version}, which CHANGELOG.md tells of");
is_deeply([ @{ $meta->{provides}{pg_crm} }{qw(version file)} ], [ $meta->{version}, "pg_crm--$meta->{version}.sql" ],
    'META.json provides this version');
like(slurp_file("$top/debian/changelog"), qr/\Apg-crm \(\Q$meta->{version}\E-/, 'debian/changelog is of this version');

# What PGXN asks of META.json: https://pgxn.org/meta/spec.html
my $text = qr/\A\S.*\S\z/s;
my %required = (
    name => qr/\A[^\s\/\\]{2,}\z/, version => qr/\A\d+\.\d+\.\d+(-[a-z][a-z0-9]*)?\z/, abstract => $text, maintainer => $text,
    license => qr/\A(agpl_3|apache_2_0|artistic_2|bsd|gpl_[23]|lgpl_[23]_[01]|mit|mozilla_1_1|postgresql|open_source)\z/);
is(join(' ', grep { ($meta->{$_} // '') !~ $required{$_} } sort keys %required), '', 'META.json has what PGXN requires');
is_deeply($meta->{'meta-spec'}, { version => '1.0.0', url => 'https://pgxn.org/meta/spec.txt' }, 'and says by which rules');
like($meta->{release_status}, qr/\A(stable|testing|unstable)\z/, 'its status is one that PGXN knows');
my @relations = map { keys %$_ } values %{ $meta->{prereqs} };
is(join(' ', grep { !/\A(requires|recommends|suggests|conflicts)\z/ } @relations), '', 'and so are its needs');
is( join(' ', grep { !/\A[^\/\\\p{Cntrl}]{1,255}\z/ } @{ $meta->{tags} }), '', 'and its tags');
ok(-e "$top/$meta->{provides}{pg_crm}{docfile}", 'its documentation is there');

# 2. Every version before this one can be installed, and upgraded to this one.

my @earlier = sort grep { $_ ne $version } @listed;
is( sql('postgres', qq{
        SELECT coalesce(string_agg(version, ' ' ORDER BY version COLLATE "C"), '')
        FROM pg_available_extension_versions WHERE name = 'pg_crm' AND version <> '$version'}),
    "@earlier", 'the earlier versions that can be installed are those of CHANGELOG.md: ' . (@earlier ? "@earlier" : 'none'));
is( sql('postgres', qq{
        SELECT coalesce(string_agg(source, ' ' ORDER BY source COLLATE "C"), '')
        FROM pg_extension_update_paths('pg_crm') WHERE target = '$version' AND path IS NOT NULL}),
    "@earlier", 'there is a way from each to this one');

# Everything that belongs to the extension, as statements, with the rows of its tables and without the numbers of objects.
my $numbers = qr/binary_upgrade_set_|\.binary_upgrade_create_empty_extension|^SET\ relfrozenxid|^WHERE\ oid\ =\ |
                 ^\\(un)?restrict\ |^--|^$/x;

sub content_of
{
    my ($database) = @_;
    my ($dump, $error) = run_command([ 'pg_dump', '--binary-upgrade', '-h', $node->host, '-p', $node->port, $database ]);
    die "pg_dump failed: $error" if $error;
    my @tables = split /\n/, sql($database, q{
        SELECT c.oid::regclass
        FROM pg_depend AS d JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
        WHERE d.deptype = 'e' AND c.relkind = 'r' ORDER BY 1});
    return (
        (grep { $_ !~ $numbers } split /\n/, $dump),
        (map { split /\n/, sql($database, "SELECT '$_: ' || t::text FROM $_ AS t ORDER BY 1") } @tables),
        # Lines are compared as a set, so the order of columns is told on its own.
        (split /\n/, sql($database, q{
            SELECT format('%s %s %s', attrelid::regclass, row_number() OVER (PARTITION BY attrelid ORDER BY attnum), attname)
            FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
            WHERE c.relnamespace = 'crm'::regnamespace AND attnum > 0 AND NOT attisdropped})),
        sql($database, q{
            SELECT extversion, extrelocatable, extnamespace::regnamespace, extconfig::regclass[], extcondition
            FROM pg_extension WHERE extname = 'pg_crm'}));
}

# The lines that only one of them has.
sub differences
{
    my ($one, $other) = map { my %lines; ++$lines{$_} for content_of($_); \%lines } @_;
    my %all = (%$one, %$other);
    return join("\n", sort grep { ($one->{$_} // 0) != ($other->{$_} // 0) } keys %all);
}

my $fresh = new_database('fresh');
sql($fresh, 'CREATE EXTENSION pg_crm');
my @content = content_of($fresh);
my $objects = grep { /^(CREATE|COMMENT ON|ALTER EXTENSION pg_crm ADD)/ } @content;
cmp_ok($objects, '>', 1000, "$objects statements make the extension");

for my $from (@earlier)
{
    (my $database = "from_$from") =~ tr/./_/;
    sql(new_database($database), "CREATE EXTENSION pg_crm VERSION '$from'");
    sql($database, 'ALTER EXTENSION pg_crm UPDATE');
    is(differences($database, $fresh), '', "upgraded from $from it is what a fresh one is");
}

# 3. The comparison sees what it should, each in a fresh extension of its own.

my $second = new_database('second');
sql($second, 'CREATE EXTENSION pg_crm');
is(differences($second, $fresh), '', 'two fresh ones are the same');
my %changes = (
    'a comment' => q{COMMENT ON FUNCTION crm.orders(crm.history) IS 'Number of orders.'},
    'a comment on a column' => q{COMMENT ON COLUMN crm.rfm.recency IS 'Days.'},
    'a missing comment' => q{COMMENT ON AGGREGATE crm.rollup(crm.history) IS NULL},
    'volatility' => q{ALTER FUNCTION crm.orders(crm.history) STABLE},
    'parallel safety' => q{ALTER FUNCTION crm.orders(crm.history) PARALLEL RESTRICTED},
    'a cost' => q{ALTER FUNCTION crm.orders(crm.history) COST 99},
    'a setting of a function' => q{ALTER FUNCTION crm.check_shop_scoring(crm.shop) RESET search_path},
    'rights' => q{REVOKE EXECUTE ON FUNCTION crm.orders(crm.history) FROM PUBLIC},
    'an object that does not belong to it' => q{ALTER EXTENSION pg_crm DROP FUNCTION crm.orders(crm.history)},
    'an object too many' => q{
        CREATE FUNCTION crm.more() RETURNS int LANGUAGE sql RETURN 1;
        ALTER EXTENSION pg_crm ADD FUNCTION crm.more()},
    'an aggregate' => q{
        CREATE OR REPLACE AGGREGATE crm.rollup(crm.history) (SFUNC = crm.history_accumulate, STYPE = bytea, SSPACE = 256,
            FINALFUNC = crm.history_finish, FINALFUNC_MODIFY = READ_ONLY, PARALLEL = SAFE)},
    'a default' => q{ALTER TABLE crm.rfm_map ALTER shipped SET DEFAULT true},
    'a value of an enum' => q{ALTER TYPE crm.btyd_model ADD VALUE 'other'},
    'a column' => q{ALTER TABLE crm.rfm_map ADD COLUMN more int},
    'a row' => q{DELETE FROM crm.rfm_map_rule WHERE map = 'six' AND segment = 'vip'});
for my $change (sort keys %changes)
{
    (my $database = $change) =~ tr/ /_/;
    sql(new_database($database), "CREATE EXTENSION pg_crm; $changes{$change}");
    isnt(differences($database, $fresh), '', "the comparison sees $change");
}

# 4. An upgrade as a release makes it, from a version that never was: this one without some of what a release adds.

my $never = '0.0.9';
my $older = slurp_file("$extension/pg_crm--$version.sql");

# Takes a statement out of the older version.
sub take
{
    my ($start) = @_;
    $older =~ s/^(\Q$start\E.*?;\n)//ms or die "no statement begins with $start";
    return $1;
}

# Makes a statement of the older version another one, and gives what it is today.
sub change
{
    my ($start, $end, $now, $then) = @_;
    $older =~ /^\Q$start\E.*?\Q$end\E\n/ms or die "no statement begins with $start";
    my ($place, $statement) = ($-[0], $&);
    (my $former = $statement) =~ s/\Q$now\E/$then/ or die "'$now' is not in $start";
    substr($older, $place, length $statement) = $former;
    return $statement =~ s/\ACREATE FUNCTION/CREATE OR REPLACE FUNCTION/r;
}
$older =~ s/^(CREATE TYPE crm\.ltv AS \([^)]*),\s+ltv numeric\);/$1);/m or die 'no column ltv in crm.ltv';
my $row = $older =~ s/,\n(\('rf10', 10, [^;]*;\n)/;\n/ ? $1 : die 'no row of rf10';
my %steps = (
    'a function of the library' => take('CREATE FUNCTION crm.jaccard(') . take('COMMENT ON FUNCTION crm.jaccard('),
    'a view' => take('CREATE VIEW crm.progress AS') . take('GRANT SELECT ON crm.progress')
        . take('COMMENT ON VIEW crm.progress') . join('', map { take('COMMENT ON COLUMN crm.progress.') } 1 .. 5),
    'a right' => take('GRANT USAGE ON SCHEMA crm'),
    'a column' => "ALTER TYPE crm.ltv ADD ATTRIBUTE ltv numeric;\n" . take('COMMENT ON COLUMN crm.ltv.ltv'),
    'a row' => "INSERT INTO crm.rfm_map_rule (map, position, segment, label, label_ja, scores) VALUES\n$row",
    'a comment' => change('COMMENT ON FUNCTION crm.orders(crm.history)', ';', 'Number of purchases', 'Orders'),
    'a body' => change('CREATE FUNCTION crm.make_shop_views(', '$$;', 'score::numeric, 3)', 'score::numeric, 2)'));
sub write_file
{
    my ($name, $content) = @_;
    unlink "$extension/$name";
    append_to_file("$extension/$name", $content);
    return;
}
sub write_upgrade # without the step that is forgotten
{
    my ($forgotten) = @_;
    write_file("pg_crm--$never--$version.sql", join('', map { $steps{$_} } grep { $_ ne $forgotten } sort keys %steps));
    return;
}
write_file("pg_crm--$never.sql", $older);
for my $forgotten (sort(keys %steps), '')
{
    write_upgrade($forgotten);
    (my $database = "without_$forgotten") =~ tr/ /_/;
    sql(new_database($database), "CREATE EXTENSION pg_crm VERSION '$never'; ALTER EXTENSION pg_crm UPDATE");
    my $differences = differences($database, $fresh);
    if ($forgotten) { isnt($differences, '', "an upgrade that forgot $forgotten would be noticed") }
    else { is($differences, '', "upgraded from $never it is what a fresh one is") }
}

# The library of this version with the objects of the older one, and then the upgrade, with changes that wait in a shop

sub shop { return sql('postgres', $_[0]) }
sub definition_of_shop
{
    my ($dump, $error) = run_command([ 'pg_dump', '-s', '-n', 'shop', '-h', $node->host, '-p', $node->port, 'postgres' ]);
    die "pg_dump failed: $error" if $error;
    return $dump =~ s/^\\(un)?restrict .*\n//mgr;
}
my $last_run = 'SELECT status, changes, customers FROM crm.refresh_run ORDER BY run DESC LIMIT 1';
shop("CREATE EXTENSION pg_crm VERSION '$never'");
make_examples($node);
shop(q{INSERT INTO example.orders (customer, at, amount) SELECT g, '2025-01-31Z', 20 FROM generate_series(60, 75) AS g});
shop(q{CALL crm.refresh('shop', '2025-02-01Z')});
is(shop($last_run), 'done|16|16', 'a refresh of the older version works with the library of this one');
shop(q{INSERT INTO example.orders (customer, at, amount) SELECT g, '2025-01-31Z', 30 FROM generate_series(70, 80) AS g});
shop(q{CREATE TABLE example.older AS SELECT * FROM example.answers('reads')});
my $functions = shop('SELECT count(*) FROM example.older');
cmp_ok($functions, '>', 280, "and so do $functions functions:");
is(shop('SELECT signature, error FROM example.older WHERE error IS NOT NULL'), '', 'none fails');
my $definition = definition_of_shop();

shop('ALTER EXTENSION pg_crm UPDATE');
is( shop(q{SELECT signature, n.error FROM example.older AS o JOIN example.call USING (signature)
               LEFT JOIN example.answers('reads') AS n USING (signature)
           WHERE n.digest IS DISTINCT FROM o.digest AND result <> 'crm.ltv'}),
    '', 'after the upgrade they give what they gave before');
shop('SELECT crm.alter_shop(shop) FROM crm.shop');
isnt(definition_of_shop(), $definition, 'crm.alter_shop makes views anew');
$definition = definition_of_shop();
shop(q{CALL crm.refresh('shop', '2025-02-01Z')});
like(shop($last_run), qr/^done\|11\|/, 'what waited is applied');
shop(q{CALL crm.rebuild('shop', '2025-02-01Z')});
is(shop($last_run), 'done|0|0', 'and the shop is what its orders say');
shop(q{SELECT crm.drop_shop('shop');
       SELECT crm.create_shop('shop', 'example.orders', 'customer', 'at', 'amount', zone => 'Asia/Tokyo', grades => 5,
                              tiers => crm.tier_ladder('{low,high}', '{0,500}'))});
is(definition_of_shop(), $definition, 'a new shop is made of the same');

$node->stop;
done_testing();
