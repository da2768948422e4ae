# An example of every function of pg_crm, made from its signature: rows of example.sample have a column for each kind of
# argument. Tests that walk all functions fail when a new function has no example, so that nothing is left out.
package Examples;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use Test::More;

our @EXPORT = qw(make_examples @statements %refused);

# Columns of example.sample by the name and type of an argument, or by its type alone. An argument of another type needs
# a new column; one that needs another value than its type has, an entry with its name, and its function's where others
# have the same.
my %columns = (
    'amount_divisor integer' => 'small',
    'anyelement' => 'n',
    'as_of text' => 'moment',
    'as_of timestamp with time zone' => 'as_of',
    'calibration_end timestamp with time zone' => 'middle',
    'bgnbd_fit counts bytea' => 'btyd_counts',
    'check_rfm_map map name' => 'gap',
    'condition text' => 'condition',
    'confidence double precision' => 'share',
    'customer text' => 'buyer',
    'discount double precision' => 'share',
    'expression text' => 'expression',
    'f integer' => 'small',
    'family text' => 'family',
    'from_date timestamp with time zone' => 'middle',
    'from_day date' => 'first_day',
    'gamma_gamma_fit counts bytea' => 'gamma_gamma_counts',
    'grades integer' => 'grades',
    'histories regclass' => 'histories',
    'histories text' => 'relation',
    'holdout interval' => 'month',
    'labels_ja text[]' => 'labels',
    'm integer' => 'small',
    'map name' => 'map',
    'mbgnbd_fit counts bytea' => 'btyd_counts',
    'n integer' => 'grades',
    'names text[]' => 'names',
    'orders text' => 'query',
    'pareto_nbd_fit counts bytea' => 'btyd_counts',
    'period text' => 'unit',
    'query text' => 'query',
    'r integer' => 'small',
    'rate double precision' => 'share',
    'rfm_migration grades integer' => 'nothing',
    'rfm_table grades integer' => 'nothing',
    'riskiest integer' => 'small',
    'sbg_fit counts bytea' => 'sbg_counts',
    'segment text' => 'segment',
    'source text' => 'source',
    'source_zone text' => 'zone',
    'step integer' => 'small',
    't double precision' => 'age',
    't_x double precision' => 'last',
    'thresholds numeric[]' => 'thresholds',
    'tier text' => 'tier',
    'to_date timestamp with time zone' => 'as_of',
    'x bigint' => 'bought',
    'yearly_discount double precision' => 'share',
    'zone text' => 'zone');
sub column_of
{
    my ($function, $name, $type) = @_;
    return $columns{"$function $name $type"} // $columns{"$name $type"} // $columns{$type}
        // $type =~ s/^crm\.//r =~ s/[^a-z0-9_]+/_/gr;
}

my $tables = q{
    CREATE TABLE example.orders AS
    SELECT g % 60 AS customer, timestamptz '2024-01-01Z' + g * g % 997 * interval '11 hours' AS at,
           (g * 37 % 900)::numeric / 2 AS amount, g % 4 + 1 AS step
    FROM generate_series(1, 600) AS g;
    ALTER TABLE example.orders ADD id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
    SELECT crm.create_shop('shop', 'example.orders', 'customer', 'at', 'amount', zone => 'Asia/Tokyo', grades => 5,
        tiers => crm.tier_ladder('{low,high}', '{0,500}'));
    SELECT crm.define_segment('shop', 'vip', 'orders >= 10 AND NOT refunded > 0', 'Best', NULL, 'kinds'),
           crm.define_segment('shop', 'rest', 'orders < 9', 'Rest', NULL, 'kinds'),
           crm.define_segment_set('shop', 'all', 'union', '{vip,rest}', 'All');
    CALL crm.refresh('shop', '2025-01-28Z');
    INSERT INTO example.orders (customer, at, amount) SELECT g, '2025-01-29Z', 10 FROM generate_series(50, 70) AS g;
    CALL crm.refresh('shop', '2025-02-01Z');

    INSERT INTO crm.rfm_map VALUES ('gap');
    INSERT INTO crm.rfm_map_rule
    VALUES ('gap', 1, 'all but one', 'All but one', '一つ以外', '{[2-5]..,1[2-5].,11[2-5]}');

    -- one of them has so many purchases that it is stored out of line
    CREATE FUNCTION example.history(n int) RETURNS crm.history LANGUAGE sql AS $$
        SELECT coalesce(crm.history(timestamptz '2024-01-01Z'
                                        + g * (7 + n % 5) * interval '1 day' / greatest(1, n / 20.0),
                                    CASE WHEN g % 13 = 5 THEN -1 ELSE 20 + g % 7 END) FILTER (WHERE g > 0), '[]')
        FROM generate_series(0, CASE n WHEN 39 THEN 1000 ELSE n END) AS g $$;
    CREATE TABLE example.sample AS
    WITH rows AS MATERIALIZED (SELECT n, example.history(n) AS history FROM generate_series(0, 39) AS n)
    SELECT n, n AS integer, n % 4 + 2 AS small, n::bigint AS bigint, n::smallint AS smallint, n % 2 = 0 AS boolean,
           1.5 + n AS double_precision, 0.05 + n / 50.0::float8 AS share, 3 AS grades, NULL::int AS nothing,
           (n % 4)::bigint AS bought, (n % 4 * 2.5)::float8 AS last, 10.0::float8 + n AS age,
           interval '400 days' AS interval,
           interval '30 days' AS month, n * 12.5 AS numeric, 'shop'::name AS name,
           'six'::name AS map, 'gap'::name AS gap,
           'example.orders'::regclass AS regclass, 'integer'::regtype AS regtype, 'vip' AS text, 'vip' AS segment, 'kinds' AS family,
           n::text AS buyer, 'example.orders' AS source, 'gold' AS tier, 'at' AS expression,
           ARRAY['[45]..', '33.'] AS text_, '{low,high}'::text[] AS names,
           ARRAY[0, 100.5 + n] AS thresholds, '{低,高}'::text[] AS labels, 'month' AS unit,
           'Asia/Tokyo' AS zone, 'true' AS condition,
           'shop.customer_history' AS relation, 'shop.customer_history'::regclass AS histories,
           'SELECT customer, at, amount FROM example.orders' AS query, '2025-02-01 00:00Z' AS moment,
           timestamptz '2025-01-01Z' + n * interval '1 day' AS timestamp_with_time_zone, date '2025-02-01' AS date,
           date '2025-01-28' AS first_day,
           timestamptz '2024-09-01Z' AS middle, timestamptz '2025-02-01Z' AS as_of,
           tstzrange('2024-03-01Z', timestamptz '2024-05-01Z' + n * interval '1 day') AS tstzrange,
           ARRAY[n, 1, n * n, 2::bigint << n] AS bigint_, ARRAY[n, 1, n * n] AS integer_,
           calendar, history, (n, n % 7, n * 1.5)::crm.rfm AS rfm, crm.rfm_bands() AS rfm_bands,
           crm.rfm_score(n % 5 + 1, n % 4 + 1, 5) AS rfm_score, crm.cpm(history, '2025-01-01Z') AS cpm,
           crm.dormancy(history, '2025-01-01Z') AS dormancy,
           'on'::crm.retention AS retention, 'bgnbd'::crm.btyd_model AS btyd_model, 'map'::crm.fit_method AS fit_method,
           (SELECT crm.cohorts(h.history, calendar, '2025-01-01Z') FROM rows AS h WHERE h.n <= rows.n) AS cohorts,
           (SELECT crm.repeats(h.history, '2025-01-01Z') FROM rows AS h WHERE h.n <= rows.n) AS repeats,
           (SELECT crm.survival(1 + g % 7, g % 3 > 0) FROM generate_series(0, n) AS g) AS survival,
           (SELECT crm.btyd_counts(h.history, calendar, '2025-01-01Z') FROM rows AS h) AS btyd_counts,
           (SELECT crm.gamma_gamma_counts(h.history, calendar, '2025-01-01Z') FROM rows AS h) AS gamma_gamma_counts,
           (SELECT crm.sbg_counts(1 + g % 7, g % 3 > 0) FROM generate_series(0, n + 9) AS g) AS sbg_counts,
           crm.bgnbd(0.3, 2 + n, 0.8, 2.5, calendar) AS bgnbd, crm.mbgnbd(0.3, 2 + n, 0.8, 2.5, calendar) AS mbgnbd,
           crm.pareto_nbd(0.6, 2 + n, 0.6, 11, calendar) AS pareto_nbd,
           crm.gamma_gamma(6.25, 3.75 + n, 15.4, calendar) AS gamma_gamma, crm.sbg(0.7 + n, 1.2) AS sbg,
           crm.idset_of(ARRAY[n, 1, n * n, 65536 + n]) OPERATOR(crm.|) crm.idset_range(n, 3 * n) AS idset,
           jsonb_build_object('table', 1, 'system', n % 3, 'columns', jsonb_build_object('1', 'id bigint'),
                              'versions', jsonb_build_object('1', (n % 2)::text)) AS jsonb,
           crm.tier_ladder() AS tier_ladder, s AS shop, r AS refresh_run
    FROM rows, (VALUES ('week Asia/Tokyo'::crm.calendar)) AS c (calendar), crm.shop AS s, crm.refresh_run AS r
    WHERE r.run = (SELECT max(run) FROM crm.refresh_run);
};

# Whole calls, where arguments do not follow from the signature.
my %calls = (
    'crm.funnel_rows(text,interval)' => q{crm.funnel_rows('SELECT customer, at, step FROM example.orders', s.interval)},
    'crm.history_changes(text,text,anyelement)' =>
        q{crm.history_changes('SELECT customer, at, amount, NULL::pg_catalog.text FROM example.orders',
            'SELECT customer_id, NULL::pg_catalog.tid, history, channel FROM shop.customer_history', s.integer)},
    'crm.in_parentheses(text)' => 'crm.in_parentheses(s.text)');

# Statements of those who use the functions that change something. Parts of these are called by them.
our @statements = (
    q{SELECT crm.define_rfm_map('theirs', ARRAY[('all', NULL, NULL, '{...}')]::crm.rfm_rule[])},
    q{SELECT crm.define_rfm_map('theirs', ARRAY[('all', NULL, NULL, '{...}')]::crm.rfm_rule[]);
      SELECT crm.drop_rfm_map('theirs')},
    q{SELECT crm.shop_check('shop')},
    q{SELECT crm.grant_shop('shop', 'pg_monitor')},
    q{SELECT crm.alter_shop('shop', condition => 'amount > 5')},
    q{UPDATE example.orders SET amount = 500; CALL crm.refresh('shop', '2025-02-01Z')},
    q{CALL crm.refresh('shop', '2025-02-05Z')},
    q{CALL crm.rebuild('shop', '2025-01-20Z')},
    q{SELECT crm.alter_shop('shop', capture => 'compare')},
    q{SELECT crm.define_standard_segments('shop', 'apparel')},
    q{CALL crm.refresh('shop', '2028-07-05Z')},
    q{SELECT crm.define_segment('shop', 'new', 'orders = 1'); SELECT crm.drop_segment('shop', 'all')},
    q{CALL crm.rebuild('shop', '2025-02-03Z')},
    q{SELECT crm.create_shop('query', 'SELECT * FROM example.orders', 'customer', 'at', 'amount', zone => 'UTC');
      CALL crm.refresh('query', '2025-02-03Z'); SELECT crm.unschedule('query'); SELECT crm.drop_shop('query')});

# Statements that are refused here, with the SQLSTATE; what they do elsewhere, other tests test.
our %refused = (
    q{INSERT INTO example.orders VALUES (1, 'infinity', 10); CALL crm.refresh('shop', '2025-02-01Z')} => '22008',
    q{SELECT crm.schedule('shop', '10 * * * *')} => '0A000', # pg_cron
    q{SELECT crm.sync_listmonk('shop', 'vip', 1, 'SELECT 1, NULL, NULL')} => '42P01', # the tables of listmonk
    q{SELECT crm.create_shop_eccube('ec', 'public')} => '42P01'); # the tables of EC-CUBE

sub rows_of
{
    my ($node, $query) = @_;
    return map { [ split /\|/, $_, -1 ] } split /\n/, $node->safe_psql('postgres', $query);
}

# Makes the table example.sample, the table example.call of all functions, and example.answers() for tests.
sub make_examples
{
    my ($node) = @_;
    $node->safe_psql('postgres', "CREATE EXTENSION IF NOT EXISTS pg_crm; CREATE SCHEMA example; $tables");
    $node->safe_psql('postgres', q{
        -- the same text under all settings
        CREATE FUNCTION example.print(value anyelement) RETURNS text LANGUAGE plpgsql PARALLEL SAFE
            SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres' SET extra_float_digits = 1
            SET bytea_output = 'hex' SET search_path = pg_catalog AS $$BEGIN RETURN value::text; END$$;
        CREATE FUNCTION example.process() RETURNS int LANGUAGE plpgsql PARALLEL SAFE AS
            $$BEGIN RETURN pg_catalog.pg_backend_pid(); END$$;

        CREATE TABLE example.call (
            signature text PRIMARY KEY, kind "char", reads boolean, immutable boolean, parallel boolean,
            result text, call text, expression text, name text, arguments text[], types text[]);
        CREATE FUNCTION example.query(expression text) RETURNS text LANGUAGE sql RETURN
            'SELECT ' || expression || ' AS value, example.process() FROM example.sample AS s'
            || CASE WHEN strpos(expression, 's.query') > 0 THEN ' WHERE s.n OPERATOR(pg_catalog.=) 5' ELSE '' END;

        -- Every function that matches evaluated over the rows: a digest of the values, how many rows have one, whether
        -- all of it was done in another process, and the error if there was one.
        CREATE FUNCTION example.answers(condition text)
            RETURNS TABLE (signature text, digest text, given bigint, elsewhere boolean, error text)
            LANGUAGE plpgsql AS $$
            DECLARE
                expression pg_catalog.text;
                processes pg_catalog.int4[];
            BEGIN
                FOR signature, expression IN EXECUTE
                    'SELECT signature, expression FROM example.call WHERE expression IS NOT NULL AND '
                    OPERATOR(pg_catalog.||) condition
                LOOP
                    digest := NULL; given := NULL; elsewhere := NULL; error := NULL;
                    BEGIN
                        EXECUTE pg_catalog.format(
                            'SELECT pg_catalog.md5(pg_catalog.string_agg(value, ''|'' ORDER BY value)),
                                    pg_catalog.count(value),
                                    pg_catalog.array_agg(DISTINCT process)
                             FROM (%s) AS t', example.query(expression))
                        INTO digest, given, processes;
                        elsewhere := pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.<>) ALL (processes);
                    EXCEPTION WHEN OTHERS THEN
                        error := pg_catalog.concat(SQLSTATE, ': ', SQLERRM);
                    END;
                    RETURN NEXT;
                END LOOP;
            END $$;

        -- The same functions, each with a NULL in the place of each of its arguments: the errors.
        CREATE FUNCTION example.answers_to_null(condition text) RETURNS TABLE (signature text, place int, error text)
            LANGUAGE plpgsql AS $$
            DECLARE
                of example.call;
                asked text;
            BEGIN
                FOR of IN EXECUTE
                    'SELECT * FROM example.call WHERE expression IS NOT NULL AND kind <> ''p'' AND ' || condition
                LOOP
                    FOR place IN 1..cardinality(of.arguments) LOOP
                        signature := of.signature;
                        error := NULL;
                        of.arguments[place] :=
                            CASE WHEN strpos(of.arguments[place], 'VARIADIC') > 0 THEN 'VARIADIC ' ELSE '' END
                            || 'NULL::' || replace(of.types[place], 'anyelement', 'int');
                        asked := format('%s(%s)%s', of.name, array_to_string(of.arguments, ', '),
                                        CASE of.kind WHEN 'w' THEN ' OVER (ORDER BY s.n)' END);
                        BEGIN
                            EXECUTE format('SELECT count((%s)::text) FROM example.sample AS s WHERE s.n IN (5, 10)',
                                           asked);
                        EXCEPTION WHEN OTHERS THEN
                            error := pg_catalog.concat(SQLSTATE, ': ', SQLERRM);
                        END;
                        RETURN NEXT;
                    END LOOP;
                END LOOP;
            END $$});
    note_calls($node);
    return;
}

sub arguments_of
{
    my ($function) = @_;
    my ($names, $types) = @$function{ qw(names types) };
    my $name = $function->{name} =~ s/^crm\.//r;
    my @arguments = map { 's.' . column_of($name, $names->[$_] // '', $types->[$_]) } 0 .. $#$types;
    $arguments[-1] = "VARIADIC $arguments[-1]" if $function->{variadic} eq 't';
    return @arguments;
}

# Arguments of the functions of aggregates, which are called with a state that the aggregate has over all rows.
sub states_of_aggregates
{
    my ($node, %functions) = @_;
    my (%made, @fill);
    for (rows_of($node, q{SELECT aggfnoid::regprocedure, aggtransfn::regprocedure, aggcombinefn::regprocedure,
                              aggfinalfn::regprocedure, aggtranstype::regtype FROM pg_aggregate ORDER BY 1}))
    {
        my ($aggregate, $accumulate, $combine, $finish, $type) = @$_;
        next unless $functions{$aggregate};
        my @arguments = arguments_of($functions{$aggregate});
        my ($state, $types) = ('state_' . @fill, join(', ', @{ $functions{$aggregate}{types} }));
        $node->safe_psql('postgres', qq{
            CREATE AGGREGATE example.$state($types) (sfunc = $functions{$accumulate}{name}, stype = $type);
            ALTER TABLE example.sample ADD $state $type});
        push @fill, "$state = (SELECT example.$state(" . join(', ', @arguments) . ') FROM example.sample AS s)';
        my %rest = ($accumulate => \@arguments, $combine => ["s.$state"],
            $finish => $functions{$finish} ? [ @arguments[ 0 .. $#{ $functions{$finish}{types} } - 1 ] ] : []);
        $made{$_} //= [ "s.$state", @{ $rest{$_} } ] for grep { $functions{$_} } sort keys %rest;
    }
    $node->safe_psql('postgres', 'UPDATE example.sample SET ' . join(', ', @fill));
    return %made;
}

sub note_calls
{
    my ($node) = @_;
    my %functions;
    for (rows_of($node, q{
        SELECT p.oid::regprocedure, p.oid::regproc, prokind, format_type(prorettype, NULL),
               (SELECT string_agg(coalesce(proargnames[a.place], ''), ';' ORDER BY a.place)
                FROM unnest(proargtypes) WITH ORDINALITY AS a (type, place)),
               (SELECT string_agg(format_type(a.type, NULL), ';' ORDER BY a.place)
                FROM unnest(proargtypes) WITH ORDINALITY AS a (type, place)), provariadic <> 0
        FROM pg_depend AS d JOIN pg_proc AS p ON d.objid = p.oid
        WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
          AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_crm')}))
    {
        my %function;
        @function{ qw(signature name kind result names types variadic) } = @$_;
        $function{$_} = [ split /;/, $function{$_}, -1 ] for qw(names types);
        $functions{ $function{signature} } = \%function;
    }
    my %made = states_of_aggregates($node, %functions);
    my %exists = map { ("s.$_->[0]" => 1) } rows_of($node,
        q{SELECT attname FROM pg_attribute WHERE attrelid = 'example.sample'::regclass AND attnum > 0});
    my $notes = '';
    for my $function (values %functions)
    {
        my ($signature, $name, $result) = @$function{ qw(signature name result) };
        my @arguments = $name =~ /^crm\.(\w+)_in$/ ? "s.$1\::pg_catalog.text::pg_catalog.cstring"
            : @{ $made{$signature} // [ arguments_of($function) ] };
        my $call;
        if ($calls{$signature}) { $call = $calls{$signature} }
        elsif (!grep { /^s\.\w+$/ && !$exists{$_} } @arguments) { $call = "$name(" . join(', ', @arguments) . ')' }
        $call .= ' OVER (ORDER BY s.n)' if $call && $function->{kind} eq 'w';
        my $expression = $call && ($result =~ /^(cstring|void)$/ ? "($call)::pg_catalog.text" : "example.print($call)");
        $notes .= sprintf(
            "INSERT INTO example.call SELECT oid::regprocedure, prokind, provolatile <> 'v', provolatile = 'i', "
            . "proparallel = 's' AND prokind <> 'w', %s "
            . "FROM pg_proc WHERE oid = '%s'::regprocedure;\n",
            join(', ', map { defined $_ ? "\$e\$$_\$e\$" : 'NULL' } $result, $call, $expression, $name,
                map { '{' . join(',', map { qq("$_") } @$_) . '}' } \@arguments, $function->{types}), $signature);
    }
    $node->safe_psql('postgres', $notes);
    return;
}

1;
