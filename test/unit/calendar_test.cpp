#include "support.hpp"

#include "core/calendar.hpp"
#include "history/periods.hpp"

#include <array>
#include <chrono>

namespace crm::test {
namespace {

constexpr std::int64_t hour = 3'600 * microseconds_per_second;
constexpr date no_anchor{};

timestamp at(std::string_view text) {
    const auto found = parse_timestamp(text);
    EXPECT_TRUE(found) << text;
    return found.value_or(timestamp{});
}

std::string shown(timestamp instant) {
    text_buffer text;
    append_timestamp(text, instant);
    return std::string(text);
}

std::string shown(date day) {
    const std::string text = shown(timestamp{day.days * microseconds_per_day});
    return text.substr(0, text.find('T'));
}

date day_of(std::string_view text) {
    return {static_cast<std::int32_t>(floor_divide(at(std::string(text) + "T00:00:00Z").us, microseconds_per_day))};
}

// A zone that is one offset all the time, or changes where the test says; for all times unless the test says more.
class zone {
  public:
    explicit zone(std::int64_t first_offset,
                  std::initializer_list<std::pair<std::string_view, std::int64_t>> changes = {})
        : changes_{{beginning, first_offset}} {
        for (const auto &[from, offset] : changes)
            changes_.push_back({at(from), offset});
    }
    operator zone_offsets() const { return {changes_, end}; }
    calendar periods(calendar_period period) const { return {period, *this}; }

    static constexpr timestamp beginning{earliest_timestamp.us - 40'000 * microseconds_per_day};
    static constexpr timestamp end{std::numeric_limits<std::int64_t>::max()};

  private:
    std::vector<offset_change> changes_;
};

const zone utc(0), tokyo(9 * hour),
    new_york_2026(-5 * hour, {{"2026-03-08T07:00:00Z", -4 * hour}, {"2026-11-01T06:00:00Z", -5 * hour}});
// Clocks go forward at midnight: 2018-11-04 has no 00:00.
const zone sao_paulo_2018(-3 * hour, {{"2018-11-04T03:00:00Z", -2 * hour}, {"2019-02-17T02:00:00Z", -3 * hour}});
// Clocks go back from 01:00 to 00:00: 2018-11-04 has two of them.
const zone havana_2018(-4 * hour, {{"2018-11-04T05:00:00Z", -5 * hour}});
// Clocks went back at 00:01, into the day before.
const zone st_johns_2006(-5 * hour / 2, {{"2006-10-29T02:31:00Z", -7 * hour / 2}});
// The 30th of December 2011 never was.
const zone apia_2011(-10 * hour, {{"2011-12-30T10:00:00Z", 14 * hour}});

constexpr calendar_period day{period_unit::day}, week{period_unit::week}, month{period_unit::month},
    quarter{period_unit::quarter}, year{period_unit::year}, thirty_days{period_unit::day, 30};

TEST(ZoneOffsets, AreFoundWhateverWasAskedBefore) {
    const zone_offsets zone = new_york_2026;
    chance random(1);
    const timestamp first = at("2025-01-01T00:00:00Z"), last = at("2027-12-31T00:00:00Z");
    const timestamp spring = at("2026-03-08T07:00:00Z"), autumn = at("2026-11-01T06:00:00Z");
    for (int i = 0; i < 10'000; ++i) {
        const timestamp instant{i % 10 == 0 ? spring.us - i % 3 : random.between(first.us, last.us)};
        EXPECT_EQ(zone.offset_at(instant), instant >= spring && instant < autumn ? -4 * hour : -5 * hour);
    }
}

TEST(ZoneOffsets, RefuseInstantsOutsideTheirStretch) {
    const std::array<offset_change, 1> changes{{{at("2026-01-01T00:00:00Z"), 0}}};
    const zone_offsets zone(changes, at("2027-01-01T00:00:00Z"));
    EXPECT_EQ(zone.offset_at(at("2026-12-31T23:59:59.999999Z")), 0);
    EXPECT_ANY_THROW(zone.offset_at(at("2027-01-01T00:00:00Z")));
    EXPECT_ANY_THROW(zone.offset_at(at("2025-12-31T23:59:59.999999Z")));
}

TEST(CalendarPeriod, AgreesWithTheStandardLibraryOnEveryDay) {
    using namespace std::chrono;
    int compared = 0;
    for (int days = -800'000; days<3'000'000; days += days> - 1'000 && days < 20'000 ? 1 : 37) {
        const sys_days when = sys_days{2000y / January / 1} + std::chrono::days{days};
        const year_month_day civil{when};
        const auto start_of = [&](calendar_period period) {
            return sys_days{2000y / January / 1} +
                   std::chrono::days{period.first_day(period.index_of({days}, no_anchor), no_anchor)};
        };
        ASSERT_EQ(start_of(day), when);
        ASSERT_EQ(start_of(week), when - (weekday{when} - Monday));
        ASSERT_EQ(start_of(month), sys_days{civil.year() / civil.month() / 1});
        ASSERT_EQ(start_of(quarter),
                  sys_days{civil.year() / std::chrono::month{(unsigned{civil.month()} - 1) / 3 * 3 + 1} / 1});
        ASSERT_EQ(start_of(year), sys_days{civil.year() / January / 1});
        ++compared;
    }
    EXPECT_GT(compared, 100'000);
}

TEST(CalendarPeriod, IndexesRunWithoutGaps) {
    for (const calendar_period period :
         {day, week, month, quarter, year, thirty_days, calendar_period{period_unit::day, 36'500}}) {
        const date anchor{17};
        std::int64_t previous = period.index_of({-20'000}, anchor);
        for (int days = -20'000; days <= 20'000; ++days) {
            const std::int64_t index = period.index_of({days}, anchor);
            ASSERT_TRUE(index == previous || index == previous + 1);
            ASSERT_LE(period.first_day(index, anchor), days);
            ASSERT_GT(period.first_day(index + 1, anchor), days);
            ASSERT_LE(period.first_day(index + 1, anchor) - period.first_day(index, anchor), period.most_days());
            previous = index;
        }
    }
}

TEST(CalendarPeriod, CountsRunsOfDaysFromTheAnchor) {
    EXPECT_EQ(thirty_days.index_of({100}, {100}), 0);
    EXPECT_EQ(thirty_days.index_of({129}, {100}), 0);
    EXPECT_EQ(thirty_days.index_of({130}, {100}), 1);
    EXPECT_EQ(thirty_days.index_of({99}, {100}), -1);
    EXPECT_EQ(thirty_days.first_day(-1, {100}), 70);
}

TEST(Calendar, TakesTheMonthOfTheZone) {
    const timestamp new_year = at("2026-01-01T00:30:00+09:00");
    const auto start = [&](const zone &in) {
        const calendar periods = in.periods(month);
        return shown(periods.period_start_date(periods.period_index(new_year)));
    };
    EXPECT_EQ(start(tokyo), "2026-01-01");
    EXPECT_EQ(start(utc), "2025-12-01");
}

// For every instant around a change of offset: a period begins at the first instant whose local date is in it.
TEST(Calendar, BeginsPeriodsAtTheirFirstInstant) {
    const std::pair<const zone *, std::string_view> changes[]{
        {&new_york_2026, "2026-03-08T07:00:00Z"},  {&new_york_2026, "2026-11-01T06:00:00Z"},
        {&sao_paulo_2018, "2018-11-04T03:00:00Z"}, {&sao_paulo_2018, "2019-02-17T02:00:00Z"},
        {&havana_2018, "2018-11-04T05:00:00Z"},    {&st_johns_2006, "2006-10-29T02:31:00Z"},
        {&apia_2011, "2011-12-30T10:00:00Z"}};
    int begun = 0;
    for (const auto &[in, change] : changes) {
        const calendar periods = in->periods(day);
        const timestamp first{at(change).us - 100 * hour}, last{at(change).us + 100 * hour};
        std::int64_t latest = periods.period_index(first);
        for (timestamp instant = first; instant < last; instant.us += 60 * microseconds_per_second) {
            const std::int64_t index = periods.period_index(instant);
            for (; latest < index; ++latest, ++begun)
                EXPECT_EQ(shown(periods.period_begin(latest + 1)), shown(instant));
        }
    }
    EXPECT_GT(begun, 50);
}

TEST(Calendar, KnowsMidnightsThatAreMissingOrDouble) {
    const auto begin = [](const zone &in, std::string_view local_day) {
        const calendar periods = in.periods(day);
        return shown(periods.period_begin(day.index_of(day_of(local_day), no_anchor)));
    };
    EXPECT_EQ(begin(sao_paulo_2018, "2018-11-04"), "2018-11-04T03:00:00Z"); // 01:00 there
    EXPECT_EQ(begin(havana_2018, "2018-11-04"), "2018-11-04T04:00:00Z");    // the first of two
    EXPECT_EQ(begin(st_johns_2006, "2006-10-29"), "2006-10-29T02:30:00Z");
    EXPECT_EQ(begin(apia_2011, "2011-12-30"), begin(apia_2011, "2011-12-31"));
}

TEST(Calendar, LetsALaterInstantLieInAnEarlierDay) {
    const calendar periods = st_johns_2006.periods(day);
    EXPECT_EQ(shown(periods.local_date(at("2006-10-29T02:30:30Z"))), "2006-10-29");
    EXPECT_EQ(shown(periods.local_date(at("2006-10-29T02:31:30Z"))), "2006-10-28");
}

TEST(Calendar, HoldsAtTheEndsOfTime) {
    const timestamp latest{end_of_timestamps.us - 1};
    const calendar months = utc.periods(month);
    EXPECT_EQ(shown(months.period_begin(months.period_index(latest))), "294276-12-01T00:00:00Z");
    EXPECT_FALSE(is_finite(months.period_begin(months.period_index(latest) + 1)));
    EXPECT_FALSE(is_finite(months.period_begin(months.period_index(earliest_timestamp))));
    EXPECT_TRUE(is_finite(months.period_begin(months.period_index(earliest_timestamp) + 1)));
    EXPECT_ERROR(months.period_start_date(months.period_index(earliest_timestamp)), datetime_field_overflow);

    const calendar days = utc.periods(day);
    EXPECT_EQ(days.period_begin(days.period_index(earliest_timestamp)), earliest_timestamp);
    EXPECT_EQ(days.period_start_date(days.period_index(earliest_timestamp)), (date{-2'451'545}));
    const calendar runs = tokyo.periods({period_unit::day, calendar_period::max_days});
    EXPECT_FALSE(is_finite(runs.period_begin(runs.period_index(latest) + 1)));
    EXPECT_ERROR(
        new_york_2026.periods(day).period_start_date(new_york_2026.periods(day).period_index(earliest_timestamp)),
        datetime_field_overflow);
}

std::string written(const calendar_name &name) {
    text_buffer text;
    append_calendar(text, name);
    return std::string(text);
}

TEST(CalendarText, IsReadInAnyCaseAndNumber) {
    const std::pair<std::string_view, std::string_view> forms[]{{"month Asia/Tokyo", "month Asia/Tokyo"},
                                                                {"  MONTHS\tAsia/Tokyo\n", "month Asia/Tokyo"},
                                                                {"1 day UTC", "day UTC"},
                                                                {"1 days UTC", "day UTC"},
                                                                {"030 Days UTC", "30 days UTC"},
                                                                {"36500 day UTC", "36500 days UTC"},
                                                                {"week UTC", "week UTC"},
                                                                {"Quarter UTC", "quarter UTC"},
                                                                {"1 year UTC", "year UTC"},
                                                                {"years UTC", "year UTC"}};
    for (const auto &[text, canonical] : forms)
        EXPECT_EQ(written(parse_calendar(text)), canonical);
    EXPECT_EQ(parse_calendar("month").zone, "");
    EXPECT_EQ(parse_period(" 30 days ").days, 30);
}

std::string sqlstate_of(std::string_view text) {
    try {
        parse_calendar(text);
    } catch (const error &e) {
        EXPECT_FALSE(e.detail.empty() || e.hint.empty());
        return e.state.code;
    }
    return "accepted";
}

TEST(CalendarText, IsRefusedWhenMalformed) {
    for (const std::string_view text :
         {"", " ", "30", "30days", "1.5 days", "+5 days", "1e2 days", "month UTC now", "- day"})
        EXPECT_EQ(sqlstate_of(text), "22P02") << text;
    for (const std::string_view text : {"fortnight", "Asia/Tokyo", "dayss", "s", "0 days", "-1 days", "36501 days",
                                        "99999999999999999999 days", "2 months", "30 Asia/Tokyo", "月 Asia/Tokyo"})
        EXPECT_EQ(sqlstate_of(text), "22023") << text;
    EXPECT_ERROR(parse_period("month UTC"), invalid_text_representation);
}

TEST(CalendarBytes, AreReadOnlyWhenCanonical) {
    chance random(2);
    int accepted = 0, refused = 0;
    for (int i = 0; i < 200'000; ++i) {
        byte_vector bytes = encode_calendar(heap(), parse_calendar(i % 2 == 0 ? "month Asia/Tokyo" : "30 days UTC"));
        for (std::uint64_t changes = random.below(3); changes > 0; --changes)
            random.pick(bytes) = static_cast<std::byte>(random.bits());
        if (random.one_in(4))
            bytes.resize(random.below(bytes.size() + 1));
        const auto name = decode_calendar(bytes);
        if (name) {
            EXPECT_EQ(encode_calendar(heap(), *name), bytes);
            const calendar_name again = parse_calendar(written(*name));
            EXPECT_EQ(again.period, name->period);
        }
        ++(name ? accepted : refused);
    }
    EXPECT_GT(accepted, 1'000);
    EXPECT_GT(refused, 1'000);
}

TEST(CalendarBytes, HaveBounds) {
    const std::string longest(calendar_name::max_zone_bytes, 'x');
    EXPECT_TRUE(decode_calendar(encode_calendar(heap(), {month, longest})));
    EXPECT_FALSE(decode_calendar(encode_calendar(heap(), {month, longest + "x"})));
    EXPECT_FALSE(decode_calendar(encode_calendar(heap(), {month, ""})));
    EXPECT_FALSE(decode_calendar(encode_calendar(heap(), {month, "Asia Tokyo"})));
    EXPECT_FALSE(decode_calendar(encode_calendar(heap(), {{period_unit::month, 2}, "UTC"})));
    EXPECT_FALSE(decode_calendar(encode_calendar(heap(), {{period_unit::day, 36'501}, "UTC"})));
    EXPECT_FALSE(decode_calendar({}));
}

// histories

std::string per(std::string_view history, const zone &in, calendar_period period) {
    const byte_vector bytes = history::from_text(history, heap());
    const byte_vector merged = history::per(heap(), {bytes}, in.periods(period));
    EXPECT_EQ(history::validated(merged, heap()), merged);
    EXPECT_EQ(history::per(heap(), {merged}, in.periods(period)), merged);
    return std::string(history::to_text({merged}, heap()));
}

TEST(HistoryPer, MakesOnePurchaseOfEachPeriod) {
    constexpr std::string_view two_days =
        R"([["2026-01-01T14:59:59Z",1],["2026-01-01T15:00:00Z",2.5],["2026-01-01T23:00:00Z",4]])";
    EXPECT_EQ(per(two_days, utc, day), R"([["2026-01-01T14:59:59Z",7.5]])");
    EXPECT_EQ(per(two_days, tokyo, day), R"([["2026-01-01T14:59:59Z",1],["2026-01-01T15:00:00Z",6.5]])");
    EXPECT_EQ(per("[]", utc, day), "[]");
}

TEST(HistoryPer, LeavesRefundsAsTheyAre) {
    EXPECT_EQ(
        per(R"([["2026-01-01T01:00:00Z",-1],["2026-01-01T02:00:00Z",0],["2026-01-01T03:00:00Z",-2],["2026-01-01T04:00:00Z",5]])",
            utc, day),
        R"([["2026-01-01T01:00:00Z",-1],["2026-01-01T02:00:00Z",5],["2026-01-01T03:00:00Z",-2]])");
    EXPECT_EQ(per(R"([["2026-01-01T01:00:00Z",-1]])", utc, day), R"([["2026-01-01T01:00:00Z",-1]])");
}

TEST(HistoryPer, CountsRunsOfDaysFromTheFirstPurchase) {
    EXPECT_EQ(
        per(R"([["2026-01-10T23:00:00Z",-1],["2026-01-15T23:00:00Z",1],["2026-02-13T23:59:59Z",2],["2026-02-14T00:00:00Z",4]])",
            utc, thirty_days),
        R"([["2026-01-10T23:00:00Z",-1],["2026-01-15T23:00:00Z",3],["2026-02-14T00:00:00Z",4]])");
}

TEST(HistoryPer, FollowsADayThatBeginsTwice) {
    EXPECT_EQ(per(R"([["2006-10-29T02:30:30Z",1],["2006-10-29T02:31:30Z",2],["2006-10-29T12:00:00Z",4]])",
                  st_johns_2006, day),
              R"([["2006-10-29T02:30:30Z",5],["2006-10-29T02:31:30Z",2]])");
}

TEST(HistoryPer, RefusesASumBeyond64Bits) {
    EXPECT_ERROR(per(R"([["2026-01-01T01:00:00Z",9000000000000000000],["2026-01-01T02:00:00Z",-9000000000000000000],)"
                     R"(["2026-01-01T03:00:00Z",9000000000000000000]])",
                     utc, day),
                 numeric_value_out_of_range);
}

TEST(HistoryCohort, IsThePeriodOfTheFirstPurchase) {
    const auto cohort = [](std::string_view text, const zone &in, calendar_period period) {
        const byte_vector bytes = history::from_text(text, heap());
        const auto found = history::cohort(history::read_summary({bytes}), in.periods(period));
        return found ? shown(*found) : "none";
    };
    constexpr std::string_view refunded_first =
        R"([["2025-06-01T00:00:00Z",-5],["2025-12-31T15:30:00Z",0],["2026-05-01T00:00:00Z",1]])";
    EXPECT_EQ(cohort(refunded_first, utc, month), "2025-12-01");
    EXPECT_EQ(cohort(refunded_first, tokyo, month), "2026-01-01");
    EXPECT_EQ(cohort(refunded_first, tokyo, week), "2025-12-29");
    EXPECT_EQ(cohort(refunded_first, tokyo, thirty_days), "2025-12-15"); // 316 × 30 days from 2000-01-01
    EXPECT_EQ(cohort(R"([["2025-06-01T00:00:00Z",-5]])", utc, month), "none");
    EXPECT_EQ(cohort("[]", utc, month), "none");
}

} // namespace
} // namespace crm::test
