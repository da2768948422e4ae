// Running a query that a user gave as text, its rows pushed into a receiver: no cursor, no second copy.
#pragma once

#include "bridge/postgres.hpp"

extern "C" {
#include <nodes/parsenodes.h>
#include <tcop/dest.h>
}

namespace crm::bridge {

// Runs one SELECT in the caller's snapshot with the caller's rights. 22023 for anything but one plain SELECT; errors of
// the query itself point into its text.
void run_select(const char *query, DestReceiver *to);

// Plans and starts an analyzed SELECT without running it: raises what the caller's rights, or calls of its constant
// parts, would raise.
void try_select(Query *analyzed, const char *text);

// For error context callbacks: where the error has a position, it becomes one in this text, which is not the statement
// that the client sent. Says whether it has one.
bool point_into(const char *text);

} // namespace crm::bridge
