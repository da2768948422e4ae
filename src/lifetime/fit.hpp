// Fitting the models: estimates with standard errors, and whether to believe them.
#pragma once

#include "lifetime/bgnbd.hpp"
#include "lifetime/gamma_gamma.hpp"
#include "lifetime/pareto_nbd.hpp"
#include "lifetime/sbg.hpp"

namespace crm::lifetime {

// Low data: few customers, so the estimates are rough. Not identified: the data do not tell the parameters apart, or
// drive one to its limit.
enum class status : std::uint8_t { ok, low_data, not_identified };

template <class Model> struct fitted {
    Model parameters{};
    // Nothing where the likelihood is not curved enough to have any.
    std::optional<Model> standard_errors{};
    double log_likelihood = 0; // of the data as given, without the prior
    std::int64_t customers = 0, repeaters = 0;
    method used = method::maximum_likelihood;
    bool converged = false;
    status verdict = status::ok;
    short_text reason{}; // in words, with figures; empty when ok
};

// What there must be at least, or 22023 says what is missing; and what it takes not to be low data.
inline constexpr std::int64_t fewest_customers = 30, fewest_repeaters = 10;
inline constexpr std::int64_t enough_customers = 500, enough_repeaters = 100;
inline constexpr double enough_days = 180;

// bgnbd, mbgnbd or pareto_nbd. 22023 below 30 customers older than a day or 10 repeaters, or when most repeaters take
// longer from one order to the next than half of the customers have been there.
template <class Model> fitted<Model> fit(const population &customers, method wanted);

// 22023 below 30 customers with repeat orders. `repeaters` are all.
fitted<gamma_gamma> fit(const spendings &customers, method wanted);

// By maximum likelihood. 22023 below 30 subscriptions that came to a renewal, 10 cancellations or 10 renewals.
// `repeaters` are those that were renewed.
fitted<sbg> fit(const subscriptions &customers);

} // namespace crm::lifetime
