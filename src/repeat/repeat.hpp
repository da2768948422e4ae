// The ladder of repeat purchases: of those who bought n times, how many bought again, and after how long.
#pragma once

#include "core/counts.hpp"
#include "core/flat_table.hpp"
#include "history/history.hpp"

namespace crm::repeat {

inline constexpr std::int32_t most_rungs = 100, most_days = 36'525;

// Rung n is everybody's nth purchase. Days are 24 hours: of a gap those begun, of a wait those completed.
struct rung_day {
    std::int32_t rung, day;
    friend auto operator<=>(const rung_day &, const rung_day &) = default;
};

// What became of nth purchases: the next one came after so many days, or has not come in as many days.
struct rung_counts {
    std::int64_t returned = 0;
    std::int64_t early = 0; // of these, on the day that had not ended at as_of
    std::int64_t waiting = 0;

    std::int64_t customers() const { return returned + waiting; }
    void operator+=(const rung_counts &other) {
        add_count(returned, other.returned);
        add_count(early, other.early);
        add_count(waiting, other.waiting);
    }
};

std::size_t initial_bytes();

// Each counts into a state and returns how many bytes it must have; when that is more than it has, nothing was changed.
// 22023 when as_of differs from that of the state.
std::size_t count(std::span<std::byte> state, purchases of, timestamp as_of);
std::size_t merge_state(std::span<std::byte> state, byte_span other);
std::size_t merge_list(std::span<std::byte> state, byte_span repeats);

// crm.repeats: the counts as a value, sorted; nothing when nobody has bought.
std::optional<byte_vector> finish(std::span<std::byte> state, memory &in);
byte_vector validated(byte_span untrusted, memory &in);

struct row {
    std::int32_t nth = 0;
    std::int64_t customers = 0, repeated = 0, waiting = 0;
    std::optional<double> km_rate{}, km_se{};
    std::optional<std::int32_t> quartiles[3]{};

    double share(std::int64_t of) const { return static_cast<double>(of) / static_cast<double>(customers); }
};

// One row for each rung that anybody has reached. `within` is a number of days, or nothing for no limit.
class rows {
  public:
    rows(memory &, byte_span repeats, std::optional<std::int32_t> within);
    bool next(row &found);

  private:
    using list = flat_list<rung_day, rung_counts>;

    list cells_;
    std::optional<std::int32_t> within_;
    std::size_t next_cell_ = 0;
};

} // namespace crm::repeat
