// How sets cross into SQL.
#pragma once

#include "bridge/function.hpp"
#include "segment/idset.hpp"

namespace crm::bridge {

template <> struct datum<segment::idset> {
    static segment::idset get(Datum value) {
        return {bytes_of(reinterpret_cast<const struct varlena *>(PG_DETOAST_DATUM_PACKED(value)))};
    }
};

// Fetches no more than the first slice of a toasted set.
template <> struct datum<segment::idset_head> {
    static segment::idset_head get(Datum value) {
        return {
            bytes_of(reinterpret_cast<const struct varlena *>(PG_DETOAST_DATUM_SLICE(value, 0, segment::head_bytes)))};
    }
};

} // namespace crm::bridge

namespace crm::segment {

// A set that is asked again and again, row after row: where it is stored out of line, the call site fetches it once and
// keeps it, up to work_mem for each argument. A set in memory is read in place.
idset kept_argument(FunctionCallInfo fcinfo, int i);

} // namespace crm::segment
