-- key: segment_sets
-- title: crm.idset built for each segment
-- needs: crm.idset/1
-- memory: max_parallel_workers_per_gather = 0
-- wrap: sizes
SELECT segment, crm.cardinality(crm.idset(customer_id)) AS customers FROM membership GROUP BY segment
