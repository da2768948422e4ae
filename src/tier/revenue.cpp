#include "tier/revenue.hpp"

#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

#include <algorithm>

namespace crm::tier {
namespace {

decimal revenue_of(std::span<const purchase> entries, int scale) {
    amount_sum sum;
    interrupt_poll poll;
    for (const purchase &each : entries) {
        poll();
        sum.add(each.amount);
    }
    return {sum.minor(), scale};
}

} // namespace

period_revenue revenue_by_period(purchases all, const calendar &periods, timestamp as_of) {
    const std::int64_t running = periods.period_index(as_of);
    const auto first_from = [&](timestamp from) {
        return std::ranges::lower_bound(all.entries, from, {}, &purchase::at);
    };
    const auto begin = first_from(periods.period_begin(running - 1));
    const auto middle = first_from(periods.period_begin(running));
    const auto end = std::max(middle, first_from({as_of.us + 1}));
    return {revenue_of({begin, middle}, all.scale), revenue_of({middle, end}, all.scale)};
}

} // namespace crm::tier
