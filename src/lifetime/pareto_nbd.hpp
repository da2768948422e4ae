// The Pareto/NBD model of purchases (Schmittlein, Morrison & Colombo 1987): buying is a Poisson process whose rate
// varies over customers as Gamma(r, alpha); each customer leaves at an unseen time, exponential with a rate that varies
// as Gamma(s, beta).
#pragma once

#include "lifetime/bgnbd.hpp"

namespace crm::lifetime {

struct pareto_nbd {
    double r, alpha, s, beta;

    static constexpr std::array<std::string_view, 4> names{"r", "alpha", "s", "beta"};
    friend bool operator==(const pareto_nbd &, const pareto_nbd &) = default;
};

// As for bgnbd; beta is in units of the scale too.
double log_likelihood(const pareto_nbd &of, const population &customers, parameter_array<pareto_nbd> &gradient);

template <> class scorer<pareto_nbd> {
  public:
    explicit scorer(const pareto_nbd &of) : of_(of) {}

    double r() const { return of_.r; }
    double alpha() const { return of_.alpha; }
    double p_alive(const purchases_seen &seen) const;
    double orders_if_alive(const purchases_seen &seen, double ahead) const;
    double orders_of_newcomer(double ahead) const { return orders_if_alive({}, ahead); }
    // Expected orders without end, discounted continuously at a rate per unit, of a customer who is still one: the DERT
    // of Fader, Hardie & Lee (2005, "RFM and CLV").
    double discounted_orders_if_alive(const purchases_seen &seen, double rate) const;

  private:
    double rate(const purchases_seen &seen) const;

    pareto_nbd of_;
};

} // namespace crm::lifetime
