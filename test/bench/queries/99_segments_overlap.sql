-- key: segment_overlap
-- title: crm.segment_overlap of a shop
-- needs: crm.segment_overlap/1
-- data: segments
-- wrap: overlaps
SELECT right(segment_a, 2)::int AS a, right(segment_b, 2)::int AS b, customers AS common
FROM crm.segment_overlap('segment_shop')
