-- key: scipy_scores
-- title: (m) SciPy, in memory: the same scores
-- engine: scipy
-- data: summaries
score 0.243 4.414 0.793 2.426 52
