-- key: floor
-- title: (a) the floor: bare scan, count(*), max(ordered_at), sum(total)
SELECT count(*), max(ordered_at), sum(total) FROM orders
