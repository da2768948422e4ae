#!/usr/bin/env python3
"""Values of the lifetime models in fifty digits and more, for lifetime_special_test.cpp.

    apt-get install python3-mpmath
    python3 test/unit/lifetime_references.py > test/unit/lifetime_references.inc

They come from the papers' own formulas, with their hypergeometric functions, in so many digits that what these lose by
cancellation does not matter. That is another way than the extension's, which uses other forms in double precision.
The parameters are drawn over the whole range that a model can have, with the places where a formula is 0 / 0 on purpose.
"""
import random
from mpmath import exp, expint, hyp2f1, log, loggamma, mp, mpf, psi

random.seed(20260101)


def log_uniform(low, high):
    return float(mp.nstr(mpf(10) ** random.uniform(float(mp.log10(low)), float(mp.log10(high))), 6))


def stable(compute):
    """The value, in as many digits as it takes for two precisions to agree."""
    digits = 60
    before = None
    while True:
        mp.dps = digits
        try:
            now = compute()
        except (ValueError, ZeroDivisionError, mp.NoConvergence):
            now = None
        if before is not None and now is not None and abs(now - before) <= abs(now) * mpf(10) ** -25:
            return now
        before = now
        digits *= 2
        if digits > 8000:
            raise ArithmeticError("no digits left")


# BG/NBD, Fader, Hardie & Lee (2005), equations 3, 10 and the P(alive) of their note of 2008.
def bgnbd_p_alive(r, al, a, b, x, tx, T):
    if x == 0:
        return mpf(1)
    return 1 / (1 + a / (b + x - 1) * ((al + T) / (al + tx)) ** (r + x))


def mbgnbd_p_alive(r, al, a, b, x, tx, T):
    return 1 / (1 + a / (b + x) * ((al + T) / (al + tx)) ** (r + x))


def bgnbd_orders_if_alive(r, al, a, b, x, T, t):
    # The formula is 0 / 0 where a = 1 or a + b + x = 1, and smooth around it.
    if a == 1:
        a += mpf(10) ** (-mp.dps // 2)
    if a + b + x == 1:
        b += mpf(10) ** (-mp.dps // 2)
    z = t / (al + T + t)
    return (a + b + x - 1) / (a - 1) * (1 - ((al + T) / (al + T + t)) ** (r + x)
                                        * hyp2f1(r + x, b + x, a + b + x - 1, z))


def bgnbd_log_likelihood(r, al, a, b, x, tx, T):
    # B(a, b + x) / B(a, b) G(r + x) al^r / G(r) (al + T)^-(r + x) + [x > 0] B(a + 1, b + x - 1) / ...
    first = loggamma(r + x) - loggamma(r) + r * log(al)
    stays = loggamma(b + x) - loggamma(a + b + x) - loggamma(b) + loggamma(a + b) - (r + x) * log(al + T)
    if x == 0:
        return first + stays
    leaves = (log(a) + loggamma(b + x - 1) - loggamma(a + b + x) - loggamma(b) + loggamma(a + b)
              - (r + x) * log(al + tx))
    return first + log(exp(stays - leaves) + 1) + leaves


# MBG/NBD: everybody may leave after the first order too.
def mbgnbd_log_likelihood(r, al, a, b, x, tx, T):
    first = loggamma(r + x) - loggamma(r) + r * log(al)
    stays = loggamma(b + x + 1) - loggamma(a + b + x + 1) - loggamma(b) + loggamma(a + b) - (r + x) * log(al + T)
    leaves = (log(a) + loggamma(b + x) - loggamma(a + b + x + 1) - loggamma(b) + loggamma(a + b)
              - (r + x) * log(al + tx))
    return first + log(exp(stays - leaves) + 1) + leaves


# Pareto/NBD, Fader & Hardie (2005, "A Note on Deriving the Pareto/NBD Model"), equations 21 and 22.
def pareto_a0(r, al, s, be, x, tx, T):
    def f(of):
        if al >= be:
            return hyp2f1(r + s + x, s + 1, r + s + x + 1, (al - be) / (al + of)) / (al + of) ** (r + s + x)
        return hyp2f1(r + s + x, r + x, r + s + x + 1, (be - al) / (be + of)) / (be + of) ** (r + s + x)
    return f(tx) - f(T)


def pareto_log_likelihood(r, al, s, be, x, tx, T):
    front = loggamma(r + x) - loggamma(r) + r * log(al) + s * log(be)
    return front + log((al + T) ** -(r + x) * (be + T) ** -s + s / (r + s + x) * pareto_a0(r, al, s, be, x, tx, T))


def pareto_p_alive(r, al, s, be, x, tx, T):
    return 1 / (1 + s / (r + s + x) * (al + T) ** (r + x) * (be + T) ** s * pareto_a0(r, al, s, be, x, tx, T))


def pareto_orders_if_alive(r, al, s, be, x, T, t):
    if s == 1:
        return (r + x) * (be + T) / (al + T) * log((be + T + t) / (be + T))
    return (r + x) * (be + T) / ((al + T) * (s - 1)) * (1 - ((be + T) / (be + T + t)) ** (s - 1))


def row(given, value):
    print("    {{%s}, %s}," % (", ".join(repr(float(each)) for each in given), mp.nstr(value, 20, min_fixed=0, max_fixed=0)))


def seen():
    x = random.choice([0, 0, 0, 1, 1, 2, 3, 5, 10, 30, 100, 1000])
    T = log_uniform(0.05, 2000)
    tx = 0.0 if x == 0 else float(mp.nstr(T * random.choice([random.random(), 0.999, 1.0]), 6))
    return x, min(max(tx, 1e-6 if x else 0.0), T), T


def near_one(value):
    return random.choice([value] * 5 + [1.0, 1 + 1e-12, 1 - 1e-9, 1 + 1e-6, 1 - 1e-3])


def table(name, columns, rows):
    print("// %s\nconstexpr reference<%d> %s[] = {" % (columns, columns.count(",") + 1, name))
    for given, compute in rows:
        exact = [mpf(each) for each in given]
        value = stable(lambda: compute(*exact))
        if abs(value) > mpf(10) ** -300:  # a double can hold it
            row(given, value)
    print("};\n")


def bgnbd_rows():
    for i in range(150):
        r, al, a, b = (log_uniform(1e-3, 50), log_uniform(0.01, 500), near_one(log_uniform(1e-3, 300)),
                       near_one(log_uniform(1e-3, 300)))
        x, tx, T = seen()
        t = float(mp.nstr((al + T) * log_uniform(1e-4, 100), 6))
        yield (r, al, a, b, x, tx, T, t), lambda r, al, a, b, x, tx, T, t: bgnbd_orders_if_alive(r, al, a, b, x, T, t)
    for i in range(60):  # towards the ends of the range
        r, a, b = (log_uniform(1e-9, 1e3) for parameter in range(3))
        al = log_uniform(1e-9, 1e9)
        x, tx, T = seen()
        t = float(mp.nstr((al + T) * log_uniform(1e-6, 1e4), 6))
        yield (r, al, a, b, x, tx, T, t), lambda r, al, a, b, x, tx, T, t: bgnbd_orders_if_alive(r, al, a, b, x, T, t)
    for given in ((0.243, 4.414, 0.793, 2.426, 2, 30.43, 38.86, 39), (0.2, 3, 1e-8, 1, 0, 0, 10, 20),
                  (0.2, 3, 1, 1e-8, 0, 0, 10, 20), (1e-8, 3, 0.5, 0.5, 0, 0, 10, 20), (0.5, 10, 1e6, 3e6, 4, 5, 10, 20),
                  (1e5, 1e6, 0.8, 2.4, 4, 5, 10, 20), (0.2, 4, 0.25, 190, 0, 0, 50, 52), (3, 4, 5, 6, 1000000, 900, 1000, 30),
                  (0.5, 2, 0.25, 0.75, 0, 0, 0, 30), (2, 5, 0.5, 0.5, 0, 0, 0, 1e6)):
        yield given, lambda r, al, a, b, x, tx, T, t: bgnbd_orders_if_alive(r, al, a, b, x, T, t)


def likelihood_rows(compute, third, fourth):
    def draw():
        for i in range(120):
            x, tx, T = seen()
            al = log_uniform(0.01, 500)
            given = (log_uniform(1e-3, 50), al, third(), fourth(al), x, tx, T, 0)
            yield given, lambda r, al, a, b, x, tx, T, t: compute(r, al, a, b, x, tx, T)
        for i in range(40):  # towards the ends of the range
            x, tx, T = seen()
            given = [log_uniform(1e-9, most) for most in (1e3, 1e6, 1e3, 1e6)] + [x, tx, T, 0]
            yield given, lambda r, al, a, b, x, tx, T, t: compute(r, al, a, b, x, tx, T)
        for given in ((0.5, 10, 1e-6, 5, 3, 20, 30, 0), (1e5, 1e6, 0.7, 8, 3, 20, 30, 0), (0.5, 10, 1e5, 1e6, 3, 20, 30, 0),
                      (0.5, 10, 0.6, 11, 254, 38.8, 38.86, 0), (0.01, 1e-3, 2, 3, 1, 1, 1000, 0)):
            yield given, lambda r, al, a, b, x, tx, T, t: compute(r, al, a, b, x, tx, T)
    return draw()


def dropout_rate():
    return near_one(log_uniform(1e-3, 50))


def dropout_scale(al):
    return random.choice([al, float(al * (1 + 1e-9)), log_uniform(0.01, 500), log_uniform(0.01, 500)])


def pareto_order_rows():
    for i in range(60):
        x, tx, T = seen()
        given = (log_uniform(1e-3, 50), log_uniform(0.01, 500), near_one(log_uniform(1e-3, 50)), log_uniform(0.01, 500), x, tx,
                 T, log_uniform(0.01, 2000))
        yield given, lambda r, al, s, be, x, tx, T, t: pareto_orders_if_alive(r, al, s, be, x, T, t)


def exponential_integral_rows():
    for i in range(60):
        s, z = near_one(log_uniform(1e-6, 1e3)), log_uniform(1e-8, 1e6)
        yield (s, z), lambda s, z: exp(z) * expint(s, z)


def subscription_rows():
    for i in range(60):
        given = (near_one(log_uniform(1e-3, 100)), near_one(log_uniform(1e-3, 100)), random.choice([0, 0, 1, 2, 5, 20, 100]),
                 random.choice([0.0001, 0.01, 0.1, 0.5, 3, 100]))
        yield given, lambda a, b, n, d: (b + n) / (a + b + n) * hyp2f1(1, b + n + 1, a + b + n + 1, 1 / (1 + d))


def rising_rows():
    for base in (1e-10, 1e-3, 0.25, 1, 7.5, 300, 1e6, 1e10):
        for begin, end in ((0, 1), (0, 3), (0, 64), (0, 65), (0, 100000), (5, 5), (2, 80), (1000, 5000), (0, 1e9)):
            yield (base, begin, end), lambda base, begin, end: loggamma(base + end) - loggamma(base + begin)


def rising_derivative_rows():
    for given, _ in rising_rows():
        yield given, lambda base, begin, end: psi(0, base + end) - psi(0, base + begin)


def gamma_rows():
    for of in [1e-10, 1e-3, 0.5, 1, 1.4616321449683623, 2, 3.75, 19.9, 20, 21, 1e3, 1e10] + [log_uniform(1e-9, 1e9) for i in range(30)]:
        yield (of,), loggamma


def digamma_rows():
    for given, _ in gamma_rows():
        yield given, lambda of: psi(0, of)


print("// Made by lifetime_references.py. Do not edit.\n")
table("bgnbd_orders", "r, alpha, a, b, x, t_x, T, t: expected orders if alive", bgnbd_rows())
table("bgnbd_likelihoods", "r, alpha, a, b, x, t_x, T, 0: log-likelihood",
      likelihood_rows(bgnbd_log_likelihood, dropout_rate, lambda al: log_uniform(1e-3, 300)))
table("mbgnbd_likelihoods", "r, alpha, a, b, x, t_x, T, 0: log-likelihood",
      likelihood_rows(mbgnbd_log_likelihood, dropout_rate, lambda al: log_uniform(1e-3, 300)))
table("pareto_likelihoods", "r, alpha, s, beta, x, t_x, T, 0: log-likelihood",
      likelihood_rows(pareto_log_likelihood, dropout_rate, dropout_scale))
table("bgnbd_alive", "r, alpha, a, b, x, t_x, T, 0: P(alive)",
      likelihood_rows(bgnbd_p_alive, dropout_rate, lambda al: log_uniform(1e-3, 300)))
table("mbgnbd_alive", "r, alpha, a, b, x, t_x, T, 0: P(alive)",
      likelihood_rows(mbgnbd_p_alive, dropout_rate, lambda al: log_uniform(1e-3, 300)))
table("pareto_alive", "r, alpha, s, beta, x, t_x, T, 0: P(alive)",
      likelihood_rows(pareto_p_alive, dropout_rate, dropout_scale))
table("pareto_orders", "r, alpha, s, beta, x, t_x, T, t: expected orders if alive", pareto_order_rows())
table("exponential_integrals", "s, z: e^z E_s(z)", exponential_integral_rows())
table("subscription_lifetimes", "alpha, beta, renewals, discount: discounted expected residual lifetime",
      subscription_rows())
table("risings", "base, from, to: log of the rising factorial", rising_rows())
table("rising_derivatives", "base, from, to: its derivative by base", rising_derivative_rows())
table("log_gammas", "x: log-gamma", gamma_rows())
table("digammas", "x: digamma", digamma_rows())
