// SQL face of survival and of renewals.
#include "repeat/survival.hpp"

#include "bridge/hex.hpp"
#include "bridge/rows.hpp"
#include "bridge/state.hpp"

using namespace crm;
using namespace crm::bridge;

CRM_ENTRY(crm_survival_in) { return value_from_text(fcinfo, repeat::validated_survival); }
CRM_ENTRY(crm_survival_out) { return value_to_text(fcinfo); }
CRM_ENTRY(crm_survival_recv) { return value_from_binary(fcinfo, repeat::validated_survival); }
CRM_ENTRY(crm_survival_send) { return value_to_binary(fcinfo); }

CRM_ENTRY(crm_survival_accumulate) {
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
        return keep_state(fcinfo);
    const double duration = PG_GETARG_FLOAT8(1);
    const bool event = PG_GETARG_BOOL(2);
    return change_state(fcinfo, repeat::initial_survival_bytes(),
                        [=](std::span<std::byte> state) { return repeat::count_survival(state, duration, event); });
}

CRM_ENTRY(crm_renewal_hazard_accumulate) {
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
        return keep_state(fcinfo);
    const std::int32_t deliveries = PG_GETARG_INT32(1);
    const bool cancelled = PG_GETARG_BOOL(2);
    return change_state(fcinfo, repeat::initial_survival_bytes(), [=](std::span<std::byte> state) {
        return repeat::count_subscription(state, deliveries, cancelled);
    });
}

CRM_ENTRY(crm_survival_accumulate_survival) {
    return merge_states(fcinfo, repeat::initial_survival_bytes(), repeat::merge_survival);
}

CRM_ENTRY(crm_survival_combine) {
    return merge_states(fcinfo, repeat::initial_survival_bytes(), repeat::merge_survival_state);
}

CRM_ENTRY(crm_survival_finish) {
    const flat_state state = flat_state::to_change(fcinfo, 0);
    return run_optional(fcinfo, [&] {
        memory &here = current_memory();
        return repeat::finish_survival(state.bytes(), here);
    });
}

// Arguments: survival, confidence.
CRM_ENTRY(crm_survival_rows) {
    row_writer rows(fcinfo);
    auto *source = in_context<repeat::survival_rows>::make(CurrentMemoryContext, "pg_crm survival rows",
                                                           flat_state::to_read(fcinfo, 0), PG_GETARG_FLOAT8(1));
    repeat::survival_row row;
    while (guarded([&] { return source->next(row); })) {
        rows.write([&](Datum *values, bool *nulls) {
            values[0] = Float8GetDatum(row.at);
            values[1] = Int64GetDatum(row.at_risk);
            values[2] = Int64GetDatum(row.events);
            values[3] = Float8GetDatum(row.survival);
            const std::optional<double> uncertain[] = {row.se, row.lower, row.upper};
            for (int i = 0; i < 3; ++i) {
                values[4 + i] = Float8GetDatum(uncertain[i].value_or(0));
                nulls[4 + i] = !uncertain[i];
            }
            values[7] = Float8GetDatum(row.hazard());
        });
    }
    return 0;
}

CRM_ENTRY(crm_survival_median) {
    const byte_span survival = flat_state::to_read(fcinfo, 0);
    const auto median = guarded([&] {
        memory &here = current_memory();
        return repeat::survival_median(here, survival);
    });
    if (!median)
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8(*median);
}

namespace {

struct renewals {
    renewals(memory &in, byte_span survival, std::int32_t riskiest)
        : rows(repeat::renewal_rows(in, survival, riskiest)) {}
    std::pmr::vector<repeat::renewal_row> rows;
};

} // namespace

// Arguments: survival, number of the riskiest.
CRM_ENTRY(crm_renewal_rows) {
    row_writer rows(fcinfo);
    const auto *source = in_context<renewals>::make(CurrentMemoryContext, "pg_crm renewal rows",
                                                    flat_state::to_read(fcinfo, 0), PG_GETARG_INT32(1));
    for (const repeat::renewal_row &row : source->rows) {
        rows.write([&](Datum *values, bool *) {
            values[0] = Int32GetDatum(row.delivery);
            values[1] = Int64GetDatum(row.at_risk);
            values[2] = Int64GetDatum(row.cancelled);
            values[3] = Float8GetDatum(row.hazard());
            values[4] = Float8GetDatum(row.survival);
            values[5] = BoolGetDatum(row.riskiest);
        });
    }
    return 0;
}
