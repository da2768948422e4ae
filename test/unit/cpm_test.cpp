#include "support.hpp"

#include "rfm/cpm.hpp"

namespace crm::test {
namespace {

using namespace crm::rfm;

// The published limits, in yen.
constexpr cpm_limits published{240, 90, 210, {70'000, 0}};

// A customer who bought on some days, the last time for so much that the revenue comes to what is said.
byte_vector bought(const std::vector<std::int64_t> &days, std::int64_t revenue) {
    std::vector<purchase> list;
    for (std::int64_t day : days)
        list.push_back({at_day(day), 0});
    list.back().amount = revenue;
    return history::encode(list, 0, heap());
}

cpm_class class_of(const std::vector<std::int64_t> &days, std::int64_t revenue) {
    const byte_vector value = bought(days, revenue);
    return portfolio(heap(), {value}, at_day(1000), published).value().of;
}

TEST(Portfolio, ClassesBeginAtTheirLimits) {
    EXPECT_EQ(class_of({0}, 1'000'000), cpm_class::first_time);
    EXPECT_EQ(class_of({0, 0}, 1'000'000), cpm_class::infant);
    EXPECT_EQ(class_of({0, 89}, 1'000'000), cpm_class::infant);
    EXPECT_EQ(class_of({0, 90}, 69'999), cpm_class::steady);
    EXPECT_EQ(class_of({0, 90}, 70'000), cpm_class::trend);
    EXPECT_EQ(class_of({0, 50, 209}, 70'000), cpm_class::trend);
    EXPECT_EQ(class_of({0, 50, 210}, 70'000), cpm_class::loyal);
    EXPECT_EQ(class_of({0, 50, 210}, 69'999), cpm_class::steady);
    EXPECT_EQ(class_of({0, 999}, 10), cpm_class::steady);
}

TEST(Portfolio, LapsesAtItsLimit) {
    const byte_vector value = bought({0}, 1);
    for (const auto &[day, active] : {std::pair{0, true}, {239, true}, {240, false}, {241, false}})
        EXPECT_EQ(portfolio(heap(), {value}, at_day(day), published).value().active, active) << day;
    EXPECT_TRUE(portfolio(heap(), {value}, at_day(240, -1), published).value().active);
}

TEST(Portfolio, KnowsNothingOfTheFuture) {
    const byte_vector value = bought({0, 100, 300}, 70'000);
    EXPECT_FALSE(portfolio(heap(), {value}, at_day(0, -1), published));
    EXPECT_EQ(portfolio(heap(), {value}, at_day(99), published).value().of, cpm_class::first_time);
    EXPECT_EQ(portfolio(heap(), {value}, at_day(100), published).value().of, cpm_class::steady);
    EXPECT_EQ(portfolio(heap(), {value}, at_day(300), published).value().of, cpm_class::loyal);
    const byte_vector early = bought({0, 50, 300}, 70'000);
    EXPECT_EQ(portfolio(heap(), {early}, at_day(60), published).value().of, cpm_class::infant);
}

TEST(Portfolio, RefundsAreNoPurchasesButLowerRevenue) {
    std::vector<purchase> list{{at_day(-500), -5}, {at_day(0), 80'000}, {at_day(100), 0}, {at_day(400), -9'995}};
    const byte_vector value = history::encode(list, 0, heap());
    EXPECT_EQ(portfolio(heap(), {value}, at_day(399), published).value().of, cpm_class::trend);
    EXPECT_FALSE(portfolio(heap(), {value}, at_day(399), published).value().active);
    EXPECT_EQ(portfolio(heap(), {value}, at_day(400), published).value().of, cpm_class::trend);
    list.push_back({at_day(401), -1});
    const byte_vector less = history::encode(list, 0, heap());
    EXPECT_EQ(portfolio(heap(), {less}, at_day(401), published).value().of, cpm_class::steady);
    std::vector<purchase> refund{{at_day(0), -5}};
    EXPECT_FALSE(portfolio(heap(), {history::encode(refund, 0, heap())}, at_day(1), published));
}

TEST(Portfolio, RefusesLimitsThatContradictEachOther) {
    const byte_vector value = bought({0}, 1);
    for (const cpm_limits &limits : {cpm_limits{-1, 90, 210, {}}, {240, -1, 210, {}}, {240, 90, 89, {}}})
        EXPECT_ERROR(portfolio(heap(), {value}, at_day(1), limits), invalid_parameter_value);
    EXPECT_TRUE(portfolio(heap(), {value}, at_day(1), {0, 0, 0, {}}));
}

} // namespace
} // namespace crm::test
