# The catalog of the extension: nothing for PUBLIC that is not meant, no function that an object of another schema gets
# in between of, and labels that tell the truth. Every function is called: what says PARALLEL SAFE in a parallel worker,
# what says IMMUTABLE under other settings, everything with NULLs and by a stranger. And the library takes nothing from
# others that could lead out of the server.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use Examples;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('catalog');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "client_min_messages = error\ntrack_functions = 'all'");
$node->start;
make_examples($node);
sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(q{
    CREATE VIEW example.member AS
    SELECT classid, objid FROM pg_depend
    WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
      AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_crm')});
sub members { return "example.member JOIN $_[0] AS o ON classid = '$_[0]'::regclass AND objid = o.oid" }

# 1. What PUBLIC may do

my %meant = (
    'schema crm' => 'USAGE',
    'crm.progress' => 'SELECT',
    'crm.rfm_map' => 'SELECT',
    'crm.rfm_map_rule' => 'SELECT',
    'crm.shop' => 'SELECT',
    'crm.own_shop' => 'DELETE,INSERT,SELECT,UPDATE', # they show the caller's own rows
    'crm.own_refresh_run' => 'DELETE,SELECT', # and single columns, see below
    'crm.lost_shop' => 'DELETE,SELECT', # whose schema is gone
    'crm.lost_refresh_run' => 'DELETE,SELECT', # of shops that are gone
    'crm.refresh_run' => 'SELECT'); # errors and notes for the owners of the shops only
is( sql(q{SELECT 'schema crm|' || string_agg(privilege_type, ',' ORDER BY privilege_type)
          FROM pg_namespace, aclexplode(nspacl) WHERE nspname = 'crm' AND grantee = 0
          UNION ALL
          SELECT o.oid::regclass || '|' || string_agg(privilege_type, ',' ORDER BY privilege_type)
          FROM } . members('pg_class') . q{, aclexplode(relacl) WHERE grantee = 0 GROUP BY o.oid
          ORDER BY 1}),
    join("\n", sort map { "$_|$meant{$_}" } keys %meant), 'PUBLIC may do what is meant with schema and relations');
is( sql(q{SELECT c.relname || '|' || privilege_type || '|' || string_agg(attname, ',' ORDER BY attname)
          FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid, aclexplode(attacl)
          WHERE attrelid IN (SELECT o.oid FROM } . members('pg_class') . q{)
          GROUP BY c.relname, grantee, privilege_type ORDER BY 1}),
    "own_refresh_run|INSERT|as_of,kind,queue_end,shop,waiting\n"
        . 'own_refresh_run|UPDATE|batches,changes,customers,error,finished_at,held,note,rebuilt,rescored,sqlstate,status',
    'single columns are for runs: their numbers are not for their shops to choose');
is(sql('SELECT count(*) FROM ' . members('pg_type') . ' WHERE typacl IS NOT NULL'), 0, 'types are for everybody');
is(sql('SELECT count(*) FROM ' . members('pg_proc') . ' WHERE proacl IS NOT NULL'), 0, 'and so are functions,');
is(sql('SELECT o.oid::regprocedure FROM ' . members('pg_proc') . ' WHERE prosecdef'), '',
    'which run with the rights of their callers');
is(sql('SELECT count(*) FROM pg_default_acl'), 0, 'nothing is said of objects to come');

# 2. Names in the bodies of functions. Bodies that were parsed when they were made name objects, not names.

# Two hand the path of the caller over; SQL over any type cannot be parsed earlier, and part 6 shows that it needs none.
my %without_path = map { ("crm.$_" => 1) } qw(alter_shop create_shop);
is( join(' ', grep { !$without_path{ s/\(.*//r } } split /\n/, sql(
            'SELECT o.oid::regprocedure FROM ' . members('pg_proc') . q{ JOIN pg_language AS l ON l.oid = prolang
            WHERE lanname NOT IN ('c', 'internal') AND prosqlbody IS NULL
              AND NOT (lanname = 'sql' AND 'anyelement'::regtype = ANY (proargtypes))
              AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)})),
    '', 'what is parsed when it runs has a search path of its own');

# Where the body of a function was parsed, its label is no better than what it calls. One microsecond is the same in
# every zone, so a time less an interval is for once what it is elsewhere.
is( sql(q{SELECT o.oid::regprocedure, called.oid::regprocedure
          FROM } . members('pg_proc') . q{,
               regexp_matches(o.prosqlbody::text, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS m,
               pg_proc AS called
          WHERE called.oid = m[1]::oid
            AND (strpos('isv', called.provolatile::text) > strpos('isv', o.provolatile::text)
                 OR strpos('sru', called.proparallel::text) > strpos('sru', o.proparallel::text))
            AND (o.proname, called.proname) <> ('shop_day_end', 'timestamptz_mi_interval')
          GROUP BY 1, 2}),
    '', 'no function promises more than what it calls');

# 3. Operators, casts and operator classes

is(sql('SELECT opcname FROM ' . members('pg_opclass') . ' WHERE NOT amvalidate(o.oid)'), '',
    'operator classes are valid');
is( sql('SELECT castsource::regtype, casttarget::regtype, castcontext FROM ' . members('pg_cast') . ' ORDER BY 1, 2'),
    "integer[]|crm.idset|e\nbigint[]|crm.idset|e\ncrm.history|jsonb|e\ncrm.idset|bigint[]|e",
    'no cast happens unasked');
my $operators = members('pg_operator');
is( sql(qq{SELECT o.oid::regoperator FROM $operators
        WHERE o.oprresult = 'boolean'::regtype AND o.oprleft = o.oprright
            AND (o.oprcom = 0 OR o.oprnegate = 0) AND o.oprname IN ('=', '<>', '<', '<=', '>', '>=')}),
    '', 'comparisons know their commutator and negator');
is( sql(qq{SELECT o.oid::regoperator FROM $operators
        WHERE o.oprcanhash AND NOT EXISTS (SELECT FROM pg_amop WHERE amopopr = o.oid AND amopmethod =
                    (SELECT oid FROM pg_am WHERE amname = 'hash'))
           OR o.oprcanmerge AND NOT EXISTS (SELECT FROM pg_amop WHERE amopopr = o.oid AND amopmethod =
                    (SELECT oid FROM pg_am WHERE amname = 'btree'))}),
    '', 'what may hash or merge has an operator class for it');
is( sql(qq{SELECT o.oid::regoperator FROM $operators JOIN pg_proc AS p ON p.oid = o.oprcode
        WHERE p.provolatile <> 'i' OR p.proparallel <> 's' OR NOT p.proisstrict}),
    '', 'operators are immutable, strict and parallel safe');
is( sql('SELECT o.oid::regtype FROM ' . members('pg_type')
            . q{ WHERE typtype = 'b' AND typcategory <> 'A' AND (typsend = 0 OR typreceive = 0)}),
    '', 'every type has a binary form');

# 4. Every function has an example.

is(sql(q{SELECT signature FROM example.call WHERE expression IS NULL AND types <> '{internal}'
         AND reads}), '',
    'every function that only reads has an example');
my $functions = sql('SELECT count(*) FROM example.call');
sql("CREATE TABLE example.expected AS SELECT * FROM example.answers('reads')");
my $read = sql('SELECT count(*) FROM example.expected');
cmp_ok($read, '>', 280, "$read of $functions functions only read");
is(sql(q{SELECT signature, a.error FROM example.expected AS a JOIN example.call USING (signature)
         WHERE a.error IS NOT NULL OR given = 0 AND result <> 'void'}), '',
    'their examples work and are not all NULL');
is( sql("BEGIN READ ONLY;
             SELECT count(*) FROM example.answers('reads') AS a JOIN example.expected AS e USING (signature)
             WHERE a.digest IS DISTINCT FROM e.digest; COMMIT"),
    0, 'in a transaction that may not write, too');

# 5. What says PARALLEL SAFE runs in a parallel worker and gives what it gives here. (PostgreSQL keeps window functions
#    to itself.)

my $debug = sql(q{SELECT name FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')});
sql("SET $debug = on; CREATE TABLE example.elsewhere AS SELECT * FROM example.answers('reads AND parallel')");
my $elsewhere = sql('SELECT count(*) FROM example.elsewhere');
is(sql('SELECT signature, a.error FROM example.elsewhere AS a JOIN example.expected AS e USING (signature)
        WHERE a.elsewhere IS NOT TRUE OR a.digest IS DISTINCT FROM e.digest'),
    '', "$elsewhere functions gave the same in a worker");
cmp_ok($elsewhere, '>', 250, 'they are many');
is( sql(q{SELECT signature FROM example.call WHERE NOT reads AND parallel}), '',
    'what changes something is not parallel safe');
is( sql(qq{SELECT a.aggfnoid::regprocedure FROM pg_aggregate AS a, @{[ members('pg_proc') ]}
           WHERE a.aggfnoid = o.oid AND o.proparallel = 's' AND a.aggcombinefn = 0
             AND a.aggtranstype = 'bytea'::regtype}),
    '', 'every parallel safe aggregate can be combined');
is( sql(qq{SELECT a.aggfnoid::regprocedure FROM pg_aggregate AS a, @{[ members('pg_proc') ]},
                  pg_proc AS part
           WHERE a.aggfnoid = o.oid AND part.oid IN (aggtransfn, aggcombinefn, aggfinalfn, aggserialfn, aggdeserialfn)
             AND part.proparallel <> 's' AND o.proparallel = 's'}),
    '', 'of parts that are parallel safe themselves');

# 6. What says IMMUTABLE gives the same whatever the settings; nothing depends on the search path, even where another
#    schema has an object for every name of pg_catalog, and the session a temporary table for every table of pg_crm.

my @settings = (
    q{SET TimeZone = 'America/New_York'}, q{SET TimeZone = 'Asia/Kathmandu'}, q{SET DateStyle = 'SQL, DMY'},
    q{SET DateStyle = 'German'}, q{SET IntervalStyle = 'sql_standard'}, q{SET extra_float_digits = -15},
    q{SET bytea_output = 'escape'}, q{SET work_mem = '64kB'; SET pg_crm.memory = 0},
    q{SET xmlbinary = hex; SET array_nulls = off; SET quote_all_identifiers = on; SET standard_conforming_strings = off;
      SET backslash_quote = off; SET transform_null_equals = on; SET jit = off});
for my $setting (@settings)
{
    is( sql("$setting; SELECT signature, a.error
             FROM example.answers('immutable') AS a JOIN example.expected AS e USING (signature)
             WHERE a.digest IS DISTINCT FROM e.digest"),
        '', "immutable under $setting");
}
sql(q{
    CREATE SCHEMA trap;
    SET check_function_bodies = off;
    DO $$
    DECLARE
        statement text;
    BEGIN
        FOR statement IN
            SELECT format('CREATE FUNCTION trap.%I(%s) RETURNS %s LANGUAGE plpgsql AS '
                              '$f$BEGIN RAISE ''trapped''; END$f$',
                          proname, pg_get_function_identity_arguments(p.oid), format_type(prorettype, NULL))
            FROM pg_proc AS p
            WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind IN ('f', 'a') AND NOT proretset
              AND NOT EXISTS (SELECT FROM pg_type AS t WHERE t.oid = ANY (array_append(proargtypes::oid[], prorettype))
                              AND typtype = 'p')
            UNION ALL
            SELECT format('CREATE TABLE trap.%I ()', relname) FROM pg_class
            WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
            UNION ALL
            SELECT format('CREATE DOMAIN trap.%I AS point CHECK (1 / 0 > 0)', typname) FROM pg_type
            WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typname !~ '^_'
        LOOP
            BEGIN
                EXECUTE statement;
            EXCEPTION WHEN OTHERS THEN NULL; -- a row type or a polymorphic result of the same name
            END;
        END LOOP;
        FOR statement IN
            SELECT format('CREATE OPERATOR trap.%s (%s rightarg = %s, function = trap.%I)', oprname,
                          'leftarg = ' || nullif(oprleft, 0)::regtype || ',', oprright::regtype, p.proname)
            FROM pg_operator JOIN pg_proc AS p ON p.oid = oprcode
            WHERE oprnamespace = 'pg_catalog'::regnamespace
        LOOP
            BEGIN
                EXECUTE statement;
            EXCEPTION WHEN OTHERS THEN NULL;
            END;
        END LOOP;
    END $$});
cmp_ok(sql(q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'trap'::regnamespace}), '>', 1500, 'traps: functions,');
cmp_ok(sql(q{SELECT count(*) FROM pg_operator WHERE oprnamespace = 'trap'::regnamespace}), '>', 400, 'operators,');
is((($node->psql('postgres', q{SET search_path = trap, pg_catalog; SELECT 1 + 1}))[0] != 0) + 0, 1, 'which work');
my $relations = join ' ', map { "CREATE TEMP TABLE $_ ();" } split /\n/,
    sql(q{SELECT relname FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v')
          UNION SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'v')});
my $trapped = "$relations SET search_path = trap, pg_catalog";
for my $path (q{SET search_path = ''}, $trapped)
{
    is( sql("$path; CREATE TABLE example.unmoved AS SELECT * FROM example.answers('reads'); RESET search_path;
             SELECT signature, a.error FROM example.unmoved AS a JOIN example.expected AS e USING (signature)
             WHERE a.digest IS DISTINCT FROM e.digest OR a.error IS DISTINCT FROM e.error; DROP TABLE example.unmoved"),
        '', 'unmoved by ' . ($path =~ /(SET search_path.*)/)[0]);
}

# 7. The statements of those who make and keep shops call all functions that change something.

for my $statement (@statements)
{
    for my $path ('SET search_path = public', $trapped)
    {
        my ($status, undef, $error) = $node->psql('postgres', "BEGIN; $path; $statement; ROLLBACK");
        is($status, 0, $statement =~ s/\s+/ /gr) or diag("$path: $error");
    }
}
for my $statement (sort keys %refused)
{
    my (undef, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nBEGIN; $statement; ROLLBACK");
    is(($error =~ /ERROR: +(\w{5})/)[0], $refused{$statement}, "refused: $statement");
}
$node->poll_query_until('postgres', q{SELECT sum(calls) > 100 FROM pg_stat_user_functions WHERE schemaname = 'crm'});
my %refused_name = map { /(crm\.\w+)/; ($1 => 1) } keys %refused;
is( join(' ', grep { !$refused_name{ s/\(.*//r } } split /\n/, sql(q{
        SELECT signature FROM example.call AS c JOIN pg_proc AS p ON p.oid = c.signature::regprocedure
        WHERE NOT reads AND p.prosqlbody IS NULL -- bodies that take the place of their calls are not counted
          AND NOT EXISTS (SELECT FROM pg_stat_user_functions WHERE funcid = p.oid AND calls > 0)})),
    '', 'every function that changes something was called');

# 8. NULL in every place: an answer or a clear error

sql("CREATE TABLE example.nulls AS SELECT * FROM example.answers_to_null('reads')");
my $nulls = sql('SELECT count(*) FROM example.nulls');
is(sql(q{SELECT signature, place, error FROM example.nulls WHERE error ~ '^(XX|58|P0)'}), '',
    "$nulls calls with a NULL in each place: no internal error");

# 9. A stranger may call everything, and changes nothing.

sql(q{
    CREATE ROLE stranger LOGIN;
    GRANT USAGE ON SCHEMA example TO stranger;
    GRANT SELECT ON ALL TABLES IN SCHEMA example TO stranger;
    REVOKE SELECT ON example.orders FROM stranger;
    -- everything that is stored in tables of pg_crm, of the shop and of the catalogs that say what exists
    CREATE FUNCTION example.state() RETURNS TABLE (relation regclass, digest text) LANGUAGE plpgsql AS $$
    BEGIN
        FOR relation IN
            SELECT c.oid FROM pg_class AS c
            WHERE relkind = 'r' AND (relnamespace IN ('crm'::regnamespace, 'shop'::regnamespace)
                OR c.oid IN ('example.orders'::regclass, 'pg_proc'::regclass, 'pg_trigger'::regclass,
                             'pg_namespace'::regclass))
            ORDER BY c.oid::regclass::text
        LOOP
            EXECUTE format('SELECT md5(string_agg(t::text, ''|'' ORDER BY t::text)) FROM %s AS t', relation)
            INTO digest;
            RETURN NEXT;
        END LOOP;
        relation := 'pg_class'::regclass;
        SELECT md5(string_agg(concat(c.oid, relname, relowner, relacl, relnatts, relhastriggers), '|' ORDER BY c.oid))
        INTO digest
        FROM pg_class AS c WHERE relpersistence = 'p';
        RETURN NEXT;
    END $$;
    CREATE TABLE example.before (relation regclass, digest text);
    INSERT INTO example.before SELECT * FROM example.state()});
my @errors = split /\n/, sql(q{SET ROLE stranger;
    SELECT error, signature FROM example.answers('kind <> ''p''') WHERE error IS NOT NULL});
is(join("\n", grep { /^(XX|58)/ } @errors), '', 'a stranger who calls all functions meets no internal error');
cmp_ok(scalar(grep { /^42501/ } @errors), '>', 20, 'but is refused');
for my $statement (@statements)
{
    my (undef, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n$statement",
        extra_params => [ '-U', 'stranger' ]);
    is(($error =~ /ERROR: +(\w{5})/)[0], '42501', 'not for strangers: ' . $statement =~ s/\s+/ /gr);
}
is(sql('SELECT relation FROM example.state() AS s FULL JOIN example.before AS b USING (relation)
        WHERE s.digest IS DISTINCT FROM b.digest'), '', 'and nothing has changed');

# 10. No way out: what the library takes from others opens no file and no connection, and starts no process.

# Of the C library everything is named here: bytes and texts, numbers, and what compiled C++ takes. Only madvise is a
# call of the system; it tells how large memory is used.
my $harmless = qr/^(?:(__)?(mem(chr|cmp|cpy|move|set)|str(chr|cmp|lcpy|len|ncmp|rchr))(_chk)?|
    madvise|__sigsetjmp|__stack_chk_fail|__cxa_\w+|__errno_location|
    (atan2|erfc?|exp2?|expm1|lgamma|log(2|1p)?|pow|round|floor|ceil|sincos|sqrt|tgamma)f?)$/x;
# Of PostgreSQL and of the C++ library, what sounds like it is either one of these or refused: PostgreSQL's temporary
# files, for which temp_file_limit holds, and the SQLSTATE of their errors.
my $way = qr/file|pipe|stream|socket|listen|connect|fork|worker|thread|system|copy(to|from)|load_|smgr|xlog|^lo_|^be_/i;
my $allowed = qr/^(BufFile(CreateTemp|Close|Read|Write|SeekBlock)|errcode_for_file_access|SPI_connect(_ext)?)$/;
sub ways_out
{
    return join ' ', sort grep {
        my ($name, $from) = split /@+/;
        ($from // '') =~ /^GLIBC_/ ? $name !~ $harmless : $name =~ $way && $name !~ $allowed
    } @_;
}
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
chomp(my $directory = `$pg_config --pkglibdir`);
my @imports = map { /\s[Uwv] (\S+)$/ ? $1 : () } split /\n/, `nm -D --undefined-only $directory/pg_crm.so`;
cmp_ok(scalar @imports, '>', 100, scalar @imports . ' names are taken from PostgreSQL and libraries');
is(ways_out(@imports), '', 'none of them leads out');
my @out = qw(AllocateFile OpenPipeStream _ZNSt14basic_ofstreamIcSt11char_traitsIcEEC1Ev execve@GLIBC_2.2.5
    fopen@GLIBC_2.2.5 posix_spawn@GLIBC_2.15 socket@GLIBC_2.2.5 unlink@GLIBC_2.2.5);
is(ways_out('palloc', @out), join(' ', sort @out), 'what does would be seen');
is( sql('SELECT o.oid::regprocedure FROM ' . members('pg_proc') . q{
         WHERE concat(prosrc, pg_get_function_sqlbody(o.oid))
               ~* '\m(COPY|LOAD|dblink\w*|lo_(im|ex)port|pg_(read|ls|stat|current_log)\w*(file|dir)\w*|adminpack)\M'}), '',
    'nor does a function in SQL');

# 11. It is the same, whatever the settings of the session that makes it.

sql(q{CREATE DATABASE odd});
my $bodies = q{SELECT md5(string_agg(concat(oid::regprocedure, prosrc, pg_get_function_sqlbody(oid), proconfig), ' '
        ORDER BY oid::regprocedure::text COLLATE "C"))
    FROM pg_proc WHERE pronamespace = 'crm'::regnamespace};
is( $node->safe_psql('odd', "SET standard_conforming_strings = off; SET escape_string_warning = off;
        SET DateStyle = 'German'; SET transform_null_equals = on;
        CREATE EXTENSION pg_crm; RESET ALL; $bodies"),
    sql($bodies), 'functions are those of an ordinary session');

unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|TRAP/, 'no process died');
$node->stop;
done_testing();
