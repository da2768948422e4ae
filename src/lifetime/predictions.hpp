// What follows from a model of purchases for one customer, whichever of the three it is.
#pragma once

#include "lifetime/bgnbd.hpp"
#include "lifetime/pareto_nbd.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace crm::lifetime {

// Orders expected in the time ahead, 0 or more units.
template <class Model> double expected_orders(const scorer<Model> &model, const purchases_seen &seen, double ahead) {
    return model.p_alive(seen) * model.orders_if_alive(seen, ahead);
}

// Money in a year is worth 1 / (1 + yearly) of money today.
struct discounting {
    double yearly;        // 0.1 for ten percent
    double days_per_unit; // 1 or 7

    // Of money so many units from now.
    double factor(double ahead) const { return std::exp(-std::log1p(yearly) * ahead * days_per_unit / 365.25); }
};

inline constexpr int most_discount_steps = 1200;

// Orders expected in the time ahead, each counted at what money is worth then. The time is cut into equal steps of
// about a month (at least one, at most 1200), and what is expected in a step is discounted from its middle. Without a
// discount this is expected_orders.
template <class Model>
double discounted_orders_if_alive(const scorer<Model> &model, const purchases_seen &seen, double ahead,
                                  const discounting &discount) {
    const double months = std::round(ahead * discount.days_per_unit / (365.25 / 12));
    const double steps = discount.yearly == 0 ? 1 : std::clamp(months, 1.0, double{most_discount_steps});
    double sum = 0, before = 0;
    for (double step = 1; step <= steps; ++step) {
        const double until = model.orders_if_alive(seen, ahead * (step / steps));
        sum += (until - before) * discount.factor(ahead * ((step - 0.5) / steps));
        before = until;
    }
    return sum;
}
template <class Model>
double discounted_orders(const scorer<Model> &model, const purchases_seen &seen, double ahead,
                         const discounting &discount) {
    return model.p_alive(seen) * discounted_orders_if_alive(model, seen, ahead, discount);
}

// The wait for the next order, in units from as_of, that half of such customers do not exceed as long as nobody leaves:
// given that they are still customers, their rate of buying is Gamma(r + x, alpha + T) under all three models. Infinite
// when it is beyond all numbers.
template <class Model> double median_wait(const scorer<Model> &model, const purchases_seen &seen) {
    const double shape = model.r() + static_cast<double>(seen.repeats);
    return (model.alpha() + seen.age) * std::expm1(std::numbers::ln2 / shape);
}

} // namespace crm::lifetime
