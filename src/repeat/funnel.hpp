// How far people get through steps that are to be taken in order, within a time that begins with the first step.
#pragma once

#include "core/bytes.hpp"
#include "core/types.hpp"

#include <array>
#include <limits>
#include <optional>

namespace crm::repeat {

inline constexpr std::int64_t most_steps = 64;

// 22023 unless 1 to most_steps.
void check_step(std::int64_t step);

// Takes events in the order of time and step. For each step it remembers the latest beginning of a way that led there:
// no earlier one can lead further in time.
class funnel {
  public:
    static constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

    explicit funnel(std::int64_t within) : within_(within) {}

    void step(timestamp at, std::int64_t step) {
        const auto to = static_cast<std::size_t>(step);
        if (step == 1)
            begun_[to] = at;
        else if (const auto &from = begun_[to - 1]; from && is_in_time(*from, at))
            begun_[to] = from;
        else
            return;
        furthest_ = std::max(furthest_, static_cast<std::int32_t>(step));
    }
    std::int32_t furthest() const { return furthest_; }

  private:
    bool is_in_time(timestamp from, timestamp to) const {
        return within_ == no_limit || static_cast<std::uint64_t>(to.us) - static_cast<std::uint64_t>(from.us) <=
                                          static_cast<std::uint64_t>(within_);
    }

    std::int64_t within_;
    std::array<std::optional<timestamp>, most_steps + 1> begun_;
    std::int32_t furthest_ = 0;
};

// The aggregate's state: events in the order of their arrival.
std::size_t funnel_bytes(std::size_t events = 4);

// Each returns how many bytes the state must have; when that is more than it has, nothing was changed. 22023 when
// `within` differs from that of the state.
std::size_t append_event(std::span<std::byte> state, timestamp at, std::int64_t step, std::int64_t within);
std::size_t append_events(std::span<std::byte> state, byte_span other);

// Nothing without events.
std::optional<std::int32_t> furthest_step(memory &in, byte_span state);

// How many customers reached each step, who are given one by one: their amounts are the steps.
class funnel_counts {
  public:
    explicit funnel_counts(std::int64_t within) : within_(within) {}

    // 22023 when a step is not 1 to most_steps.
    void add(purchases events);
    // The last step that occurs.
    std::int64_t steps() const { return steps_; }
    std::int64_t customers(std::int64_t step) const { return reached_[static_cast<std::size_t>(step)]; }

  private:
    std::int64_t within_;
    std::int64_t steps_ = 0;
    std::array<std::int64_t, most_steps + 1> reached_{};
};

} // namespace crm::repeat
