-- key: overlap_mask
-- title: overlaps by a bit mask for each customer
-- wrap: overlaps
WITH mask AS (
    SELECT segments, count(*) AS customers
    FROM (SELECT bit_or(1 << segment) AS segments FROM membership GROUP BY customer_id) AS each
    GROUP BY segments
)
SELECT a, b, sum(customers)::bigint AS common
FROM mask, generate_series(1, 20) AS a, generate_series(1, 20) AS b
WHERE a < b AND segments & (1 << a) <> 0 AND segments & (1 << b) <> 0
GROUP BY a, b
