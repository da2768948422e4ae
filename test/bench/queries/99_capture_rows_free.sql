-- key: rows_free
-- title: 10,000 rows inserted one by one, each committed
-- needs: crm.refresh/2
-- data: capture
SELECT format('INSERT INTO sale (customer_id, ordered_at, total) VALUES (%s, %L, %s)', customer_id, ordered_at, total)
FROM basket, generate_series(1, 10) \gexec
