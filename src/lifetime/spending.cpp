#include "lifetime/spending.hpp"

#include "lifetime/parameters.hpp"
#include "lifetime/population.hpp"
#include "lifetime/tally.hpp"
#include "lifetime/weighted_median.hpp"

#include "core/no_postgres.hpp"

#include <cmath>

namespace crm::lifetime {
namespace {

struct spending_key {
    std::int64_t orders;
    double mean;

    static constexpr char kind = 'G';
    bool is_possible() const {
        return orders >= 0 && orders <= most_repeats && mean >= 0 && mean <= largest_mean && !std::signbit(mean);
    }
    friend auto operator<=>(const spending_key &, const spending_key &) = default;
};
using spending_tally = tally<spending_key>;

// Pearson's, in two passes.
double correlation_of(std::span<const spendings::group> groups) {
    double customers = 0, orders = 0, means = 0;
    for (const auto &each : groups) {
        customers += each.customers;
        orders += each.customers * each.orders;
        means += each.customers * each.mean;
    }
    double xx = 0, yy = 0, xy = 0;
    for (const auto &each : groups) {
        const double x = each.orders - orders / customers, y = each.mean - means / customers;
        xx += each.customers * x * x;
        yy += each.customers * y * y;
        xy += each.customers * x * y;
    }
    return xx > 0 && yy > 0 ? xy / std::sqrt(xx) / std::sqrt(yy) : 0;
}

} // namespace

std::size_t initial_spendings_bytes() { return spending_tally::initial_bytes(); }

std::size_t count_spending(std::span<std::byte> state, const spending_seen &seen, const terms &with) {
    return spending_tally::count(state, {seen.orders, seen.mean}, with);
}

terms terms_of_spendings(byte_span state) { return spending_tally::terms_of(state); }

std::size_t merge_spendings(std::span<std::byte> state, byte_span other) { return spending_tally::merge(state, other); }

spending_seen checked_spending(std::int64_t x, double mean) {
    const spending_key key{x, mean + 0.0}; // no negative zero
    if (!key.is_possible())
        throw error(invalid_parameter_value, "no customer can have this number and mean of repeat orders",
                    short_text("x is ", x, " and the mean ", number_text(mean), "."),
                    "x is the number of repeat orders, 0 or more, and the mean amount is 0 or more.");
    return {key.orders, key.mean};
}

spendings::spendings(memory &in, byte_span state) : groups_(&in) {
    std::pmr::vector<weighted> means(&in);
    for (const auto &[key, count] : spending_tally::sorted(state, in)) {
        if (key.orders == 0 || key.mean == 0) {
            left_out_ += count.number;
            continue;
        }
        customers_ += count.number;
        groups_.push_back({static_cast<double>(key.orders), key.mean, static_cast<double>(count.number)});
        means.push_back({key.mean, static_cast<double>(count.number)});
    }
    if (groups_.empty())
        return;
    scale_ = weighted_median(means);
    for (group &each : groups_)
        each.mean /= scale_;
    correlation_ = correlation_of(groups_);
}

} // namespace crm::lifetime
