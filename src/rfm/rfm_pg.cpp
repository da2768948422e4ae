// SQL face of the rfm slice: measures, bands, scores and the customer portfolio.
#include "rfm/datum.hpp"

#include "bridge/state.hpp"
#include "history/datum.hpp"
#include "rfm/cpm.hpp"
#include "rfm/map_pg.hpp"
#include "rfm/state.hpp"

extern "C" {
#include <libpq/pqformat.h>
}

using namespace crm;
using namespace crm::bridge;
using rfm::bands;
using rfm::measures;
using rfm::score;
using rfm::window;

namespace {

Datum return_measures(FunctionCallInfo fcinfo, const std::optional<measures> &found) {
    if (found)
        return rfm::measures_to_datum(fcinfo, *found);
    PG_RETURN_NULL();
}

} // namespace

CRM_ENTRY(crm_rfm) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    const auto h = datum<history::view>::get(PG_GETARG_DATUM(0));
    const window in = rfm::window_of(datum<timestamp>::get(PG_GETARG_DATUM(1)), rfm::span_argument(fcinfo, 2));
    return return_measures(fcinfo, guarded([&] {
                               memory &here = current_memory();
                               return rfm::measure(h, in, here);
                           }));
}

namespace {

template <class Amount> Datum accumulate(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
        return keep_state(fcinfo);
    const timestamp at = datum<timestamp>::get(PG_GETARG_DATUM(1));
    const decimal amount = amount_argument<Amount>(fcinfo, 2);
    const window in = rfm::window_of(datum<timestamp>::get(PG_GETARG_DATUM(3)), rfm::span_argument(fcinfo, 4));
    return change_state(fcinfo, rfm::running::state_bytes, [=](std::span<std::byte> state) {
        rfm::running customer = rfm::running::read(state, in);
        customer.add(at, amount);
        customer.write(state);
        return std::size_t{0};
    });
}

} // namespace

CRM_ENTRY(crm_rfm_accumulate_numeric) { return accumulate<decimal>(fcinfo); }
CRM_ENTRY(crm_rfm_accumulate_bigint) { return accumulate<std::int64_t>(fcinfo); }
CRM_ENTRY(crm_rfm_accumulate_integer) { return accumulate<std::int32_t>(fcinfo); }

CRM_ENTRY(crm_rfm_combine) { return merge_states(fcinfo, rfm::running::state_bytes, rfm::merge_running); }

CRM_ENTRY(crm_rfm_finish) {
    const byte_span state = flat_state::to_read(fcinfo, 0);
    return return_measures(fcinfo, guarded([&] { return rfm::running::read(state).finish(); }));
}

CRM_ENTRY(crm_rfm_bands) { return rfm::bands_to_datum(fcinfo, rfm::published_bands()); }

CRM_ENTRY(crm_rfm_quantiles_accumulate) {
    const auto of = PG_ARGISNULL(1) ? std::nullopt : rfm::measures_from_datum(PG_GETARG_DATUM(1));
    if (!of || PG_ARGISNULL(2))
        return keep_state(fcinfo);
    const int grades = PG_GETARG_INT32(2);
    return change_state(fcinfo, rfm::population_bytes(),
                        [=](std::span<std::byte> state) { return rfm::append(state, *of, grades); });
}

CRM_ENTRY(crm_rfm_quantiles_combine) { return merge_states(fcinfo, rfm::population_bytes(), rfm::append_population); }

CRM_ENTRY(crm_rfm_quantiles_finish) {
    const byte_span state = flat_state::to_read(fcinfo, 0);
    const auto found = guarded([&] {
        memory &here = current_memory();
        return rfm::quantile_bands(here, state);
    });
    if (found)
        return rfm::bands_to_datum(fcinfo, *found);
    PG_RETURN_NULL();
}

namespace {

// Bands hardly ever change from row to row, so the last ones are kept with the bytes that they came from.
struct known_bands {
    bands value;
    std::size_t size;
    char source[FLEXIBLE_ARRAY_MEMBER];
};

const bands &bands_argument(FunctionCallInfo fcinfo, int i) {
    HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(i);
    const std::size_t size = HeapTupleHeaderGetDatumLength(row);
    auto *known = static_cast<known_bands *>(fcinfo->flinfo->fn_extra);
    if (known == nullptr || known->size != size || std::memcmp(known->source, row, size) != 0) {
        const bands value = rfm::bands_from_datum(PG_GETARG_DATUM(i));
        if (known != nullptr)
            pfree(known);
        known = static_cast<known_bands *>(
            MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, offsetof(known_bands, source) + size));
        known->value = value;
        known->size = size;
        std::memcpy(known->source, row, size);
        fcinfo->flinfo->fn_extra = known;
    }
    return known->value;
}

} // namespace

CRM_ENTRY(crm_rfm_grade) {
    const auto of = rfm::measures_from_datum(PG_GETARG_DATUM(0));
    if (!of)
        PG_RETURN_NULL();
    return datum<score>::put(rfm::grade(*of, bands_argument(fcinfo, 1)));
}

CRM_ENTRY(crm_rfm_score_of_history) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3))
        PG_RETURN_NULL();
    const auto h = datum<history::view>::get(PG_GETARG_DATUM(0));
    const window in = rfm::window_of(datum<timestamp>::get(PG_GETARG_DATUM(1)), rfm::span_argument(fcinfo, 2));
    const bands &by = bands_argument(fcinfo, 3);
    const auto found = guarded([&] {
        memory &here = current_memory();
        const auto of = rfm::measure(h, in, here);
        return of ? std::optional(rfm::grade(*of, by)) : std::nullopt;
    });
    return pack(fcinfo, found);
}

namespace {

score checked_score(std::int64_t value, bool is_input, sqlstate state) {
    if (!is_input || !rfm::is_score(value))
        throw error(state, "invalid value for type crm.rfm_score", {},
                    "Write one digit from 1 to 9 for each of R, F and M: 543.");
    return {static_cast<std::int32_t>(value)};
}

} // namespace

CRM_FUNCTION(crm_rfm_score_in, [](cstring input) {
    int value = 0;
    const char *end = input.text.data() + input.text.size();
    const auto parsed = std::from_chars(input.text.data(), end, value);
    return checked_score(value, parsed.ptr == end && parsed.ec == std::errc{} && input.text.size() == 3,
                         invalid_text_representation);
})
CRM_FUNCTION(crm_rfm_score_out, [](memory &in, score of) { return text_buffer(short_text(of.rfm).c_str(), &in); })
CRM_ENTRY(crm_rfm_score_recv) {
    auto *message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
    const auto value = static_cast<std::int32_t>(pq_getmsgint(message, sizeof(std::int32_t)));
    return datum<score>::put(guarded([&] { return checked_score(value, true, invalid_binary_representation); }));
}
CRM_ENTRY(crm_rfm_score_send) {
    StringInfoData message;
    pq_begintypsend(&message);
    pq_sendint32(&message, static_cast<std::uint32_t>(PG_GETARG_INT32(0)));
    return PointerGetDatum(pq_endtypsend(&message));
}
CRM_FUNCTION(crm_rfm_score_make, [](std::int32_t r, std::int32_t f, std::int32_t m) {
    const auto is_digit = [](std::int32_t grade) { return grade >= 1 && grade <= rfm::max_grades; };
    return checked_score(std::int64_t{r} * 100 + std::int64_t{f} * 10 + m, is_digit(r) && is_digit(f) && is_digit(m),
                         invalid_parameter_value);
})
CRM_FUNCTION(crm_rfm_score_r, [](score of) { return static_cast<std::int16_t>(of.r()); })
CRM_FUNCTION(crm_rfm_score_f, [](score of) { return static_cast<std::int16_t>(of.f()); })
CRM_FUNCTION(crm_rfm_score_m, [](score of) { return static_cast<std::int16_t>(of.m()); })

namespace {

// The map of the last call, kept for the query in a memory context of its own.
struct known_map {
    MemoryContext memory;
    NameData name;
    const rfm::segment_map *map;
};

known_map *know_map(FunctionCallInfo fcinfo, const NameData &name) {
    MemoryContext memory = AllocSetContextCreateInternal(fcinfo->flinfo->fn_mcxt, "pg_crm map", ALLOCSET_SMALL_SIZES);
    const MemoryContext caller = MemoryContextSwitchTo(memory);
    auto *known = static_cast<known_map *>(palloc(sizeof(known_map)));
    *known = {memory, name, rfm::segment_map::load(NameStr(name))};
    MemoryContextSwitchTo(caller);
    return known;
}

const rfm::segment_map *map_argument(FunctionCallInfo fcinfo, int i) {
    const NameData &name = *PG_GETARG_NAME(i);
    auto *known = static_cast<known_map *>(fcinfo->flinfo->fn_extra);
    if (known == nullptr || strcmp(NameStr(known->name), NameStr(name)) != 0) {
        fcinfo->flinfo->fn_extra = know_map(fcinfo, name);
        if (known != nullptr)
            MemoryContextDelete(known->memory);
        known = static_cast<known_map *>(fcinfo->flinfo->fn_extra);
    }
    return known->map;
}

} // namespace

CRM_ENTRY(crm_rfm_segment) {
    const score of = datum<score>::get(PG_GETARG_DATUM(0));
    const rfm::segment_map *map = map_argument(fcinfo, 1);
    const int number = map->number_of(of);
    if (number >= 0)
        return map->name(number);
    map->check_score(of);
    PG_RETURN_NULL();
}

namespace {

Datum cpm_class_datum(FunctionCallInfo fcinfo, rfm::cpm_class of) {
    static constexpr const char *labels[] = {"first_time", "infant", "steady", "trend", "loyal"};
    const Oid enum_type = TupleDescAttr(result_row(fcinfo), 0)->atttypid;
    return DirectFunctionCall2(enum_in, CStringGetDatum(labels[static_cast<int>(of)]), ObjectIdGetDatum(enum_type));
}

} // namespace

CRM_ENTRY(crm_cpm) {
    const auto h = datum<history::view>::get(PG_GETARG_DATUM(0));
    const timestamp as_of = datum<timestamp>::get(PG_GETARG_DATUM(1));
    const rfm::cpm_limits limits{PG_GETARG_INT32(2), PG_GETARG_INT32(3), PG_GETARG_INT32(4),
                                 datum<decimal>::get(PG_GETARG_DATUM(5))};
    const auto found = guarded([&] {
        memory &here = current_memory();
        return rfm::portfolio(here, h, as_of, limits);
    });
    if (!found)
        PG_RETURN_NULL();
    const Datum fields[] = {cpm_class_datum(fcinfo, found->of), BoolGetDatum(found->active)};
    return make_row(fcinfo, fields);
}
