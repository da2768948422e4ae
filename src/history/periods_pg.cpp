// SQL face of the functions of a history that need a calendar.
#include "history/datum.hpp"

#include "bridge/zone.hpp"
#include "history/periods.hpp"

using namespace crm;
using namespace crm::bridge;

namespace {

const calendar &open_for(FunctionCallInfo fcinfo, const history::summary &of) {
    return open_calendar(fcinfo, calendar_argument(fcinfo, 1), of.first_entry, of.last_entry);
}

} // namespace

CRM_ENTRY(crm_history_cohort) {
    const auto h = datum<history::prefix>::get(PG_GETARG_DATUM(0));
    const history::summary summary = guarded([&] { return history::read_summary(h); });
    const calendar &periods = open_for(fcinfo, summary);
    return pack(fcinfo, guarded([&] { return history::cohort(summary, periods); }));
}

CRM_ENTRY(crm_history_per) {
    const auto h = datum<history::view>::get(PG_GETARG_DATUM(0));
    const history::summary summary = guarded([&] { return history::read_summary({h.bytes}); });
    const calendar &periods = open_for(fcinfo, summary);
    return run<byte_vector>(fcinfo, [&] {
        memory &here = current_memory();
        return history::per(here, h, periods);
    });
}
