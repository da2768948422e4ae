#include "support.hpp"

#include "core/flat_table.hpp"

#include <map>

namespace crm::test {
namespace {

struct key {
    std::int32_t a, b;
    friend auto operator<=>(const key &, const key &) = default;
};
struct count {
    std::int64_t n = 0;
    void operator+=(const count &other) { n += other.n; }
};
using table = flat_table<key, count>;
using list = flat_list<key, count>;

constexpr char kind = 'T';
constexpr std::size_t fixed = 8;

// A table that grows as its owners do.
class growing {
  public:
    bytes state = bytes(table::bytes_for(16, fixed));

    void add(key of, std::int64_t n) {
        const std::size_t needed = table(state, kind, fixed).bytes_to_hold(1);
        if (needed > state.size())
            state.resize(needed);
        table to(state, kind, fixed);
        to.use_all_room();
        to.add(of, {n});
    }
    byte_vector finished() { return table(state, kind, fixed).finish(heap()); }
};

std::map<key, std::int64_t> content(byte_span finished) {
    const list from(finished, kind, fixed);
    EXPECT_TRUE(from.is_canonical());
    std::map<key, std::int64_t> found;
    for (std::size_t i = 0; i < from.size(); ++i)
        found[from[i].key] = from[i].value.n;
    EXPECT_EQ(found.size(), from.size());
    return found;
}

TEST(FlatTable, IsTheSameListInAnyOrder) {
    chance random(71);
    int compared = 0;
    for (int round = 0; round < 100; ++round) {
        std::vector<std::pair<key, std::int64_t>> added;
        std::map<key, std::int64_t> expected;
        for (std::size_t i = random.below(2'000); i > 0; --i) {
            const key of{static_cast<std::int32_t>(random.between(-40, 40)),
                         static_cast<std::int32_t>(random.between(0, 18))};
            added.push_back({of, random.between(-5, 5)});
            expected[of] += added.back().second;
        }
        growing one, other;
        for (const auto &[of, n] : added)
            one.add(of, n);
        random.shuffle(added);
        for (const auto &[of, n] : added)
            other.add(of, n);
        EXPECT_EQ(one.finished(), other.finished());
        EXPECT_EQ(content(one.finished()), expected);
        compared += static_cast<int>(expected.size());
    }
    EXPECT_GT(compared, 10'000);
}

TEST(FlatTable, KeepsItsOwnersBytesWhileItGrows) {
    growing counted;
    table(counted.state, kind, fixed).use_all_room();
    store(table(counted.state, kind, fixed).fixed().data(), std::uint64_t{0x0123456789ABCDEF});
    for (std::int32_t i = 0; i < 1'000; ++i)
        counted.add({i, -i}, 1);
    EXPECT_EQ(load<std::uint64_t>(table(counted.state, kind, fixed).fixed().data()), 0x0123456789ABCDEFu);
    const byte_vector finished = counted.finished();
    EXPECT_EQ(load<std::uint64_t>(finished.data() + sizeof(flat_head)), 0x0123456789ABCDEFu);
}

TEST(FlatTable, BringsAllValuesToAScale) {
    growing counted;
    for (std::int32_t i = 1; i <= 100; ++i)
        counted.add({i, 0}, i);
    table to(counted.state, kind, fixed);
    to.raise_scale(2, [](count &each, std::int64_t factor) { each.n *= factor; });
    EXPECT_EQ(table(counted.state, kind, fixed).scale(), 2);
    for (const auto &[of, n] : content(counted.finished()))
        EXPECT_EQ(n, 100 * of.a);
}

// Its place looks free, so it must not go unnoticed.
TEST(FlatTable, RefusesTheKeyThatMarksFreePlaces) {
    growing counted;
    counted.add({1, 1}, 1);
    counted.add({-1, -1}, 1);
    EXPECT_ERROR(counted.finished(), invalid_parameter_value);
}

TEST(FlatTable, StopsAtItsCap) {
    growing counted;
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(table::most_entries); ++i)
        counted.add({i / 2'048, i % 2'048}, 1);
    EXPECT_LT(counted.state.size(), std::size_t{1} << 30);
    EXPECT_EQ(table(counted.state, kind, fixed).size(), table::most_entries);
    EXPECT_ERROR(counted.add({-1, -1}, 1), program_limit_exceeded);
    EXPECT_EQ(table(counted.state, kind, fixed).size(), table::most_entries);
    EXPECT_EQ(list(counted.finished(), kind, fixed).size(), table::most_entries);
}

// What was there before is no new key.
TEST(FlatTable, TakesMoreOfItsOwnKeysAtTheCap) {
    growing counted;
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(table::most_entries); ++i)
        counted.add({i, 0}, 1);
    EXPECT_NO_THROW(counted.add({7, 0}, 1));
}

TEST(FlatTable, RefusesBytesThatAreNone) {
    growing counted;
    for (std::int32_t i = 0; i < 10; ++i)
        counted.add({i, i}, 1);
    const bytes good = counted.state;
    const auto changed = [&](std::size_t at, unsigned value) {
        bytes state = good;
        state[at] = static_cast<std::byte>(value);
        return state;
    };
    const auto open = [](bytes state) { table(state, kind, fixed); };
    EXPECT_NO_THROW(open(good));
    EXPECT_ERROR(open({}), invalid_parameter_value);
    EXPECT_ERROR(open(bytes(good.begin(), good.begin() + 20)), invalid_parameter_value);
    EXPECT_ERROR(open(changed(0, 'X')), invalid_parameter_value);
    EXPECT_ERROR(open(changed(1, 99)), invalid_parameter_value);
    EXPECT_ERROR(open(changed(2, max_scale + 1)), invalid_parameter_value);
    EXPECT_ERROR(open(changed(8, 33)), invalid_parameter_value);    // count
    EXPECT_ERROR(open(changed(16, 33)), invalid_parameter_value);   // capacity, no power of two
    EXPECT_ERROR(open(changed(23, 0x80)), invalid_parameter_value); // capacity
    EXPECT_ERROR(open(bytes(good.begin(), good.end() - 1)), invalid_parameter_value);
}

// States that only look like tables may give wrong sums or be refused, but nothing worse.
TEST(FlatTable, SurvivesStatesMadeByHand) {
    chance random(72);
    int refused = 0;
    for (int round = 0; round < 3'000; ++round) {
        growing counted;
        for (std::size_t i = random.below(40); i > 0; --i)
            counted.add({static_cast<std::int32_t>(i), static_cast<std::int32_t>(i)}, 1);
        for (std::size_t i = 1 + random.below(4); i > 0; --i)
            counted.state[random.below(random.one_in(2) ? 40 : counted.state.size())] =
                static_cast<std::byte>(random.bits());
        try {
            counted.add({-1, 0}, 1);
            counted.finished();
        } catch (const error &thrown) {
            const std::string_view code = thrown.state.code;
            EXPECT_TRUE(code == invalid_parameter_value.code || code == program_limit_exceeded.code) << code;
            ++refused;
        }
    }
    EXPECT_GT(refused, 100);
}

// Every place taken, and a count that denies it.
TEST(FlatTable, EndsItsSearchWhenNoPlaceIsFree) {
    bytes state(table::bytes_for(16, fixed));
    table(state, kind, fixed).use_all_room();
    const std::size_t front = table::bytes_for(0, fixed), slot = (state.size() - front) / 16;
    for (std::size_t i = 0; i < 16; ++i)
        store(state.data() + front + i * slot, std::uint64_t{1});
    EXPECT_ERROR(table(state, kind, fixed).add({5, 5}, {1}), invalid_parameter_value);
}

TEST(FlatList, IsCanonicalOnlyAsItIsWritten) {
    growing counted;
    for (std::int32_t i = 0; i < 10; ++i)
        counted.add({i, i}, 1);
    const byte_vector finished = counted.finished();
    const auto is_canonical = [](bytes of) { return list(of, kind, fixed).is_canonical(); };
    EXPECT_TRUE(is_canonical(copy_of(finished)));
    bytes longer = copy_of(finished);
    longer.push_back({});
    EXPECT_FALSE(is_canonical(longer));
    bytes twice = copy_of(finished);
    std::copy_n(twice.begin() + sizeof(flat_head) + fixed, sizeof(list::entry),
                twice.begin() + sizeof(flat_head) + fixed + sizeof(list::entry));
    EXPECT_FALSE(is_canonical(twice));
    bytes reserved = copy_of(finished);
    reserved[4] = std::byte{1};
    EXPECT_FALSE(is_canonical(reserved));
}

TEST(FlatStore, GrowsUntilTheChangeFits) {
    flat_store kept(heap(), table::bytes_for(16, fixed));
    for (std::int32_t i = 0; i < 5'000; ++i)
        kept.change([&](std::span<std::byte> state) {
            table to(state, kind, fixed);
            const std::size_t needed = to.bytes_to_hold(1);
            if (needed <= state.size()) {
                to.use_all_room();
                to.add({i % 1'000, 0}, {1});
            }
            return needed;
        });
    const byte_vector finished = table(kept.bytes(), kind, fixed).finish(heap());
    for (const auto &[of, n] : content(finished))
        EXPECT_EQ(n, 5);
}

TEST(FlatTable, CanBeStoppedWhileItGrowsAndIsSorted) {
    chance random(73);
    constexpr int entries = 200'000;
    growing large;
    for (int i = 0; i < entries; ++i)
        large.add({static_cast<std::int32_t>(random.bits()), i}, 1);
    byte_vector list(&heap());
    EXPECT_GT(polls_of([&] { list = large.finished(); }), 10 * entries / 4096); // sorting alone takes more steps
    EXPECT_GT(polls_of([&] { EXPECT_TRUE((flat_list<key, count>(list, kind, fixed).is_canonical())); }),
              entries / 5000);
    EXPECT_GT(polls_of([&] { table(large.state, kind, fixed).raise_scale(2, [](count &, std::int64_t) {}); }),
              entries / 4096);
    large.state.resize(table::bytes_for(1 << 20, fixed));
    EXPECT_GT(polls_of([&] { table(large.state, kind, fixed).use_all_room(); }), 2 * entries / 4096);
}

} // namespace
} // namespace crm::test
