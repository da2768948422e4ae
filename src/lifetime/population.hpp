// All customers that a model of purchases is fitted to: how many there are of each (x, t_x, T). It is counted in a flat
// state that merges, and read in sorted order, so a fit depends neither on the order of the input nor on the plan.
#pragma once

#include "core/flat_table.hpp"
#include "lifetime/terms.hpp"
#include "lifetime/transactions.hpp"

namespace crm::lifetime {

std::size_t initial_population_bytes();

// Each counts into a state and returns how many bytes it must have; when that is more than it has, nothing was changed.
// 22023 when the terms differ from those of the state. 54000 beyond 4 million different (x, t_x, T).
std::size_t count_customer(std::span<std::byte> state, const purchases_seen &seen, const terms &with);
std::size_t merge_population(std::span<std::byte> state, byte_span other);
terms terms_of_population(byte_span state);

// A row of a table of summaries, as statistical packages take them. 22023 unless 0 <= t_x <= T, both are finite and
// t_x > 0 exactly when x > 0: an x > 0 with t_x = 0 means that orders of one day were counted as several, and with
// these the likelihood has no bound.
purchases_seen checked_summary(std::int64_t x, double t_x, double T);

inline constexpr std::int64_t most_repeats = 1'000'000'000;
inline constexpr double longest_age = 1e9;

// The counts as the likelihoods want them: columns, with times replaced by places in a list of the different times.
// Customers of age 0 say nothing and are left out.
class population {
  public:
    // Customers with the same x stand together, in a run.
    struct run {
        double repeats;
        std::size_t begin, end; // of the groups
        double customers;
    };
    // So many customers with the same t_x and T, as places in times().
    struct group {
        std::uint32_t last, age;
        double customers;
    };

    population(memory &in, byte_span state);
    population(population &&) = default;

    std::span<const run> runs() const { return runs_; }
    std::span<const group> groups() const { return groups_; }
    // Divided by scale().
    std::span<const double> times() const { return times_; }
    // The median age: in units of it, models of all shops look alike.
    double scale() const { return scale_; }

    // Where large things that go with it may be kept.
    memory *resource() const { return groups_.get_allocator().resource(); }
    // Left out because they are in their first day.
    std::int64_t newcomers() const { return newcomers_; }
    std::int64_t customers() const { return customers_; }
    std::int64_t repeaters() const { return repeaters_; }
    // Sum of x.
    double repeats() const { return repeats_; }
    // In units, not scaled.
    double median_age() const { return scale_; }
    double oldest_age() const { return oldest_age_; }
    double days_per_unit() const { return days_per_unit_; }
    // Repeaters whose mean time between two orders, t_x / x, is not above the median age.
    std::int64_t quick_repeaters() const { return quick_repeaters_; }

    // About so many groups that stand for all: customers at even distances through the sorted list. Its numbers of
    // customers are those of the sample.
    population sample(std::size_t size) const;

  private:
    explicit population(memory &in) : runs_(&in), groups_(&in), times_(&in) {}

    void add(const group &found, double repeats);
    void scale_to_median_age(memory &in);

    std::pmr::vector<run> runs_;
    std::pmr::vector<group> groups_;
    std::pmr::vector<double> times_;
    double scale_ = 1, repeats_ = 0, oldest_age_ = 0, days_per_unit_ = 1;
    std::int64_t newcomers_ = 0, customers_ = 0, repeaters_ = 0, quick_repeaters_ = 0;
};

} // namespace crm::lifetime
