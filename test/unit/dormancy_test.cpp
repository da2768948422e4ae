#include "support.hpp"

#include "segment/dormancy.hpp"
#include "segment/trend.hpp"

#include <cmath>
#include <numeric>

namespace crm::test {
namespace {

using namespace crm::segment;

std::vector<observation> one_after_the_other(const std::vector<double> &values) {
    std::vector<observation> points;
    for (const double value : values)
        points.push_back({static_cast<double>(points.size()), value});
    return points;
}

std::int64_t kendall(const std::vector<double> &times, const std::vector<double> &values) {
    std::int64_t sum = 0;
    for (std::size_t j = 0; j < values.size(); ++j)
        for (std::size_t i = 0; i < j; ++i)
            sum += (times[i] != times[j]) * ((values[j] > values[i]) - (values[j] < values[i]));
    return sum;
}

TEST(Trend, ExactChanceIsTheShareOfAllOrders) {
    chance random(6101);
    for (std::size_t n = 2; n <= 8; ++n)
        for (int round = 0; round < 5; ++round) {
            std::vector<double> values(n), times(n);
            std::iota(values.begin(), values.end(), 1);
            std::iota(times.begin(), times.end(), 1);
            std::vector<double> order = values;
            random.shuffle(values);
            const std::int64_t seen = std::abs(kendall(times, values));
            double all = 0, as_clear = 0;
            do {
                ++all;
                as_clear += std::abs(kendall(times, order)) >= seen;
            } while (std::next_permutation(order.begin(), order.end()));
            EXPECT_NEAR(estimate_trend(one_after_the_other(values), heap())->p_value, as_clear / all, 1e-12);
        }
}

// With ties the variance is that over all orders of the same values.
TEST(Trend, TiesLowerTheVarianceByAsMuchAsTheyShould) {
    chance random(6102);
    for (int round = 0; round < 30; ++round) {
        std::vector<double> values(7), times(7);
        for (double &each : values)
            each = static_cast<double>(random.below(3));
        for (double &each : times)
            each = static_cast<double>(random.below(4));
        std::ranges::sort(times);
        std::vector<std::size_t> order(values.size());
        std::iota(order.begin(), order.end(), 0);
        double all = 0, squares = 0;
        do {
            std::vector<double> shuffled;
            for (const std::size_t i : order)
                shuffled.push_back(values[i]);
            const auto sum = static_cast<double>(kendall(times, shuffled));
            ++all;
            squares += sum * sum;
        } while (std::ranges::next_permutation(order).found);
        std::vector<observation> points;
        for (std::size_t i = 0; i < values.size(); ++i)
            points.push_back({times[i], values[i]});
        const auto found = estimate_trend(points, heap());
        ASSERT_EQ(found.has_value(), times.front() != times.back());
        if (!found)
            continue;
        const double sum = std::abs(static_cast<double>(kendall(times, values)));
        EXPECT_NEAR(found->p_value, sum == 0 ? 1 : std::erfc((sum - 1) / std::sqrt(2 * squares / all)), 1e-9);
    }
}

TEST(Trend, SlopeIsTheMedianOfAllSlopes) {
    EXPECT_DOUBLE_EQ(estimate_trend(one_after_the_other({5, 7, 9, 11}), heap())->slope, 2);
    EXPECT_DOUBLE_EQ(estimate_trend(one_after_the_other({1, 2, 3, 4, 1'000'000, 6, 7}), heap())->slope, 1);
    EXPECT_DOUBLE_EQ(estimate_trend(one_after_the_other({4, 1}), heap())->slope, -3);
    EXPECT_EQ(estimate_trend(one_after_the_other({4}), heap()), std::nullopt);
    EXPECT_EQ(estimate_trend(std::vector<observation>{{1, 2}, {1, 3}}, heap()), std::nullopt);
    EXPECT_EQ(direction_of(trend{1, 0.05}, 3), std::nullopt);
    EXPECT_EQ(direction_of(trend{1, 0.05}, 4), direction::rising);
    EXPECT_EQ(direction_of(trend{-1, 0.1}, 4), direction::falling);
    EXPECT_EQ(direction_of(trend{-1, 0.11}, 4), direction::steady);
}

// For long series the normal approximation comes close to the share of random orders that are as clear.
TEST(Trend, LongSeriesAreJudgedAlike) {
    chance random(6103);
    std::vector<double> values(40);
    std::iota(values.begin(), values.end(), 0);
    int clear = 0;
    constexpr int rounds = 4'000;
    for (int round = 0; round < rounds; ++round) {
        random.shuffle(values);
        clear += estimate_trend(one_after_the_other(values), heap())->p_value <= 0.1;
    }
    EXPECT_NEAR(clear, rounds / 10, 80);
}

std::optional<dormancy> dormancy_at(double day, const std::vector<double> &purchase_days,
                                    std::optional<double> shop = {}) {
    const auto time_of = [](double day) { return timestamp{static_cast<std::int64_t>(day * microseconds_per_day)}; };
    std::vector<purchase> entries;
    for (const double each : purchase_days)
        entries.push_back({time_of(std::abs(each)), each < 0 ? -1 : 100});
    return dormancy_of(heap(), {entries, 0}, time_of(day), shop);
}

TEST(Dormancy, ComparesWithTheOwnRhythm) {
    EXPECT_FALSE(dormancy_at(5, {}).has_value());
    EXPECT_FALSE(dormancy_at(5, {6, 7}).has_value());
    EXPECT_FALSE(dormancy_at(5, {-1}).has_value());
    const auto within = dormancy_at(110, {0, 20, 40, 60, 80, 100});
    EXPECT_EQ(within->purchases, 6);
    EXPECT_EQ(within->gaps, 5);
    EXPECT_DOUBLE_EQ(within->days_since, 10);
    EXPECT_DOUBLE_EQ(within->typical_days.value(), 20);
    EXPECT_DOUBLE_EQ(within->days_overdue.value(), 0);
    EXPECT_DOUBLE_EQ(within->score.value(), 0);
    EXPECT_EQ(within->gap_direction, direction::steady);
    EXPECT_EQ(within->reasons.front(), "10 days since the last purchase, within the usual 20 days");
    EXPECT_EQ(within->reasons.size(), 1u);
    // A gap too many is half, two are three quarters. One long holiday does not change the rhythm.
    const auto overdue = dormancy_at(440, {0, 20, 40, 60, 360, 380, 400});
    EXPECT_DOUBLE_EQ(overdue->typical_days.value(), 20);
    EXPECT_DOUBLE_EQ(overdue->days_overdue.value(), 20);
    EXPECT_DOUBLE_EQ(overdue->score.value(), 0.5);
    EXPECT_EQ(overdue->reasons.front(), "40 days since the last purchase, 2 times the usual 20 days");
    EXPECT_DOUBLE_EQ(dormancy_at(460, {0, 20, 40, 60, 360, 380, 400})->score.value(), 0.75);
}

TEST(Dormancy, OrdersOfOneVisitAndRefundsAreNoGaps) {
    const auto found = dormancy_at(35, {0, 0.2, 10, 10.9, -15, 20.9, 30});
    EXPECT_EQ(found->purchases, 6);
    EXPECT_EQ(found->gaps, 3);
    EXPECT_NEAR(found->typical_days.value(), 9.8, 1e-9);
    const auto one_visit = dormancy_at(35, {0, 0.2, 0.4});
    EXPECT_EQ(one_visit->gaps, 0);
    EXPECT_FALSE(one_visit->score.has_value());
    EXPECT_EQ(one_visit->reasons.front(), "34.6 days since the last purchase, and no rhythm to compare that with");
}

TEST(Dormancy, TheShopStandsInWhereThereAreFewGaps) {
    EXPECT_FALSE(dormancy_at(90, {0})->score.has_value());
    const auto once = dormancy_at(90, {0}, 45);
    EXPECT_DOUBLE_EQ(once->typical_days.value(), 45);
    EXPECT_DOUBLE_EQ(once->score.value(), 0.5);
    EXPECT_EQ(once->reasons.back(), "the usual time is the shop's: there is no gap between purchases yet");
    EXPECT_DOUBLE_EQ(dormancy_at(90, {0, 15}, 45)->typical_days.value(), 30);
    EXPECT_DOUBLE_EQ(dormancy_at(90, {0, 10, 30}, 45)->typical_days.value(), 20);
    for (const double wrong : {0.0, -1.0, std::nan(""), HUGE_VAL})
        EXPECT_ERROR(check_typical_days(wrong), invalid_parameter_value);
}

TEST(Dormancy, WideningGapsAreAnEarlyWarning) {
    const auto widening = dormancy_at(190, {0, 10, 22, 37, 55, 78, 106, 140, 180});
    EXPECT_EQ(widening->gap_direction, direction::rising);
    EXPECT_NEAR(widening->gap_change->p_value, 2.0 / 40'320, 1e-9);
    EXPECT_DOUBLE_EQ(widening->score.value(), 0.25);
    EXPECT_EQ(widening->reasons.back(), "gaps widen by 4.4 days from one to the next (8 gaps, p < 0.001)");
    const auto narrowing = dormancy_at(106, {0, 40, 70, 90, 100, 105});
    EXPECT_EQ(narrowing->gap_direction, direction::falling);
    EXPECT_DOUBLE_EQ(narrowing->score.value(), 0);
    EXPECT_EQ(narrowing->reasons.back(), "gaps narrow by 10 days from one to the next (5 gaps, p = 0.017)");
}

TEST(Dormancy, IsFiniteWhateverTheHistory) {
    chance random(6104);
    for (int round = 0; round < 2'000; ++round) {
        const random_entries entries(random, 120);
        const auto sorted = entries.sorted();
        const timestamp as_of{random.one_in(2) ? at_day(random.between(-40'000, 40'000))
                                               : timestamp{end_of_timestamps.us - 1}};
        const std::optional<double> shop = random.one_in(2) ? std::optional(1e-300) : std::nullopt;
        const auto found = dormancy_of(heap(), {sorted, entries.scale}, as_of, shop);
        const auto known =
            std::ranges::count_if(sorted, [&](const purchase &each) { return !each.is_refund() && each.at <= as_of; });
        ASSERT_EQ(found.has_value(), known > 0);
        if (!found)
            continue;
        EXPECT_EQ(found->purchases, known);
        EXPECT_GE(found->days_since, 0);
        EXPECT_LE(found->gaps, std::min<std::int64_t>(50, known - 1));
        for (const auto &each : {found->typical_days, found->days_overdue, found->score})
            EXPECT_TRUE(std::isfinite(each.value_or(0)));
        EXPECT_TRUE(found->score.value_or(0) >= 0 && found->score.value_or(0) <= 1);
        if (found->gap_change) {
            EXPECT_TRUE(std::isfinite(found->gap_change->slope));
            EXPECT_TRUE(found->gap_change->p_value > 0 && found->gap_change->p_value <= 1);
        }
        EXPECT_FALSE(found->reasons.empty());
    }
}

void add(bytes &state, timestamp at, double value) {
    change_state(state, [&](std::span<std::byte> in) { return add_signal(in, at, value, heap()); });
}

TEST(Signals, KeepTheLatestWhateverTheOrderAndTheWayOfMerging) {
    chance random(6105);
    for (int round = 0; round < 40; ++round) {
        std::vector<std::pair<std::int64_t, double>> all(1 + random.below(2'500));
        for (auto &[day, value] : all) {
            day = random.between(0, random.one_in(2) ? 10'000 : 300);
            value = static_cast<double>(random.between(-50, 50)) / 4;
        }
        std::vector<bytes> states(1 + random.below(4), bytes(signal_bytes()));
        bytes serial(signal_bytes());
        for (const auto &[day, value] : all) {
            add(random.pick(states), at_day(day), value);
            add(serial, at_day(day), value);
        }
        while (states.size() > 1) {
            const bytes last = states.back();
            states.pop_back();
            change_state(states.back(), [&](std::span<std::byte> in) { return merge_signals(in, last, heap()); });
        }
        std::ranges::sort(all);
        if (all.size() > most_observations)
            all.erase(all.begin(), all.end() - most_observations);
        std::vector<observation> points;
        std::vector<double> values;
        for (const auto &[day, value] : all) {
            points.push_back({static_cast<double>(day - all.front().first), value});
            values.push_back(value);
        }
        for (const bytes &state : {serial, states.front()}) {
            const auto found = summarize_signals(heap(), state);
            EXPECT_EQ(found->observations, static_cast<std::int32_t>(all.size()));
            EXPECT_DOUBLE_EQ(found->latest, all.back().second);
            EXPECT_DOUBLE_EQ(found->usual, median(values));
            const auto expected = estimate_trend(points, heap());
            ASSERT_EQ(found->change.has_value(), expected.has_value());
            if (expected) {
                EXPECT_DOUBLE_EQ(found->change->slope, expected->slope);
                EXPECT_DOUBLE_EQ(found->change->p_value, expected->p_value);
            }
        }
        EXPECT_LE(serial.size(), signal_bytes(2 * most_observations));
    }
}

TEST(Signals, MayLieAsFarApartAsTimesCan) {
    bytes state(signal_bytes());
    add(state, earliest_timestamp, 1);
    add(state, {end_of_timestamps.us - 1}, 2);
    EXPECT_GT(summarize_signals(heap(), state)->change->slope, 0);
}

TEST(Signals, RefuseWhatIsNoNumberAndWhatIsNoState) {
    bytes state(signal_bytes());
    EXPECT_EQ(summarize_signals(heap(), state), std::nullopt);
    for (const double wrong : {std::nan(""), HUGE_VAL, -HUGE_VAL, 1.1e100})
        EXPECT_ERROR(add_signal(state, at_day(1), wrong, heap()), numeric_value_out_of_range);
    add(state, at_day(1), 1e100);
    add(state, {at_day(1).us + 1}, -1e100);
    EXPECT_TRUE(std::isfinite(summarize_signals(heap(), state)->change->slope));
    chance random(6106);
    for (int round = 0; round < 1'000; ++round) {
        bytes damaged = state;
        damaged[random.below(damaged.size())] = static_cast<std::byte>(random.bits());
        try {
            summarize_signals(heap(), damaged);
        } catch (const error &thrown) {
            EXPECT_STREQ(thrown.state.code, invalid_parameter_value.code);
        }
    }
}

} // namespace
} // namespace crm::test
