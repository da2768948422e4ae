-- key: summaries
-- title: (l) reading customers in numbers: count(*), sum(t_x), sum(t)
-- data: summaries
SELECT count(*), sum(t_x), sum(t) FROM summaries
