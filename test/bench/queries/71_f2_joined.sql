-- key: f2_joined
-- title: (i) F2 without sorting: first orders, joined with all orders of the next 90 days
-- wrap: f2
WITH first AS (
    SELECT customer_id, min(ordered_at) AS first_at
    FROM orders
    GROUP BY customer_id
), early AS (
    SELECT count(*) AS orders
    FROM orders JOIN first USING (customer_id)
    WHERE ordered_at <= first_at + interval '90 days'
    GROUP BY customer_id
)
SELECT count(*) AS customers, count(*) FILTER (WHERE orders >= 2) AS repeated
FROM early
