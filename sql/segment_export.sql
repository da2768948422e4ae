-- segments for others: rows for COPY, and a list of listmonk kept in step
\set SHOW_CONTEXT never
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'ISO, YMD';
SET client_min_messages = warning;
CREATE SCHEMA platform;
CREATE TABLE platform.orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id int, at timestamptz, total int);
CREATE TABLE platform.customer (id int PRIMARY KEY, email text, name text);
INSERT INTO platform.customer
SELECT g, CASE g WHEN 4 THEN NULL WHEN 5 THEN 'no address' WHEN 6 THEN '  Six@Example.com ' WHEN 7 THEN 'six@example.com' ELSE format('c%s@example.com', g) END,
       CASE WHEN g % 2 = 0 THEN format('客%s', g) END
FROM generate_series(1, 10) AS g;
INSERT INTO platform.orders (customer_id, at, total)
SELECT g, timestamptz '2026-01-01 12:00+09' + n * interval '7 days', 1000 * g
FROM generate_series(1, 12) AS g, generate_series(1, 3) AS n WHERE n = 1 OR g % 2 = 0 OR g = 7;
SELECT DISTINCT 'created' FROM crm.create_shop('shop', 'platform.orders', 'customer_id', 'at', 'total', horizon => NULL, tiers => crm.tier_ladder('{member,gold}', '{0,20000}'));
SELECT DISTINCT 'created' FROM crm.create_shop('codes', 'platform.orders', '''c-'' || customer_id', 'at', 'total', horizon => NULL);
CALL crm.refresh('shop', '2026-02-01');
CALL crm.refresh('codes', '2026-02-01');
SELECT crm.define_segment('shop', 'repeaters', 'orders >= 3', 'Repeat buyers', '3回以上'), crm.define_segment('codes', 'repeaters', 'orders >= 3');

-- rows for COPY: the same as the view customer has

SELECT * FROM crm.segment_export('shop', 'repeaters');
COPY (SELECT customer_id, segment, label, label_ja, as_of_date, orders, revenue FROM crm.segment_export('shop', 'repeaters') WHERE orders = 3 LIMIT 2) TO STDOUT (FORMAT csv, HEADER);
SELECT count(*) AS rows, bool_and((c.first_order_date, c.last_order_date, c.orders, c.revenue, c.score, c.segment, c.as_of_date)
                                  = (e.first_order_date, e.last_order_date, e.orders, e.revenue, e.score, e.rfm_segment, e.as_of_date)) AS same
FROM codes.customer AS c LEFT JOIN crm.segment_export('codes', 'repeaters') AS e ON e.customer_id = c.customer_id WHERE c.orders >= 3;
SELECT crm.segment_export('shop', 'regulars');

-- listmonk's tables, as far as they matter here, in the form of its schema

CREATE SCHEMA listmonk;
CREATE TYPE listmonk.subscriber_status AS ENUM ('enabled', 'disabled', 'blocklisted');
CREATE TYPE listmonk.subscription_status AS ENUM ('unconfirmed', 'confirmed', 'unsubscribed');
CREATE TYPE listmonk.list_type AS ENUM ('public', 'private', 'temporary');
CREATE TYPE listmonk.list_optin AS ENUM ('single', 'double');
CREATE TABLE listmonk.subscribers (
    id serial PRIMARY KEY, uuid uuid NOT NULL UNIQUE, email text NOT NULL UNIQUE, name text NOT NULL, attribs jsonb NOT NULL DEFAULT '{}',
    status listmonk.subscriber_status NOT NULL DEFAULT 'enabled', created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE UNIQUE INDEX ON listmonk.subscribers (lower(email));
CREATE TABLE listmonk.lists (
    id serial PRIMARY KEY, uuid uuid NOT NULL UNIQUE, name text NOT NULL, type listmonk.list_type NOT NULL, optin listmonk.list_optin NOT NULL DEFAULT 'single',
    tags varchar(100)[], description text NOT NULL DEFAULT '');
CREATE TABLE listmonk.subscriber_lists (
    subscriber_id int REFERENCES listmonk.subscribers (id) ON DELETE CASCADE ON UPDATE CASCADE,
    list_id int REFERENCES listmonk.lists (id) ON DELETE CASCADE ON UPDATE CASCADE,
    meta jsonb NOT NULL DEFAULT '{}', status listmonk.subscription_status NOT NULL DEFAULT 'unconfirmed', PRIMARY KEY (subscriber_id, list_id));
INSERT INTO listmonk.lists (uuid, name, type) VALUES (gen_random_uuid(), 'Repeaters', 'private'), (gen_random_uuid(), 'News', 'public');
INSERT INTO listmonk.subscribers (uuid, email, name, status) VALUES
    (gen_random_uuid(), 'C2@Example.COM', 'Two', 'enabled'), (gen_random_uuid(), 'c8@example.com', 'Eight', 'blocklisted'),
    (gen_random_uuid(), 'c10@example.com', 'Ten', 'enabled'), (gen_random_uuid(), 'friend@example.com', 'Friend', 'enabled');
INSERT INTO listmonk.subscriber_lists (subscriber_id, list_id, status)
SELECT id, 1, CASE name WHEN 'Ten' THEN 'unsubscribed' ELSE 'confirmed' END::listmonk.subscription_status FROM listmonk.subscribers WHERE name IN ('Ten', 'Friend');
INSERT INTO listmonk.subscriber_lists (subscriber_id, list_id) SELECT id, 2 FROM listmonk.subscribers WHERE name = 'Two';
-- whom listmonk would send to, by its own rule for lists with single opt-in
CREATE VIEW listmonk.sent AS
SELECT x.list_id, string_agg(s.email, ' ' ORDER BY s.email) AS emails
FROM listmonk.subscriber_lists AS x JOIN listmonk.subscribers AS s ON s.id = x.subscriber_id
WHERE s.status <> 'blocklisted' AND x.status <> 'unsubscribed' GROUP BY 1;
TABLE listmonk.sent ORDER BY 1;
\set addresses 'SELECT id, email, name FROM platform.customer -- all of them'

SELECT crm.define_segment('shop', 'repeaters', 'orders >= 3');
SELECT * FROM crm.sync_listmonk('shop', 'repeaters', 1, :'addresses', 'listmonk');
TABLE listmonk.sent ORDER BY 1;
SELECT s.email, s.name, s.status, x.status AS on_list, x.meta FROM listmonk.subscribers AS s LEFT JOIN listmonk.subscriber_lists AS x ON x.subscriber_id = s.id AND list_id = 1 ORDER BY 1;
-- again: nothing changes
CREATE TEMP TABLE before AS SELECT s.id, s.uuid, s.email, s.name, s.status, x.list_id, x.meta, x.status AS on_list
FROM listmonk.subscribers AS s LEFT JOIN listmonk.subscriber_lists AS x ON x.subscriber_id = s.id;
SELECT * FROM crm.sync_listmonk('shop', 'repeaters', 1, :'addresses', 'listmonk');
SELECT count(*) FROM (TABLE before EXCEPT SELECT s.id, s.uuid, s.email, s.name, s.status, x.list_id, x.meta, x.status
                      FROM listmonk.subscribers AS s LEFT JOIN listmonk.subscriber_lists AS x ON x.subscriber_id = s.id) AS d;

-- people unsubscribe, others leave the segment or come, an address changes

UPDATE listmonk.subscriber_lists AS x SET status = 'unsubscribed' FROM listmonk.subscribers AS s WHERE s.id = x.subscriber_id AND s.email = 'C2@Example.COM' AND list_id = 1;
DELETE FROM platform.orders WHERE customer_id = 7;
INSERT INTO platform.orders (customer_id, at, total) SELECT 1, timestamptz '2026-01-20' + n * interval '1 day', 100 FROM generate_series(1, 2) AS n;
UPDATE platform.customer SET email = 'new6@example.com' WHERE id = 6;
CALL crm.refresh('shop', '2026-02-02');
SELECT * FROM crm.sync_listmonk('shop', 'repeaters', 1, :'addresses', 'listmonk');
TABLE listmonk.sent ORDER BY 1;
-- the customer who unsubscribed leaves the segment and comes back: still unsubscribed
DELETE FROM platform.orders WHERE customer_id = 2;
CALL crm.refresh('shop', '2026-02-02');
SELECT * FROM crm.sync_listmonk('shop', 'repeaters', 1, :'addresses', 'listmonk');
INSERT INTO platform.orders (customer_id, at, total) SELECT 2, timestamptz '2026-01-20' + n * interval '1 day', 100 FROM generate_series(1, 3) AS n;
CALL crm.refresh('shop', '2026-02-02');
SELECT * FROM crm.sync_listmonk('shop', 'repeaters', 1, :'addresses', 'listmonk');
SELECT emails FROM listmonk.sent WHERE list_id = 1;
-- a second segment on the same list, of a shop whose customers are texts, removes nobody of the first
SELECT * FROM crm.sync_listmonk('codes', 'repeaters', 1, $$SELECT 'c-' || id, email, NULL FROM platform.customer WHERE id IN (2, 4, 8)$$, 'listmonk');
SELECT * FROM crm.sync_listmonk('codes', 'repeaters', 2, $$SELECT 'c-' || id, email, NULL FROM platform.customer$$, 'listmonk');
TABLE listmonk.sent ORDER BY 1;
-- nobody has an address any more
SELECT * FROM crm.sync_listmonk('shop', 'repeaters', 1, $$SELECT 1, NULL, NULL WHERE false$$, 'listmonk');
SELECT emails FROM listmonk.sent WHERE list_id = 1;

-- refused

\set VERBOSITY terse
SELECT crm.sync_listmonk('shop', 'repeaters', 3, :'addresses', 'listmonk');
SELECT crm.sync_listmonk('shop', 'regulars', 1, :'addresses', 'listmonk');
SELECT crm.sync_listmonk('nowhere', 'repeaters', 1, :'addresses', 'listmonk');
\set VERBOSITY sqlstate
SELECT crm.sync_listmonk('shop', 'repeaters', 1, :'addresses', 'platform');
\set VERBOSITY terse
SELECT crm.sync_listmonk('shop', 'repeaters', 1, 'SELECT id, email FROM platform.customer', 'listmonk');
SELECT crm.sync_listmonk('shop', 'repeaters', 1, 'SELECT email, id, name FROM platform.customer', 'listmonk');
CREATE ROLE regress_sender;
SELECT crm.grant_shop('shop', 'regress_sender');
GRANT USAGE ON SCHEMA platform, listmonk TO regress_sender;
GRANT SELECT ON platform.customer TO regress_sender;
GRANT SELECT ON ALL TABLES IN SCHEMA listmonk TO regress_sender;
SET ROLE regress_sender;
SELECT count(*) FROM crm.segment_export('shop', 'repeaters');
SELECT crm.sync_listmonk('shop', 'repeaters', 1, :'addresses', 'listmonk');
\set VERBOSITY sqlstate
SELECT crm.segment_export('codes', 'repeaters');
\set VERBOSITY terse
RESET ROLE;
GRANT SELECT, INSERT, DELETE ON listmonk.subscribers, listmonk.subscriber_lists TO regress_sender;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA listmonk TO regress_sender;
SET ROLE regress_sender;
SELECT added, removed FROM crm.sync_listmonk('shop', 'repeaters', 1, :'addresses', 'listmonk');
RESET ROLE;

SELECT crm.drop_shop(shop) FROM crm.shop;
DROP SCHEMA platform, listmonk CASCADE;
DROP OWNED BY regress_sender;
DROP ROLE regress_sender;
