// What tiers that hold for a calendar period are measured by.
#pragma once

#include "core/calendar.hpp"
#include "core/decimal.hpp"

namespace crm::tier {

// Purchases less refunds, each at its own time.
struct period_revenue {
    decimal last;    // of the last full period before the one that as_of lies in
    decimal running; // of the latter, up to as_of
};

// The calendar must cover as_of.
period_revenue revenue_by_period(purchases all, const calendar &periods, timestamp as_of);

} // namespace crm::tier
