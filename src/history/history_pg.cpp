// SQL face of crm.history: the type, its operators and accessors.
#include "history/datum.hpp"

#include "bridge/hex.hpp"
#include "bridge/ordering.hpp"
#include "bridge/rows.hpp"

extern "C" {
#include <libpq/pqformat.h>
#include <utils/rangetypes.h>
#include <utils/typcache.h>
}

using namespace crm;
using namespace crm::bridge;
using history::prefix;
using history::view;

CRM_FUNCTION(crm_history_in, [](memory &in, cstring text) { return history::from_text(text.text, in); })
CRM_FUNCTION(crm_history_out, [](memory &in, view h) { return history::to_text(h, in); })

// Reads the value as strictly as text: only what pg_crm would write is taken.
CRM_ENTRY(crm_history_recv) { return value_from_binary(fcinfo, history::validated); }

CRM_ENTRY(crm_history_send) {
    const view h = datum<view>::get(PG_GETARG_DATUM(0));
    StringInfoData message;
    pq_begintypsend(&message);
    pq_sendbytes(&message, reinterpret_cast<const char *>(h.bytes.data()), static_cast<int>(h.bytes.size()));
    return PointerGetDatum(pq_endtypsend(&message));
}

// Equal histories are equal bytes.
CRM_BYTE_ORDER(crm_history)

CRM_FUNCTION(crm_history_merge, history::merge)
CRM_FUNCTION(crm_history_subtract, history::subtract)
CRM_FUNCTION(crm_history_add, history::add)
CRM_FUNCTION(crm_history_until, [](memory &in, view h, timestamp as_of) { return history::until(in, h, as_of); })

namespace {

// The first instant at a bound, or after it; bounds may be infinite by value too.
timestamp first_from(Datum bound, bool after) {
    const TimestampTz at = DatumGetTimestampTz(bound);
    if (TIMESTAMP_NOT_FINITE(at))
        return TIMESTAMP_IS_NOBEGIN(at) ? earliest_timestamp : end_of_timestamps;
    return {at + after};
}

} // namespace

CRM_ENTRY(crm_history_within) {
    const view h = datum<view>::get(PG_GETARG_DATUM(0));
    RangeType *range = PG_GETARG_RANGE_P(1);
    RangeBound lower, upper;
    bool empty;
    range_deserialize(lookup_type_cache(RangeTypeGetOid(range), TYPECACHE_RANGE_INFO), range, &lower, &upper, &empty);
    const timestamp from = empty || lower.infinite ? earliest_timestamp : first_from(lower.val, !lower.inclusive);
    const timestamp before =
        empty ? from : (upper.infinite ? end_of_timestamps : first_from(upper.val, upper.inclusive));
    return run<byte_vector>(fcinfo, [&] {
        memory &here = current_memory();
        return history::within(here, h, from, std::max(from, before));
    });
}

CRM_FUNCTION(crm_history_orders, [](prefix h) { return static_cast<std::int32_t>(history::read_summary(h).orders()); })
CRM_FUNCTION(crm_history_revenue, [](prefix h) { return history::read_summary(h).revenue; })
CRM_FUNCTION(crm_history_refunded, [](prefix h) { return history::read_summary(h).refunded; })
CRM_FUNCTION(crm_history_intervals, history::intervals)

namespace {

std::optional<timestamp> first_order(prefix h) {
    const history::summary summary = history::read_summary(h);
    return summary.orders() > 0 ? std::optional(summary.first_purchase) : std::nullopt;
}

std::optional<timestamp> last_order(prefix h) {
    const history::summary summary = history::read_summary(h);
    return summary.orders() > 0 ? std::optional(summary.last_purchase) : std::nullopt;
}

} // namespace

CRM_FUNCTION(crm_history_first_order, first_order)
CRM_FUNCTION(crm_history_last_order, last_order)
CRM_FUNCTION(crm_history_recency, history::recency)
CRM_FUNCTION(crm_history_tenure, [](prefix h, timestamp as_of) -> std::optional<duration> {
    const auto first = first_order(h);
    return first && *first <= as_of ? std::optional(elapsed(*first, as_of)) : std::nullopt;
})

CRM_ENTRY(crm_history_purchases) {
    const auto all = datum<purchases>::get(PG_GETARG_DATUM(0));
    row_writer rows(fcinfo);
    for (const purchase &entry : all.entries) {
        rows.write([&](Datum *values, bool *) {
            values[0] = datum<timestamp>::put(entry.at);
            values[1] = datum<decimal>::put({entry.amount, all.scale});
        });
    }
    return 0;
}
