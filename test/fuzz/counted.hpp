// What is asked of every value that counts customers in a sorted list: crm.cohorts, crm.repeats and crm.survival.
#pragma once

#include "fuzz.hpp"

namespace crm::fuzz {

// The functions of such a value.
struct counted {
    byte_vector (*validated)(byte_span, memory &);
    std::size_t initial_bytes;
    std::size_t (*merge_list)(std::span<std::byte> state, byte_span list);
    std::size_t (*merge_state)(std::span<std::byte> state, byte_span other);
    std::optional<byte_vector> (*finish)(std::span<std::byte> state, memory &);
};

// Accepted bytes are kept as they are, and come out of the aggregate of one value, and of one partial state, as they
// went in; that of two is a value too, unless it is out of range. Nothing when they are refused.
inline std::optional<byte_vector> accepted(byte_span input, const counted &type) {
    const auto value = attempt([&] { return type.validated(input, heap()); });
    if (!value)
        return std::nullopt;
    REQUIRE(std::ranges::equal(*value, input));
    const auto state_of = [&](int times) {
        std::vector<std::byte> state(type.initial_bytes);
        for (int i = 0; i < times; ++i)
            change_state(state, [&](std::span<std::byte> to) { return type.merge_list(to, *value); });
        return state;
    };
    std::vector<std::byte> once = state_of(1), combined(type.initial_bytes);
    change_state(combined, [&](std::span<std::byte> to) { return type.merge_state(to, once); });
    REQUIRE(type.finish(once, heap()) == value);
    REQUIRE(type.finish(combined, heap()) == value);

    auto twice = attempt([&] { return state_of(2); });
    if (const auto sum = twice ? attempt([&] { return type.finish(*twice, heap()); }) : std::nullopt)
        REQUIRE(*sum && (*sum)->size() == value->size() && type.validated(**sum, heap()) == **sum);
    return value;
}

} // namespace crm::fuzz
