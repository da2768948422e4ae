// Reading and writing of compact binary values: fixed-width and variable-length integers, bounds always checked.
#pragma once

#include "core/error.hpp"
#include "core/types.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace crm {

constexpr std::uint64_t zigzag(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

template <class T> T load(const std::byte *from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}
template <class T> void store(std::byte *to, T value) { std::memcpy(to, &value, sizeof value); }

// Writes at a position that the caller has reserved enough room for.
class byte_writer {
  public:
    explicit byte_writer(std::byte *to) : to_(to) {}

    void byte(unsigned value) { *to_++ = static_cast<std::byte>(value); }
    void varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7)
            byte(static_cast<unsigned>(value | 0x80) & 0xFF);
        byte(static_cast<unsigned>(value));
    }
    std::byte *position() const { return to_; }

    static constexpr std::size_t max_varint = 10;

  private:
    std::byte *to_;
};

// Reads what byte_writer wrote; a value that ends early or is coded with too many bytes is corrupt.
class byte_reader {
  public:
    explicit byte_reader(byte_span from)
        : at_(from.data()), end_(from.data() + from.size()),
          last_word_(from.size() < sizeof(std::uint64_t) ? nullptr : end_ - sizeof(std::uint64_t)) {}

    unsigned byte() {
        if (at_ == end_)
            throw error(data_corrupted, "stored value ends too early");
        return std::to_integer<unsigned>(*at_++);
    }
    std::uint64_t varint() {
        const std::uint64_t word = ahead(), ends = ends_in(word);
        if (!can_take(ends)) [[unlikely]]
            return long_varint();
        take(ends);
        return joined(word & up_to(ends));
    }
    // Two numbers in a row, at little more than the price of one.
    std::pair<std::uint64_t, std::uint64_t> two_varints() {
        const std::uint64_t word = ahead(), ends = ends_in(word), second_ends = ends & (ends - 1);
        if (!can_take(second_ends)) [[unlikely]] {
            const std::uint64_t first = varint();
            return {first, varint()};
        }
        take(second_ends);
        return {joined(word & up_to(ends)), joined((word & up_to(second_ends)) >> (std::countr_zero(ends) + 1))};
    }
    bool at_end() const { return at_ == end_; }

  private:
    // The next eight bytes as one number, the first the lowest; zeros stand for those beyond the end.
    std::uint64_t ahead() const {
        if (last_word_ == nullptr || at_ == end_)
            return ~std::uint64_t{0};
        const std::byte *from = std::min(at_, last_word_);
        const auto word = load<std::uint64_t>(from);
        return (std::endian::native == std::endian::little ? word : __builtin_bswap64(word)) >> 8 * (at_ - from);
    }
    // The highest bit of each byte that ends a number, and all bits up to the first of them.
    static std::uint64_t ends_in(std::uint64_t word) { return ~word & 0x8080'8080'8080'8080; }
    static std::uint64_t up_to(std::uint64_t ends) { return ends ^ (ends - 1); }

    static std::ptrdiff_t length_to(std::uint64_t ends) { return (std::countr_zero(ends) + 1) / 8; }
    bool can_take(std::uint64_t ends) const { return ends != 0 && length_to(ends) <= end_ - at_; }
    void take(std::uint64_t ends) { at_ += length_to(ends); }

    // Drops the highest bit of every byte and moves the others together: in pairs, in fours, all.
    static std::uint64_t joined(std::uint64_t groups) {
        groups = (groups & 0x007F'007F'007F'007F) | (groups & 0x7F00'7F00'7F00'7F00) >> 1;
        groups = (groups & 0x0000'3FFF'0000'3FFF) | (groups & 0x3FFF'0000'3FFF'0000) >> 2;
        return (groups & 0x0FFF'FFFF) | (groups & 0x0FFF'FFFF'0000'0000) >> 4;
    }

    std::uint64_t long_varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const std::uint64_t next = byte();
            value |= (next & 0x7F) << shift;
            if (next < 0x80) {
                if (shift == 63 && next > 1)
                    break;
                return value;
            }
        }
        throw error(data_corrupted, "stored value holds a malformed number");
    }

    const std::byte *at_, *end_;
    const std::byte *last_word_; // null when there are not that many bytes
};

} // namespace crm
