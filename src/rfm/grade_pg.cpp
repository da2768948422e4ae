// crm.grade: NTILE without split ties, for any type that sorts.
#include "bridge/postgres.hpp"

extern "C" {
#include <catalog/pg_type.h>
#include <utils/datum.h>
#include <utils/tuplesort.h>
#include <utils/typcache.h>
#include <windowapi.h>
}

#include "bridge/function.hpp"
#include "rfm/rfm.hpp"

namespace {

// The least values of grades 2 to n of one partition; `reached` of them exist.
struct partition_cuts {
    bool known;
    int grades, reached;
    Datum least[crm::rfm::max_grades - 1];
};

struct sortable {
    Oid type, collation;
    TypeCacheEntry *cache;

    explicit sortable(FunctionCallInfo fcinfo)
        : type(get_fn_expr_argtype(fcinfo->flinfo, 0)), collation(PG_GET_COLLATION()),
          cache(lookup_type_cache(type, TYPECACHE_LT_OPR | TYPECACHE_CMP_PROC_FINFO)) {
        if (!OidIsValid(cache->lt_opr) || !OidIsValid(cache->cmp_proc))
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                            errmsg("values of type %s cannot be graded", format_type_be(type)),
                            errhint("Only types that sort have quantiles.")));
    }
    int compare(Datum a, Datum b) const {
        return DatumGetInt32(FunctionCall2Coll(&cache->cmp_proc_finfo, collation, a, b));
    }
};

Tuplesortstate *sort_partition(WindowObject window, const sortable &by, std::int64_t &values) {
    Tuplesortstate *sort =
        tuplesort_begin_datum(by.type, by.cache->lt_opr, by.collation, false, work_mem, nullptr, TUPLESORT_NONE);
    const std::int64_t rows = WinGetPartitionRowCount(window);
    values = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
        CHECK_FOR_INTERRUPTS();
        bool null, out;
        const Datum value =
            WinGetFuncArgInPartition(window, 0, static_cast<int>(row), WINDOW_SEEK_HEAD, false, &null, &out);
        if (!null) {
            tuplesort_putdatum(sort, value, false);
            ++values;
        }
    }
    tuplesort_performsort(sort);
    return sort;
}

bool next_value(Tuplesortstate *sort, Datum &value) {
    bool null;
#if PG_VERSION_NUM >= 160000
    return tuplesort_getdatum(sort, true, true, &value, &null, nullptr);
#else
    return tuplesort_getdatum(sort, true, &value, &null, nullptr);
#endif
}

// A value reaches grade g when at least (g-1)/n of the values are strictly less: the first of its equals decides.
void find_cuts(WindowObject window, const sortable &by, MemoryContext keeper, partition_cuts *cuts) {
    std::int64_t count;
    Tuplesortstate *sort = sort_partition(window, by, count);
    cuts->reached = 0;
    Datum value, previous = 0;
    for (std::int64_t less = 0; next_value(sort, value); ++less) {
        CHECK_FOR_INTERRUPTS();
        const bool first_of_equals = less == 0 || by.compare(value, previous) != 0;
        while (first_of_equals && cuts->reached < cuts->grades - 1 &&
               less * cuts->grades >= count * (cuts->reached + 1)) {
            const MemoryContext caller = MemoryContextSwitchTo(keeper);
            cuts->least[cuts->reached++] = datumCopy(value, by.cache->typbyval, by.cache->typlen);
            MemoryContextSwitchTo(caller);
        }
        if (less > 0 && !by.cache->typbyval)
            pfree(DatumGetPointer(previous));
        previous = value;
    }
    tuplesort_end(sort);
    cuts->known = true;
}

partition_cuts *cuts_of_partition(WindowObject window, const sortable &by) {
    auto *cuts = static_cast<partition_cuts *>(WinGetPartitionLocalMemory(window, sizeof(partition_cuts)));
    if (cuts->known)
        return cuts;
    bool null;
    const std::int32_t grades = DatumGetInt32(WinGetFuncArgCurrent(window, 1, &null));
    if (null)
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("number of grades must not be NULL")));
    crm::bridge::guarded([&] { crm::rfm::check_grades(grades); });
    cuts->grades = grades;
    find_cuts(window, by, GetMemoryChunkContext(cuts), cuts);
    return cuts;
}

} // namespace

CRM_ENTRY(crm_grade) {
    WindowObject window = PG_WINDOW_OBJECT();
    const sortable by(fcinfo);
    const partition_cuts *cuts = cuts_of_partition(window, by);
    bool null;
    const Datum value = WinGetFuncArgCurrent(window, 0, &null);
    if (null)
        PG_RETURN_NULL();
    int grade = 1;
    for (int i = 0; i < cuts->reached; ++i)
        grade += by.compare(value, cuts->least[i]) >= 0;
    PG_RETURN_INT32(grade);
}
