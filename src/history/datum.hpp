// How histories cross into SQL: for every slice that reads them.
#pragma once

#include "bridge/function.hpp"
#include "history/history.hpp"

namespace crm::bridge {

template <> struct datum<history::view> {
    static history::view get(Datum value) {
        return {bytes_of(reinterpret_cast<const struct varlena *>(PG_DETOAST_DATUM_PACKED(value)))};
    }
};

// Fetches no more than the first slice of a toasted history.
template <> struct datum<history::prefix> {
    static history::prefix get(Datum value) {
        const auto *stored = reinterpret_cast<const struct varlena *>(DatumGetPointer(value));
        const bool in_place = !VARATT_IS_EXTERNAL(stored) && !VARATT_IS_COMPRESSED(stored);
        const auto *front = in_place ? stored
                                     : reinterpret_cast<const struct varlena *>(
                                           PG_DETOAST_DATUM_SLICE(value, 0, history::max_summary_bytes));
        return {bytes_of(front)};
    }
};

} // namespace crm::bridge
