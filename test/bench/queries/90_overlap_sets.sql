-- key: overlap_sets
-- title: crm.intersection_cardinality of stored sets
-- needs: crm.intersection_cardinality/2
-- setup: CREATE TABLE IF NOT EXISTS kept_sets AS SELECT segment, crm.idset(customer_id) AS customers FROM membership GROUP BY segment
-- setup: VACUUM (FREEZE, ANALYZE) kept_sets
-- stored: SELECT pg_total_relation_size('kept_sets')
-- wrap: overlaps
SELECT a.segment AS a, b.segment AS b, crm.intersection_cardinality(a.customers, b.customers) AS common
FROM kept_sets AS a JOIN kept_sets AS b ON a.segment < b.segment
