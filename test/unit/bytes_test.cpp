#include "support.hpp"

#include "core/bytes.hpp"

#include <array>
#include <limits>

namespace crm::test {
namespace {

constexpr std::array<std::uint64_t, 10> edges{
    0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 0xFFFF'FFFF, 0x7FFF'FFFF'FFFF'FFFF, 0x8000'0000'0000'0000, 0xFFFF'FFFF'FFFF'FFFF};

bytes of(std::initializer_list<unsigned> values) {
    bytes made;
    for (unsigned value : values)
        made.push_back(static_cast<std::byte>(value));
    return made;
}

bytes written(std::uint64_t value) {
    bytes made(byte_writer::max_varint);
    byte_writer out(made.data());
    out.varint(value);
    made.resize(static_cast<std::size_t>(out.position() - made.data()));
    return made;
}

TEST(Bytes, VarintIsLittleEndianInGroupsOfSevenBits) {
    EXPECT_EQ(written(0), of({0}));
    EXPECT_EQ(written(127), of({0x7F}));
    EXPECT_EQ(written(128), of({0x80, 0x01}));
    EXPECT_EQ(written(300), of({0xAC, 0x02}));
    EXPECT_EQ(written(~std::uint64_t{0}), of({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}));
}

TEST(Bytes, VarintsComeBackInTheirOrder) {
    chance random(1);
    std::vector<std::uint64_t> values(edges.begin(), edges.end());
    for (int i = 0; i < 10'000; ++i)
        values.push_back(random.bits() >> random.below(64));
    bytes made(values.size() * byte_writer::max_varint);
    byte_writer out(made.data());
    for (std::uint64_t value : values)
        out.varint(value);
    byte_reader in(byte_span(made.data(), out.position()));
    for (std::uint64_t value : values)
        EXPECT_EQ(in.varint(), value);
    EXPECT_TRUE(in.at_end());
}

TEST(Bytes, VarintsComeBackInPairs) {
    chance random(2);
    for (int i = 0; i < 10'000; ++i) {
        const std::uint64_t first = random.bits() >> random.below(64), second = random.bits() >> random.below(64);
        bytes made = written(first);
        const bytes rest = written(second);
        made.insert(made.end(), rest.begin(), rest.end());
        const std::size_t length = made.size();
        made.resize(length + random.below(10), std::byte{0xFF});
        byte_reader in(made);
        EXPECT_EQ(in.two_varints(), std::pair(first, second));
        EXPECT_EQ(in.at_end(), made.size() == length);
        EXPECT_ERROR(byte_reader(byte_span(made).first(length - 1)).two_varints(), data_corrupted);
    }
}

TEST(Bytes, EveryTruncatedVarintIsRefused) {
    for (std::uint64_t value : edges) {
        const bytes whole = written(value);
        for (std::size_t length = 0; length < whole.size(); ++length)
            EXPECT_ERROR(byte_reader(byte_span(whole).first(length)).varint(), data_corrupted);
    }
}

TEST(Bytes, VarintBeyond64BitsIsRefused) {
    bytes tenth_too_large(10, std::byte{0xFF});
    for (unsigned last : {0x02u, 0x7Fu, 0x80u, 0x81u, 0xFFu}) {
        tenth_too_large.back() = static_cast<std::byte>(last);
        EXPECT_ERROR(byte_reader(tenth_too_large).varint(), data_corrupted);
    }
    EXPECT_ERROR(byte_reader(bytes(11, std::byte{0x80})).varint(), data_corrupted);
}

TEST(Bytes, ByteBeyondTheEndIsRefused) {
    const bytes one = of({7});
    byte_reader in(one);
    EXPECT_EQ(in.byte(), 7u);
    EXPECT_ERROR(in.byte(), data_corrupted);
}

TEST(Bytes, ZigzagPutsSmallMagnitudesFirst) {
    const std::array<std::int64_t, 7> in_order{0, -1, 1, -2, 2, -3, 3};
    for (std::size_t i = 0; i < in_order.size(); ++i)
        EXPECT_EQ(zigzag(in_order[i]), i);
    EXPECT_EQ(zigzag(std::numeric_limits<std::int64_t>::max()), ~std::uint64_t{1});
    EXPECT_EQ(zigzag(std::numeric_limits<std::int64_t>::min()), ~std::uint64_t{0});
}

TEST(Bytes, ZigzagRoundTrips) {
    chance random(2);
    for (std::uint64_t edge : edges)
        EXPECT_EQ(zigzag(unzigzag(edge)), edge);
    for (int i = 0; i < 10'000; ++i) {
        const std::int64_t value = random.number();
        EXPECT_EQ(unzigzag(zigzag(value)), value);
    }
}

TEST(Bytes, LoadsWhatWasStoredAtAnyAlignment) {
    bytes room(16);
    for (std::size_t place = 0; place <= 8; ++place) {
        store<std::uint64_t>(room.data() + place, 0x0102'0304'0506'0708);
        EXPECT_EQ(load<std::uint64_t>(room.data() + place), 0x0102'0304'0506'0708u);
    }
}

} // namespace
} // namespace crm::test
