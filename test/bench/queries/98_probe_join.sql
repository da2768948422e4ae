-- key: probe_join
-- title: the same by a semi-join with the memberships
SELECT count(*), sum(id) FROM customer WHERE EXISTS (SELECT FROM membership WHERE segment = 7 AND customer_id = id)
