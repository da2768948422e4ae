// The shifted-beta-geometric model of subscriptions (Fader & Hardie 2007, "How to Project Customer Retention"): at each
// renewal a subscription is cancelled with a probability that varies over customers as Beta(alpha, beta).
#pragma once

#include "core/flat_table.hpp"
#include "lifetime/parameters.hpp"

namespace crm::lifetime {

struct sbg {
    double alpha, beta;

    static constexpr std::array<std::string_view, 2> names{"alpha", "beta"};
    friend bool operator==(const sbg &, const sbg &) = default;
};

inline constexpr std::int64_t most_renewals = 100'000;

std::size_t initial_subscriptions_bytes();

// Each counts into a state and returns how many bytes it must have; when that is more than it has, nothing was changed.
// A subscription that was renewed so often and then either cancelled, or is still active and has not come to its next
// renewal. 22023 unless 0 <= renewals <= most_renewals.
std::size_t count_subscription(std::span<std::byte> state, std::int64_t renewals, bool cancelled);
std::size_t merge_subscriptions(std::span<std::byte> state, byte_span other);

class subscriptions {
  public:
    struct group {
        double renewals, cancelled, active;
    };

    subscriptions(memory &in, byte_span state);

    // By renewals.
    std::span<const group> groups() const { return groups_; }
    // All, and those that came to a renewal at all: the others say nothing.
    std::int64_t customers() const { return customers_; }
    std::int64_t at_risk() const { return at_risk_; }
    std::int64_t cancelled() const { return cancelled_; }
    std::int64_t renewed() const { return renewed_; }
    // Cancellations for each time that a subscription came to a renewal.
    double cancel_rate() const { return cancel_rate_; }

  private:
    std::pmr::vector<group> groups_;
    std::int64_t customers_ = 0, at_risk_ = 0, cancelled_ = 0, renewed_ = 0;
    double cancel_rate_ = 0;
};

// The gradient is by the logarithms of the parameters.
double log_likelihood(const sbg &of, const subscriptions &customers, parameter_array<sbg> &gradient);

// The share of new subscriptions that is renewed at least so often.
double sbg_survival(const sbg &of, std::int64_t renewals);

// Discounted expected residual lifetime (Fader & Hardie 2010, "Customer-Base Valuation in a Contractual Setting"): how
// many more renewals to expect of a subscription that has been renewed so often and comes to its next renewal now, the
// one of now counted in full and each later one discounted by 1 / (1 + discount) a period. Infinite without a discount
// when alpha <= 1. 22023 unless the discount is 0 or more.
double sbg_lifetime(const sbg &of, std::int64_t renewals, double discount);

} // namespace crm::lifetime
