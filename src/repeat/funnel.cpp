#include "repeat/funnel.hpp"

#include "core/decimal.hpp"
#include "core/flat.hpp"
#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

namespace crm::repeat {
namespace {

constexpr char kind = 'N';
constexpr std::size_t front = sizeof(flat_head) + sizeof(std::int64_t); // the time within which

struct event {
    timestamp at;
    std::int64_t step;
    friend auto operator<=>(const event &, const event &) = default;
};

event load_event(byte_span state, std::size_t i) { return load<event>(state.data() + front + i * sizeof(event)); }

template <class Events>
std::size_t append_all(std::span<std::byte> state, std::size_t count, std::int64_t within, Events &&events) {
    flat_head head = check_flat(state, kind, sizeof(event), sizeof within);
    const std::size_t needed = funnel_bytes(head.count + count);
    if (needed > state.size())
        return needed;
    if (head.count == 0)
        store(state.data() + sizeof head, within);
    else if (load<std::int64_t>(state.data() + sizeof head) != within)
        throw error(invalid_parameter_value, "within must be the same for all rows", {}, "Give within as a constant.");
    interrupt_poll poll;
    for (std::size_t i = 0; i < count; ++i) {
        poll();
        store(state.data() + front + head.count++ * sizeof(event), events(i));
    }
    store(state.data(), head);
    return needed;
}

} // namespace

void check_step(std::int64_t step) {
    if (step < 1 || step > most_steps)
        throw error(invalid_parameter_value, short_text("steps of a funnel must be 1 to ", most_steps),
                    short_text("There is step ", step, "."), "Number the steps in their order, beginning with 1.");
}

std::size_t funnel_bytes(std::size_t events) { return front + events * sizeof(event); }

std::size_t append_event(std::span<std::byte> state, timestamp at, std::int64_t step, std::int64_t within) {
    check_step(step);
    return append_all(state, 1, within, [=](std::size_t) { return event{at, step}; });
}

std::size_t append_events(std::span<std::byte> state, byte_span other) {
    const flat_head head = check_flat(other, kind, sizeof(event), sizeof(std::int64_t));
    if (head.count == 0)
        return 0;
    return append_all(state, head.count, load<std::int64_t>(other.data() + sizeof head),
                      [&](std::size_t i) { return load_event(other, i); });
}

std::optional<std::int32_t> furthest_step(memory &in, byte_span state) {
    const flat_head head = check_flat(state, kind, sizeof(event), sizeof(std::int64_t));
    if (head.count == 0)
        return std::nullopt;
    std::pmr::vector<event> events(&in);
    events.reserve(head.count);
    interrupt_poll poll;
    for (std::size_t i = 0; i < head.count; ++i) {
        poll();
        events.push_back(load_event(state, i));
        if (events.back().step < 1 || events.back().step > most_steps)
            throw_invalid_state("It holds an impossible step.");
    }
    sort_with_polls(events);
    funnel way(load<std::int64_t>(state.data() + sizeof head));
    for (const event &each : events)
        way.step(each.at, each.step);
    return way.furthest();
}

void funnel_counts::add(purchases events) {
    const std::int64_t unit = powers_of_ten[static_cast<std::size_t>(events.scale)];
    funnel way(within_);
    interrupt_poll poll;
    for (const purchase &each : events.entries) {
        poll();
        if (each.amount % unit != 0)
            throw error(invalid_parameter_value, "steps of a funnel must be whole numbers", {},
                        "Number the steps in their order, beginning with 1.");
        const std::int64_t step = each.amount / unit;
        check_step(step);
        way.step(each.at, step);
        steps_ = std::max(steps_, step);
    }
    for (std::int32_t step = 1; step <= way.furthest(); ++step)
        ++reached_[static_cast<std::size_t>(step)];
}

} // namespace crm::repeat
