// The state of the history aggregates: entries in the order of their arrival, with room to grow.
#pragma once

#include "history/history.hpp"

namespace crm::history {

// Room for this many entries from the start: most customers buy once or twice.
std::size_t state_bytes(std::size_t entries = 2);

// Each returns how many bytes the state must have; when that is more than it has, nothing was changed.
std::size_t append(std::span<std::byte> state, purchase entry, int scale);
std::size_t append(std::span<std::byte> state, view more, memory &scratch);
std::size_t append_state(std::span<std::byte> state, byte_span other);

byte_vector finish_state(memory &in, byte_span state);

} // namespace crm::history
