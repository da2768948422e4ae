// Comparing and hashing values whose equality is that of their bytes.
#pragma once

#include "bridge/datum.hpp"

extern "C" {
#include <common/hashfn.h>
}

namespace crm::bridge {

inline byte_span bytes_argument(FunctionCallInfo fcinfo, int i) {
    return bytes_of(reinterpret_cast<const struct varlena *>(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(i))));
}

// Below, at or above zero.
inline int compare_bytes(FunctionCallInfo fcinfo) {
    const byte_span a = bytes_argument(fcinfo, 0), b = bytes_argument(fcinfo, 1);
    const int order = std::memcmp(a.data(), b.data(), std::min(a.size(), b.size()));
    return order != 0 ? order : static_cast<int>(a.size() > b.size()) - static_cast<int>(a.size() < b.size());
}

inline Datum hash_bytes(FunctionCallInfo fcinfo) {
    const byte_span of = bytes_argument(fcinfo, 0);
    return hash_any(reinterpret_cast<const unsigned char *>(of.data()), static_cast<int>(of.size()));
}

inline Datum hash_bytes_extended(FunctionCallInfo fcinfo) {
    const byte_span of = bytes_argument(fcinfo, 0);
    return hash_any_extended(reinterpret_cast<const unsigned char *>(of.data()), static_cast<int>(of.size()),
                             static_cast<uint64>(PG_GETARG_INT64(1)));
}

} // namespace crm::bridge

// Entry points name_eq, name_ne, name_lt, name_le, name_gt, name_ge, name_cmp, name_hash and name_hash_extended.
#define CRM_BYTE_ORDER(name)                                                                                           \
    CRM_ENTRY(name##_eq) { return BoolGetDatum(crm::bridge::compare_bytes(fcinfo) == 0); }                             \
    CRM_ENTRY(name##_ne) { return BoolGetDatum(crm::bridge::compare_bytes(fcinfo) != 0); }                             \
    CRM_ENTRY(name##_lt) { return BoolGetDatum(crm::bridge::compare_bytes(fcinfo) < 0); }                              \
    CRM_ENTRY(name##_le) { return BoolGetDatum(crm::bridge::compare_bytes(fcinfo) <= 0); }                             \
    CRM_ENTRY(name##_gt) { return BoolGetDatum(crm::bridge::compare_bytes(fcinfo) > 0); }                              \
    CRM_ENTRY(name##_ge) { return BoolGetDatum(crm::bridge::compare_bytes(fcinfo) >= 0); }                             \
    CRM_ENTRY(name##_cmp) {                                                                                            \
        const int order = crm::bridge::compare_bytes(fcinfo);                                                          \
        return Int32GetDatum((order > 0) - (order < 0));                                                               \
    }                                                                                                                  \
    CRM_ENTRY(name##_hash) { return crm::bridge::hash_bytes(fcinfo); }                                                 \
    CRM_ENTRY(name##_hash_extended) { return crm::bridge::hash_bytes_extended(fcinfo); }
