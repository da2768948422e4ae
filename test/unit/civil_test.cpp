#include "support.hpp"

#include "core/civil.hpp"

#include <chrono>

namespace crm::test {
namespace {

namespace chrono = std::chrono;

std::string text_of(timestamp at) {
    text_buffer text;
    append_timestamp(text, at);
    return std::string(text);
}

// The standard library's calendar, which knows the years -32767 to 32767.
TEST(Civil, AgreesWithTheStandardLibraryOnEveryDay) {
    const chrono::sys_days epoch = chrono::year{2000} / 1 / 1;
    const chrono::sys_days from = chrono::year{-32767} / 1 / 1, to = chrono::year{32767} / 12 / 31;
    for (chrono::sys_days day = from; day <= to; day += chrono::days{1}) {
        const chrono::year_month_day expected = day;
        const civil_date civil{int(expected.year()), int(unsigned(expected.month())), int(unsigned(expected.day()))};
        const std::int64_t days = (day - epoch).count();
        ASSERT_EQ(days_from_civil(civil), days);
        const civil_date back = civil_from_days(days);
        ASSERT_TRUE(back.year == civil.year && back.month == civil.month && back.day == civil.day) << days;
    }
}

// The Gregorian calendar repeats every 400 years.
TEST(Civil, FarYearsRepeatTheNearOnes) {
    chance random(6);
    for (int i = 0; i < 10'000; ++i) {
        const std::int64_t day = random.between(0, 146'096), cycles = random.between(-1000, 1000);
        const civil_date near = civil_from_days(day), far = civil_from_days(day + cycles * 146'097);
        EXPECT_TRUE(far.year == near.year + cycles * 400 && far.month == near.month && far.day == near.day);
        EXPECT_EQ(days_from_civil(far), day + cycles * 146'097);
    }
}

TEST(Civil, FloorDivideRoundsDown) {
    for (std::int64_t value = -20; value <= 20; ++value)
        for (std::int64_t by = 1; by <= 7; ++by) {
            const std::int64_t quotient = floor_divide(value, by);
            EXPECT_TRUE(quotient * by <= value && value < (quotient + 1) * by) << value << "/" << by;
        }
}

TEST(Timestamp, PrintsAsManyDecimalsAsItNeeds) {
    EXPECT_EQ(text_of({0}), "2000-01-01T00:00:00Z");
    EXPECT_EQ(text_of({500'000}), "2000-01-01T00:00:00.5Z");
    EXPECT_EQ(text_of({1}), "2000-01-01T00:00:00.000001Z");
    EXPECT_EQ(text_of({-1}), "1999-12-31T23:59:59.999999Z");
    EXPECT_EQ(text_of({-10}), "1999-12-31T23:59:59.99999Z");
    EXPECT_EQ(text_of(earliest_timestamp), "-4713-11-24T00:00:00Z");
    EXPECT_EQ(text_of({end_of_timestamps.us - 1}), "294276-12-31T23:59:59.999999Z");
}

TEST(Timestamp, AgreesWithTheStandardLibrary) {
    chance random(7);
    const chrono::sys_days epoch = chrono::year{2000} / 1 / 1;
    for (int i = 0; i < 20'000; ++i) {
        const std::int64_t us = random.between(-200'000'000'000'000'000, 900'000'000'000'000'000);
        const chrono::sys_time<chrono::microseconds> time = epoch + chrono::microseconds{us};
        const auto day = chrono::floor<chrono::days>(time);
        const chrono::year_month_day date = day;
        const chrono::hh_mm_ss clock{time - day};
        char expected[64];
        std::snprintf(expected, sizeof expected, "%s%04d-%02u-%02uT%02ld:%02ld:%02ld.%06ldZ",
                      int(date.year()) < 0 ? "-" : "", std::abs(int(date.year())), unsigned(date.month()),
                      unsigned(date.day()), long(clock.hours().count()), long(clock.minutes().count()),
                      long(clock.seconds().count()), long(clock.subseconds().count()));
        EXPECT_EQ(parse_timestamp(expected), timestamp{us}) << expected;
        std::string shortest = expected;
        shortest.pop_back();
        while (shortest.back() == '0')
            shortest.pop_back();
        if (shortest.back() == '.')
            shortest.pop_back();
        EXPECT_EQ(text_of({us}), shortest + "Z");
    }
}

TEST(Timestamp, TextRoundTripsOverTheWholeRange) {
    chance random(8);
    std::vector<timestamp> times{earliest_timestamp, {end_of_timestamps.us - 1}, {0}, {-1}};
    for (int i = 0; i < 20'000; ++i)
        times.push_back({random.between(earliest_timestamp.us, end_of_timestamps.us - 1)});
    for (timestamp at : times)
        EXPECT_EQ(parse_timestamp(text_of(at)), at);
}

TEST(Timestamp, ReadsBlanksAndOffsets) {
    const timestamp at{-10'800 * microseconds_per_second};
    for (const std::string &text :
         split("1999-12-31T21:00:00Z|1999-12-31 21:00:00+00|2000-01-01 00:00:00+03:00|2000-01-01T06:00:00+09|"
               "1999-12-31T15:30:00-05:30|1999-12-31T21:00:00.000-00:00|2000-01-01T12:59:00+15:59"))
        EXPECT_EQ(parse_timestamp(text), at) << text;
    EXPECT_EQ(parse_timestamp("2024-02-29T00:00:00Z"), at_day(8825));
    EXPECT_EQ(parse_timestamp("0000-02-29T00:00:00Z"), at_day(-730'426));
    EXPECT_EQ(parse_timestamp("-4713-11-24T01:00:00+01"), earliest_timestamp);
    EXPECT_EQ(parse_timestamp("294277-01-01T00:59:59+01"), (timestamp{end_of_timestamps.us - microseconds_per_second}));
}

TEST(Timestamp, RefusesWhatIsMalformedOrOutOfRange) {
    for (const std::string &text :
         split("|2026|2026-01-01|2026-01-01T00:00:00|2026-01-01T00:00Z|26-01-01T00:00:00Z|2026-1-01T00:00:00Z|"
               "2026-01-01t00:00:00Z|2026-01-01T00:00:00z|2026-01-01T24:00:00Z|2026-01-01T00:60:00Z|"
               "2026-01-01T00:00:60Z|2026-02-29T00:00:00Z|2026-00-01T00:00:00Z|2026-13-01T00:00:00Z|"
               "2026-01-00T00:00:00Z|2026-01-32T00:00:00Z|2026-04-31T00:00:00Z|1900-02-29T00:00:00Z|"
               "2026-01-01T00:00:00.Z|2026-01-01T00:00:00.1234567Z|2026-01-01T00:00:00+9|2026-01-01T00:00:00+16|"
               "2026-01-01T00:00:00+0900|2026-01-01T00:00:00+09:60|2026-01-01T00:00:00+09:|2026-01-01T00:00:00Z |"
               " 2026-01-01T00:00:00Z|2026-01-01T00:00:00ZZ|+2026-01-01T00:00:00Z|--026-01-01T00:00:00Z|"
               "2026-01-01T-1:00:00Z|infinity|-4713-11-23T23:59:59.999999Z|-4713-11-24T00:59:59+01|"
               "294277-01-01T00:00:00Z|294276-12-31T23:59:59-01|999999-01-01T00:00:00Z|-9999-01-01T00:00:00Z|"
               "1000000-01-01T00:00:00Z"))
        EXPECT_FALSE(parse_timestamp(text)) << text;
}

TEST(Timestamp, DamagedTextIsRefusedOrMeansATimeOfItsOwn) {
    chance random(9);
    for (int i = 0; i < 100'000; ++i) {
        std::string text = text_of({random.between(earliest_timestamp.us, end_of_timestamps.us - 1)});
        text[random.below(text.size())] = random.pick(std::string_view("0123456789-+:.TZ \xE3"));
        if (const auto read = parse_timestamp(text)) {
            EXPECT_TRUE(is_finite(*read)) << text;
            EXPECT_EQ(parse_timestamp(text_of(*read)), *read) << text;
        }
    }
}

} // namespace
} // namespace crm::test
