#include "support.hpp"

namespace crm::test {
namespace {

TEST(ShortText, JoinsTextsLettersAndNumbers) {
    EXPECT_STREQ(short_text("It is ", -5, '!').c_str(), "It is -5!");
    EXPECT_STREQ(
        short_text(std::numeric_limits<std::int64_t>::min(), " to ", std::numeric_limits<std::uint64_t>::max()).c_str(),
        "-9223372036854775808 to 18446744073709551615");
    EXPECT_TRUE(short_text().empty());
    EXPECT_TRUE(short_text("").empty());
}

TEST(ShortText, CutsWhatDoesNotFit) {
    const std::string long_text(1000, 'x');
    const short_text cut(long_text, long_text);
    EXPECT_EQ(std::string(cut.c_str()), std::string(319, 'x'));
}

// The encoding is not known, so only the edge of an ASCII letter is surely the edge of a character.
TEST(Excerpt, KeepsShortTextsAndCutsLongOnesBesideAnAsciiLetter) {
    EXPECT_EQ(excerpt("short 短い"), "short 短い");
    const std::string long_text(1000, 'a');
    EXPECT_LT(excerpt(long_text).size(), 320u);
    EXPECT_TRUE(long_text.starts_with(excerpt(long_text)));
    std::string japanese;
    for (int i = 0; i < 300; ++i)
        japanese += "客";
    for (std::size_t ascii = 0; ascii < 6; ++ascii) {
        const std::string text = std::string(ascii, 'a') + japanese;
        EXPECT_EQ(excerpt(text), std::string(ascii, 'a'));
    }
}

TEST(Elapsed, IsExactOrAnError) {
    EXPECT_EQ(elapsed(at_day(1), at_day(3)).us, 2 * microseconds_per_day);
    EXPECT_EQ(elapsed(at_day(3), at_day(1)).us, -2 * microseconds_per_day);
    EXPECT_ERROR(elapsed(earliest_timestamp, {end_of_timestamps.us - 1}), datetime_field_overflow);
}

} // namespace
} // namespace crm::test
