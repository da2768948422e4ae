#include "segment/idset.hpp"

#include "core/bytes.hpp"
#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

namespace crm::segment {
namespace {

static_assert(std::endian::native == std::endian::little, "sets are stored as they lie in memory");

constexpr std::uint8_t current_version = 1, chunks_form = 16;
constexpr std::int64_t end_of_keys = highest_id;

struct head {
    std::uint8_t version, form;
    std::uint16_t reserved;
};

struct directory_entry {
    std::int64_t key;
    std::uint32_t begin;
    std::uint16_t cardinality_less_one;
    std::uint8_t kind, reserved;
};
static_assert(sizeof(directory_entry) == 16);

std::int64_t key_of(std::int64_t id) { return id >> 16; }
std::uint16_t low_of(std::int64_t id) { return static_cast<std::uint16_t>(id); }
std::int64_t base_of(std::int64_t key) { return static_cast<std::int64_t>(static_cast<std::uint64_t>(key) << 16); }
std::uint64_t distance(std::int64_t from, std::int64_t to) {
    return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
}

[[noreturn]] void throw_damaged() { throw error(data_corrupted, "stored crm.idset is damaged"); }

[[noreturn]] void throw_too_large() {
    throw error(program_limit_exceeded, "set is too large", "A set takes less than 1 GB.",
                "Use several sets, each for a range of ids.");
}
void check_size(std::size_t bytes) {
    if (bytes > max_bytes)
        throw_too_large();
}

std::uint8_t form_byte(idset of) {
    if (of.bytes.size() < head_bytes)
        throw_damaged();
    const auto found = load<head>(of.bytes.data());
    if (found.version != current_version || (found.form > 8 && found.form != chunks_form))
        throw_damaged();
    return found.form;
}
bool is_list(idset of) { return form_byte(of) != chunks_form; }

unsigned width_for(std::uint64_t distance) { return static_cast<unsigned>(std::bit_width(distance) + 7) / 8; }
std::size_t list_bytes(std::uint64_t count, std::int64_t first, std::int64_t last) {
    return count == 0 ? 0 : 8 + (count - 1) * width_for(distance(first, last));
}

// A stored list: its ids by their places.
class list {
  public:
    explicit list(idset of) : bytes_(of.bytes), count_(cardinality({of.bytes})), width_(form_byte(of)) {
        const std::size_t content = bytes_.size() - head_bytes;
        if (count_ == 0 ? content != 0
                        : content < 8 || (width_ == 0 ? count_ != 1 : (content - 8) / width_ < count_ - 1))
            throw_damaged();
        first_ = count_ == 0 ? 0 : load<std::int64_t>(bytes_.data() + head_bytes);
        mask_ = width_ == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << 8 * width_) - 1;
    }

    std::size_t size() const { return count_; }
    std::int64_t operator[](std::size_t i) const {
        if (i == 0)
            return first_;
        const std::size_t at = head_bytes + 8 + (i - 1) * width_;
        std::uint64_t distance = 0;
        if (at + sizeof distance <= bytes_.size()) [[likely]]
            distance = load<std::uint64_t>(bytes_.data() + at) & mask_;
        else
            std::memcpy(&distance, bytes_.data() + at, width_);
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(first_) + distance);
    }
    // The place of the first id that is not below.
    std::size_t place_of(std::int64_t id) const {
        std::size_t begin = 0, end = count_;
        while (begin < end) {
            const std::size_t middle = (begin + end) / 2;
            if ((*this)[middle] < id)
                begin = middle + 1;
            else
                end = middle;
        }
        return begin;
    }

  private:
    byte_span bytes_;
    std::size_t count_;
    unsigned width_;
    std::int64_t first_;
    std::uint64_t mask_;
};

// The chunks of a set by their places.
class directory {
  public:
    explicit directory(idset of) : bytes_(of.bytes.subspan(head_bytes)) {
        const std::size_t front = sizeof(std::uint32_t);
        if (bytes_.size() < front)
            throw_damaged();
        size_ = load<std::uint32_t>(bytes_.data());
        if (size_ == 0 || size_ > (bytes_.size() - front) / sizeof(directory_entry))
            throw_damaged();
        contents_ = bytes_.subspan(front + size_ * sizeof(directory_entry));
        bytes_ = bytes_.subspan(front);
    }

    std::size_t size() const { return size_; }
    std::size_t contents_bytes() const { return contents_.size(); }
    directory_entry entry(std::size_t i) const {
        return load<directory_entry>(bytes_.data() + i * sizeof(directory_entry));
    }
    std::int64_t key(std::size_t i) const { return load<std::int64_t>(bytes_.data() + i * sizeof(directory_entry)); }
    stored_chunk operator[](std::size_t i) const {
        const directory_entry found = entry(i);
        const std::size_t end = i + 1 < size_ ? entry(i + 1).begin : contents_.size();
        if (found.begin > end || end > contents_.size())
            throw_damaged();
        return {static_cast<chunk_kind>(found.kind), found.cardinality_less_one + 1,
                contents_.subspan(found.begin, end - found.begin)};
    }
    // The place of the first chunk whose key is not below.
    std::size_t place_of(std::int64_t key_wanted) const {
        std::size_t begin = 0, end = size_;
        while (begin < end) {
            const std::size_t middle = (begin + end) / 2;
            if (key(middle) < key_wanted)
                begin = middle + 1;
            else
                end = middle;
        }
        return begin;
    }

  private:
    byte_span bytes_, contents_;
    std::size_t size_;
};

// The ids of one chunk, ascending: id(0) to id(count - 1).
template <class Id> void read_ids(chunk &into, std::int64_t key, std::size_t count, Id &&id) {
    into.key = key;
    into.cardinality = static_cast<std::int32_t>(count);
    into.dense = count > most_values;
    if (into.dense)
        into.bits.fill(0);
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint16_t low = low_of(id(i));
        if (into.dense)
            into.bits[low / 64] |= std::uint64_t{1} << low % 64;
        else
            into.values[i] = low;
    }
}

// Reads a set chunk by chunk, whatever its form.
class chunk_reader {
  public:
    explicit chunk_reader(idset of) {
        if (is_list(of))
            list_.emplace(of);
        else
            chunks_.emplace(of);
    }

    // Of the next chunk; end_of_keys behind the last.
    std::int64_t key() const {
        if (list_)
            return place_ < list_->size() ? key_of((*list_)[place_]) : end_of_keys;
        return place_ < chunks_->size() ? chunks_->key(place_) : end_of_keys;
    }
    void read(chunk &into) {
        const std::int64_t key = this->key();
        if (list_)
            read_list(into, key);
        else
            read_chunk(into, key, (*chunks_)[place_++]);
    }
    void skip_to(std::int64_t key) {
        const std::size_t found = list_ ? list_->place_of(base_of(key)) : chunks_->place_of(key);
        place_ = std::max(place_ + 1, found);
    }

  private:
    void read_list(chunk &into, std::int64_t key) {
        const std::size_t begin = place_;
        while (place_ < list_->size() && key_of((*list_)[place_]) == key)
            ++place_;
        read_ids(into, key, place_ - begin, [&](std::size_t i) { return (*list_)[begin + i]; });
    }

    std::optional<list> list_;
    std::optional<directory> chunks_;
    std::size_t place_ = 0;
};

byte_vector with_head(std::size_t content_bytes, std::uint8_t form, std::uint64_t count, memory &in) {
    check_size(head_bytes + content_bytes);
    byte_vector bytes(head_bytes + content_bytes, &in);
    store(bytes.data(), head{current_version, form, 0});
    store(bytes.data() + sizeof(head), count);
    return bytes;
}

byte_vector encode_list(std::span<const std::int64_t> ids, memory &in) {
    if (ids.empty())
        return with_head(0, 0, 0, in);
    const unsigned width = width_for(distance(ids.front(), ids.back()));
    byte_vector bytes =
        with_head(list_bytes(ids.size(), ids.front(), ids.back()), static_cast<std::uint8_t>(width), ids.size(), in);
    std::byte *to = bytes.data() + head_bytes;
    store(to, ids.front());
    to += sizeof ids.front();
    interrupt_poll poll;
    for (const std::int64_t id : ids.subspan(1)) {
        poll();
        const std::uint64_t away = distance(ids.front(), id);
        std::memcpy(to, &away, width);
        to += width;
    }
    return bytes;
}

// Takes chunks in the order of their keys, and stores them in the form that is smaller.
class chunk_writer {
  public:
    explicit chunk_writer(memory &in) : in_(in), entries_(&in), contents_(&in) {}

    void add(chunk &each) {
        if (each.cardinality == 0)
            return;
        const chunk_form form = form_of(each);
        const std::size_t begin = contents_.size();
        check_size(begin + form.bytes + (entries_.size() + 1) * sizeof(directory_entry));
        contents_.resize(begin + form.bytes);
        write_chunk(each, form.kind, contents_.data() + begin);
        entries_.push_back({each.key, static_cast<std::uint32_t>(begin),
                            static_cast<std::uint16_t>(each.cardinality - 1), static_cast<std::uint8_t>(form.kind), 0});
        count_ += static_cast<std::uint64_t>(each.cardinality);
    }

    byte_vector finish() {
        if (entries_.empty())
            return with_head(0, 0, 0, in_);
        const std::size_t directory = entries_.size() * sizeof(directory_entry);
        byte_vector bytes = with_head(sizeof(std::uint32_t) + directory + contents_.size(), chunks_form, count_, in_);
        std::byte *to = bytes.data() + head_bytes;
        store(to, static_cast<std::uint32_t>(entries_.size()));
        to += sizeof(std::uint32_t);
        std::memcpy(to, entries_.data(), directory);
        std::ranges::copy(contents_, to + directory);
        return is_smaller_as_list({bytes}) ? encode_list(ids_of(in_, {bytes}), in_) : std::move(bytes);
    }

    static bool is_smaller_as_list(idset chunks);

  private:
    memory &in_;
    std::pmr::vector<directory_entry> entries_;
    byte_vector contents_;
    std::uint64_t count_ = 0;
};

bool chunk_writer::is_smaller_as_list(idset chunks) {
    const directory all(chunks);
    const std::size_t last = all.size() - 1;
    std::size_t hint = 0;
    return list_bytes(cardinality({chunks.bytes}), base_of(all.key(0)) + next_run(all[0], 0, hint).first,
                      base_of(all.key(last)) + highest_value(all[last])) <= chunks.bytes.size() - head_bytes;
}

// What the chunks of ascending ids take, with their directory.
std::size_t chunks_bytes(std::span<const std::int64_t> ids) {
    std::size_t bytes = sizeof(std::uint32_t);
    interrupt_poll poll;
    for (std::size_t i = 0; i < ids.size();) {
        const std::int64_t key = key_of(ids[i]);
        std::int32_t count = 1, runs = 1;
        for (++i; i < ids.size() && key_of(ids[i]) == key; ++i, ++count)
            runs += ids[i] != ids[i - 1] + 1;
        bytes += sizeof(directory_entry) + form_of(count, runs).bytes;
        poll();
    }
    return bytes;
}

byte_vector encode_chunks(std::span<const std::int64_t> ids, memory &in) {
    chunk_writer writer(in);
    chunk each;
    interrupt_poll poll;
    for (std::size_t i = 0, end; i < ids.size(); i = end) {
        poll();
        end = i + 1;
        while (end < ids.size() && key_of(ids[end]) == key_of(ids[i]))
            ++end;
        read_ids(each, key_of(ids[i]), end - i, [&](std::size_t k) { return ids[i + k]; });
        writer.add(each);
    }
    return writer.finish();
}

// Sorts by eleven bits at a time, the lowest first, leaving out those in which all ids agree.
void radix_sort(std::pmr::vector<std::int64_t> &ids, memory &in) {
    constexpr unsigned digit_bits = 11;
    constexpr std::uint64_t sign = std::uint64_t{1} << 63;
    std::pmr::vector<std::int64_t> other(ids.size(), &in);
    std::uint64_t varying = 0;
    for (const std::int64_t id : ids)
        varying |= static_cast<std::uint64_t>(id ^ ids.front());
    for (unsigned shift = 0; shift < 64; shift += digit_bits) {
        poll_interrupts();
        const std::uint64_t mask = (std::uint64_t{1} << digit_bits) - 1;
        if ((varying >> shift & mask) == 0)
            continue;
        const auto digit = [=](std::int64_t id) { return ((static_cast<std::uint64_t>(id) ^ sign) >> shift) & mask; };
        std::array<std::size_t, (1 << digit_bits) + 1> begins{};
        for (const std::int64_t id : ids)
            ++begins[digit(id) + 1];
        for (std::size_t i = 1; i < begins.size(); ++i)
            begins[i] += begins[i - 1];
        for (const std::int64_t id : ids)
            other[begins[digit(id)]++] = id;
        ids.swap(other);
    }
}

void sort_ids(std::pmr::vector<std::int64_t> &ids, memory &in) {
    constexpr std::size_t worth_counting = 1'000;
    if (std::ranges::is_sorted(ids))
        return;
    if (ids.size() < worth_counting)
        std::ranges::sort(ids);
    else
        radix_sort(ids, in);
}

bool keeps_left(set_operation operation) { return operation != set_operation::intersect; }
bool keeps_right(set_operation operation) {
    return operation == set_operation::unite || operation == set_operation::differ;
}

byte_vector combine_lists(memory &in, set_operation operation, idset a, idset b) {
    const auto left = ids_of(in, a), right = ids_of(in, b);
    std::pmr::vector<std::int64_t> result(&in);
    result.reserve(keeps_right(operation) ? left.size() + right.size() : left.size());
    const auto to = std::back_inserter(result);
    interrupt_poll poll;
    const auto is_less = [&](std::int64_t x, std::int64_t y) {
        poll();
        return x < y;
    };
    switch (operation) {
    case set_operation::unite:
        std::ranges::set_union(left, right, to, is_less);
        break;
    case set_operation::intersect:
        std::ranges::set_intersection(left, right, to, is_less);
        break;
    case set_operation::subtract:
        std::ranges::set_difference(left, right, to, is_less);
        break;
    case set_operation::differ:
        std::ranges::set_symmetric_difference(left, right, to, is_less);
        break;
    }
    return encode_sorted(result, in);
}

// Reads {1,2,5..9}, with blanks anywhere between.
class text_reader {
  public:
    explicit text_reader(std::string_view text) : all_(text), rest_(text) {}

    bool take(std::string_view what) {
        skip_blanks();
        if (!rest_.starts_with(what))
            return false;
        rest_.remove_prefix(what.size());
        return true;
    }
    void need(std::string_view what) {
        if (!take(what))
            throw_malformed();
    }
    std::int64_t id() {
        skip_blanks();
        std::int64_t value = 0;
        const auto [end, problem] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
        if (problem == std::errc::result_out_of_range)
            throw error(numeric_value_out_of_range, "id is out of range for type bigint",
                        short_text("At: ", excerpt(rest_.substr(0, 40))));
        if (problem != std::errc())
            throw_malformed();
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return value;
    }
    void finish() {
        skip_blanks();
        if (!rest_.empty())
            throw_malformed();
    }
    [[noreturn]] void throw_malformed() const {
        throw error(invalid_text_representation, "malformed crm.idset",
                    short_text("At character ", all_.size() - rest_.size() + 1, " of: ", excerpt(all_)),
                    "A set is written {1,2,5}; 10..99 stands for all ids from 10 to 99.");
    }

  private:
    void skip_blanks() {
        const std::size_t blanks = rest_.find_first_not_of(" \t\r\n");
        rest_.remove_prefix(std::min(blanks, rest_.size()));
    }

    std::string_view all_, rest_;
};

// Ids and ranges in any order, of which not too many are kept one by one.
class id_collector {
  public:
    explicit id_collector(memory &in) : in_(in), ids_(&in), set_(with_head(0, 0, 0, in)) {}

    void add(std::int64_t first, std::int64_t last) {
        if (distance(first, last) > long_range) {
            unite({range(in_, first, last)});
            return;
        }
        for (std::int64_t id = first; id != last; ++id)
            ids_.push_back(id);
        ids_.push_back(last);
        if (ids_.size() > most_ids)
            flush();
    }
    byte_vector finish() {
        flush();
        return std::move(set_);
    }

  private:
    static constexpr std::uint64_t long_range = 100'000;
    static constexpr std::size_t most_ids = std::size_t{1} << 22;

    void flush() {
        unite({encode(ids_, in_)});
        ids_.clear();
    }
    void unite(idset more) { set_ = combine(in_, set_operation::unite, {set_}, more); }

    memory &in_;
    std::pmr::vector<std::int64_t> ids_;
    byte_vector set_;
};

void append_id(text_buffer &to, std::int64_t id) {
    char digits[24];
    to.append(digits, static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, id).ptr - digits));
}

bool is_ascending(const stored_chunk &of) {
    const std::size_t item = of.kind == chunk_kind::runs ? 4 : 2;
    std::int32_t end = -2;
    for (std::size_t at = 0; at < of.bytes.size(); at += item) {
        const std::int32_t first = load<std::uint16_t>(of.bytes.data() + at);
        // Runs that touch would be one run.
        if (first <= end + (of.kind == chunk_kind::runs))
            return false;
        end = of.kind == chunk_kind::runs ? first + load<std::uint16_t>(of.bytes.data() + at + 2) : first;
    }
    return true;
}

bool is_canonical_chunk(chunk &scratch, const directory_entry &entry, const stored_chunk &stored) {
    if (entry.kind > static_cast<std::uint8_t>(chunk_kind::runs) || entry.reserved != 0)
        return false;
    read_chunk(scratch, entry.key, stored);
    if (stored.kind != chunk_kind::bits && !is_ascending(stored))
        return false;
    const chunk_form form = form_of(scratch);
    return form.kind == stored.kind && form.bytes == stored.bytes.size() &&
           common_ids(scratch, scratch) == scratch.cardinality;
}

bool is_canonical_directory(idset of) {
    const directory all(of);
    chunk scratch;
    interrupt_poll poll;
    std::uint64_t count = 0;
    std::size_t end = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        poll();
        const directory_entry entry = all.entry(i);
        if (entry.begin != end || (i > 0 && entry.key <= all.key(i - 1)) || key_of(base_of(entry.key)) != entry.key)
            return false;
        const stored_chunk stored = all[i];
        if (!is_canonical_chunk(scratch, entry, stored))
            return false;
        count += static_cast<std::uint64_t>(stored.cardinality);
        end += stored.bytes.size();
    }
    return end == all.contents_bytes() && count == cardinality({of.bytes}) && !chunk_writer::is_smaller_as_list(of);
}

bool is_canonical_list(idset of, memory &in) {
    const auto ids = ids_of(in, of);
    for (std::size_t i = 1; i < ids.size(); ++i)
        if (ids[i] <= ids[i - 1])
            return false;
    return std::ranges::equal(encode_sorted(ids, in), of.bytes);
}

bool is_canonical(idset of, memory &in) {
    if (of.bytes.size() > max_bytes)
        return false;
    if (is_list(of))
        return is_canonical_list(of, in);
    return load<head>(of.bytes.data()).reserved == 0 && is_canonical_directory(of);
}

} // namespace

std::uint64_t cardinality(idset_head of) {
    if (of.bytes.size() < head_bytes)
        throw_damaged();
    return load<std::uint64_t>(of.bytes.data() + sizeof(head));
}

bool contains(idset in, std::int64_t id) {
    if (is_list(in)) {
        const list ids(in);
        const std::size_t place = ids.place_of(id);
        return place < ids.size() && ids[place] == id;
    }
    const directory chunks(in);
    const std::size_t place = chunks.place_of(key_of(id));
    return place < chunks.size() && chunks.key(place) == key_of(id) && contains(chunks[place], low_of(id));
}

byte_vector encode_sorted(std::span<const std::int64_t> ids, memory &in) {
    if (ids.empty() || list_bytes(ids.size(), ids.front(), ids.back()) <= chunks_bytes(ids))
        return encode_list(ids, in);
    return encode_chunks(ids, in);
}

byte_vector encode(std::pmr::vector<std::int64_t> &ids, memory &in) {
    sort_ids(ids, in);
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return encode_sorted(ids, in);
}

byte_vector range(memory &in, std::int64_t first, std::int64_t last) {
    chunk_writer writer(in);
    chunk each;
    interrupt_poll poll;
    if (first <= last) {
        const std::uint64_t chunks = distance(key_of(first), key_of(last)) + 1;
        if (chunks > max_bytes / (sizeof(directory_entry) + 4))
            throw_too_large();
        for (std::int64_t key = key_of(first); key <= key_of(last); ++key) {
            poll();
            read_range(each, key, key == key_of(first) ? low_of(first) : 0,
                       key == key_of(last) ? low_of(last) : std::uint16_t{0xFFFF});
            writer.add(each);
        }
    }
    return writer.finish();
}

byte_vector combine(memory &in, set_operation operation, idset a, idset b) {
    if (is_list(a) && is_list(b))
        return combine_lists(in, operation, a, b);
    chunk_reader left(a), right(b);
    chunk_writer writer(in);
    chunk mine, theirs, both;
    interrupt_poll poll;
    while (left.key() != end_of_keys || right.key() != end_of_keys) {
        poll();
        const std::int64_t left_key = left.key(), right_key = right.key();
        if (left_key == right_key) {
            left.read(mine);
            right.read(theirs);
            combine(operation, mine, theirs, both);
            writer.add(both);
        } else if (left_key < right_key && keeps_left(operation)) {
            left.read(mine);
            writer.add(mine);
        } else if (left_key < right_key)
            left.skip_to(right_key);
        else if (keeps_right(operation)) {
            right.read(theirs);
            writer.add(theirs);
        } else
            right.skip_to(left_key);
    }
    return writer.finish();
}

std::uint64_t common_ids(idset a, idset b, std::uint64_t enough) {
    chunk_reader left(a), right(b);
    chunk mine, theirs;
    interrupt_poll poll;
    std::uint64_t count = 0;
    while (left.key() != end_of_keys && right.key() != end_of_keys && count < enough) {
        poll();
        if (left.key() == right.key()) {
            left.read(mine);
            right.read(theirs);
            count += static_cast<std::uint64_t>(common_ids(mine, theirs));
        } else if (left.key() < right.key())
            left.skip_to(right.key());
        else
            right.skip_to(left.key());
    }
    return count;
}

bool is_subset(idset part, idset of) {
    const std::uint64_t all = cardinality({part.bytes});
    return all <= cardinality({of.bytes}) && common_ids(part, of) == all;
}

std::optional<double> jaccard(idset a, idset b) {
    const std::uint64_t common = common_ids(a, b), either = cardinality({a.bytes}) + cardinality({b.bytes}) - common;
    return either == 0 ? std::nullopt : std::optional(static_cast<double>(common) / static_cast<double>(either));
}

byte_vector validated(byte_span untrusted, memory &in) {
    try {
        if (is_canonical({untrusted}, in))
            return byte_vector(untrusted.begin(), untrusted.end(), &in);
    } catch (const error &) {
        // one error for whatever is wrong with the bytes
    }
    throw error(invalid_binary_representation, "invalid binary representation of crm.idset",
                short_text("The ", untrusted.size(), " bytes are not what pg_crm writes for any set."),
                "Send what crm.idset's binary output gave.");
}

text_buffer to_text(memory &in, idset of) {
    constexpr std::int64_t many = 100;
    text_buffer text("{", &in);
    const auto append_run = [&](std::int64_t first, std::int64_t last) {
        const bool is_long = distance(first, last) >= many - 1;
        for (std::int64_t id = first;; ++id) {
            if (text.size() > 1)
                text += ',';
            append_id(text, id);
            if (id == last || is_long)
                break;
        }
        if (is_long)
            append_id(text += "..", last);
    };
    member_cursor members(of);
    interrupt_poll poll;
    std::int64_t first, last;
    bool more = members.next_run(first, last);
    while (more) {
        poll();
        std::int64_t next_first = 0, next_last = 0;
        more = members.next_run(next_first, next_last);
        if (more && next_first == last + 1) {
            last = next_last;
            continue;
        }
        append_run(first, last);
        first = next_first;
        last = next_last;
    }
    text += '}';
    return text;
}

byte_vector from_text(memory &in, std::string_view text) {
    text_reader reader(text);
    id_collector ids(in);
    interrupt_poll poll;
    reader.need("{");
    if (!reader.take("}")) {
        do {
            poll();
            const std::int64_t first = reader.id();
            const std::int64_t last = reader.take("..") ? reader.id() : first;
            if (last < first)
                throw error(invalid_text_representation, "range of ids ends before it begins",
                            short_text("It is ", first, "..", last, "."), "Write the lower id first.");
            ids.add(first, last);
        } while (reader.take(","));
        reader.need("}");
    }
    reader.finish();
    return ids.finish();
}

std::pmr::vector<std::int64_t> ids_of(memory &in, idset of) {
    std::pmr::vector<std::int64_t> ids(&in);
    member_cursor members(of);
    interrupt_poll poll;
    // The number that the bytes claim is not to be trusted with memory.
    ids.reserve(std::min<std::uint64_t>(cardinality({of.bytes}), of.bytes.size()));
    for (std::int64_t id; members.next(id); ids.push_back(id))
        poll();
    return ids;
}

member_cursor::member_cursor(idset of, std::int64_t first, std::int64_t last)
    : of_(of), first_(first), last_(last), is_list_(is_list(of)) {
    place_ = is_list_ ? list(of).place_of(first) : directory(of).place_of(key_of(first));
}

bool member_cursor::open_run_of_list() {
    const list ids(of_);
    if (place_ >= ids.size())
        return false;
    next_ = static_cast<std::uint64_t>(ids[place_++]);
    left_ = 1;
    return true;
}

bool member_cursor::open_chunk() {
    const directory chunks(of_);
    if (place_ >= chunks.size())
        return false;
    chunk_ = chunks[place_];
    base_ = base_of(chunks.key(place_));
    value_ = chunks.key(place_) == key_of(first_) ? low_of(first_) : 0;
    hint_ = 0;
    ++place_;
    return true;
}

bool member_cursor::open_run_of_chunks() {
    while (value_ >= 0 || open_chunk()) {
        const value_run found = value_ > 0xFFFF ? value_run{-1, -1} : segment::next_run(chunk_, value_, hint_);
        value_ = found.last < 0 ? -1 : found.last + 1;
        if (found.first >= 0) {
            next_ = static_cast<std::uint64_t>(base_) + static_cast<std::uint64_t>(found.first);
            left_ = static_cast<std::uint64_t>(found.last - found.first) + 1;
            return true;
        }
    }
    return false;
}

bool member_cursor::open_run() {
    if (!(is_list_ ? open_run_of_list() : open_run_of_chunks()) || static_cast<std::int64_t>(next_) > last_) {
        left_ = 0;
        return false;
    }
    const std::uint64_t wanted = distance(static_cast<std::int64_t>(next_), last_);
    left_ = left_ - 1 > wanted ? wanted + 1 : left_;
    return true;
}

bool member_cursor::next_run(std::int64_t &first, std::int64_t &last) {
    if (left_ == 0 && !open_run())
        return false;
    first = static_cast<std::int64_t>(next_);
    last = static_cast<std::int64_t>(next_ + left_ - 1);
    left_ = 0;
    return true;
}

} // namespace crm::segment
