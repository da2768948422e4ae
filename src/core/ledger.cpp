#include "core/ledger.hpp"

#include "core/bytes.hpp"
#include "core/decimal.hpp"
#include "core/hashing.hpp"
#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <utility>

namespace crm {
namespace {

constexpr unsigned fan_out_bits = 8;
constexpr std::size_t fan_out = std::size_t{1} << fan_out_bits;
static_assert(fan_out == ledger::partitions);
constexpr std::size_t max_depth = 64 / fan_out_bits;
constexpr std::size_t block_rows = 128;

// A block of orders, column by column, each value as its distance from the column's least, in as few bytes as the
// largest of them takes.
struct block_header {
    std::uint32_t bytes;
    std::uint16_t rows;
    std::uint8_t scale;
    std::uint8_t key_width, time_width, amount_width, tag_width;
    bool whole_seconds;
    tag least_tag;
    std::uint64_t least_key;
    std::int64_t least_time, least_amount;
};

struct record_header {
    order row;
    tag with;
    std::uint16_t scale;
    std::uint16_t key_bytes;
};
static_assert(sizeof(record_header) + ledger::max_key_bytes <= tape::max_piece);
static_assert(sizeof(block_header) + block_rows * sizeof(order) <= tape::max_piece);

// What grouping takes for each order: number of its customer, the purchase unsorted and sorted.
constexpr std::size_t group_bytes_per_order = sizeof(std::uint32_t) + 2 * sizeof(purchase);
// And at most for each order whose customer is given by its bytes, apart from these.
constexpr std::size_t group_bytes_per_key = 128;

std::size_t partition_of(std::uint64_t key, std::size_t depth) {
    return (mix(key) >> (64 - fan_out_bits * (depth + 1))) % fan_out;
}

unsigned bytes_for(std::uint64_t largest) { return (static_cast<unsigned>(std::bit_width(largest)) + 7) / 8; }

// Writes whole words that overlap: the next value, or the slack, takes what was written too much.
template <class Value> std::byte *pack(std::byte *to, std::size_t rows, unsigned width, Value &&value) {
    for (std::size_t i = 0; i < rows; ++i, to += width)
        store<std::uint64_t>(to, value(i));
    return to;
}

template <class Take> const std::byte *unpack(const std::byte *from, std::size_t rows, unsigned width, Take &&take) {
    const std::uint64_t mask = width == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (width * 8)) - 1;
    for (std::size_t i = 0; i < rows; ++i, from += width)
        take(i, load<std::uint64_t>(from) & mask);
    return from;
}

constexpr std::uint64_t distance(std::int64_t from, std::int64_t to) {
    return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
}

block_header plan_block(std::span<const order> rows, std::span<const tag> tags, int scale) {
    std::uint64_t least_key = rows[0].key, most_key = rows[0].key;
    std::int64_t least_time = rows[0].at.us, most_time = rows[0].at.us;
    std::int64_t least_amount = rows[0].amount, most_amount = rows[0].amount;
    std::int64_t odd_microseconds = 0;
    for (const order &row : rows) {
        least_key = std::min(least_key, row.key);
        most_key = std::max(most_key, row.key);
        least_time = std::min(least_time, row.at.us);
        most_time = std::max(most_time, row.at.us);
        least_amount = std::min(least_amount, row.amount);
        most_amount = std::max(most_amount, row.amount);
        odd_microseconds |= row.at.us % microseconds_per_second;
    }
    const auto [least_tag, most_tag] = tags.empty() ? std::ranges::min_max_result<tag>{} : std::ranges::minmax(tags);
    const bool whole_seconds = odd_microseconds == 0;
    const std::uint64_t time_range = distance(least_time, most_time) / (whole_seconds ? microseconds_per_second : 1);
    const unsigned key_width = bytes_for(most_key - least_key), time_width = bytes_for(time_range),
                   amount_width = bytes_for(distance(least_amount, most_amount)),
                   tag_width = bytes_for(most_tag - least_tag);
    return {
        .bytes = static_cast<std::uint32_t>(sizeof(block_header) +
                                            rows.size() * (key_width + time_width + amount_width + tag_width)),
        .rows = static_cast<std::uint16_t>(rows.size()),
        .scale = static_cast<std::uint8_t>(scale),
        .key_width = static_cast<std::uint8_t>(key_width),
        .time_width = static_cast<std::uint8_t>(time_width),
        .amount_width = static_cast<std::uint8_t>(amount_width),
        .tag_width = static_cast<std::uint8_t>(tag_width),
        .whole_seconds = whole_seconds,
        .least_tag = least_tag,
        .least_key = least_key,
        .least_time = least_time,
        .least_amount = least_amount,
    };
}

void write_block(std::byte *to, const block_header &head, std::span<const order> rows, std::span<const tag> tags) {
    store(to, head);
    std::byte *at = pack(to + sizeof head, rows.size(), head.key_width,
                         [&](std::size_t i) { return rows[i].key - head.least_key; });
    const auto time = [&](std::size_t i) { return distance(head.least_time, rows[i].at.us); };
    at = head.whole_seconds
             ? pack(at, rows.size(), head.time_width, [&](std::size_t i) { return time(i) / microseconds_per_second; })
             : pack(at, rows.size(), head.time_width, time);
    at = pack(at, rows.size(), head.amount_width,
              [&](std::size_t i) { return distance(head.least_amount, rows[i].amount); });
    pack(at, tags.size(), head.tag_width, [&](std::size_t i) { return tags[i] - head.least_tag; });
}

const std::byte *read_block(const std::byte *from, std::span<order, block_rows> rows, std::span<tag, block_rows> tags,
                            std::size_t &count, int &scale) {
    const auto head = load<block_header>(from);
    count = head.rows;
    scale = head.scale;
    const std::byte *at = from + sizeof head;
    at = unpack(at, count, head.key_width,
                [&](std::size_t i, std::uint64_t value) { rows[i].key = head.least_key + value; });
    const std::uint64_t unit = head.whole_seconds ? static_cast<std::uint64_t>(microseconds_per_second) : 1;
    at = unpack(at, count, head.time_width, [&](std::size_t i, std::uint64_t value) {
        rows[i].at.us = static_cast<std::int64_t>(static_cast<std::uint64_t>(head.least_time) + value * unit);
    });
    at = unpack(at, count, head.amount_width, [&](std::size_t i, std::uint64_t value) {
        rows[i].amount = static_cast<std::int64_t>(static_cast<std::uint64_t>(head.least_amount) + value);
    });
    unpack(at, count, head.tag_width,
           [&](std::size_t i, std::uint64_t value) { tags[i] = head.least_tag + static_cast<tag>(value); });
    return from + head.bytes;
}

// Takes the orders off a tape, all at one scale: visit(order, tag, key bytes).
template <class Visit> void drain_orders(tape &of, bool keys_apart, int scale, Visit &&visit) {
    std::array<order, block_rows> rows;
    std::array<tag, block_rows> tags;
    of.drain([&](byte_span pieces) {
        const std::byte *at = pieces.data(), *end = at + pieces.size();
        while (at < end) {
            poll_interrupts();
            int written_scale;
            byte_span key_bytes;
            std::size_t count = 1;
            if (keys_apart) {
                const auto head = load<record_header>(at);
                rows[0] = head.row;
                tags[0] = head.with;
                written_scale = static_cast<int>(head.scale);
                key_bytes = {at + sizeof head, head.key_bytes};
                at = key_bytes.data() + key_bytes.size();
            } else {
                at = read_block(at, rows, tags, count, written_scale);
            }
            for (std::size_t i = 0; i < count; ++i) {
                if (written_scale != scale)
                    rows[i].amount = rescale(rows[i].amount, written_scale, scale);
                visit(rows[i], tags[i], key_bytes);
            }
        }
    });
}

} // namespace

// One fan-out of orders over tapes, by eight bits of the hash.
class ledger::level {
  public:
    level(ledger &owner, std::size_t depth)
        : owner_(owner), depth_(depth), staged_(&owner.in_), staged_tags_(&owner.in_), rows_(fan_out, 0, &owner.in_),
          bytes_(fan_out, 0, &owner.in_), tapes_(&owner.in_) {
        for (std::size_t i = 0; i < fan_out; ++i)
            tapes_.emplace_back(owner.pool_);
        if (owner.equality_ == nullptr)
            staged_.resize(fan_out);
    }

    void add(const order &row) {
        staging &to = staged_[partition_of(row.key)];
        to.rows[to.fill++] = row;
        if (to.fill == block_rows)
            flush(to);
    }

    void add_tagged(const order &row, tag with) {
        if (staged_tags_.empty())
            staged_tags_.resize(fan_out);
        const std::size_t partition = partition_of(row.key);
        staged_tags_[partition][staged_[partition].fill] = with;
        add(row);
    }

    void add(const order &row, tag with, byte_span key_bytes) {
        const std::size_t partition = partition_of(row.key);
        tape &to = tapes_[partition];
        const record_header head{row, with, static_cast<std::uint16_t>(owner_.scale_),
                                 static_cast<std::uint16_t>(key_bytes.size())};
        std::byte *at = to.reserve(sizeof head + key_bytes.size());
        store(at, head);
        std::ranges::copy(key_bytes, at + sizeof head);
        to.commit(sizeof head + key_bytes.size());
        ++rows_[partition];
        bytes_[partition] += group_bytes_per_order + group_bytes_per_key + key_bytes.size();
    }

    // Packs what is still staged.
    void flush() {
        for (staging &each : staged_)
            flush(each);
    }

    // No more orders come: only the tapes are needed from here. Orders of one key cannot be spread any further.
    void close(bool one_key) {
        one_key_ = one_key;
        flush();
        staged_ = std::pmr::vector<staging>(&owner_.in_);
        staged_tags_ = std::pmr::vector<std::array<tag, block_rows>>(&owner_.in_);
    }

    // The tape of the next partition with its number of orders and what grouping them takes; nothing after the last.
    tape *next(std::size_t &rows, std::size_t &bytes) {
        while (++reading_ < fan_out)
            if (rows_[reading_] > 0) {
                rows = rows_[reading_];
                bytes = bytes_[reading_];
                return &tapes_[reading_];
            }
        return nullptr;
    }

    std::size_t depth() const { return depth_; }
    bool can_split() const { return !one_key_ && depth_ + 1 < max_depth; }

  private:
    struct staging {
        std::array<order, block_rows> rows;
        // Also keeps neighbours from sharing the same sets of the cache.
        std::size_t fill = 0;
    };

    std::size_t partition_of(std::uint64_t key) const { return crm::partition_of(key, depth_); }

    void flush(staging &from) {
        if (from.fill == 0)
            return;
        const auto partition = static_cast<std::size_t>(&from - staged_.data());
        tape &to = tapes_[partition];
        const auto rows = std::span(from.rows).first(from.fill);
        const auto tags = staged_tags_.empty() ? std::span<const tag>()
                                               : std::span<const tag>(staged_tags_[partition]).first(from.fill);
        const block_header head = plan_block(rows, tags, owner_.scale_);
        write_block(to.reserve(head.bytes), head, rows, tags);
        to.commit(head.bytes);
        rows_[partition] += from.fill;
        bytes_[partition] += from.fill * group_bytes_per_order;
        from.fill = 0;
    }

    ledger &owner_;
    std::size_t depth_, reading_ = ~std::size_t{0};
    bool one_key_ = false;
    std::pmr::vector<staging> staged_;
    std::pmr::vector<std::array<tag, block_rows>> staged_tags_; // empty without tags
    std::pmr::vector<std::size_t> rows_, bytes_;
    std::deque<tape, std::pmr::polymorphic_allocator<tape>> tapes_;
};

// The customers of one partition, each one's purchases side by side. One group serves all partitions, one after the
// other, and keeps its memory.
class ledger::group {
  public:
    explicit group(const ledger &owner)
        : owner_(owner), equality_(owner.equality_), slots_(&owner.in_), members_(&owner.in_), key_bytes_(&owner.in_),
          member_of_(&owner.in_), unsorted_(&owner.in_), entries_(&owner.in_) {}

    void load(tape &from, std::size_t rows, int scale) {
        clear();
        member_of_.reserve(rows);
        unsorted_.reserve(rows);
        drain_orders(from, equality_ != nullptr, scale, [&](const order &row, tag with, byte_span key_bytes) {
            const std::uint32_t number = find(row.key, key_bytes);
            member_of_.push_back(number);
            unsorted_.push_back({row.at, row.amount});
            if (!owner_.tag_ranks_.empty() && row.amount >= 0)
                note_tag(members_[number], row.at, with);
        });
        interrupt_poll poll;
        for (const std::uint32_t each : member_of_) {
            poll();
            ++members_[each].count;
        }
        std::size_t end = 0;
        for (member &each : members_) {
            each.next = end;
            end += each.count;
        }
        entries_.resize(rows);
        for (std::size_t i = 0; i < rows; ++i) {
            poll();
            entries_[members_[member_of_[i]].next++] = unsorted_[i];
        }
    }

    bool next(customer &found, int scale) {
        if (reading_ == members_.size())
            return false;
        const member &each = members_[reading_++];
        const auto mine = std::span(entries_).subspan(each.next - each.count, each.count);
        if (!std::ranges::is_sorted(mine))
            sort_with_polls(mine);
        found = {each.key, bytes_of(each), each.first_tag, {mine, scale}};
        return true;
    }

  private:
    static constexpr std::uint32_t empty = ~std::uint32_t{0};
    // An open-addressing table; the key stands in it, so that a look-up touches nothing else.
    struct slot {
        std::uint64_t key;
        std::uint32_t member;
    };
    struct member {
        std::uint64_t key;
        std::size_t count, next; // next: the end of the member's entries, once all are placed
        std::size_t key_begin, key_bytes;
        timestamp first = end_of_timestamps; // of the purchases that have a tag
        tag first_tag = 0;
    };

    void note_tag(member &of, timestamp at, tag with) {
        const auto ranks = owner_.tag_ranks_;
        if (at < of.first || (at == of.first && ranks[with] < ranks[of.first_tag])) {
            of.first = at;
            of.first_tag = with;
        }
    }

    void clear() {
        slots_.assign(std::max(slots_.size(), std::size_t{256}), slot{0, empty});
        members_.clear();
        key_bytes_.clear();
        member_of_.clear();
        unsorted_.clear();
        reading_ = 0;
    }

    // The customer's number, a new one for a customer not seen before.
    std::uint32_t find(std::uint64_t key, byte_span key_bytes) {
        for (std::size_t at = hash_(key);; ++at) {
            slot &candidate = slots_[at & (slots_.size() - 1)];
            if (candidate.member == empty) {
                const auto number = static_cast<std::uint32_t>(members_.size());
                candidate = {key, number};
                members_.push_back({key, 0, 0, key_bytes_.size(), key_bytes.size()});
                key_bytes_.insert(key_bytes_.end(), key_bytes.begin(), key_bytes.end());
                if (members_.size() * 2 > slots_.size())
                    grow();
                return number;
            }
            if (candidate.key == key &&
                (equality_ == nullptr || (*equality_)(bytes_of(members_[candidate.member]), key_bytes)))
                return candidate.member;
        }
    }

    void grow() {
        slots_.assign(slots_.size() * 2, slot{0, empty});
        interrupt_poll poll;
        for (std::uint32_t number = 0; number < members_.size(); ++number) {
            poll();
            std::size_t at = hash_(members_[number].key);
            while (slots_[at & (slots_.size() - 1)].member != empty)
                ++at;
            slots_[at & (slots_.size() - 1)] = {members_[number].key, number};
        }
    }

    byte_span bytes_of(const member &each) const {
        return byte_span(key_bytes_).subspan(each.key_begin, each.key_bytes);
    }

    const ledger &owner_;
    const key_equality *equality_;
    secret_mix hash_;
    std::pmr::vector<slot> slots_;
    std::pmr::vector<member> members_;
    byte_vector key_bytes_;
    std::pmr::vector<std::uint32_t> member_of_; // each order's customer
    std::pmr::vector<purchase> unsorted_, entries_;
    std::size_t reading_ = 0;
};

namespace {
// The part of the budget that grouping a partition may take; tapes have the rest.
std::size_t group_share(std::size_t budget) { return std::max(budget / 8, tape_pool::least_budget / 2); }
} // namespace

ledger::ledger(memory &in, std::size_t budget, spill_file &spill, const key_equality *equality)
    : in_(in), group_budget_(group_share(budget)), pool_(in, budget - std::min(budget, group_budget_), spill),
      equality_(equality), levels_(&in), open_(&in) {
    levels_.emplace_back(*this, 0);
    open_.emplace_back(*this);
}

ledger::~ledger() = default;

std::size_t ledger::partition_of(std::uint64_t key) { return crm::partition_of(key, 0); }

void ledger::raise_scale(int scale) {
    levels_.front().flush();
    scale_ = scale;
}

void ledger::note(const order &order) {
    first_ = std::min(first_, order.at);
    last_ = std::max(last_, order.at);
    ++orders_;
}

void ledger::add(std::span<const order> orders, int scale, std::span<const tag> tags) {
    poll_interrupts();
    if (scale > scale_)
        raise_scale(scale);
    level &to = levels_.front();
    for (std::size_t i = 0; i < orders.size(); ++i) {
        order each = orders[i];
        if (scale < scale_)
            each.amount = rescale(each.amount, scale, scale_);
        note(each);
        tags.empty() ? to.add(each) : to.add_tagged(each, tags[i]);
    }
}

void ledger::add(const order &order, byte_span key_bytes, int scale, tag with) {
    if (scale > scale_)
        raise_scale(scale);
    crm::order each = order;
    each.amount = rescale(each.amount, scale, scale_);
    note(each);
    levels_.front().add(each, with, key_bytes);
}

bool ledger::next(customer &found) {
    while (!open_.front().next(found, scale_))
        if (!open_next_partition())
            return false;
    return true;
}

// Groups the next partition, after spreading it further where it is too large to be grouped within the budget.
bool ledger::open_next_partition() {
    if (levels_.size() == 1)
        levels_.front().close(false);
    while (!levels_.empty()) {
        level &from = levels_.back();
        std::size_t rows = 0, bytes = 0;
        tape *partition = from.next(rows, bytes);
        if (partition == nullptr) {
            levels_.pop_back();
        } else if (bytes <= group_budget_ || !from.can_split()) {
            open_.front().load(*partition, rows, scale_);
            return true;
        } else {
            spread(*partition, from.depth() + 1);
        }
    }
    return false;
}

void ledger::spread(tape &partition, std::size_t depth) {
    level &finer = levels_.emplace_back(*this, depth);
    std::uint64_t first_key = 0, differences = 0;
    bool is_first = true;
    drain_orders(partition, equality_ != nullptr, scale_, [&](const order &row, tag with, byte_span key_bytes) {
        if (std::exchange(is_first, false))
            first_key = row.key;
        differences |= row.key ^ first_key;
        if (equality_ != nullptr)
            finer.add(row, with, key_bytes);
        else if (tag_ranks_.empty())
            finer.add(row);
        else
            finer.add_tagged(row, with);
    });
    finer.close(differences == 0);
}

} // namespace crm
