#include "lifetime/holdout.hpp"

#include "core/no_postgres.hpp"

namespace crm::lifetime {

void holdout_check::count(purchases all, const purchases_seen &seen) {
    check_cell &alike = by_repeats_[cell_of(static_cast<double>(seen.repeats))];
    ++alike.customers;
    date last{std::numeric_limits<std::int32_t>::min()};
    interrupt_poll poll;
    for (const purchase &entry : all.entries) {
        poll();
        const date day = days_.local_date(entry.at);
        if (entry.is_refund() || day <= last || entry.at > over_.end)
            continue;
        last = day;
        if (entry.at <= over_.calibration_end)
            continue;
        const std::int64_t week = std::max<std::int64_t>(local(entry.at) - begin_ - 1, 0) / (7 * microseconds_per_day);
        ++by_week_[std::min(static_cast<std::size_t>(week), by_week_.size() - 1)].actual;
        ++alike.actual;
    }
}

check_cell holdout_check::total() const {
    check_cell sum;
    for (const check_cell &each : by_repeats_)
        sum += each;
    return sum;
}

} // namespace crm::lifetime
