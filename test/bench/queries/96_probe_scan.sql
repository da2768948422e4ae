-- key: probe_scan
-- title: scan of all customers
SELECT count(*), sum(id) FROM customer
