// The one-pass ledger: takes orders in any order, gives back each customer once, with all purchases sorted.
//
// Orders are spread over partitions by a hash of their customer, packed, and kept on tapes, so that memory stays within
// a budget. Reading a partition groups its customers with everything in the processor's cache.
#pragma once

#include "core/tape.hpp"
#include "core/types.hpp"

#include <list>

namespace crm {

// One order. `key` is the customer itself where it fits into 64 bits, else a hash of it.
struct order {
    std::uint64_t key;
    timestamp at;
    std::int64_t amount;
};

// Tells customers apart whose keys do not fit into 64 bits.
class key_equality {
  public:
    virtual ~key_equality() = default;
    virtual bool operator()(byte_span a, byte_span b) const = 0;
};

// Orders may carry a tag, the number of a value such as a channel; a customer has the tag of the first purchase.
using tag = std::uint32_t;

// One customer of the ledger, valid until the next one is asked for.
struct customer {
    std::uint64_t key = 0;
    byte_span key_bytes; // where keys do not fit into 64 bits
    tag first_tag = 0;
    purchases history;
};

class ledger {
  public:
    static constexpr std::size_t max_key_bytes = 2048;
    // Customers are given partition by partition.
    static constexpr std::size_t partitions = 256;
    static std::size_t partition_of(std::uint64_t key);

    // `equality` is given where keys do not fit into 64 bits. `budget` bounds the memory, but for a single customer
    // whose purchases alone are larger.
    ledger(memory &in, std::size_t budget, spill_file &spill, const key_equality *equality);
    ~ledger();

    // Amounts at `scale`; no tags, or one for each order.
    void add(std::span<const order> orders, int scale, std::span<const tag> tags = {});
    // The same for one order whose customer is given by its bytes.
    void add(const order &order, byte_span key_bytes, int scale, tag with = 0);

    // Which of the tags of purchases at the same time counts: the one with the lower rank. To be given before reading.
    void rank_tags(std::span<const std::uint32_t> ranks) { tag_ranks_ = ranks; }

    // The next customer, in no particular order; false after the last. The ledger is used up by reading it.
    bool next(customer &found);

    std::uint64_t orders() const { return orders_; }
    timestamp first() const { return first_; }
    timestamp last() const { return last_; }
    int scale() const { return scale_; }
    // For results that share the ledger's budget.
    tape_pool &pool() { return pool_; }

  private:
    class level;
    class group;
    bool open_next_partition();
    void spread(tape &partition, std::size_t depth);
    void raise_scale(int scale);
    void note(const order &order);

    memory &in_;
    std::size_t group_budget_;
    tape_pool pool_;
    const key_equality *equality_;
    std::pmr::list<level> levels_;
    std::pmr::list<group> open_; // one: the partition being read
    std::span<const std::uint32_t> tag_ranks_;
    std::uint64_t orders_ = 0;
    timestamp first_ = end_of_timestamps, last_ = earliest_timestamp;
    int scale_ = 0;
};

} // namespace crm
