#include "history/first_last.hpp"

#include "core/flat.hpp"

#include "core/no_postgres.hpp"

#include <algorithm>

namespace crm::history {
namespace {

constexpr char kind = 'F';
constexpr std::size_t front = sizeof(flat_head) + sizeof(timestamp);

// A state of zeros keeps nothing yet; one that keeps an empty value has its kind already.
bool keeps_something(byte_span state) { return load<flat_head>(state.data()).kind != 0; }

timestamp kept_time(byte_span state) { return load<timestamp>(state.data() + sizeof(flat_head)); }

bool is_better(keep which, timestamp at, byte_span value, byte_span state) {
    if (at != kept_time(state))
        return (at < kept_time(state)) == (which == keep::first);
    return std::ranges::lexicographical_compare(value, kept_value(state)) == (which == keep::first);
}

} // namespace

std::size_t kept_bytes(std::size_t value_bytes) { return front + value_bytes; }

std::size_t keep_value(std::span<std::byte> state, keep which, timestamp at, byte_span value) {
    flat_head head = check_flat(state, kind, 1, sizeof at);
    if (keeps_something(state) && !is_better(which, at, value, state))
        return 0;
    const std::size_t needed = kept_bytes(value.size());
    if (needed > state.size())
        return needed;
    head.count = value.size();
    store(state.data(), head);
    store(state.data() + sizeof head, at);
    std::ranges::copy(value, state.data() + front);
    return needed;
}

std::size_t keep_state(std::span<std::byte> state, keep which, byte_span other) {
    const byte_span value = kept_value(other);
    return keeps_something(other) ? keep_value(state, which, kept_time(other), value) : 0;
}

byte_span kept_value(byte_span state) {
    return state.subspan(front, check_flat(state, kind, 1, sizeof(timestamp)).count);
}

} // namespace crm::history
