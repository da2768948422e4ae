// Calendar periods in a time zone: the day, week, month, quarter, year or run of days that an instant falls into there.
//
// Local dates do not always follow one another: a zone can skip a day (Samoa in 2011), and where clocks are set back
// shortly after midnight the new day has begun, is left again and begins once more. So a later instant may lie in an
// earlier period, and a period may hold no instant at all.
#pragma once

#include "core/civil.hpp"
#include "core/types.hpp"

#include <limits>
#include <optional>
#include <string_view>

namespace crm {

enum class period_unit : std::uint8_t { day = 1, week, month, quarter, year };

// A period of local dates. Weeks begin on Monday.
struct calendar_period {
    static constexpr int max_days = 36'500;

    period_unit unit = period_unit::day;
    int days = 1; // how many days, where the unit is the day; else 1

    friend auto operator<=>(const calendar_period &, const calendar_period &) = default;

    // A running number, so that ages are differences. Runs of several days are counted from the anchor.
    std::int64_t index_of(date local, date anchor) const;
    // The first local date of the period, in days since 2000-01-01.
    std::int64_t first_day(std::int64_t index, date anchor) const;
    int most_days() const;
};

// From this instant on, local time is UTC plus so many microseconds.
struct offset_change {
    timestamp from;
    std::int64_t offset;
};

// The UTC offsets of a zone over a stretch of time, so that each instant takes a search and no conversion. The changes
// belong to somebody else.
class zone_offsets {
  public:
    static constexpr std::int64_t max_offset = 16 * 3'600 * microseconds_per_second;

    // The first change stands where the stretch begins; `end` is no longer part of it.
    zone_offsets(std::span<const offset_change> changes, timestamp end) : changes_(changes), end_(end) {}

    std::int64_t offset_at(timestamp at) const {
        if (at < changes_[hit_].from || at >= end_of(hit_))
            hit_ = find(at);
        return changes_[hit_].offset;
    }
    // The first instant at which local time, in microseconds since 2000-01-01 00:00 there, is `local` or later.
    timestamp first_at_or_after(std::int64_t local) const;

  private:
    timestamp end_of(std::size_t i) const { return i + 1 < changes_.size() ? changes_[i + 1].from : end_; }
    std::size_t find(timestamp at) const;

    std::span<const offset_change> changes_;
    timestamp end_;
    mutable std::size_t hit_ = 0; // where the last search ended: orders come in runs
};

// The numbers of the periods of successive days, looked up rather than computed. They belong to somebody else.
struct day_table {
    std::int64_t first_day = 0;
    std::span<const std::int32_t> index;
};

// A period in a zone. Every instant asked about, and the periods around it, must be covered by the zone's offsets.
class calendar {
  public:
    calendar(calendar_period period, const zone_offsets &zone, date anchor = {}, day_table days = {})
        : period_(period), zone_(zone), anchor_(anchor), days_(days) {}

    // How far the offsets must reach beyond the first and the last instant asked about: an age that begins on the last
    // day of a run of days ends nearly two runs later.
    static duration margin(calendar_period period) { return {(2 * period.most_days() + 3) * microseconds_per_day}; }

    const calendar_period &period() const { return period_; }
    const zone_offsets &zone() const { return zone_; }
    // The same calendar, with runs of several days counted from this date instead of 2000-01-01.
    calendar anchored_at(date anchor) const { return {period_, zone_, anchor}; }

    date local_date(timestamp at) const {
        return {static_cast<std::int32_t>(floor_divide(at.us + zone_.offset_at(at), microseconds_per_day))};
    }
    // A running number of the period. The functions below take it, or its neighbours.
    std::int64_t period_index(timestamp at) const {
        const date local = local_date(at);
        const auto place = static_cast<std::uint64_t>(local.days - days_.first_day);
        return place < days_.index.size() ? days_.index[place] : period_.index_of(local, anchor_);
    }
    // 22008 when it lies before the first date that PostgreSQL knows.
    date period_start_date(std::int64_t index) const;
    // The first instant of a local date, counted from 2000-01-01, with the same ends as period_begin.
    timestamp day_begin(std::int64_t day) const;
    // The first instant whose local date is in the period or, where the zone skips the period, after it. Not finite
    // when it lies outside the range of timestamptz: then before its begin, or at its end.
    timestamp period_begin(std::int64_t index) const;

  private:
    calendar_period period_;
    zone_offsets zone_;
    date anchor_;
    day_table days_;
};

// A calendar as it is written and stored: its period and the name of its zone.
struct calendar_name {
    static constexpr std::size_t max_zone_bytes = 255;

    calendar_period period;
    std::string_view zone;

    friend auto operator<=>(const calendar_name &, const calendar_name &) = default;
};

// Reads "month Asia/Tokyo" or "30 days"; the zone may be missing, and is not looked up. 22P02 when the text is
// malformed, 22023 for an unknown period.
calendar_name parse_calendar(std::string_view text);
// Reads "month" or "30 days", without any zone.
calendar_period parse_period(std::string_view text);
// month Asia/Tokyo
void append_calendar(text_buffer &to, const calendar_name &name);

// Layout: byte version, 1; byte unit; two bytes days, the higher first; the zone's name up to the end.
byte_vector encode_calendar(memory &in, const calendar_name &name);
// Nothing when no calendar has these bytes. The zone is not looked up.
std::optional<calendar_name> decode_calendar(byte_span bytes);

} // namespace crm
