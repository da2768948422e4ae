// How histories cross into SQL: for every slice that reads them.
#pragma once

#include "bridge/function.hpp"
#include "bridge/memory.hpp"
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

// The entries of a history, decoded once into the current memory context, which takes them back.
template <> struct datum<purchases> {
    static purchases get(Datum value) {
        const auto of = datum<history::view>::get(value);
        return guarded([&] {
            memory &here = current_memory();
            const auto *kept =
                new (here.allocate(sizeof(history::entries))) history::entries(history::decode(of, here));
            return purchases(*kept);
        });
    }
};

} // namespace crm::bridge
