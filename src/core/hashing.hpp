// Hashes whose every bit can be used, and that can be undone: distinct 64-bit keys never collide.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <random>

namespace crm {

constexpr std::uint64_t mix(std::uint64_t key) {
    key ^= key >> 32;
    key *= 0xD6E8FEB86659FD93;
    key ^= key >> 32;
    key *= 0xD6E8FEB86659FD93;
    key ^= key >> 32;
    return key;
}

// A hash that differs from table to table: whoever may choose keys cannot make them meet in one place of it.
class secret_mix {
  public:
    std::uint64_t operator()(std::uint64_t key) const { return mix(key ^ secret_); }

  private:
    static std::uint64_t random() {
        std::random_device device;
        return std::uint64_t{device()} << 32 | device();
    }

    std::uint64_t secret_ = random();
};

// Of a key of one or more 64-bit numbers.
template <class Key> constexpr std::uint64_t hash_of(const Key &key) {
    std::uint64_t hash = 0;
    for (const std::uint64_t word : std::bit_cast<std::array<std::uint64_t, sizeof key / sizeof hash>>(key))
        hash = mix(hash ^ word);
    return hash;
}

} // namespace crm
