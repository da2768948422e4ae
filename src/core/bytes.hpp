// Reading and writing of compact binary values: fixed-width and variable-length integers, bounds always checked.
#pragma once

#include "core/error.hpp"
#include "core/types.hpp"

#include <cstring>

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
    explicit byte_reader(byte_span from) : at_(from.data()), end_(from.data() + from.size()) {}

    unsigned byte() {
        if (at_ == end_)
            throw error(data_corrupted, "stored value ends too early");
        return std::to_integer<unsigned>(*at_++);
    }
    std::uint64_t varint() {
        if (at_ != end_ && *at_ < std::byte{0x80}) [[likely]]
            return std::to_integer<std::uint64_t>(*at_++);
        return end_ - at_ >= static_cast<std::ptrdiff_t>(byte_writer::max_varint)
                   ? long_varint([this] { return std::to_integer<unsigned>(*at_++); })
                   : long_varint([this] { return byte(); });
    }
    bool at_end() const { return at_ == end_; }

  private:
    template <class Next> std::uint64_t long_varint(Next &&next_byte) {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const std::uint64_t next = next_byte();
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
};

} // namespace crm
