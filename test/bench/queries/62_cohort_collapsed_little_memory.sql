-- key: cohort_collapsed_4mb
-- title: (g) the same with work_mem = 4MB
-- group: cohorts
-- set: work_mem = '4MB'
-- wrap: cells
WITH monthly AS (
    SELECT customer_id, date_trunc('month', ordered_at) AS month, sum(total) AS revenue
    FROM orders
    GROUP BY customer_id, date_trunc('month', ordered_at)
), placed AS (
    SELECT month, revenue, min(month) OVER (PARTITION BY customer_id) AS first_month
    FROM monthly
), cell AS (
    SELECT 12 * extract(year FROM first_month)::int + extract(month FROM first_month)::int AS cohort,
           12 * extract(year FROM month)::int + extract(month FROM month)::int AS month,
           count(*) AS retained, sum(revenue) AS revenue
    FROM placed
    GROUP BY first_month, month
)
SELECT cohort, month - cohort AS age, max(retained) FILTER (WHERE month = cohort) OVER (PARTITION BY cohort) AS customers,
       retained, revenue
FROM cell
