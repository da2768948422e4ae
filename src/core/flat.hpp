// The head that every flat aggregate state starts with: what it is, and how much of it is used. Transition functions
// can be called by hand with any bytes, so every reader checks it.
#pragma once

#include "core/bytes.hpp"

namespace crm {

struct flat_head {
    std::uint8_t kind;
    std::uint8_t version;
    std::uint8_t scale; // of the amounts inside
    std::uint8_t reserved[5];
    std::uint64_t count; // of the items behind the head

    static constexpr std::uint8_t current_version = 1;
};
static_assert(sizeof(flat_head) == 16);

[[noreturn]] inline void throw_invalid_state(const short_text &detail) {
    throw error(invalid_parameter_value, "invalid aggregate state", detail, "Only aggregates call this function.");
}

[[noreturn]] inline void throw_foreign_state(byte_span state) {
    throw_invalid_state({"The ", state.size(), " bytes are no state of this aggregate."});
}

// The head of a state of the kind wanted, whose items all lie within the bytes. A state of zeros is an empty one.
inline flat_head check_flat(byte_span state, char kind, std::size_t item_bytes, std::size_t fixed_bytes = 0) {
    flat_head head{};
    const std::size_t front = sizeof head + fixed_bytes;
    if (state.size() >= front) {
        head = load<flat_head>(state.data());
        if (head.kind == 0 && head.count == 0)
            head = {static_cast<std::uint8_t>(kind), flat_head::current_version, 0, {}, 0};
    }
    if (state.size() < front || head.kind != static_cast<std::uint8_t>(kind) ||
        head.version != flat_head::current_version || head.scale > max_scale ||
        (item_bytes > 0 && head.count > (state.size() - front) / item_bytes))
        throw_foreign_state(state);
    return head;
}

// The head of a state that is one value of a fixed size: its count is 1, or 0 where nothing was stored yet.
inline flat_head check_flat_value(byte_span state, char kind, std::size_t bytes) {
    const flat_head head = check_flat(state, kind, 0, bytes);
    const auto is_zero = [](std::byte each) { return each == std::byte{}; };
    if (head.count > 1 || (head.count == 0 && !std::ranges::all_of(state, is_zero)))
        throw_foreign_state(state);
    return head;
}

// The head of such a state when its value is stored.
inline flat_head check_stored_flat_value(byte_span state, char kind, std::size_t bytes) {
    const flat_head head = check_flat_value(state, kind, bytes);
    if (head.count == 0)
        throw_foreign_state(state);
    return head;
}

// Merges a state that is one value into another one of its kind, which takes over its terms (a member) where nothing
// was stored there yet. Returns 0 for a change of states: it never grows.
template <class Value, auto terms> std::size_t merge_flat_value(std::span<std::byte> state, byte_span other) {
    const Value theirs = Value::read(other);
    Value ours = Value::read(state, theirs.*terms);
    ours.merge(theirs);
    ours.write(state);
    return 0;
}

} // namespace crm
