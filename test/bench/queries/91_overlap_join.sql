-- key: overlap_join
-- title: overlaps by a self join of the memberships
-- group: overlaps
-- stored: SELECT pg_table_size('membership')
-- wrap: overlaps
SELECT a.segment AS a, b.segment AS b, count(*) AS common
FROM membership AS a JOIN membership AS b ON a.customer_id = b.customer_id AND a.segment < b.segment
GROUP BY 1, 2
