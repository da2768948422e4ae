#include "bridge/progress.hpp"

#include "bridge/postgres.hpp"

extern "C" {
#include <utils/backend_progress.h>
#include <utils/backend_status.h>
}

namespace crm::bridge {
namespace {

// Slots of COPY's progress that COPY leaves alone; bridge.sql reads the same numbers plus one.
constexpr int orders_slot = 10, customers_slot = 11, spilled_slot = 12, phase_slot = 13, mark_slot = 19;
constexpr std::int64_t mark = 0x63726D; // "crm"

} // namespace

void progress::start() {
    reporting_ = MyBEEntry != nullptr && MyBEEntry->st_progress_command == PROGRESS_COMMAND_INVALID;
    if (!reporting_)
        return;
    pgstat_progress_start_command(PROGRESS_COMMAND_COPY, InvalidOid);
    pgstat_progress_update_param(mark_slot, mark);
    enter(phase::reading);
}

void progress::enter(phase now) const {
    if (reporting_)
        pgstat_progress_update_param(phase_slot, static_cast<std::int64_t>(now));
}

void progress::orders_read(std::uint64_t orders, std::uint64_t spilled_bytes) const {
    if (!reporting_)
        return;
    pgstat_progress_update_param(orders_slot, static_cast<std::int64_t>(orders));
    pgstat_progress_update_param(spilled_slot, static_cast<std::int64_t>(spilled_bytes));
}

void progress::customers_done(std::uint64_t customers) const {
    if (reporting_)
        pgstat_progress_update_param(customers_slot, static_cast<std::int64_t>(customers));
}

void progress::finish() const {
    if (reporting_)
        pgstat_progress_end_command();
}

} // namespace crm::bridge
