// Text and binary form of values that are only read through functions: text is the bytes in hexadecimal, as of bytea.
#pragma once

#include "bridge/function.hpp"

extern "C" {
#include <libpq/pqformat.h>
}

namespace crm::bridge {

using validator = byte_vector (*)(byte_span untrusted, memory &in);

inline Datum validate(byte_span untrusted, FunctionCallInfo fcinfo, validator check) {
    return run<byte_vector>(fcinfo, [&] {
        memory &here = current_memory();
        return check(untrusted, here);
    });
}

inline Datum value_from_text(FunctionCallInfo fcinfo, validator check) {
    const Datum bytes = DirectFunctionCall1(byteain, PG_GETARG_DATUM(0));
    return validate(bytes_of(reinterpret_cast<const struct varlena *>(DatumGetPointer(bytes))), fcinfo, check);
}

inline Datum value_to_text(FunctionCallInfo fcinfo) {
    const byte_span value =
        bytes_of(reinterpret_cast<const struct varlena *>(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0))));
    static constexpr char digits[] = "0123456789abcdef";
    auto *text = static_cast<char *>(palloc(value.size() * 2 + 3)), *to = text;
    *to++ = '\\';
    *to++ = 'x';
    for (const std::byte each : value) {
        *to++ = digits[std::to_integer<unsigned>(each) >> 4];
        *to++ = digits[std::to_integer<unsigned>(each) & 0x0F];
    }
    *to = '\0';
    return CStringGetDatum(text);
}

inline Datum value_from_binary(FunctionCallInfo fcinfo, validator check) {
    auto *message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
    const int size = message->len - message->cursor;
    const auto *bytes = reinterpret_cast<const std::byte *>(pq_getmsgbytes(message, size));
    return validate({bytes, static_cast<std::size_t>(size)}, fcinfo, check);
}

inline Datum value_to_binary(FunctionCallInfo fcinfo) {
    return PointerGetDatum(PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0)));
}

} // namespace crm::bridge
