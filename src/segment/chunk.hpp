// 65,536 neighbouring ids, the piece that sets are made of and that CRoaring's kernels work on.
//
// Only kernels are called that write into memory given to them: the library then never allocates, so running out of
// memory cannot end the server inside it, and nothing of it has to be freed when PostgreSQL leaves by longjmp.
#pragma once

#include "core/types.hpp"

#include <array>

namespace crm::segment {

inline constexpr std::size_t bits_bytes = 8'192;   // a bit for each id
inline constexpr std::int32_t most_values = 4'096; // as many ids take as many bytes one by one

// How a chunk is stored: in the way that takes the fewest bytes, of equal ones the first.
enum class chunk_kind : std::uint8_t { values, bits, runs };

enum class set_operation { unite, intersect, subtract, differ };

struct chunk {
    std::int64_t key;         // of its ids, rounded down to 65,536ths
    std::int32_t cardinality; // 1 to 65,536
    bool dense;               // the ids are in bits, not in values
    alignas(32) std::array<std::uint64_t, bits_bytes / 8> bits;
    // sorted; twice as many, for what two chunks give, and room behind them, which kernels may overwrite
    alignas(32) std::array<std::uint16_t, 2 * most_values + 64> values;
};

struct stored_chunk {
    chunk_kind kind;
    std::int32_t cardinality;
    byte_span bytes;
};

// Reads a stored chunk; XX001 when the bytes cannot be one, whatever they are otherwise.
void read_chunk(chunk &to, std::int64_t key, const stored_chunk &from);
// All ids from the first to the last.
void read_range(chunk &to, std::int64_t key, std::uint16_t first, std::uint16_t last);

struct chunk_form {
    chunk_kind kind;
    std::size_t bytes;
};
chunk_form form_of(std::int32_t cardinality, std::int32_t runs);
chunk_form form_of(const chunk &of);
// Writes as many bytes as form_of() says. The chunk may change from values to bits.
void write_chunk(chunk &from, chunk_kind kind, std::byte *to);

// The result may be empty. Operands may change from values to bits.
void combine(set_operation operation, chunk &a, chunk &b, chunk &result);
// How many ids both have.
std::int32_t common_ids(chunk &a, chunk &b);

bool contains(const stored_chunk &in, std::uint16_t value);

struct value_run {
    std::int32_t first, last;
};
// The least value that is not below `from`, and how far at least all behind it are there too; {-1, -1} when there is
// none. `hint` begins as 0 and belongs to the caller's walk.
value_run next_run(const stored_chunk &in, std::int32_t from, std::size_t &hint);
std::int32_t highest_value(const stored_chunk &in);

} // namespace crm::segment
