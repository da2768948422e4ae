// What a shop reads off the predictions for one customer.
#pragma once

#include "core/hashing.hpp"
#include "lifetime/gamma_gamma.hpp"
#include "lifetime/predictions.hpp"

namespace crm::lifetime {

inline constexpr double low_risk_from = 2.0 / 3, medium_risk_from = 1.0 / 3;

inline const char *churn_risk(double p_alive) {
    return p_alive >= low_risk_from ? "low" : (p_alive >= medium_risk_from ? "medium" : "high");
}

// As_of and the median wait; nothing when it lies beyond all times.
template <class Model>
std::optional<timestamp> next_order(const scorer<Model> &model, const purchases_seen &seen, timestamp as_of,
                                    double days_per_unit) {
    const double at = static_cast<double>(as_of.us) +
                      median_wait(model, seen) * days_per_unit * static_cast<double>(microseconds_per_day);
    if (!(at < static_cast<double>(end_of_timestamps.us)))
        return std::nullopt;
    return timestamp{static_cast<std::int64_t>(at)};
}

// What to expect of customers who are still there hangs on x and T alone, and most customers of a shop share theirs
// with others: so answers are remembered. Zeros remember nothing.
class remembered_answers {
  public:
    template <class Compute> double operator()(const purchases_seen &seen, Compute &&compute) {
        const key wanted{static_cast<std::uint64_t>(seen.repeats) + 1, seen.age};
        slot &place = place_of(wanted);
        if (!(place.of == wanted))
            place = {wanted, compute()};
        return place.answer;
    }
    void forget() { std::ranges::fill(slots_, slot{}); }

  private:
    static constexpr std::size_t slots = 32768; // ages of years in days, times a few dozen purchases
    static constexpr std::size_t neighbours = 4;
    struct key {
        std::uint64_t repeats_and_one; // 0: free
        double age;
        friend bool operator==(const key &, const key &) = default;
    };
    struct slot {
        key of;
        double answer;
    };
    // Where the answer is or may be written: whoever comes to a full neighbourhood takes the first place.
    slot &place_of(const key &wanted) {
        const std::uint64_t home = hash_of(wanted);
        for (std::uint64_t i = 0; i < neighbours; ++i) {
            slot &each = slots_[(home + i) % slots];
            if (each.of == wanted || each.of.repeats_and_one == 0)
                return each;
        }
        return slots_[home % slots];
    }

    slot slots_[slots];
};

} // namespace crm::lifetime
