// Lengths of time as arguments of this slice: without months, whose length depends on the date.
#pragma once

#include "bridge/datum.hpp"

namespace crm::repeat {

// Microseconds; nothing for NULL. 22023 for months and for less than nothing, 22008 for more than a time can be apart.
inline std::optional<std::int64_t> within_argument(FunctionCallInfo fcinfo, int i) {
    if (PG_ARGISNULL(i))
        return std::nullopt;
    const Interval *span = PG_GETARG_INTERVAL_P(i);
    std::int64_t length;
    const bool fits = !__builtin_mul_overflow(std::int64_t{span->day}, microseconds_per_day, &length) &&
                      !__builtin_add_overflow(length, span->time, &length);
    const char *problem = span->month != 0 ? "within must have no months or years"
                                           : (fits && length < 0 ? "within must not be negative" : nullptr);
    if (problem != nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", problem),
                        errdetail("It is %s.", DatumGetCString(DirectFunctionCall1(interval_out, PG_GETARG_DATUM(i)))),
                        errhint("Give days of 24 hours, such as interval '90 days'.")));
    if (!fits)
        ereport(ERROR, (errcode(ERRCODE_DATETIME_FIELD_OVERFLOW), errmsg("within is out of range"),
                        errhint("Give NULL for no limit.")));
    return length;
}

} // namespace crm::repeat
