# pg_dump and restore: own RFM maps and values of every type come back, shipped maps are not copied, and the owner of a
# database, who is no superuser, installs the extension, dumps it and restores it.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump_restore');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
$node->safe_psql('postgres',
    'CREATE ROLE shop_owner LOGIN; CREATE ROLE analyst LOGIN; CREATE DATABASE shop OWNER shop_owner');

sub sql_as
{
    my ($role, $database, $sql) = @_;
    return $node->safe_psql($database, $sql, extra_params => [ '-U', $role ]);
}

sub refusal_of
{
    my ($role, $database, $sql) = @_;
    my ($status, $output, $error) = $node->psql($database, $sql, extra_params => [ '-U', $role ]);
    return $status ? $error : "accepted: $output";
}

# The plain dump of a database.
sub dump_of
{
    my ($role, $database) = @_;
    my ($dump, $error) = run_command([ 'pg_dump', '-U', $role, '-h', $node->host, '-p', $node->port, $database ]);
    die "pg_dump failed: $error" if $error;
    return $dump;
}

# What a dump says, without comments, its random key and the order of rows.
sub gist_of
{
    return join("\n", sort grep { !/^(--|\\(un)?restrict )/ } split /\n/, $_[0]);
}

sub restore_as
{
    my ($role, $database, $file) = @_;
    $node->safe_psql('postgres', "CREATE DATABASE $database OWNER shop_owner");
    my @target = ('-U', $role, '-h', $node->host, '-p', $node->port, '-d', $database);
    return $node->command_ok(
        $file =~ /\.sql$/
        ? [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @target, '-f', $file ]
        : [ 'pg_restore', '--exit-on-error', @target, $file ],
        "$role restores $database");
}

# 1. The owner of the database installs the extension and may define maps. Others may read them.

like(refusal_of('analyst', 'shop', 'CREATE EXTENSION pg_crm'), qr/permission denied/,
    'installing takes the right to create in the database');
sql_as('shop_owner', 'shop', 'CREATE EXTENSION pg_crm');
is( sql_as('shop_owner', 'shop', q{
        SELECT r.rolname, r.rolsuper FROM pg_extension e JOIN pg_roles r ON r.oid = extowner WHERE extname = 'pg_crm'}),
    'shop_owner|f',
    'installed by an owner who is no superuser');
like(refusal_of('analyst', 'shop', 'DROP EXTENSION pg_crm'), qr/must be owner of extension pg_crm/,
    'others cannot drop it');

my $define = q{SELECT crm.define_rfm_map('%s', ARRAY[
    ROW ('heart', 'Heart', '中心の顧客', '{[45][45].,5[1-3].}'), ROW ('fading', NULL, NULL, '{[12]..}')]::crm.rfm_rule[],
    first_match => true, otherwise => 'rest', otherwise_ja => 'その他の顧客', note => 'It''s ours: 50 %% of 売上')};
sql_as('shop_owner', 'shop', sprintf($define, 'ours'));
sql_as('shop_owner', 'shop', q{SELECT crm.define_rfm_map('Ours "too"', '{"(all,,,{...})"}', grades => 9)});
is( sql_as('analyst', 'shop', q{SELECT count(*) FROM crm.rfm_map_scores('ours') WHERE segment = 'heart'}),
    '35', 'others read own maps');
like(refusal_of('analyst', 'shop', sprintf($define, 'theirs')), qr/permission denied for table rfm_map/,
    'others define no maps');

# 2. A column of every type the extension has, in what people make of tables: defaults, checks, indexes, generated
#    columns, views, and a materialised view that is filled anew by the restore.

my %values = (
    calendar => q{'month Asia/Tokyo'},
    history => q{'[["2026-01-01T00:30:00Z",1200],["2026-02-03T04:05:06.5Z",-99.5]]'},
    rfm => q{'(31,4,"12000.50")'},
    rfm_bands => q{crm.rfm_bands()},
    rfm_score => q{'543'},
    rfm_rule => q{ROW ('heart', NULL, '中心', '{[45]..,3.5}')},
    cpm_class => q{'trend'},
    cpm => q{'(loyal,f)'},
    retention => q{'on_or_after'},
    cohorts => q{(SELECT crm.cohorts('[["2026-01-01T00:30:00Z",1200]]'::crm.history, 'month Asia/Tokyo'::crm.calendar, '2026-03-01'))},
    repeats => q{(SELECT crm.repeats('[["2026-01-01T00:30:00Z",1200]]'::crm.history, '2026-03-01'))},
    survival => q{(SELECT crm.survival(2.5, true))},
    shop_capture => q{'compare'},
    refresh_counts => q{'(1,2,3,f)'},
    idset => q{'{-9,1..1000,9223372036854775807}'},
    tier_ladder => q{crm.tier_ladder()},
    tier => q{'(silver,gold,70000.5)'},
    dormancy => q{crm.dormancy('[["2026-01-01T00:30:00Z",1200]]', '2026-03-01', 20)},
    signal_trend => q{(SELECT crm.signal_trend('2026-03-01', 2.5))},
    segment => q{'(many,1,Many,多い,family,union,"{few,more}")'},
    segment_export => q{'(7,many,Many,多い,2026-02-28,2026-01-05,2026-02-05,2,7000,521,other,silver,,12.5)'},
    set_operation => q{'difference'},
    goods_type => q{'apparel'},
    ltv => q{(SELECT crm.ltv('[["2026-01-01T00:30:00Z",1200]]'::crm.history, '2026-03-01'))},
    btyd_model => q{'mbgnbd'},
    fit_method => q{'map'},
    model_status => q{'not_identified'},
    bgnbd => q{crm.bgnbd(0.243, 4.414, 0.793, 2.426, 'week Asia/Tokyo')},
    mbgnbd => q{(SELECT crm.mbgnbd_fit(g % 3, g % 3 * (1 + g % 5), 10 + g % 7, 'week Asia/Tokyo', 'map') FROM generate_series(1, 100) AS g)},
    pareto_nbd => q{crm.pareto_nbd(0.553, 10.578, 0.606, 11.669, 'day UTC')},
    gamma_gamma => q{(SELECT crm.gamma_gamma_fit(1 + g % 3, 5 + g % 7 * 1.1, 'week Asia/Tokyo') FROM generate_series(1, 100) AS g)},
    sbg => q{(SELECT crm.sbg_fit(g % 5, g % 3 > 0) FROM generate_series(1, 100) AS g)});
is( sql_as('shop_owner', 'shop', q{
        SELECT string_agg(t.typname, ' ' ORDER BY t.typname)
        FROM pg_type t
             JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
             JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
             LEFT JOIN pg_class c ON c.oid = t.typrelid
        WHERE e.extname = 'pg_crm' AND t.typelem = 0 AND coalesce(c.relkind, 'c') = 'c'}),
    join(' ', sort keys %values), 'values of every type are dumped here');

sql_as('shop_owner', 'shop', sprintf('CREATE TABLE every_type (id int PRIMARY KEY, %s)',
    join(', ', map { "\"$_\" crm.$_, many_$_ crm.${_}[]" } sort keys %values)));
sql_as('shop_owner', 'shop', sprintf('INSERT INTO every_type VALUES (1, %s), (2, %s)',
    join(', ', map { "$values{$_}::crm.$_, ARRAY[$values{$_}, NULL]::crm.${_}[]" } sort keys %values),
    join(', ', map { 'NULL, NULL' } keys %values)));
sql_as('shop_owner', 'shop', q{
    CREATE TABLE customer (
        id bigint PRIMARY KEY,
        history crm.history NOT NULL DEFAULT '[["2025-06-01T00:00:00Z",500]]',
        orders int GENERATED ALWAYS AS (crm.orders(history)) STORED,
        score crm.rfm_score DEFAULT '111' CHECK (crm.r(score) > 0),
        month crm.calendar DEFAULT 'month Asia/Tokyo',
        EXCLUDE USING hash (history WITH OPERATOR(crm.=)));
    CREATE INDEX ON customer (score, history);
    CREATE INDEX ON customer (crm.last_order(history));
    INSERT INTO customer (id, score) VALUES (1, '543');
    INSERT INTO customer (id, history) VALUES (2, '[["2026-01-01T00:30:00Z",1200],["2026-02-03T04:05:06.5Z",-99.5]]');
    CREATE VIEW cohort AS SELECT id, crm.cohort(history, month) FROM customer;
    CREATE MATERIALIZED VIEW segment AS SELECT id, crm.rfm_segment(score, 'ours') AS ours FROM customer;
    CREATE MATERIALIZED VIEW segment_size AS SELECT segment, count(*) FROM crm.rfm_map_scores('ours') GROUP BY segment;
    GRANT SELECT ON customer, segment TO analyst});
is(sql_as('shop_owner', 'shop', 'SELECT id, ours FROM segment ORDER BY id'), "1|heart\n2|fading",
    'customers have segments');

# A shop, with orders that no refresh has seen yet.
sql_as('shop_owner', 'shop', q{
    CREATE TABLE "Orders" (id int PRIMARY KEY, customer int, at timestamptz, total int, source text);
    INSERT INTO "Orders" SELECT g, g % 7, '2025-01-01'::timestamptz + g * interval '1 day', 100 * g, 'web' FROM generate_series(1, 100) g;
    SELECT crm.create_shop('店', 'Orders', 'customer', 'at', 'total', channel => 'source', grades => 5, zone => 'Asia/Tokyo',
        tiers => crm.tier_ladder('{regular,gold}', '{0,5000}', '{一般,ゴールド}'), tier_period => 'year');
    CALL crm.refresh('店', '2025-06-01');
    SELECT crm.create_shop('by uuid', 'Orders', 'md5(customer::text)::uuid', 'at', 'total', zone => 'Asia/Tokyo');
    CALL crm.refresh('by uuid', '2025-06-01');
    SELECT crm.define_segment(shop, '多い', 'orders > 14', 'many', '多い', 'family'), crm.define_segment(shop, 'it''s late', 'recency_days > 52'),
        crm.define_segment_set(shop, 'both', 'intersection', ARRAY['多い', 'it''s late']) FROM crm.shop;
    INSERT INTO "Orders" VALUES (200, 5, '2025-05-01', 1, 'web');
    CALL crm.refresh('店', '2025-06-01');
    CALL crm.refresh('by uuid', '2025-06-01');
    SELECT crm.define_segment(shop, '多い', 'orders > 14 AND revenue > 0', 'many', '多い', 'family') FROM crm.shop;
    UPDATE "Orders" SET total = total + 1 WHERE id < 10;
    INSERT INTO "Orders" VALUES (101, 50, '2025-05-01', 5000, 'shop');
    SELECT crm.grant_shop('店', 'analyst')});
is(sql_as('shop_owner', 'shop', 'SELECT count(*), (SELECT count(*) FROM "店".change_queue) FROM "店".customer'), '7|19',
    'a shop has customers and changes to apply');

# 3. The dump: own maps only, and nothing that needs a superuser or a search path.

my $dump = dump_of('shop_owner', 'shop');
my ($maps) = $dump =~ /^COPY crm\.rfm_map [^\n]*\n(.*?)^\\\.$/ms;
my ($rules) = $dump =~ /^COPY crm\.rfm_map_rule [^\n]*\n(.*?)^\\\.$/ms;
is(join(' / ', sort map { /^([^\t]*)/ } split /\n/, $maps), 'Ours "too" / ours', 'the dump has the own maps');
is(join(' / ', sort map { /^([^\t]*)/ } split /\n/, $rules), 'Ours "too" / ours / ours', 'and their rules');
unlike($dump, qr/^(CREATE|ALTER) [A-Z ]* crm\./m, 'objects of the extension are left to the extension');
like($dump, qr/set_config\('search_path', '', false\)/, 'the dump sets an empty search path');

# 4. Restored by the owner or a superuser, as a script or an archive, it is the same database.

my $tables = q{
    SELECT 'every_type', e::text FROM every_type e UNION ALL
    SELECT 'customer', c::text FROM customer c UNION ALL
    SELECT 'cohort', c::text FROM cohort c UNION ALL
    SELECT 'segment', s::text FROM segment s UNION ALL
    SELECT 'segment_size', s::text FROM segment_size s UNION ALL
    SELECT 'customer of the shop', c::text FROM "店".customer c UNION ALL
    SELECT 'history of the shop', h::text FROM "店".customer_history h UNION ALL
    SELECT 'queue of the shop', q::text FROM "店".change_queue q UNION ALL
    SELECT 'scoring of the shop', s::text FROM "店".scoring s UNION ALL
    SELECT 'log of the shop', l::text FROM "店".refresh_log l UNION ALL
    SELECT 'definition', d::text FROM "店".segment_definition d UNION ALL
    SELECT 'set', s::text FROM "店".segment_set s UNION ALL
    SELECT 'set by uuid', s::text FROM "by uuid".segment_set s UNION ALL
    SELECT 'change', c::text FROM "by uuid".segment_change c UNION ALL
    SELECT 'event', e::text FROM "店".segment_event e UNION ALL
    SELECT 'event by uuid', e::text FROM "by uuid".segment_event e UNION ALL
    SELECT 'member by uuid', m::text FROM "by uuid".segment_member m UNION ALL
    SELECT 'shop', s::text FROM crm.shop s UNION ALL
    SELECT 'rfm_map', m::text FROM crm.rfm_map m UNION ALL
    SELECT 'rfm_map_rule', r::text FROM crm.rfm_map_rule r UNION ALL
    SELECT 'rfm_map_scores', m.map || s::text FROM crm.rfm_map m, crm.rfm_map_scores(m.map) s
    ORDER BY 1, 2};
my $content = sql_as('shop_owner', 'shop', $tables);
my $folder = $node->basedir;
my @connection = ('-U', 'shop_owner', '-h', $node->host, '-p', $node->port);
$node->command_ok([ 'pg_dump', @connection, '-f', "$folder/shop.sql", 'shop' ], 'dumped as a script');
$node->command_ok([ 'pg_dump', @connection, '--column-inserts', '-f', "$folder/inserts.sql", 'shop' ], 'as inserts');
$node->command_ok([ 'pg_dump', @connection, '-Fc', '-f', "$folder/shop.dump", 'shop' ], 'as an archive');

restore_as('shop_owner', 'shop_script', "$folder/shop.sql");
restore_as('shop_owner', 'shop_inserts', "$folder/inserts.sql");
restore_as('shop_owner', 'shop_archive', "$folder/shop.dump");
restore_as($node->safe_psql('postgres', 'SELECT current_user'), 'shop_superuser', "$folder/shop.dump");
for my $database (qw(shop_script shop_inserts shop_archive shop_superuser))
{
    is(sql_as('shop_owner', $database, $tables), $content, "$database has the same content");
    is(sql_as('shop_owner', $database, 'SELECT count(*), count(*) FILTER (WHERE shipped) FROM crm.rfm_map'),
        '6|4', "$database has the shipped maps once");
    is(gist_of(dump_of('shop_owner', $database)), gist_of($dump), "$database gives the same dump");
}

# 5. The restored database works on, also for its owner where a superuser restored it.

for my $database (qw(shop_archive shop_superuser))
{
    sql_as('shop_owner', $database, sprintf($define, 'next'));
    sql_as('shop_owner', $database, q{SELECT crm.drop_rfm_map('Ours "too"')});
    is( sql_as('shop_owner', $database, q{SELECT string_agg(map, ' ' ORDER BY map) FROM crm.rfm_map WHERE NOT shipped}),
        'next ours', "the owner defines and drops maps in $database");
    like(refusal_of('shop_owner', $database, q{SELECT crm.drop_rfm_map('six')}), qr/cannot be dropped/,
        'shipped maps are still told apart');
    like(refusal_of('analyst', $database, sprintf($define, 'theirs')), qr/permission denied for table rfm_map/,
        'others still define no maps');
}
for my $database (qw(shop_script shop_archive shop_superuser))
{
    sql_as('shop_owner', $database, q{
        INSERT INTO "Orders" VALUES (102, 51, '2025-05-02', 6000, 'shop');
        CALL crm.refresh('店', '2025-06-01')});
    is( sql_as('shop_owner', $database,
            q{SELECT status, changes, customers, rebuilt FROM "店".refresh_log ORDER BY run DESC LIMIT 1}),
        'done|20|9|f', "the shop of $database applies the changes of before and after the dump");
    sql_as('shop_owner', $database, q{CALL crm.rebuild('店', '2025-06-01')});
    is(sql_as('shop_owner', $database, q{SELECT changes, customers FROM "店".refresh_log ORDER BY run DESC LIMIT 1}), '0|0',
        'and is what a rebuild makes of it');
    is(sql_as('analyst', $database, 'SELECT count(*) FROM "店".customer'), 9, 'whom rights were granted, reads it');
    sql_as('shop_owner', $database, q{CALL crm.refresh('by uuid', '2025-06-01')});
    is( sql_as('shop_owner', $database, q{
            SELECT (SELECT count(*) FROM "by uuid".segment_event WHERE event > (SELECT count(*) FROM "by uuid".segment_event) OR run IS NULL),
                   (SELECT array_agg(customer_id ORDER BY customer_id) = (SELECT array_agg(customer_id ORDER BY customer_id) FROM "by uuid".customer WHERE orders > 14)
                    FROM "by uuid".segment_member WHERE segment = '多い')}),
        '0|t', 'its segments go on, with the next numbers of events');
    is(sql_as('analyst', $database, q{SELECT crm.in_segment('店', '多い', 5), crm.segment_size('店', 'it''s late', '2025-06-01') > 0}),
        't|t', 'and they read the segments');
}
sql_as('shop_owner', 'shop_archive', 'GRANT INSERT, UPDATE, DELETE ON crm.rfm_map, crm.rfm_map_rule TO analyst');
sql_as('analyst', 'shop_archive', sprintf($define, 'theirs'));
like(dump_of('shop_owner', 'shop_archive'), qr/^GRANT .* ON TABLE crm\.rfm_map TO analyst;$/m,
    'rights that were granted are dumped');

# 6. Restored in sections, one after the other.

$node->safe_psql('postgres', 'CREATE DATABASE shop_sections OWNER shop_owner');
my @restore = ('pg_restore', '--exit-on-error', @connection, '-d', 'shop_sections', "$folder/shop.dump");
$node->command_ok([ @restore, "--section=$_" ], "section $_ is restored") for qw(pre-data data post-data);
is(sql_as('shop_owner', 'shop_sections', $tables), $content, 'the sections give the same content');

# 7. The owner can go back.

sql_as('shop_owner', 'shop_sections', 'DROP EXTENSION pg_crm CASCADE');
is( sql_as('shop_owner', 'shop_sections',
        q{SELECT to_regclass('crm.rfm_map') IS NULL, to_regclass('customer') IS NOT NULL}),
    't|t', 'the owner drops the extension and keeps the shop');
sql_as('shop_owner', 'shop_sections', 'DELETE FROM "Orders"');
is(sql_as('shop_owner', 'shop_sections', q{SELECT count(*) FROM pg_trigger WHERE tgrelid = '"Orders"'::regclass}), 0,
    'whose orders have no triggers any more');

$node->stop;
done_testing();
