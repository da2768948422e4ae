// How each C++ type of the cores crosses into SQL and back.
#pragma once

#include "bridge/memory.hpp"
#include "bridge/numeric.hpp"
#include "core/types.hpp"

extern "C" {
#include <catalog/pg_type.h>
#include <utils/array.h>
#include <utils/date.h>
}

namespace crm::bridge {

// datum<T>::get(Datum) may raise; it runs before any C++ object lives. datum<T>::put(T) likewise runs after.
template <class T> struct datum;

template <> struct datum<bool> {
    static bool get(Datum value) { return DatumGetBool(value); }
    static Datum put(bool value) { return BoolGetDatum(value); }
};
template <> struct datum<std::int16_t> {
    static std::int16_t get(Datum value) { return DatumGetInt16(value); }
    static Datum put(std::int16_t value) { return Int16GetDatum(value); }
};
template <> struct datum<std::int32_t> {
    static std::int32_t get(Datum value) { return DatumGetInt32(value); }
    static Datum put(std::int32_t value) { return Int32GetDatum(value); }
};
template <> struct datum<std::int64_t> {
    static std::int64_t get(Datum value) { return DatumGetInt64(value); }
    static Datum put(std::int64_t value) { return Int64GetDatum(value); }
};
template <> struct datum<std::uint64_t> {
    static Datum put(std::uint64_t value) { return UInt64GetDatum(value); }
};

// Raises 22008 for infinity.
inline timestamp finite_timestamp(TimestampTz value) {
    if (TIMESTAMP_NOT_FINITE(value))
        ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("time must be finite"),
                        errdetail("The time is %s.", TIMESTAMP_IS_NOBEGIN(value) ? "-infinity" : "infinity"),
                        errhint("Give a real time, or leave the row out.")));
    return {value};
}
template <> struct datum<timestamp> {
    static timestamp get(Datum value) { return finite_timestamp(DatumGetTimestampTz(value)); }
    static Datum put(timestamp value) { return TimestampTzGetDatum(value.us); }
};
template <> struct datum<date> {
    static Datum put(date value) { return DateADTGetDatum(value.days); }
};
// Whole days and the rest, as the difference of two timestamptz.
template <> struct datum<duration> {
    static Datum put(duration value) {
        auto *span = static_cast<Interval *>(palloc0(sizeof(Interval)));
        span->day = static_cast<std::int32_t>(value.us / USECS_PER_DAY);
        span->time = value.us % USECS_PER_DAY;
        return IntervalPGetDatum(span);
    }
};
template <> struct datum<decimal> {
    static decimal get(Datum value) { return decimal_from_numeric(value); }
    static Datum put(decimal value) { return numeric_from_decimal(value); }
};

struct cstring {
    std::string_view text;
};
template <> struct datum<cstring> {
    static cstring get(Datum value) { return {DatumGetCString(value)}; }
};
template <> struct datum<std::string_view> {
    static std::string_view get(Datum value) {
        const auto *text = reinterpret_cast<const struct varlena *>(PG_DETOAST_DATUM_PACKED(value));
        return {VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text)};
    }
};

inline byte_span bytes_of(const struct varlena *value) {
    return {reinterpret_cast<const std::byte *>(VARDATA_ANY(value)), VARSIZE_ANY_EXHDR(value)};
}

// What owns memory is packed while the guard still stands: these take memory without raising.
inline void *allocate(std::size_t bytes) {
    void *found = bytes > MaxAllocHugeSize ? nullptr : palloc_extended(bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
    if (found == nullptr)
        throw std::bad_alloc();
    return found;
}
inline struct varlena *allocate_varlena(byte_span payload) {
    if (payload.size() > MaxAllocSize - VARHDRSZ)
        throw error(program_limit_exceeded, "value is too large", "A value takes less than 1 GB.");
    auto *value = static_cast<struct varlena *>(allocate(payload.size() + VARHDRSZ));
    SET_VARSIZE(value, payload.size() + VARHDRSZ);
    std::ranges::copy(payload, reinterpret_cast<std::byte *>(VARDATA(value)));
    return value;
}

template <class T> struct owning_datum;
template <> struct owning_datum<byte_vector> {
    static Datum put(const byte_vector &value) { return PointerGetDatum(allocate_varlena(value)); }
};
template <> struct owning_datum<text_buffer> { // a cstring
    static Datum put(const text_buffer &value) {
        auto *text = static_cast<char *>(allocate(value.size() + 1));
        std::memcpy(text, value.c_str(), value.size() + 1);
        return CStringGetDatum(text);
    }
};
inline void check_array_size(std::size_t elements) {
    if (elements > (MaxAllocSize - ARR_OVERHEAD_NONULLS(1)) / sizeof(Datum))
        throw error(program_limit_exceeded, "array is too large",
                    short_text("It would have ", elements, " elements; a value takes less than 1 GB."));
}

// An array of one dimension whose elements are numbers of 64 bits.
template <class Element> Datum allocate_array(std::span<const Element> values, Oid element_type) {
    static_assert(FLOAT8PASSBYVAL && sizeof(Element) == sizeof(Datum), "array elements are copied as they are");
    const std::size_t header = ARR_OVERHEAD_NONULLS(1);
    const std::size_t bytes = header + values.size_bytes();
    check_array_size(values.size());
    auto *array = static_cast<ArrayType *>(allocate(bytes));
    SET_VARSIZE(array, bytes);
    array->ndim = values.empty() ? 0 : 1;
    array->dataoffset = 0;
    array->elemtype = element_type;
    ARR_DIMS(array)[0] = static_cast<int>(values.size());
    ARR_LBOUND(array)[0] = 1;
    std::ranges::copy(std::as_bytes(values), reinterpret_cast<std::byte *>(array) + header);
    return PointerGetDatum(array);
}
template <> struct owning_datum<std::pmr::vector<double>> {
    static Datum put(const std::pmr::vector<double> &values) { return allocate_array<double>(values, FLOAT8OID); }
};
template <> struct owning_datum<std::pmr::vector<std::int64_t>> {
    static Datum put(const std::pmr::vector<std::int64_t> &values) {
        return allocate_array<std::int64_t>(values, INT8OID);
    }
};
template <class T> concept owning = requires(const T &value) { owning_datum<T>::put(value); };

} // namespace crm::bridge
