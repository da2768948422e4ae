#!/usr/bin/env python3
"""SciPy as a contestant: reads one JSON line {"task": …} after the other, answers with {"seconds", "rows"} or {"error"}.

Usage: btyd.py FILE.csv, a file of x,t_x,t without a header, one customer a line. The task is one of
  fit             fits BG/NBD by maximum likelihood in log parameters, all customers at once, by minimize() as it comes
  fit_gradient    the same with the exact gradient, by L-BFGS-B
  score r alpha a b horizon    P(alive) and expected orders of all customers by the formulas as published
and the row its log-likelihood, or the number of customers and the sums. Reading the file is not in the times.
"""

import json
import sys
import time

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, digamma, gammaln, hyp2f1


def negative_log_likelihood(log_parameters, x, t_x, t):
    """Fader, Hardie and Lee (2005), equation 6, the mean over the customers."""
    r, alpha, a, b = np.exp(log_parameters)
    never_left, left = outcomes(r, alpha, a, b, x, t_x, t)
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
    return -(common + np.logaddexp(never_left, left)).mean()


def outcomes(r, alpha, a, b, x, t_x, t):
    """Logarithms of the two terms: still a customer, and left after the last purchase."""
    left = np.where(x > 0, np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + t_x), -np.inf)
    return -(r + x) * np.log(alpha + t), left


def with_gradient(log_parameters, x, t_x, t):
    """The same and its gradient."""
    r, alpha, a, b = np.exp(log_parameters)
    never_left, left = outcomes(r, alpha, a, b, x, t_x, t)
    either = np.logaddexp(never_left, left)
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
    gone = np.exp(left - either)
    here = 1 - gone
    by_r = digamma(r + x) - digamma(r) + np.log(alpha) - here * np.log(alpha + t) - gone * np.log(alpha + t_x)
    by_alpha = r / alpha - (r + x) * (here / (alpha + t) + gone / (alpha + t_x))
    by_a = digamma(a + b) - digamma(a + b + x) + gone / a
    by_b = digamma(a + b) + digamma(b + x) - digamma(b) - digamma(a + b + x) - gone / (b + np.maximum(x, 1) - 1)
    gradient = np.array([by_r.mean() * r, by_alpha.mean() * alpha, by_a.mean() * a, by_b.mean() * b])
    return -(common + either).mean(), -gradient


def start(t):
    return np.log([1.0, np.median(t) / 4, 1.0, 1.0])


def fit(x, t_x, t):
    return [-minimize(negative_log_likelihood, start(t), args=(x, t_x, t)).fun * len(x)]


def fit_gradient(x, t_x, t):
    return [-minimize(with_gradient, start(t), args=(x, t_x, t), jac=True, method='L-BFGS-B').fun * len(x)]


def score(x, t_x, t, r, alpha, a, b, horizon):
    again = x > 0
    odds = np.where(again, a / (b + np.maximum(x, 1) - 1), 0) * ((alpha + t) / (alpha + t_x)) ** (r + x)
    p_alive = 1 / (1 + odds)
    growth = ((alpha + t) / (alpha + t + horizon)) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, horizon / (alpha + t + horizon))
    expected = (a + b + x - 1) / (a - 1) * (1 - growth) * p_alive
    return [len(x), p_alive.sum(), expected.sum()]


def main():
    x, t_x, t = np.loadtxt(sys.argv[1], delimiter=',', unpack=True)
    tasks = {'fit': fit, 'fit_gradient': fit_gradient, 'score': score}
    for line in sys.stdin:
        try:
            name, *arguments = json.loads(line)['task'].split()
            start = time.perf_counter()
            row = tasks[name](x, t_x, t, *map(float, arguments))
            answer = {'seconds': time.perf_counter() - start, 'rows': [[repr(float(value)) for value in row]]}
        except (ValueError, KeyError, TypeError) as problem:
            answer = {'error': repr(problem)}
        print(json.dumps(answer), flush=True)


if __name__ == '__main__':
    main()
