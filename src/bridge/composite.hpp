// Composite values (rows) as arguments and results.
#pragma once

#include "bridge/datum.hpp"

extern "C" {
#include <access/htup_details.h>
#include <utils/lsyscache.h>
#include <utils/typcache.h>
}

namespace crm::bridge {

// The fields of a composite argument, by their place from 0.
template <int fields> struct row_fields {
    Datum values[fields];
    bool nulls[fields];

    // Raises 42804 when the row has another number of fields.
    static row_fields get(Datum row) {
        HeapTupleHeader header = DatumGetHeapTupleHeader(row);
        TupleDesc type = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
        const int found_fields = type->natts;
        row_fields found;
        if (found_fields == fields) {
            HeapTupleData tuple{};
            tuple.t_len = HeapTupleHeaderGetDatumLength(header);
            tuple.t_data = header;
            heap_deform_tuple(&tuple, type, found.values, found.nulls);
        }
        ReleaseTupleDesc(type);
        if (found_fields != fields)
            ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                            errmsg("composite value has %d fields, not %d", found_fields, fields)));
        return found;
    }
    bool any_null() const { return std::ranges::any_of(nulls, std::identity()); }
};

// The shape of the call's composite result, looked up once per call site.
inline TupleDesc result_row(FunctionCallInfo fcinfo) {
    FmgrInfo *site = fcinfo->flinfo;
    if (site->fn_extra == nullptr) {
        TupleDesc row;
        if (get_call_result_type(fcinfo, nullptr, &row) != TYPEFUNC_COMPOSITE)
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                            errmsg("function returning a row called where none is accepted")));
        const MemoryContext caller = MemoryContextSwitchTo(site->fn_mcxt);
        site->fn_extra = BlessTupleDesc(CreateTupleDescCopy(row));
        MemoryContextSwitchTo(caller);
    }
    return static_cast<TupleDesc>(site->fn_extra);
}

template <std::size_t fields> Datum make_row(FunctionCallInfo fcinfo, const Datum (&values)[fields]) {
    bool no_nulls[fields] = {};
    return HeapTupleGetDatum(heap_form_tuple(result_row(fcinfo), const_cast<Datum *>(values), no_nulls));
}

// Arrays of one dimension without NULLs, at most N elements; 22023 names the array otherwise.
template <std::size_t N> struct short_array {
    std::array<Datum, N> elements;
    int count;

    static short_array get(Datum array, Oid element_type, const char *name) {
        ArrayType *found = DatumGetArrayTypeP(array);
        int16 length;
        bool by_value;
        char alignment;
        get_typlenbyvalalign(element_type, &length, &by_value, &alignment);
        Datum *values;
        bool *nulls;
        int count = 0;
        if (ARR_NDIM(found) == 1 && ARR_ELEMTYPE(found) == element_type && !array_contains_nulls(found))
            deconstruct_array(found, element_type, length, by_value, alignment, &values, &nulls, &count);
        if (count < 1 || count > static_cast<int>(N))
            ereport(ERROR,
                    (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must have 1 to %zu elements", name, N),
                     errdetail("It has %d dimensions and %d elements that are not NULL.", ARR_NDIM(found), count)));
        short_array result{.elements = {}, .count = count};
        std::copy(values, values + count, result.elements.begin());
        return result;
    }
};

inline Datum make_array(Datum *elements, int count, Oid element_type) {
    int16 length;
    bool by_value;
    char alignment;
    get_typlenbyvalalign(element_type, &length, &by_value, &alignment);
    return PointerGetDatum(construct_array(elements, count, element_type, length, by_value, alignment));
}

} // namespace crm::bridge
