-- crm.idset: a compressed set of ids

CREATE TYPE crm.idset;

CREATE FUNCTION crm.idset_in(cstring) RETURNS crm.idset
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_idset_in';
CREATE FUNCTION crm.idset_out(crm.idset) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_idset_out';
CREATE FUNCTION crm.idset_recv(internal) RETURNS crm.idset
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_idset_recv';
CREATE FUNCTION crm.idset_send(crm.idset) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_idset_send';

CREATE TYPE crm.idset (
    INPUT = crm.idset_in,
    OUTPUT = crm.idset_out,
    RECEIVE = crm.idset_recv,
    SEND = crm.idset_send,
    INTERNALLENGTH = VARIABLE,
    STORAGE = EXTERNAL,
    CATEGORY = 'U'
);

COMMENT ON TYPE crm.idset IS
'A set of bigint, compressed: close ids take a bit each or less, scattered ones as many bytes as the set is wide. Equal sets are equal values, however they were made. Text form: {1,2,5}, ascending; 100 or more ids that follow each other are written 1..100. Less than 1 GB. Methods: Lemire, Kaser, Kurz, Deri, O''Hara, Saint-Jacques, Ssi-Yan-Kai (2018), Roaring bitmaps: implementation of an optimized software library.';
COMMENT ON FUNCTION crm.idset_in(cstring) IS 'Text input of crm.idset; ids and ranges may come in any order and repeat. Errors: 22P02 malformed text, 22003 id beyond bigint, 54000 beyond 1 GB.';
COMMENT ON FUNCTION crm.idset_out(crm.idset) IS 'Text output of crm.idset.';
COMMENT ON FUNCTION crm.idset_recv(internal) IS 'Binary input of crm.idset, as strict as text. Errors: 22P03 for bytes that pg_crm would not write.';
COMMENT ON FUNCTION crm.idset_send(crm.idset) IS 'Binary output of crm.idset: the stored bytes, laid out as docs/segment.md says.';

-- comparison

CREATE FUNCTION crm.idset_eq(crm.idset, crm.idset) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_idset_eq';
CREATE FUNCTION crm.idset_ne(crm.idset, crm.idset) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_idset_ne';
CREATE FUNCTION crm.idset_lt(crm.idset, crm.idset) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_idset_lt';
CREATE FUNCTION crm.idset_le(crm.idset, crm.idset) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_idset_le';
CREATE FUNCTION crm.idset_gt(crm.idset, crm.idset) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_idset_gt';
CREATE FUNCTION crm.idset_ge(crm.idset, crm.idset) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_idset_ge';
CREATE FUNCTION crm.idset_cmp(crm.idset, crm.idset) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_idset_cmp';
CREATE FUNCTION crm.idset_hash(crm.idset) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_idset_hash';
CREATE FUNCTION crm.idset_hash_extended(crm.idset, bigint) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_idset_hash_extended';

COMMENT ON FUNCTION crm.idset_eq(crm.idset, crm.idset) IS 'True when both hold the same ids; implements =.';
COMMENT ON FUNCTION crm.idset_ne(crm.idset, crm.idset) IS 'True when the ids differ; implements <>.';
COMMENT ON FUNCTION crm.idset_lt(crm.idset, crm.idset) IS 'Orders sets by their bytes, for sorting and DISTINCT only; implements <.';
COMMENT ON FUNCTION crm.idset_le(crm.idset, crm.idset) IS 'Orders sets by their bytes, for sorting and DISTINCT only; implements <=.';
COMMENT ON FUNCTION crm.idset_gt(crm.idset, crm.idset) IS 'Orders sets by their bytes, for sorting and DISTINCT only; implements >.';
COMMENT ON FUNCTION crm.idset_ge(crm.idset, crm.idset) IS 'Orders sets by their bytes, for sorting and DISTINCT only; implements >=.';
COMMENT ON FUNCTION crm.idset_cmp(crm.idset, crm.idset) IS 'Orders sets by their bytes: -1, 0 or 1. Support function of the btree operator class.';
COMMENT ON FUNCTION crm.idset_hash(crm.idset) IS 'Hash of a set. Support function of the hash operator class.';
COMMENT ON FUNCTION crm.idset_hash_extended(crm.idset, bigint) IS 'Hash of a set with a seed. Support function of the hash operator class.';

CREATE OPERATOR crm.= (FUNCTION = crm.idset_eq, LEFTARG = crm.idset, RIGHTARG = crm.idset,
    COMMUTATOR = OPERATOR(crm.=), NEGATOR = OPERATOR(crm.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR crm.<> (FUNCTION = crm.idset_ne, LEFTARG = crm.idset, RIGHTARG = crm.idset,
    COMMUTATOR = OPERATOR(crm.<>), NEGATOR = OPERATOR(crm.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR crm.< (FUNCTION = crm.idset_lt, LEFTARG = crm.idset, RIGHTARG = crm.idset,
    COMMUTATOR = OPERATOR(crm.>), NEGATOR = OPERATOR(crm.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR crm.<= (FUNCTION = crm.idset_le, LEFTARG = crm.idset, RIGHTARG = crm.idset,
    COMMUTATOR = OPERATOR(crm.>=), NEGATOR = OPERATOR(crm.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR crm.> (FUNCTION = crm.idset_gt, LEFTARG = crm.idset, RIGHTARG = crm.idset,
    COMMUTATOR = OPERATOR(crm.<), NEGATOR = OPERATOR(crm.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR crm.>= (FUNCTION = crm.idset_ge, LEFTARG = crm.idset, RIGHTARG = crm.idset,
    COMMUTATOR = OPERATOR(crm.<=), NEGATOR = OPERATOR(crm.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);

COMMENT ON OPERATOR crm.= (crm.idset, crm.idset) IS 'Same ids.';
COMMENT ON OPERATOR crm.<> (crm.idset, crm.idset) IS 'Different ids.';
COMMENT ON OPERATOR crm.< (crm.idset, crm.idset) IS 'Order of the bytes, for sorting and DISTINCT.';
COMMENT ON OPERATOR crm.<= (crm.idset, crm.idset) IS 'Order of the bytes, for sorting and DISTINCT.';
COMMENT ON OPERATOR crm.> (crm.idset, crm.idset) IS 'Order of the bytes, for sorting and DISTINCT.';
COMMENT ON OPERATOR crm.>= (crm.idset, crm.idset) IS 'Order of the bytes, for sorting and DISTINCT.';

CREATE OPERATOR CLASS crm.idset_ops DEFAULT FOR TYPE crm.idset USING btree AS
    OPERATOR 1 crm.<, OPERATOR 2 crm.<=, OPERATOR 3 crm.=, OPERATOR 4 crm.>=, OPERATOR 5 crm.>,
    FUNCTION 1 crm.idset_cmp(crm.idset, crm.idset);
CREATE OPERATOR CLASS crm.idset_ops DEFAULT FOR TYPE crm.idset USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.idset_hash(crm.idset), FUNCTION 2 crm.idset_hash_extended(crm.idset, bigint);
COMMENT ON OPERATOR CLASS crm.idset_ops USING btree IS 'Sorting and DISTINCT of sets.';
COMMENT ON OPERATOR CLASS crm.idset_ops USING hash IS 'Hashing of sets.';

-- arrays

CREATE FUNCTION crm.idset_of(ids bigint[]) RETURNS crm.idset
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_idset_from_array';
CREATE FUNCTION crm.idset_of(ids integer[]) RETURNS crm.idset
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN crm.idset_of(ids::pg_catalog.int8[]);
CREATE FUNCTION crm.ids(idset crm.idset) RETURNS bigint[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_idset_to_array';
CREATE CAST (bigint[] AS crm.idset) WITH FUNCTION crm.idset_of(bigint[]);
CREATE CAST (integer[] AS crm.idset) WITH FUNCTION crm.idset_of(integer[]);
CREATE CAST (crm.idset AS bigint[]) WITH FUNCTION crm.ids(crm.idset);

COMMENT ON FUNCTION crm.idset_of(bigint[]) IS 'The set of the ids of an array, in any order and repeated or not. Errors: 22004 an element is NULL.';
COMMENT ON FUNCTION crm.idset_of(integer[]) IS 'As crm.idset_of(bigint[]).';
COMMENT ON FUNCTION crm.ids(crm.idset) IS 'The ids of a set as an array, ascending. Errors: 54000 more than 134 million.';
COMMENT ON CAST (bigint[] AS crm.idset) IS 'The set of the ids of an array, as crm.idset_of.';
COMMENT ON CAST (integer[] AS crm.idset) IS 'The set of the ids of an array, as crm.idset_of.';
COMMENT ON CAST (crm.idset AS bigint[]) IS 'The ids, ascending, as crm.ids.';

-- algebra

CREATE FUNCTION crm.idset_unite(crm.idset, crm.idset) RETURNS crm.idset
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_idset_unite';
CREATE FUNCTION crm.idset_intersect(crm.idset, crm.idset) RETURNS crm.idset
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_idset_intersect';
CREATE FUNCTION crm.idset_subtract(crm.idset, crm.idset) RETURNS crm.idset
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_idset_subtract';
CREATE FUNCTION crm.idset_differ(crm.idset, crm.idset) RETURNS crm.idset
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_idset_differ';
CREATE OPERATOR crm.| (FUNCTION = crm.idset_unite, LEFTARG = crm.idset, RIGHTARG = crm.idset, COMMUTATOR = OPERATOR(crm.|));
CREATE OPERATOR crm.& (FUNCTION = crm.idset_intersect, LEFTARG = crm.idset, RIGHTARG = crm.idset, COMMUTATOR = OPERATOR(crm.&));
CREATE OPERATOR crm.- (FUNCTION = crm.idset_subtract, LEFTARG = crm.idset, RIGHTARG = crm.idset);
CREATE OPERATOR crm.# (FUNCTION = crm.idset_differ, LEFTARG = crm.idset, RIGHTARG = crm.idset, COMMUTATOR = OPERATOR(crm.#));
COMMENT ON FUNCTION crm.idset_unite(crm.idset, crm.idset) IS 'Ids in either set; implements |. Errors: 54000 beyond 1 GB.';
COMMENT ON FUNCTION crm.idset_intersect(crm.idset, crm.idset) IS 'Ids in both sets; implements &. Errors: 54000 beyond 1 GB.';
COMMENT ON FUNCTION crm.idset_subtract(crm.idset, crm.idset) IS 'Ids in the left set that are not in the right one; implements -. Errors: 54000 beyond 1 GB.';
COMMENT ON FUNCTION crm.idset_differ(crm.idset, crm.idset) IS 'Ids in one of the sets, but not in both; implements #. Errors: 54000 beyond 1 GB.';
COMMENT ON OPERATOR crm.| (crm.idset, crm.idset) IS 'Ids in either set.';
COMMENT ON OPERATOR crm.& (crm.idset, crm.idset) IS 'Ids in both sets.';
COMMENT ON OPERATOR crm.- (crm.idset, crm.idset) IS 'Ids in the left set that are not in the right one.';
COMMENT ON OPERATOR crm.# (crm.idset, crm.idset) IS 'Ids in one of the sets, but not in both.';

-- questions

CREATE FUNCTION crm.contains(idset crm.idset, id bigint) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_idset_contains_id';
CREATE FUNCTION crm.idset_has(bigint, crm.idset) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_idset_has_id';
CREATE FUNCTION crm.idset_contains(crm.idset, crm.idset) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_idset_contains';
CREATE FUNCTION crm.idset_contained(crm.idset, crm.idset) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_idset_contained';
CREATE FUNCTION crm.idset_overlaps(crm.idset, crm.idset) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_idset_overlaps';

CREATE OPERATOR crm.@> (FUNCTION = crm.contains, LEFTARG = crm.idset, RIGHTARG = bigint, COMMUTATOR = OPERATOR(crm.<@),
    RESTRICT = contsel, JOIN = contjoinsel);
CREATE OPERATOR crm.<@ (FUNCTION = crm.idset_has, LEFTARG = bigint, RIGHTARG = crm.idset, COMMUTATOR = OPERATOR(crm.@>),
    RESTRICT = contsel, JOIN = contjoinsel);
CREATE OPERATOR crm.@> (FUNCTION = crm.idset_contains, LEFTARG = crm.idset, RIGHTARG = crm.idset, COMMUTATOR = OPERATOR(crm.<@),
    RESTRICT = contsel, JOIN = contjoinsel);
CREATE OPERATOR crm.<@ (FUNCTION = crm.idset_contained, LEFTARG = crm.idset, RIGHTARG = crm.idset, COMMUTATOR = OPERATOR(crm.@>),
    RESTRICT = contsel, JOIN = contjoinsel);
CREATE OPERATOR crm.&& (FUNCTION = crm.idset_overlaps, LEFTARG = crm.idset, RIGHTARG = crm.idset, COMMUTATOR = OPERATOR(crm.&&),
    RESTRICT = contsel, JOIN = contjoinsel);

COMMENT ON FUNCTION crm.contains(crm.idset, bigint) IS 'True when the id is in the set; implements @>. Made to be asked for every row: a stored set is fetched once for the query, and an id is found in it by binary search.';
COMMENT ON FUNCTION crm.idset_has(bigint, crm.idset) IS 'True when the id is in the set; implements <@.';
COMMENT ON FUNCTION crm.idset_contains(crm.idset, crm.idset) IS 'True when all ids of the right set are in the left one; implements @>.';
COMMENT ON FUNCTION crm.idset_contained(crm.idset, crm.idset) IS 'True when all ids of the left set are in the right one; implements <@.';
COMMENT ON FUNCTION crm.idset_overlaps(crm.idset, crm.idset) IS 'True when the sets have an id in common; implements &&.';
COMMENT ON OPERATOR crm.@> (crm.idset, bigint) IS 'The set contains the id.';
COMMENT ON OPERATOR crm.<@ (bigint, crm.idset) IS 'The id is in the set.';
COMMENT ON OPERATOR crm.@> (crm.idset, crm.idset) IS 'The left set contains all ids of the right one.';
COMMENT ON OPERATOR crm.<@ (crm.idset, crm.idset) IS 'All ids of the left set are in the right one.';
COMMENT ON OPERATOR crm.&& (crm.idset, crm.idset) IS 'The sets have an id in common.';

CREATE FUNCTION crm.cardinality(idset crm.idset) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_idset_cardinality';
CREATE FUNCTION crm.intersection_cardinality(a crm.idset, b crm.idset) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_idset_intersection_cardinality';
CREATE FUNCTION crm.jaccard(a crm.idset, b crm.idset) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_idset_jaccard';
CREATE FUNCTION crm.members(idset crm.idset) RETURNS SETOF bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 10000 AS 'MODULE_PATHNAME', 'crm_idset_members';
CREATE FUNCTION crm.members_between(idset crm.idset, first_id bigint, last_id bigint) RETURNS SETOF bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 100 AS 'MODULE_PATHNAME', 'crm_idset_members_between';
CREATE FUNCTION crm.idset_range(first_id bigint, last_id bigint) RETURNS crm.idset
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_idset_range';

COMMENT ON FUNCTION crm.cardinality(crm.idset) IS 'Number of ids in the set; reads only its first bytes.';
COMMENT ON FUNCTION crm.intersection_cardinality(crm.idset, crm.idset) IS 'How many ids the sets have in common, counted without making the intersection.';
COMMENT ON FUNCTION crm.jaccard(crm.idset, crm.idset) IS 'Ids in both sets by ids in at least one, 0 to 1, the similarity of Jaccard (1901); NULL for two empty sets.';
COMMENT ON FUNCTION crm.members(crm.idset) IS 'One row for each id of the set, ascending.';
COMMENT ON FUNCTION crm.members_between(crm.idset, bigint, bigint) IS 'One row for each id of the set from first_id to last_id, both included, ascending: a page of a large set.';
COMMENT ON FUNCTION crm.idset_range(bigint, bigint) IS 'The set of all ids from first_id to last_id, both included; {} when there are none. Errors: 54000 more than about 3 trillion ids.';

-- aggregates

CREATE FUNCTION crm.idset_accumulate(bytea, bigint) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_idset_accumulate';
CREATE FUNCTION crm.idset_accumulate(bytea, crm.idset) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_idset_accumulate_set';
CREATE FUNCTION crm.idset_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_idset_combine';
CREATE FUNCTION crm.idset_finish(bytea) RETURNS crm.idset
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_idset_finish';
CREATE FUNCTION crm.idset_common_accumulate(bytea, crm.idset) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_idset_common_accumulate';
CREATE FUNCTION crm.idset_common_combine(bytea, bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_idset_common_combine';
CREATE FUNCTION crm.idset_common_finish(bytea) RETURNS crm.idset
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_idset_common_finish';

COMMENT ON FUNCTION crm.idset_accumulate(bytea, bigint) IS 'Transition function of the aggregate crm.idset.';
COMMENT ON FUNCTION crm.idset_accumulate(bytea, crm.idset) IS 'Transition function of the aggregate crm.idset_union.';
COMMENT ON FUNCTION crm.idset_combine(bytea, bytea) IS 'Merges two states of the aggregates crm.idset and crm.idset_union.';
COMMENT ON FUNCTION crm.idset_finish(bytea) IS 'Final function of the aggregates crm.idset and crm.idset_union.';
COMMENT ON FUNCTION crm.idset_common_accumulate(bytea, crm.idset) IS 'Transition function of the aggregate crm.idset_intersection.';
COMMENT ON FUNCTION crm.idset_common_combine(bytea, bytea) IS 'Merges two states of the aggregate crm.idset_intersection.';
COMMENT ON FUNCTION crm.idset_common_finish(bytea) IS 'Final function of the aggregate crm.idset_intersection.';

CREATE AGGREGATE crm.idset(id bigint) (
    SFUNC = crm.idset_accumulate, STYPE = bytea, SSPACE = 256, FINALFUNC = crm.idset_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.idset_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.idset_union(crm.idset) (
    SFUNC = crm.idset_accumulate, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.idset_finish, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = crm.idset_combine, PARALLEL = SAFE);
CREATE AGGREGATE crm.idset_intersection(crm.idset) (
    SFUNC = crm.idset_common_accumulate, STYPE = bytea, SSPACE = 4096, FINALFUNC = crm.idset_common_finish,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = crm.idset_common_combine, PARALLEL = SAFE);

COMMENT ON AGGREGATE crm.idset(bigint) IS 'The set of the ids aggregated, in any order and repeated or not. NULLs are skipped; NULL without rows. Memory: about that of the set, and half a megabyte while it is built. Errors: 54000 beyond 1 GB.';
COMMENT ON AGGREGATE crm.idset_union(crm.idset) IS 'Ids in at least one of the sets. NULLs are skipped; NULL without rows. Errors: 54000 beyond 1 GB.';
COMMENT ON AGGREGATE crm.idset_intersection(crm.idset) IS 'Ids in all of the sets. NULLs are skipped; NULL without rows.';
