// The Gamma-Gamma model of spending (Fader & Hardie 2013, "The Gamma-Gamma Model of Monetary Value"): the amounts of a
// customer's orders are Gamma(p, v), and v varies over customers as Gamma(q, gamma). How much and how often somebody
// buys are taken for independent.
#pragma once

#include "lifetime/parameters.hpp"
#include "lifetime/spending.hpp"

namespace crm::lifetime {

struct gamma_gamma {
    double p, q, gamma;

    static constexpr std::array<std::string_view, 3> names{"p", "q", "gamma"};
    friend bool operator==(const gamma_gamma &, const gamma_gamma &) = default;
};

// Of means, and gamma, in units of their scale; the gradient is by the logarithms of the parameters.
double log_likelihood(const gamma_gamma &of, const spendings &customers, parameter_array<gamma_gamma> &gradient);

// The amount expected of each later order: p (gamma + x m) / (p x + q - 1). Nothing when that is infinite, as it is for
// a customer without repeat orders when q <= 1.
std::optional<double> expected_order_value(const gamma_gamma &of, const spending_seen &seen);

} // namespace crm::lifetime
