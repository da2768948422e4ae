-- key: floor_parallel
-- title: (a) the same with two parallel workers
-- set: max_parallel_workers_per_gather = 2
-- set: min_parallel_table_scan_size = 0
-- set: parallel_setup_cost = 0
-- plan: Gather
SELECT count(*), max(ordered_at), sum(total) FROM orders
