#include "lifetime/gamma_gamma.hpp"

#include "core/interrupts.hpp"
#include "lifetime/special.hpp"

#include "core/no_postgres.hpp"

#include <cmath>

namespace crm::lifetime {

// log G(px + q) - log G(px) - log G(q) + q log g + px log(x m) - (px + q) log(g + x m) - log m
double log_likelihood(const gamma_gamma &of, const spendings &customers, parameter_array<gamma_gamma> &gradient) {
    const auto [p, q, gamma] = of;
    const log_gamma of_q(q);
    gradient = {};
    double log_likelihood = 0, orders = 0;
    log_gamma of_both(q), of_shape(1);
    interrupt_poll poll;
    for (const auto &[x, mean, n] : customers.groups()) {
        poll();
        if (x != orders) {
            orders = x;
            of_both = log_gamma(p * x + q);
            of_shape = log_gamma(p * x);
        }
        const double spent = x * mean, log_spent = -std::log1p(gamma / spent),
                     log_gamma_share = -std::log1p(spent / gamma);
        log_likelihood += n * (of_both.value - of_shape.value - of_q.value + p * x * log_spent + q * log_gamma_share -
                               std::log(mean));
        gradient[0] += n * p * x * (of_both.derivative - of_shape.derivative + log_spent);
        gradient[1] += n * q * (of_both.derivative - of_q.derivative + log_gamma_share);
        gradient[2] += n * (q * spent - p * x * gamma) / (gamma + spent);
    }
    return log_likelihood;
}

std::optional<double> expected_order_value(const gamma_gamma &of, const spending_seen &seen) {
    const auto x = static_cast<double>(seen.orders);
    const double denominator = of.p * x + (of.q - 1);
    if (!(denominator > 0))
        return std::nullopt;
    return of.p * (of.gamma + x * seen.mean) / denominator;
}

} // namespace crm::lifetime
