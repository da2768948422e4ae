-- key: overlap_join_hashed
-- title: overlaps by a self join, hashed in much memory
-- group: overlaps
-- set: work_mem = '1GB'
-- set: enable_mergejoin = off
-- wrap: overlaps
SELECT a.segment AS a, b.segment AS b, count(*) AS common
FROM membership AS a JOIN membership AS b ON a.customer_id = b.customer_id AND a.segment < b.segment
GROUP BY 1, 2
