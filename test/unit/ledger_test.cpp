#include "support.hpp"

#include "core/hashing.hpp"
#include "core/ledger.hpp"

#include <limits>
#include <map>
#include <set>

namespace crm::test {
namespace {

constexpr std::size_t least_budget = tape_pool::least_budget;

struct batch {
    std::vector<order> orders;
    int scale;
};

template <class Key> using customers = std::map<Key, std::vector<purchase>>;

// The plain way to the same: a map and a sort.
customers<std::uint64_t> expected_of(const std::vector<batch> &stream) {
    int scale = 0;
    for (const batch &each : stream)
        scale = std::max(scale, each.scale);
    customers<std::uint64_t> found;
    for (const batch &each : stream)
        for (const order &one : each.orders)
            found[one.key].push_back(
                {one.at, one.amount * powers_of_ten[static_cast<std::size_t>(scale - each.scale)]});
    for (auto &[key, list] : found)
        std::ranges::sort(list);
    return found;
}

// What the ledger gives, each customer once.
customers<std::uint64_t> read_all(ledger &book) {
    customers<std::uint64_t> found;
    for (customer each; book.next(each);) {
        const auto [place, fresh] =
            found.emplace(each.key, std::vector(each.history.entries.begin(), each.history.entries.end()));
        EXPECT_TRUE(fresh) << "customer " << each.key << " came twice";
        EXPECT_EQ(each.history.scale, book.scale());
        EXPECT_TRUE(each.key_bytes.empty());
    }
    return found;
}

customers<std::uint64_t> through_ledger(const std::vector<batch> &stream, std::size_t budget, memory &in = heap()) {
    memory_file file;
    ledger book(in, budget, file, nullptr);
    for (const batch &each : stream)
        book.add(each.orders, each.scale);
    return read_all(book);
}

std::vector<batch> random_stream(chance &random, std::size_t most_rows) {
    const auto key = [&, kind = random.below(4), keys = 1 + random.below(most_rows)]() -> std::uint64_t {
        const std::uint64_t number = random.below(keys);
        return kind == 0 ? number : kind == 1 ? ~number : kind == 2 ? mix(number) : number << 50;
    };
    const auto time = [&, kind = random.below(4)]() -> timestamp {
        switch (kind) {
        case 0:
            return at_day(random.between(9000, 9010));
        case 1:
            return {random.between(800'000'000, 900'000'000) * microseconds_per_second};
        case 2:
            return {random.between(0, microseconds_per_day)};
        default:
            return random.one_in(4) ? earliest_timestamp
                                    : timestamp{random.between(earliest_timestamp.us, end_of_timestamps.us - 1)};
        }
    };
    const bool extreme_amounts = random.one_in(4), scales = !extreme_amounts && random.one_in(2);
    std::vector<batch> stream(1 + random.below(20));
    for (std::size_t rows = random.below(most_rows + 1); batch & each : stream) {
        each.scale = scales ? static_cast<int>(random.below(max_scale + 1)) : 2;
        each.orders.resize(rows / stream.size());
        for (order &one : each.orders)
            one = {key(), time(), extreme_amounts ? random.number() : random.between(-1000, 100'000)};
    }
    return stream;
}

// Undoes the ledger's hash, so that a test chooses in which partitions its customers lie.
std::uint64_t unmix(std::uint64_t hash) {
    std::uint64_t inverse = 1;
    for (int i = 0; i < 6; ++i)
        inverse *= 2 - 0xD6E8FEB86659FD93 * inverse;
    hash ^= hash >> 32;
    hash *= inverse;
    hash ^= hash >> 32;
    hash *= inverse;
    return hash ^ hash >> 32;
}

// Customers that agree in the first bits of their hash.
std::vector<batch> crowded_stream(std::size_t rows, unsigned same_bits, std::size_t orders_each = 2) {
    chance random(10);
    std::vector<order> orders;
    for (std::size_t i = 0; i < rows; ++i) {
        const std::uint64_t hash = (std::uint64_t{0xABCDEF01} << 32 >> (64 - same_bits) << (64 - same_bits)) |
                                   mix(i / orders_each) >> same_bits;
        orders.push_back({unmix(hash), {random.between(0, 1000) * microseconds_per_second}, random.between(0, 1000)});
    }
    random.shuffle(orders);
    return {{orders, 0}};
}

TEST(Hashing, CanBeUndone) {
    chance random(11);
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t key = random.bits();
        ASSERT_EQ(unmix(mix(key)), key);
    }
}

TEST(Ledger, OfNothingIsEmpty) {
    memory_file file;
    ledger book(heap(), 0, file, nullptr);
    book.add({}, 0);
    customer found;
    EXPECT_FALSE(book.next(found));
    EXPECT_FALSE(book.next(found));
    EXPECT_EQ(book.orders(), 0u);
}

TEST(Ledger, AgreesWithAMap) {
    chance random(12);
    for (int round = 0; round < 150; ++round) {
        const std::vector<batch> stream = random_stream(random, round % 10 == 0 ? 60'000 : 2'000);
        const auto expected = expected_of(stream);
        for (const std::size_t budget : {std::size_t{0}, 4 * least_budget})
            ASSERT_EQ(through_ledger(stream, budget), expected) << "round " << round << ", budget " << budget;
    }
}

TEST(Ledger, EveryBudgetGivesTheSameCustomers) {
    chance random(13);
    batch all{{}, 0};
    for (int i = 0; i < 400'000; ++i)
        all.orders.push_back({random.bits() % 60'000 * 0x1'0000'0001, {random.number() / 2}, random.number()});
    for (order &each : all.orders)
        each.at = std::max(each.at, earliest_timestamp);
    const auto expected = expected_of({all});
    for (const std::size_t budget : {std::size_t{0}, std::size_t{1}, least_budget, 2 * least_budget, 64 * least_budget})
        EXPECT_TRUE(through_ledger({all}, budget) == expected) << "budget " << budget;
}

TEST(Ledger, KnowsCountFirstLastAndScale) {
    memory_file file;
    ledger book(heap(), 0, file, nullptr);
    book.add(std::vector<order>{{1, at_day(5), 7}, {2, at_day(-3), 7}}, 0);
    book.add(std::vector<order>{{1, at_day(9), 7}}, 2);
    book.add(std::vector<order>{{1, at_day(8), 7}}, 1);
    EXPECT_EQ(book.orders(), 4u);
    EXPECT_EQ(book.first(), at_day(-3));
    EXPECT_EQ(book.last(), at_day(9));
    EXPECT_EQ(book.scale(), 2);
    const customers<std::uint64_t> expected{{1, {{at_day(5), 700}, {at_day(8), 70}, {at_day(9), 7}}},
                                            {2, {{at_day(-3), 700}}}};
    EXPECT_EQ(read_all(book), expected);
}

TEST(Ledger, RefusesAnAmountThatItsScaleCannotHold) {
    const std::int64_t most = std::numeric_limits<std::int64_t>::max();
    EXPECT_ERROR(through_ledger({{{{1, {}, 1}}, 2}, {{{1, {}, most / 10}}, 0}}, 0), numeric_value_out_of_range);
    EXPECT_ERROR(through_ledger({{{{1, {}, most / 10}}, 0}, {{{1, {}, 1}}, 2}}, 0), numeric_value_out_of_range);
}

TEST(Ledger, TakesOneGiantCustomer) {
    chance random(14);
    batch all{{}, 0};
    for (int i = 0; i < 300'000; ++i)
        all.orders.push_back(
            {i % 3 == 0 ? random.bits() % 100 : 42, {random.between(0, 1'000'000'000)}, random.between(0, 99)});
    EXPECT_TRUE(through_ledger({all}, 0) == expected_of({all}));
}

// All in one partition: grouped at once, they would take several times the budget.
TEST(Ledger, SpreadsACrowdedPartitionWithinTheBudget) {
    for (const unsigned same_bits : {8u, 16u, 24u}) {
        const std::vector<batch> stream = crowded_stream(400'000, same_bits);
        counting_memory in;
        const auto found = through_ledger(stream, least_budget, in);
        EXPECT_EQ(in.used, 0u);
        EXPECT_LT(in.peak, 2 * least_budget + least_budget / 2) << same_bits << " bits";
        EXPECT_TRUE(found == expected_of(stream)) << same_bits << " bits";
    }
}

TEST(Ledger, GroupsCustomersThatNoSpreadingSeparates) {
    const std::vector<batch> stream = crowded_stream(200'000, 62, 50'000);
    ASSERT_EQ(expected_of(stream).size(), 2u);
    EXPECT_TRUE(through_ledger(stream, 0) == expected_of(stream));
}

// Customers whose names differ in case only are the same.
class same_letters final : public key_equality {
  public:
    bool operator()(byte_span a, byte_span b) const override {
        return std::ranges::equal(
            a, b, [](std::byte x, std::byte y) { return (x | std::byte{0x20}) == (y | std::byte{0x20}); });
    }
};

// The tag of the first purchase, of the lowest rank where several came at the same time; 0 without a purchase.
std::map<std::uint64_t, tag> first_tags(const std::vector<order> &orders, const std::vector<tag> &tags,
                                        const std::vector<std::uint32_t> &ranks) {
    std::map<std::uint64_t, std::pair<timestamp, tag>> first;
    std::map<std::uint64_t, tag> found;
    for (std::size_t i = 0; i < orders.size(); ++i) {
        const auto &[key, at, amount] = orders[i];
        found[key];
        if (amount < 0)
            continue;
        const auto [place, fresh] = first.emplace(key, std::pair(at, tags[i]));
        if (!fresh && std::pair(at, ranks[tags[i]]) < std::pair(place->second.first, ranks[place->second.second]))
            place->second = {at, tags[i]};
        found[key] = place->second.second;
    }
    return found;
}

TEST(Ledger, KeepsTheTagOfTheFirstPurchase) {
    chance random(34);
    const std::vector<order> many = crowded_stream(150'000, 8, 20).front().orders;
    for (int round = 0; round < 40; ++round) {
        std::vector<order> orders = many;
        if (round > 0) {
            orders.resize(random.below(2'000));
            for (order &each : orders)
                each = {random.below(200), at_day(random.between(0, 5)), random.between(-3, 5)};
        }
        const std::size_t names = 1 + random.below(round % 2 == 0 ? 5 : 100'000);
        std::vector<std::uint32_t> ranks(names);
        for (std::size_t i = 0; i < names; ++i)
            ranks[i] = static_cast<std::uint32_t>(i);
        random.shuffle(ranks);
        std::vector<tag> tags;
        for (std::size_t i = 0; i < orders.size(); ++i)
            tags.push_back(static_cast<tag>(random.below(names)));
        const same_letters equality;
        for (const bool keys_apart : {false, true}) {
            memory_file file;
            ledger book(heap(), 0, file, keys_apart ? &equality : nullptr);
            if (!keys_apart)
                book.add(orders, 0, tags);
            for (std::size_t i = 0; keys_apart && i < orders.size(); ++i)
                book.add(orders[i], {}, 0, tags[i]);
            book.rank_tags(ranks);
            std::map<std::uint64_t, tag> found;
            for (customer each; book.next(each);)
                found[each.key] = each.first_tag;
            ASSERT_TRUE(found == first_tags(orders, tags, ranks)) << "round " << round;
        }
    }
}

struct named_order {
    std::string name;
    order of;
    int scale;
};

// Names of all lengths up to the longest; their hash takes only so many values, so that names collide.
std::vector<named_order> named_stream(chance &random, std::size_t rows, std::size_t names, std::size_t longest,
                                      std::uint64_t hashes) {
    std::vector<named_order> stream;
    for (std::size_t i = 0; i < rows; ++i) {
        const std::uint64_t number = random.below(names);
        std::string name = std::to_string(number);
        for (char &digit : name)
            digit = static_cast<char>(digit - '0' + (random.one_in(2) ? 'a' : 'A'));
        name.append(number * 2654435761 % (longest + 1), number % 2 == 0 ? 'x' : 'y');
        if (number == 0)
            name.clear();
        stream.push_back({name,
                          {mix(number) % hashes, at_day(random.between(0, 99)), random.between(-9, 99)},
                          static_cast<int>(random.below(3))});
    }
    return stream;
}

customers<std::string> expected_of(const std::vector<named_order> &stream) {
    int scale = 0;
    for (const named_order &each : stream)
        scale = std::max(scale, each.scale);
    customers<std::string> found;
    for (const named_order &each : stream) {
        std::string small = each.name;
        for (char &letter : small)
            letter = static_cast<char>(letter | 0x20);
        found[small].push_back(
            {each.of.at, each.of.amount * powers_of_ten[static_cast<std::size_t>(scale - each.scale)]});
    }
    for (auto &[name, list] : found)
        std::ranges::sort(list);
    return found;
}

customers<std::string> through_ledger(const std::vector<named_order> &stream, std::size_t budget, memory &in = heap(),
                                      memory_file *file = nullptr) {
    memory_file own;
    const same_letters equality;
    ledger book(in, budget, file != nullptr ? *file : own, &equality);
    for (const named_order &each : stream)
        book.add(each.of, std::as_bytes(std::span(each.name)), each.scale);
    customers<std::string> found;
    for (customer each; book.next(each);) {
        std::string name;
        for (std::byte letter : each.key_bytes)
            name += static_cast<char>(letter | std::byte{0x20});
        EXPECT_TRUE(found.emplace(name, std::vector(each.history.entries.begin(), each.history.entries.end())).second)
            << name;
    }
    return found;
}

TEST(LedgerOfNames, AgreesWithAMapWhateverCollides) {
    chance random(15);
    for (const std::uint64_t hashes : {std::uint64_t{1}, std::uint64_t{7}, ~std::uint64_t{0}})
        for (const std::size_t longest : {std::size_t{0}, std::size_t{30}, ledger::max_key_bytes - 8}) {
            const auto stream = named_stream(random, 5'000, 300, longest, hashes);
            const auto expected = expected_of(stream);
            for (const std::size_t budget : {std::size_t{0}, 8 * least_budget})
                ASSERT_EQ(through_ledger(stream, budget), expected) << hashes << " hashes, names to " << longest;
        }
}

TEST(LedgerOfNames, SpreadsACrowdedPartition) {
    chance random(16);
    auto stream = named_stream(random, 120'000, 5'000, 20, ~std::uint64_t{0});
    for (named_order &each : stream)
        each.of.key = unmix(each.of.key >> 8);
    EXPECT_TRUE(through_ledger(stream, 0) == expected_of(stream));
}

// Spills, spreads, groups, and reads to the end.
template <class Use> std::size_t fail_with_memory(Use &&use) {
    return fail_everywhere([&](std::size_t n) {
        counting_memory in;
        in.fail_at = n;
        bool failed = false;
        try {
            use(in);
        } catch (const std::bad_alloc &) {
            failed = true;
        }
        EXPECT_EQ(in.used, 0u) << "allocation " << n;
        return failed;
    });
}

TEST(Ledger, FreesEverythingWhenMemoryRunsOut) {
    const std::vector<batch> spread_wide = crowded_stream(20'000, 1), crowded = crowded_stream(120'000, 8);
    EXPECT_GT(fail_with_memory([&](memory &in) { through_ledger(spread_wide, 0, in); }), 20u);
    EXPECT_GT(fail_with_memory([&](memory &in) { through_ledger(crowded, 0, in); }), 20u);
}

// Long names, so that few orders fill the least budget.
std::vector<named_order> long_stream() {
    chance random(18);
    return named_stream(random, 2 * least_budget / 1'000, 1'000, 2'000, ~std::uint64_t{0});
}

TEST(LedgerOfNames, FreesEverythingWhenMemoryRunsOut) {
    const auto stream = long_stream();
    EXPECT_GT(fail_with_memory([&](memory &in) { through_ledger(stream, 0, in); }), 20u);
}

TEST(LedgerOfNames, FreesEverythingWhenTheSpillFileFails) {
    const auto stream = long_stream();
    const std::size_t failures = fail_everywhere([&](std::size_t n) {
        counting_memory in;
        memory_file file;
        file.fail_at = n;
        bool failed = false;
        try {
            through_ledger(stream, 0, in, &file);
        } catch (const disk_full &) {
            failed = true;
        }
        EXPECT_EQ(in.used, 0u) << "call " << n;
        return failed;
    });
    EXPECT_GT(failures, 20u);
}

// Ids that all have the same first place in a table of the plain hash: whoever can choose ids must not make a pass
// slow.
TEST(SecretMix, ScattersKeysThatMeetInThePlainHash) {
    const secret_mix one, other;
    constexpr std::uint64_t places = 4096;
    std::set<std::uint64_t> plain, scattered, elsewhere;
    for (std::uint64_t i = 0; i < places; ++i) {
        const std::uint64_t key = unmix(i << 24);
        plain.insert(mix(key) % places);
        scattered.insert(one(key) % places);
        elsewhere.insert(other(key) % places);
    }
    EXPECT_EQ(plain.size(), 1u);
    EXPECT_GT(scattered.size(), places / 2); // 1 - 1/e of them are expected
    EXPECT_GT(elsewhere.size(), places / 2);
    EXPECT_NE(one(1), other(1));
}

TEST(Ledger, CanBeInterruptedAtEveryPoll) {
    const std::vector<batch> stream = crowded_stream(120'000, 8);
    const std::size_t failures = fail_everywhere([&](std::size_t n) {
        counting_memory in;
        const interrupt_at stop(n);
        bool interrupted = false;
        try {
            through_ledger(stream, 0, in);
        } catch (const interrupt_at::interrupted &) {
            interrupted = true;
        }
        EXPECT_EQ(in.used, 0u) << "poll " << n;
        return interrupted;
    });
    EXPECT_GT(failures, 100u);
}

} // namespace
} // namespace crm::test
