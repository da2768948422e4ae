// What PostgreSQL asks of a loaded module: its magic block, its settings, its interrupts.
#include "bridge/settings.hpp"

#include "bridge/guard.hpp"
#include "core/interrupts.hpp"

extern "C" {
#include <utils/guc.h>

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(.name = "pg_crm", .version = CRM_VERSION);
#else
PG_MODULE_MAGIC;
#endif

PGDLLEXPORT void _PG_init(void);
}

namespace crm::bridge {
namespace {

int memory_kilobytes = -1;

void serve_interrupts() {
    call_postgres([] { CHECK_FOR_INTERRUPTS(); });
}

} // namespace

std::size_t memory_budget() {
    return memory_kilobytes < 0 ? get_hash_memory_limit() : static_cast<std::size_t>(memory_kilobytes) * 1024;
}

} // namespace crm::bridge

void _PG_init(void) {
    using namespace crm::bridge;
    crm::interrupts = {&InterruptPending, serve_interrupts};
    DefineCustomIntVariable("pg_crm.memory",
                            "Memory that one pass over orders may use before it spills to temporary files.",
                            "-1 takes work_mem times hash_mem_multiplier.", &memory_kilobytes, -1, -1, MAX_KILOBYTES,
                            PGC_USERSET, GUC_UNIT_KB, nullptr, nullptr, nullptr);
    MarkGUCPrefixReserved("pg_crm");
}
