// SQL face of the model of subscriptions.
#include "lifetime/datum.hpp"

#include "bridge/state.hpp"

using namespace crm;
using namespace crm::bridge;
using namespace crm::lifetime;

CRM_ENTRY(crm_sbg_accumulate) {
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
        return keep_state(fcinfo);
    const std::int32_t renewals = PG_GETARG_INT32(1);
    const bool cancelled = PG_GETARG_BOOL(2);
    return change_state(fcinfo, initial_subscriptions_bytes(),
                        [=](std::span<std::byte> state) { return count_subscription(state, renewals, cancelled); });
}

CRM_ENTRY(crm_sbg_combine) { return merge_states(fcinfo, initial_subscriptions_bytes(), merge_subscriptions); }

CRM_ENTRY(crm_sbg_finish) {
    const byte_span state = flat_state::to_read(fcinfo, 0);
    struct result {
        fitted<sbg> model;
        std::int64_t cancelled;
    };
    const result found = guarded([&] {
        memory &here = current_memory();
        const subscriptions all(here, state);
        return result{fit(all), all.cancelled()};
    });
    return model_row<sbg>(fcinfo).fitted_from(found.model, {}, Int64GetDatum(found.cancelled));
}

// Arguments: model, n.
CRM_ENTRY(crm_sbg_survival) {
    const sbg model = model_value<sbg>::get(PG_GETARG_DATUM(0)).parameters;
    const std::int32_t renewals = PG_GETARG_INT32(1);
    if (renewals < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("number of renewals must not be negative"),
                        errdetail("It is %d.", renewals)));
    return Float8GetDatum(guarded([&] { return sbg_survival(model, renewals); }));
}

// Arguments: model, renewals, discount.
CRM_ENTRY(crm_sbg_lifetime) {
    const sbg model = model_value<sbg>::get(PG_GETARG_DATUM(0)).parameters;
    const std::int32_t renewals = PG_GETARG_INT32(1);
    const double discount = PG_GETARG_FLOAT8(2);
    return Float8GetDatum(guarded([&] { return sbg_lifetime(model, renewals, discount); }));
}
