#include "support.hpp"

#include "rfm/quantiles.hpp"

namespace crm::test {
namespace {

using namespace crm::rfm;

// The definition: 1 + floor(n × share of the values that are strictly less).
int grade_of(std::int64_t value, const std::vector<std::int64_t> &among, int grades) {
    const auto less = std::ranges::count_if(among, [&](std::int64_t each) { return each < value; });
    return 1 + static_cast<int>(static_cast<wide_int>(grades) * less / static_cast<wide_int>(among.size()));
}

std::vector<std::int64_t> cuts_of(const std::vector<std::int64_t> &values, int grades) {
    value_range range;
    for (std::int64_t each : values)
        range.add(each);
    cut_search search(range, values.size(), grades, heap());
    while (search.begin_pass())
        for (std::int64_t each : values)
            search.visit(each);
    std::vector<std::int64_t> cuts;
    for (int grade = 2; grade <= grades; ++grade)
        cuts.push_back(search.least_of(grade));
    return cuts;
}

void expect_definition(const std::vector<std::int64_t> &values) {
    for (int grades = 2; grades <= max_grades; ++grades) {
        const auto cuts = cuts_of(values, grades);
        for (int grade = 2; grade <= grades; ++grade) {
            std::int64_t least = *std::ranges::max_element(values) + 1;
            for (std::int64_t each : values)
                if (grade_of(each, values, grades) >= grade)
                    least = std::min(least, each);
            ASSERT_EQ(cuts[static_cast<std::size_t>(grade - 2)], least)
                << "grade " << grade << " of " << grades << ", " << values.size() << " values";
        }
    }
}

TEST(Quantiles, FollowTheDefinition) {
    chance random(42);
    for (int round = 0; round < 600; ++round) {
        std::vector<std::int64_t> values(1 + random.below(round % 20 == 0 ? 200 : 25));
        const std::uint64_t kind = random.below(6);
        const std::int64_t middle = random.number() / 2;
        for (std::int64_t &each : values)
            each = kind == 0   ? random.between(0, 3)
                   : kind == 1 ? random.between(-100, 100)
                   : kind == 2 ? middle + random.between(-40'000, 40'000)
                   : kind == 3 ? random.number()
                   : kind == 4 ? static_cast<std::int64_t>(random.bits())
                               : middle + random.between(-1, 1) * (std::int64_t{1} << 14 * random.below(4));
        for (std::int64_t &each : values)
            each = std::min(each, std::numeric_limits<std::int64_t>::max() - 1); // one more must exist
        expect_definition(values);
    }
}

TEST(Quantiles, HoldForFewAndEqualValues) {
    constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                           most = std::numeric_limits<std::int64_t>::max() - 1;
    for (const auto &values : std::vector<std::vector<std::int64_t>>{{0},
                                                                     {least},
                                                                     {most},
                                                                     {7, 7},
                                                                     {5, 5, 5, 5, 5, 5, 5},
                                                                     {least, most},
                                                                     {least, least, most},
                                                                     {-1, 0},
                                                                     {most - 1, most},
                                                                     {least, 0, most}})
        expect_definition(values);
}

TEST(Quantiles, FifthsOfAHundredAreTheTwentieths) {
    std::vector<std::int64_t> values;
    for (int i = 1; i <= 100; ++i)
        values.push_back(i);
    EXPECT_EQ(cuts_of(values, 5), (std::vector<std::int64_t>{21, 41, 61, 81}));
}

// With 70 % one-time buyers, NTILE would give them four different grades.
TEST(Quantiles, NeverSplitTies) {
    std::vector<std::int64_t> values(70, 1);
    for (int i = 0; i < 30; ++i)
        values.push_back(2 + i);
    EXPECT_EQ(cuts_of(values, 5), (std::vector<std::int64_t>{2, 2, 2, 12}));
}

struct member {
    std::int32_t recency, frequency;
    std::int64_t monetary;
};

TEST(Quantiles, BandsGradeEverybodyByTheDefinition) {
    chance random(43);
    for (int round = 0; round < 200; ++round) {
        std::vector<member> members(1 + random.below(60));
        std::vector<std::int64_t> recencies, frequencies, amounts;
        measure_ranges ranges;
        for (member &each : members) {
            each = {static_cast<std::int32_t>(random.between(0, 400)), static_cast<std::int32_t>(random.between(0, 6)),
                    random.between(-500, 100'000)};
            recencies.push_back(-each.recency);
            frequencies.push_back(each.frequency);
            amounts.push_back(each.monetary);
            ranges.add(measure_values::of(each.recency, each.frequency, each.monetary));
        }
        const int grades = static_cast<int>(random.between(2, max_grades));
        const bands found = quantile_bands(heap(), ranges, members.size(), grades, 2, [&](auto visit) {
            for (const member &each : members)
                visit(measure_values::of(each.recency, each.frequency, each.monetary));
        });
        check(found);
        ASSERT_EQ(found.grades(), grades);
        for (const member &each : members) {
            const score given = grade({each.recency, each.frequency, {each.monetary, 2}}, found);
            EXPECT_EQ(given.r(), grade_of(-each.recency, recencies, grades));
            EXPECT_EQ(given.f(), grade_of(each.frequency, frequencies, grades)) << "frequency " << each.frequency;
            EXPECT_EQ(given.m(), grade_of(each.monetary, amounts, grades));
        }
    }
}

} // namespace
} // namespace crm::test
