#include "lifetime/bgnbd.hpp"

#include "core/interrupts.hpp"
#include "lifetime/special.hpp"
#include "lifetime/time_table.hpp"

#include "core/no_postgres.hpp"

namespace crm::lifetime {
namespace {

// What the customers of one run add up to.
struct run_sums {
    double log_age = 0;      // of log(1 + T / alpha)
    double log_two_ways = 0; // of log(1 + odds of having left)
    double left = 0;         // of the probability of having left
    double log_seen = 0;     // of log(1 + t / alpha), t being T for those still there, t_x for those who left
    double share_seen = 0;   // of t / (alpha + t)
};

// The likelihood of (x, t_x, T) has two ways: still there at T, or left after the last order at t_x, which is
// a / (b + x - 1) ((alpha + T) / (alpha + t_x))^(r + x) times as likely.
run_sums sum_up(const population::run &run, const population &customers, const time_table &times, double shape,
                double log_leaving, interrupt_poll &poll) {
    run_sums sums;
    for (std::size_t i = run.begin; i < run.end; ++i) {
        poll();
        const population::group &each = customers.groups()[i];
        const time_table::entry age = times[each.age], last = times[each.last];
        const double log_odds = log_leaving + shape * (age.log - last.log);
        const double smaller = std::exp(-std::abs(log_odds));
        const double left = (log_odds > 0 ? 1 : smaller) / (1 + smaller);
        sums.log_age += each.customers * age.log;
        sums.log_two_ways += each.customers * (std::max(log_odds, 0.0) + std::log1p(smaller));
        sums.left += each.customers * left;
        sums.log_seen += each.customers * (age.log - left * (age.log - last.log));
        sums.share_seen += each.customers * (age.share - left * (age.share - last.share));
    }
    return sums;
}

// Without a second way.
run_sums sum_up(const population::run &run, const population &customers, const time_table &times) {
    run_sums sums;
    for (std::size_t i = run.begin; i < run.end; ++i) {
        const population::group &each = customers.groups()[i];
        sums.log_age += each.customers * times[each.age].log;
        sums.share_seen += each.customers * times[each.age].share;
    }
    sums.log_seen = sums.log_age;
    return sums;
}

// Of MBG/NBD, where everybody has one more chance to leave, after the first order.
double beta_geometric_likelihood(const std::array<double, 4> &of, bool also_first, const population &customers,
                                 std::array<double, 4> &gradient) {
    const auto [r, alpha, a, b] = of;
    const time_table times(customers, alpha);
    gradient = {};
    double log_likelihood = 0;
    interrupt_poll poll;
    growing_factorial of_r(r), of_b(b), of_both(a + b);
    for (const population::run &run : customers.runs()) {
        const double x = run.repeats, chances = also_first ? x + 1 : x, n = run.customers;
        const rising buying = of_r.up_to(x), staying = of_b.up_to(chances), choosing = of_both.up_to(chances);
        const double last_stay = b + (chances - 1);
        const run_sums sums = chances > 0 ? sum_up(run, customers, times, r + x, std::log(a / last_stay), poll)
                                          : sum_up(run, customers, times);
        log_likelihood += n * (buying.log - x * std::log(alpha) + staying.log - choosing.log) - (r + x) * sums.log_age +
                          sums.log_two_ways;
        gradient[0] += r * (n * buying.derivative - sums.log_seen);
        gradient[1] += (r + x) * sums.share_seen - n * x;
        gradient[2] += sums.left - a * n * choosing.derivative;
        gradient[3] += b * (n * (staying.derivative - choosing.derivative) - (chances > 0 ? sums.left / last_stay : 0));
    }
    return log_likelihood;
}

} // namespace

double log_likelihood(const bgnbd &of, const population &customers, parameter_array<bgnbd> &gradient) {
    return beta_geometric_likelihood(to_array(of), false, customers, gradient);
}

double log_likelihood(const mbgnbd &of, const population &customers, parameter_array<mbgnbd> &gradient) {
    return beta_geometric_likelihood(to_array(of), true, customers, gradient);
}

namespace detail {

double beta_geometric::p_alive_after_orders(const purchases_seen &seen) const {
    const auto x = static_cast<double>(seen.repeats);
    const double odds_left =
        a_ / (b_ + (x + first_ - 1)) * std::exp((r_ + x) * std::log1p((seen.age - seen.last) / (alpha_ + seen.last)));
    return 1 / (1 + odds_left);
}

double beta_geometric::orders_if_alive(const purchases_seen &seen, double ahead) const {
    return beta_geometric_orders(r_, a_, b_ + first_, static_cast<double>(seen.repeats), ahead / (alpha_ + seen.age));
}

} // namespace detail

} // namespace crm::lifetime
