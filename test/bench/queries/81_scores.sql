-- key: scores
-- title: crm.p_alive and crm.expected_orders of customers in numbers, BG/NBD
-- needs: crm.p_alive/4
-- data: summaries
-- near: scipy_scores
SELECT count(*), sum(crm.p_alive(x, t_x, t, crm.bgnbd(0.243, 4.414, 0.793, 2.426, 'week UTC'))),
       sum(crm.expected_orders(x, t_x, t, crm.bgnbd(0.243, 4.414, 0.793, 2.426, 'week UTC'), 52))
FROM summaries
