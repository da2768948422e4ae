// All customers that a model of spending is fitted to: how many there are with each number and mean of repeat orders.
// A flat state that merges, as in population.hpp.
#pragma once

#include "lifetime/terms.hpp"
#include "lifetime/transactions.hpp"

namespace crm::lifetime {

std::size_t initial_spendings_bytes();

// Each counts into a state and returns how many bytes it must have; when that is more than it has, nothing was changed.
// 22023 when the terms differ from those of the state. 54000 beyond 4 million different pairs.
std::size_t count_spending(std::span<std::byte> state, const spending_seen &seen, const terms &with);
std::size_t merge_spendings(std::span<std::byte> state, byte_span other);
terms terms_of_spendings(byte_span state);

// A row of a table of summaries. 22023 unless 0 <= x <= most_repeats and 0 <= mean <= largest_mean.
inline constexpr double largest_mean = 1e30;
spending_seen checked_spending(std::int64_t x, double mean);

// Customers without repeat orders, or whose repeat orders cost nothing, say nothing and are left out.
class spendings {
  public:
    struct group {
        double orders, mean; // divided by scale()
        double customers;
    };

    spendings(memory &in, byte_span state);

    // Sorted by orders, then mean.
    std::span<const group> groups() const { return groups_; }
    // The median of the means.
    double scale() const { return scale_; }
    std::int64_t customers() const { return customers_; }
    std::int64_t left_out() const { return left_out_; }
    // Between the number of orders and their mean amount, over customers. The model takes the two for independent.
    double correlation() const { return correlation_; }

  private:
    std::pmr::vector<group> groups_;
    double scale_ = 1, correlation_ = 0;
    std::int64_t customers_ = 0, left_out_ = 0;
};

} // namespace crm::lifetime
