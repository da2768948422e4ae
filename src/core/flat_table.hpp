// Counts by key in flat bytes: a hash table while it grows, a sorted list once it is finished. It serves as the state
// of aggregates and, sorted, as a value of its own; merging is adding, so neither order nor partition of the input
// shows.
//
// Layout: flat_head, capacity, `fixed` bytes of the owner's, then the slots. Key: one or more 64-bit numbers or the
// like, ordered, and never all ones. Value: numbers that add up.
#pragma once

#include "core/decimal.hpp"
#include "core/flat.hpp"
#include "core/hashing.hpp"
#include "core/interrupts.hpp"

#include <algorithm>
#include <bit>

namespace crm {

template <class Key, class Value> struct flat_entry {
    Key key;
    Value value;
};

// A finished table: entries in the order of their keys, each key once.
template <class Key, class Value> class flat_list {
  public:
    using entry = flat_entry<Key, Value>;

    // 22023 when the bytes are not a list of this kind.
    flat_list(byte_span bytes, char kind, std::size_t fixed)
        : bytes_(bytes), front_(sizeof(flat_head) + fixed), head_(check_flat(bytes, kind, sizeof(entry), fixed)) {}

    // Whether the bytes are what finish() writes.
    bool is_canonical() const {
        const flat_head stored = load<flat_head>(bytes_.data());
        if (bytes_.size() != front_ + size() * sizeof(entry) || stored.kind != head_.kind ||
            std::ranges::count(stored.reserved, 0) != sizeof stored.reserved)
            return false;
        interrupt_poll poll;
        for (std::size_t i = 1; i < size(); ++i) {
            poll();
            if (!((*this)[i - 1].key < (*this)[i].key))
                return false;
        }
        return true;
    }

    std::size_t size() const { return head_.count; }
    int scale() const { return head_.scale; }
    entry operator[](std::size_t i) const { return load<entry>(bytes_.data() + front_ + i * sizeof(entry)); }

  private:
    byte_span bytes_;
    std::size_t front_;
    flat_head head_;
};

// A growing table over bytes that somebody else owns. Bytes of zero are an empty table.
template <class Key, class Value> class flat_table {
  public:
    using entry = flat_entry<Key, Value>;
    static constexpr std::size_t most_entries = std::size_t{1} << 22;

    // 22023 when the bytes are not a table of this kind.
    flat_table(std::span<std::byte> bytes, char kind, std::size_t fixed)
        : bytes_(bytes), front_(sizeof(flat_head) + sizeof(std::uint64_t) + fixed),
          head_(check_flat(bytes, kind, 0, front_ - sizeof(flat_head))) {
        capacity_ = load<std::uint64_t>(bytes.data() + sizeof(flat_head));
        const std::size_t room = (bytes.size() - front_) / sizeof(slot);
        if (capacity_ > room || !(capacity_ == 0 || std::has_single_bit(capacity_)) || head_.count > capacity_ / 2)
            throw_invalid_state("Its capacity is impossible.");
    }

    static constexpr std::size_t bytes_for(std::size_t capacity, std::size_t fixed) {
        return sizeof(flat_head) + sizeof(std::uint64_t) + fixed + capacity * sizeof(slot);
    }

    bool empty() const { return head_.count == 0; }
    std::size_t size() const { return head_.count; }
    int scale() const { return head_.scale; }
    std::span<std::byte> fixed() const {
        return bytes_.subspan(sizeof(flat_head) + sizeof(std::uint64_t),
                              front_ - sizeof(flat_head) - sizeof(std::uint64_t));
    }

    // How many bytes the table must have to take so many more keys.
    std::size_t bytes_to_hold(std::size_t more) const {
        const std::size_t keys = std::min(head_.count + more, most_entries);
        const std::size_t wanted = std::bit_ceil(std::max<std::size_t>(keys * 2, 16));
        return wanted <= capacity_ ? 0 : bytes_for(wanted, front_ - sizeof(flat_head) - sizeof(std::uint64_t));
    }

    // Takes possession of bytes that have been added since the table was last written.
    void use_all_room() {
        const std::size_t room = std::bit_floor((bytes_.size() - front_) / sizeof(slot));
        if (room > capacity_)
            rehash(room);
    }

    // Room for the key has been made. 54000 for one key more than 4 million.
    void add(const Key &key, const Value &value) {
        std::byte *at = place_of(key);
        if (load<words>(at) == free) {
            if (head_.count == most_entries)
                throw error(program_limit_exceeded, "too many different periods or values to count",
                            short_text("There are more than ", most_entries, "."),
                            "Choose longer periods, or fewer customers at once.");
            store(at, slot{mark_of(key), value});
            ++head_.count;
            store(bytes_.data(), head_);
            return;
        }
        auto sum = load<Value>(at + offsetof(slot, value));
        sum += value;
        store(at + offsetof(slot, value), sum);
    }

    // Many keys that are not near each other are added faster when all their places are asked for first.
    void prefetch(const Key &key) const {
        if (capacity_ > 0)
            __builtin_prefetch(slot_at(first_place_of(key)), 1);
    }

    // Brings all values to a finer scale: rescale(value, factor).
    template <class Rescale> void raise_scale(int scale, Rescale &&rescale) {
        interrupt_poll poll;
        for (std::size_t i = 0; i < capacity_; ++i) {
            poll();
            slot each = load<slot>(slot_at(i));
            rescale(each.value, powers_of_ten[static_cast<std::size_t>(scale - head_.scale)]);
            store(slot_at(i), each);
        }
        head_.scale = static_cast<std::uint8_t>(scale);
        store(bytes_.data(), head_);
    }

    template <class Visit> void each(Visit &&visit) const {
        interrupt_poll poll;
        for (std::size_t i = 0; i < capacity_; ++i) {
            poll();
            if (const slot found = load<slot>(slot_at(i)); found.mark != free)
                visit(entry{std::bit_cast<Key>(turned(found.mark)), found.value});
        }
    }

    // The finished list's bytes.
    byte_vector finish(memory &in) const {
        std::pmr::vector<entry> entries(&in);
        entries.reserve(head_.count);
        each([&](const entry &found) { entries.push_back(found); });
        if (entries.size() != head_.count)
            throw_invalid_state("Its count is wrong.");
        sort_with_polls(entries, &entry::key);
        const std::size_t front = front_ - sizeof(std::uint64_t);
        byte_vector list(front + entries.size() * sizeof(entry), &in);
        store(list.data(), head_);
        std::ranges::copy(fixed(), list.begin() + sizeof(flat_head));
        std::ranges::copy(std::as_bytes(std::span(entries)), list.begin() + static_cast<std::ptrdiff_t>(front));
        return list;
    }

  private:
    // Zeros are a free slot, so the key is kept with its bits turned.
    using words = std::array<std::uint64_t, sizeof(Key) / sizeof(std::uint64_t)>;
    struct slot {
        words mark;
        Value value;
    };
    static constexpr words free{};
    static words turned(words of) {
        for (std::uint64_t &word : of)
            word = ~word;
        return of;
    }
    static words mark_of(const Key &key) { return turned(std::bit_cast<words>(key)); }

    std::byte *slot_at(std::size_t i) const { return bytes_.data() + front_ + i * sizeof(slot); }
    std::size_t first_place_of(const Key &key) const { return hash_of(key) & (capacity_ - 1); }

    // The key's slot, or the free one that it may have.
    std::byte *place_of(const Key &key) const {
        const std::size_t first = first_place_of(key);
        for (std::size_t i = 0; i < capacity_; ++i) {
            std::byte *at = slot_at((first + i) & (capacity_ - 1));
            if (const auto mark = load<words>(at); mark == mark_of(key) || mark == free)
                return at;
        }
        throw_invalid_state("All of its places are taken.");
    }

    void rehash(std::size_t capacity) {
        std::vector<entry> entries;
        entries.reserve(head_.count);
        each([&](const entry &found) { entries.push_back(found); });
        capacity_ = capacity;
        head_.count = 0;
        store(bytes_.data() + sizeof(flat_head), static_cast<std::uint64_t>(capacity));
        std::ranges::fill(bytes_.subspan(front_, capacity * sizeof(slot)), std::byte{0});
        store(bytes_.data(), head_);
        interrupt_poll poll;
        for (const entry &each : entries) {
            poll();
            add(each.key, each.value);
        }
    }

    std::span<std::byte> bytes_;
    std::size_t front_;
    flat_head head_;
    std::size_t capacity_ = 0;
};

// A table with memory of its own, for one-pass folds: fold(table bytes) says how many bytes it needs, as above.
class flat_store {
  public:
    flat_store(memory &in, std::size_t bytes) : bytes_(bytes, &in) {}

    template <class Change> void change(Change &&change) {
        if (const std::size_t needed = change(std::span<std::byte>(bytes_)); needed > bytes_.size()) {
            bytes_.resize(std::max(needed, 2 * bytes_.size()));
            change(std::span<std::byte>(bytes_));
        }
    }
    std::span<std::byte> bytes() { return bytes_; }

  private:
    byte_vector bytes_;
};

} // namespace crm
