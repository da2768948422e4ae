-- key: matview
-- title: a materialised view with NTILE refreshed
-- needs: crm.refresh/2
-- data: shop
-- group: matviews
-- answer: SELECT customer_id, recency, frequency, monetary FROM rfm_matview
-- truth: SELECT customer_id, extract(day FROM timestamptz '2025-12-31 23:59:59.999999Z' - max(ordered_at))::int, count(*), sum(total) FROM shop_orders GROUP BY 1
REFRESH MATERIALIZED VIEW rfm_matview
