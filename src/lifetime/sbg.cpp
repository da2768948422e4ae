#include "lifetime/sbg.hpp"

#include "lifetime/special.hpp"
#include "lifetime/tally.hpp"

#include "core/no_postgres.hpp"

#include <cmath>
#include <limits>

namespace crm::lifetime {
namespace {

struct subscription_key {
    std::int32_t renewals, cancelled;

    static constexpr char kind = 'D';
    bool is_possible() const {
        return renewals >= 0 && renewals <= most_renewals && (cancelled == 0 || cancelled == 1);
    }
    friend auto operator<=>(const subscription_key &, const subscription_key &) = default;
};
using subscription_tally = tally<subscription_key>;

void check_renewals(std::int64_t renewals) {
    if (renewals < 0 || renewals > most_renewals)
        throw error(invalid_parameter_value, short_text("renewals must be 0 to ", most_renewals),
                    short_text("There are ", renewals, "."));
}

} // namespace

std::size_t initial_subscriptions_bytes() { return subscription_tally::initial_bytes(); }

std::size_t count_subscription(std::span<std::byte> state, std::int64_t renewals, bool cancelled) {
    check_renewals(renewals);
    return subscription_tally::count(state, {static_cast<std::int32_t>(renewals), cancelled}, {});
}

std::size_t merge_subscriptions(std::span<std::byte> state, byte_span other) {
    return subscription_tally::merge(state, other);
}

subscriptions::subscriptions(memory &in, byte_span state) : groups_(&in) {
    double decisions = 0;
    for (const auto &[key, count] : subscription_tally::sorted(state, in)) {
        const auto number = static_cast<double>(count.number);
        if (groups_.empty() || groups_.back().renewals != key.renewals)
            groups_.push_back({static_cast<double>(key.renewals), 0, 0});
        (key.cancelled ? groups_.back().cancelled : groups_.back().active) += number;
        decisions += number * (key.renewals + key.cancelled);
        customers_ += count.number;
        cancelled_ += key.cancelled ? count.number : 0;
        renewed_ += key.renewals > 0 ? count.number : 0;
        at_risk_ += key.renewals > 0 || key.cancelled ? count.number : 0;
    }
    cancel_rate_ = decisions > 0 ? static_cast<double>(cancelled_) / decisions : 0;
}

// Renewed n times: B(alpha, beta + n) / B(alpha, beta), and then cancelled: times alpha / (alpha + beta + n).
double log_likelihood(const sbg &of, const subscriptions &customers, parameter_array<sbg> &gradient) {
    const auto [alpha, beta] = of;
    gradient = {};
    double log_likelihood = 0;
    growing_factorial of_beta(beta), of_both(alpha + beta);
    for (const auto &[n, cancelled, active] : customers.groups()) {
        const rising staying = of_beta.up_to(n), choosing = of_both.up_to(n);
        const double all = cancelled + active, next = alpha + beta + n;
        log_likelihood += all * (staying.log - choosing.log) + cancelled * std::log(alpha / next);
        gradient[0] += cancelled * (1 - alpha / next) - alpha * all * choosing.derivative;
        gradient[1] += beta * (all * (staying.derivative - choosing.derivative) - cancelled / next);
    }
    return log_likelihood;
}

double sbg_survival(const sbg &of, std::int64_t renewals) {
    check_renewals(renewals);
    const auto n = static_cast<double>(renewals);
    return std::exp(rising_factorial(of.beta, 0, n).log - rising_factorial(of.alpha + of.beta, 0, n).log);
}

double sbg_lifetime(const sbg &of, std::int64_t renewals, double discount) {
    check_renewals(renewals);
    if (!(discount >= 0 && discount < std::numeric_limits<double>::infinity()))
        throw error(invalid_parameter_value, "discount must be 0 or more", {}, "Give 0.1 for ten percent a period.");
    const double beta = of.beta + static_cast<double>(renewals);
    if (discount > 0)
        return beta_discounted_lifetime(of.alpha, beta, discount);
    return of.alpha > 1 ? beta / (of.alpha - 1) : std::numeric_limits<double>::infinity();
}

} // namespace crm::lifetime
