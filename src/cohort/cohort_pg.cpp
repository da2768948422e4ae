// SQL face of the cohort slice.
#include "cohort/cohort.hpp"

#include "bridge/hex.hpp"
#include "bridge/rows.hpp"
#include "bridge/split.hpp"
#include "bridge/state.hpp"
#include "bridge/zone.hpp"
#include "history/datum.hpp"

extern "C" {
#include <utils/numeric.h>
}

using namespace crm;
using namespace crm::bridge;

CRM_ENTRY(crm_cohorts_in) { return value_from_text(fcinfo, cohort::validated); }
CRM_ENTRY(crm_cohorts_out) { return value_to_text(fcinfo); }
CRM_ENTRY(crm_cohorts_recv) { return value_from_binary(fcinfo, cohort::validated); }
CRM_ENTRY(crm_cohorts_send) { return value_to_binary(fcinfo); }

CRM_ENTRY(crm_cohorts_accumulate) {
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
        return keep_state(fcinfo);
    const auto of = datum<purchases>::get(PG_GETARG_DATUM(1));
    const cohort::terms with{datum<timestamp>::get(PG_GETARG_DATUM(3)), calendar_argument(fcinfo, 2)};
    if (of.entries.empty())
        return keep_state(fcinfo);
    const calendar &periods = open_calendar(fcinfo, with.calendar, of.entries.front().at, of.entries.back().at);
    return change_state(fcinfo, cohort::initial_bytes(), [=, &periods](std::span<std::byte> state) {
        return cohort::count(state, of, with, periods, current_memory());
    });
}

CRM_ENTRY(crm_cohorts_accumulate_cohorts) { return merge_states(fcinfo, cohort::initial_bytes(), cohort::merge_list); }

CRM_ENTRY(crm_cohorts_combine) { return merge_states(fcinfo, cohort::initial_bytes(), cohort::merge_state); }

CRM_ENTRY(crm_cohorts_finish) {
    const flat_state state = flat_state::to_change(fcinfo, 0);
    return run_optional(fcinfo, [&] {
        memory &here = current_memory();
        return cohort::finish(state.bytes(), here);
    });
}

namespace {

cohort::retention retention_argument(FunctionCallInfo fcinfo, int i) {
    const char *label = DatumGetCString(DirectFunctionCall1(enum_out, PG_GETARG_DATUM(i)));
    return strcmp(label, "on") == 0 ? cohort::retention::on : cohort::retention::on_or_after;
}

void write_rows(row_writer &rows, byte_span cohorts, const calendar &periods, cohort::retention kind,
                split_column split = {}) {
    auto *source = in_context<cohort::rows>::make(CurrentMemoryContext, "pg_crm cohort rows", cohorts, &periods, kind);
    cohort::row row;
    while (guarded([&] { return source->next(row); })) {
        rows.write([&](Datum *values, bool *nulls) {
            split.write(values, nulls);
            values[0] = datum<date>::put(row.cohort);
            values[1] = Int32GetDatum(row.age);
            values[2] = Int64GetDatum(row.customers);
            values[3] = Int64GetDatum(row.retained);
            values[4] = Float8GetDatum(row.rate());
            values[5] = Int64GetDatum(row.orders);
            values[6] = numeric_from_decimal(row.revenue);
            values[7] = numeric_from_decimal(row.cumulative_revenue);
            values[8] = DirectFunctionCall2(numeric_div, values[7], NumericGetDatum(int64_to_numeric(row.customers)));
            values[9] = BoolGetDatum(row.elapsed);
            nulls[4] = nulls[8] = !row.elapsed;
        });
    }
}

} // namespace

CRM_ENTRY(crm_cohort_rows) {
    const byte_span cohorts = flat_state::to_read(fcinfo, 0);
    const cohort::retention kind = retention_argument(fcinfo, 1);
    row_writer rows(fcinfo);
    const cohort::terms with = cohort::terms_of(cohorts);
    const auto stretch = guarded([&] { return cohort::stretch_of(cohorts); });
    const calendar *periods =
        make_calendar(*decode_calendar(with.calendar), stretch.first, stretch.last, CurrentMemoryContext);
    write_rows(rows, cohorts, *periods, kind);
    return 0;
}

// Arguments: query, calendar, as_of, retention.
CRM_ENTRY(crm_cohort_table) {
    const char *query = query_argument(fcinfo);
    for (int i = 1; i < 4; ++i)
        if (PG_ARGISNULL(i))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("calendar, as_of and retention must not be NULL")));
    const auto name = datum<calendar_name>::get(PG_GETARG_DATUM(1));
    const cohort::terms with{datum<timestamp>::get(PG_GETARG_DATUM(2)), calendar_argument(fcinfo, 1)};
    const cohort::retention kind = retention_argument(fcinfo, 3);
    row_writer rows(fcinfo);
    order_pass *pass = read_orders(query, InvalidOid, columns::with_split);
    const timestamp first = std::min(pass->book.first(), with.as_of);
    const calendar *periods = make_calendar(name, first, std::max(pass->book.last(), with.as_of), pass->context);

    const split_tables *counts = count_by_split(pass, cohort::initial_bytes(), cohort::finish,
                                                [&](const customer &each, std::span<std::byte> state, memory &in) {
                                                    return cohort::count(state, each.history, with, *periods, in);
                                                });
    for (std::size_t split = 0; split < counts->size(); ++split)
        if (!(*counts)[split].empty())
            write_rows(rows, (*counts)[split], *periods, kind,
                       split_column(pass->splits.text_of(static_cast<tag>(split))));
    finish(pass);
    return 0;
}
