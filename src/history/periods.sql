-- the periods of a calendar

CREATE FUNCTION crm.cohort(h crm.history, period crm.calendar) RETURNS date
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 4 AS 'MODULE_PATHNAME', 'crm_history_cohort';
CREATE FUNCTION crm.per(h crm.history, period crm.calendar) RETURNS crm.history
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_history_per';

COMMENT ON FUNCTION crm.cohort(crm.history, crm.calendar) IS
'The first local date of the period of the first purchase, in the calendar''s zone; NULL without a purchase. With several days, such as 30 days, the date begins the bucket of so many local days, counted from 2000-01-01, that the purchase lies in. Errors: 22008 for a date before the first one that date can hold, 22023 for a zone that this server does not know.';
COMMENT ON FUNCTION crm.per(crm.history, crm.calendar) IS
'The history with the purchases of each period made one: at the time of the first of them, with the sum of their amounts. Days are those of the calendar''s zone; several days, such as 30 days, are counted from the date of the customer''s first purchase. Refunds stay as they are, so revenue and refunds do not change. Errors: 22003 for a sum out of range, 22023 for a zone that this server does not know.';
