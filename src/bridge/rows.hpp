// The rows of a table function, materialised in a tuplestore that spills by itself.
#pragma once

#include "bridge/datum.hpp"

extern "C" {
#include <utils/guc.h>
#include <utils/tuplestore.h>
}

namespace crm::bridge {

class row_writer {
  public:
    // Prepares the call's result; the function must be declared RETURNS TABLE.
    explicit row_writer(FunctionCallInfo fcinfo)
        : result_((InitMaterializedSRF(fcinfo, 0), reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo))),
          row_memory_(AllocSetContextCreateInternal(CurrentMemoryContext, "pg_crm row", ALLOCSET_DEFAULT_SIZES)) {}

    // Lets the result take more memory than work_mem before it spills. To be called before the first row.
    void allow_memory(std::size_t bytes) const {
        const auto kilobytes = static_cast<int>(std::min<std::size_t>(bytes / 1024, MAX_KILOBYTES));
        if (kilobytes <= work_mem)
            return;
        tuplestore_end(result_->setResult);
        const MemoryContext caller = MemoryContextSwitchTo(result_->econtext->ecxt_per_query_memory);
        result_->setResult =
            tuplestore_begin_heap((result_->allowedModes & SFRM_Materialize_Random) != 0, false, kilobytes);
        MemoryContextSwitchTo(caller);
    }

    // The type of a column, as this call resolved it.
    Oid column_type(int column) const { return TupleDescAttr(result_->setDesc, column)->atttypid; }

    // Writes one row. What the values needed is built by `fill(values, nulls)`, and freed after some rows.
    template <class Fill> void write(Fill &&fill) {
        CHECK_FOR_INTERRUPTS();
        Datum values[max_columns];
        bool nulls[max_columns] = {};
        const MemoryContext caller = MemoryContextSwitchTo(row_memory_);
        fill(values, nulls);
        MemoryContextSwitchTo(caller);
        tuplestore_putvalues(result_->setResult, result_->setDesc, values, nulls);
        if (++rows_ % rows_per_reset == 0)
            MemoryContextReset(row_memory_);
    }

  private:
    static constexpr int max_columns = 16;
    static constexpr std::uint64_t rows_per_reset = 64;

    ReturnSetInfo *result_;
    MemoryContext row_memory_;
    std::uint64_t rows_ = 0;
};
static_assert(std::is_trivially_destructible_v<row_writer>);

} // namespace crm::bridge
