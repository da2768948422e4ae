// SQL face of the history aggregates, and of the table function that makes all histories of a query.
#include "history/datum.hpp"

#include "bridge/orders.hpp"
#include "bridge/rows.hpp"
#include "bridge/state.hpp"
#include "history/state.hpp"

using namespace crm;
using namespace crm::bridge;

namespace {

template <class Amount> Datum accumulate(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
        return keep_state(fcinfo);
    const timestamp at = datum<timestamp>::get(PG_GETARG_DATUM(1));
    const decimal amount = amount_argument<Amount>(fcinfo, 2);
    return change_state(fcinfo, history::state_bytes(), [=](std::span<std::byte> state) {
        return history::append(state, {at, amount.minor}, amount.scale);
    });
}

} // namespace

CRM_ENTRY(crm_history_accumulate_numeric) { return accumulate<decimal>(fcinfo); }
CRM_ENTRY(crm_history_accumulate_bigint) { return accumulate<std::int64_t>(fcinfo); }
CRM_ENTRY(crm_history_accumulate_integer) { return accumulate<std::int32_t>(fcinfo); }

CRM_ENTRY(crm_history_accumulate_history) {
    if (PG_ARGISNULL(1))
        return keep_state(fcinfo);
    const history::view more = datum<history::view>::get(PG_GETARG_DATUM(1));
    return change_state(fcinfo, history::state_bytes(), [=](std::span<std::byte> state) {
        memory &here = current_memory();
        return history::append(state, more, here);
    });
}

CRM_ENTRY(crm_history_combine) { return merge_states(fcinfo, history::state_bytes(), history::append_state); }

CRM_ENTRY(crm_history_finish) {
    const byte_span state = flat_state::to_read(fcinfo, 0);
    return run<byte_vector>(fcinfo, [&] {
        memory &here = current_memory();
        return history::finish_state(here, state);
    });
}

CRM_ENTRY(crm_histories) {
    row_writer rows(fcinfo);
    order_pass *pass = read_orders(query_argument(fcinfo), rows.column_type(0));
    customer each;
    while (next_customer(pass, each))
        rows.write([&](Datum *values, bool *) {
            values[0] = customer_datum(pass, each);
            values[1] = run<byte_vector>(fcinfo, [&] {
                memory &here = current_memory();
                return history::encode_sorted(each.history, here);
            });
        });
    finish(pass);
    return 0;
}
