#include "support.hpp"

#include "history/state.hpp"

#include <limits>

namespace crm::test {
namespace {

using history::append_state;
using history::finish_state;

bytes new_state() { return bytes(history::state_bytes()); }

bytes state_of(std::span<const purchase> list, int scale) {
    bytes state = new_state();
    for (const purchase &each : list)
        change_state(state, [&](std::span<std::byte> in) { return history::append(in, each, scale); });
    return state;
}

TEST(HistoryState, OfZerosIsAnEmptyHistory) {
    EXPECT_EQ(finish_state(heap(), new_state()), history::from_text("[]", heap()));
    bytes state = new_state();
    change_state(state, [](std::span<std::byte> in) { return append_state(in, new_state()); });
    EXPECT_EQ(finish_state(heap(), state), history::from_text("[]", heap()));
}

TEST(HistoryState, HoldsTwoEntriesFromTheStart) {
    bytes state = new_state();
    for (int i = 0; i < 2; ++i)
        EXPECT_LE(history::append(state, {at_day(i), 1}, 0), state.size());
    EXPECT_GT(history::append(state, {at_day(2), 1}, 0), state.size());
}

// Entries, whole histories and other states, shared out at random over states that are combined in any tree.
TEST(HistoryState, AgreesWithEncodingHoweverItWasFilled) {
    chance random(32);
    for (int round = 0; round < 1000; ++round) {
        std::vector<bytes> states(1 + random.below(5), new_state());
        std::vector<purchase> all;
        for (std::size_t i = random.below(8); i > 0; --i) {
            const random_entries some(random, 6);
            bytes &state = random.pick(states);
            if (random.one_in(2)) {
                const byte_vector value = some.encoded();
                change_state(state, [&](std::span<std::byte> in) { return history::append(in, {value}, heap()); });
            } else {
                for (const purchase &each : some.list)
                    change_state(state, [&](std::span<std::byte> in) { return history::append(in, each, some.scale); });
            }
            for (const purchase &each : some.list)
                all.push_back({each.at, rescale(each.amount, some.scale, max_scale)});
        }
        while (states.size() > 1) {
            random.shuffle(states);
            const bytes last = states.back(), untouched = last;
            states.pop_back();
            change_state(states.back(), [&](std::span<std::byte> in) { return append_state(in, last); });
            EXPECT_EQ(last, untouched);
        }
        const bytes before = states.front();
        EXPECT_EQ(finish_state(heap(), states.front()), history::encode(all, max_scale, heap()));
        EXPECT_EQ(states.front(), before) << "finishing must not change the state";
    }
}

TEST(HistoryState, RefusesAmountsThatDoNotFitTheFinerScale) {
    const std::int64_t most = std::numeric_limits<std::int64_t>::max();
    bytes state = state_of(std::vector<purchase>{{at_day(0), most}}, 0);
    EXPECT_ERROR(history::append(state, {at_day(1), 1}, 1), numeric_value_out_of_range);
    state = state_of(std::vector<purchase>{{at_day(0), 1}}, 1);
    EXPECT_ERROR(history::append(state, {at_day(1), most}, 0), numeric_value_out_of_range);
}

TEST(HistoryState, LiesAtAnyAddress) {
    bytes room(1 + history::state_bytes());
    const auto state = std::span(room).subspan(1);
    history::append(state, {at_day(9), 7}, 0);
    EXPECT_EQ(finish_state(heap(), state), history::from_text(R"([["2000-01-10T00:00:00Z",7]])", heap()));
}

TEST(HistoryState, HasAHeadThatIsChecked) {
    const std::vector<purchase> three{{at_day(0), 1}, {at_day(1), 2}, {at_day(2), 3}};
    const bytes sound = state_of(three, 0);
    ASSERT_EQ(sound.size(), history::state_bytes(3));
    EXPECT_ERROR(finish_state(heap(), byte_span(sound).first(sound.size() - 1)), invalid_parameter_value);
    const auto damaged = [&](std::size_t place, int value) {
        bytes state = sound;
        state[place] = static_cast<std::byte>(value);
        return state;
    };
    for (const auto &[place, value] :
         {std::pair{0, 'h'}, {0, 0}, {1, 0}, {1, 2}, {2, max_scale + 1}, {8, 4}, {15, 0x80}})
        EXPECT_ERROR(finish_state(heap(), damaged(static_cast<std::size_t>(place), value)), invalid_parameter_value);
}

// The transition functions can be called by hand, with any bytes.
TEST(HistoryState, GarbageIsRefusedOrSurvived) {
    chance random(33);
    const auto use = [&](bytes state) {
        try {
            history::append(state, {at_day(1), 1}, static_cast<int>(random.below(7)));
            bytes other = state_of(std::vector<purchase>{{at_day(0), 5}}, 2);
            append_state(other, state);
            finish_state(heap(), state);
        } catch (const error &) {
            // refused: fine
        }
    };
    for (int round = 0; round < 20'000; ++round) {
        bytes state = state_of(random_entries(random, 5).list, 2);
        for (std::uint64_t i = random.below(4); i > 0; --i)
            state[random.below(random.one_in(2) ? 16 : state.size())] = static_cast<std::byte>(random.bits());
        if (random.one_in(4))
            state.resize(random.below(state.size() + 1));
        use(state);
        use(random.some_bytes(random.below(64)));
    }
    EXPECT_ERROR(finish_state(heap(), {}), invalid_parameter_value);
    EXPECT_ERROR(finish_state(heap(), bytes(64, std::byte{'H'})), invalid_parameter_value);
    EXPECT_ERROR(finish_state(heap(), state_of(std::vector<purchase>{{end_of_timestamps, 5}}, 0)),
                 invalid_parameter_value);
}

} // namespace
} // namespace crm::test
