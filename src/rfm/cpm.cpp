#include "rfm/cpm.hpp"

#include "rfm/rfm.hpp"

#include "core/no_postgres.hpp"

namespace crm::rfm {
namespace {

void check(const cpm_limits &limits) {
    if (limits.lapsed_after < 0 || limits.infant_below < 0 || limits.loyal_from < limits.infant_below)
        throw error(invalid_parameter_value, "limits of the customer portfolio contradict each other",
                    short_text("lapsed_after is ", limits.lapsed_after, ", infant_below ", limits.infant_below,
                               ", loyal_from ", limits.loyal_from, "."),
                    "All are days of at least 0, and loyal_from is not below infant_below.");
}

} // namespace

std::optional<cpm> portfolio(memory &in, history::view of, timestamp as_of, const cpm_limits &limits) {
    check(limits);
    const history::entries all = history::decode(of, in);
    const auto lifetime = measure(all, {as_of, window::lifetime});
    if (!lifetime)
        return std::nullopt;
    const bool active = lifetime->recency < limits.lapsed_after;
    if (lifetime->frequency == 1)
        return cpm{cpm_class::first_time, active};
    const std::int32_t days =
        recency_days(history::read_summary({of.bytes}).first_purchase, history::last_purchase(all, as_of)->at);
    if (days < limits.infant_below)
        return cpm{cpm_class::infant, active};
    if (compare(lifetime->monetary, limits.revenue) < 0)
        return cpm{cpm_class::steady, active};
    return cpm{days < limits.loyal_from ? cpm_class::trend : cpm_class::loyal, active};
}

} // namespace crm::rfm
