// SQL face of tiers.
#include "bridge/composite.hpp"
#include "bridge/function.hpp"
#include "bridge/numeric.hpp"
#include "bridge/zone.hpp"
#include "history/datum.hpp"
#include "tier/revenue.hpp"

extern "C" {
#include <utils/numeric.h>
}

using namespace crm;
using namespace crm::bridge;

namespace {

constexpr std::size_t most_tiers = 64;

// Ladders hardly ever change from row to row, so the last one is kept with the bytes that it came from.
struct known_ladder {
    std::size_t count;
    std::array<Datum, most_tiers> names, thresholds; // in the source
    bool begins_at_zero;                             // or below: then everybody has the lowest tier at least
    std::size_t size;
    HeapTupleHeader source;
};

// What a call site keeps.
struct tier_site {
    TupleDesc result;
    known_ladder *ladder;
    kept_calendar *calendars;
};

tier_site &site_of(FunctionCallInfo fcinfo) {
    FmgrInfo *call = fcinfo->flinfo;
    if (call->fn_extra == nullptr) {
        TupleDesc result;
        if (get_call_result_type(fcinfo, nullptr, &result) != TYPEFUNC_COMPOSITE)
            elog(ERROR, "crm.tier must return a row");
        const MemoryContext caller = MemoryContextSwitchTo(call->fn_mcxt);
        auto *site = static_cast<tier_site *>(palloc0(sizeof(tier_site)));
        site->result = BlessTupleDesc(CreateTupleDescCopy(result));
        call->fn_extra = site;
        MemoryContextSwitchTo(caller);
    }
    return *static_cast<tier_site *>(call->fn_extra);
}

[[noreturn]] void raise_invalid_ladder(const char *problem, const char *found) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid tier ladder"),
                    errdetail("%s: %s.", problem, found),
                    errhint("Give the tiers from the lowest to the highest, each with the amount it begins at: "
                            "crm.tier_ladder('{bronze,gold}', '{0,100000}').")));
    pg_unreachable();
}

const char *text_of_number(Datum number) { return DatumGetCString(DirectFunctionCall1(numeric_out, number)); }
bool is_finite(Datum number) {
    return !numeric_is_nan(DatumGetNumeric(number)) && !numeric_is_inf(DatumGetNumeric(number));
}
bool is_less(Datum a, Datum b) { return DatumGetBool(DirectFunctionCall2(numeric_lt, a, b)); }

known_ladder read_ladder(Datum row) {
    const auto fields = row_fields<3>::get(row);
    if (fields.nulls[0] || fields.nulls[1])
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("invalid tier ladder"),
                        errdetail("Its names or its thresholds are NULL.")));
    const auto names = short_array<most_tiers>::get(fields.values[0], TEXTOID, "names of a tier ladder");
    const auto thresholds = short_array<most_tiers>::get(fields.values[1], NUMERICOID, "thresholds of a tier ladder");
    if (names.count != thresholds.count)
        raise_invalid_ladder("Names and thresholds differ in number",
                             psprintf("%d and %d", names.count, thresholds.count));
    if (!fields.nulls[2])
        if (const auto labels = short_array<most_tiers>::get(fields.values[2], TEXTOID, "labels of a tier ladder");
            labels.count != names.count)
            raise_invalid_ladder("Names and labels differ in number", psprintf("%d and %d", names.count, labels.count));
    const auto count = static_cast<std::size_t>(names.count);
    for (std::size_t i = 0; i < count; ++i) {
        if (datum<std::string_view>::get(names.elements[i]).empty())
            raise_invalid_ladder("A name is empty, that of tier", psprintf("%zu", i + 1));
        if (!is_finite(thresholds.elements[i]))
            raise_invalid_ladder("A threshold is not finite", text_of_number(thresholds.elements[i]));
        if (i > 0 && !is_less(thresholds.elements[i - 1], thresholds.elements[i]))
            raise_invalid_ladder("A threshold is not above the one before", text_of_number(thresholds.elements[i]));
        for (std::size_t j = 0; j < i; ++j)
            if (datum<std::string_view>::get(names.elements[i]) == datum<std::string_view>::get(names.elements[j]))
                raise_invalid_ladder("A name is used twice", TextDatumGetCString(names.elements[i]));
    }
    const Datum zero = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
    return {count, names.elements, thresholds.elements, !is_less(zero, thresholds.elements[0]), 0, nullptr};
}

const known_ladder &ladder_argument(FunctionCallInfo fcinfo, int i) {
    HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(i);
    const std::size_t size = HeapTupleHeaderGetDatumLength(row);
    tier_site &site = site_of(fcinfo);
    known_ladder *known = site.ladder;
    if (known != nullptr && known->size == size && std::memcmp(known->source, row, size) == 0)
        return *known;
    MemoryContext keep =
        AllocSetContextCreateInternal(fcinfo->flinfo->fn_mcxt, "pg_crm tier ladder", ALLOCSET_SMALL_SIZES);
    const MemoryContext caller = MemoryContextSwitchTo(keep);
    auto *source = static_cast<HeapTupleHeader>(palloc(size));
    std::memcpy(source, row, size);
    auto *read = static_cast<known_ladder *>(palloc(sizeof(known_ladder)));
    *read = read_ladder(HeapTupleHeaderGetDatum(source));
    read->size = size;
    read->source = source;
    MemoryContextSwitchTo(caller);
    site.ladder = read;
    if (known != nullptr)
        MemoryContextDelete(GetMemoryChunkContext(known));
    return *read;
}

// How many tiers have been reached.
std::size_t tiers_reached(const known_ladder &ladder, Datum amount) {
    std::size_t reached = ladder.count;
    while (reached > 0 && is_less(amount, ladder.thresholds[reached - 1]))
        --reached;
    return std::max(reached, static_cast<std::size_t>(ladder.begins_at_zero));
}

// The tier that so many steps reach, and what the amount lacks to the one above.
Datum make_tier(FunctionCallInfo fcinfo, const known_ladder &ladder, std::size_t reached, Datum amount) {
    const bool is_highest = reached == ladder.count;
    Datum values[] = {reached == 0 ? Datum{0} : ladder.names[reached - 1],
                      is_highest ? Datum{0} : ladder.names[reached],
                      is_highest ? Datum{0} : DirectFunctionCall2(numeric_sub, ladder.thresholds[reached], amount)};
    bool nulls[] = {reached == 0, is_highest, is_highest};
    return HeapTupleGetDatum(heap_form_tuple(site_of(fcinfo).result, values, nulls));
}

} // namespace

// Arguments: amount, ladder.
CRM_ENTRY(crm_tier) {
    const Datum amount = PG_GETARG_DATUM(0);
    if (!is_finite(amount))
        ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("amount must be a finite number")));
    const known_ladder &ladder = ladder_argument(fcinfo, 1);
    return make_tier(fcinfo, ladder, tiers_reached(ladder, amount), amount);
}

// Arguments: history, period, as_of, ladder.
CRM_ENTRY(crm_tier_by_period) {
    const auto all = datum<purchases>::get(PG_GETARG_DATUM(0));
    const auto as_of = datum<timestamp>::get(PG_GETARG_DATUM(2));
    const known_ladder &ladder = ladder_argument(fcinfo, 3);
    const calendar &periods =
        open_calendar(site_of(fcinfo).calendars, fcinfo->flinfo->fn_mcxt, calendar_argument(fcinfo, 1), as_of, as_of);
    const auto revenue = guarded([&] { return tier::revenue_by_period(all, periods, as_of); });
    const Datum running = numeric_from_decimal(revenue.running);
    const std::size_t reached =
        std::max(tiers_reached(ladder, numeric_from_decimal(revenue.last)), tiers_reached(ladder, running));
    return make_tier(fcinfo, ladder, reached, running);
}
