// SQL face of the ladder of repeat purchases.
#include "repeat/repeat.hpp"

#include "bridge/hex.hpp"
#include "bridge/rows.hpp"
#include "bridge/split.hpp"
#include "bridge/state.hpp"
#include "history/datum.hpp"
#include "repeat/datum.hpp"

using namespace crm;
using namespace crm::bridge;

CRM_ENTRY(crm_repeats_in) { return value_from_text(fcinfo, repeat::validated); }
CRM_ENTRY(crm_repeats_out) { return value_to_text(fcinfo); }
CRM_ENTRY(crm_repeats_recv) { return value_from_binary(fcinfo, repeat::validated); }
CRM_ENTRY(crm_repeats_send) { return value_to_binary(fcinfo); }

CRM_ENTRY(crm_repeats_accumulate) {
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
        return keep_state(fcinfo);
    const auto of = datum<purchases>::get(PG_GETARG_DATUM(1));
    const auto as_of = datum<timestamp>::get(PG_GETARG_DATUM(2));
    return change_state(fcinfo, repeat::initial_bytes(),
                        [=](std::span<std::byte> state) { return repeat::count(state, of, as_of); });
}

CRM_ENTRY(crm_repeats_accumulate_repeats) { return merge_states(fcinfo, repeat::initial_bytes(), repeat::merge_list); }

CRM_ENTRY(crm_repeats_combine) { return merge_states(fcinfo, repeat::initial_bytes(), repeat::merge_state); }

CRM_ENTRY(crm_repeats_finish) {
    const flat_state state = flat_state::to_change(fcinfo, 0);
    return run_optional(fcinfo, [&] {
        memory &here = current_memory();
        return repeat::finish(state.bytes(), here);
    });
}

namespace {

std::optional<std::int32_t> within_days(FunctionCallInfo fcinfo, int i) {
    const auto within = repeat::within_argument(fcinfo, i);
    if (!within)
        return std::nullopt;
    if (*within % microseconds_per_day != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("within must be whole days"),
                        errdetail("It is %s.", DatumGetCString(DirectFunctionCall1(interval_out, PG_GETARG_DATUM(i)))),
                        errhint("Give days of 24 hours, such as interval '90 days', or NULL for no limit.")));
    return static_cast<std::int32_t>(std::min<std::int64_t>(*within / microseconds_per_day, repeat::most_days));
}

void write_rows(row_writer &rows, byte_span repeats, std::optional<std::int32_t> within, split_column split = {}) {
    auto *source = in_context<repeat::rows>::make(CurrentMemoryContext, "pg_crm repeat rows", repeats, within);
    repeat::row row;
    while (guarded([&] { return source->next(row); })) {
        rows.write([&](Datum *values, bool *nulls) {
            split.write(values, nulls);
            values[0] = Int32GetDatum(row.nth);
            values[1] = Int64GetDatum(row.customers);
            values[2] = Int64GetDatum(row.repeated);
            values[3] = Float8GetDatum(row.share(row.repeated));
            values[4] = Float8GetDatum(row.km_rate.value_or(0));
            values[5] = Float8GetDatum(row.km_se.value_or(0));
            nulls[4] = !row.km_rate;
            nulls[5] = !row.km_se;
            for (int i = 0; i < 3; ++i) {
                values[6 + i] = Int32GetDatum(row.quartiles[i].value_or(0));
                nulls[6 + i] = !row.quartiles[i];
            }
            values[9] = Float8GetDatum(row.share(row.waiting));
        });
    }
}

} // namespace

// Arguments: repeats, within.
CRM_ENTRY(crm_repeat_rows) {
    const auto within = within_days(fcinfo, 1);
    row_writer rows(fcinfo);
    if (!PG_ARGISNULL(0))
        write_rows(rows, flat_state::to_read(fcinfo, 0), within);
    return 0;
}

// Arguments: query, as_of, within.
CRM_ENTRY(crm_repeat_table) {
    const char *query = query_argument(fcinfo);
    if (PG_ARGISNULL(1))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("as_of must not be NULL"),
                        errhint("Leave it out to look from now.")));
    const auto as_of = datum<timestamp>::get(PG_GETARG_DATUM(1));
    const auto within = within_days(fcinfo, 2);
    row_writer rows(fcinfo);
    order_pass *pass = read_orders(query, InvalidOid, columns::with_split);
    const split_tables *counts = count_by_split(pass, repeat::initial_bytes(), repeat::finish,
                                                [=](const customer &each, std::span<std::byte> state, memory &) {
                                                    return repeat::count(state, each.history, as_of);
                                                });
    for (std::size_t split = 0; split < counts->size(); ++split)
        if (!(*counts)[split].empty())
            write_rows(rows, (*counts)[split], within, split_column(pass->splits.text_of(static_cast<tag>(split))));
    finish(pass);
    return 0;
}
