-- Maps from RFM scores to segments: rows that people can read, compare and extend. The module reads crm.rfm_map_scores.

CREATE TYPE crm.rfm_rule AS (segment text, label text, label_ja text, scores text[]);

COMMENT ON TYPE crm.rfm_rule IS
'One rule of a map for crm.define_rfm_map: the scores of one segment. Missing labels are made from the segment''s name.';
COMMENT ON COLUMN crm.rfm_rule.segment IS 'Name of the segment, as crm.rfm_segment returns it. Once in a map.';
COMMENT ON COLUMN crm.rfm_rule.label IS 'English label; NULL spells out the name of the segment: at_risk becomes At risk.';
COMMENT ON COLUMN crm.rfm_rule.label_ja IS 'Japanese label; NULL takes the English one.';
COMMENT ON COLUMN crm.rfm_rule.scores IS
'Patterns of the scores that get the segment. A pattern has three positions, for R, F and M; each is a grade (5), a class of grades ([45] or [3-5]) or . for any grade.';

CREATE FUNCTION crm.rfm_label(segment text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN pg_catalog.upper(pg_catalog.left(segment, 1)) || pg_catalog.replace(pg_catalog.substr(segment, 2), '_', ' ');

COMMENT ON FUNCTION crm.rfm_label(text) IS
'The label of a segment that was given none: its name spelled out, so that at_risk becomes At risk.';

CREATE FUNCTION crm.malformed_rfm_patterns(scores text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(pg_catalog.array_agg(pattern), '{}')
    FROM pg_catalog.unnest(scores) AS pattern
    WHERE (pattern ~ '^([1-9.]|[[]([1-9]+|1-[1-9]|2-[2-9]|3-[3-9]|4-[4-9]|5-[5-9]|6-[6-9]|7-[7-9]|8-[89]|9-9)]){3}$')
          IS NOT TRUE;
END;

COMMENT ON FUNCTION crm.malformed_rfm_patterns(text[]) IS
'Those elements that are no score pattern (see crm.rfm_rule.scores), NULL among them; empty when all are well formed.';


CREATE TABLE crm.rfm_map (
    map name PRIMARY KEY CHECK (map <> ''),
    grades smallint NOT NULL DEFAULT 5 CHECK (grades BETWEEN 2 AND 9),
    first_match boolean NOT NULL DEFAULT false,
    otherwise text CHECK (otherwise <> ''),
    otherwise_ja text CHECK (otherwise_ja IS NULL OR otherwise IS NOT NULL),
    note text,
    shipped boolean NOT NULL DEFAULT false
);
CREATE TABLE crm.rfm_map_rule (
    map name REFERENCES crm.rfm_map ON UPDATE CASCADE ON DELETE CASCADE,
    position int CHECK (position >= 1),
    segment text NOT NULL CHECK (segment <> ''),
    label text NOT NULL,
    label_ja text NOT NULL,
    scores text[] NOT NULL CHECK (pg_catalog.cardinality(scores) > 0
                                  AND pg_catalog.cardinality(crm.malformed_rfm_patterns(scores)) = 0),
    PRIMARY KEY (map, position),
    UNIQUE (map, segment)
);

COMMENT ON TABLE crm.rfm_map IS
'Maps from RFM scores to segments, one row per map; the rules are in crm.rfm_map_rule. Own maps come and go with crm.define_rfm_map and crm.drop_rfm_map, which need the right to write both tables, as the owner of the database and whoever installed pg_crm have it. pg_dump saves own maps; changes to shipped ones it does not save.';
COMMENT ON COLUMN crm.rfm_map.map IS 'Name of the map, for crm.rfm_segment and crm.rfm_table.';
COMMENT ON COLUMN crm.rfm_map.grades IS 'Grades of the scores it maps, 2 to 9: its scores run from 111 to three times this grade, the best.';
COMMENT ON COLUMN crm.rfm_map.first_match IS
'Whether the first of several matching rules wins, by position. If not, a score matches one rule at most.';
COMMENT ON COLUMN crm.rfm_map.otherwise IS 'Segment of the scores that no rule matches; NULL if the rules match every score.';
COMMENT ON COLUMN crm.rfm_map.otherwise_ja IS 'Japanese label of otherwise.';
COMMENT ON COLUMN crm.rfm_map.note IS 'Where the map comes from and what its user has to know.';
COMMENT ON COLUMN crm.rfm_map.shipped IS 'Whether the map came with pg_crm and is left alone by crm.define_rfm_map and crm.drop_rfm_map.';

COMMENT ON TABLE crm.rfm_map_rule IS 'The rules of the maps in crm.rfm_map, one row per segment.';
COMMENT ON COLUMN crm.rfm_map_rule.map IS 'Name of the map.';
COMMENT ON COLUMN crm.rfm_map_rule.position IS 'Order of the rules, from 1: it decides where the first match wins, and orders segments for display.';
COMMENT ON COLUMN crm.rfm_map_rule.segment IS 'Name of the segment. Once in a map.';
COMMENT ON COLUMN crm.rfm_map_rule.label IS 'English label.';
COMMENT ON COLUMN crm.rfm_map_rule.label_ja IS 'Japanese label.';
COMMENT ON COLUMN crm.rfm_map_rule.scores IS
'Patterns of the scores that get the segment: three positions, for R, F and M, each a grade (5), a class of grades ([45] or [3-5]) or . for any grade.';


CREATE FUNCTION crm.find_rfm_map(map name) RETURNS crm.rfm_map
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_map crm.rfm_map;
BEGIN
    IF find_rfm_map.map IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'the name of an RFM map must not be NULL';
    END IF;
    SELECT * INTO found_map FROM crm.rfm_map AS m WHERE m.map = find_rfm_map.map;
    IF NOT FOUND THEN
        RAISE undefined_object USING
            MESSAGE = format('RFM map "%s" does not exist', find_rfm_map.map),
            HINT = (SELECT format('There are: %s. Define others with crm.define_rfm_map.',
                                  string_agg(m.map, ', ' ORDER BY m.map))
                    FROM crm.rfm_map AS m);
    END IF;
    RETURN found_map;
END $$;

COMMENT ON FUNCTION crm.find_rfm_map(name) IS
'The row of crm.rfm_map with this name. Errors: 42704 if there is none (the hint lists the maps), 22004 for NULL.';

-- Every query that maps scores waits for this, so it has to plan well. One series of numbers is estimated low enough to
-- leave JIT alone, three are not. OFFSET 0 keeps the loop over the scores inside that over the rules: so a rule's
-- patterns are compiled once, and not once per score.
CREATE FUNCTION crm.rfm_map_matches(map name)
    RETURNS TABLE (score crm.rfm_score, place int, segment text, label text, label_ja text)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 125
BEGIN ATOMIC
    WITH scores AS MATERIALIZED (
        SELECT crm.rfm_score(r, f, m) AS score, pg_catalog.concat(r, f, m) AS digits
        FROM crm.find_rfm_map(map) AS found,
             LATERAL (SELECT found.grades::int AS n) AS grades,
             pg_catalog.generate_series(0, grades.n * grades.n * grades.n - 1) AS i,
             LATERAL (SELECT i / (grades.n * grades.n) + 1 AS r,
                             i / grades.n % grades.n + 1 AS f,
                             i % grades.n + 1 AS m) AS grade
    ), matches AS (
        SELECT match.digits, rule.position AS place, rule.segment, rule.label, rule.label_ja
        FROM crm.rfm_map_rule AS rule,
             LATERAL (SELECT scores.digits
                      FROM scores
                      WHERE scores.digits ~ pg_catalog.concat('^(', pg_catalog.array_to_string(rule.scores, '|'), ')$')
                      OFFSET 0) AS match
        WHERE rule.map = rfm_map_matches.map
    )
    SELECT scores.score, matches.place, matches.segment, matches.label, matches.label_ja
    FROM scores LEFT JOIN matches ON matches.digits = scores.digits;
END;

COMMENT ON FUNCTION crm.rfm_map_matches(name) IS
'Every score of a map with each rule that matches it: place is the position of the rule, and a score that no rule matches has one row of NULLs. What crm.rfm_map_scores and crm.check_rfm_map look at. Errors as crm.find_rfm_map.';

-- As text, not parsed yet: pg_upgrade makes functions before the operator class that sorts and groups scores.
CREATE FUNCTION crm.rfm_map_scores(map name)
    RETURNS TABLE (score crm.rfm_score, segment text, label text, label_ja text)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 125 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT DISTINCT ON (matches.score)
           matches.score,
           coalesce(matches.segment, found.otherwise),
           coalesce(matches.label, crm.rfm_label(found.otherwise)),
           coalesce(matches.label_ja, found.otherwise_ja, crm.rfm_label(found.otherwise))
    FROM crm.find_rfm_map(map) AS found, crm.rfm_map_matches(map) AS matches
    ORDER BY matches.score, matches.place;
$$;

COMMENT ON FUNCTION crm.rfm_map_scores(name) IS
'Every score of a map, worst first, with its segment and labels: those of the first rule that matches, else of otherwise. One row per score, grades to the power of three. Errors: 42704 if there is no such map (the hint lists the maps), 22004 for NULL.';

CREATE FUNCTION crm.check_rfm_map(map name)
    RETURNS TABLE (problem text, score crm.rfm_score, segments text[])
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$ -- as text, for the same reason
    WITH scores AS MATERIALIZED (
        SELECT matches.score,
               pg_catalog.array_agg(matches.segment ORDER BY matches.place)
                   FILTER (WHERE matches.segment IS NOT NULL) AS segments
        FROM crm.rfm_map_matches(map) AS matches
        GROUP BY matches.score
    ), problems AS (
        SELECT 'gap' AS problem, scores.score, '{}'::text[] AS segments
        FROM scores, crm.find_rfm_map(map) AS found
        WHERE scores.segments IS NULL AND found.otherwise IS NULL
        UNION ALL
        SELECT 'overlap', scores.score, scores.segments
        FROM scores, crm.find_rfm_map(map) AS found
        WHERE pg_catalog.cardinality(scores.segments) > 1 AND NOT found.first_match
        UNION ALL
        SELECT 'unreachable', NULL, ARRAY[rule.segment]
        FROM crm.find_rfm_map(map) AS found JOIN crm.rfm_map_rule AS rule ON rule.map = found.map
        WHERE NOT EXISTS (SELECT
                          FROM scores
                          WHERE CASE WHEN found.first_match THEN rule.segment = scores.segments[1]
                                     ELSE rule.segment = ANY (scores.segments) END)
    )
    SELECT problems.problem, problems.score, problems.segments
    FROM problems
    ORDER BY problems.problem, problems.score, problems.segments;
$$;

COMMENT ON FUNCTION crm.check_rfm_map(name) IS
'What is wrong with a map; no row if nothing is. problem is gap (a score that no rule matches while the map has no otherwise), overlap (a score of several segments while the first match does not win) or unreachable (a rule that wins no score; its score is NULL). segments are those of the rules concerned. Errors: 42704 if there is no such map, 22004 for NULL.';


CREATE FUNCTION crm.define_rfm_map(map name, rules crm.rfm_rule[], grades int DEFAULT 5,
                                   first_match boolean DEFAULT false, otherwise text DEFAULT NULL,
                                   otherwise_ja text DEFAULT NULL, note text DEFAULT NULL)
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    pattern_hint CONSTANT text :=
        'A score pattern has three positions, for R, F and M; '
        'each is a grade (5), a class of grades ([45] or [3-5]) or . for any grade.';
    listed_problems CONSTANT int := 40;
    rule record;
    bad_pattern text;
    problems text;
BEGIN
    IF num_nulls(define_rfm_map.map, rules, define_rfm_map.grades, define_rfm_map.first_match) > 0 THEN
        RAISE null_value_not_allowed USING
            MESSAGE = 'map, rules, grades and first_match of an RFM map must not be NULL';
    ELSIF define_rfm_map.map = '' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'the name of an RFM map must not be empty';
    ELSIF EXISTS (SELECT FROM crm.rfm_map AS m WHERE m.map = define_rfm_map.map AND m.shipped) THEN
        RAISE reserved_name USING
            MESSAGE = format('RFM map "%s" comes with pg_crm and cannot be changed', define_rfm_map.map),
            HINT = 'Define yours under another name.';
    ELSIF define_rfm_map.grades NOT BETWEEN 2 AND 9 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'an RFM map must have 2 to 9 grades',
            DETAIL = format('grades is %s.', define_rfm_map.grades);
    ELSIF cardinality(rules) = 0 THEN
        RAISE invalid_parameter_value USING MESSAGE = 'an RFM map must have at least one rule';
    ELSIF define_rfm_map.otherwise = '' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'the name of a segment must not be empty', DETAIL = 'otherwise is empty.';
    ELSIF define_rfm_map.otherwise IS NULL AND define_rfm_map.otherwise_ja IS NOT NULL THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'otherwise_ja is the label of otherwise, which is missing',
            DETAIL = format('otherwise_ja is "%s".', define_rfm_map.otherwise_ja);
    END IF;

    FOR rule IN
        SELECT r.*, count(*) OVER (PARTITION BY r.segment) > 1 OR r.segment = define_rfm_map.otherwise AS repeated
        FROM unnest(rules) WITH ORDINALITY AS r (segment, label, label_ja, scores, position)
        ORDER BY r.position
    LOOP
        IF coalesce(rule.segment, '') = '' THEN
            RAISE invalid_parameter_value USING
                MESSAGE = 'the name of a segment must not be empty',
                DETAIL = format('That of rule %s is.', rule.position);
        ELSIF rule.repeated THEN
            RAISE invalid_parameter_value USING
                MESSAGE = format('segment "%s" appears more than once in RFM map "%s"',
                                 rule.segment, define_rfm_map.map),
                HINT = 'Give all its score patterns to one rule; otherwise is a segment of its own.';
        ELSIF coalesce(cardinality(rule.scores), 0) = 0 THEN
            RAISE invalid_parameter_value USING
                MESSAGE = format('segment "%s" has no score patterns', rule.segment), HINT = pattern_hint;
        END IF;
        SELECT p INTO bad_pattern FROM unnest(crm.malformed_rfm_patterns(rule.scores)) AS p LIMIT 1;
        IF FOUND THEN
            RAISE invalid_parameter_value USING
                MESSAGE = format('malformed score pattern %s', coalesce('"' || bad_pattern || '"', 'NULL')),
                DETAIL = format('It is one of segment "%s".', rule.segment),
                HINT = pattern_hint;
        END IF;
        SELECT p INTO bad_pattern
        FROM unnest(rule.scores) AS p, regexp_matches(p, '[1-9]', 'g') AS grade
        WHERE grade[1]::int > define_rfm_map.grades
        LIMIT 1;
        IF FOUND THEN
            RAISE invalid_parameter_value USING
                MESSAGE = format('score pattern "%s" names a grade above %s', bad_pattern, define_rfm_map.grades),
                DETAIL = format('It is one of segment "%s" in a map of %s grades.',
                                rule.segment, define_rfm_map.grades);
        END IF;
    END LOOP;

    INSERT INTO crm.rfm_map AS m (map, grades, first_match, otherwise, otherwise_ja, note)
    VALUES (define_rfm_map.map, define_rfm_map.grades, define_rfm_map.first_match,
            define_rfm_map.otherwise, define_rfm_map.otherwise_ja, define_rfm_map.note)
    ON CONFLICT (map) DO UPDATE
    SET grades = excluded.grades, first_match = excluded.first_match,
        otherwise = excluded.otherwise, otherwise_ja = excluded.otherwise_ja, note = excluded.note;
    DELETE FROM crm.rfm_map_rule AS r WHERE r.map = define_rfm_map.map;
    INSERT INTO crm.rfm_map_rule (map, position, segment, label, label_ja, scores)
    SELECT define_rfm_map.map, r.position, r.segment, coalesce(r.label, crm.rfm_label(r.segment)),
           coalesce(r.label_ja, r.label, crm.rfm_label(r.segment)), r.scores
    FROM unnest(rules) WITH ORDINALITY AS r (segment, label, label_ja, scores, position);

    WITH items AS (
        SELECT c.problem,
               row_number() OVER (PARTITION BY c.problem ORDER BY c.score, c.segments) AS n,
               CASE c.problem WHEN 'gap' THEN c.score::text
                              WHEN 'overlap' THEN format('%s (%s)', c.score, array_to_string(c.segments, ', '))
                              ELSE c.segments[1] END AS item
        FROM crm.check_rfm_map(define_rfm_map.map) AS c
    ), lists AS (
        SELECT i.problem, max(i.n) AS total,
               string_agg(i.item, ', ' ORDER BY i.n) FILTER (WHERE i.n <= listed_problems) AS list
        FROM items AS i
        GROUP BY i.problem
    )
    SELECT string_agg(format('%s (%s): %s%s.',
                             CASE l.problem WHEN 'gap' THEN 'Scores without a segment'
                                            WHEN 'overlap' THEN 'Scores of several segments'
                                            ELSE 'Segments that win no score' END,
                             l.total, l.list,
                             CASE WHEN l.total > listed_problems
                                  THEN format(' and %s more', l.total - listed_problems) END),
                      E'\n' ORDER BY l.problem)
    INTO problems
    FROM lists AS l;
    IF problems IS NOT NULL THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('the rules of RFM map "%s" do not fit together', define_rfm_map.map),
            DETAIL = problems,
            HINT = 'Correct the rules. Or name a segment in otherwise for scores without one, '
                   'and let the first rule win with first_match.';
    END IF;
END $$;

COMMENT ON FUNCTION crm.define_rfm_map(name, crm.rfm_rule[], int, boolean, text, text, text) IS
'Stores an own map, in place of an own map of the same name. Every score of its grades must get one segment: of one rule, or of the first that matches with first_match, or else otherwise. Errors: 22023 for a map that does not do so (the detail lists the scores: 40 of a kind, then how many more), malformed score patterns, repeated or empty segment names and other bad parameters; 42939 for the name of a shipped map; 22004 for NULL; 42501 without the right to write crm.rfm_map and crm.rfm_map_rule.';

CREATE FUNCTION crm.drop_rfm_map(map name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (crm.find_rfm_map(drop_rfm_map.map)).shipped THEN
        RAISE reserved_name USING
            MESSAGE = format('RFM map "%s" comes with pg_crm and cannot be dropped', drop_rfm_map.map);
    END IF;
    DELETE FROM crm.rfm_map AS m WHERE m.map = drop_rfm_map.map;
END $$;

COMMENT ON FUNCTION crm.drop_rfm_map(name) IS
'Drops an own map. Errors: 42704 if there is no such map, 42939 for a shipped one, 22004 for NULL, 42501 without the right to delete from crm.rfm_map.';


INSERT INTO crm.rfm_map (map, grades, first_match, otherwise, otherwise_ja, note, shipped) VALUES
('six', 5, true, 'other', 'その他',
 'The published Japanese table of six segments, in its order: the first match wins. '
 'It says nothing about 22 of the 125 scores (R=2 with F=1, R=3 with F=1, and R>=3 with F>=2 and M=1): '
 'they are other, on purpose. Its own cut points are crm.rfm_bands().',
 true),
('eleven', 5, false, NULL, NULL,
 'The widely published marketing map of eleven segments: a list of all 125 scores, each in one segment. '
 'It is usually read with grades that are fifths of the customers.',
 true),
('klaviyo', 3, false, NULL, NULL,
 'The six groups that the marketing platform Klaviyo publishes: a list of all 27 scores of three grades, each in one '
 'group. Recency there is 3 up to 180 days, 2 up to 365 days and 1 beyond; frequency and monetary are thirds of the '
 'customers.',
 true),
('rf10', 5, false, NULL, NULL,
 'The widely published 5 x 5 map of recency and frequency with ten segments: each of the 25 pairs in one segment, '
 'whatever M is.',
 true);

INSERT INTO crm.rfm_map_rule (map, position, segment, label, label_ja, scores) VALUES
('six', 1, 'vip', 'VIP', 'VIP顧客', '{[45][45][45]}'),
('six', 2, 'loyal', 'Loyal', '優良顧客', '{[3-5][3-5][3-5]}'),
('six', 3, 'growing', 'Growing', '成長顧客', '{[3-5][2-5][2-5]}'),
('six', 4, 'new', 'New', '新規顧客', '{[45]1.}'),
('six', 5, 'at_risk', 'At risk', '休眠リスク顧客', '{2[2-5].}'),
('six', 6, 'dormant', 'Dormant', '休眠顧客', '{1..}'),

('eleven', 1, 'champions', 'Champions', 'チャンピオン', '{555,554,544,545,454,455,445}'),
('eleven', 2, 'loyal', 'Loyal', 'ロイヤル顧客', '{543,444,435,355,354,345,344,335}'),
('eleven', 3, 'potential_loyalist', 'Potential loyalist', '潜在ロイヤル顧客',
 '{553,551,552,541,542,533,532,531,452,451,442,441,431,453,433,432,423,353,352,351,342,341,333,323}'),
('eleven', 4, 'new', 'New', '新規顧客', '{512,511,422,421,412,411,311}'),
('eleven', 5, 'promising', 'Promising', '有望顧客',
 '{525,524,523,522,521,515,514,513,425,424,413,414,415,315,314,313}'),
('eleven', 6, 'need_attention', 'Need attention', '要注意顧客', '{535,534,443,434,343,334,325,324}'),
('eleven', 7, 'about_to_sleep', 'About to sleep', '休眠間近の顧客', '{331,321,312,221,213,231,241,251}'),
('eleven', 8, 'at_risk', 'At risk', '離反リスク顧客',
 '{255,254,245,244,253,252,243,242,235,234,225,224,153,152,145,143,142,135,134,133,125,124}'),
('eleven', 9, 'cannot_lose', 'Cannot lose', '失いたくない顧客', '{155,154,144,214,215,115,114,113}'),
('eleven', 10, 'hibernating', 'Hibernating', '休眠顧客', '{332,322,233,232,223,222,132,123,122,212,211}'),
('eleven', 11, 'lost', 'Lost', '離反顧客', '{111,112,121,131,141,151}'),

('klaviyo', 1, 'champions', 'Champions', 'チャンピオン', '{333,332,323}'),
('klaviyo', 2, 'loyal', 'Loyal', 'ロイヤル顧客', '{321,322,331,232,233}'),
('klaviyo', 3, 'recent', 'Recent', '最近の顧客', '{312,313,311,222,223}'),
('klaviyo', 4, 'needs_attention', 'Needs attention', '要注意顧客', '{213,221,123,132,133}'),
('klaviyo', 5, 'at_risk', 'At risk', '離反リスク顧客', '{231,212,122,131,211}'),
('klaviyo', 6, 'inactive', 'Inactive', '非アクティブ顧客', '{111,112,113,121}'),

('rf10', 1, 'champions', 'Champions', 'チャンピオン', '{5[45].}'),
('rf10', 2, 'loyal', 'Loyal', 'ロイヤル顧客', '{[34][45].}'),
('rf10', 3, 'potential_loyalist', 'Potential loyalist', '潜在ロイヤル顧客', '{[45][23].}'),
('rf10', 4, 'new', 'New', '新規顧客', '{51.}'),
('rf10', 5, 'promising', 'Promising', '有望顧客', '{41.}'),
('rf10', 6, 'need_attention', 'Need attention', '要注意顧客', '{33.}'),
('rf10', 7, 'about_to_sleep', 'About to sleep', '休眠間近の顧客', '{3[12].}'),
('rf10', 8, 'at_risk', 'At risk', '離反リスク顧客', '{[12][34].}'),
('rf10', 9, 'cannot_lose', 'Cannot lose', '失いたくない顧客', '{[12]5.}'),
('rf10', 10, 'hibernating', 'Hibernating', '休眠顧客', '{[12][12].}');

-- A trusted extension's objects belong to a superuser. Own maps are for whoever installs it to define, and for the
-- owner of the database, also where a superuser restores it.
ALTER TABLE crm.rfm_map OWNER TO @extowner@;
ALTER TABLE crm.rfm_map_rule OWNER TO @extowner@;
GRANT INSERT, UPDATE, DELETE ON crm.rfm_map, crm.rfm_map_rule TO pg_database_owner;
GRANT SELECT ON crm.rfm_map, crm.rfm_map_rule TO PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('crm.rfm_map', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('crm.rfm_map_rule',
                                           'WHERE map IN (SELECT map FROM crm.rfm_map WHERE NOT shipped)');
