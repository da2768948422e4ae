# The documentation: its examples run and print what the pages say, its links lead somewhere, the reference is what
# tools/reference prints, and every object of the extension has a comment and every function an example.
#
# The convention for README.md and docs/*.md:
# - Every block ```sql is run by psql, page by page in a fresh database, in order, in one session for each page.
# - A block ```text (or ``` without a name) right below it, with nothing but empty lines between, is its output to the
#   letter: rows, notices, errors. Only blanks at the ends of lines do not count, and psql runs with \pset footer off (no
#   number of rows) and \set SHOW_CONTEXT never.
# - A block ```sql without output may print anything but notices, warnings and errors.
# - What cannot run stands in an indented block. Session settings that matter, such as TimeZone, are set on the page:
#   here the session's zone is one that nobody expects.
use strict;
use warnings FATAL => 'all';

use File::Basename qw(basename dirname);
use FindBin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::Bin/../..";
my $generated = 'reference.md';
my @pages = ("$top/README.md", sort glob("$top/docs/*.md"));

my $node = PostgreSQL::Test::Cluster->new('docs');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;

sub page_text
{
    my ($page) = @_;
    return slurp_file($page);
}

# The fenced blocks of a page: name, first line, text, and whether only empty lines stand before it and the last one.
sub blocks_of
{
    my ($page) = @_;
    my (@blocks, $open);
    my ($number, $follows) = (0, 0);
    for my $line (split /^/, page_text($page))
    {
        ++$number;
        if ($open && $line =~ /^```\s*$/)
        {
            push @blocks, $open;
            ($open, $follows) = (undef, 1);
        }
        elsif ($open)
        {
            $open->{text} .= $line;
        }
        elsif ($line =~ /^```(\w*)\s*$/)
        {
            $open = { name => $1, line => $number, text => '', follows => $follows };
        }
        elsif ($line =~ /\S/)
        {
            $follows = 0;
        }
    }
    die basename($page) . ": the block of line $open->{line} does not end" if $open;
    return @blocks;
}

# The examples of a page: SQL, its line, and its output if the page shows it.
sub examples_of
{
    my @examples;
    my $previous = { name => '' };
    for my $block (blocks_of($_[0]))
    {
        if ($block->{name} eq 'sql')
        {
            push @examples, { sql => $block->{text}, line => $block->{line} };
        }
        elsif ($block->{name} =~ /^(text)?$/ && $block->{follows} && $previous->{name} eq 'sql')
        {
            $examples[-1]{output} = $block->{text};
        }
        $previous = $block;
    }
    return @examples;
}

sub without_trailing_blanks
{
    my ($text) = @_;
    $text =~ s/[ \t]+$//mg;
    $text =~ s/\A\n+//;
    $text =~ s/\s+\z/\n/;
    return $text;
}

# Runs the statements in one session; returns what each printed.
sub outputs_of
{
    my ($database, @statements) = @_;
    my $mark = '@@ end of example';
    my $script = "\\pset footer off\n\\set SHOW_CONTEXT never\n";
    $script .= "$_\n\\echo $mark\n" for @statements;
    local %ENV = (%ENV, PGTZ => 'America/St_Johns', PGCLIENTENCODING => 'UTF8');
    my $printed = '';
    IPC::Run::run([ 'psql', '-X', '-q', '-d', $node->connstr($database) ], '<', \$script, '>', \$printed, '2>&1')
      or diag("psql ended with an error after: " . substr($printed, -500));
    return split /^\Q$mark\E\n/m, $printed, -1;
}

# 1. The examples.

my $all_sql = '';
for my $page (@pages)
{
    my $name = basename($page);
    next if $name eq $generated;
    my @examples = examples_of($page);
    cmp_ok(scalar(@examples), '>', 0, "$name has examples: " . @examples);

    (my $database = "page_$name") =~ s/\.md$//;
    $node->safe_psql('postgres', qq{CREATE DATABASE "$database"});
    my @outputs = outputs_of($database, map { $_->{sql} } @examples);
    is(scalar(@outputs), @examples + 1, "$name runs to its end");
    for my $example (@examples)
    {
        $all_sql .= $example->{sql};
        my $output = without_trailing_blanks(shift(@outputs) // 'not run');
        my $where = "$name line $example->{line}";
        if (defined $example->{output})
        {
            is($output, without_trailing_blanks($example->{output}), "$where prints what the page says");
        }
        else
        {
            unlike($output, qr/^(NOTICE|WARNING|ERROR|FATAL|not run|server closed)/m, "$where runs");
        }
    }
}

# 2. The links between the pages.

# GitHub's name for a heading.
sub anchor_of
{
    my ($heading) = @_;
    $heading = lc $heading;
    $heading =~ s/[^\w\- ]//g;
    $heading =~ tr/ /-/;
    return $heading;
}

my @broken;
for my $page (@pages, map { "$top/$_" } qw(CONTRIBUTING.md CHANGELOG.md SECURITY.md))
{
    (my $text = page_text($page)) =~ s/^```.*?^```//msg;
    while ($text =~ /\]\(([^)\s]+)\)/g)
    {
        my ($file, $anchor) = split /#/, $1, 2;
        next if $file =~ /^\w+:/;
        my $target = $file eq '' ? $page : dirname($page) . "/$file";
        my $found = -e $target;
        if ($found && defined $anchor)
        {
            my %anchors = map { anchor_of($_) => 1 } page_text($target) =~ /^#+ (.+?)\s*$/mg;
            $found = $anchors{$anchor};
        }
        push @broken, basename($page) . ": $file" . (defined $anchor ? "#$anchor" : '') unless $found;
    }
}
is(join("\n", @broken), '', 'every link leads to a file and a heading');

# 3. The reference.

# The first line in which a page differs from what it should be.
sub difference
{
    my ($is, $should) = map { [ split /^/, $_ ] } @_;
    for my $i (0 .. (@$is > @$should ? @$is : @$should) - 1)
    {
        my ($old, $new) = map { $_->[$i] // "nothing\n" } $is, $should;
        next if $old eq $new;
        return "line " . ($i + 1) . " is\n${old}and should be\n${new}Run tools/reference > docs/$generated";
    }
    return '';
}

$node->safe_psql('postgres', 'CREATE DATABASE reference');
my ($printed, $errors) = ('', '');
ok(IPC::Run::run([ "$top/tools/reference", '-d', $node->connstr('reference') ], '>', \$printed, '2>', \$errors),
    'tools/reference runs') or diag($errors);
is(difference(-e "$top/docs/$generated" ? page_text("$top/docs/$generated") : '', $printed), '',
    "docs/$generated is what tools/reference prints");

# 4. Comments and examples for everything.

$node->safe_psql('postgres', 'CREATE DATABASE objects');
$node->safe_psql('objects', 'CREATE EXTENSION pg_crm');
$node->safe_psql('objects', q{
    CREATE VIEW member AS
    SELECT classid, objid
    FROM pg_depend
    WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
      AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_crm')
      -- Since PostgreSQL 18 the types of arrays and of rows of tables are members, too.
      AND NOT (classid = 'pg_type'::regclass
               AND EXISTS (SELECT FROM pg_type AS t LEFT JOIN pg_class AS c ON c.oid = typrelid
                           WHERE t.oid = objid AND (t.typcategory = 'A' OR c.relkind <> 'c')))});

my $members = $node->safe_psql('objects', q{
    SELECT string_agg(DISTINCT classid::regclass::text, ' ' ORDER BY classid::regclass::text) FROM member});
like($members, qr/pg_cast .*pg_class .*pg_opclass .*pg_operator .*pg_proc pg_type/, "kinds of objects: $members");

is( $node->safe_psql('objects', q{
        SELECT pg_describe_object(classid, objid, 0)
        FROM member
        WHERE classid <> 'pg_opfamily'::regclass AND obj_description(objid, classid::regclass::name) IS NULL
        ORDER BY 1}),
    '', 'every object has a comment');
is( $node->safe_psql('objects', q{
        SELECT format('%s.%s', relation, attname)
        FROM (SELECT objid::regclass FROM member JOIN pg_class AS c ON classid = 'pg_class'::regclass AND objid = c.oid
              WHERE c.relkind <> 'S'
              UNION ALL
              SELECT typrelid::regclass FROM member JOIN pg_type ON classid = 'pg_type'::regclass AND objid = pg_type.oid
              WHERE typrelid <> 0) AS r (relation)
             JOIN pg_attribute ON attrelid = relation
        WHERE attnum > 0 AND NOT attisdropped AND col_description(relation, attnum) IS NULL
        ORDER BY 1}),
    '', 'every column of tables, views and composite types has a comment');

my @functions = split /\n/, $node->safe_psql('objects', q{
    SELECT DISTINCT proname
    FROM member JOIN pg_proc AS p ON classid = 'pg_proc'::regclass AND objid = p.oid
    WHERE obj_description(p.oid, 'pg_proc') NOT LIKE '%A part of crm.%' -- of one that has an example
      AND p.oid NOT IN (
        SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend]::oid[]) FROM pg_type
        UNION SELECT oprcode FROM pg_operator
        UNION SELECT amproc FROM pg_amproc
        UNION SELECT unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn]::oid[]) FROM pg_aggregate)
    ORDER BY 1});
cmp_ok(scalar(@functions), '>', 20, 'public functions: ' . @functions);
is(join(' ', grep { $all_sql !~ /\bcrm\.$_\(/ } @functions), '', 'every public function has an example that runs');

done_testing();
