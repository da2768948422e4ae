-- Two tables of sales alike, as a platform has them, with an index and a foreign key: a shop notes the changes of one.

SET client_min_messages = warning;
DROP SCHEMA IF EXISTS capture_shop CASCADE;
DROP TABLE IF EXISTS sale, noted_sale, buyer, basket;

CREATE TABLE buyer (id bigint PRIMARY KEY);
INSERT INTO buyer SELECT id FROM customer;
CREATE TABLE sale (
    sale_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES buyer,
    ordered_at timestamptz NOT NULL,
    total numeric(12,2) NOT NULL
);
CREATE TABLE noted_sale (LIKE sale INCLUDING ALL, FOREIGN KEY (customer_id) REFERENCES buyer);
INSERT INTO sale (customer_id, ordered_at, total) SELECT customer_id, ordered_at, total FROM orders WHERE order_id % 10 = 0;
INSERT INTO noted_sale (customer_id, ordered_at, total) SELECT customer_id, ordered_at, total FROM sale ORDER BY sale_id;
CREATE INDEX ON sale (customer_id);
CREATE INDEX ON noted_sale (customer_id);

-- What is bought next: of customers here and there
CREATE TABLE basket AS
SELECT row_number() OVER () AS i, customer_id, timestamptz '2025-12-31 12:00Z' AS ordered_at, total
FROM (SELECT customer_id, total FROM sale ORDER BY hashint8extended(sale_id, 6) LIMIT 1000) AS chosen;
VACUUM (FREEZE, ANALYZE) buyer, sale, noted_sale, basket;

SELECT FROM crm.create_shop('capture_shop', 'noted_sale', 'customer_id', 'ordered_at', 'total', zone => 'UTC');
