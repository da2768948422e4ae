// One customer's purchases as a compact, canonical value: equal multisets of (time, amount) are equal bytes, so neither
// the order of input nor the way of merging can show.
//
// Layout, with every number a variable-length integer:
//   byte    version, 1
//   byte    bits 0-2 scale of the amounts, bit 3 has refunds, bits 4-7 reserved: zero
//   byte    bits 0-3 unit of the gaps between entries, bits 4-7 unit of the first time
//   entries; first time (zigzag) in its unit since 2000-01-01; last minus first in gap units; sum of amounts (zigzag)
//   with refunds: how many, their total, first purchase minus first entry, last entry minus last purchase
//   amount of each entry (zigzag with refunds), each but the first and the last preceded by its gap
// The summary stands in front, so that the first slice of a toasted value answers lifetime questions.
#pragma once

#include "core/bytes.hpp"
#include "core/decimal.hpp"
#include "core/types.hpp"

#include <optional>
#include <string_view>

namespace crm::history {

inline constexpr std::size_t max_bytes = (std::size_t{1} << 30) - 64;
// As many bytes as a summary can take.
inline constexpr std::size_t max_summary_bytes = 3 + 8 * byte_writer::max_varint;

// A history's bytes, not yet looked at.
struct view {
    byte_span bytes;
};
// At least the first max_summary_bytes of a history, or all of it.
struct prefix {
    byte_span bytes;
};

struct summary {
    std::int64_t entries = 0; // purchases and refunds
    std::int64_t refunds = 0;
    decimal revenue;  // purchases less refunds
    decimal refunded; // a positive number
    timestamp first_entry, last_entry;
    timestamp first_purchase, last_purchase; // meaningless without purchases

    std::int64_t orders() const { return entries - refunds; }
};

summary read_summary(prefix of);

// All entries, in memory that the caller provides. The first form checks nothing but bounds; decoding what came from
// outside goes through `validated`.
struct entries {
    explicit entries(memory &in) : list(&in) {}
    std::pmr::vector<purchase> list;
    int scale = 0;

    operator purchases() const { return {list, scale}; }
};
entries decode(view of, memory &in);

// The canonical bytes of entries in any order; sorts them in place. 22003 when the sum does not fit, 54000 beyond 1 GB.
byte_vector encode(std::span<purchase> entries, int scale, memory &in);
// The same for entries that are sorted already.
byte_vector encode_sorted(purchases of, memory &in);

// Gives the value back when it is exactly what encode() makes of its entries; 22P03 otherwise.
byte_vector validated(byte_span untrusted, memory &in);

// [["2026-01-01T00:30:00Z",1200],["2026-02-03T04:05:06.5Z",-99.5]]
text_buffer to_text(view of, memory &in);
byte_vector from_text(std::string_view text, memory &in);

// Union and difference of multisets; subtracting an entry that is not there is 22023.
byte_vector merge(memory &in, view a, view b);
byte_vector subtract(memory &in, view a, view b);
byte_vector add(memory &in, view to, timestamp at, decimal amount);

// The entries in [from, before).
byte_vector within(memory &in, view of, timestamp from, timestamp before);
// The entries at or before as_of: the history as it was known then.
byte_vector until(memory &in, view of, timestamp as_of);

// The part of sorted entries that was there at as_of.
purchases until(purchases all, timestamp as_of);

// The last purchase at or before as_of, null when there is none.
const purchase *last_purchase(purchases all, timestamp as_of);

// Time since the last purchase at or before as_of; nothing when there is none.
std::optional<duration> recency(memory &in, view of, timestamp as_of);

// Days from each purchase to the next; refunds are no purchases.
std::pmr::vector<double> intervals(memory &in, view of);

} // namespace crm::history
