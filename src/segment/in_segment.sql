-- in_segment: is this customer in that segment, for the rows of any query

CREATE FUNCTION crm.member_lookup(shop name) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.format('SELECT m.member FROM %I.customer_member AS m WHERE m.customer_id %s $1', shop, crm.shop_equality(shop));

COMMENT ON FUNCTION crm.member_lookup(name) IS 'The query of the id in sets of a customer $1 of a shop. A part of crm.in_segment.';

CREATE FUNCTION crm.in_segment(shop name, segment text, customer anyelement) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_in_segment';
CREATE FUNCTION crm.in_segment(shop name, segment text, customer text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_in_segment';

COMMENT ON FUNCTION crm.in_segment(name, text, anyelement) IS
'Whether a customer is in a segment of a shop, by the last refresh; false for one who is no customer, NULL for NULL. Made to be asked for every row of a query: the set is read once for the query, with the rights of the caller, and kept up to work_mem. Where customers are integers, a question is a binary search in it; else the customer is also looked up in customer_member. A customer of another type than the shop''s is read from its text. Errors: 42704 no such shop or segment, 55000 not evaluated yet, 42501 no right to read the shop, and those of reading the customer.';
COMMENT ON FUNCTION crm.in_segment(name, text, text) IS 'The same for a customer written as text: 7, or a uuid.';
