#include "support.hpp"

#include "core/flat.hpp"
#include "repeat/funnel.hpp"
#include "repeat/ltv.hpp"
#include "repeat/repeat.hpp"
#include "repeat/survival.hpp"

#include <cmath>
#include <map>

namespace crm::test {
namespace {

using namespace crm::repeat;

void count_customer(bytes &state, const std::vector<purchase> &sorted, timestamp as_of) {
    change_state(state, [&](std::span<std::byte> in) { return count(in, {sorted, 0}, as_of); });
}

bytes merged(std::vector<bytes> states, chance &random, std::size_t (*merge)(std::span<std::byte>, byte_span)) {
    while (states.size() > 1) {
        random.shuffle(states);
        const bytes last = states.back();
        states.pop_back();
        change_state(states.back(), [&](std::span<std::byte> in) { return merge(in, last); });
    }
    return states.front();
}

std::vector<purchase> random_customer(chance &random) {
    std::vector<purchase> made(random.one_in(20) ? random.below(130) : random.below(6));
    for (purchase &each : made)
        each = {at_day(random.between(0, 60),
                       random.one_in(2) ? random.between(-1, 1) : random.between(0, microseconds_per_day)),
                random.one_in(5) ? -1 : random.between(0, 2)};
    std::ranges::sort(made);
    return made;
}

TEST(Repeats, CountWhatBecameOfEachPurchaseHoweverTheyWereMerged) {
    chance random(60);
    for (int round = 0; round < 300; ++round) {
        const timestamp as_of = at_day(random.between(-1, 70), random.between(-2, 2));
        std::vector<bytes> states(1 + random.below(4), bytes(initial_bytes()));
        bytes serial(initial_bytes());
        std::map<std::pair<int, int>, std::array<std::int64_t, 3>> expected;
        for (std::uint64_t i = random.below(40); i > 0; --i) {
            const auto customer = random_customer(random);
            count_customer(random.pick(states), customer, as_of);
            count_customer(serial, customer, as_of);
            std::vector<timestamp> bought;
            for (const purchase &each : customer)
                if (each.amount >= 0 && each.at <= as_of)
                    bought.push_back(each.at);
            for (std::size_t n = 0; n < bought.size() && n < 100; ++n) {
                const bool back = n + 1 < bought.size();
                const std::int64_t wait = (as_of.us - bought[n].us) / microseconds_per_day;
                const std::int64_t days =
                    back ? (bought[n + 1].us - bought[n].us + microseconds_per_day - 1) / microseconds_per_day : wait;
                auto &cell = expected[{n + 1, days}];
                ++cell[back ? 0 : 2];
                cell[1] += back && days > wait;
            }
        }
        bytes together = merged(states, random, merge_state);
        const auto finished = finish(serial, heap());
        EXPECT_EQ(finished, finish(together, heap()));
        ASSERT_EQ(finished.has_value(), !expected.empty());
        if (!finished)
            continue;
        const byte_vector &value = *finished;
        EXPECT_EQ(validated(value, heap()), value);
        const flat_list<rung_day, rung_counts> list(value, 'P', sizeof(timestamp));
        ASSERT_EQ(list.size(), expected.size());
        std::size_t i = 0;
        for (const auto &[key, counts] : expected) {
            const auto [found_key, found] = list[i++];
            EXPECT_EQ((std::pair{found_key.rung, found_key.day}), (std::pair<std::int32_t, std::int32_t>(key)));
            EXPECT_EQ((std::array{found.returned, found.early, found.waiting}), counts);
        }
    }
}

TEST(Repeats, OfDifferentTimesDoNotMix) {
    bytes state(initial_bytes()), later(initial_bytes());
    count_customer(state, {{at_day(0), 1}}, at_day(1));
    count_customer(later, {{at_day(0), 1}}, at_day(2));
    EXPECT_ERROR(merge_state(state, later), invalid_parameter_value);
    EXPECT_ERROR(count_customer(state, {{at_day(0), 1}}, at_day(2)), invalid_parameter_value);
    bytes nobody(initial_bytes());
    merge_state(nobody, nobody);
    EXPECT_FALSE(finish(nobody, heap()));
}

TEST(Repeats, AreALadder) {
    bytes state(initial_bytes());
    count_customer(state, {{at_day(0), 1}, {at_day(1), 1}, {at_day(5), 1}}, at_day(9));
    const byte_vector value = finish(state, heap()).value();
    EXPECT_NO_THROW(validated(value, heap()));
    constexpr std::size_t front = sizeof(flat_head) + sizeof(timestamp), entry = 32;
    for (const std::size_t count : {front, front + 8, front + entry, front + entry + 8, front + entry + 24}) {
        byte_vector changed = value;
        changed[count] ^= std::byte{4};
        EXPECT_ERROR(validated(changed, heap()), invalid_binary_representation);
    }
}

TEST(NormalQuantile, IsTheInverseOfErf) {
    EXPECT_NEAR(normal_quantile(0.95), 1.959963984540054, 4e-15);
    EXPECT_NEAR(normal_quantile(0.99), 2.5758293035489008, 4e-15);
    chance random(61);
    for (int i = 0; i < 2000; ++i) {
        const double z = static_cast<double>(random.between(1, 50'000)) / 10'000,
                     confidence = std::erf(z / std::sqrt(2.0));
        EXPECT_NEAR(std::erf(normal_quantile(confidence) / std::sqrt(2.0)), confidence, 3e-16);
    }
    EXPECT_LT(normal_quantile(1e-300), 1e-15);
    EXPECT_GT(normal_quantile(std::nextafter(1.0, 0.0)), 8);
    for (const double wrong : {0.0, 1.0, -1.0, 2.0, std::nan("")})
        EXPECT_ERROR(normal_quantile(wrong), invalid_parameter_value);
}

TEST(Survival, WithoutCensoringIsTheShareThatIsLeft) {
    bytes state(initial_survival_bytes());
    constexpr int people = 1000;
    for (int i = people; i > 0; --i)
        change_state(state, [&](std::span<std::byte> in) { return count_survival(in, i / 4, true); });
    const byte_vector value = finish_survival(state, heap()).value();
    EXPECT_EQ(validated_survival(value, heap()), value);
    survival_rows rows(heap(), value, 0.95);
    survival_row row;
    int times = 0;
    for (; rows.next(row); ++times) {
        const double left = static_cast<double>(row.at_risk - row.events) / people;
        EXPECT_NEAR(row.survival, left, 1e-13);
        if (left > 0) {
            EXPECT_NEAR(*row.se, std::sqrt(left * (1 - left) / people), 1e-13); // binomial
            EXPECT_TRUE(*row.lower < row.survival && row.survival < *row.upper);
        }
    }
    EXPECT_EQ(times, 251);
    EXPECT_EQ(row.survival, 0);
    EXPECT_FALSE(row.se || row.lower || row.upper);
    EXPECT_EQ(survival_median(heap(), value), 125);
}

// Every way of choosing events that follow each other.
int furthest_by_search(const std::vector<std::pair<std::int64_t, int>> &events, std::int64_t within) {
    int furthest = 0;
    for (const auto &[begun, first] : events) {
        if (first != 1)
            continue;
        std::int64_t at = begun;
        int step = 1;
        for (bool found = true; found; step += found) { // the earliest next step is as good as any
            std::optional<std::int64_t> next;
            for (const auto &[time, number] : events)
                if (number == step + 1 && time >= at && time - begun <= within && (!next || time < *next))
                    next = time;
            found = next.has_value();
            at = next.value_or(at);
        }
        furthest = std::max(furthest, step);
    }
    return furthest;
}

// A state by hand can hold times that are no numbers. Sorting needs an order of them too.
TEST(Survival, RefusesTimesThatAreNoNumbers) {
    constexpr std::uint64_t capacity = 1024, count = capacity / 2;
    chance random(66);
    for (int round = 0; round < 100; ++round) {
        bytes state(sizeof(flat_head) + sizeof capacity);
        store(state.data(), flat_head{'S', flat_head::current_version, 0, {}, count});
        store(state.data() + sizeof(flat_head), capacity);
        for (std::uint64_t i = 0; i < count; ++i) {
            const double time = random.one_in(3) ? std::nan("") : static_cast<double>(random.below(100));
            for (const std::uint64_t word : {~std::bit_cast<std::uint64_t>(time), std::uint64_t{1}, std::uint64_t{0}}) {
                state.resize(state.size() + sizeof word);
                store(state.data() + state.size() - sizeof word, word);
            }
        }
        state.resize(state.size() + (capacity - count) * 3 * sizeof capacity);
        EXPECT_ERROR(finish_survival(state, heap()), invalid_binary_representation);
    }
}

TEST(Funnel, FindsTheFurthestStep) {
    chance random(62);
    std::array<int, 6> seen{};
    for (int round = 0; round < 20'000; ++round) {
        const std::int64_t within = random.between(0, 12);
        std::vector<bytes> states(1 + random.below(3), bytes(funnel_bytes(1)));
        std::vector<std::pair<std::int64_t, int>> events(1 + random.below(14));
        for (auto &[at, step] : events) {
            at = random.between(0, 15);
            step = static_cast<int>(random.between(1, 5));
            change_state(random.pick(states), [&, at = at, step = step](std::span<std::byte> in) {
                return append_event(in, {at}, step, within);
            });
        }
        const bytes together = merged(states, random, append_events);
        const int expected = furthest_by_search(events, within);
        ASSERT_EQ(furthest_step(heap(), together), expected);
        ++seen[static_cast<std::size_t>(expected)];
    }
    EXPECT_TRUE(std::ranges::all_of(seen, [](int times) { return times > 0; }));
    EXPECT_FALSE(furthest_step(heap(), bytes(funnel_bytes())));
}

TEST(Funnel, CanBeStoppedWhileItSorts) {
    chance random(65);
    constexpr int events = 200'000;
    bytes state(funnel_bytes(events));
    for (int i = 0; i < events; ++i)
        append_event(state, at_day(random.between(0, 9'999)), static_cast<std::int32_t>(random.between(1, 5)), 5);
    EXPECT_GT(polls_of([&] { furthest_step(heap(), state); }), 10 * events / 4096); // sorting alone takes more steps
}

TEST(Ltv, IsTheSameHoweverItWasMerged) {
    chance random(63);
    for (int round = 0; round < 500; ++round) {
        const timestamp as_of = at_day(random.between(-10'000, 10'000));
        std::vector<ltv> parts(1 + random.below(4), ltv{.as_of = as_of});
        ltv serial{.as_of = as_of};
        for (int i = 0; i < 10; ++i) {
            const random_entries some(random, 8);
            const lived one = lived_by(purchases{some.sorted(), some.scale}, as_of);
            const byte_vector value = some.encoded();
            if (const auto summed = lived_by(history::read_summary({value}), as_of)) {
                EXPECT_EQ(summed->orders, one.orders);
                EXPECT_EQ(summed->microseconds, one.microseconds);
                EXPECT_EQ(compare(summed->revenue, one.revenue), std::strong_ordering::equal);
            }
            random.pick(parts).add(one);
            serial.add(one);
        }
        for (const ltv &part : parts) {
            bytes stored(ltv::state_bytes);
            part.write(stored);
            const ltv again = ltv::read(stored);
            if (&part != &parts.front())
                parts.front().merge(again);
        }
        EXPECT_EQ(parts.front().customers, serial.customers);
        EXPECT_EQ(parts.front().orders, serial.orders);
        EXPECT_TRUE(parts.front().microseconds == serial.microseconds);
        EXPECT_EQ(compare(parts.front().total_revenue(), serial.total_revenue()), std::strong_ordering::equal);
    }
    ltv other{.as_of = at_day(1)};
    EXPECT_ERROR(other.merge({.as_of = at_day(2)}), invalid_parameter_value);
}

// The transition functions can be called by hand, with any bytes.
TEST(RepeatStates, GarbageIsRefusedOrSurvived) {
    chance random(64);
    const auto attempt = [](auto &&use) {
        try {
            use();
        } catch (const error &) {
            // refused: fine
        } catch (const std::bad_optional_access &) {
            // nobody: fine too
        }
    };
    for (int round = 0; round < 20'000; ++round) {
        bytes repeats(initial_bytes()), survival(initial_survival_bytes()), events(funnel_bytes()),
            lives(ltv::state_bytes);
        count_customer(repeats, {{at_day(0), 1}, {at_day(1), 1}}, at_day(9));
        count_survival(survival, 3, true);
        append_event(events, at_day(1), 1, 5);
        ltv{.as_of = at_day(1), .customers = 1, .orders = 1, .revenue = {5, 0}}.write(lives);
        const bytes sound_repeats = repeats, sound_survival = survival, sound_events = events;
        for (bytes *state : {&repeats, &survival, &events, &lives}) {
            for (std::uint64_t i = random.below(4); i > 0; --i)
                (*state)[random.below(random.one_in(2) ? 24 : state->size())] =
                    random.one_in(3) ? std::byte{0xFF} : static_cast<std::byte>(random.bits());
            if (random.one_in(8))
                state->resize(random.below(state->size()));
            if (random.one_in(8))
                std::ranges::fill(std::span(*state).subspan(std::min<std::size_t>(24, state->size())), std::byte{0xFF});
        }
        attempt([&] {
            const byte_vector list = finish(repeats, heap()).value();
            rows read(heap(), list, 90);
            row each;
            while (read.next(each)) {
            }
        });
        attempt([&] { validated(repeats, heap()); });
        attempt([&] {
            bytes to = sound_repeats;
            merge_state(to, repeats);
        });
        attempt([&] { merge_state(repeats, sound_repeats); });
        attempt([&] {
            const byte_vector list = finish_survival(survival, heap()).value();
            survival_rows read(heap(), list, 0.9);
            survival_row each;
            while (read.next(each)) {
            }
        });
        attempt([&] { renewal_rows(heap(), finish_survival(survival, heap()).value(), 3); });
        attempt([&] {
            bytes to = sound_survival;
            merge_survival_state(to, survival);
        });
        attempt([&] { merge_survival_state(survival, sound_survival); });
        attempt([&] { furthest_step(heap(), events); });
        attempt([&] {
            bytes to = sound_events;
            change_state(to, [&](std::span<std::byte> in) { return append_events(in, events); });
        });
        attempt([&] { append_events(events, sound_events); });
        attempt([&] {
            ltv all = ltv::read(lives);
            all.merge(ltv::read(lives));
            all.customer_years();
        });
    }
    // One that is empty where it is merged into, and full where it is read, would merge differently in the two orders.
    bytes lives(ltv::state_bytes);
    EXPECT_ERROR(ltv::read(lives), invalid_parameter_value);
    EXPECT_EQ(ltv::read(lives, at_day(1)).customers, 0);
    ltv{.as_of = at_day(1), .customers = 1, .orders = 1, .revenue = {5, 0}}.write(lives);
    store(lives.data() + offsetof(flat_head, count), std::uint64_t{0});
    EXPECT_ERROR(ltv::read(lives), invalid_parameter_value);
    EXPECT_ERROR(ltv::read(lives, at_day(1)), invalid_parameter_value);
}

} // namespace
} // namespace crm::test
