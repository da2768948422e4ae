// Running a query that a user gave as text, its rows pushed into a receiver: no cursor, no second copy.
#pragma once

#include "bridge/postgres.hpp"

extern "C" {
#include <tcop/dest.h>
}

namespace crm::bridge {

// Runs one SELECT in the caller's snapshot with the caller's rights. 22023 for anything but one plain SELECT; errors of
// the query itself point into its text.
void run_select(const char *query, DestReceiver *to);

} // namespace crm::bridge
