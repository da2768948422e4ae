#include "history/state.hpp"

#include "core/flat.hpp"
#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

namespace crm::history {
namespace {

constexpr char kind = 'H';

purchase load_entry(byte_span state, std::size_t i) {
    return load<purchase>(state.data() + sizeof(flat_head) + i * sizeof(purchase));
}
void store_entry(std::span<std::byte> state, std::size_t i, const purchase &entry) {
    store(state.data() + sizeof(flat_head) + i * sizeof(purchase), entry);
}

void raise_scale(std::span<std::byte> state, flat_head &head, int scale) {
    interrupt_poll poll;
    for (std::size_t i = 0; i < head.count; ++i) {
        poll();
        purchase entry = load_entry(state, i);
        entry.amount = rescale(entry.amount, head.scale, scale);
        store_entry(state, i, entry);
    }
    head.scale = static_cast<std::uint8_t>(scale);
}

// Appends `count` entries that entry(i) gives at `scale`.
template <class Entry> std::size_t append_all(std::span<std::byte> state, std::size_t count, int scale, Entry &&entry) {
    flat_head head = check_flat(state, kind, sizeof(purchase));
    const std::size_t needed = state_bytes(head.count + count);
    if (needed > state.size())
        return needed;
    if (scale > head.scale)
        raise_scale(state, head, scale);
    interrupt_poll poll;
    for (std::size_t i = 0; i < count; ++i) {
        poll();
        purchase next = entry(i);
        next.amount = rescale(next.amount, scale, head.scale);
        store_entry(state, head.count++, next);
    }
    store(state.data(), head);
    return needed;
}

} // namespace

std::size_t state_bytes(std::size_t entries) { return sizeof(flat_head) + entries * sizeof(purchase); }

std::size_t append(std::span<std::byte> state, purchase entry, int scale) {
    return append_all(state, 1, scale, [&](std::size_t) { return entry; });
}

std::size_t append(std::span<std::byte> state, view more, memory &scratch) {
    const entries all = decode(more, scratch);
    return append_all(state, all.list.size(), all.scale, [&](std::size_t i) { return all.list[i]; });
}

std::size_t append_state(std::span<std::byte> state, byte_span other) {
    const flat_head head = check_flat(other, kind, sizeof(purchase));
    return append_all(state, head.count, head.scale, [&](std::size_t i) { return load_entry(other, i); });
}

byte_vector finish_state(memory &in, byte_span state) {
    const flat_head head = check_flat(state, kind, sizeof(purchase));
    std::pmr::vector<purchase> entries(&in);
    entries.reserve(head.count);
    interrupt_poll poll;
    for (std::size_t i = 0; i < head.count; ++i) {
        poll();
        entries.push_back(load_entry(state, i));
        if (!is_finite(entries.back().at))
            throw_invalid_state("It holds an impossible time.");
    }
    return encode(entries, head.scale, in);
}

} // namespace crm::history
