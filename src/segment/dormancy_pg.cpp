// SQL face of dormancy and of signals.
#include "segment/dormancy.hpp"

#include "bridge/composite.hpp"
#include "bridge/state.hpp"
#include "history/datum.hpp"

using namespace crm;
using namespace crm::bridge;
using segment::direction;

namespace {

constexpr int most_reasons = 3;

// What is left of a dormancy when the core has gone.
struct packed_dormancy {
    std::int32_t purchases, gaps;
    double days_since;
    std::optional<double> typical_days, days_overdue, score;
    std::optional<segment::trend> gap_change;
    std::optional<direction> gap_direction;
    std::array<Datum, most_reasons> reasons;
    int reason_count;
};

packed_dormancy pack_reasons(const segment::dormancy &of) {
    packed_dormancy packed{of.purchases,
                           of.gaps,
                           of.days_since,
                           of.typical_days,
                           of.days_overdue,
                           of.score,
                           of.gap_change,
                           of.gap_direction,
                           {},
                           0};
    for (const text_buffer &reason : of.reasons)
        packed.reasons[static_cast<std::size_t>(packed.reason_count++)] =
            PointerGetDatum(allocate_varlena(std::as_bytes(std::span(reason.data(), reason.size()))));
    return packed;
}

// The fields of a row, one after the other.
template <int fields> class row_builder {
  public:
    void add(Datum value) { values_[next_++] = value; }
    void add_number(std::optional<double> value) {
        nulls_[next_] = !value;
        add(Float8GetDatum(value.value_or(0)));
    }
    void add_direction(std::optional<direction> value, const std::array<const char *, 3> &names) {
        nulls_[next_] = !value;
        add(value ? CStringGetTextDatum(names[static_cast<std::size_t>(*value)]) : Datum{0});
    }
    Datum row(FunctionCallInfo fcinfo) {
        Assert(next_ == fields);
        return HeapTupleGetDatum(heap_form_tuple(result_row(fcinfo), values_, nulls_));
    }

  private:
    Datum values_[fields] = {};
    bool nulls_[fields] = {};
    int next_ = 0;
};

std::optional<double> slope_of(const std::optional<segment::trend> &of) {
    return of ? std::optional(of->slope) : std::nullopt;
}
std::optional<double> p_value_of(const std::optional<segment::trend> &of) {
    return of ? std::optional(of->p_value) : std::nullopt;
}

Datum dormancy_row(FunctionCallInfo fcinfo, packed_dormancy packed) {
    row_builder<11> row;
    row.add(Int32GetDatum(packed.purchases));
    row.add_number(packed.days_since);
    row.add_number(packed.typical_days);
    row.add_number(packed.days_overdue);
    row.add(Int32GetDatum(packed.gaps));
    row.add_direction(packed.gap_direction, {"narrowing", "steady", "widening"});
    row.add_number(slope_of(packed.gap_change));
    row.add_number(p_value_of(packed.gap_change));
    row.add_number(std::nullopt); // p_alive: a model adds it
    row.add_number(packed.score);
    row.add(make_array(packed.reasons.data(), packed.reason_count, TEXTOID));
    return row.row(fcinfo);
}

} // namespace

// Arguments: history, as_of and, in the second form, typical days.
CRM_ENTRY(crm_dormancy) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    std::optional<double> typical_days;
    if (PG_NARGS() > 2 && !PG_ARGISNULL(2))
        typical_days = PG_GETARG_FLOAT8(2);
    const auto all = datum<purchases>::get(PG_GETARG_DATUM(0));
    const auto as_of = datum<timestamp>::get(PG_GETARG_DATUM(1));
    const auto found = guarded([&]() -> std::optional<packed_dormancy> {
        if (typical_days)
            segment::check_typical_days(*typical_days);
        const auto dormancy = segment::dormancy_of(current_memory(), all, as_of, typical_days);
        return dormancy ? std::optional(pack_reasons(*dormancy)) : std::nullopt;
    });
    if (!found)
        PG_RETURN_NULL();
    return dormancy_row(fcinfo, *found);
}

CRM_ENTRY(crm_signal_trend_accumulate) {
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
        return keep_state(fcinfo);
    const auto at = datum<timestamp>::get(PG_GETARG_DATUM(1));
    const double value = PG_GETARG_FLOAT8(2);
    return change_state(fcinfo, segment::signal_bytes(), [=](std::span<std::byte> state) {
        return segment::add_signal(state, at, value, current_memory());
    });
}

CRM_ENTRY(crm_signal_trend_combine) {
    return merge_states(fcinfo, segment::signal_bytes(), [](std::span<std::byte> state, byte_span other) {
        return segment::merge_signals(state, other, current_memory());
    });
}

CRM_ENTRY(crm_signal_trend_finish) {
    const byte_span state = flat_state::to_read(fcinfo, 0);
    const auto found = guarded([&] { return segment::summarize_signals(current_memory(), state); });
    if (!found)
        PG_RETURN_NULL();
    row_builder<6> row;
    row.add(Int32GetDatum(found->observations));
    row.add_number(found->usual);
    row.add_number(found->latest);
    row.add_direction(segment::direction_of(found->change, static_cast<std::size_t>(found->observations)),
                      {"falling", "steady", "rising"});
    row.add_number(slope_of(found->change));
    row.add_number(p_value_of(found->change));
    return row.row(fcinfo);
}
