-- A shop whose segments have the customers that the table of memberships says.

SET client_min_messages = warning;
DROP SCHEMA IF EXISTS segment_shop CASCADE;

SELECT FROM crm.create_shop('segment_shop', 'SELECT c.id, timestamptz ''2025-06-01 12:00Z'' AS bought_at, 100 AS paid FROM public.customer AS c',
                            'id', 'bought_at', 'paid', zone => 'UTC', horizon => NULL);
CALL crm.refresh('segment_shop', '2025-12-31');
SELECT crm.define_segment('segment_shop', to_char(n, '"s"FM00'), format('hashint8extended(customer_id, %s) & 3 = 0', n))
FROM generate_series(1, 20) AS n;
VACUUM (FREEZE, ANALYZE) segment_shop.segment_set;
