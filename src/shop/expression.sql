-- Expressions that users give as text are checked before they are kept: they run later, as a part of other queries.

CREATE FUNCTION crm.check_expression(source text, expression text) RETURNS boolean
    LANGUAGE c STABLE STRICT SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET standard_conforming_strings = on
    AS 'MODULE_PATHNAME', 'crm_check_expression';
CREATE FUNCTION crm.check_condition(source regclass, condition text) RETURNS boolean
    LANGUAGE c STABLE STRICT SET search_path = pg_catalog, pg_temp
    SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET standard_conforming_strings = on
    AS 'MODULE_PATHNAME', 'crm_check_condition';
CREATE FUNCTION crm.condition_parts(source regclass, condition text)
    RETURNS TABLE(part int, parent int, connective text, expression text, columns text[])
    LANGUAGE c STABLE STRICT SET search_path = pg_catalog, pg_temp
    SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET standard_conforming_strings = on
    AS 'MODULE_PATHNAME', 'crm_condition_parts';

COMMENT ON FUNCTION crm.check_expression(text, text) IS
'Checks that a text is one SQL expression over a row of source, a FROM item that gets the alias o, and that its value depends on nothing but data. Errors point into the text: 42601 syntax, or more than one expression; 42703 unknown columns; 42803 aggregates; 42P20 window functions; 0A000 functions that return sets, volatile functions, TABLESAMPLE, and functions of the clock or the session such as now(); 42501 without the rights to read what it reads. Returns whether it reads the row only: no subquery, no system column, and no stable function of a user, which may read tables. A part of crm.create_shop.';
COMMENT ON FUNCTION crm.check_condition(regclass, text) IS
'Checks that a text is one condition over a row of source, whose columns it may write plainly or as customer.column, as crm.check_expression does; also 42804 where it is not boolean. Returns whether it reads the row only, as that does. Views and functions are taken at their word: what is inside them is not checked. A part of crm.define_segment.';
COMMENT ON FUNCTION crm.condition_parts(regclass, text) IS
'The tree of AND, OR and NOT that a condition is, as PostgreSQL reads it: part from 1, the whole; parent, the part it belongs to, NULL for the whole; connective AND, OR or NOT, NULL for a test; expression, the part as SQL with schemas before names; columns of source that it reads, in their order. Errors as those of reading the condition. A part of crm.explain_membership.';
