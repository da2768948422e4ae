#include "support.hpp"

#include "core/flat.hpp"
#include "rfm/state.hpp"

#include <limits>

namespace crm::test {
namespace {

using namespace crm::rfm;

bytes new_running() { return bytes(running::state_bytes); }

// The aggregate's transition and combine functions.
void accumulate(bytes &state, const window &over, timestamp at, decimal amount) {
    running customer = running::read(state, over);
    customer.add(at, amount);
    customer.write(state);
}

TEST(RunningMeasures, AgreeWithTheHistoryHoweverTheyWereMerged) {
    chance random(44);
    for (int round = 0; round < 2000; ++round) {
        const window over{at_day(random.between(-10, 10)),
                          random.one_in(2) ? window::lifetime : at_day(random.between(-20, 5))};
        std::vector<bytes> states(1 + random.below(5), new_running());
        std::vector<purchase> all;
        for (std::size_t i = 1 + random.below(12); i > 0; --i) {
            const decimal amount{random.between(-50, 1000), static_cast<int>(random.below(max_scale + 1))};
            const timestamp at = at_day(random.between(-25, 12), random.between(-1, 1));
            accumulate(random.pick(states), over, at, amount);
            all.push_back({at, rescale(amount.minor, amount.scale, max_scale)});
        }
        std::erase(states, new_running()); // an aggregate without rows has no state
        while (states.size() > 1) {
            random.shuffle(states);
            const bytes last = states.back();
            states.pop_back();
            merge_running(states.back(), last);
        }
        std::ranges::sort(all);
        const auto expected = measure({all, max_scale}, over), found = running::read(states.front()).finish();
        ASSERT_EQ(found.has_value(), expected.has_value());
        if (!found)
            continue;
        EXPECT_EQ(found->recency, expected->recency);
        EXPECT_EQ(found->frequency, expected->frequency);
        EXPECT_EQ(compare(found->monetary, expected->monetary), std::strong_ordering::equal);
    }
}

TEST(RunningMeasures, OnlyTheFinalSumHasToFit) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    const window over{at_day(1), window::lifetime};
    bytes state = new_running();
    for (const std::int64_t amount : {most, most, -most})
        accumulate(state, over, at_day(0), {amount, 0});
    EXPECT_EQ(running::read(state).finish()->monetary, (decimal{most, 0}));
    accumulate(state, over, at_day(0), {1, 0});
    EXPECT_ERROR(running::read(state).finish(), numeric_value_out_of_range);
    accumulate(state, over, at_day(0), {-1, 6});
    EXPECT_ERROR(running::read(state).finish(), numeric_value_out_of_range);
}

TEST(RunningMeasures, HoldMorePurchasesThanAnIntegerButDoNotReturnThem) {
    const window over{at_day(1), window::lifetime};
    running many{.over = over};
    many.add(at_day(0), {1, 0});
    for (int i = 0; i < 30; ++i)
        many.merge(running(many));
    EXPECT_EQ(many.finish()->frequency, 1 << 30);
    many.merge(running(many));
    EXPECT_ERROR(many.finish(), numeric_value_out_of_range);
}

TEST(RunningMeasures, NeedOneWindow) {
    const window over{at_day(1), at_day(0)};
    bytes state = new_running(), later = new_running(), wider = new_running();
    accumulate(state, over, at_day(1), {1, 0});
    EXPECT_ERROR(accumulate(state, {at_day(2), at_day(0)}, at_day(1), {1, 0}), invalid_parameter_value);
    EXPECT_ERROR(accumulate(state, {at_day(1), at_day(-1)}, at_day(1), {1, 0}), invalid_parameter_value);
    accumulate(later, {at_day(2), at_day(0)}, at_day(1), {1, 0});
    EXPECT_ERROR(merge_running(state, later), invalid_parameter_value);
    accumulate(wider, {at_day(1), at_day(-1)}, at_day(1), {1, 0});
    EXPECT_ERROR(merge_running(state, wider), invalid_parameter_value);
}

bytes new_population() { return bytes(population_bytes(1)); }

void add(bytes &population, const measures &of, int grades) {
    change_state(population, [&](std::span<std::byte> in) { return append(in, of, grades); });
}
void combine_populations(bytes &population, const bytes &other) {
    change_state(population, [&](std::span<std::byte> in) { return append_population(in, other); });
}

measures random_measures(chance &random) {
    return {static_cast<std::int32_t>(random.between(0, 400)),
            static_cast<std::int32_t>(random.between(0, 9)),
            {random.between(-50, 100'000), static_cast<int>(random.below(3))}};
}

TEST(Population, HasTheSameBandsHoweverItWasMerged) {
    chance random(45);
    for (int round = 0; round < 300; ++round) {
        const int grades = static_cast<int>(random.between(2, max_grades));
        std::vector<bytes> states(1 + random.below(5), new_population());
        bytes serial = new_population();
        for (std::size_t i = 1 + random.below(60); i > 0; --i) {
            const measures one = random_measures(random);
            add(random.pick(states), one, grades);
            add(serial, one, grades);
        }
        std::erase(states, new_population());
        while (states.size() > 1) {
            random.shuffle(states);
            const bytes last = states.back();
            states.pop_back();
            combine_populations(states.back(), last);
        }
        const bytes before = states.front();
        const auto expected = quantile_bands(heap(), serial), found = quantile_bands(heap(), states.front());
        EXPECT_EQ(states.front(), before) << "finishing must not change the state";
        ASSERT_TRUE(expected && found);
        EXPECT_EQ(found->cuts, grades - 1);
        EXPECT_EQ(found->recency, expected->recency);
        EXPECT_EQ(found->frequency, expected->frequency);
        EXPECT_EQ(found->monetary, expected->monetary);
    }
}

// A cut that nobody reaches is one more than the greatest measure, unless that is the greatest number.
TEST(Population, HasBandsInOrderUpToTheGreatestNumbers) {
    constexpr auto least = std::numeric_limits<std::int32_t>::min(), most = std::numeric_limits<std::int32_t>::max();
    bytes population(population_bytes(2));
    append(population, {least, most, {std::numeric_limits<std::int64_t>::max(), 0}}, 5);
    append(population, {most, most, {0, 0}}, 5);
    const auto found = quantile_bands(heap(), population);
    ASSERT_TRUE(found);
    check(*found);
    EXPECT_EQ(found->frequency[0], most);
    EXPECT_EQ(found->recency[0], least);
}

TEST(Population, OfNobodyHasNoBands) {
    EXPECT_FALSE(quantile_bands(heap(), new_population()));
    bytes nobody = new_population();
    combine_populations(nobody, new_population());
    EXPECT_FALSE(quantile_bands(heap(), nobody));
    add(nobody, {1, 1, {1, 0}}, 5);
    combine_populations(nobody, new_population());
    EXPECT_TRUE(quantile_bands(heap(), nobody));
}

TEST(Population, NeedsOneNumberOfGrades) {
    bytes fifths = new_population(), thirds = new_population();
    add(fifths, {1, 1, {1, 0}}, 5);
    add(thirds, {1, 1, {1, 0}}, 3);
    EXPECT_ERROR(add(fifths, {1, 1, {1, 0}}, 4), invalid_parameter_value);
    EXPECT_ERROR(combine_populations(fifths, thirds), invalid_parameter_value);
    for (const int grades : {0, 1, 10})
        EXPECT_ERROR(add(fifths, {1, 1, {1, 0}}, grades), invalid_parameter_value);
}

// The transition functions can be called by hand, with any bytes.
TEST(RfmStates, GarbageIsRefusedOrSurvived) {
    chance random(46);
    const auto attempt = [](auto &&use) {
        try {
            use();
        } catch (const error &) {
            // refused: fine
        }
    };
    const auto use_running = [&](bytes state) {
        const window over{at_day(1), at_day(0)};
        bytes sound = new_running();
        accumulate(sound, over, at_day(1), {5, static_cast<int>(random.below(7))});
        attempt([&] { running::read(state).finish(); });
        attempt([&] { merge_running(sound, state); });
        attempt([&] { merge_running(state, sound); });
        attempt([&] { accumulate(state, over, at_day(1), {5, static_cast<int>(random.below(7))}); });
    };
    const auto use_population = [&](bytes state) {
        bytes sound = new_population();
        add(sound, random_measures(random), 5);
        attempt([&] { quantile_bands(heap(), state); });
        attempt([&] { combine_populations(sound, state); });
        attempt([&] { add(state, random_measures(random), 5); });
    };
    const auto damage = [&](bytes &state) {
        for (std::uint64_t i = random.below(4); i > 0; --i)
            state[random.below(random.one_in(2) ? 24 : state.size())] =
                random.one_in(3) ? std::byte{0xFF} : static_cast<std::byte>(random.bits());
        if (random.one_in(8))
            state.resize(random.below(state.size() + 1));
    };
    for (int round = 0; round < 5'000; ++round) {
        bytes customer = new_running(), population = new_population();
        accumulate(customer, {at_day(1), at_day(0)}, at_day(1), {5, 2});
        bytes all_ones = customer;
        std::fill(all_ones.begin() + 16 + static_cast<std::ptrdiff_t>(random.below(9)) * 8, all_ones.end(),
                  random.one_in(2) ? std::byte{0x7F} : std::byte{0xFF});
        use_running(all_ones);
        damage(customer);
        use_running(customer);
        add(population, random_measures(random), 5);
        add(population, random_measures(random), 5);
        damage(population);
        use_population(population);
        use_running(random.some_bytes(random.below(120)));
        use_population(random.some_bytes(random.below(120)));
    }
    EXPECT_ERROR(running::read({}), invalid_parameter_value);
    EXPECT_ERROR(quantile_bands(heap(), {}), invalid_parameter_value);
    EXPECT_ERROR(running::read(new_population()), invalid_parameter_value);
    bytes customer = new_running();
    accumulate(customer, {at_day(1), at_day(0)}, at_day(1), {5, 2});
    EXPECT_ERROR(quantile_bands(heap(), customer), invalid_parameter_value);

    // One that is empty where it is merged into, and full where it is read, would merge differently in the two orders.
    store(customer.data() + offsetof(flat_head, count), std::uint64_t{0});
    EXPECT_ERROR(running::read(customer), invalid_parameter_value);
    EXPECT_ERROR(running::read(customer, {at_day(1), at_day(0)}), invalid_parameter_value);
    EXPECT_ERROR(running::read(new_running()), invalid_parameter_value);
}

} // namespace
} // namespace crm::test
