-- key: matview_concurrently
-- title: the same refreshed concurrently
-- needs: crm.refresh/2
-- data: shop
-- answer: SELECT customer_id, recency, frequency, monetary FROM rfm_matview_unique
-- truth: SELECT customer_id, extract(day FROM timestamptz '2025-12-31 23:59:59.999999Z' - max(ordered_at))::int, count(*), sum(total) FROM shop_orders GROUP BY 1
REFRESH MATERIALIZED VIEW CONCURRENTLY rfm_matview_unique
