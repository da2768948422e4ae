// Calendars: as text, as bytes, and the arithmetic of their periods in a zone that changes its clocks.
#include "core/calendar.hpp"

#include "fuzz.hpp"

#include <limits>

using namespace crm;
using fuzz::attempt;
using fuzz::heap;

namespace {

void check_written(const calendar_name &name) {
    text_buffer text(&heap());
    append_calendar(text, name);
    REQUIRE(parse_calendar(text) == name);
}

// In a zone that once changes its clocks by up to a day and a half.
void check_periods(const calendar_period &period, FuzzedDataProvider numbers) {
    constexpr std::int64_t quarter_of_an_hour = microseconds_per_day / 96;
    const auto some_time = [&] {
        return timestamp{numbers.ConsumeIntegralInRange(earliest_timestamp.us, end_of_timestamps.us - 1)};
    };
    const auto some_offset = [&] { return numbers.ConsumeIntegralInRange(-63, 63) * quarter_of_an_hour; };
    const std::int64_t reach = calendar::margin(period).us, last = std::numeric_limits<std::int64_t>::max();
    const timestamp change = some_time(), end{last - std::max(last - reach - end_of_timestamps.us, std::int64_t{0})};
    const offset_change changes[] = {{{earliest_timestamp.us - reach}, some_offset()}, {change, some_offset()}};
    const calendar periods(period, {changes, end}, {numbers.ConsumeIntegralInRange(-2'000'000, 2'000'000)});

    timestamp at = some_time();
    if (numbers.ConsumeBool()) // near the change
        at.us =
            std::clamp(change.us / 2 + at.us % reach / 2, earliest_timestamp.us / 2, end_of_timestamps.us / 2 - 1) * 2;
    const std::int64_t index = periods.period_index(at);
    const timestamp begin = periods.period_begin(index);
    REQUIRE(begin <= at);
    REQUIRE(begin <= periods.period_begin(index + 1));
    if (const auto first = attempt([&] { return periods.period_start_date(index); })) {
        REQUIRE(first->days <= periods.local_date(at).days);
        REQUIRE(periods.local_date(at).days < first->days + period.most_days());
    }
}

void check_days(const calendar_period &period, std::int32_t day, date anchor) {
    const std::int64_t index = period.index_of({day}, anchor), first = period.first_day(index, anchor);
    REQUIRE(first <= day && day < first + period.most_days());
    REQUIRE(day < period.first_day(index + 1, anchor));
    REQUIRE(period.index_of({static_cast<std::int32_t>(first)}, anchor) == index);
}

} // namespace

FUZZ(input) {
    if (const auto name = decode_calendar(input)) {
        REQUIRE(std::ranges::equal(encode_calendar(heap(), *name), input));
        check_written(*name);
    }
    const std::string_view text = fuzz::text_of(input.first(std::min(input.size(), input.size() / 2 + 32)));
    attempt([&] { return parse_period(text); });
    const auto name = attempt([&] { return parse_calendar(text); });
    if (!name)
        return;
    REQUIRE(name->period.days >= 1 && name->period.days <= calendar_period::max_days);
    check_written(*name);
    auto numbers = fuzz::numbers_of(input);
    constexpr std::int32_t first_day = -2'451'545, last_day = 107'000'000; // of PostgreSQL's timestamps
    check_days(name->period, numbers.ConsumeIntegralInRange(first_day, last_day),
               {numbers.ConsumeIntegralInRange(first_day, last_day)});
    check_periods(name->period, fuzz::numbers_of(input));
}
