#include "shop/known.hpp"

#include "core/bytes.hpp"
#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

#include <algorithm>
#include <bit>

namespace crm::shop {
namespace {

// A long row takes several pieces of its tape; all but the first carry on its content.
struct piece_header {
    std::uint64_t key, place;
    std::uint32_t content_bytes;
    std::uint16_t key_bytes;
    bool carries_on;
};
constexpr std::size_t most_content = tape::max_piece - sizeof(piece_header) - ledger::max_key_bytes;

constexpr std::uint32_t empty = ~std::uint32_t{0};
constexpr std::size_t left_tape = ledger::partitions;

void write_row(tape &to, known_row row) {
    bool carries_on = false;
    do {
        const byte_span part = row.content.first(std::min(row.content.size(), most_content));
        const piece_header head{row.key, row.place, static_cast<std::uint32_t>(part.size()),
                                static_cast<std::uint16_t>(row.key_bytes.size()), carries_on};
        const std::size_t size = sizeof head + row.key_bytes.size() + part.size();
        std::byte *at = to.reserve(size);
        store(at, head);
        std::ranges::copy(part, std::ranges::copy(row.key_bytes, at + sizeof head).out);
        to.commit(size);
        row.content = row.content.subspan(part.size());
        row.key_bytes = {};
        carries_on = true;
    } while (!row.content.empty());
}

} // namespace

known_rows::known_rows(memory &in, tape_pool *pool, const key_equality *equality)
    : equality_(equality), tapes_(&in), bytes_(&in), rows_(&in), slots_(&in) {
    for (std::size_t i = 0; i <= left_tape; ++i)
        tapes_.emplace_back(*pool);
}

void known_rows::add(const known_row &row) { write_row(tapes_[ledger::partition_of(row.key)], row); }

std::optional<known_row> known_rows::take(const customer &of) {
    if (const std::size_t partition = ledger::partition_of(of.key); partition != open_)
        open(partition);
    for (std::size_t at = hash_(of.key);; ++at) {
        const std::uint32_t number = slots_[at & (slots_.size() - 1)];
        if (number == empty)
            return std::nullopt;
        const known_row row = row_at(rows_[number]);
        if (row.key == of.key && (equality_ == nullptr || (*equality_)(row.key_bytes, of.key_bytes))) {
            rows_[number].taken = true;
            return row;
        }
    }
}

std::optional<known_row> known_rows::next_left() {
    if (!all_taken_) {
        keep_left();
        rows_.clear();
        all_taken_ = true;
    }
    for (; next_row_ == rows_.size(); next_row_ = 0) {
        if (next_tape_ == tapes_.size())
            return std::nullopt;
        load(tapes_[next_tape_++]); // empty where the partition has been opened
    }
    return row_at(rows_[next_row_++]);
}

void known_rows::open(std::size_t partition) {
    keep_left();
    load(tapes_[partition]);
    index();
    open_ = partition;
}

// The rows of the open partition that nobody has taken.
void known_rows::keep_left() {
    interrupt_poll poll;
    for (const loaded_row &each : rows_) {
        poll();
        if (each.taken)
            continue;
        known_row row = row_at(each);
        row.content = {};
        write_row(tapes_[left_tape], row);
    }
}

void known_rows::load(tape &from) {
    rows_.clear();
    bytes_.clear();
    from.drain([&](byte_span pieces) { load(pieces); });
}

void known_rows::load(byte_span pieces) {
    while (!pieces.empty()) {
        poll_interrupts();
        const auto head = crm::load<piece_header>(pieces.data());
        const byte_span rest = pieces.subspan(sizeof head).first(head.key_bytes + std::size_t{head.content_bytes});
        if (head.carries_on)
            rows_.back().content_bytes += rest.size();
        else
            rows_.push_back({head.key, head.place, bytes_.size(), head.key_bytes, head.content_bytes});
        bytes_.insert(bytes_.end(), rest.begin(), rest.end());
        pieces = pieces.subspan(sizeof head + rest.size());
    }
}

void known_rows::index() {
    slots_.assign(std::bit_ceil(2 * rows_.size() + 1), empty);
    interrupt_poll poll;
    for (std::uint32_t number = 0; number < rows_.size(); ++number) {
        poll();
        std::size_t at = hash_(rows_[number].key);
        while (slots_[at & (slots_.size() - 1)] != empty)
            ++at;
        slots_[at & (slots_.size() - 1)] = number;
    }
}

known_row known_rows::row_at(const loaded_row &row) const {
    const byte_span all = byte_span(bytes_).subspan(row.begin);
    return {row.key, row.place, all.first(row.key_bytes), all.subspan(row.key_bytes, row.content_bytes)};
}

} // namespace crm::shop
