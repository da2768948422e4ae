// crm.idset: a set of 64-bit ids as a compact, canonical value. Equal sets are equal bytes.
//
// Layout, all numbers little-endian:
//   byte    version, 1
//   byte    form: 0 to 8, a list whose distances take so many bytes each; 16, chunks
//   2 bytes reserved: zero
//   8 bytes number of ids
//   list:   the first id in 8 bytes; of every other the distance from the first
//   chunks: their number in 4 bytes; a directory of 16 bytes each; their contents, without gaps
//   directory: 8 bytes key, ids / 65,536 rounded down; 4 bytes where its content begins behind the directory; 2 bytes
//           number of ids less one; byte kind, 0 values, 1 bits, 2 runs; byte reserved, zero
//   values: the low 16 bits of each id, 2 bytes each; bits: 8,192 bytes, an id the bit id % 8 of byte id / 8
//   runs:   2 bytes first, 2 bytes how many follow it
// Ids, keys and runs ascend. A chunk is stored as what takes the fewest bytes, of equal ones the kind named first; runs
// touch nowhere. So is the set: a list where that takes no more bytes than chunks. Every part can be found without
// reading those before it, so probes need no decoding.
#pragma once

#include "segment/chunk.hpp"

#include <limits>
#include <optional>
#include <string_view>

namespace crm::segment {

inline constexpr std::size_t max_bytes = (std::size_t{1} << 30) - 64;
inline constexpr std::size_t head_bytes = 12;
inline constexpr std::int64_t lowest_id = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t highest_id = std::numeric_limits<std::int64_t>::max();

// A set's bytes, not yet looked at.
struct idset {
    byte_span bytes;
};
// At least the first head_bytes of a set.
struct idset_head {
    byte_span bytes;
};

std::uint64_t cardinality(idset_head of);
bool contains(idset in, std::int64_t id);

// Of ascending ids without repetition, and of any ids, which are sorted in place.
byte_vector encode_sorted(std::span<const std::int64_t> ids, memory &in);
byte_vector encode(std::pmr::vector<std::int64_t> &ids, memory &in);
// All ids from the first to the last; nothing when there are none. 54000 when they take more than 1 GB.
byte_vector range(memory &in, std::int64_t first, std::int64_t last);

byte_vector combine(memory &in, set_operation operation, idset a, idset b);
// How many ids both have; stops counting once there are so many.
std::uint64_t common_ids(idset a, idset b, std::uint64_t enough = std::numeric_limits<std::uint64_t>::max());
bool is_subset(idset part, idset of);
// Common ids by ids in at least one; nothing for two empty sets.
std::optional<double> jaccard(idset a, idset b);

// Gives the value back when it is exactly what encode() makes of its ids; 22P03 otherwise.
byte_vector validated(byte_span untrusted, memory &in);

// {1,2,5}, ascending. From 100 on, ids that follow each other are written 1..100.
text_buffer to_text(memory &in, idset of);
byte_vector from_text(memory &in, std::string_view text);

std::pmr::vector<std::int64_t> ids_of(memory &in, idset of);

// The ids from the first to the last, ascending. Owns nothing, and reads the bytes as it goes.
class member_cursor {
  public:
    explicit member_cursor(idset of, std::int64_t first = lowest_id, std::int64_t last = highest_id);
    bool next(std::int64_t &found) {
        if (left_ == 0 && !open_run())
            return false;
        found = static_cast<std::int64_t>(next_++);
        --left_;
        return true;
    }
    // Ids that follow each other, though more of them may come next.
    bool next_run(std::int64_t &first, std::int64_t &last);

  private:
    bool open_run();
    bool open_run_of_list();
    bool open_run_of_chunks();
    bool open_chunk();

    idset of_;
    std::int64_t first_, last_;
    bool is_list_;
    std::uint64_t next_ = 0, left_ = 0; // of the open run
    std::size_t place_ = 0;             // of the next id of a list, or of the next chunk
    stored_chunk chunk_{};              // the open one
    std::int64_t base_ = 0;
    std::int32_t value_ = -1; // the next one of it may not be below this; -1 when none is open
    std::size_t hint_ = 0;
};

} // namespace crm::segment
