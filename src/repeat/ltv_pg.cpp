// SQL face of lifetime value.
#include "repeat/ltv.hpp"

#include "bridge/composite.hpp"
#include "bridge/state.hpp"
#include "history/datum.hpp"

extern "C" {
#include <utils/numeric.h>
}

using namespace crm;
using namespace crm::bridge;
using repeat::ltv;

namespace {

// Histories that end before as_of say all in their summary.
repeat::lived lived_by(Datum h, timestamp as_of) {
    const auto front = datum<history::prefix>::get(h);
    if (const auto summed = guarded([&] { return repeat::lived_by(history::read_summary(front), as_of); }))
        return *summed;
    const auto all = datum<purchases>::get(h);
    return guarded([&] { return repeat::lived_by(all, as_of); });
}

} // namespace

CRM_ENTRY(crm_ltv_accumulate) {
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
        return keep_state(fcinfo);
    const auto as_of = datum<timestamp>::get(PG_GETARG_DATUM(2));
    const repeat::lived one = lived_by(PG_GETARG_DATUM(1), as_of);
    return change_state(fcinfo, ltv::state_bytes, [=](std::span<std::byte> state) {
        ltv all = ltv::read(state, as_of);
        all.add(one);
        all.write(state);
        return std::size_t{0};
    });
}

CRM_ENTRY(crm_ltv_combine) { return merge_states(fcinfo, ltv::state_bytes, repeat::merge_ltv); }

CRM_ENTRY(crm_ltv_finish) {
    const byte_span state = flat_state::to_read(fcinfo, 0);
    struct totals {
        std::int64_t customers, orders;
        decimal revenue;
        double years;
    };
    const totals all = guarded([&] {
        const ltv found = ltv::read(state);
        return totals{found.customers, found.orders, found.total_revenue(), found.customer_years()};
    });
    if (all.customers == 0)
        PG_RETURN_NULL();
    const Datum revenue = numeric_from_decimal(all.revenue);
    const auto revenue_by = [&](std::int64_t count) {
        return DirectFunctionCall2(numeric_div, revenue, NumericGetDatum(int64_to_numeric(count)));
    };
    Datum values[] = {Int64GetDatum(all.customers),
                      Int64GetDatum(all.orders),
                      revenue,
                      Float8GetDatum(all.years),
                      revenue_by(all.orders),
                      Float8GetDatum(static_cast<double>(all.orders) / (all.years > 0 ? all.years : 1)),
                      Float8GetDatum(all.years / static_cast<double>(all.customers)),
                      revenue_by(all.customers)};
    bool nulls[std::size(values)] = {};
    nulls[5] = all.years == 0;
    return HeapTupleGetDatum(heap_form_tuple(result_row(fcinfo), values, nulls));
}
