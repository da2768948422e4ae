// Lifetime value as it was, in factors whose product is revenue per customer.
#pragma once

#include "history/history.hpp"

namespace crm::repeat {

// What one history adds, as it was known at a time; nobody without a purchase by then.
struct lived {
    std::int64_t orders = 0;
    decimal revenue;
    std::uint64_t microseconds = 0; // since the first purchase
};
// Nothing from the summary alone when the history goes on after as_of: then the entries are needed.
std::optional<lived> lived_by(const history::summary &of, timestamp as_of);
lived lived_by(purchases of, timestamp as_of);

struct ltv {
    timestamp as_of;
    std::int64_t customers = 0, orders = 0;
    scaled_sum revenue{};
    wide_int microseconds = 0;

    static constexpr std::size_t state_bytes = 16 + 56;

    // 22023 when the state is one as of another time.
    static ltv read(byte_span state, timestamp as_of);
    static ltv read(byte_span state);
    void write(std::span<std::byte> state) const;

    void add(const lived &one);
    void merge(const ltv &other);

    decimal total_revenue() const { return revenue.total("revenue"); }
    // Of 365.25 days.
    double customer_years() const { return static_cast<double>(microseconds) / (365.25 * microseconds_per_day); }
};

// Merges a state into another one, of the same size; returns 0, as it never grows.
std::size_t merge_ltv(std::span<std::byte> state, byte_span other);

} // namespace crm::repeat
