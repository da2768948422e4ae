// Walking PostgreSQL's expression trees: its walkers take a callback whose declared type depends on the version.
#pragma once

#include "bridge/postgres.hpp"

extern "C" {
#include <nodes/nodeFuncs.h>
}

namespace crm::bridge {

#if PG_VERSION_NUM < 160000
using tree_walker_callback = bool (*)();

inline tree_walker_callback as_walker(bool (*walker)(Node *, void *)) {
    return reinterpret_cast<tree_walker_callback>(reinterpret_cast<void (*)()>(walker));
}
#else
inline tree_walker_callback as_walker(tree_walker_callback walker) { return walker; }
#endif

} // namespace crm::bridge
