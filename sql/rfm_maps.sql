-- Maps from RFM scores to segments: the shipped ones against the published lists, own ones, and what is refused.

-- The error of a statement, without the lines of the functions it passed through.
CREATE FUNCTION refused(statement text, OUT code text, OUT message text, OUT detail text, OUT hint text)
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    message := 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
                            hint = PG_EXCEPTION_HINT;
END $$;

-- Every score of 1 to n grades, as three numbers and as text.
CREATE FUNCTION scores(n int) RETURNS TABLE (r int, f int, m int, score text)
    LANGUAGE sql AS $$
    SELECT r, f, m, concat(r, f, m)
    FROM generate_series(1, n) AS r, generate_series(1, n) AS f, generate_series(1, n) AS m
$$;

-- 1. The shipped maps

SELECT map, grades, first_match, otherwise, otherwise_ja, shipped FROM crm.rfm_map ORDER BY map;
SELECT map, position, segment, label, label_ja FROM crm.rfm_map_rule ORDER BY map, position;
SELECT map FROM crm.rfm_map WHERE note IS NULL;

-- As published, written down a second time.
CREATE TABLE published (map name, score text, segment text);

INSERT INTO published
SELECT 'six', score,
       CASE WHEN r >= 4 AND f >= 4 AND m >= 4 THEN 'vip'
            WHEN r >= 3 AND f >= 3 AND m >= 3 THEN 'loyal'
            WHEN r >= 3 AND f >= 2 AND m >= 2 THEN 'growing'
            WHEN r >= 4 AND f = 1 THEN 'new'
            WHEN r = 2 AND f >= 2 THEN 'at_risk'
            WHEN r = 1 THEN 'dormant'
            ELSE 'other' END
FROM scores(5);

INSERT INTO published
SELECT map, regexp_split_to_table(list, ' '), segment
FROM (VALUES
('eleven', 'champions', '555 554 544 545 454 455 445'),
('eleven', 'loyal', '543 444 435 355 354 345 344 335'),
('eleven', 'potential_loyalist', '553 551 552 541 542 533 532 531 452 451 442 441 431 453 433 432 423 353 352 351 342 '
                                 '341 333 323'),
('eleven', 'new', '512 511 422 421 412 411 311'),
('eleven', 'promising', '525 524 523 522 521 515 514 513 425 424 413 414 415 315 314 313'),
('eleven', 'need_attention', '535 534 443 434 343 334 325 324'),
('eleven', 'about_to_sleep', '331 321 312 221 213 231 241 251'),
('eleven', 'at_risk', '255 254 245 244 253 252 243 242 235 234 225 224 153 152 145 143 142 135 134 133 125 124'),
('eleven', 'cannot_lose', '155 154 144 214 215 115 114 113'),
('eleven', 'hibernating', '332 322 233 232 223 222 132 123 122 212 211'),
('eleven', 'lost', '111 112 121 131 141 151'),
('klaviyo', 'champions', '333 332 323'),
('klaviyo', 'loyal', '321 322 331 232 233'),
('klaviyo', 'recent', '312 313 311 222 223'),
('klaviyo', 'needs_attention', '213 221 123 132 133'),
('klaviyo', 'at_risk', '231 212 122 131 211'),
('klaviyo', 'inactive', '111 112 113 121')) AS lists (map, segment, list);

INSERT INTO published
SELECT 'rf10', pair || m, segment
FROM (VALUES
('hibernating', '11 12 21 22'),
('at_risk', '13 14 23 24'),
('cannot_lose', '15 25'),
('about_to_sleep', '31 32'),
('need_attention', '33'),
('loyal', '34 35 44 45'),
('promising', '41'),
('new', '51'),
('potential_loyalist', '42 43 52 53'),
('champions', '54 55')) AS lists (segment, list),
     regexp_split_to_table(list, ' ') AS pair, generate_series(1, 5) AS m;

SELECT map, count(*) AS scores, count(DISTINCT score) AS different, count(DISTINCT left(score, 2)) AS pairs,
       count(DISTINCT segment) AS segments, count(*) FILTER (WHERE segment = 'other') AS other
FROM published
GROUP BY map ORDER BY map;

-- The maps say the same, score by score.
CREATE VIEW mapped AS
SELECT m.map, s.score::text, s.segment FROM crm.rfm_map AS m, crm.rfm_map_scores(m.map) AS s;

SELECT map, count(*) AS scores, count(DISTINCT score) AS different, count(DISTINCT left(score, 2)) AS pairs,
       count(DISTINCT segment) AS segments, count(*) FILTER (WHERE segment = 'other') AS other
FROM mapped
GROUP BY map ORDER BY map;
TABLE published EXCEPT ALL TABLE mapped;
TABLE mapped EXCEPT ALL TABLE published;

-- So does the function that segments customers.
SELECT count(*) AS segmented,
       count(*) FILTER (WHERE crm.rfm_segment(score::crm.rfm_score, map) IS DISTINCT FROM segment) AS wrong
FROM published;

-- What six leaves to other, with its labels; M does not matter to rf10.
SELECT label, label_ja, string_agg(score::text, ' ' ORDER BY score) AS scores
FROM crm.rfm_map_scores('six') WHERE segment = 'other' GROUP BY 1, 2;
SELECT count(*) FROM (SELECT FROM crm.rfm_map_scores('rf10') GROUP BY crm.r(score), crm.f(score)
                      HAVING count(DISTINCT segment) > 1) AS torn;

-- Each is sound, and its scores come in order.
SELECT m.map, c.* FROM crm.rfm_map AS m, crm.check_rfm_map(m.map) AS c;
SELECT array_agg(score) = array_agg(score ORDER BY score) AS in_order FROM crm.rfm_map_scores('eleven');

-- 2. Own maps

SELECT crm.define_rfm_map('keep', ARRAY[
    ROW ('keep', 'Worth keeping', '維持したい顧客', '{[4-5].., .55}'),
    ROW ('win_back', NULL, NULL, '{[12][345].}')]::crm.rfm_rule[],
    first_match => true, otherwise => 'the_rest', note => 'Agreed in the spring review.');
SELECT * FROM crm.rfm_map WHERE map = 'keep';
SELECT * FROM crm.rfm_map_rule WHERE map = 'keep' ORDER BY position;
SELECT segment, label, label_ja, count(*) FROM crm.rfm_map_scores('keep') GROUP BY 1, 2, 3 ORDER BY 1;
SELECT score, segment FROM crm.rfm_map_scores('keep') WHERE score::text IN ('155', '135', '111', '411') ORDER BY score;
SELECT crm.rfm_segment('155', 'keep'), crm.rfm_segment('135', 'keep'), crm.rfm_segment('111', 'keep');

-- Defined again: replaced as a whole.
SELECT crm.define_rfm_map('keep', '{"(all,,,{...})"}', grades => 2);
SELECT * FROM crm.rfm_map WHERE map = 'keep';
SELECT * FROM crm.rfm_map_rule WHERE map = 'keep';
SELECT * FROM crm.rfm_map_scores('keep');
SELECT crm.rfm_segment('111', 'keep');

-- A refused definition leaves the map that is there.
SELECT code FROM refused($$SELECT crm.define_rfm_map('keep', '{"(all,,,{1..})"}')$$);
SELECT segment, scores FROM crm.rfm_map_rule WHERE map = 'keep';

-- Nine grades, and patterns of every form; a class means what it says.
SELECT crm.define_rfm_map('nine', '{"(high,,,{[7-9]..})","(low,,,\"{[13].., [4-6].., 2..}\")"}', grades => 9);
SELECT segment, count(*), min(score::text), max(score::text)
FROM crm.rfm_map_scores('nine') GROUP BY segment ORDER BY segment;
SELECT pattern, crm.malformed_rfm_patterns(ARRAY[pattern]) = '{}' AS well_formed
FROM unnest('{555, ..., [45].., [3-5].., .[1]9, [5-5].., [54].., "", 5, 55, 5555, 055, [0-5].., [5-3].., [].., [^5].., '
            '[3-].., [1-35].., [3-5-7].., "5 5", 5|5, 555|444, ^555, 555$, .*, 5+5, [[:digit:]].., \\d55, ５５５, a55}'
            ::text[]) AS pattern;
SELECT crm.malformed_rfm_patterns('{555,NULL,x}'), crm.malformed_rfm_patterns('{}'), crm.malformed_rfm_patterns(NULL);
SELECT crm.malformed_rfm_patterns(ARRAY[E'555\n', E'555\n444']);

SELECT crm.drop_rfm_map('keep');
SELECT count(*) FROM crm.rfm_map_rule WHERE map = 'keep';
SELECT * FROM refused($$SELECT crm.drop_rfm_map('keep')$$);

-- 3. What crm.check_rfm_map finds, in rows that were written by hand

INSERT INTO crm.rfm_map (map, grades) VALUES ('by_hand', 2);
INSERT INTO crm.rfm_map_rule (map, position, segment, label, label_ja, scores) VALUES
('by_hand', 10, 'good', 'Good', '良い', '{22., .22}'),
('by_hand', 20, 'fair', 'Fair', '可', '{.2.}'),
('by_hand', 30, 'fast', 'Fast', '早い', '{22.}'),
('by_hand', 40, 'far', 'Far', '遠い', '{9..}');
SELECT * FROM crm.check_rfm_map('by_hand');
UPDATE crm.rfm_map SET first_match = true WHERE map = 'by_hand';
SELECT * FROM crm.check_rfm_map('by_hand');
SELECT * FROM crm.rfm_map_scores('by_hand');
UPDATE crm.rfm_map SET otherwise = 'rest_of_us' WHERE map = 'by_hand';
SELECT * FROM crm.check_rfm_map('by_hand');
SELECT * FROM crm.rfm_map_scores('by_hand') LIMIT 2;
DELETE FROM crm.rfm_map_rule WHERE map = 'by_hand';
SELECT count(*), min(segment), max(segment) FROM crm.rfm_map_scores('by_hand');
UPDATE crm.rfm_map SET map = 'renamed', otherwise = NULL WHERE map = 'by_hand';
SELECT problem, count(*), min(score::text), max(score::text) FROM crm.check_rfm_map('renamed') GROUP BY problem;
SELECT crm.drop_rfm_map('renamed');

-- 4. Broken maps are refused, with the list

\x on
SELECT * FROM refused($$SELECT crm.define_rfm_map('broken', ARRAY[
    ROW ('best', NULL, NULL, '{3..}'),
    ROW ('often', NULL, NULL, '{[12]3., 333}'),
    ROW ('seldom', NULL, NULL, '{[12][12][123]}'),
    ROW ('big', NULL, NULL, '{223, 3.3}')]::crm.rfm_rule[], grades => 3)$$);
SELECT * FROM refused($$SELECT crm.define_rfm_map('broken', ARRAY[
    ROW ('best', NULL, NULL, '{5..}'),
    ROW ('better', NULL, NULL, '{[2-5][2-5]., 2..}'),
    ROW ('lost', NULL, NULL, '{55.}')]::crm.rfm_rule[], first_match => true)$$);
SELECT * FROM refused($$SELECT crm.define_rfm_map('broken', ARRAY[
    ROW ('all', NULL, NULL, '{...}'), ROW ('every', NULL, NULL, '{...}')]::crm.rfm_rule[], otherwise => 'none')$$);

-- 5. Bad parameters

SELECT call, r.*
FROM (VALUES
(1, $$'six', '{"(all,,,{...})"}'$$),
(2, $$'', '{"(all,,,{...})"}'$$),
(3, $$NULL, '{"(all,,,{...})"}'$$),
(4, $$'own', NULL$$),
(5, $$'own', '{}'$$),
(6, $$'own', '{"(all,,,{...})"}', 1$$),
(7, $$'own', '{"(all,,,{...})"}', 10$$),
(8, $$'own', '{"(all,,,{...})"}', NULL$$),
(9, $$'own', '{"(all,,,{...})"}', 5, NULL$$),
(10, $$'own', '{"(all,,,{...})"}', otherwise => ''$$),
(11, $$'own', '{"(all,,,{...})"}', otherwise_ja => '残り'$$),
(12, $$'own', '{"(all,,,{...})"}', otherwise => 'all'$$),
(13, $$'own', '{"(high,,,{[345]..})",NULL}'$$),
(14, $$'own', '{"(high,,,{[345]..})","(\"\",,,{[12]..})"}'$$),
(15, $$'own', '{"(all,,,{[345]..})","(all,,,{[12]..})"}'$$),
(16, $$'own', '{"(all,,,)"}'$$),
(17, $$'own', '{"(all,,,{})"}'$$),
(18, $$'own', '{"(all,,,\"{[345]..,1.,2..}\")"}'$$),
(19, $$'own', '{"(all,,,\"{...,NULL}\")"}'$$),
(20, $$'own', '{"(all,,,\"{[5-3]..,1..,2..}\")"}'$$),
(21, $$'own', '{"(high,,,{[3-6]..})","(low,,,{[12]..})"}'$$)) AS calls (i, call),
     refused(format('SELECT crm.define_rfm_map(%s)', call)) AS r
ORDER BY i;
SELECT count(*) AS stored FROM crm.rfm_map WHERE map IN ('own', 'broken', '');

SELECT call, r.*
FROM (VALUES
(1, $$rfm_map_scores('sevn')$$),
(2, $$rfm_map_scores(NULL)$$),
(3, $$check_rfm_map('sevn')$$),
(4, $$check_rfm_map(NULL)$$),
(5, $$rfm_segment('555', 'sevn')$$),
(6, $$drop_rfm_map('sevn')$$),
(7, $$drop_rfm_map(NULL)$$),
(8, $$drop_rfm_map('eleven')$$)) AS calls (i, call),
     refused('SELECT crm.' || call) AS r
ORDER BY i;
\x off

-- The tables defend themselves against rows that mean nothing.
SELECT statement, r.message
FROM (VALUES
(1, $$INSERT INTO crm.rfm_map (map, grades) VALUES ('own', 1)$$),
(2, $$INSERT INTO crm.rfm_map (map, otherwise) VALUES ('own', '')$$),
(3, $$INSERT INTO crm.rfm_map (map, otherwise_ja) VALUES ('own', '残り')$$),
(4, $$INSERT INTO crm.rfm_map (map) VALUES ('')$$),
(5, $$INSERT INTO crm.rfm_map_rule VALUES ('own', 1, 'all', 'All', 'All', '{...}')$$),
(6, $$INSERT INTO crm.rfm_map_rule VALUES ('nine', 0, 'all', 'All', 'All', '{...}')$$),
(7, $$INSERT INTO crm.rfm_map_rule VALUES ('nine', 3, 'low', 'Low', 'Low', '{...}')$$),
(8, $$INSERT INTO crm.rfm_map_rule VALUES ('nine', 3, '', 'All', 'All', '{...}')$$),
(9, $$INSERT INTO crm.rfm_map_rule VALUES ('nine', 3, 'all', 'All', 'All', '{}')$$),
(10, $$INSERT INTO crm.rfm_map_rule VALUES ('nine', 3, 'all', 'All', 'All', '{...,NULL}')$$),
(11, $$INSERT INTO crm.rfm_map_rule VALUES ('nine', 3, 'all', 'All', 'All', '{[5-3]..}')$$)
    ) AS statements (i, statement), refused(statement) AS r
ORDER BY i;

-- 6. Rights: everybody reads, the owner defines, and others when they are granted to. A search path changes nothing.

CREATE ROLE regress_rfm_analyst;
CREATE SCHEMA regress_rfm_trap CREATE TABLE rfm_map (map name);
GRANT USAGE, CREATE ON SCHEMA regress_rfm_trap TO regress_rfm_analyst;
SET ROLE regress_rfm_analyst;
SET search_path = regress_rfm_trap;
SELECT count(*) FROM crm.rfm_map_scores('six');
SELECT count(*) FROM crm.check_rfm_map('six');
SELECT * FROM public.refused($$SELECT crm.define_rfm_map('mine', '{"(all,,,{...})"}')$$);
SELECT * FROM public.refused($$SELECT crm.drop_rfm_map('nine')$$);
RESET ROLE;
GRANT INSERT, UPDATE, DELETE ON crm.rfm_map, crm.rfm_map_rule TO regress_rfm_analyst;
SET ROLE regress_rfm_analyst;
SELECT crm.define_rfm_map('mine', '{"(all,,,{...})"}');
SELECT crm.define_rfm_map('mine', '{"(every,,,{...})"}');
SELECT crm.drop_rfm_map('nine');
RESET ROLE;
RESET search_path;
SELECT map, segment FROM crm.rfm_map_rule WHERE map IN ('mine', 'nine');
SELECT crm.drop_rfm_map('mine');
REVOKE ALL ON crm.rfm_map, crm.rfm_map_rule FROM regress_rfm_analyst;
DROP SCHEMA regress_rfm_trap CASCADE;
DROP ROLE regress_rfm_analyst;

DROP VIEW mapped;
DROP TABLE published;
DROP FUNCTION refused, scores;
