// What the unit tests share: repeatable chance, memory that counts and fails, spill files, interrupts, and histories.
#pragma once

#include "core/error.hpp"
#include "core/interrupts.hpp"
#include "core/tape.hpp"
#include "history/history.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

// The statement throws a crm::error with this SQLSTATE.
#define EXPECT_ERROR(statement, expected)                                                                              \
    try {                                                                                                              \
        statement;                                                                                                     \
        ADD_FAILURE() << #statement << " went through, expected " << (expected).code;                                  \
    } catch (const crm::error &thrown) {                                                                               \
        EXPECT_STREQ(thrown.state.code, (expected).code) << thrown.what();                                             \
    }

namespace crm {

// GoogleTest finds these when it shows a value.
inline void PrintTo(timestamp at, std::ostream *to) { *to << at.us << " us"; }
inline void PrintTo(const purchase &of, std::ostream *to) { *to << "(" << of.at.us << " us, " << of.amount << ")"; }
inline bool operator==(decimal a, decimal b) { return a.minor == b.minor && a.scale == b.scale; }
inline void PrintTo(decimal of, std::ostream *to) { *to << of.minor << "e-" << of.scale; }

} // namespace crm

namespace crm::test {

using bytes = std::vector<std::byte>;

template <class Range> bytes copy_of(const Range &from) { return {from.begin(), from.end()}; }

// The texts between the bars.
inline std::vector<std::string> split(std::string_view all) {
    std::vector<std::string> texts;
    for (std::size_t bar = 0; bar != all.npos; all.remove_prefix(std::min(bar + 1, all.size()))) {
        bar = all.find('|');
        texts.emplace_back(all.substr(0, bar));
    }
    return texts;
}

inline timestamp at_day(std::int64_t day, std::int64_t microseconds = 0) {
    return {day * microseconds_per_day + microseconds};
}

// The same numbers in every run and with every standard library.
class chance {
  public:
    explicit chance(std::uint64_t seed) : next_(seed) {}

    std::uint64_t bits() { return next_(); }
    std::uint64_t below(std::uint64_t end) { return next_() % end; }
    std::int64_t between(std::int64_t from, std::int64_t to) {
        const std::uint64_t values = static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from) + 1;
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(from) + (values == 0 ? bits() : below(values)));
    }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    template <class Range> auto &pick(Range &&from) { return from[below(std::size(from))]; }
    template <class Range> void shuffle(Range &what) {
        for (std::size_t i = what.size(); i > 1; --i)
            std::swap(what[i - 1], what[below(i)]);
    }
    // Of all magnitudes, so that every width of coding occurs.
    std::int64_t number() { return static_cast<std::int64_t>(bits()) >> below(64); }
    bytes some_bytes(std::size_t count) {
        bytes made(count);
        for (std::byte &each : made)
            each = static_cast<std::byte>(bits());
        return made;
    }

  private:
    std::mt19937_64 next_;
};

// Counts what is in use, and can fail from the nth allocation on.
class counting_memory final : public memory {
  public:
    std::size_t used = 0, peak = 0, allocations = 0;
    std::size_t fail_at = 0; // 0: never

  private:
    void *do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (++allocations == fail_at)
            throw std::bad_alloc();
        void *made = std::pmr::new_delete_resource()->allocate(bytes, alignment);
        used += bytes;
        peak = std::max(peak, used);
        return made;
    }
    void do_deallocate(void *what, std::size_t bytes, std::size_t alignment) override {
        used -= bytes;
        std::pmr::new_delete_resource()->deallocate(what, bytes, alignment);
    }
    bool do_is_equal(const memory_resource &other) const noexcept override { return this == &other; }
};

inline memory &heap() { return *std::pmr::new_delete_resource(); }

struct disk_full : std::runtime_error {
    disk_full() : runtime_error("disk full") {}
};

// A spill file in memory that can fail at the nth call.
class memory_file final : public spill_file {
  public:
    std::size_t calls = 0, fail_at = 0; // 0: never
    bytes content;

    std::uint64_t append(byte_span piece) override {
        count();
        const std::uint64_t place = content.size();
        content.insert(content.end(), piece.begin(), piece.end());
        return place;
    }
    void read(std::uint64_t place, std::span<std::byte> into) override {
        count();
        if (place + into.size() > content.size())
            throw std::out_of_range("read past the end of the spill file");
        std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(place), into.size(), into.begin());
    }

  private:
    void count() {
        if (++calls == fail_at)
            throw disk_full();
    }
};

// While it lives, every poll counts, and the nth throws.
class interrupt_at {
  public:
    struct interrupted {};

    explicit interrupt_at(std::size_t nth) {
        polls = 0;
        throw_at = nth;
        interrupts = {&pending, serve};
    }
    ~interrupt_at() { interrupts = {}; }
    interrupt_at(const interrupt_at &) = delete;
    interrupt_at &operator=(const interrupt_at &) = delete;

    static inline std::size_t polls = 0;

  private:
    static inline volatile std::sig_atomic_t pending = 1;
    static inline std::size_t throw_at = 0;
    static void serve() {
        if (++polls == throw_at)
            throw interrupted{};
    }
};

// How often the work looks whether it shall stop. Work on many items does so every few thousand steps, in each of its
// loops, sorts included.
template <class Work> std::size_t polls_of(Work &&work) {
    const interrupt_at never(0);
    work();
    return interrupt_at::polls;
}

// Runs attempt(n) for n = 1, 2, ... and then in growing steps until it says that nothing failed any more; the number of
// failures seen.
template <class Attempt> std::size_t fail_everywhere(Attempt &&attempt) {
    std::size_t failures = 0;
    for (std::size_t n = 1; attempt(n); n += 1 + n / 20)
        ++failures;
    return failures;
}

// Calls change(state) as the aggregates do: once more on a larger copy when the state was too small, but then nothing
// may have been changed.
template <class Change> void change_state(bytes &state, Change &&change) {
    const bytes before = state;
    const std::size_t needed = change(std::span(state));
    if (needed <= state.size())
        return;
    EXPECT_EQ(state, before);
    state.resize(needed);
    EXPECT_LE(change(std::span(state)), state.size());
}

// Entries in random order, in a random unit and scale.
struct random_entries {
    std::vector<purchase> list;
    int scale;

    random_entries(chance &random, std::size_t most) : scale(static_cast<int>(random.below(max_scale + 1))) {
        constexpr std::array<std::int64_t, 6> units{1,
                                                    1'000,
                                                    microseconds_per_second,
                                                    60 * microseconds_per_second,
                                                    3'600 * microseconds_per_second,
                                                    microseconds_per_day};
        const std::int64_t unit = random.pick(units), spread = random.one_in(2) ? 3 : 10'000;
        const std::int64_t first = random.between(-30'000, 30'000) * (random.one_in(2) ? unit : units.back());
        const std::int64_t step = random.one_in(2) ? 1 : powers_of_ten[random.below(5)];
        const bool refunds = random.one_in(2);
        const std::int64_t most_amount = random.one_in(3) ? 3 : 1'000'000;
        list.resize(random.below(most + 1));
        for (purchase &each : list) {
            each.at.us = first + random.between(0, spread) * unit;
            each.amount = step * random.between(refunds ? -most_amount : 0, most_amount);
        }
    }

    byte_vector encoded() const {
        std::vector<purchase> copy = list;
        return history::encode(copy, scale, heap());
    }
    std::vector<purchase> sorted() const {
        std::vector<purchase> copy = list;
        std::ranges::sort(copy);
        return copy;
    }
};

} // namespace crm::test
