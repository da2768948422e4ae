// SQL face of tiers.
#include "bridge/composite.hpp"
#include "bridge/function.hpp"

extern "C" {
#include <utils/numeric.h>
}

using namespace crm;
using namespace crm::bridge;

namespace {

constexpr std::size_t most_tiers = 64;

// Ladders hardly ever change from row to row, so the last one is kept with the bytes that it came from.
struct known_ladder {
    int count;
    std::array<Datum, most_tiers> names, thresholds; // in the source
    std::size_t size;
    HeapTupleHeader source;
    TupleDesc result;
};

[[noreturn]] void raise_invalid_ladder(const char *problem, const char *found) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid tier ladder"),
                    errdetail("%s: %s.", problem, found),
                    errhint("Give the tiers from the lowest to the highest, each with the amount it begins at: "
                            "ROW('{bronze,gold}', '{0,100000}')::crm.tier_ladder.")));
    pg_unreachable();
}

const char *text_of_number(Datum number) { return DatumGetCString(DirectFunctionCall1(numeric_out, number)); }
bool is_finite(Datum number) {
    return !numeric_is_nan(DatumGetNumeric(number)) && !numeric_is_inf(DatumGetNumeric(number));
}
bool is_less(Datum a, Datum b) { return DatumGetBool(DirectFunctionCall2(numeric_lt, a, b)); }

known_ladder read_ladder(Datum row) {
    const auto fields = row_fields<2>::get(row);
    if (fields.any_null())
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("invalid tier ladder"),
                        errdetail("Its names or its thresholds are NULL.")));
    const auto names = short_array<most_tiers>::get(fields.values[0], TEXTOID, "names of a tier ladder");
    const auto thresholds = short_array<most_tiers>::get(fields.values[1], NUMERICOID, "thresholds of a tier ladder");
    if (names.count != thresholds.count)
        raise_invalid_ladder("Names and thresholds differ in number",
                             psprintf("%d and %d", names.count, thresholds.count));
    for (std::size_t i = 0; i < static_cast<std::size_t>(names.count); ++i) {
        if (!is_finite(thresholds.elements[i]))
            raise_invalid_ladder("A threshold is not finite", text_of_number(thresholds.elements[i]));
        if (i > 0 && !is_less(thresholds.elements[i - 1], thresholds.elements[i]))
            raise_invalid_ladder("A threshold is not above the one before", text_of_number(thresholds.elements[i]));
        for (std::size_t j = 0; j < i; ++j)
            if (datum<std::string_view>::get(names.elements[i]) == datum<std::string_view>::get(names.elements[j]))
                raise_invalid_ladder("A name is used twice", TextDatumGetCString(names.elements[i]));
    }
    return {names.count, names.elements, thresholds.elements, 0, nullptr, nullptr};
}

const known_ladder &ladder_argument(FunctionCallInfo fcinfo, int i) {
    HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(i);
    const std::size_t size = HeapTupleHeaderGetDatumLength(row);
    auto *known = static_cast<known_ladder *>(fcinfo->flinfo->fn_extra);
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
    if (get_call_result_type(fcinfo, nullptr, &read->result) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "crm.tier must return a row");
    read->result = BlessTupleDesc(CreateTupleDescCopy(read->result));
    MemoryContextSwitchTo(caller);
    fcinfo->flinfo->fn_extra = read;
    if (known != nullptr)
        MemoryContextDelete(GetMemoryChunkContext(known));
    return *read;
}

} // namespace

// Arguments: amount, ladder.
CRM_ENTRY(crm_tier) {
    const Datum amount = PG_GETARG_DATUM(0);
    if (!is_finite(amount))
        ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("amount must be a finite number")));
    const known_ladder &ladder = ladder_argument(fcinfo, 1);
    auto next = static_cast<std::size_t>(ladder.count);
    while (next > 0 && is_less(amount, ladder.thresholds[next - 1]))
        --next;
    const bool is_highest = next == static_cast<std::size_t>(ladder.count);
    Datum values[] = {next == 0 ? Datum{0} : ladder.names[next - 1], is_highest ? Datum{0} : ladder.names[next],
                      is_highest ? Datum{0} : DirectFunctionCall2(numeric_sub, ladder.thresholds[next], amount)};
    bool nulls[] = {next == 0, is_highest, is_highest};
    return HeapTupleGetDatum(heap_form_tuple(ladder.result, values, nulls));
}
