// Numbers of variable length: the fast reader agrees with a plain one on all bytes, and reads what was written.
#include "fuzz.hpp"

using namespace crm;

namespace {

// One byte after the other; nothing where the number is cut off or too long.
std::optional<std::uint64_t> plain_varint(byte_span &from) {
    unsigned __int128 value = 0;
    for (unsigned i = 0; i < 10 && i < from.size(); ++i) {
        const auto byte = std::to_integer<unsigned>(from[i]);
        value |= static_cast<unsigned __int128>(byte & 0x7F) << 7 * i;
        if (byte < 0x80) {
            from = from.subspan(i + 1);
            return value >> 64 == 0 ? std::optional(static_cast<std::uint64_t>(value)) : std::nullopt;
        }
    }
    return std::nullopt;
}

void write_and_read(std::uint64_t number) {
    std::byte written[byte_writer::max_varint];
    byte_writer out(written);
    out.varint(number);
    byte_reader in({written, out.position()});
    REQUIRE(in.varint() == number);
    REQUIRE(in.at_end());
    REQUIRE(zigzag(unzigzag(number)) == number);
}

} // namespace

FUZZ(input) {
    byte_reader one_by_one(input), in_pairs(input);
    for (bool second = false;; second = !second) {
        const auto expected = plain_varint(input);
        REQUIRE(fuzz::attempt([&] { return one_by_one.varint(); }) == expected);
        if (second) {
            byte_reader copy = in_pairs;
            byte_span rest = input;
            const auto last = plain_varint(rest);
            const auto both = fuzz::attempt([&] { return copy.two_varints(); });
            REQUIRE(both.has_value() == (expected && last));
            REQUIRE(!both || (both->first == *expected && both->second == *last));
        }
        if (!expected)
            return;
        in_pairs = one_by_one;
        write_and_read(*expected);
    }
}
