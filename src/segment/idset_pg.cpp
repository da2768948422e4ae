// SQL face of crm.idset: the type, its operators, aggregates and probes.
#include "segment/datum.hpp"

#include "bridge/hex.hpp"
#include "bridge/ordering.hpp"
#include "bridge/state.hpp"
#include "segment/idset_state.hpp"

extern "C" {
#include <utils/array.h>
}

using namespace crm;
using namespace crm::bridge;
using segment::idset;
using segment::idset_head;
using segment::set_operation;

CRM_FUNCTION(crm_idset_in, [](memory &in, cstring text) { return segment::from_text(in, text.text); })
CRM_FUNCTION(crm_idset_out, segment::to_text)
CRM_ENTRY(crm_idset_recv) { return value_from_binary(fcinfo, segment::validated); }
CRM_ENTRY(crm_idset_send) { return value_to_binary(fcinfo); }
CRM_BYTE_ORDER(crm_idset)

CRM_ENTRY(crm_idset_from_array) {
    ArrayType *array = PG_GETARG_ARRAYTYPE_P(0);
    if (array_contains_nulls(array))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("ids of a set must not be NULL"),
                        errhint("Take them out with array_remove(ids, NULL).")));
    const auto *ids = reinterpret_cast<const std::int64_t *>(ARR_DATA_PTR(array));
    const auto count = static_cast<std::size_t>(ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)));
    return run<byte_vector>(fcinfo, [&] {
        memory &here = current_memory();
        std::pmr::vector<std::int64_t> all(ids, ids + count, &here);
        return segment::encode(all, here);
    });
}

CRM_FUNCTION(crm_idset_to_array, [](memory &in, idset of) {
    check_array_size(segment::cardinality({of.bytes}));
    return segment::ids_of(in, of);
})
CRM_FUNCTION(crm_idset_range, segment::range)
CRM_FUNCTION(crm_idset_cardinality, [](idset_head of) { return static_cast<std::int64_t>(segment::cardinality(of)); })

CRM_FUNCTION(crm_idset_unite,
             [](memory &in, idset a, idset b) { return segment::combine(in, set_operation::unite, a, b); })
CRM_FUNCTION(crm_idset_intersect,
             [](memory &in, idset a, idset b) { return segment::combine(in, set_operation::intersect, a, b); })
CRM_FUNCTION(crm_idset_subtract,
             [](memory &in, idset a, idset b) { return segment::combine(in, set_operation::subtract, a, b); })
CRM_FUNCTION(crm_idset_differ,
             [](memory &in, idset a, idset b) { return segment::combine(in, set_operation::differ, a, b); })

// What is asked row after row, of sets that hardly ever change.

CRM_ENTRY(crm_idset_contains_id) {
    const idset in = segment::kept_argument(fcinfo, 0);
    const std::int64_t id = PG_GETARG_INT64(1);
    return BoolGetDatum(guarded([=] { return segment::contains(in, id); }));
}

CRM_ENTRY(crm_idset_has_id) {
    const std::int64_t id = PG_GETARG_INT64(0);
    const idset in = segment::kept_argument(fcinfo, 1);
    return BoolGetDatum(guarded([=] { return segment::contains(in, id); }));
}

CRM_ENTRY(crm_idset_contains) {
    const idset all = segment::kept_argument(fcinfo, 0), part = segment::kept_argument(fcinfo, 1);
    return BoolGetDatum(guarded([=] { return segment::is_subset(part, all); }));
}

CRM_ENTRY(crm_idset_contained) {
    const idset part = segment::kept_argument(fcinfo, 0), all = segment::kept_argument(fcinfo, 1);
    return BoolGetDatum(guarded([=] { return segment::is_subset(part, all); }));
}

CRM_ENTRY(crm_idset_overlaps) {
    const idset a = segment::kept_argument(fcinfo, 0), b = segment::kept_argument(fcinfo, 1);
    return BoolGetDatum(guarded([=] { return segment::common_ids(a, b, 1) > 0; }));
}

CRM_ENTRY(crm_idset_intersection_cardinality) {
    const idset a = segment::kept_argument(fcinfo, 0), b = segment::kept_argument(fcinfo, 1);
    return UInt64GetDatum(guarded([=] { return segment::common_ids(a, b); }));
}

CRM_ENTRY(crm_idset_jaccard) {
    const idset a = segment::kept_argument(fcinfo, 0), b = segment::kept_argument(fcinfo, 1);
    const auto share = guarded([=] { return segment::jaccard(a, b); });
    if (share)
        PG_RETURN_FLOAT8(*share);
    PG_RETURN_NULL();
}

namespace {

// One id for each call, so that a LIMIT ends the work.
Datum next_member(FunctionCallInfo fcinfo, std::int64_t first, std::int64_t last) {
    using segment::member_cursor;
    static_assert(std::is_trivially_destructible_v<member_cursor>);
    if (SRF_IS_FIRSTCALL()) {
        FuncCallContext *begun = SRF_FIRSTCALL_INIT();
        const MemoryContext caller = MemoryContextSwitchTo(begun->multi_call_memory_ctx);
        const idset of{bytes_of(reinterpret_cast<const struct varlena *>(PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0))))};
        begun->user_fctx = palloc(sizeof(member_cursor));
        guarded([&] { new (begun->user_fctx) member_cursor(of, first, last); });
        MemoryContextSwitchTo(caller);
    }
    FuncCallContext *call = SRF_PERCALL_SETUP();
    auto *members = static_cast<member_cursor *>(call->user_fctx);
    std::int64_t id = 0;
    if (guarded([&] { return members->next(id); }))
        SRF_RETURN_NEXT(call, Int64GetDatum(id));
    SRF_RETURN_DONE(call);
}

} // namespace

CRM_ENTRY(crm_idset_members) { return next_member(fcinfo, segment::lowest_id, segment::highest_id); }
CRM_ENTRY(crm_idset_members_between) { return next_member(fcinfo, PG_GETARG_INT64(1), PG_GETARG_INT64(2)); }

CRM_ENTRY(crm_idset_accumulate) {
    if (PG_ARGISNULL(1))
        return keep_state(fcinfo);
    const std::int64_t id = PG_GETARG_INT64(1);
    return change_state(fcinfo, segment::state_bytes(),
                        [=](std::span<std::byte> state) { return segment::add_id(state, id, current_memory()); });
}

CRM_ENTRY(crm_idset_accumulate_set) {
    if (PG_ARGISNULL(1))
        return keep_state(fcinfo);
    const auto more = datum<idset>::get(PG_GETARG_DATUM(1));
    return change_state(fcinfo, segment::state_bytes(),
                        [=](std::span<std::byte> state) { return segment::add_set(state, more, current_memory()); });
}

CRM_ENTRY(crm_idset_combine) {
    return merge_states(fcinfo, segment::state_bytes(), [](std::span<std::byte> state, byte_span other) {
        return segment::add_state(state, other, current_memory());
    });
}

CRM_ENTRY(crm_idset_finish) {
    const byte_span state = flat_state::to_read(fcinfo, 0);
    return run<byte_vector>(fcinfo, [&] { return segment::finish_state(current_memory(), state); });
}

CRM_ENTRY(crm_idset_common_accumulate) {
    if (PG_ARGISNULL(1))
        return keep_state(fcinfo);
    const auto with = datum<idset>::get(PG_GETARG_DATUM(1));
    return change_state(fcinfo, sizeof(flat_head) + with.bytes.size(), [=](std::span<std::byte> state) {
        return segment::keep_common(state, with, current_memory());
    });
}

CRM_ENTRY(crm_idset_common_combine) {
    if (PG_ARGISNULL(1))
        return keep_state(fcinfo);
    const byte_span other = flat_state::to_read(fcinfo, 1);
    return change_state(fcinfo, other.size(), [=](std::span<std::byte> state) {
        return segment::keep_common_state(state, other, current_memory());
    });
}

CRM_ENTRY(crm_idset_common_finish) {
    const byte_span state = flat_state::to_read(fcinfo, 0);
    return run<byte_vector>(fcinfo, [&] { return segment::finish_common(current_memory(), state); });
}
