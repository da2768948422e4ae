// The few special functions that no library has in a form that stays exact over the models' whole range.
#pragma once

#include <cstdint>

namespace crm::lifetime {

// The logarithm of base (base + 1) ... up to, but without, base + to, beginning with base + from; and its derivative by
// base. Sums these give the differences of log-gammas and digammas that likelihoods are made of, without cancellation.
struct rising {
    double log = 0, derivative = 0;
};
rising rising_factorial(double base, double from, double to);

// The same from 0 to an end that grows.
class growing_factorial {
  public:
    explicit growing_factorial(double base) : base_(base) {}

    const rising &up_to(double end) {
        const rising more = rising_factorial(base_, end_, end);
        sum_.log += more.log;
        sum_.derivative += more.derivative;
        end_ = end;
        return sum_;
    }

  private:
    double base_, end_ = 0;
    rising sum_;
};

// Of a positive number, with its derivative, the digamma function.
struct log_gamma {
    explicit log_gamma(double of);

    double value, derivative;
};

// E[(1 - (1 + p ahead)^-(r + x)) / p], p ~ Beta(a, b + x): the orders of a customer of the BG/NBD model in a time
// ahead, given in units of alpha + T. The textbook form, with a hypergeometric function over a - 1, is 0 / 0 at a = 1
// and loses all digits for large x.
double beta_geometric_orders(double r, double a, double b, double x, double ahead);

// A customer of the Pareto/NBD model, as seen from the end: the odds that they have left by T, and what to expect of
// the time y in [t_x, T] of leaving if so.
struct departure {
    double log_odds = 0;
    double log_alpha = 0, log_beta = 0;     // of log(1 + y / alpha), log(1 + y / beta)
    double share_alpha = 0, share_beta = 0; // of y / (alpha + y), y / (beta + y)
};
departure pareto_departure(double r, double alpha, double s, double beta, double x, double last, double age);

// e^z E_s(z), the exponential integral of real order s, for z > 0.
double scaled_exponential_integral(double s, double z);

// E[(1 - p) / (1 - (1 - p) / (1 + discount))], p ~ Beta(a, b): a geometric lifetime, discounted. For discount > 0.
double beta_discounted_lifetime(double a, double b, double discount);

} // namespace crm::lifetime
