// Customers by the period of their first purchase, and what became of them in the periods after it.
#pragma once

#include "core/calendar.hpp"
#include "core/counts.hpp"
#include "core/flat_table.hpp"
#include "history/history.hpp"

namespace crm::cohort {

// A cohort is the running number of its period, an age the number of periods since; runs of several days are counted
// from each customer's own first purchase, and their cohorts from 2000-01-01.
struct cell_key {
    std::int32_t cohort, age;
    friend auto operator<=>(const cell_key &, const cell_key &) = default;
};

// What happened to a cohort at an age. Each customer's last purchase is counted once, so that these sum up to the size
// of the cohort, and from an age on to those who were yet to buy.
struct cell {
    std::int64_t buyers = 0, last_purchases = 0, orders = 0;
    std::uint64_t revenue_low = 0;
    std::int64_t revenue_high = 0;

    wide_int revenue() const { return static_cast<wide_int>(revenue_high) << 64 | revenue_low; }
    void set_revenue(wide_int minor) {
        revenue_low = static_cast<std::uint64_t>(minor);
        revenue_high = static_cast<std::int64_t>(minor >> 64);
    }
    void operator+=(const cell &other) {
        add_count(buyers, other.buyers);
        add_count(last_purchases, other.last_purchases);
        add_count(orders, other.orders);
        wide_int sum;
        if (__builtin_add_overflow(revenue(), other.revenue(), &sum))
            throw_amount_overflow("revenue of a cohort");
        set_revenue(sum);
    }
};

// What all customers of one table have in common.
struct terms {
    timestamp as_of;
    byte_span calendar; // encoded
};

std::size_t initial_bytes();

// Each counts into a state and returns how many bytes it must have; when that is more than it has, nothing was changed.
// 22023 when the terms differ from those of the state.
std::size_t count(std::span<std::byte> state, purchases of, const terms &with, const calendar &periods,
                  memory &scratch);
std::size_t merge_state(std::span<std::byte> state, byte_span other);
std::size_t merge_list(std::span<std::byte> state, byte_span cohorts);

// crm.cohorts: the counts as a value, sorted; nothing without customers.
std::optional<byte_vector> finish(std::span<std::byte> state, memory &in);
byte_vector validated(byte_span untrusted, memory &in);
terms terms_of(byte_span cohorts);

// The stretch of time that a reader of the value needs a calendar for.
struct stretch {
    timestamp first, last;
};
stretch stretch_of(byte_span cohorts);

enum class retention { on, on_or_after };

struct row {
    date cohort;
    std::int32_t age;
    std::int64_t customers, retained, orders;
    decimal revenue, cumulative_revenue;
    bool elapsed; // the period is over for all of the cohort

    double rate() const { return static_cast<double>(retained) / static_cast<double>(customers); }
};

// Rows in the order of cohort and age: for each cohort all ages that have begun.
class rows {
  public:
    rows(memory &, byte_span cohorts, const calendar *periods, retention kind);
    bool next(row &found);

  private:
    using list = flat_list<cell_key, cell>;

    bool open_cohort();
    bool has_begun(std::int64_t age) const;
    bool has_ended(std::int64_t age) const;

    list cells_;
    timestamp as_of_;
    calendar_period unit_;
    calendar periods_;
    retention kind_;
    std::size_t next_cell_ = 0; // of the open cohort or behind it
    std::int32_t cohort_ = 0, age_ = 0;
    bool open_ = false;
    std::int64_t customers_ = 0, yet_to_buy_ = 0;
    wide_int cumulative_ = 0;
};

} // namespace crm::cohort
