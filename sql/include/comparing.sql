-- What tests of several slices compare and look at with, made in the schema of the test.

-- The error of a statement in one line.
CREATE FUNCTION refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    code text;
    message text;
    detail text;
BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' ', code, message || '.', nullif(detail, ''));
END $$;

-- How many rows only one of two queries has, and how many the first one has.
CREATE FUNCTION differing(a text, b text, OUT differ bigint, OUT compared bigint) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('WITH a AS MATERIALIZED (%s), b AS MATERIALIZED (%s)
                    SELECT (SELECT count(*) FROM (TABLE a EXCEPT ALL TABLE b) AS less)
                         + (SELECT count(*) FROM (TABLE b EXCEPT ALL TABLE a) AS more), (SELECT count(*) FROM a)', a, b)
    INTO differ, compared;
END $$;

-- Whether the plan of a statement has a node of this name.
CREATE FUNCTION plan_has(node text, statement text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement LOOP
        IF strpos(line, node) > 0 THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;
