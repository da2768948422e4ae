#include "support.hpp"

#include "core/flat.hpp"
#include "segment/idset.hpp"
#include "segment/idset_state.hpp"

#include <limits>
#include <set>

namespace crm::test {
namespace {

using namespace crm::segment;
using plain = std::set<std::int64_t>;

constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::array operations{set_operation::unite, set_operation::intersect, set_operation::subtract,
                                set_operation::differ};

byte_vector encoded(const plain &ids) {
    const std::vector<std::int64_t> sorted(ids.begin(), ids.end());
    return encode_sorted(sorted, heap());
}

plain decoded(byte_span set) {
    const auto ids = ids_of(heap(), {set});
    EXPECT_TRUE(std::ranges::is_sorted(ids));
    plain found(ids.begin(), ids.end());
    EXPECT_EQ(found.size(), ids.size());
    return found;
}

plain combined(set_operation operation, const plain &a, const plain &b) {
    plain result;
    const auto to = std::inserter(result, result.end());
    switch (operation) {
    case set_operation::unite:
        std::ranges::set_union(a, b, to);
        break;
    case set_operation::intersect:
        std::ranges::set_intersection(a, b, to);
        break;
    case set_operation::subtract:
        std::ranges::set_difference(a, b, to);
        break;
    case set_operation::differ:
        std::ranges::set_symmetric_difference(a, b, to);
        break;
    }
    return result;
}

// Sets of every form: lists of all widths, chunks of values, of bits and of runs, at the borders of chunks and of
// bigint, and mixtures of them.
class random_ids {
  public:
    explicit random_ids(chance &random) : random_(random) {
        for (std::uint64_t parts = random.below(4); parts > 0; --parts)
            add_part();
    }
    plain ids;

  private:
    void add(std::int64_t from, std::int64_t to, std::int64_t step) {
        for (std::int64_t id = from;; id += step) {
            ids.insert(id);
            if (to - id < step)
                break;
        }
    }
    void add_part() {
        constexpr std::array<std::int64_t, 9> places{0, 1, -1, 65'535, 65'536, -65'536, 1'000'000, least, most};
        const std::int64_t place = random_.one_in(3) ? random_.number() : random_.pick(places);
        const std::int64_t from = std::clamp<std::int64_t>(place, least + 300'000, most - 300'000);
        switch (random_.one_in(20) ? random_.pick(std::array{5, 7}) : random_.pick(std::array{0, 1, 2, 3, 4, 6})) {
        case 0: // far apart
            for (std::uint64_t i = random_.below(50); i > 0; --i)
                ids.insert(random_.number());
            break;
        case 1: // a chunk or two of values
            for (std::uint64_t i = random_.below(3'000); i > 0; --i)
                ids.insert(from + random_.between(0, 100'000));
            break;
        case 2: // bits
            add(from, from + random_.between(10'000, 20'000), 2);
            break;
        case 3: // just about as many as fit values
            add(from / 65'536 * 65'536, from / 65'536 * 65'536 + 3 * (4'090 + random_.between(0, 12)), 3);
            break;
        case 4: // runs
            for (std::int64_t i = random_.between(1, 20); i > 0; --i) {
                const std::int64_t first = from + random_.between(0, 200'000);
                add(first, first + random_.between(0, 500), 1);
            }
            break;
        case 5: // whole chunks and their neighbours
            add(from / 65'536 * 65'536 - random_.between(0, 1), from / 65'536 * 65'536 + 65'535 + random_.between(0, 2),
                1);
            break;
        case 7: // a full chunk among so many far ids that all of it is a list
            add(0, 20'000, 2);
            for (int i = 0; i < 12'000; ++i)
                ids.insert(static_cast<std::int64_t>(random_.bits()));
            break;
        default: // the ends of bigint
            ids.insert({least, least + 1, -1, 0, most - 1, most});
        }
    }

    chance &random_;
};

TEST(Idset, AlgebraIsThatOfSets) {
    chance random(6001);
    std::array<std::size_t, 2> forms{};
    for (int round = 0; round < 400; ++round) {
        plain left = random_ids(random).ids, right = random_ids(random).ids;
        if (random.one_in(3))
            for (const std::int64_t id : left)
                if (!random.one_in(4))
                    right.insert(id);
        const byte_vector a = encoded(left), b = encoded(right);
        ++forms[a[1] == std::byte{16}];
        EXPECT_EQ(decoded(a), left);
        for (const set_operation operation : operations) {
            const plain expected = combined(operation, left, right);
            // Equal sets are equal bytes, whatever made them.
            EXPECT_EQ(combine(heap(), operation, {a}, {b}), encoded(expected));
        }
        const plain common = combined(set_operation::intersect, left, right);
        const plain either = combined(set_operation::unite, left, right);
        EXPECT_EQ(common_ids({a}, {b}), common.size());
        EXPECT_EQ(common_ids({a}, {b}, 1) > 0, !common.empty());
        EXPECT_EQ(is_subset({a}, {b}), std::ranges::includes(right, left));
        EXPECT_TRUE(is_subset({encoded(common)}, {a}));
        const auto share = jaccard({a}, {b});
        ASSERT_EQ(share.has_value(), !either.empty());
        const double expected_share = static_cast<double>(common.size()) / static_cast<double>(either.size());
        EXPECT_DOUBLE_EQ(share.value_or(0), either.empty() ? 0 : expected_share);
    }
    EXPECT_GT(forms[0], 50u);
    EXPECT_GT(forms[1], 50u);
}

// A list is as a whole, whatever is in one of its chunks.
TEST(Idset, ListsMayBeDenseInPlaces) {
    chance random(6012);
    plain left, right;
    for (std::int64_t id = 0; id < 60'000; ++id) {
        left.insert(id);
        right.insert(id % 2 == 0 ? id : static_cast<std::int64_t>(random.bits()));
        right.insert(static_cast<std::int64_t>(random.bits()));
    }
    const byte_vector a = encoded(left), b = encoded(right);
    EXPECT_EQ(a[1], std::byte{16});
    EXPECT_EQ(b[1], std::byte{8});
    for (const set_operation operation : operations) {
        EXPECT_EQ(combine(heap(), operation, {a}, {b}), encoded(combined(operation, left, right)));
        EXPECT_EQ(combine(heap(), operation, {b}, {a}), encoded(combined(operation, right, left)));
    }
    EXPECT_EQ(common_ids({a}, {b}), 30'000u);
}

TEST(Idset, AnswersWhetherAnIdIsInItAndWhichAreBetween) {
    chance random(6002);
    for (int round = 0; round < 200; ++round) {
        const plain ids = random_ids(random).ids;
        const byte_vector set = encoded(ids);
        EXPECT_EQ(cardinality({set}), ids.size());
        std::vector<std::int64_t> asked{least, most, 0, -1, random.number()};
        for (const std::int64_t id : ids)
            if (random.one_in(1 + ids.size() / 50))
                asked.insert(asked.end(), {id, id - (id > least), id + (id < most)});
        for (const std::int64_t id : asked)
            EXPECT_EQ(contains({set}, id), ids.contains(id)) << id;
        const std::int64_t from = random.pick(asked), to = random.pick(asked);
        std::vector<std::int64_t> found;
        member_cursor members({set}, from, to);
        for (std::int64_t id; members.next(id);)
            found.push_back(id);
        std::vector<std::int64_t> expected;
        if (from <= to)
            expected.assign(ids.lower_bound(from), ids.upper_bound(to));
        EXPECT_EQ(found, expected);
    }
}

TEST(Idset, IsStoredInTheFormThatTakesTheFewestBytes) {
    const auto form_of_ids = [](std::int64_t from, std::int64_t step, int count) {
        plain ids;
        for (int i = 0; i < count; ++i)
            ids.insert(from + i * step);
        const byte_vector set = encoded(ids);
        return std::pair(std::to_integer<int>(set[1]), set.size());
    };
    EXPECT_EQ(form_of_ids(7, 1, 0), std::pair(0, std::size_t{12}));
    EXPECT_EQ(form_of_ids(7, 1, 1), std::pair(0, std::size_t{20}));
    EXPECT_EQ(form_of_ids(-1, 2, 2), std::pair(1, std::size_t{21}));
    EXPECT_EQ(form_of_ids(0, 1'000'000'000'000, 1'000), std::pair(7, std::size_t{20 + 7 * 999}));
    EXPECT_EQ(form_of_ids(0, 1, 65'536), std::pair(16, std::size_t{12 + 4 + 16 + 4}));
    EXPECT_EQ(form_of_ids(0, 2, 32'768), std::pair(16, std::size_t{12 + 4 + 16 + 8'192}));
    // 1,000,000 ids of 10,000,000 close to each other take little more than a bit for each possible one.
    chance random(6003);
    plain ids;
    while (ids.size() < 100'000)
        ids.insert(random.between(1, 1'000'000));
    EXPECT_LT(encoded(ids).size(), 1'000'000 / 8 + 8'400);
}

TEST(Idset, TextReadsAsTheSameSet) {
    chance random(6004);
    for (int round = 0; round < 100; ++round) {
        const byte_vector set = encoded(random_ids(random).ids);
        EXPECT_EQ(from_text(heap(), to_text(heap(), {set})), set);
    }
    const auto text_of = [](std::string_view text) { return std::string(to_text(heap(), {from_text(heap(), text)})); };
    EXPECT_EQ(text_of("{}"), "{}");
    EXPECT_EQ(text_of(" { 5 ,1,2, 2 } "), "{1,2,5}");
    EXPECT_EQ(text_of("{-9223372036854775808,9223372036854775807}"), "{-9223372036854775808,9223372036854775807}");
    EXPECT_EQ(text_of("{1..3,-2..-1}"), "{-2,-1,1,2,3}");
    EXPECT_EQ(text_of("{1..99}").size(), 2u + 9 + 180 + 98);
    EXPECT_EQ(text_of("{2..50,1..100,102}"), "{1..100,102}");
    EXPECT_EQ(text_of("{-5000000000..5000000000}"), "{-5000000000..5000000000}");
    EXPECT_EQ(text_of("{9223372036854775700..9223372036854775807}"), "{9223372036854775700..9223372036854775807}");
    for (const std::string &wrong :
         split("|1|{|{1|{1,|{1,}|{,1}|{1 2}|{a}|{1}x|{1..}|{..2}|{1...2}|{1.5}|{+1}|{--1}|{2..1}|{1}{2}"))
        EXPECT_ERROR(from_text(heap(), wrong), invalid_text_representation);
    for (const std::string &wrong : split("{9223372036854775808}|{1,-9223372036854775809}|{99999999999999999999999}"))
        EXPECT_ERROR(from_text(heap(), wrong), numeric_value_out_of_range);
}

TEST(Idset, RangesAreAsLargeAsTheyMayBe) {
    EXPECT_EQ(decoded(range(heap(), 3, 2)), plain());
    EXPECT_EQ(decoded(range(heap(), most, most)), plain({most}));
    EXPECT_EQ(decoded(range(heap(), least, least + 1)), plain({least, least + 1}));
    plain across;
    for (std::int64_t id = -70'000; id <= 70'000; ++id)
        across.insert(id);
    EXPECT_EQ(range(heap(), -70'000, 70'000), encoded(across));
    const byte_vector large = range(heap(), 1, 10'000'000'000);
    EXPECT_EQ(cardinality({large}), 10'000'000'000u);
    EXPECT_EQ(validated(large, heap()), large);
    EXPECT_ERROR(range(heap(), least, most), program_limit_exceeded);
}

bytes changed(chance &random, const byte_vector &value) {
    bytes made = copy_of(value);
    for (std::uint64_t times = 1 + random.below(3); times > 0; --times) {
        // Most of what can go wrong is in front.
        const std::size_t end = random.one_in(2) ? std::min<std::size_t>(made.size(), 64) : made.size();
        const auto at = static_cast<std::ptrdiff_t>(random.below(end + 1));
        switch (random.below(6)) {
        case 0:
            made.resize(static_cast<std::size_t>(at));
            break;
        case 1:
            made.insert(made.begin() + at, static_cast<std::byte>(random.bits()));
            break;
        case 2: {
            const bytes more = random.some_bytes(random.below(20));
            made.insert(made.begin() + at, more.begin(), more.end());
            break;
        }
        case 3:
            if (at < static_cast<std::ptrdiff_t>(made.size()))
                made.erase(made.begin() + at);
            break;
        default:
            if (at < static_cast<std::ptrdiff_t>(made.size()))
                made[static_cast<std::size_t>(at)] ^= static_cast<std::byte>(1 << random.below(8));
        }
    }
    return made;
}

TEST(Idset, HostileBytesAreRefusedOrAreASet) {
    chance random(6005);
    std::size_t accepted = 0, refused = 0;
    for (int round = 0; round < 3'000; ++round) {
        const byte_vector value = encoded(random_ids(random).ids);
        EXPECT_EQ(validated(value, heap()), value);
        const bytes tried = random.one_in(20) ? random.some_bytes(random.below(200)) : changed(random, value);
        try {
            const byte_vector taken = validated(tried, heap());
            ++accepted;
            EXPECT_EQ(copy_of(taken), tried);
            EXPECT_EQ(encoded(decoded(taken)), taken);
        } catch (const error &thrown) {
            EXPECT_STREQ(thrown.state.code, invalid_binary_representation.code);
            ++refused;
        }
    }
    EXPECT_GT(accepted, 20u);
    EXPECT_GT(refused, 1'000u);
}

// What is stored is not checked when it is read, but reading it stays within its bytes.
TEST(Idset, DamagedSetsAreReadWithoutHarm) {
    chance random(6006);
    std::size_t read = 0, refused = 0;
    for (int round = 0; round < 2'000; ++round) {
        const byte_vector value = encoded(random_ids(random).ids);
        const bytes damaged = changed(random, value);
        const auto attempt = [&](auto &&use) {
            try {
                use();
                ++read;
            } catch (const error &thrown) {
                EXPECT_STREQ(thrown.state.code, data_corrupted.code);
                ++refused;
            }
        };
        const set_operation operation = random.pick(operations);
        attempt([&] { combine(heap(), operation, {damaged}, {value}); });
        attempt([&] { combine(heap(), operation, {value}, {damaged}); });
        attempt([&] { combine(heap(), operation, {damaged}, {damaged}); });
        attempt([&] { common_ids({damaged}, {value}); });
        attempt([&] { contains({damaged}, random.number()); });
        attempt([&] { to_text(heap(), {damaged}); });
        attempt([&] {
            bytes state(state_bytes());
            change_state(state, [&](std::span<std::byte> in) { return add_set(in, {damaged}, heap()); });
            finish_state(heap(), state);
        });
    }
    EXPECT_GT(read, 2'000u);
    EXPECT_GT(refused, 1'000u);
}

// As the aggregates do, where states grow geometrically.
void add_ids(bytes &state, const std::vector<std::int64_t> &ids) {
    for (const std::int64_t id : ids)
        if (const std::size_t needed = add_id(state, id, heap()); needed > state.size()) {
            state.resize(std::max(needed, 2 * state.size()));
            EXPECT_LE(add_id(state, id, heap()), state.size());
        }
}

TEST(IdsetState, IsTheSetOfWhatCameInWhateverTheOrder) {
    chance random(6007);
    for (int round = 0; round < 60; ++round) {
        std::vector<bytes> states(1 + random.below(4), bytes(state_bytes()));
        plain expected;
        for (std::uint64_t parts = random.below(6); parts > 0; --parts) {
            const plain more = random_ids(random).ids;
            bytes &to = random.pick(states);
            if (random.one_in(2)) {
                const byte_vector set = encoded(more);
                change_state(to, [&](std::span<std::byte> in) { return add_set(in, {set}, heap()); });
                expected.insert(more.begin(), more.end());
                continue;
            }
            std::vector<std::int64_t> ids(more.begin(), more.end());
            random.shuffle(ids);
            ids.resize(std::min<std::size_t>(ids.size(), 10'000));
            ids.insert(ids.end(), ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(ids.size() / 2));
            expected.insert(ids.begin(), ids.end());
            add_ids(to, ids);
        }
        while (states.size() > 1) {
            const bytes last = states.back();
            states.pop_back();
            change_state(states.back(), [&](std::span<std::byte> in) { return add_state(in, last, heap()); });
        }
        EXPECT_EQ(finish_state(heap(), states.front()), encoded(expected));
    }
}

TEST(IdsetState, StaysSmallHoweverManyIdsCome) {
    chance random(6008);
    bytes state(state_bytes());
    std::vector<std::int64_t> ids(600'000);
    for (std::int64_t &id : ids)
        id = random.between(1, 100'000);
    add_ids(state, ids);
    const plain expected(ids.begin(), ids.end());
    EXPECT_EQ(decoded(finish_state(heap(), state)), expected);
    EXPECT_LT(state.size(), 1'500'000u);
}

TEST(IdsetState, RefusesWhatIsNoState) {
    chance random(6009);
    bytes state(state_bytes());
    add_ids(state, {1, 2, 3});
    for (int round = 0; round < 2'000; ++round) {
        bytes damaged = state;
        for (std::uint64_t times = 1 + random.below(4); times > 0; --times)
            damaged[random.below(damaged.size())] = static_cast<std::byte>(random.bits());
        damaged.resize(random.one_in(3) ? random.below(damaged.size()) : damaged.size());
        try {
            finish_state(heap(), damaged);
            add_id(damaged, 5, heap());
        } catch (const error &thrown) {
            EXPECT_TRUE(std::string(thrown.state.code) == invalid_parameter_value.code ||
                        std::string(thrown.state.code) == data_corrupted.code);
        }
    }
    EXPECT_ERROR(finish_state(heap(), bytes(3)), invalid_parameter_value);
    EXPECT_ERROR(finish_common(heap(), bytes(16)), invalid_parameter_value);
}

TEST(IdsetState, KeepsWhatAllHave) {
    chance random(6010);
    for (int round = 0; round < 100; ++round) {
        std::vector<bytes> states(1 + random.below(3), bytes(sizeof(flat_head)));
        std::optional<plain> expected;
        const plain base = random_ids(random).ids;
        for (std::uint64_t sets = 1 + random.below(5); sets > 0; --sets) {
            plain each = random_ids(random).ids;
            for (const std::int64_t id : base)
                if (!random.one_in(5))
                    each.insert(id);
            expected = expected ? combined(set_operation::intersect, *expected, each) : each;
            const byte_vector set = encoded(each);
            change_state(random.pick(states), [&](std::span<std::byte> in) { return keep_common(in, {set}, heap()); });
        }
        while (states.size() > 1) {
            const bytes last = states.back();
            states.pop_back();
            change_state(states.back(), [&](std::span<std::byte> in) { return keep_common_state(in, last, heap()); });
        }
        EXPECT_EQ(finish_common(heap(), states.front()), encoded(*expected));
    }
}

TEST(Idset, RunningOutOfMemoryLeavesNothingBehind) {
    chance random(6011);
    const byte_vector a = encoded(random_ids(random).ids), b = range(heap(), -100'000, 400'000);
    const std::string text(to_text(heap(), {b}));
    const auto failing = [&](auto &&use) {
        return fail_everywhere([&](std::size_t n) {
            counting_memory few;
            few.fail_at = n;
            bool failed = false;
            try {
                use(few);
            } catch (const std::bad_alloc &) {
                failed = true;
            }
            EXPECT_EQ(few.used, 0u);
            return failed;
        });
    };
    for (const set_operation operation : operations)
        EXPECT_GT(failing([&](memory &in) { combine(in, operation, {a}, {b}); }), 0u);
    EXPECT_GT(failing([&](memory &in) { from_text(in, text); }), 0u);
    EXPECT_GT(failing([&](memory &in) { ids_of(in, {b}); }), 0u);
}

TEST(Idset, LongWorkCanBeStopped) {
    const byte_vector a = range(heap(), 0, 2'000'000'000), b = range(heap(), 1, 2'000'000'001);
    const auto stops = [](auto &&use) {
        interrupt_at first(1);
        EXPECT_THROW(use(), interrupt_at::interrupted);
    };
    stops([&] { combine(heap(), set_operation::differ, {a}, {b}); });
    stops([&] { common_ids({a}, {b}); });
    stops([&] { range(heap(), 0, 2'000'000'000); });
    stops([&] { validated(a, heap()); });
    stops([&] { to_text(heap(), {a}); });
    stops([&] { ids_of(heap(), {a}); });
}

} // namespace
} // namespace crm::test
