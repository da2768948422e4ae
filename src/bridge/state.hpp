// Aggregate states as flat bytes in a bytea: they travel to parallel workers and other servers as they are.
#pragma once

#include "bridge/datum.hpp"

namespace crm::bridge {

class flat_state {
  public:
    static flat_state make(std::size_t bytes) {
        auto *value = static_cast<struct varlena *>(palloc0(bytes + VARHDRSZ));
        SET_VARSIZE(value, bytes + VARHDRSZ);
        return flat_state(value);
    }
    // An argument to be changed in place: inside an aggregate the state itself, elsewhere a copy.
    static flat_state to_change(FunctionCallInfo fcinfo, int i) {
        const Datum value = PG_GETARG_DATUM(i);
        return flat_state(reinterpret_cast<struct varlena *>(
            AggCheckCallContext(fcinfo, nullptr) != 0 ? PG_DETOAST_DATUM(value) : PG_DETOAST_DATUM_COPY(value)));
    }
    static byte_span to_read(FunctionCallInfo fcinfo, int i) {
        return bytes_of(reinterpret_cast<const struct varlena *>(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(i))));
    }

    std::span<std::byte> bytes() const {
        return {reinterpret_cast<std::byte *>(VARDATA(value_)), VARSIZE(value_) - VARHDRSZ};
    }
    // A larger copy, so that states grow geometrically. Raises 54000 when a state cannot grow any more.
    flat_state grown(std::size_t at_least) const {
        const std::size_t limit = MaxAllocSize - VARHDRSZ;
        if (at_least > limit)
            ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("aggregate state is too large"),
                            errdetail("It would take %zu bytes; less than 1 GB is possible.", at_least),
                            errhint("Aggregate fewer rows at once.")));
        flat_state larger = make(std::min(std::max(at_least, 2 * bytes().size()), limit));
        std::ranges::copy(bytes(), larger.bytes().begin());
        return larger;
    }
    Datum datum() const { return PointerGetDatum(value_); }

  private:
    explicit flat_state(struct varlena *value) : value_(value) {}

    struct varlena *value_;
};

// Aggregates without any row yet have a NULL state.
inline Datum keep_state(FunctionCallInfo fcinfo) {
    fcinfo->isnull = PG_ARGISNULL(0);
    return fcinfo->isnull ? Datum{0} : PG_GETARG_DATUM(0);
}

// Applies a change that first says how many bytes the state must have: change(std::span<std::byte>) -> bytes needed,
// larger than the state when nothing has been changed yet.
template <class Change> Datum change_state(FunctionCallInfo fcinfo, std::size_t initial_bytes, Change change) {
    flat_state state = PG_ARGISNULL(0) ? flat_state::make(initial_bytes) : flat_state::to_change(fcinfo, 0);
    const std::size_t needed = guarded([&] { return change(state.bytes()); });
    if (needed > state.bytes().size()) {
        state = state.grown(needed);
        guarded([&] { return change(state.bytes()); });
    }
    return state.datum();
}

// What combine functions do: merge(std::span<std::byte> state, byte_span other) -> bytes needed, as change_state has
// it.
template <class Merge> Datum merge_states(FunctionCallInfo fcinfo, std::size_t initial_bytes, Merge merge) {
    if (PG_ARGISNULL(1))
        return keep_state(fcinfo);
    const byte_span other = flat_state::to_read(fcinfo, 1);
    return change_state(fcinfo, initial_bytes, [=](std::span<std::byte> state) { return merge(state, other); });
}

} // namespace crm::bridge
