SET search_path = public, crm;
SET TimeZone = 'UTC';

-- text form
SELECT s::idset FROM unnest('{"{}", "{1,2,5}", " { 5 ,1, 2,2 } ", "{-1,0,-9223372036854775808,9223372036854775807}",
    "{1..99}", "{1..100}", "{7,1..50,40..120}"}'::text[]) AS s;
SELECT ''::idset;
SELECT '{1,2'::idset;
SELECT '{1,,2}'::idset;
SELECT '{1,2}x'::idset;
SELECT '{a}'::idset;
SELECT '{5..1}'::idset;
SELECT '{9223372036854775808}'::idset;
SELECT '{-9223372036854775808..9223372036854775807}'::idset;

-- binary form: a list, values, bits, runs
SELECT name, cardinality(s), length(idset_send(s)) AS bytes, encode(substr(idset_send(s), 1, 32), 'hex') AS front
FROM (VALUES ('nothing', '{}'::idset), ('one', '{-1}'), ('list', '{1,2,5}'),
             ('wide list', ARRAY[0, 10 ^ 12::bigint, 10 ^ 15::bigint]::bigint[]::idset),
             ('values', (SELECT idset(g * 5) FROM generate_series(1, 3000) AS g)),
             ('bits', (SELECT idset(g * 2) FROM generate_series(1, 30000) AS g)),
             ('runs', idset_range(100000, 199999))) AS v(name, s);

-- arrays
SELECT ARRAY[3, 1, 2, 3]::idset, '{9,-9}'::bigint[]::idset, '{}'::bigint[]::idset, '{{1,2},{3,4}}'::bigint[]::idset;
SELECT '{3,1,2}'::idset::bigint[], ids('{}');
SELECT ARRAY[1, NULL]::bigint[]::idset;
SELECT ids(idset_range(1, 1000000000));
SELECT idset_of(NULL::bigint[]);

-- algebra
SELECT a | b AS either, a & b AS both, a - b AS left_only, b - a AS right_only, a # b AS one
FROM (VALUES ('{1,2,3}'::idset, '{2,3,4}'::idset)) AS v(a, b);
SELECT a | b AS either, a & b AS both, a - b AS left_only, a # b AS one
FROM (VALUES ('{1..100000}'::idset, '{50000..150000,-7}'::idset), ('{1..1000}', '{}'), ('{}', '{}'),
             ('{-70000..70000}', '{0}')) AS v(a, b);
SELECT a @> b AS contains, a <@ b AS contained, a && b AS overlaps, a = b AS same, a <> b AS different,
       intersection_cardinality(a, b), jaccard(a, b)
FROM (VALUES ('{1,2,3}'::idset, '{2,3}'::idset), ('{2}', '{2}'), ('{1}', '{2}'), ('{}', '{}'), ('{}', '{1}'),
             ('{1..100000}', '{99999..200000}')) AS v(a, b);
SELECT '{1,2}'::idset @> 2, '{1,2}'::idset @> 3, 2 <@ '{1,2}'::idset, contains('{1..100000}', 100000),
       contains('{1..100000}', 100001), contains('{-5}', -5), contains('{}', 0), contains(NULL, 1), '{1}' @> NULL::bigint;

-- members and ranges
SELECT members('{5,-1,3}');
SELECT * FROM members('{}');
SELECT count(*), min(id), max(id), sum(id) FROM members('{1..100000,500000}') AS id;
SELECT members('{1..1000000000}') LIMIT 2;
SELECT members_between('{1,5,10,100000..100100}', 5, 100001);
SELECT members_between('{1,5}', 5, 1), members_between('{9223372036854775807}', 9223372036854775807, 9223372036854775807);
SELECT idset_range(3, 5), idset_range(5, 3), cardinality(idset_range(-1000000, 1000000)), idset_range(NULL, 1);
SELECT idset_range(-9223372036854775808, 9223372036854775807);

-- sorting, grouping, hashing
SELECT DISTINCT s FROM unnest('{"{2,1}","{1,2}","{3}"}'::idset[]) AS s ORDER BY s;
SELECT idset_cmp('{1}', '{1}'), sign(idset_cmp('{1}', '{2}')) = -sign(idset_cmp('{2}', '{1}')),
       idset_hash('{1,2}') = idset_hash('{2,1}'), idset_hash_extended('{1}', 5) = idset_hash_extended('{1}', 5);
SELECT count(*) FROM unnest('{"{2,1}","{1,2}","{3}"}'::idset[]) AS a(s) JOIN unnest('{"{1,2}"}'::idset[]) AS b(s) USING (s);

-- aggregates: equal to plain SQL, serially and in parallel, whatever the order
CREATE TABLE visits AS
SELECT g % 7 AS place, (hashint8extended(g, 1) % 100000) AS near, hashint8extended(g, 2) AS far
FROM generate_series(1, 70000) AS g;
SELECT idset(id) FROM unnest('{5,3,NULL,5}'::bigint[]) AS id;
SELECT idset(id), idset_union(NULL), idset_intersection(NULL) FROM unnest('{}'::bigint[]) AS id;
SELECT place, cardinality(idset(near)) = count(DISTINCT near) AS near, cardinality(idset(far)) = count(DISTINCT far) AS far,
       ids(idset(near)) = array_agg(DISTINCT near ORDER BY near) AS same
FROM visits GROUP BY place ORDER BY place;
CREATE TABLE places AS SELECT place, idset(near) AS s FROM visits GROUP BY place;
SELECT idset_union(s) = (SELECT idset(near) FROM visits) AS union, idset_intersection(s) FROM places;
SELECT idset_intersection(s) FROM unnest('{"{1,2,3}",NULL,"{2,3,4}","{3,2}"}'::idset[]) AS s;
SELECT idset_union(s) FROM unnest('{"{1}",NULL,"{}","{-1,1}"}'::idset[]) AS s;
SELECT bool_and(u @> s) FROM (SELECT s, idset_union(s) OVER (ORDER BY place) AS u FROM places) AS w;
SELECT idset(near) AS serial_set FROM visits \gset
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS off) SELECT idset(near) FROM visits;
SELECT idset(near) = :'serial_set' AS same FROM visits;
SELECT cardinality(idset(far)), cardinality(idset_union(ARRAY[near, far]::idset)) FROM visits;
RESET ALL;
SET search_path = public, crm;

-- states made by hand
SELECT idset_finish('\x00'), 1;
SELECT idset_finish(decode(repeat('00', 24), 'hex'));
SELECT idset_accumulate('\x4901000000000000ffffffffffffff7f0000000000000000', 1);
SELECT idset_finish('\x490100000000000000000000000000000c0000000000000001000500ffffffff');
SELECT idset_common_finish(decode(repeat('00', 16), 'hex'));
SELECT idset_finish(idset_combine(idset_accumulate(idset_accumulate(NULL, 5), 3), idset_accumulate(NULL, '{3,4}'::idset)));

-- probes of stored sets: inline, out of line, another one for each row
CREATE TABLE stored (name text, s idset);
INSERT INTO stored SELECT 'even', idset(g * 2) FROM generate_series(1, 50000) AS g;
INSERT INTO stored SELECT 'few', '{1,2,3}';
INSERT INTO stored SELECT 'third', idset(g * 3) FROM generate_series(1, 30000) AS g;
SELECT name, count(*) FILTER (WHERE s @> g), count(*) FILTER (WHERE g <@ s)
FROM stored, generate_series(1, 1000) AS g GROUP BY name ORDER BY name;
SELECT name, count(*) FROM generate_series(1, 1000) AS g, stored WHERE contains(s, g) GROUP BY name ORDER BY name;
SELECT count(*) FROM generate_series(1, 1000) AS g WHERE contains((SELECT s FROM stored WHERE name = 'third'), g);
SELECT a.name, b.name, intersection_cardinality(a.s, b.s), round(jaccard(a.s, b.s)::numeric, 4) AS jaccard, a.s && b.s AS overlap
FROM stored AS a JOIN stored AS b ON a.name < b.name ORDER BY 1, 2;
SET work_mem = '64kB';
CREATE TABLE many AS SELECT n, (SELECT idset(g * n) FROM generate_series(1, 20000) AS g) AS s FROM generate_series(1, 12) AS n;
SELECT a.n, sum(intersection_cardinality(a.s, b.s)) FROM many AS a, many AS b GROUP BY a.n ORDER BY a.n;
SELECT n, sum(cardinality(a.s & b.s)) FROM many AS a JOIN (SELECT s FROM many) AS b ON true GROUP BY n ORDER BY n;
RESET work_mem;
UPDATE stored SET s = s | '{1}' WHERE name = 'even';
SELECT cardinality(s), s @> 1 FROM stored WHERE name = 'even';

-- every operation, of sets of every form, against plain SQL
CREATE TABLE samples AS
SELECT n, idset(CASE n WHEN 1 THEN g WHEN 2 THEN g * 2 - 10000 WHEN 3 THEN hashint8extended(g, n) WHEN 4 THEN g * 70001
                       WHEN 5 THEN g % 50 ELSE g + 5000 END) AS s
FROM generate_series(1, 6) AS n, generate_series(1, 10000) AS g GROUP BY n;
SELECT count(*), bool_and(a.s | b.s = (SELECT idset(id) FROM (SELECT members(a.s) AS id UNION SELECT members(b.s)) AS x)) AS unions,
       bool_and(a.s & b.s = (SELECT coalesce(idset(id), '{}') FROM (SELECT members(a.s) AS id INTERSECT SELECT members(b.s)) AS x)) AS intersections,
       bool_and(a.s - b.s = (SELECT coalesce(idset(id), '{}') FROM (SELECT members(a.s) AS id EXCEPT SELECT members(b.s)) AS x)) AS differences,
       bool_and(a.s # b.s = (a.s | b.s) - (a.s & b.s)) AS symmetric,
       bool_and(intersection_cardinality(a.s, b.s) = cardinality(a.s & b.s)) AS counted
FROM samples AS a, samples AS b;
SELECT bool_and(s::text::idset = s), bool_and(s::bigint[]::idset = s) FROM samples;

DROP TABLE visits, places, stored, many, samples;
