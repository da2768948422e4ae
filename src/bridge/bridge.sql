\echo Use "CREATE EXTENSION pg_crm" to load this file. \quit

COMMENT ON SCHEMA crm IS 'pg_crm: customer relationship management next to the order tables.';

CREATE VIEW crm.progress AS
SELECT pid,
       CASE param14 WHEN 1 THEN 'reading orders' WHEN 2 THEN 'folding customers' END AS phase,
       param11 AS orders_read,
       param12 AS customers_done,
       param13 AS spilled_bytes
FROM pg_catalog.pg_stat_get_progress_info('COPY')
WHERE param20 = 6517357;
GRANT SELECT ON crm.progress TO PUBLIC;

COMMENT ON VIEW crm.progress IS
'Passes over orders that run now, one row per backend. A pass inside COPY does not show: COPY reports itself.';
COMMENT ON COLUMN crm.progress.pid IS 'Process id of the backend, as in pg_stat_activity.';
COMMENT ON COLUMN crm.progress.phase IS 'reading orders, then folding customers.';
COMMENT ON COLUMN crm.progress.orders_read IS 'Orders read so far, without those skipped for a NULL.';
COMMENT ON COLUMN crm.progress.customers_done IS 'Customers folded so far.';
COMMENT ON COLUMN crm.progress.spilled_bytes IS 'Bytes written to temporary files because pg_crm.memory was used up.';

GRANT USAGE ON SCHEMA crm TO PUBLIC;
