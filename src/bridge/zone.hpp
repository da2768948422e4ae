// Calendars as arguments of SQL functions, and their zones out of PostgreSQL's time zone database.
//
//     const calendar &periods = open_calendar(fcinfo, calendar_argument(fcinfo, 1), first, last);
//     periods.period_index(at) ...
#pragma once

#include "bridge/datum.hpp"
#include "core/calendar.hpp"

namespace crm::bridge {

template <> struct datum<calendar_name> { static calendar_name get(Datum value); };

// The same, still encoded.
inline byte_span calendar_argument(FunctionCallInfo fcinfo, int i) {
    return bytes_of(reinterpret_cast<const struct varlena *>(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(i))));
}

// The zone's name as PostgreSQL spells it. Raises 22023 unless it names the same zone on every server, either one of
// the time zone database or a fixed offset such as <+09>-09.
std::string_view canonical_zone(std::string_view name);
// The session's TimeZone as such a name.
std::string_view session_zone();

// The zone's offsets over a stretch of time, kept in the given context. Raises 22023 for an unknown zone.
zone_offsets read_zone(std::string_view zone, timestamp first, timestamp last, MemoryContext keep);

// A calendar for instants between first and last and the periods around them, for a table function.
calendar *make_calendar(const calendar_name &name, timestamp first, timestamp last, MemoryContext keep);

// The same for a function that is called for each row: the call site keeps its calendars, and widens their stretch.
const calendar &open_calendar(FunctionCallInfo fcinfo, byte_span encoded, timestamp first, timestamp last);
// For a call site that keeps other things too: the list is null at first, and dies with `parent`.
struct kept_calendar;
const calendar &open_calendar(kept_calendar *&list, MemoryContext parent, byte_span encoded, timestamp first,
                              timestamp last);

} // namespace crm::bridge
