// The vocabulary that every core shares: times, amounts and purchases, in PostgreSQL's own units but without its
// headers.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string>
#include <vector>

namespace crm {

using memory = std::pmr::memory_resource;
using byte_span = std::span<const std::byte>;
using byte_vector = std::pmr::vector<std::byte>;
using text_buffer = std::pmr::string;

inline constexpr std::int64_t microseconds_per_second = 1'000'000;
inline constexpr std::int64_t microseconds_per_day = 86'400 * microseconds_per_second;

// Microseconds since 2000-01-01 00:00 UTC, as in a timestamptz.
struct timestamp {
    std::int64_t us = 0;
    friend auto operator<=>(timestamp, timestamp) = default;
};

// The range of a finite timestamptz: 4714-11-24 BC up to, but without, 294277 AD.
inline constexpr timestamp earliest_timestamp{-211'813'488'000'000'000};
inline constexpr timestamp end_of_timestamps{9'223'371'331'200'000'000};

constexpr bool is_finite(timestamp at) { return at >= earliest_timestamp && at < end_of_timestamps; }

// Days since 2000-01-01, as in a date.
struct date {
    std::int32_t days = 0;
    friend auto operator<=>(date, date) = default;
};

// A length of time, as in an interval without months.
struct duration {
    std::int64_t us = 0;
};

// An exact amount: minor × 10^-scale, with a scale of 0 to 6.
struct decimal {
    std::int64_t minor = 0;
    int scale = 0;
};

inline constexpr int max_scale = 6;

// One order, its amount in minor units of a scale that the holder of the purchase knows. Negative is a refund.
struct purchase {
    timestamp at;
    std::int64_t amount = 0;
    friend auto operator<=>(const purchase &, const purchase &) = default;
    bool is_refund() const { return amount < 0; }
};

// One customer's purchases and refunds, sorted by time and then amount, all at one scale.
struct purchases {
    std::span<const purchase> entries;
    int scale = 0;
};

} // namespace crm
