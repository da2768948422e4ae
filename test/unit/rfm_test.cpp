#include "support.hpp"

#include "rfm/rfm.hpp"

namespace crm::test {
namespace {

using namespace crm::rfm;

TEST(Rfm, MeasuresLikeAPlainLoop) {
    chance random(40);
    std::size_t measured = 0;
    for (int round = 0; round < 5000; ++round) {
        const random_entries some(random, 12);
        const auto sorted = some.sorted();
        const timestamp as_of =
            some.list.empty() ? timestamp{0} : timestamp{random.pick(some.list).at.us + random.between(-1, 1)};
        const timestamp since = random.one_in(3) || some.list.empty() ? window::lifetime : random.pick(some.list).at;
        std::optional<timestamp> last;
        int frequency = 0;
        std::int64_t monetary = 0;
        for (const purchase &each : sorted) {
            if (each.at <= as_of && each.amount >= 0)
                last = each.at;
            if (each.at <= as_of && each.at > since) {
                frequency += each.amount >= 0;
                monetary += each.amount;
            }
        }
        const byte_vector value = some.encoded();
        for (const auto &found :
             {measure({sorted, some.scale}, {as_of, since}), measure(history::view{value}, {as_of, since}, heap())}) {
            ASSERT_EQ(found.has_value(), last.has_value());
            if (!found)
                continue;
            ++measured;
            EXPECT_EQ(found->recency, (as_of.us - last->us) / microseconds_per_day);
            EXPECT_EQ(found->frequency, frequency);
            EXPECT_EQ(compare(found->monetary, {monetary, some.scale}), std::strong_ordering::equal);
        }
    }
    EXPECT_GT(measured, 3000u);
}

TEST(Rfm, WindowLeavesOutItsBeginAndHoldsItsEnd) {
    const std::vector<purchase> list{{at_day(0), 1}, {at_day(10), 20}, {at_day(11), 300}};
    const auto found = measure({list, 0}, {at_day(10), at_day(0)});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->recency, 0);
    EXPECT_EQ(found->frequency, 1);
    EXPECT_EQ(found->monetary, (decimal{20, 0}));
}

TEST(Rfm, RefundsLowerRevenueOnly) {
    const std::vector<purchase> list{{at_day(0), -7}, {at_day(1), 100}, {at_day(5), -40}};
    const auto found = measure({list, 0}, {at_day(5), window::lifetime});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->recency, 4);
    EXPECT_EQ(found->frequency, 1);
    EXPECT_EQ(found->monetary, (decimal{53, 0}));
    EXPECT_FALSE(measure({list, 0}, {at_day(0), window::lifetime})) << "a refund makes no customer";
}

TEST(Rfm, SumThatDoesNotFitIsAnError) {
    const std::vector<purchase> list(2, {at_day(0), std::numeric_limits<std::int64_t>::max()});
    EXPECT_ERROR(measure({list, 0}, {at_day(1), window::lifetime}), numeric_value_out_of_range);
}

TEST(Rfm, RecencyIsWholeDays) {
    EXPECT_EQ(recency_days(at_day(0), at_day(1, -1)), 0);
    EXPECT_EQ(recency_days(at_day(0), at_day(1)), 1);
    EXPECT_EQ(recency_days(at_day(-30), at_day(0, microseconds_per_day - 1)), 30);
}

int r_of(std::int32_t recency) { return grade({recency, 1, {0, 0}}, published_bands()).r(); }
int f_of(std::int32_t frequency) { return grade({0, frequency, {0, 0}}, published_bands()).f(); }
int m_of(decimal monetary) { return grade({0, 1, monetary}, published_bands()).m(); }

TEST(Bands, PublishedOnesReachAGradeAtItsBound) {
    const std::vector<std::pair<std::int32_t, int>> recencies{{0, 5},  {30, 5}, {31, 4},  {60, 4}, {61, 3},
                                                              {90, 3}, {91, 2}, {180, 2}, {181, 1}};
    for (const auto &[recency, expected] : recencies)
        EXPECT_EQ(r_of(recency), expected) << recency;
    const std::vector<std::pair<std::int32_t, int>> frequencies{{0, 1}, {1, 1}, {2, 2}, {3, 2},  {4, 3},
                                                                {6, 3}, {7, 4}, {9, 4}, {10, 5}, {500, 5}};
    for (const auto &[frequency, expected] : frequencies)
        EXPECT_EQ(f_of(frequency), expected) << frequency;
    const std::vector<std::pair<decimal, int>> amounts{{{-50'000, 0}, 1}, {{0, 0}, 1},         {{9'999, 0}, 1},
                                                       {{10'000, 0}, 2},  {{29'999, 0}, 2},    {{30'000, 0}, 3},
                                                       {{49'999, 0}, 3},  {{50'000, 0}, 4},    {{99'999, 0}, 4},
                                                       {{100'000, 0}, 5}, {{9'999'999, 2}, 4}, {{10'000'000, 2}, 5}};
    for (const auto &[amount, expected] : amounts)
        EXPECT_EQ(m_of(amount), expected) << amount.minor;
}

TEST(Bands, NoPurchaseInTheWindowGradesOne) {
    bands all_reached{.cuts = 2};
    EXPECT_EQ(grade({0, 0, {0, 0}}, all_reached).rfm, 313);
    EXPECT_EQ(grade({0, 1, {0, 0}}, all_reached).rfm, 333);
}

TEST(Bands, MustNotTurn) {
    check(published_bands());
    check({.cuts = 4}); // equal neighbours
    for (std::size_t i = 0; i < 3; ++i) {
        bands turned = published_bands();
        std::swap(turned.recency[i], turned.recency[i + 1]);
        EXPECT_ERROR(check(turned), invalid_parameter_value);
        turned = published_bands();
        std::swap(turned.frequency[i], turned.frequency[i + 1]);
        EXPECT_ERROR(check(turned), invalid_parameter_value);
        turned = published_bands();
        std::swap(turned.monetary[i], turned.monetary[i + 1]);
        EXPECT_ERROR(check(turned), invalid_parameter_value);
    }
    bands across_scales = published_bands();
    across_scales.monetary[1] = {10'000'001, 2};
    EXPECT_ERROR(check(across_scales), invalid_parameter_value);
    across_scales.monetary[1] = {10'000'000, 2};
    check(across_scales);
}

TEST(Bands, HaveTwoToNineGrades) {
    for (std::int64_t grades = 2; grades <= 9; ++grades)
        check_grades(grades);
    for (const std::int64_t grades :
         {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, std::int64_t{10}, std::int64_t{1} << 40})
        EXPECT_ERROR(check_grades(grades), invalid_parameter_value);
}

// Reading the bands from the best grade down, as people do.
TEST(Bands, GradeByTheFirstCutReached) {
    chance random(41);
    for (int round = 0; round < 2000; ++round) {
        bands by{.cuts = static_cast<int>(random.between(1, 8))};
        const auto cuts = static_cast<std::size_t>(by.cuts);
        for (std::size_t i = 0; i < cuts; ++i) {
            by.recency[i] = static_cast<std::int32_t>(random.between(0, 20));
            by.frequency[i] = static_cast<std::int32_t>(random.between(0, 20));
            by.monetary[i] = {random.between(-20, 20), 1};
        }
        std::ranges::sort(std::span(by.recency).first(cuts));
        std::ranges::sort(std::span(by.frequency).first(cuts), std::greater{});
        std::ranges::sort(std::span(by.monetary).first(cuts), std::greater{}, &decimal::minor);
        check(by);
        const measures of{static_cast<std::int32_t>(random.between(0, 22)),
                          static_cast<std::int32_t>(random.between(0, 22)),
                          {random.between(-220, 220), 2}};
        const auto first_reached = [&](auto &&reached) {
            std::size_t i = 0;
            while (i < cuts && !reached(i))
                ++i;
            return by.grades() - static_cast<int>(i);
        };
        const score found = grade(of, by);
        EXPECT_EQ(found.r(), first_reached([&](std::size_t i) { return of.recency <= by.recency[i]; }));
        EXPECT_EQ(found.f(), of.frequency == 0 ? 1 : first_reached([&](std::size_t i) {
                      return of.frequency >= by.frequency[i];
                  }));
        EXPECT_EQ(found.m(),
                  first_reached([&](std::size_t i) { return of.monetary.minor >= by.monetary[i].minor * 10; }));
    }
}

TEST(Score, IsThreeDigitsFromOneToNine) {
    for (std::int64_t value = -1000; value < 12'000; ++value) {
        const std::string text = std::to_string(value);
        EXPECT_EQ(is_score(value), text.size() == 3 && text.find_first_not_of("123456789") == std::string::npos)
            << value;
    }
    EXPECT_EQ(score::of(5, 4, 3).rfm, 543);
    const score one{987};
    EXPECT_EQ(std::tuple(one.r(), one.f(), one.m()), std::tuple(9, 8, 7));
}

} // namespace
} // namespace crm::test
