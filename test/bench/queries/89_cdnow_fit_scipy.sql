-- key: scipy_fit
-- title: (m) SciPy, in memory: the same fit by minimize() as it comes
-- engine: scipy
-- data: cdnow
fit
