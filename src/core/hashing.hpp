// Hashes whose every bit can be used, and that can be undone: distinct 64-bit keys never collide.
#pragma once

#include <cstdint>

namespace crm {

constexpr std::uint64_t mix(std::uint64_t key) {
    key ^= key >> 32;
    key *= 0xD6E8FEB86659FD93;
    key ^= key >> 32;
    key *= 0xD6E8FEB86659FD93;
    key ^= key >> 32;
    return key;
}

} // namespace crm
