#include "support.hpp"

#include "core/decimal.hpp"

#include <limits>

namespace crm::test {
namespace {

constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                       most = std::numeric_limits<std::int64_t>::max();

std::string text_of(decimal value) {
    std::string text;
    append_decimal(text, value);
    return text;
}

decimal random_decimal(chance &random) { return {random.number(), static_cast<int>(random.below(max_scale + 1))}; }

TEST(Decimal, PrintsAllPlacesOfItsScale) {
    EXPECT_EQ(text_of({0, 0}), "0");
    EXPECT_EQ(text_of({0, 2}), "0.00");
    EXPECT_EQ(text_of({-5, 2}), "-0.05");
    EXPECT_EQ(text_of({-995, 1}), "-99.5");
    EXPECT_EQ(text_of({100, 2}), "1.00");
    EXPECT_EQ(text_of({123'456, 6}), "0.123456");
    EXPECT_EQ(text_of({least, 0}), "-9223372036854775808");
    EXPECT_EQ(text_of({least, 6}), "-9223372036854.775808");
    EXPECT_EQ(text_of({most, 1}), "922337203685477580.7");
}

TEST(Decimal, ParsesPlainNumbers) {
    EXPECT_EQ(parse_decimal("0"), (decimal{0, 0}));
    EXPECT_EQ(parse_decimal("-0"), (decimal{0, 0}));
    EXPECT_EQ(parse_decimal("007"), (decimal{7, 0}));
    EXPECT_EQ(parse_decimal("-99.5"), (decimal{-995, 1}));
    EXPECT_EQ(parse_decimal("0.000001"), (decimal{1, 6}));
    EXPECT_EQ(parse_decimal("10.010"), (decimal{1001, 2}));
    EXPECT_EQ(parse_decimal("1.000000000000"), (decimal{1, 0}));
    EXPECT_EQ(parse_decimal("0.1234560000"), (decimal{123'456, 6}));
    EXPECT_EQ(parse_decimal("9223372036854775807"), (decimal{most, 0}));
    EXPECT_EQ(parse_decimal("-9223372036854775808"), (decimal{least, 0}));
    EXPECT_EQ(parse_decimal("-9223372036854.775808"), (decimal{least, 6}));
    EXPECT_EQ(parse_decimal("9223372036854775807.000"), (decimal{most, 0}));
}

TEST(Decimal, RefusesWhatIsNoPlainNumber) {
    for (const std::string &text :
         split("|-|.|-.|.5|5.|-.5|--1|+1|1.2.3|1..2|1e5|0x1| 1|1 |1,5|NaN|Infinity|1-|１|1.0000001|"
               "9223372036854775808|-9223372036854775809|922337203685477580.71|99999999999999999999999|"
               "9223372036854775807.1"))
        EXPECT_FALSE(parse_decimal(text)) << text;
}

TEST(Decimal, PrintedComesBackNormalized) {
    chance random(3);
    for (int i = 0; i < 50'000; ++i) {
        const decimal value = random_decimal(random);
        const auto back = parse_decimal(text_of(value));
        ASSERT_TRUE(back) << text_of(value);
        EXPECT_EQ(*back, normalized(value));
        EXPECT_EQ(compare(*back, value), std::strong_ordering::equal);
    }
}

// Against the text: what stands after the point without its zeros at the end.
TEST(Decimal, NormalizedHasNoZerosAfterThePoint) {
    chance random(4);
    for (int i = 0; i < 50'000; ++i) {
        decimal value = random_decimal(random);
        value.minor = value.minor / powers_of_ten[10] * powers_of_ten[random.below(7)];
        std::string shortest = text_of(value);
        if (value.scale > 0) {
            shortest.erase(shortest.find_last_not_of('0') + 1);
            if (shortest.back() == '.')
                shortest.pop_back();
        }
        EXPECT_EQ(text_of(normalized(value)), shortest);
        EXPECT_EQ(spare_places(value.minor, value.scale), value.scale - normalized(value).scale);
    }
    EXPECT_EQ(normalized({0, 6}), (decimal{0, 0}));
}

TEST(Decimal, ComparesAcrossScales) {
    chance random(5);
    for (int i = 0; i < 50'000; ++i) {
        const decimal a = random_decimal(random), b = random.one_in(2) ? random_decimal(random) : normalized(a);
        // Whole parts and then rests, both cut towards zero.
        const auto whole = [](decimal of) { return of.minor / powers_of_ten[static_cast<std::size_t>(of.scale)]; };
        const auto rest = [](decimal of) {
            return of.minor % powers_of_ten[static_cast<std::size_t>(of.scale)] *
                   powers_of_ten[static_cast<std::size_t>(max_scale - of.scale)];
        };
        EXPECT_EQ(compare(a, b), std::pair(whole(a), rest(a)) <=> std::pair(whole(b), rest(b)));
    }
    EXPECT_EQ(compare({most, 0}, {most, 6}), std::strong_ordering::greater);
    EXPECT_EQ(compare({least, 0}, {least, 6}), std::strong_ordering::less);
}

TEST(Decimal, RescaleIsExactOrAnError) {
    EXPECT_EQ(rescale(-12, 0, 2), -1200);
    EXPECT_EQ(rescale(most, 3, 3), most);
    EXPECT_EQ(rescale(most / 1'000'000, 0, 6), most / 1'000'000 * 1'000'000);
    EXPECT_ERROR(rescale(most / 10 + 1, 0, 1), numeric_value_out_of_range);
    EXPECT_ERROR(rescale(least, 5, 6), numeric_value_out_of_range);
}

TEST(Decimal, SumMayLeave64BitsOnItsWay) {
    amount_sum sum;
    for (int i = 0; i < 1000; ++i)
        sum.add(most);
    EXPECT_ERROR(sum.minor(), numeric_value_out_of_range);
    EXPECT_EQ(sum.minor(1000), most);
    for (int i = 0; i < 999; ++i)
        sum.add(-static_cast<wide_int>(most));
    EXPECT_EQ(sum.minor(), most);
    sum.add(1);
    EXPECT_ERROR(sum.minor(), numeric_value_out_of_range);
    sum.add(static_cast<wide_int>(least) * 2);
    EXPECT_EQ(sum.minor(), least);
    sum.add(-1);
    EXPECT_ERROR(sum.minor(), numeric_value_out_of_range);
}

} // namespace
} // namespace crm::test
