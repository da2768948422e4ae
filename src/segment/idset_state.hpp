// The states of the aggregates that make sets: a set, and ids that have come since and are merged into it when there
// are many of them. So a state takes about as much as its set, whatever the order of the ids and however often they
// repeat.
#pragma once

#include "core/flat.hpp"
#include "segment/idset.hpp"

namespace crm::segment {

// Room for this many ids from the start.
std::size_t state_bytes(std::size_t ids = 6);

// Each returns how many bytes the state must have; when that is more than it has, nothing was changed.
std::size_t add_id(std::span<std::byte> state, std::int64_t id, memory &scratch);
std::size_t add_set(std::span<std::byte> state, idset more, memory &scratch);
std::size_t add_state(std::span<std::byte> state, byte_span other, memory &scratch);

byte_vector finish_state(memory &in, byte_span state);

// The same for the ids that all sets have.
std::size_t keep_common(std::span<std::byte> state, idset with, memory &scratch);
std::size_t keep_common_state(std::span<std::byte> state, byte_span other, memory &scratch);
byte_vector finish_common(memory &in, byte_span state);

} // namespace crm::segment
