-- key: in_segment
-- title: scan of all customers with crm.in_segment for each
-- needs: crm.in_segment/3
-- data: segments
-- answer: SELECT count(*), sum(id) FROM customer WHERE crm.in_segment('segment_shop', 's07', id)
-- truth: SELECT count(*), sum(customer_id) FROM membership WHERE segment = 7
SELECT count(*), sum(id) FROM customer WHERE crm.in_segment('segment_shop', 's07', id)
