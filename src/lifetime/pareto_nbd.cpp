#include "lifetime/pareto_nbd.hpp"

#include "core/interrupts.hpp"
#include "lifetime/special.hpp"
#include "lifetime/time_table.hpp"

#include "core/no_postgres.hpp"

namespace crm::lifetime {

// Left at y in [t_x, T], or still there at T: the derivatives are means over the two.
double log_likelihood(const pareto_nbd &of, const population &customers, parameter_array<pareto_nbd> &gradient) {
    const auto [r, alpha, s, beta] = of;
    const time_table by_alpha(customers, alpha), by_beta(customers, beta);
    gradient = {};
    double log_likelihood = 0;
    growing_factorial of_r(r);
    interrupt_poll poll;
    for (const population::run &run : customers.runs()) {
        const double x = run.repeats;
        const rising buying = of_r.up_to(x);
        for (std::size_t i = run.begin; i < run.end; ++i) {
            poll();
            const auto &[last, age, n] = customers.groups()[i];
            const departure left =
                pareto_departure(r, alpha, s, beta, x, customers.times()[last], customers.times()[age]);
            const double smaller = std::exp(-std::abs(left.log_odds));
            const double gone = (left.log_odds > 0 ? 1 : smaller) / (1 + smaller), there = 1 - gone;
            const auto &[log_a, share_a] = by_alpha[age];
            const auto &[log_b, share_b] = by_beta[age];
            log_likelihood += n * (buying.log - x * std::log(alpha) - (r + x) * log_a - s * log_b +
                                   std::max(left.log_odds, 0.0) + std::log1p(smaller));
            gradient[0] += n * r * (buying.derivative - there * log_a - gone * left.log_alpha);
            gradient[1] += n * ((r + x) * (there * share_a + gone * left.share_alpha) - x);
            gradient[2] += n * (gone * (1 - s * left.log_beta) - there * s * log_b);
            gradient[3] += n * (s * there * share_b + gone * ((s + 1) * left.share_beta - 1));
        }
    }
    return log_likelihood;
}

double scorer<pareto_nbd>::p_alive(const purchases_seen &seen) const {
    const auto x = static_cast<double>(seen.repeats);
    return 1 / (1 + std::exp(pareto_departure(of_.r, of_.alpha, of_.s, of_.beta, x, seen.last, seen.age).log_odds));
}

double scorer<pareto_nbd>::orders_if_alive(const purchases_seen &seen, double ahead) const {
    const double shrink = -std::log1p(ahead / (of_.beta + seen.age)), u = of_.s - 1;
    const double time = u == 0 ? -shrink : -std::expm1(u * shrink) / u; // as a share of beta + T
    return rate(seen) * time;
}

double scorer<pareto_nbd>::discounted_orders_if_alive(const purchases_seen &seen, double rate_per_unit) const {
    return rate(seen) * scaled_exponential_integral(of_.s, rate_per_unit * (of_.beta + seen.age));
}

// Expected orders in a time of beta + T without leaving.
double scorer<pareto_nbd>::rate(const purchases_seen &seen) const {
    return (of_.r + static_cast<double>(seen.repeats)) * (of_.beta + seen.age) / (of_.alpha + seen.age);
}

} // namespace crm::lifetime
