#include "repeat/repeat.hpp"

#include "core/interrupts.hpp"
#include "repeat/kaplan_meier.hpp"

#include "core/no_postgres.hpp"

#include <array>
#include <utility>

namespace crm::repeat {
namespace {

constexpr char kind = 'P';

using table = flat_table<rung_day, rung_counts>;
using list = flat_list<rung_day, rung_counts>;

std::int64_t load_as_of(byte_span repeats) { return load<std::int64_t>(repeats.data() + sizeof(flat_head)); }

// The range of timestamps is wider than a signed number of microseconds.
std::uint64_t distance(timestamp from, timestamp to) {
    return static_cast<std::uint64_t>(to.us) - static_cast<std::uint64_t>(from.us);
}

constexpr auto day_length = static_cast<std::uint64_t>(microseconds_per_day);
std::uint64_t days_completed(timestamp from, timestamp to) { return distance(from, to) / day_length; }
std::uint64_t days_begun(timestamp from, timestamp to) {
    return distance(from, to) / day_length + (distance(from, to) % day_length != 0);
}

rung_day key_of(std::size_t rung, std::uint64_t days) {
    return {static_cast<std::int32_t>(rung), static_cast<std::int32_t>(std::min<std::uint64_t>(days, most_days))};
}

// What becomes of the nth purchase, the one before `next`. A day that has not ended is not over for those who have not
// come back either: it is counted for neither when people are followed up.
table::entry came_back(std::size_t nth, timestamp from, timestamp next, timestamp as_of) {
    const std::uint64_t days = days_begun(from, next);
    return {key_of(nth, days), {.returned = 1, .early = days > days_completed(from, as_of)}};
}
table::entry waits(std::size_t nth, timestamp from, timestamp as_of) {
    return {key_of(nth, days_completed(from, as_of)), {.waiting = 1}};
}

template <class Cells>
std::size_t add_cells(std::span<std::byte> state, std::int64_t as_of, std::size_t count, Cells &&cells) {
    table to(state, kind, sizeof as_of);
    if (count == 0)
        return 0;
    const std::size_t needed = to.bytes_to_hold(count);
    if (needed > state.size())
        return needed;
    to.use_all_room();
    if (to.empty())
        store(to.fixed().data(), as_of);
    else if (load<std::int64_t>(to.fixed().data()) != as_of)
        throw error(invalid_parameter_value, "repeat purchases as of different times cannot be merged", {},
                    "Give the same as_of for all customers.");
    constexpr std::size_t ahead = 8;
    interrupt_poll poll;
    for (std::size_t i = 0; i < std::min(ahead, count); ++i)
        to.prefetch(cells(i).key);
    for (std::size_t i = 0; i < count; ++i) {
        poll();
        if (i + ahead < count)
            to.prefetch(cells(i + ahead).key);
        const table::entry next = cells(i);
        to.add(next.key, next.value);
    }
    return needed;
}

bool is_possible(const table::entry &cell) {
    const auto [returned, early, waiting] = cell.value;
    return cell.key.rung >= 1 && cell.key.rung <= most_rungs && cell.key.day >= 0 && cell.key.day <= most_days &&
           early >= 0 && early <= returned && waiting >= 0 && (returned > 0 || waiting > 0) &&
           (early == 0 || cell.key.day > 0);
}

// Whoever comes back stands on the next rung.
bool is_a_ladder(const list &cells) {
    std::int64_t returned = 0, customers = 0, last_returned = 0;
    std::int32_t rung = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const auto [key, value] = cells[i];
        if (!is_possible(cells[i]))
            return false;
        if (key.rung != rung) {
            if (key.rung != rung + 1 || (rung > 1 && customers != last_returned))
                return false;
            rung = key.rung;
            last_returned = std::exchange(returned, 0);
            customers = 0;
        }
        add_count(returned, value.returned);
        add_count(customers, value.returned);
        add_count(customers, value.waiting);
    }
    return (rung <= 1 || customers == last_returned) && (rung == most_rungs || returned == 0);
}

} // namespace

std::size_t initial_bytes() { return table::bytes_for(64, sizeof(timestamp)); }

std::size_t count(std::span<std::byte> state, purchases of, timestamp as_of) {
    std::array<table::entry, most_rungs> rungs;
    std::size_t bought = 0;
    bool beyond = false;
    timestamp last;
    for (const purchase &entry : history::until(of, as_of).entries) {
        if (entry.is_refund())
            continue;
        if (bought > 0)
            rungs[bought - 1] = came_back(bought, last, entry.at, as_of);
        beyond = bought == most_rungs;
        if (beyond)
            break;
        last = entry.at;
        ++bought;
    }
    if (bought > 0 && !beyond)
        rungs[bought - 1] = waits(bought, last, as_of);
    return add_cells(state, as_of.us, bought, [&](std::size_t i) { return rungs[i]; });
}

std::size_t merge_list(std::span<std::byte> state, byte_span repeats) {
    const list from(repeats, kind, sizeof(timestamp));
    return add_cells(state, load_as_of(repeats), from.size(), [&](std::size_t i) { return from[i]; });
}

std::size_t merge_state(std::span<std::byte> state, byte_span other) {
    byte_vector copy(other.begin(), other.end());
    const byte_vector finished = table(copy, kind, sizeof(timestamp)).finish(*copy.get_allocator().resource());
    return merge_list(state, finished);
}

std::optional<byte_vector> finish(std::span<std::byte> state, memory &in) {
    const table counted(state, kind, sizeof(timestamp));
    return counted.empty() ? std::nullopt : std::optional(validated(counted.finish(in), in));
}

byte_vector validated(byte_span untrusted, memory &in) {
    try {
        const list cells(untrusted, kind, sizeof(timestamp));
        if (cells.size() > 0 && cells.is_canonical() && cells.scale() == 0 && is_finite({load_as_of(untrusted)}) &&
            is_a_ladder(cells))
            return byte_vector(untrusted.begin(), untrusted.end(), &in);
    } catch (const error &) {
        // one error for whatever is wrong with the bytes
    }
    throw error(invalid_binary_representation, "invalid representation of crm.repeats", {},
                "Give what crm.repeats printed or sent.");
}

rows::rows(memory &, byte_span repeats, std::optional<std::int32_t> within)
    : cells_(repeats, kind, sizeof(timestamp)), within_(within) {}

bool rows::next(row &found) {
    if (next_cell_ == cells_.size())
        return false;
    const std::size_t begin = next_cell_;
    found = {.nth = cells_[begin].key.rung};
    std::int64_t returned = 0;
    for (; next_cell_ < cells_.size() && cells_[next_cell_].key.rung == found.nth; ++next_cell_) {
        const rung_counts here = cells_[next_cell_].value;
        returned += here.returned;
        found.waiting += here.waiting;
    }
    found.customers = returned + found.waiting;

    kaplan_meier estimate;
    const std::int32_t limit = within_.value_or(most_days);
    std::int32_t observed = 0;
    std::int64_t still_there = found.customers, returned_so_far = 0;
    for (std::size_t i = begin; i < next_cell_; ++i) {
        const auto [key, here] = cells_[i];
        const std::int64_t events = here.returned - here.early;
        if (key.day <= limit) {
            found.repeated += here.returned;
            estimate.step(still_there - here.early, events);
        }
        observed = events + here.waiting > 0 ? key.day : key.day - 1;
        still_there -= here.customers();
        returned_so_far += here.returned;
        for (int quarter = 1; quarter <= 3; ++quarter)
            if (auto &quartile = found.quartiles[quarter - 1];
                !quartile && here.returned > 0 &&
                returned_so_far >= returned / 4 * quarter + (returned % 4 * quarter + 3) / 4)
                quartile = key.day;
    }
    if (!within_ || observed >= limit || estimate.survival() == 0) {
        found.km_rate = 1 - estimate.survival();
        found.km_se = estimate.standard_error();
    }
    return true;
}

} // namespace crm::repeat
