// Sets that call sites keep.
#include "segment/datum.hpp"

extern "C" {
#include <access/detoast.h>
}

namespace crm::segment {
namespace {

using stored_place = struct varatt_external;

struct kept_set {
    stored_place place;
    struct varlena *value;
};

// Those of one argument, the oldest replaced first.
struct kept_sets {
    static constexpr int most = 64;

    kept_set sets[most];
    int count, oldest, latest;
    std::size_t bytes;

    kept_set &by_age(int age) { return sets[(oldest + age) % most]; }
    bool is_latest(const stored_place &place) const {
        return count > 0 && std::memcmp(&sets[latest].place, &place, sizeof place) == 0;
    }
    bool find(const stored_place &place) {
        for (int age = 0; age < count && !is_latest(place); ++age)
            latest = (oldest + age) % most;
        return is_latest(place);
    }
    void drop_oldest() {
        bytes -= VARSIZE(by_age(0).value);
        pfree(by_age(0).value);
        oldest = (oldest + 1) % most;
        --count;
    }
    void keep(const stored_place &place, struct varlena *value) {
        while (count > 0 && (count == most || bytes + VARSIZE(value) > static_cast<std::size_t>(work_mem) * 1024))
            drop_oldest();
        latest = (oldest + count++) % most;
        sets[latest] = {place, value};
        bytes += VARSIZE(value);
    }
};

constexpr int most_arguments = 2;

kept_sets &sets_of(FmgrInfo *site, int argument) {
    if (site->fn_extra == nullptr)
        site->fn_extra = MemoryContextAllocZero(site->fn_mcxt, most_arguments * sizeof(kept_sets));
    return static_cast<kept_sets *>(site->fn_extra)[argument];
}

} // namespace

idset kept_argument(FunctionCallInfo fcinfo, int i) {
    const Datum value = PG_GETARG_DATUM(i);
    auto *stored = reinterpret_cast<struct varlena *>(DatumGetPointer(value));
    if (!VARATT_IS_EXTERNAL_ONDISK(stored))
        return bridge::datum<idset>::get(value);
    stored_place place;
    VARATT_EXTERNAL_GET_POINTER(place, stored);
    kept_sets &kept = sets_of(fcinfo->flinfo, i);
    if (!kept.find(place)) {
        const MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
        kept.keep(place, detoast_attr(stored));
        MemoryContextSwitchTo(caller);
    }
    return {bridge::bytes_of(kept.sets[kept.latest].value)};
}

} // namespace crm::segment
