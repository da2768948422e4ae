// SQL face of crm.calendar: the type, its comparison, and the periods of single instants.
#include "bridge/function.hpp"
#include "bridge/zone.hpp"

extern "C" {
#include <common/hashfn.h>
#include <libpq/pqformat.h>
}

using namespace crm;
using namespace crm::bridge;

namespace {

Datum put_calendar(const calendar_name &name) {
    return guarded([&] {
        memory &here = current_memory();
        return owning_datum<byte_vector>::put(encode_calendar(here, name));
    });
}

byte_span stored_bytes(Datum calendar) {
    return bytes_of(reinterpret_cast<const struct varlena *>(PG_DETOAST_DATUM_PACKED(calendar)));
}

std::int32_t order_of(calendar_name a, calendar_name b) { return a < b ? -1 : (b < a ? 1 : 0); }

} // namespace

CRM_ENTRY(crm_calendar_in) {
    const cstring text = datum<cstring>::get(PG_GETARG_DATUM(0));
    const calendar_name read = guarded([&] { return parse_calendar(text.text); });
    return put_calendar({read.period, read.zone.empty() ? session_zone() : canonical_zone(read.zone)});
}

CRM_FUNCTION(crm_calendar_out, [](memory &in, calendar_name name) {
    text_buffer text(&in);
    append_calendar(text, name);
    return text;
})

// Reads the value as strictly as text: only what pg_crm would write is taken.
CRM_ENTRY(crm_calendar_recv) {
    auto *message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
    const int size = message->len - message->cursor;
    const auto *bytes = reinterpret_cast<const std::byte *>(pq_getmsgbytes(message, size));
    const auto name = decode_calendar({bytes, static_cast<std::size_t>(size)});
    if (!name || canonical_zone(name->zone) != name->zone)
        ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                        errmsg("invalid binary representation of crm.calendar"),
                        errdetail("The %d bytes are not what pg_crm writes for any calendar.", size),
                        errhint("Send what crm.calendar's binary output gave.")));
    return put_calendar(*name);
}

CRM_ENTRY(crm_calendar_send) {
    const byte_span bytes = stored_bytes(PG_GETARG_DATUM(0));
    StringInfoData message;
    pq_begintypsend(&message);
    pq_sendbytes(&message, reinterpret_cast<const char *>(bytes.data()), static_cast<int>(bytes.size()));
    return PointerGetDatum(pq_endtypsend(&message));
}

CRM_ENTRY(crm_calendar_make) {
    const auto period_text = datum<std::string_view>::get(PG_GETARG_DATUM(0));
    const auto zone = datum<std::string_view>::get(PG_GETARG_DATUM(1));
    const calendar_period period = guarded([&] { return parse_period(period_text); });
    return put_calendar({period, canonical_zone(zone)});
}

CRM_FUNCTION(crm_calendar_cmp, order_of)
CRM_FUNCTION(crm_calendar_eq, [](calendar_name a, calendar_name b) { return order_of(a, b) == 0; })
CRM_FUNCTION(crm_calendar_ne, [](calendar_name a, calendar_name b) { return order_of(a, b) != 0; })
CRM_FUNCTION(crm_calendar_lt, [](calendar_name a, calendar_name b) { return order_of(a, b) < 0; })
CRM_FUNCTION(crm_calendar_le, [](calendar_name a, calendar_name b) { return order_of(a, b) <= 0; })
CRM_FUNCTION(crm_calendar_gt, [](calendar_name a, calendar_name b) { return order_of(a, b) > 0; })
CRM_FUNCTION(crm_calendar_ge, [](calendar_name a, calendar_name b) { return order_of(a, b) >= 0; })

CRM_ENTRY(crm_calendar_hash) {
    const byte_span bytes = stored_bytes(PG_GETARG_DATUM(0));
    return hash_any(reinterpret_cast<const unsigned char *>(bytes.data()), static_cast<int>(bytes.size()));
}

CRM_ENTRY(crm_calendar_hash_extended) {
    const byte_span bytes = stored_bytes(PG_GETARG_DATUM(0));
    return hash_any_extended(reinterpret_cast<const unsigned char *>(bytes.data()), static_cast<int>(bytes.size()),
                             static_cast<uint64>(PG_GETARG_INT64(1)));
}

CRM_ENTRY(crm_period_date) {
    const auto at = datum<timestamp>::get(PG_GETARG_DATUM(0));
    const calendar &periods = open_calendar(fcinfo, calendar_argument(fcinfo, 1), at, at);
    return run<date>(fcinfo, [&] { return periods.period_start_date(periods.period_index(at)); });
}

CRM_ENTRY(crm_period_start) {
    const auto at = datum<timestamp>::get(PG_GETARG_DATUM(0));
    const calendar &periods = open_calendar(fcinfo, calendar_argument(fcinfo, 1), at, at);
    const timestamp start = guarded([&] { return periods.period_begin(periods.period_index(at)); });
    if (!is_finite(start))
        ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range"),
                        errdetail("The period begins before the first time that timestamptz can hold."),
                        errhint("Leave times as old as that out of the query.")));
    return datum<timestamp>::put(start);
}
