// How long until something happens, for some of whom it has not happened yet.
#pragma once

#include "core/counts.hpp"
#include "core/flat_table.hpp"
#include "repeat/kaplan_meier.hpp"

namespace crm::repeat {

struct survival_time {
    double at;
    // Of all numbers: what a state called by hand holds is sorted before it is refused.
    friend bool operator==(survival_time, survival_time) = default;
    friend std::strong_ordering operator<=>(survival_time a, survival_time b) { return std::strong_order(a.at, b.at); }
};

// Those for whom it happened then, and those who were last seen then.
struct survival_counts {
    std::int64_t events = 0, censored = 0;

    void operator+=(const survival_counts &other) {
        add_count(events, other.events);
        add_count(censored, other.censored);
    }
};

std::size_t initial_survival_bytes();

// Each counts into a state and returns how many bytes it must have; when that is more than it has, nothing was changed.
// 22023 unless the duration is finite and not negative.
std::size_t count_survival(std::span<std::byte> state, double duration, bool event);
std::size_t merge_survival_state(std::span<std::byte> state, byte_span other);
std::size_t merge_survival(std::span<std::byte> state, byte_span survival);

inline constexpr std::int32_t most_deliveries = 100'000;
// A subscription after so many deliveries; whether an active one goes on after its last delivery is not known yet.
// 22023 unless 0 to most_deliveries.
std::size_t count_subscription(std::span<std::byte> state, std::int32_t deliveries, bool cancelled);

// crm.survival: the counts as a value, sorted; nothing when nobody was counted.
std::optional<byte_vector> finish_survival(std::span<std::byte> state, memory &in);
byte_vector validated_survival(byte_span untrusted, memory &in);

// How many standard errors the limits of a confidence, such as 0.95, are away; 22023 unless it lies between 0 and 1.
double normal_quantile(double confidence);

struct survival_row {
    double at;
    std::int64_t at_risk, events;
    double survival;
    std::optional<double> se{}, lower{}, upper{};

    double hazard() const { return static_cast<double>(events) / static_cast<double>(at_risk); }
};

// One row for each time of an event.
class survival_rows {
  public:
    survival_rows(memory &, byte_span survival, double confidence);
    bool next(survival_row &found);

  private:
    using list = flat_list<survival_time, survival_counts>;

    list cells_;
    double quantile_;
    std::size_t next_cell_ = 0;
    std::int64_t at_risk_ = 0;
    kaplan_meier estimate_;
};

// The first time at which half of them are left.
std::optional<double> survival_median(memory &in, byte_span survival);

struct renewal_row {
    std::int32_t delivery;
    std::int64_t at_risk, cancelled;
    double survival;
    bool riskiest;

    double hazard() const { return static_cast<double>(cancelled) / static_cast<double>(at_risk); }
};

// One row for each delivery after which anybody could cancel. 22023 when the durations are no numbers of deliveries.
std::pmr::vector<renewal_row> renewal_rows(memory &in, byte_span survival, std::int32_t riskiest);

} // namespace crm::repeat
