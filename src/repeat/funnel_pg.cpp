// SQL face of funnels.
#include "repeat/funnel.hpp"

#include "bridge/function.hpp"
#include "bridge/orders.hpp"
#include "bridge/rows.hpp"
#include "bridge/state.hpp"
#include "repeat/datum.hpp"

using namespace crm;
using namespace crm::bridge;

// Arguments: state, at, step, within.
CRM_ENTRY(crm_funnel_accumulate) {
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
        return keep_state(fcinfo);
    const auto at = datum<timestamp>::get(PG_GETARG_DATUM(1));
    const std::int32_t step = PG_GETARG_INT32(2);
    const std::int64_t within = repeat::within_argument(fcinfo, 3).value_or(repeat::funnel::no_limit);
    return change_state(fcinfo, repeat::funnel_bytes(),
                        [=](std::span<std::byte> state) { return repeat::append_event(state, at, step, within); });
}

CRM_ENTRY(crm_funnel_combine) { return merge_states(fcinfo, repeat::funnel_bytes(), repeat::append_events); }

CRM_ENTRY(crm_funnel_finish) {
    const byte_span state = flat_state::to_read(fcinfo, 0);
    const auto furthest = guarded([&] {
        memory &here = current_memory();
        return repeat::furthest_step(here, state);
    });
    return pack(fcinfo, furthest);
}

// Arguments: query, within.
CRM_ENTRY(crm_funnel_rows) {
    const char *query = query_argument(fcinfo);
    repeat::funnel_counts counts(repeat::within_argument(fcinfo, 1).value_or(repeat::funnel::no_limit));
    row_writer rows(fcinfo);
    order_pass *pass = read_orders(query, InvalidOid);
    customer each;
    while (next_customer(pass, each))
        guarded([&] { counts.add(each.history); });
    finish(pass);
    for (std::int32_t step = 1; step <= counts.steps(); ++step)
        rows.write([&](Datum *values, bool *nulls) {
            const auto share_of = [&](std::int64_t customers, int column) {
                nulls[column] = customers == 0;
                values[column] = Float8GetDatum(
                    nulls[column] ? 0 : static_cast<double>(counts.customers(step)) / static_cast<double>(customers));
            };
            values[0] = Int32GetDatum(step);
            values[1] = Int64GetDatum(counts.customers(step));
            share_of(step == 1 ? 0 : counts.customers(step - 1), 2);
            share_of(counts.customers(1), 3);
        });
    return 0;
}
