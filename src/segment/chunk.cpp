#include "segment/chunk.hpp"

#include "core/bytes.hpp"

#include "core/no_postgres.hpp"

#include <roaring/roaring.h>

// Where newer versions of the library keep their kernels.
namespace roaring::internal {}
using namespace roaring::internal;

namespace crm::segment {
namespace {

struct run {
    std::uint16_t first, more; // ids behind the first
    std::int32_t last() const { return first + more; }
};

[[noreturn]] void throw_damaged() { throw error(data_corrupted, "stored crm.idset is damaged"); }

// The library's own names for our memory. Its versions differ in the names of the fields and in an empty base.
array_container_t values_of(const chunk &of) {
    array_container_t named{};
    auto &[cardinality, capacity, values] = named;
    cardinality = of.cardinality;
    capacity = static_cast<std::int32_t>(of.values.size());
    values = const_cast<std::uint16_t *>(of.values.data());
    return named;
}
bitset_container_t bits_of(const chunk &of) {
    bitset_container_t named{};
    auto &[cardinality, words] = named;
    cardinality = of.cardinality;
    words = const_cast<std::uint64_t *>(of.bits.data());
    return named;
}

std::size_t runs_in(byte_span bytes) { return bytes.size() / sizeof(run); }
run load_run(byte_span bytes, std::size_t i) { return load<run>(bytes.data() + i * sizeof(run)); }

void set_bits(chunk &in, std::int32_t first, std::int32_t last) {
    const auto from = static_cast<std::size_t>(first), to = static_cast<std::size_t>(last);
    const std::uint64_t head = ~std::uint64_t{0} << from % 64, tail = ~std::uint64_t{0} >> (63 - to % 64);
    if (from / 64 == to / 64) {
        in.bits[from / 64] |= head & tail;
        return;
    }
    in.bits[from / 64] |= head;
    std::fill(in.bits.begin() + first / 64 + 1, in.bits.begin() + last / 64, ~std::uint64_t{0});
    in.bits[to / 64] |= tail;
}

void read_runs(chunk &to, byte_span bytes) {
    if (bytes.empty() || bytes.size() % sizeof(run) != 0)
        throw_damaged();
    to.dense = true;
    to.bits.fill(0);
    std::int32_t end = -1, cardinality = 0;
    for (std::size_t i = 0; i < runs_in(bytes); ++i) {
        const run each = load_run(bytes, i);
        if (each.first <= end || each.last() > 0xFFFF)
            throw_damaged();
        end = each.last();
        set_bits(to, each.first, end);
        cardinality += each.more + 1;
    }
    if (cardinality != to.cardinality)
        throw_damaged();
}

void make_dense(chunk &of) {
    if (of.dense)
        return;
    of.bits.fill(0);
    bitset_set_list(of.bits.data(), of.values.data(), static_cast<std::uint64_t>(of.cardinality));
    of.dense = true;
}

void combine_values(set_operation operation, const chunk &a, const chunk &b, chunk &result) {
    const array_container_t left = values_of(a), right = values_of(b);
    array_container_t out = values_of(result);
    switch (operation) {
    case set_operation::unite:
        array_container_union(&left, &right, &out);
        break;
    case set_operation::intersect:
        array_container_intersection(&left, &right, &out);
        break;
    case set_operation::subtract:
        array_container_andnot(&left, &right, &out);
        break;
    case set_operation::differ:
        array_container_xor(&left, &right, &out);
        break;
    }
    result.dense = false;
    result.cardinality = out.cardinality;
}

void combine_bits(set_operation operation, const chunk &a, const chunk &b, chunk &result) {
    const bitset_container_t left = bits_of(a), right = bits_of(b);
    bitset_container_t out = bits_of(result);
    switch (operation) {
    case set_operation::unite:
        result.cardinality = bitset_container_or(&left, &right, &out);
        break;
    case set_operation::intersect:
        result.cardinality = bitset_container_and(&left, &right, &out);
        break;
    case set_operation::subtract:
        result.cardinality = bitset_container_andnot(&left, &right, &out);
        break;
    case set_operation::differ:
        result.cardinality = bitset_container_xor(&left, &right, &out);
        break;
    }
    result.dense = true;
}

template <class Take> void for_each_run_of_bits(const chunk &of, Take &&take) {
    std::size_t word = 0;
    std::uint64_t bits = of.bits[0];
    const auto next_word = [&] { return ++word < of.bits.size() ? (bits = of.bits[word], true) : false; };
    while (true) {
        while (bits == 0)
            if (!next_word())
                return;
        const auto first = static_cast<std::int32_t>(word) * 64 + std::countr_zero(bits);
        bits |= bits - 1; // as if the run began with the word
        while (~bits == 0)
            if (!next_word()) {
                take(first, 0xFFFF);
                return;
            }
        take(first, static_cast<std::int32_t>(word) * 64 + std::countr_one(bits) - 1);
        bits &= bits + 1;
    }
}

template <class Take> void for_each_run_of_values(const chunk &of, Take &&take) {
    for (std::int32_t i = 0; i < of.cardinality;) {
        const std::int32_t first = of.values[static_cast<std::size_t>(i)];
        std::int32_t last = first;
        while (++i < of.cardinality && of.values[static_cast<std::size_t>(i)] == last + 1)
            ++last;
        take(first, last);
    }
}

} // namespace

void read_chunk(chunk &to, std::int64_t key, const stored_chunk &from) {
    to.key = key;
    to.cardinality = from.cardinality;
    to.dense = from.kind != chunk_kind::values;
    switch (from.kind) {
    case chunk_kind::values:
        if (from.cardinality > most_values || from.bytes.size() != static_cast<std::size_t>(from.cardinality) * 2)
            throw_damaged();
        std::memcpy(to.values.data(), from.bytes.data(), from.bytes.size());
        break;
    case chunk_kind::bits:
        if (from.cardinality <= most_values || from.bytes.size() != bits_bytes)
            throw_damaged();
        std::memcpy(to.bits.data(), from.bytes.data(), bits_bytes);
        break;
    case chunk_kind::runs:
        read_runs(to, from.bytes);
        break;
    default:
        throw_damaged();
    }
}

void read_range(chunk &to, std::int64_t key, std::uint16_t first, std::uint16_t last) {
    to.key = key;
    to.cardinality = last - first + 1;
    to.dense = true;
    to.bits.fill(0);
    set_bits(to, first, last);
}

chunk_form form_of(std::int32_t cardinality, std::int32_t runs) {
    chunk_form best{chunk_kind::bits, bits_bytes};
    if (cardinality <= most_values)
        best = {chunk_kind::values, static_cast<std::size_t>(cardinality) * 2};
    const std::size_t as_runs = static_cast<std::size_t>(runs) * sizeof(run);
    return as_runs < best.bytes ? chunk_form{chunk_kind::runs, as_runs} : best;
}

chunk_form form_of(const chunk &of) {
    if (of.dense) {
        bitset_container_t bits = bits_of(of);
        return form_of(of.cardinality, bitset_container_number_of_runs(&bits));
    }
    const array_container_t values = values_of(of);
    return form_of(of.cardinality, array_container_number_of_runs(&values));
}

void write_chunk(chunk &from, chunk_kind kind, std::byte *to) {
    const auto store_run = [&](std::int32_t first, std::int32_t last) {
        store(to, run{static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last - first)});
        to += sizeof(run);
    };
    if (kind == chunk_kind::runs && from.dense)
        for_each_run_of_bits(from, store_run);
    else if (kind == chunk_kind::runs)
        for_each_run_of_values(from, store_run);
    else if (kind == chunk_kind::bits) {
        make_dense(from);
        std::memcpy(to, from.bits.data(), bits_bytes);
    } else if (from.dense) {
        std::array<std::uint16_t, most_values + 64> values;
        const std::size_t count = bitset_extract_setbits_uint16(from.bits.data(), from.bits.size(), values.data(), 0);
        std::memcpy(to, values.data(), count * sizeof(std::uint16_t));
    } else
        std::memcpy(to, from.values.data(), static_cast<std::size_t>(from.cardinality) * sizeof(std::uint16_t));
}

void combine(set_operation operation, chunk &a, chunk &b, chunk &result) {
    result.key = a.key;
    if (!a.dense && !b.dense) {
        combine_values(operation, a, b, result);
        return;
    }
    make_dense(a);
    make_dense(b);
    combine_bits(operation, a, b, result);
}

std::int32_t common_ids(chunk &a, chunk &b) {
    const array_container_t left = values_of(a), right = values_of(b);
    const bitset_container_t left_bits = bits_of(a), right_bits = bits_of(b);
    if (a.dense && b.dense)
        return bitset_container_and_justcard(&left_bits, &right_bits);
    if (a.dense)
        return array_bitset_container_intersection_cardinality(&right, &left_bits);
    if (b.dense)
        return array_bitset_container_intersection_cardinality(&left, &right_bits);
    return array_container_intersection_cardinality(&left, &right);
}

bool contains(const stored_chunk &in, std::uint16_t value) {
    const std::size_t item = in.kind == chunk_kind::runs ? sizeof(run) : sizeof value;
    if (in.kind == chunk_kind::bits)
        return in.bytes.size() == bits_bytes && (std::to_integer<unsigned>(in.bytes[value / 8]) >> value % 8 & 1) != 0;
    // The last item that begins at the value or before it.
    std::size_t begin = 0, end = in.bytes.size() / item;
    while (begin < end) {
        const std::size_t middle = (begin + end) / 2;
        if (load<std::uint16_t>(in.bytes.data() + middle * item) <= value)
            begin = middle + 1;
        else
            end = middle;
    }
    if (begin == 0)
        return false;
    if (in.kind == chunk_kind::runs)
        return value <= load_run(in.bytes, begin - 1).last();
    return load<std::uint16_t>(in.bytes.data() + (begin - 1) * item) == value;
}

value_run next_run(const stored_chunk &in, std::int32_t from, std::size_t &hint) {
    if (in.kind == chunk_kind::bits) {
        if (in.bytes.size() != bits_bytes)
            throw_damaged();
        for (std::int32_t word = from / 64; word < static_cast<std::int32_t>(bits_bytes / 8); ++word) {
            auto bits = load<std::uint64_t>(in.bytes.data() + word * 8);
            if (word == from / 64)
                bits &= ~std::uint64_t{0} << from % 64;
            if (bits != 0) {
                const std::int32_t first = std::countr_zero(bits);
                return {word * 64 + first, word * 64 + first + std::countr_one(bits >> first) - 1};
            }
        }
    } else if (in.kind == chunk_kind::runs) {
        for (; hint < runs_in(in.bytes); ++hint)
            if (const run each = load_run(in.bytes, hint); each.last() >= from)
                return {std::max<std::int32_t>(from, each.first), std::min(each.last(), 0xFFFF)};
    } else
        for (; hint < in.bytes.size() / 2; ++hint)
            if (const auto value = load<std::uint16_t>(in.bytes.data() + hint * 2); value >= from)
                return {value, value};
    return {-1, -1};
}

std::int32_t highest_value(const stored_chunk &in) {
    if (in.kind == chunk_kind::values)
        return in.bytes.size() < 2 ? -1 : load<std::uint16_t>(in.bytes.data() + in.bytes.size() - 2);
    if (in.kind == chunk_kind::runs)
        return in.bytes.size() < sizeof(run) ? -1 : load_run(in.bytes, runs_in(in.bytes) - 1).last();
    std::size_t byte = in.bytes.size();
    while (byte > 0 && in.bytes[byte - 1] == std::byte{0})
        --byte;
    return static_cast<std::int32_t>(byte * 8) - 1 -
           (byte == 0 ? 0 : std::countl_zero(std::to_integer<std::uint8_t>(in.bytes[byte - 1])));
}

} // namespace crm::segment
