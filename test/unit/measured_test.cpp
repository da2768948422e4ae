#include "support.hpp"

#include "rfm/measured.hpp"

#include <map>

namespace crm::test {
namespace {

using namespace crm::rfm;

using measured = measured_customers<2>;

const std::array<window, 2> windows{window{at_day(100), at_day(50)}, window{at_day(200), window::lifetime}};

class same_bytes final : public key_equality {
  public:
    bool operator()(byte_span a, byte_span b) const override { return std::ranges::equal(a, b); }
};

std::vector<order> random_orders(chance &random, std::size_t customers) {
    std::vector<order> orders;
    for (std::size_t i = 0; i < 2 * customers; ++i)
        orders.push_back(
            {random.below(customers) * 0x1'0001, at_day(random.between(0, 250)), random.between(-100, 50'000)});
    return orders;
}

std::map<std::uint64_t, std::vector<purchase>> by_customer(const std::vector<order> &orders) {
    std::map<std::uint64_t, std::vector<purchase>> found;
    for (const order &each : orders)
        found[each.key].push_back({each.at, each.amount});
    for (auto &[key, list] : found)
        std::ranges::sort(list);
    return found;
}

void measure_all(ledger &book, measured &into) {
    for (customer each; book.next(each);)
        into.add(each, windows);
}

void expect_same(const std::optional<measures> &expected, const measured::row::at_date &found, const measures &again) {
    ASSERT_EQ(found.is_customer(), expected.has_value());
    if (!expected)
        return;
    EXPECT_EQ(std::tuple(found.recency, found.frequency, found.monetary),
              std::tuple(expected->recency, expected->frequency, expected->monetary.minor));
    EXPECT_EQ(std::tuple(again.recency, again.frequency, again.monetary),
              std::tuple(expected->recency, expected->frequency, expected->monetary));
}

// More customers than fit into memory, each measured at two dates and read in three ways.
TEST(MeasuredCustomers, AreThoseOfTheLedger) {
    chance random(47);
    const auto orders = random_orders(random, tape_pool::least_budget / 30);
    auto expected = by_customer(orders);
    memory_file file;
    ledger book(heap(), 0, file, nullptr);
    book.add(orders, 2);
    measured all(heap(), &book);
    measure_all(book, all);
    EXPECT_GT(book.pool().spilled_bytes(), 0u);

    std::size_t visited = 0;
    std::array<std::uint64_t, 2> counts{};
    std::array<measure_ranges, 2> ranges;
    std::array<std::vector<measure_values>, 2> values;
    all.each([&](const customer &who, const measured::row &of) {
        ++visited;
        for (std::size_t date = 0; date < 2; ++date) {
            const auto found = measure({expected.at(who.key), 2}, windows[date]);
            expect_same(found, of.at[date], all.measures_of(of, date));
            if (!found)
                continue;
            ++counts[date];
            values[date].push_back(measure_values::of(found->recency, found->frequency, found->monetary.minor));
            ranges[date].add(values[date].back());
        }
    });
    for (std::size_t date = 0; date < 2; ++date) {
        const auto cuts = all.quantiles(date, 5);
        const bands plain = quantile_bands(heap(), ranges[date], counts[date], 5, 2, [&](auto visit) {
            for (const measure_values &each : values[date])
                visit(each);
        });
        ASSERT_TRUE(cuts);
        EXPECT_EQ(std::tuple(cuts->recency, cuts->frequency, cuts->monetary),
                  std::tuple(plain.recency, plain.frequency, plain.monetary));
    }

    measured::row of;
    for (customer who; all.next(who, of);) {
        EXPECT_TRUE(who.key_bytes.empty());
        EXPECT_EQ(expected.erase(who.key), 1u);
        --visited;
    }
    EXPECT_EQ(visited, 0u);
    for (const auto &[key, list] : expected)
        EXPECT_FALSE(measure({list, 2}, windows[1])) << "customer " << key << " is missing";
}

TEST(MeasuredCustomers, KeepKeysOfAnyLength) {
    chance random(48);
    memory_file file;
    const same_bytes equality;
    ledger book(heap(), 0, file, &equality);
    std::map<std::string, std::int64_t> expected;
    for (std::size_t i = 0; i < 8'000; ++i) {
        const std::string name = std::to_string(i) + std::string(i * 7919 % 2'000, 'x');
        book.add({random.below(1000), at_day(60), static_cast<std::int64_t>(i)}, std::as_bytes(std::span(name)), 0);
        expected[name] = static_cast<std::int64_t>(i);
    }
    measured all(heap(), &book);
    measure_all(book, all);
    measured::row of;
    for (customer who; all.next(who, of);) {
        const std::string name(reinterpret_cast<const char *>(who.key_bytes.data()), who.key_bytes.size());
        ASSERT_TRUE(expected.contains(name));
        EXPECT_EQ(of.at[0].monetary, expected[name]);
        expected.erase(name);
    }
    EXPECT_TRUE(expected.empty());
}

TEST(MeasuredCustomers, OfNobodyHaveNoQuantiles) {
    memory_file file;
    ledger book(heap(), 0, file, nullptr);
    book.add(std::vector<order>{{1, at_day(150), 5}, {2, at_day(60), -5}}, 0);
    measured all(heap(), &book);
    measure_all(book, all);
    EXPECT_FALSE(all.quantiles(0, 5)) << "nobody had bought anything at the first date";
    EXPECT_TRUE(all.quantiles(1, 5));
}

} // namespace
} // namespace crm::test
