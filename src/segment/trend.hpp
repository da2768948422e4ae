// Whether values rise or fall over time, by methods that a few wild values cannot mislead: the slope of Theil (1950)
// and Sen (1968), and the test of Mann (1945) and Kendall (1975).
#pragma once

#include "core/types.hpp"

#include <optional>

namespace crm::segment {

struct observation {
    double at, value;
};

struct trend {
    double slope;   // median of the slopes between any two observations of different times
    double p_value; // how likely chance alone makes a trend as clear, up or down
};

// Of observations in the order of time; nothing when there are not two different times.
std::optional<trend> estimate_trend(std::span<const observation> sorted, memory &in);

// The middle value, of an even number the mean of the two middle ones. Changes the order; there must be a value.
double median(std::span<double> values);

enum class direction { falling, steady, rising };
// A direction takes four observations and a p-value of at most a tenth; nothing is known from fewer observations.
std::optional<direction> direction_of(const std::optional<trend> &found, std::size_t observations);

// The state of crm.signal_trend: the latest observations, so that it stays small however many there are.
inline constexpr std::size_t most_observations = 500;
std::size_t signal_bytes(std::size_t observations = 8);

// Each returns how many bytes the state must have; when that is more than it has, nothing was changed. 22003 unless the
// value lies between -1e100 and 1e100.
std::size_t add_signal(std::span<std::byte> state, timestamp at, double value, memory &scratch);
std::size_t merge_signals(std::span<std::byte> state, byte_span other, memory &scratch);

struct signal_summary {
    std::int32_t observations;
    double usual, latest;        // median, and that of the latest time
    std::optional<trend> change; // per day
};
std::optional<signal_summary> summarize_signals(memory &in, byte_span state);

} // namespace crm::segment
