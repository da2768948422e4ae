-- key: cdnow_fit
-- title: crm.bgnbd_fit of the 2,357 CDNOW customers
-- needs: crm.bgnbd_finish/1
-- data: cdnow
-- near: scipy_fit_gradient
SELECT (model).log_likelihood FROM (SELECT crm.bgnbd_fit(x, t_x, t, 'week UTC') AS model FROM cdnow OFFSET 0) AS fitted
