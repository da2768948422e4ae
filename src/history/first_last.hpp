// The state of crm.first and crm.last: one value, in its type's own binary form, with the time that it belongs to.
#pragma once

#include "core/types.hpp"

namespace crm::history {

enum class keep { first, last };

std::size_t kept_bytes(std::size_t value_bytes = 24);

// Keeps the value if it is earlier (later) than the one kept; of equal times the lesser (greater) bytes win, so that
// the order of input does not matter. Returns how many bytes the state must have; when that is more than it has,
// nothing was changed.
std::size_t keep_value(std::span<std::byte> state, keep which, timestamp at, byte_span value);
std::size_t keep_state(std::span<std::byte> state, keep which, byte_span other);

byte_span kept_value(byte_span state);

} // namespace crm::history
