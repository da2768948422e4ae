#pragma once

#include <cstddef>

namespace crm::bridge {

// Bytes that one pass may use, as the user set it: pg_crm.memory.
std::size_t memory_budget();

} // namespace crm::bridge
