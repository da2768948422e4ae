// Errors that have to be noticed where the server is watched, so that a clean run says something.
extern "C" {
#include <postgres.h>

#include <fmgr.h>

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(write_beyond);
PG_FUNCTION_INFO_V1(overflow);
}

// One byte behind an allocation.
extern "C" Datum write_beyond(PG_FUNCTION_ARGS) {
    auto *bytes = new char[PG_GETARG_INT32(0)];
    bytes[PG_GETARG_INT32(0)] = 1;
    const int32 first = bytes[0];
    delete[] bytes;
    PG_RETURN_INT32(first);
}

extern "C" Datum overflow(PG_FUNCTION_ARGS) { PG_RETURN_INT32(PG_GETARG_INT32(0) + PG_INT32_MAX); }
