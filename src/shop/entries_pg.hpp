// The entries of a shop as compiled expressions over a row of its orders.
#pragma once

#include "bridge/postgres.hpp"

extern "C" {
#include <executor/executor.h>
#include <nodes/pg_list.h>
}

#include <array>

namespace crm::shop {

enum entry_value { customer_value, time_value, amount_value, channel_value, entry_values };

// What an order says of one purchase or refund.
struct entry {
    std::array<Datum, entry_values> values;
    std::array<bool, entry_values> nulls;
};

// An order is an entry, and another one where it can be refunded.
class entry_reader {
  public:
    // Compiles queries as crm.capture_queries makes them, in the current memory context, where the reader has to live.
    // Raises the errors of the expressions, 42804 for wrong types, and 0A000 where they read more than a row of the
    // table.
    static entry_reader compile(List *queries, Oid orders);

    // Whether no row can raise an error, nor anything else be done: all is columns, constants, and comparisons that
    // PostgreSQL itself calls leakproof. Others must be read with the rights of the shop's owner.
    bool is_harmless() const { return is_harmless_; }
    Oid customer_type() const { return types_[customer_value].id; }
    int entries() const { return entries_; }

    // False where the row has no such entry, or one that does not count. Amounts are numerics. Valid until done().
    bool read(int number, TupleTableSlot *row, entry &found) const;
    bool same(const entry &a, const entry &b) const;
    void done() const { ResetExprContext(row_); }

  private:
    static constexpr int most_entries = 2;

    struct expressions {
        ExprState *counts; // null: every row does
        std::array<ExprState *, entry_values> values;
        std::array<Oid, entry_values> types;
    };
    struct type {
        Oid id;
        std::int16_t length;
        bool by_value;
    };
    static expressions compile(const char *query, Oid orders, bool &is_harmless);

    std::array<expressions, most_entries> of_;
    std::array<type, entry_values> types_; // as entries have them
    int entries_;
    bool is_harmless_;
    ExprContext *row_; // lives as long as the expressions, which may keep things there
};

} // namespace crm::shop
