// The proleptic Gregorian calendar, and the one text form of a time: 2026-01-01T00:30:00.5Z.
#pragma once

#include "core/types.hpp"

#include <chrono>
#include <optional>
#include <string_view>

namespace crm {

struct civil_date {
    std::int64_t year; // astronomical: 0 is 1 BC
    int month, day;
};

// Days since 2000-01-01.
constexpr std::int64_t days_from_civil(civil_date date) {
    // March starts the year here, so that the leap day is the last day.
    const std::int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
    const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146'097 + day_of_era - 730'425;
}

constexpr civil_date civil_from_days(std::int64_t days) {
    // The standard library is faster, but ends with the year 32767.
    constexpr std::int64_t ten_thousand_years = 3'652'425;
    if (days > -ten_thousand_years && days < ten_thousand_years) {
        const std::chrono::year_month_day date(std::chrono::sys_days(std::chrono::days(days + 10'957)));
        return {int{date.year()}, static_cast<int>(unsigned{date.month()}), static_cast<int>(unsigned{date.day()})};
    }
    days += 730'425;
    const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
    const std::int64_t day_of_era = days - era * 146'097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int shifted_month = static_cast<int>((5 * day_of_year + 2) / 153);
    const int month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month,
            static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1)};
}

constexpr std::int64_t floor_divide(std::int64_t value, std::int64_t by) {
    return value / by - (value % by < 0 ? 1 : 0);
}

// Appends the time in UTC, with as many decimals of a second as it needs.
void append_timestamp(text_buffer &to, timestamp at);

// Reads the form above, also with a blank for the T and an offset such as +09:00 for the Z; nothing when it is
// malformed or outside the range of timestamptz.
std::optional<timestamp> parse_timestamp(std::string_view text);

} // namespace crm
