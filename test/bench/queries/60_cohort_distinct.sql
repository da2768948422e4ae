-- key: cohort_distinct
-- title: (f) cohorts with revenue: DISTINCT and a join, as people write it
-- wrap: cells
-- memory: work_mem = '64MB'
WITH first_order AS (
    SELECT customer_id, date_trunc('month', min(ordered_at)) AS first_month
    FROM orders
    GROUP BY customer_id
), size AS (
    SELECT first_month, count(*) AS customers
    FROM first_order
    GROUP BY first_month
), cell AS (
    SELECT first_month, date_trunc('month', ordered_at) AS month,
           count(DISTINCT customer_id) AS retained, sum(total) AS revenue
    FROM orders JOIN first_order USING (customer_id)
    GROUP BY first_month, date_trunc('month', ordered_at)
)
SELECT 12 * extract(year FROM first_month)::int + extract(month FROM first_month)::int AS cohort,
       12 * (extract(year FROM month) - extract(year FROM first_month))::int
       + (extract(month FROM month) - extract(month FROM first_month))::int AS age,
       customers, retained, revenue
FROM cell JOIN size USING (first_month)
