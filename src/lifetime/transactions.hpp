// What the models see of a customer: how often and until when they bought, and what their orders were worth.
//
// Both are read off calendar days in a zone. Orders of one local day are one order of their sum. Refunds are no orders
// and lower no amount; an amount of zero is an order. What lies after as_of does not exist. Ages are differences of day
// numbers, so nothing depends on the hour, and a unit of a week only divides them by 7.
#pragma once

#include "core/calendar.hpp"
#include "history/history.hpp"

#include <optional>

namespace crm::lifetime {

// How many days the models' unit of time has: 1 for a day, 7 for a week; 22023 for every other period.
double days_per_unit(calendar_period period);

// The x, t_x and T of the literature, in units.
struct purchases_seen {
    std::int64_t repeats = 0; // days with an order after the first such day
    double last = 0;          // from the first to the last such day
    double age = 0;           // from the first such day to that of as_of
};

// The repeat orders with their mean amount, in the currency of the history. The first order is left out, as in Fader
// and Hardie's papers: it is often unlike those that follow. Without repeat orders the mean is 0.
struct spending_seen {
    std::int64_t orders = 0;
    double mean = 0;
};

struct customer_seen {
    purchases_seen purchases;
    spending_seen spending;
};

// Nothing for a customer without an order by then. The calendar must cover the purchases and as_of; of its period only
// the days of a unit matter, which days_per_unit gave.
std::optional<customer_seen> see(purchases all, timestamp as_of, const calendar &days, double days_per_unit,
                                 memory &scratch);
// The same for a stored history, most of which hold one purchase and need no decoding.
std::optional<customer_seen> see(const history::summary &all, history::view of, timestamp as_of, const calendar &days,
                                 double days_per_unit, memory &scratch);

} // namespace crm::lifetime
