// Revenue by calendar periods, which tiers that hold for a year go by.
#include "support.hpp"

#include "tier/revenue.hpp"

#include <limits>

namespace crm::test {
namespace {

using tier::revenue_by_period;

constexpr std::int64_t hour = 3'600 * microseconds_per_second;

timestamp at(std::string_view text) {
    const auto found = parse_timestamp(text);
    EXPECT_TRUE(found) << text;
    return found.value_or(timestamp{});
}

// Calendars of a zone that is nine hours ahead all the time.
calendar of_tokyo(period_unit unit) {
    static const std::vector<offset_change> always{{{earliest_timestamp.us - 40'000 * microseconds_per_day}, 9 * hour}};
    return {{unit, 1}, zone_offsets(always, {std::numeric_limits<std::int64_t>::max()})};
}

TEST(PeriodRevenue, IsThatOfLastYearAndOfThisYearSoFar) {
    const std::vector<purchase> entries{{at("2023-12-31T14:59:59Z"), 1},   // 2023 in Tokyo
                                        {at("2023-12-31T15:00:00Z"), 20},  // 2024
                                        {at("2024-07-01T00:00:00Z"), -5},  // a refund counts at its own time
                                        {at("2024-12-31T15:00:00Z"), 300}, // 2025
                                        {at("2025-06-01T00:00:00Z"), 4'000},
                                        {at("2025-12-31T15:00:00Z"), 50'000}}; // 2026
    const purchases all{entries, 1};
    const auto on = [&](std::string_view as_of) {
        return revenue_by_period(all, of_tokyo(period_unit::year), at(as_of));
    };
    EXPECT_EQ(on("2024-12-31T14:59:59Z").last, (decimal{1, 1}));
    EXPECT_EQ(on("2024-12-31T14:59:59Z").running, (decimal{15, 1}));
    EXPECT_EQ(on("2024-12-31T15:00:00Z").last, (decimal{15, 1}));
    EXPECT_EQ(on("2024-12-31T15:00:00Z").running, (decimal{300, 1}));
    EXPECT_EQ(on("2025-05-31T23:59:59.999999Z").running, (decimal{300, 1}));
    EXPECT_EQ(on("2025-06-01T00:00:00Z").running, (decimal{4'300, 1}));
    EXPECT_EQ(on("2026-06-01T00:00:00Z").last, (decimal{4'300, 1}));
    EXPECT_EQ(on("2027-06-01T00:00:00Z").last, (decimal{50'000, 1}));
    EXPECT_EQ(on("2028-06-01T00:00:00Z").last, (decimal{0, 1}));
}

TEST(PeriodRevenue, IsTheSumOfTheEntriesOfBothPeriods) {
    chance random(6105);
    for (int round = 0; round < 2'000; ++round) {
        const random_entries entries(random, 60);
        const auto sorted = entries.sorted();
        const calendar periods = of_tokyo(random.one_in(2) ? period_unit::year : period_unit::month);
        const timestamp as_of =
            sorted.empty() || random.one_in(4) ? at_day(random.between(-20'000, 20'000)) : sorted[sorted.size() / 2].at;
        std::int64_t last = 0, running = 0;
        for (const purchase &each : sorted) {
            const auto age = periods.period_index(as_of) - periods.period_index(each.at);
            last += age == 1 ? each.amount : 0;
            running += age == 0 && each.at <= as_of ? each.amount : 0;
        }
        const auto found = revenue_by_period({sorted, entries.scale}, periods, as_of);
        EXPECT_EQ(found.last, (decimal{last, entries.scale}));
        EXPECT_EQ(found.running, (decimal{running, entries.scale}));
    }
}

TEST(PeriodRevenue, RefusesASumOutOfRange) {
    const std::vector<purchase> entries{{at("2025-01-01T00:00:00Z"), std::numeric_limits<std::int64_t>::max()},
                                        {at("2025-01-02T00:00:00Z"), 1}};
    EXPECT_ERROR(revenue_by_period({entries, 0}, of_tokyo(period_unit::year), at("2025-02-01T00:00:00Z")),
                 numeric_value_out_of_range);
}

} // namespace
} // namespace crm::test
