// SQL face of the models as values: made from numbers.
#include "lifetime/datum.hpp"

using namespace crm;
using namespace crm::bridge;

namespace crm::lifetime {

local_span look_ahead(timestamp from, const Interval *length, const calendar &days, const char *name) {
    const std::int64_t begin = from.us + days.zone().offset_at(from);
    const auto end = DatumGetTimestamp(
        DirectFunctionCall2(timestamp_pl_interval, TimestampGetDatum(begin), IntervalPGetDatum(length)));
    if (TIMESTAMP_NOT_FINITE(end))
        ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("%s must be finite", name)));
    if (end < begin)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be negative", name),
                 errdetail("It is %s.", DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(length)))),
                 errhint("Give how far to look ahead, such as interval '1 year'.")));
    return {begin, end};
}

double checked_discount(double yearly) {
    if (!(yearly >= 0) || std::isinf(yearly))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("discount must be finite and not negative"),
                        errdetail("The yearly discount is %g.", yearly), errhint("Write ten percent a year as 0.10.")));
    return yearly;
}

} // namespace crm::lifetime

using namespace crm::lifetime;

namespace {

// Arguments: the parameters, then the calendar where the model has one.
template <class Model> Datum make_model(FunctionCallInfo fcinfo) {
    parameter_array<Model> numbers;
    for (std::size_t i = 0; i < numbers.size(); ++i)
        numbers[i] = PG_GETARG_FLOAT8(i);
    const auto parameters = from_array<Model>(numbers);
    guarded([&] { check_parameters(parameters); });
    byte_span calendar;
    if constexpr (has_calendar<Model>)
        calendar = model_calendar::get(PG_GETARG_DATUM(numbers.size())).bytes;
    return model_row<Model>(fcinfo).made_of(parameters, calendar);
}

} // namespace

CRM_ENTRY(crm_bgnbd) { return make_model<bgnbd>(fcinfo); }
CRM_ENTRY(crm_mbgnbd) { return make_model<mbgnbd>(fcinfo); }
CRM_ENTRY(crm_pareto_nbd) { return make_model<pareto_nbd>(fcinfo); }
CRM_ENTRY(crm_gamma_gamma) { return make_model<gamma_gamma>(fcinfo); }
CRM_ENTRY(crm_sbg) { return make_model<sbg>(fcinfo); }
