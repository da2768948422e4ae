// How the values of the rfm slice cross into SQL.
#pragma once

#include "bridge/composite.hpp"
#include "bridge/function.hpp"
#include "rfm/rfm.hpp"

namespace crm::rfm {

// The window (as_of - span, as_of]; all of the past without a span. 22023 for a span that is not positive.
window window_of(timestamp as_of, const Interval *span);
// NULL is no span.
inline const Interval *span_argument(FunctionCallInfo fcinfo, int i) {
    return PG_ARGISNULL(i) ? nullptr : PG_GETARG_INTERVAL_P(i);
}

// What comes in from SQL; nothing when a field is NULL.
std::optional<measures> measures_from_datum(Datum value);
Datum measures_to_datum(FunctionCallInfo fcinfo, const measures &value);

bands bands_from_datum(Datum value);
Datum bands_to_datum(FunctionCallInfo fcinfo, const bands &value);

} // namespace crm::rfm

namespace crm::bridge {

template <> struct datum<rfm::score> {
    static rfm::score get(Datum value) { return {DatumGetInt32(value)}; }
    static Datum put(rfm::score value) { return Int32GetDatum(value.rfm); }
};

} // namespace crm::bridge
