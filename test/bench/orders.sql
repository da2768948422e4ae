-- The order table of the benchmark: exactly :orders orders of :orders / 10 customers over three years, in time order.
-- 55 % of the customers buy once, the others have a heavy tail (Pareto, shape 2.5; mean 21). Customer numbers say nothing
-- about the time of the first purchase. Everything comes from hashes of counters, so every run makes the same rows.

SET work_mem = '1GB';
SET maintenance_work_mem = '1GB';
SET hash_mem_multiplier = 1;
SET timezone = 'UTC';

SELECT greatest(:orders / 10, 1) AS customers, round(greatest(:orders / 10, 1) * 0.55)::bigint AS singles \gset

CREATE FUNCTION pg_temp.uniform(counter bigint, salt bigint) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(counter, salt) & 9223372036854775807)::float8 / 9223372036854775808;

CREATE TABLE orders AS
WITH tail AS (
    -- repeat customers: two orders each, and a share of the rest by a running sum, so that the total is exact
    SELECT j, sum(((j + 0.5) / (:customers - :singles)) ^ (-0.4::float8) - 1) OVER (ORDER BY j) AS weight
    FROM generate_series(0::bigint, :customers - :singles - 1) AS j
), shared AS (
    SELECT j, round((:orders - :singles - 2 * (:customers - :singles)) * (weight / max(weight) OVER ()))::bigint AS upto
    FROM tail
), bought AS (
    SELECT k, 1 AS orders FROM generate_series(0::bigint, :singles - 1) AS k
    UNION ALL
    SELECT :singles + j, 2 + upto - lag(upto, 1, 0::bigint) OVER (ORDER BY j) FROM shared
), customer AS (
    SELECT k, k * 7368787 % :customers + 1 AS customer_id, orders,
           (94694400 * pg_temp.uniform(k, 1))::bigint AS first_second,
           pg_temp.uniform(k, 2) AS stays
    FROM bought
), purchase AS (
    SELECT customer_id, i,
           first_second + CASE WHEN i = 0 THEN 0
               ELSE floor((94694399 - first_second) * stays * pg_temp.uniform(k * 100000 + i, 3))::bigint END AS second,
           pg_temp.uniform(k * 100000 + i, 4) AS dear
    FROM customer, generate_series(0, orders - 1) AS i
)
SELECT row_number() OVER () AS order_id,
       customer_id,
       to_timestamp(1672531200 + second) AS ordered_at,                                -- 2023-01-01 to 2025-12-31, UTC
       (floor(80000 + 4000000 * dear * dear * dear)::bigint * 0.01)::numeric(12,2) AS total,
       (hashint8extended(second, 5) & 1)::smallint AS channel
FROM (SELECT * FROM purchase ORDER BY second, customer_id, i) AS in_time_order;

-- The opponent with the further index works on a table of its own, so that all contestants can take turns.
CREATE TABLE orders_indexed AS TABLE orders ORDER BY order_id;

-- 20 segments with a quarter of the customers each, as a table of memberships with the index that joins like best.
CREATE TABLE customer AS SELECT DISTINCT customer_id AS id FROM orders;
CREATE TABLE membership AS
SELECT segment, id AS customer_id FROM customer, generate_series(1, 20) AS segment WHERE hashint8extended(id, segment) & 3 = 0;
CREATE UNIQUE INDEX membership_key ON membership (customer_id, segment);
