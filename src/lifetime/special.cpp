#include "lifetime/special.hpp"

#include "lifetime/panels.hpp"

#include "core/no_postgres.hpp"

#include <limits>

namespace crm::lifetime {
namespace {

// Logarithms are dear, so factors are multiplied as long as they can be.
rising few_factors(double base, double from, double to) {
    rising sum;
    double product = 1;
    for (double i = from; i < to; ++i) {
        product *= base + i;
        sum.derivative += 1 / (base + i);
        if (product > 1e100 || product < 1e-100) {
            sum.log += std::log(product);
            product = 1;
        }
    }
    sum.log += std::log(product);
    return sum;
}

constexpr double large = 20; // what the series below are for

// What Stirling's series add to the logarithms in log-gamma and digamma.
rising stirling(double y) {
    const double v = 1 / (y * y);
    return {(1.0 / 12 - v * (1.0 / 360 - v * (1.0 / 1260 - v * (1.0 / 1680 - v / 1188)))) / y,
            -0.5 / y - v * (1.0 / 12 - v * (1.0 / 120 - v * (1.0 / 252 - v * (1.0 / 240 - v / 132))))};
}

// Differences of log-gamma and digamma at x + n and x, for a large x and n > 0.
rising many_factors(double x, double n) {
    const double growth = std::log1p(n / x);
    const rising end = stirling(x + n), begin = stirling(x);
    return {(x + n - 0.5) * growth + n * (std::log(x) - 1) + (end.log - begin.log),
            growth + (end.derivative - begin.derivative)};
}

// Means over p ~ Beta(a, b) of a function that varies, like the logarithm of the odds of p, no faster than a power of p
// or 1 - p. The variable is the logarithm of the odds: there the density is log-concave, and its tails are exponential
// up to infinity.
template <class Function> class beta_mean {
  public:
    // Below odds of 1 / steepness the function is constant.
    beta_mean(double a, double b, double steepness, Function of)
        : a_(a), b_(b), p_(a / (a + b)), q_(b / (a + b)), peak_(std::log(a / b)), of_(of) {
        const double lowest = -40 - std::log1p(steepness) - std::log1p(b), highest = 40 + std::log1p(a);
        side(peak_ - lowest, -1);
        side(highest - peak_, 1);
    }
    double value() const { return of_sum_ / sum_; }

    // The rest of integrate()'s integrand. v is the distance from the peak, to the side that is being integrated.
    double slope(double v) const {
        const odds at(peak_ + direction_ * v);
        return a_ * at.q - b_ * at.p;
    }
    void add(double v, double weight) {
        const double here = weight * density(direction_ * v), of_here = here * value_at(direction_ * v);
        sum_ += here;
        of_sum_ += of_here;
        largest_ = std::max(largest_, of_here / weight);
    }
    bool is_over(double v) const {
        constexpr double nothing = 1e-18;
        const double here = density(direction_ * v);
        return here < nothing && here * value_at(direction_ * v) < nothing * largest_;
    }

  private:
    struct odds {
        explicit odds(double log) : p(1 / (1 + std::exp(-log))), q(1 / (1 + std::exp(log))) {}
        double p, q;
    };

    void side(double length, int direction) {
        direction_ = direction;
        const double reach = std::max(length, 0.0);
        integrate(*this, 0, reach);
        const double tail = density(direction * reach) / (direction < 0 ? a_ : b_);
        sum_ += tail;
        of_sum_ += tail * value_at(direction * reach);
    }
    // Relative to the peak.
    double density(double distance) const {
        return std::exp(-a_ * log_mean_exp(p_, q_, -distance) - b_ * log_mean_exp(q_, p_, distance));
    }
    // log(rest + share e^of), where rest + share = 1: without cancellation, as a and b may be large.
    static double log_mean_exp(double rest, double share, double of) {
        return std::abs(of) < 1 ? std::log1p(share * std::expm1(of)) : std::log(rest + share * std::exp(of));
    }
    double value_at(double distance) const {
        const odds at(peak_ + distance);
        return of_(at.p, at.q);
    }

    double a_, b_, p_, q_, peak_;
    Function of_;
    int direction_ = 1;
    double sum_ = 0, of_sum_ = 0, largest_ = 0;
};

double orders_by_quadrature(double rate_shape, double a, double b, double ahead) {
    const auto orders = [=](double p, double) { return -std::expm1(-rate_shape * std::log1p(p * ahead)) / p; };
    return beta_mean(a, b, ahead * (1 + rate_shape), orders).value();
}

// The integral over the time of leaving, relative to the odds at t_x. v is the logarithm of growth of the smaller of
// alpha + y and beta + y since t_x; the other one grows by 1 + ratio (e^v - 1).
class departure_integral {
  public:
    departure_integral(double r, double alpha, double s, double beta, double x, double last)
        : buying_(r + x), leaving_(s), alpha_first_(alpha <= beta), ratio_((alpha_first_ ? alpha : beta) + last),
          rest_alpha_(alpha / (alpha + last)), rest_beta_(beta / (beta + last)) {
        ratio_ /= (alpha_first_ ? beta : alpha) + last;
    }

    double slope(double v) const {
        const double growth = std::exp(v), other = ratio_ * growth / (1 + ratio_ * std::expm1(v));
        return alpha_first_ ? 1 - buying_ - (leaving_ + 1) * other : -buying_ * other - leaving_;
    }
    void add(double v, double weight) {
        const double grown = std::expm1(v), other_grown = ratio_ * grown, other = std::log1p(other_grown);
        const double log = log_of(v, other), here = weight * std::exp(log);
        const double rest = here / (1 + grown), other_rest = here / (1 + other_grown);
        highest_ = std::max(highest_, log);
        sum_ += here;
        alpha_ += here * (alpha_first_ ? v : other);
        beta_ += here * (alpha_first_ ? other : v);
        alpha_rest_ += alpha_first_ ? rest : other_rest;
        beta_rest_ += alpha_first_ ? other_rest : rest;
    }
    bool is_over(double v) const {
        return log_of(v, std::log1p(ratio_ * std::expm1(v))) < highest_ - negligible_log && slope(v) < 0;
    }

    double ratio() const { return ratio_; }
    // Means over y, relative to t_x, and the logarithm of the integral relative to the integrand at t_x.
    departure result() const {
        return {std::log(sum_), alpha_ / sum_, beta_ / sum_, 1 - rest_alpha_ * (alpha_rest_ / sum_),
                1 - rest_beta_ * (beta_rest_ / sum_)};
    }

  private:
    double log_of(double v, double other) const {
        return alpha_first_ ? (1 - buying_) * v - (leaving_ + 1) * other : -buying_ * other - leaving_ * v;
    }

    double buying_, leaving_;
    bool alpha_first_;
    double ratio_, rest_alpha_, rest_beta_;
    double sum_ = 0, highest_ = 0, alpha_ = 0, beta_ = 0, alpha_rest_ = 0, beta_rest_ = 0;
};

// e^z E_s(z) is the integral of exp(-z (e^v - 1) + (1 - s) v) over v from 0 on.
class exponential_integral {
  public:
    exponential_integral(double s, double z) : s_(s), z_(z) {}

    double slope(double v) const { return 1 - s_ - z_ * std::exp(v); }
    void add(double v, double weight) {
        highest_ = std::max(highest_, log_of(v));
        sum_ += weight * std::exp(log_of(v));
    }
    bool is_over(double v) const { return log_of(v) < highest_ - negligible_log && slope(v) < 0; }
    double value() const { return sum_; }

  private:
    double log_of(double v) const { return (1 - s_) * v - z_ * std::expm1(v); }

    double s_, z_, sum_ = 0, highest_ = 0;
};

// For what is less, integrals reach beyond the exponents that numbers have, and would have no end.
double within_exponents(double value) { return std::max(value, 1e-300); }

} // namespace

rising rising_factorial(double base, double from, double to) {
    constexpr double few = 64;
    if (to - from <= few)
        return few_factors(base, from, to);
    const double start = std::max(from, std::min(to, from + std::ceil(large - (base + from))));
    const rising front = few_factors(base, from, start), rest = many_factors(base + start, to - start);
    return {front.log + rest.log, front.derivative + rest.derivative};
}

log_gamma::log_gamma(double of) : value(std::lgamma(of)) {
    const double steps = of < large ? std::ceil(large - of) : 0;
    derivative = std::log(of + steps) + stirling(of + steps).derivative - few_factors(of, 0, steps).derivative;
}

// Euler's transformation of the textbook form with the singularity at a = 1 cancelled. What is subtracted can be much
// larger than what is left when r, a or b are large, and the series slow when the time ahead is long: then by
// quadrature.
double beta_geometric_orders(double r, double a, double b, double x, double ahead) {
    constexpr double smallest_rest = 1e-4;
    constexpr int most_terms = 1000;
    const double z = ahead / (1 + ahead), shrink = -std::log1p(ahead), u = a - 1;
    const double all = (a + b + x - 1) * (u == 0 ? -shrink : -std::expm1(u * shrink) / u);
    const double end = r + (1 - (a + b)); // exact where a + b = 1 and r is tiny
    double term = -end * z, sum = 0, largest = 0;
    for (int n = 1; n < most_terms; ++n) {
        sum += term;
        largest = std::max(largest, std::abs(term));
        term *= z * (a + n - 1) * (n - end) / ((a + b + x + n - 1) * (n + 1));
        if (std::abs(term) <= 1e-17 * std::abs(sum) && n > end) {
            const double factor = std::exp(u * shrink), orders = all - factor * sum;
            if (orders > smallest_rest * std::max(std::abs(all), factor * largest))
                return orders;
            break;
        }
    }
    return ahead > 0 ? orders_by_quadrature(r + x, a, b + x, ahead) : 0;
}

departure pareto_departure(double r, double alpha, double s, double beta, double x, double last, double age) {
    const double alpha_growth = std::log1p((age - last) / (alpha + last)),
                 beta_growth = std::log1p((age - last) / (beta + last));
    departure_integral integral(r, alpha, s, beta, x, last);
    integrate(integral, 0, std::max(alpha_growth, beta_growth));
    if (!(age > last))
        return {.log_odds = -std::numeric_limits<double>::infinity()};
    departure found = integral.result();
    const double first = alpha <= beta ? integral.ratio() : 1; // (alpha + y) / (beta + y) at t_x, when that is less
    found.log_odds += std::log(s * first) + (r + x) * alpha_growth + s * beta_growth;
    found.log_alpha += std::log1p(last / alpha);
    found.log_beta += std::log1p(last / beta);
    return found;
}

double scaled_exponential_integral(double s, double z) {
    exponential_integral integral(s, within_exponents(z));
    integrate(integral, 0, std::numeric_limits<double>::infinity());
    return integral.value();
}

double beta_discounted_lifetime(double a, double b, double discount) {
    discount = within_exponents(discount);
    const auto lifetime = [=](double p, double q) { return q * (1 + discount) / (p + discount); };
    return beta_mean(a, b, 1 / discount, lifetime).value();
}

} // namespace crm::lifetime
