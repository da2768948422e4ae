// A customer's purchases by the periods of a calendar, which must cover all entries of the history.
#pragma once

#include "core/calendar.hpp"
#include "history/history.hpp"

namespace crm::history {

// The first date of the period of the first purchase; nothing without purchases.
std::optional<date> cohort(const summary &of, const calendar &periods);

// Purchases of one period become one: at the time of the first of them, with the sum of their amounts. Runs of several
// days are counted from the date of the first purchase. Refunds stay as they are.
byte_vector per(memory &in, view of, const calendar &periods);

} // namespace crm::history
