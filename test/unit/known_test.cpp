#include "support.hpp"

#include "core/hashing.hpp"
#include "shop/known.hpp"

#include <map>
#include <set>

namespace crm::test {
namespace {

using shop::known_row;
using shop::known_rows;

constexpr std::size_t least_budget = tape_pool::least_budget;

// Customers with orders, and rows that are known of customers with and without orders.
struct population {
    std::set<std::uint64_t> buyers;
    std::map<std::uint64_t, bytes> known;
};

population random_population(chance &random, std::size_t most, std::size_t longest) {
    population made;
    const bool narrow = random.one_in(2);
    for (std::size_t i = random.below(most + 1); i > 0; --i) {
        const std::uint64_t key = narrow ? random.below(2 * most) : random.bits();
        if (!random.one_in(3))
            made.buyers.insert(key);
        if (!random.one_in(3))
            made.known[key] = random.some_bytes(random.one_in(20) ? random.below(longest + 1) : random.below(100));
    }
    return made;
}

std::uint64_t place_of(std::uint64_t key) { return mix(key) & 0xFFFF'FFFF'FFFF; }

void fill(ledger &book, known_rows &rows, const population &from) {
    for (const std::uint64_t key : from.buyers) {
        const order one{key, at_day(9000), 1};
        book.add(std::span(&one, 1), 0);
    }
    for (const auto &[key, content] : from.known)
        rows.add({key, place_of(key), {}, content});
}

// Every customer meets the row that is known, and exactly the others are left.
void expect_all_meet(ledger &book, known_rows &rows, const population &of) {
    std::size_t met = 0;
    for (customer each; book.next(each);) {
        const auto expected = of.known.find(each.key);
        const auto found = rows.take(each);
        ASSERT_EQ(found.has_value(), expected != of.known.end());
        if (found) {
            ++met;
            EXPECT_EQ(found->place, place_of(each.key));
            EXPECT_EQ(copy_of(found->content), expected->second);
        }
    }
    std::set<std::uint64_t> left;
    while (const auto row = rows.next_left()) {
        EXPECT_FALSE(of.buyers.contains(row->key));
        EXPECT_TRUE(of.known.contains(row->key));
        EXPECT_EQ(row->place, place_of(row->key));
        EXPECT_TRUE(left.insert(row->key).second) << "left twice";
    }
    EXPECT_EQ(met + left.size(), of.known.size());
    EXPECT_FALSE(rows.next_left().has_value());
}

TEST(known_rows, meets_every_customer_and_leaves_the_rest) {
    chance random(1);
    for (int round = 0; round < 60; ++round) {
        const population of = random_population(random, round < 50 ? 300 : 30'000, 40'000);
        memory_file file;
        ledger book(heap(), least_budget, file, nullptr);
        known_rows rows(heap(), &book.pool(), nullptr);
        fill(book, rows, of);
        expect_all_meet(book, rows, of);
    }
}

TEST(known_rows, spills_with_the_ledger) {
    chance random(2);
    population of;
    for (std::uint64_t key = 0; key < 20'000; ++key) {
        if (key % 3 > 0)
            of.buyers.insert(key);
        if (key % 2 > 0)
            of.known[key] = random.some_bytes(2'000);
    }
    memory_file file;
    ledger book(heap(), least_budget, file, nullptr);
    known_rows rows(heap(), &book.pool(), nullptr);
    fill(book, rows, of);
    EXPECT_GT(book.pool().spilled_bytes(), 0U);
    expect_all_meet(book, rows, of);
}

TEST(known_rows, of_nobody) {
    memory_file file;
    ledger book(heap(), least_budget, file, nullptr);
    known_rows rows(heap(), &book.pool(), nullptr);
    expect_all_meet(book, rows, {});
}

// Keys that are bytes, equal without regard to case, all with the same hash.
struct any_case final : key_equality {
    bool operator()(byte_span a, byte_span b) const override {
        return std::ranges::equal(a, b, [](std::byte x, std::byte y) { return (x | case_bit) == (y | case_bit); });
    }
    static constexpr std::byte case_bit{0x20};
};

TEST(known_rows, tells_keys_of_bytes_apart_by_their_own_equality) {
    const any_case equality;
    memory_file file;
    ledger book(heap(), least_budget, file, &equality);
    known_rows rows(heap(), &book.pool(), &equality);
    const auto bytes_of = [](std::string_view text) { return std::as_bytes(std::span(text)); };
    for (const std::string_view name : {"anna", "BERT", "carl"})
        book.add({7, at_day(9000), 1}, bytes_of(name), 0);
    rows.add({7, 1, bytes_of("Bert"), bytes_of("content")});
    rows.add({7, 2, bytes_of("dora"), bytes_of("more")});
    std::map<std::string, std::uint64_t> met;
    for (customer each; book.next(each);)
        if (const auto found = rows.take(each))
            met[std::string(reinterpret_cast<const char *>(found->key_bytes.data()), found->key_bytes.size())] =
                found->place;
    EXPECT_EQ(met, (std::map<std::string, std::uint64_t>{{"Bert", 1}}));
    const auto left = rows.next_left();
    ASSERT_TRUE(left.has_value());
    EXPECT_EQ(left->place, 2U);
    EXPECT_EQ(copy_of(left->key_bytes), copy_of(bytes_of("dora")));
    EXPECT_FALSE(rows.next_left().has_value());
}

// Running out of memory, or of disk, at any moment leaves nothing behind.
TEST(known_rows, survives_running_out_of_memory) {
    chance random(3);
    const population of = random_population(random, 300, 40'000);
    std::size_t failed = 0;
    for (std::size_t at = 1; at < 2'000; at += 7) {
        counting_memory in;
        memory_file file;
        try {
            ledger book(in, least_budget, file, nullptr);
            known_rows rows(in, &book.pool(), nullptr);
            in.fail_at = in.allocations + at;
            fill(book, rows, of);
            expect_all_meet(book, rows, of);
        } catch (const std::bad_alloc &) {
            ++failed;
        }
        EXPECT_EQ(in.used, 0U);
    }
    EXPECT_GT(failed, 10U);
}

} // namespace
} // namespace crm::test
