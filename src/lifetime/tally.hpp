// Numbers of customers by what a model sees of them, in a flat state that merges.
#pragma once

#include "core/flat_table.hpp"
#include "core/interrupts.hpp"
#include "lifetime/terms.hpp"

namespace crm::lifetime {

// Terms as they stand in a state.
struct stored_terms {
    std::int64_t as_of;
    std::uint16_t calendar_bytes;
    std::uint16_t wanted;
    std::byte calendar[calendar_name::max_zone_bytes + 5];

    static stored_terms of(const terms &with);
    // What `of` wrote; 22023 when it did not.
    static terms read(byte_span fixed);
};

// 22023 when their calendar is none.
calendar_period period_of(const terms &with);
bool are_equal(const terms &a, const terms &b);
[[noreturn]] void throw_different_terms();

// Key: numbers of 64 bits or the like, with an order; Key::kind marks the state, is_possible() says whether counting
// made it.
template <class Key> class tally {
  public:
    struct customers {
        std::int64_t number = 0;

        void operator+=(const customers &other) {
            if (__builtin_add_overflow(number, other.number, &number))
                throw error(numeric_value_out_of_range, "number of customers is out of range");
        }
    };
    // More than there are people, and few enough to be counted in floating point.
    static constexpr std::int64_t most_customers = 1'000'000'000'000;
    using table = flat_table<Key, customers>;
    using entry = typename table::entry;

    static std::size_t initial_bytes() { return table::bytes_for(64, sizeof(stored_terms)); }

    // Each counts into a state and returns how many bytes it must have; when that is more than it has, nothing was
    // changed. 22023 when the terms differ from those of the state.
    static std::size_t count(std::span<std::byte> state, const Key &key, const terms &with) {
        return add(state, 1, with, [&](table &to) { to.add(key, {1}); });
    }
    static std::size_t merge(std::span<std::byte> state, byte_span other) {
        const table from = reader(other);
        if (from.empty())
            return 0;
        return add(state, from.size(), stored_terms::read(from.fixed()), [&](table &to) {
            interrupt_poll poll;
            from.each([&](const entry &found) {
                poll();
                to.add(found.key, found.value);
            });
        });
    }

    // In the order of the keys, whatever the order of counting. 22023 when the state was not counted.
    static std::pmr::vector<entry> sorted(byte_span state, memory &in) {
        const table from = reader(state);
        std::pmr::vector<entry> all(&in);
        all.reserve(from.size());
        interrupt_poll poll;
        std::int64_t total = 0;
        from.each([&](const entry &found) {
            poll();
            if (!found.key.is_possible() || found.value.number < 1 || found.value.number > most_customers - total)
                throw_invalid_state("It holds impossible counts.");
            total += found.value.number;
            all.push_back(found);
        });
        std::ranges::sort(all, [&](const entry &a, const entry &b) {
            poll();
            return a.key < b.key;
        });
        return all;
    }
    static terms terms_of(byte_span state) { return stored_terms::read(reader(state).fixed()); }

  private:
    // A table only reads its bytes until it is told to change.
    static table reader(byte_span state) {
        return {{const_cast<std::byte *>(state.data()), state.size()}, Key::kind, sizeof(stored_terms)};
    }

    template <class Add>
    static std::size_t add(std::span<std::byte> state, std::size_t keys, const terms &with, Add &&add) {
        table to(state, Key::kind, sizeof(stored_terms));
        const std::size_t needed = to.bytes_to_hold(keys);
        if (needed > state.size())
            return needed;
        to.use_all_room();
        if (to.empty())
            store(to.fixed().data(), stored_terms::of(with));
        else if (!are_equal(with, stored_terms::read(to.fixed())))
            throw_different_terms();
        add(to);
        return needed;
    }
};

} // namespace crm::lifetime
