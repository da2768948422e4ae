-- key: scipy_fit_gradient
-- title: (m) SciPy, in memory: the same fit with the exact gradient, L-BFGS-B
-- engine: scipy
-- data: cdnow
fit_gradient
