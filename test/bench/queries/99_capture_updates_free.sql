-- key: updates_free
-- title: 100 statements that change 1,000 rows
-- needs: crm.refresh/2
-- data: capture
SELECT format('UPDATE sale SET total = total + 1 WHERE sale_id > %1$s AND sale_id <= %1$s + 1000', 1000 * n)
FROM generate_series(0, 99) AS n \gexec
