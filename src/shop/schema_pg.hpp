// The schema of a shop says whose the shop is.
#pragma once

#include "bridge/postgres.hpp"

extern "C" {
#include <access/htup_details.h>
#include <catalog/pg_namespace.h>
#include <utils/syscache.h>
}

namespace crm::shop {

// Both are InvalidOid where there is no such schema.
struct schema {
    Oid id, owner;

    static schema named(NameData &name) { return found(SearchSysCache1(NAMESPACENAME, NameGetDatum(&name))); }
    static schema numbered(Oid id) { return found(SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(id))); }

  private:
    static schema found(HeapTuple tuple) {
        if (!HeapTupleIsValid(tuple))
            return {.id = InvalidOid, .owner = InvalidOid};
        const auto *row = reinterpret_cast<Form_pg_namespace>(GETSTRUCT(tuple));
        const schema entry{.id = row->oid, .owner = row->nspowner};
        ReleaseSysCache(tuple);
        return entry;
    }
};

} // namespace crm::shop
