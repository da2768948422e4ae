#include "rfm/datum.hpp"

namespace crm::rfm {

using namespace crm::bridge;

window window_of(timestamp as_of, const Interval *span) {
    if (span == nullptr)
        return {as_of, window::lifetime};
    const Datum start =
        DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(as_of.us), IntervalPGetDatum(span));
    const window found{as_of, finite_timestamp(DatumGetTimestampTz(start))};
    if (found.since >= found.as_of)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("span must be positive"),
                        errdetail("The span is %s.",
                                  DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(span)))),
                        errhint("Give a span such as interval '1 year', or NULL for the lifetime.")));
    return found;
}

std::optional<measures> measures_from_datum(Datum value) {
    const auto fields = row_fields<3>::get(value);
    if (fields.any_null())
        return std::nullopt;
    return measures{DatumGetInt32(fields.values[0]), DatumGetInt32(fields.values[1]),
                    decimal_from_numeric(fields.values[2])};
}

Datum measures_to_datum(FunctionCallInfo fcinfo, const measures &value) {
    const Datum fields[] = {Int32GetDatum(value.recency), Int32GetDatum(value.frequency),
                            numeric_from_decimal(value.monetary)};
    return make_row(fcinfo, fields);
}

bands bands_from_datum(Datum value) {
    const auto fields = row_fields<3>::get(value);
    if (fields.any_null())
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("cut points of bands must not be NULL")));
    using cut_points = short_array<max_grades - 1>;
    const auto recency = cut_points::get(fields.values[0], INT4OID, "recency of bands");
    const auto frequency = cut_points::get(fields.values[1], INT4OID, "frequency of bands");
    const auto monetary = cut_points::get(fields.values[2], NUMERICOID, "monetary of bands");
    if (recency.count != frequency.count || recency.count != monetary.count)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("bands must have as many cut points for each measure"),
                        errdetail("They have %d for recency, %d for frequency and %d for monetary.", recency.count,
                                  frequency.count, monetary.count)));
    bands found{.cuts = recency.count};
    for (std::size_t i = 0; i < static_cast<std::size_t>(found.cuts); ++i) {
        found.recency[i] = DatumGetInt32(recency.elements[i]);
        found.frequency[i] = DatumGetInt32(frequency.elements[i]);
        found.monetary[i] = decimal_from_numeric(monetary.elements[i]);
    }
    guarded([&] { check(found); });
    return found;
}

Datum bands_to_datum(FunctionCallInfo fcinfo, const bands &value) {
    Datum recency[max_grades], frequency[max_grades], monetary[max_grades];
    for (std::size_t i = 0; i < static_cast<std::size_t>(value.cuts); ++i) {
        recency[i] = Int32GetDatum(value.recency[i]);
        frequency[i] = Int32GetDatum(value.frequency[i]);
        monetary[i] = numeric_from_decimal(value.monetary[i]);
    }
    const Datum fields[] = {make_array(recency, value.cuts, INT4OID), make_array(frequency, value.cuts, INT4OID),
                            make_array(monetary, value.cuts, NUMERICOID)};
    return make_row(fcinfo, fields);
}

} // namespace crm::rfm
