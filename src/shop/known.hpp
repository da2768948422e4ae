// Rows that are known of customers already, to be compared with what a pass over orders finds. They are spread over the
// ledger's own partitions and share its memory, so a customer meets the known row within the processor's cache.
#pragma once

#include "core/hashing.hpp"
#include "core/ledger.hpp"

#include <deque>
#include <optional>

namespace crm::shop {

// One row of a customer: where it is stored, and its content in whatever form the caller compares.
struct known_row {
    std::uint64_t key = 0, place = 0;
    byte_span key_bytes, content; // of a row that was given: valid until the next one is asked for
};

class known_rows {
  public:
    // `equality` is given where keys do not fit into 64 bits, as to the ledger whose pool this is.
    known_rows(memory &in, tape_pool *pool, const key_equality *equality);

    // At most one row for each customer.
    void add(const known_row &row);

    // The row of a customer whom the ledger has just given, in the ledger's order; nothing where there is none.
    std::optional<known_row> take(const customer &of);

    // After the ledger's last customer: a row that nobody has taken, without its content; nothing after the last.
    std::optional<known_row> next_left();

  private:
    struct loaded_row {
        std::uint64_t key, place;
        std::size_t begin, key_bytes, content_bytes; // in bytes_: the key, then the content
        bool taken = false;
    };

    void open(std::size_t partition);
    void keep_left();
    void load(tape &from);
    void load(byte_span pieces);
    void index();
    known_row row_at(const loaded_row &row) const;

    const key_equality *equality_;
    secret_mix hash_;
    std::deque<tape, std::pmr::polymorphic_allocator<tape>> tapes_; // one for each partition, one for what is left
    std::size_t open_ = ledger::partitions;                         // the partition whose rows are loaded
    bool all_taken_ = false;
    std::size_t next_tape_ = 0, next_row_ = 0; // of what is left
    byte_vector bytes_;
    std::pmr::vector<loaded_row> rows_;
    std::pmr::vector<std::uint32_t> slots_;
};

} // namespace crm::shop
