-- Refreshing by the clock, through pg_cron where it is in this database.

CREATE FUNCTION crm.schedule(shop name, schedule text) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
DECLARE
    s CONSTANT crm.shop := crm.find_own_shop(schedule.shop);
    command CONSTANT text := format('CALL crm.refresh(%L)', s.shop);
    -- psql takes a name with = for a connection string
    database CONSTANT text := format(CASE WHEN current_database() ~ '^\w+$' THEN '%s' ELSE 'dbname=''%s''' END,
                                     regexp_replace(current_database(), '([\\''])', '\\\1', 'g'));
    job bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') THEN
        RAISE feature_not_supported USING
            MESSAGE = 'pg_cron is not installed in this database',
            DETAIL = format('cron.database_name is %s, this database is "%s".',
                            coalesce('"' || current_setting('cron.database_name', true) || '"', 'not set'), current_database()),
            HINT = format('Install pg_cron here (shared_preload_libraries, cron.database_name, CREATE EXTENSION pg_cron); '
                          'or in its database SELECT cron.schedule_in_database(%L, %L, %L, %L); '
                          'or a line in a crontab: %s psql -d %s -c %s',
                          crm.job_name(s.shop), schedule.schedule, command, current_database(), schedule.schedule,
                          crm.crontab_word(database), crm.crontab_word(command));
    END IF;
    EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job USING crm.job_name(s.shop), schedule.schedule, command;
    RETURN job;
END $$;

COMMENT ON FUNCTION crm.schedule(name, text) IS
'Has pg_cron refresh a shop, as the current user: crm.schedule(''shop'', ''10 * * * *''). Calling it again changes the time. Returns the number of the job. Errors: 0A000 where pg_cron is not in this database (the hint names other ways), 42704 no such shop, 42501 not the owner or no right to use pg_cron, and pg_cron''s own for a malformed schedule.';

CREATE FUNCTION crm.crontab_word(word text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN CASE WHEN word ~ E'^\\w+$' THEN word
            ELSE replace('"' || regexp_replace(word, E'([\\\\"$`])', E'\\\\\\1', 'g') || '"', '%', E'\\%') END;

COMMENT ON FUNCTION crm.crontab_word(text) IS
'A text as one word of a command in a crontab: quoted for the shell, with % as cron wants it. A part of crm.schedule.';

CREATE FUNCTION crm.unschedule(shop name) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM crm.find_shop(shop);
    RETURN crm.forget_schedule(shop);
END $$;

COMMENT ON FUNCTION crm.unschedule(name) IS
'Ends the scheduled refreshes of a shop; false where there were none. Errors: 42704 no such shop, 42501 not the owner.';

CREATE FUNCTION crm.forget_schedule(shop name) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_job boolean := false;
BEGIN
    -- who may not use pg_cron has no job there
    IF EXISTS (SELECT FROM pg_namespace AS n, pg_extension AS e
               WHERE n.nspname = 'cron' AND e.extname = 'pg_cron' AND has_schema_privilege(n.oid, 'USAGE')) THEN
        EXECUTE 'SELECT count(cron.unschedule(j.jobid)) > 0 FROM cron.job AS j WHERE j.jobname = $1'
        INTO found_job USING crm.job_name(shop);
    END IF;
    RETURN found_job;
END $$;

COMMENT ON FUNCTION crm.forget_schedule(name) IS 'Removes the job of a shop from pg_cron, where it is. A part of crm.unschedule and crm.drop_shop.';

CREATE FUNCTION crm.job_name(shop name) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE STRICT
RETURN pg_catalog.format('pg_crm refresh %s in %s', shop, pg_catalog.current_database());

COMMENT ON FUNCTION crm.job_name(name) IS 'Name of the job of a shop in pg_cron. A part of crm.schedule.';
