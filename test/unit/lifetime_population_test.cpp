// What the models see of a customer, and how customers are counted and laid out for a fit.
#include "lifetime_support.hpp"

#include "lifetime/tally.hpp"
#include "lifetime/weighted_median.hpp"

namespace crm::test {
namespace {

constexpr std::int64_t hour = 3'600 * microseconds_per_second;

// Days in a zone of one offset.
class zone_days {
  public:
    explicit zone_days(std::int64_t offset = 0) : changes_{{{earliest_timestamp, offset}}} {}
    calendar days() const { return {{}, zone_offsets(changes_, end_of_timestamps)}; }

  private:
    std::array<offset_change, 1> changes_;
};

std::optional<customer_seen> see_all(std::vector<purchase> entries, timestamp as_of, double unit = 1,
                                     std::int64_t offset = 0, int scale = 0) {
    std::ranges::sort(entries);
    const zone_days zone(offset);
    return see(purchases{entries, scale}, as_of, zone.days(), unit, heap());
}

void expect_seen(const std::optional<customer_seen> &found, std::int64_t x, double t_x, double T, double mean) {
    ASSERT_TRUE(found);
    EXPECT_EQ(found->purchases.repeats, x);
    EXPECT_EQ(found->purchases.last, t_x);
    EXPECT_EQ(found->purchases.age, T);
    EXPECT_EQ(found->spending.orders, x);
    EXPECT_EQ(found->spending.mean, mean);
}

// The first customer of the CDNOW sample: 1997-01-01 29.33, 01-18 29.73, 08-02 14.96, 12-12 26.48, and the end of the
// calibration on 1997-09-30. Its row of the summary is 2, 30.43, 38.86, 22.345.
TEST(Transactions, OfACustomerOfTheCdnowSample) {
    const auto on = [](const char *day) { return *parse_timestamp(std::string(day) + "T00:00:00Z"); };
    const auto found = see_all(
        {{on("1997-01-01"), 2933}, {on("1997-01-18"), 2973}, {on("1997-08-02"), 1496}, {on("1997-12-12"), 2648}},
        on("1997-09-30"), 7, 0, 2);
    expect_seen(found, 2, 213.0 / 7, 272.0 / 7, 22.345);
}

TEST(Transactions, OfOneDayAreOneOrder) {
    const std::int64_t day = microseconds_per_day;
    expect_seen(see_all({{{0}, 5}, {{day - 1}, 7}}, {3 * day}), 0, 0, 3, 0);
    expect_seen(see_all({{{0}, 5}, {{day}, 7}, {{day + 1}, 8}, {{2 * day}, 1}}, {3 * day}), 2, 2, 3, 8);
}

TEST(Transactions, DaysAreThoseOfTheZone) {
    const std::vector<purchase> entries{{{14 * hour}, 1}, {{15 * hour}, 4}}; // midnight in Tokyo is 15:00 UTC
    expect_seen(see_all(entries, {20 * hour}), 0, 0, 0, 0);
    expect_seen(see_all(entries, {20 * hour}, 1, 9 * hour), 1, 1, 1, 4);
}

TEST(Transactions, RefundsAreNoneAndZeroIsOne) {
    expect_seen(
        see_all({{at_day(0), 10}, {at_day(1), -10}, {at_day(2), 0}, {at_day(3), -5}, {at_day(4), 6}}, at_day(9)), 2, 4,
        9, 3);
    EXPECT_FALSE(see_all({{at_day(0), -10}}, at_day(9)));
    expect_seen(see_all({{at_day(0), -10}, {at_day(2), 10}}, at_day(9)), 0, 0, 7, 0);
}

TEST(Transactions, NothingLiesAfterAsOf) {
    const std::vector<purchase> entries{{at_day(3), 1}, {at_day(5, 1), 1}, {at_day(8), 1}};
    EXPECT_FALSE(see_all(entries, at_day(3, -1)));
    expect_seen(see_all(entries, at_day(3)), 0, 0, 0, 0);
    expect_seen(see_all(entries, at_day(5)), 0, 0, 2, 0);
    expect_seen(see_all(entries, at_day(5, 1)), 1, 2, 2, 1);
}

// Clocks that are set back at midnight repeat an hour of the day before.
TEST(Transactions, DaysMayStepBack) {
    const std::array<offset_change, 2> changes{{{earliest_timestamp, 0}, {{24 * hour}, -hour}}};
    const calendar days({}, zone_offsets(changes, end_of_timestamps));
    const std::vector<purchase> entries{{{-hour}, 1}, {{23 * hour}, 2}, {{24 * hour}, 3}, {{25 * hour}, 4}};
    const auto found = see(purchases{entries, 0}, {25 * hour}, days, 1, heap());
    expect_seen(found, 2, 2, 2, 4.5);
}

TEST(Transactions, OfAHistoryAreThoseOfItsEntries) {
    chance random(30);
    const zone_days zone(3 * hour);
    for (int round = 0; round < 2000; ++round) {
        const random_entries some(random, round % 2 == 0 ? 3 : 12);
        const byte_vector stored = some.encoded();
        const timestamp as_of = {random.between(-200, 200) * microseconds_per_day};
        const history::view view{stored};
        const history::entries decoded = history::decode(view, heap());
        const auto expected = see(decoded, as_of, zone.days(), 7, heap());
        const auto found = see(history::read_summary({stored}), view, as_of, zone.days(), 7, heap());
        ASSERT_EQ(found.has_value(), expected.has_value());
        if (expected)
            expect_seen(found, expected->purchases.repeats, expected->purchases.last, expected->purchases.age,
                        expected->spending.mean);
    }
}

TEST(Transactions, UnitsAreDaysAndWeeks) {
    EXPECT_EQ(days_per_unit({period_unit::day, 1}), 1);
    EXPECT_EQ(days_per_unit({period_unit::week, 1}), 7);
    for (const calendar_period other : {calendar_period{period_unit::day, 30}, calendar_period{period_unit::month, 1}})
        EXPECT_ERROR(days_per_unit(other), invalid_parameter_value);
}

TEST(Summaries, AreChecked) {
    EXPECT_EQ(checked_summary(2, 30.43, 38.86).repeats, 2);
    EXPECT_FALSE(std::signbit(checked_summary(0, -0.0, 5).last));
    const double nan = std::nan("");
    struct {
        std::int64_t x;
        double t_x, T;
    } const wrong[] = {{-1, 1, 2},
                       {1, 3, 2},
                       {1, 0, 2},
                       {0, 1, 2},
                       {1, -1, 2},
                       {0, 0, -1},
                       {1, nan, 2},
                       {1, 1, nan},
                       {1, 1, HUGE_VAL},
                       {most_repeats + 1, 1, 2},
                       {1, 1, 2 * longest_age}};
    for (const auto &[x, t_x, T] : wrong)
        EXPECT_ERROR(checked_summary(x, t_x, T), invalid_parameter_value);
    EXPECT_ERROR(checked_spending(-1, 5), invalid_parameter_value);
    EXPECT_ERROR(checked_spending(1, -5), invalid_parameter_value);
    EXPECT_ERROR(checked_spending(1, nan), invalid_parameter_value);
    EXPECT_ERROR(checked_spending(1, HUGE_VAL), invalid_parameter_value);
}

std::vector<purchases_seen> some_customers(chance &random, int most) {
    std::vector<purchases_seen> made(random.below(static_cast<std::uint64_t>(most)));
    for (purchases_seen &each : made) {
        each.age = static_cast<double>(random.between(0, 12));
        each.repeats = each.age == 0 ? 0 : random.between(0, 3);
        each.last = each.repeats == 0 ? 0 : static_cast<double>(random.between(1, static_cast<int>(each.age)));
    }
    return made;
}

// Against a plain count of the same customers.
TEST(Population, HoldsEveryCustomerOnceHoweverTheyWereMerged) {
    chance random(31);
    const byte_vector week = calendar_of("week Asia/Tokyo");
    const terms with{at_day(5), week};
    for (int round = 0; round < 300; ++round) {
        std::vector<bytes> states(1 + random.below(4), bytes(initial_population_bytes()));
        std::map<std::array<double, 3>, double> expected;
        double newcomers = 0;
        std::vector<double> ages;
        for (const purchases_seen &each : some_customers(random, 300)) {
            change_state(random.pick(states), [&](std::span<std::byte> in) { return count_customer(in, each, with); });
            if (each.age > 0)
                ++expected[{static_cast<double>(each.repeats), each.last, each.age}];
            newcomers += each.age == 0;
            if (each.age > 0)
                ages.push_back(each.age);
        }
        for (; states.size() > 1; states.pop_back())
            change_state(states.front(), [&](std::span<std::byte> in) { return merge_population(in, states.back()); });
        const population all(heap(), states.front());
        EXPECT_EQ(static_cast<double>(all.newcomers()), newcomers);
        EXPECT_EQ(all.customers(), static_cast<std::int64_t>(ages.size()));
        std::ranges::sort(ages);
        if (!ages.empty()) {
            EXPECT_EQ(all.median_age(), ages[(ages.size() - 1) / 2]);
            EXPECT_EQ(all.oldest_age(), ages.back());
            EXPECT_EQ(all.days_per_unit(), 7);
        }
        auto next = expected.begin();
        double repeats = 0, repeaters = 0, quick = 0;
        for (const population::run &run : all.runs()) {
            double customers = 0;
            for (std::size_t i = run.begin; i < run.end; ++i, ++next) {
                const population::group &found = all.groups()[i];
                const auto &[key, count] = *next; // in the same order
                EXPECT_EQ(run.repeats, key[0]);
                EXPECT_EQ(all.times()[found.last], key[1] / all.scale());
                EXPECT_EQ(all.times()[found.age], key[2] / all.scale());
                EXPECT_EQ(found.customers, count);
                customers += count;
                repeats += key[0] * count;
                repeaters += key[0] > 0 ? count : 0;
                quick += key[0] > 0 && key[1] / key[0] <= all.median_age() ? count : 0;
            }
            EXPECT_EQ(run.customers, customers);
        }
        EXPECT_EQ(next, expected.end());
        EXPECT_EQ(all.repeats(), repeats);
        EXPECT_EQ(static_cast<double>(all.repeaters()), repeaters);
        EXPECT_EQ(static_cast<double>(all.quick_repeaters()), quick);
    }
}

TEST(Population, SampleStandsForAll) {
    draw random(32);
    const population all = population_of(simulated(bgnbd{0.243, 4.414, 0.793, 2.426}, 5000, 20, 80, random));
    const population part = all.sample(250);
    EXPECT_LE(part.groups().size(), 250u);
    EXPECT_NEAR(static_cast<double>(part.customers()), 250, 1);
    EXPECT_EQ(part.scale(), all.scale());
    EXPECT_NEAR(part.repeats() / 250, all.repeats() / 5000, 0.1 * all.repeats() / 5000);
    // More than there are of one kind.
    const population alike = population_of(std::vector<purchases_seen>(1000, {0, 0, 30})).sample(10);
    ASSERT_EQ(alike.groups().size(), 1u);
    EXPECT_EQ(alike.groups()[0].customers, 10);
}

TEST(Population, OfDifferentTermsDoNotMix) {
    const byte_vector week = calendar_of("week UTC"), day = calendar_of("day UTC");
    bytes state(initial_population_bytes()), other(initial_population_bytes());
    const auto count = [](bytes &to, const terms &with) {
        change_state(to, [&](std::span<std::byte> in) { return count_customer(in, {0, 0, 3}, with); });
    };
    count(state, {at_day(1), week});
    EXPECT_ERROR(count(state, {at_day(2), week}), invalid_parameter_value);
    EXPECT_ERROR(count(state, {at_day(1), day}), invalid_parameter_value);
    EXPECT_ERROR(count(state, {at_day(1), week, method::map}), invalid_parameter_value);
    merge_population(state, other); // of nobody
    merge_population(other, other);
    count(other, {at_day(1), day});
    EXPECT_ERROR(merge_population(state, other), invalid_parameter_value);
    EXPECT_EQ(terms_of_population(state).as_of, at_day(1));
    EXPECT_TRUE(std::ranges::equal(terms_of_population(other).calendar, day));
}

// Transition functions can be called by hand, with any bytes.
TEST(Population, OfMutilatedStatesIsRefusedOrHarmless) {
    chance random(33);
    const byte_vector week = calendar_of("week UTC");
    bytes state(initial_population_bytes());
    for (const purchases_seen &each : some_customers(random, 60))
        change_state(state, [&](std::span<std::byte> in) { return count_customer(in, each, {{}, week}); });
    int refused = 0;
    for (int round = 0; round < 5000; ++round) {
        bytes changed = state;
        for (std::uint64_t i = 1 + random.below(3); i > 0; --i)
            changed[random.below(random.one_in(2) ? 320 : changed.size())] = static_cast<std::byte>(random.bits());
        changed.resize(random.one_in(5) ? random.below(changed.size()) : changed.size());
        try {
            const population all(heap(), changed);
            fit<bgnbd>(all, method::map);
        } catch (const error &) {
            ++refused;
        }
        try {
            bytes into = state;
            change_state(into, [&](std::span<std::byte> in) { return merge_population(in, changed); });
        } catch (const error &) {
            ++refused;
        }
    }
    EXPECT_GT(refused, 1000);
}

TEST(Population, SaysWhenItIsTooLarge) {
    const byte_vector week = calendar_of("week UTC");
    flat_store state(heap(), initial_population_bytes());
    const auto count = [&](std::int64_t i) {
        state.change([&](std::span<std::byte> in) {
            return count_customer(in, {0, 0, static_cast<double>(i)}, {{}, week});
        });
    };
    constexpr std::int64_t most = std::int64_t{1} << 22;
    for (std::int64_t i = 0; i < most; ++i)
        count(i);
    EXPECT_ERROR(count(most), program_limit_exceeded);
    count(most - 1);
    EXPECT_LT(state.bytes().size(), std::size_t{1} << 30);
}

TEST(Spendings, AreCountedByOrdersAndMean) {
    const spendings all = spendings_of({{2, 10}, {1, 30}, {0, 0}, {2, 0}, {2, 10}, {1, 20}});
    EXPECT_EQ(all.customers(), 4);
    EXPECT_EQ(all.left_out(), 2);
    EXPECT_EQ(all.scale(), 10);
    ASSERT_EQ(all.groups().size(), 3u);
    EXPECT_EQ(all.groups()[0].mean, 2);
    EXPECT_EQ(all.groups()[1].mean, 3);
    EXPECT_EQ(all.groups()[2].customers, 2);
    EXPECT_NEAR(all.correlation(), -0.9045340337332909, 1e-15); // of (2, 10), (1, 30), (2, 10), (1, 20)
    EXPECT_EQ(spendings_of({{3, 5}, {3, 8}}).correlation(), 0);
}

// The same amounts, whether with or without decimal places.
TEST(Spendings, DoNotDependOnTheScale) {
    const auto a = see_all({{at_day(0), 1}, {at_day(1), 20}, {at_day(2), 25}}, at_day(3), 1, 0, 0);
    const auto b = see_all({{at_day(0), 100}, {at_day(1), 2000}, {at_day(2), 2500}}, at_day(3), 1, 0, 2);
    EXPECT_EQ(a->spending.mean, b->spending.mean);
    EXPECT_EQ(a->spending.mean, 22.5);
}

TEST(Subscriptions, AreCountedByRenewals) {
    const subscriptions all = subscriptions_of({5, 0, 3}, 4);
    EXPECT_EQ(all.customers(), 12);
    EXPECT_EQ(all.at_risk(), 12);
    EXPECT_EQ(all.cancelled(), 8);
    EXPECT_EQ(all.renewed(), 7);
    EXPECT_EQ(all.cancel_rate(), 8.0 / (5 + 3 * 3 + 4 * 3));
    bytes state(initial_subscriptions_bytes());
    EXPECT_ERROR(lifetime::count_subscription(state, -1, true), invalid_parameter_value);
    EXPECT_ERROR(lifetime::count_subscription(state, most_renewals + 1, true), invalid_parameter_value);
}

TEST(WeightedMedian, IsThatOfAllOneByOne) {
    chance random(34);
    for (int round = 0; round < 500; ++round) {
        std::vector<weighted> values(1 + random.below(20));
        std::vector<double> all;
        for (weighted &each : values) {
            each = {static_cast<double>(random.below(50)), static_cast<double>(1 + random.below(4))};
            all.insert(all.end(), static_cast<std::size_t>(each.weight), each.value);
        }
        std::ranges::sort(all);
        EXPECT_EQ(weighted_median(values), all[(all.size() - 1) / 2]);
    }
}

} // namespace
} // namespace crm::test
