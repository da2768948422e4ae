-- key: segment_count
-- title: memberships counted by segment
-- wrap: sizes
SELECT segment, count(*) AS customers FROM membership GROUP BY segment
