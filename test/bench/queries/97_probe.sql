-- key: probe
-- title: scan of all customers with crm.contains for each
-- needs: crm.contains/2
-- setup: CREATE TABLE IF NOT EXISTS kept_sets AS SELECT segment, crm.idset(customer_id) AS customers FROM membership GROUP BY segment
-- setup: VACUUM (FREEZE, ANALYZE) kept_sets
SELECT count(*), sum(id) FROM customer WHERE crm.contains((SELECT customers FROM kept_sets WHERE segment = 7), id)
