// Counting the customers of one pass, apart for each value that splits them.
#pragma once

#include "bridge/orders.hpp"
#include "bridge/settings.hpp"
#include "core/flat_table.hpp"

namespace crm::bridge {

// What a finished table is: nothing when nobody was counted.
using table_finisher = std::optional<byte_vector> (*)(std::span<std::byte> table, memory &in);

// One flat table for each value, and once finished one list, which is empty where nobody was counted.
class split_tables {
  public:
    split_tables(memory &in, std::size_t splits, std::size_t initial_bytes)
        : in_(in), initial_bytes_(initial_bytes), tables_(&in), lists_(&in) {
        tables_.reserve(splits);
    }

    // change(bytes of the customer's table, memory) says how many bytes it needs.
    template <class Change> void change(const customer &of, Change &&change) {
        for (; tables_.size() <= of.first_tag; bytes_ += initial_bytes_)
            tables_.emplace_back(in_, initial_bytes_);
        flat_store &table = tables_[of.first_tag];
        const std::size_t before = table.bytes().size();
        table.change([&](std::span<std::byte> bytes) { return change(bytes, in_); });
        bytes_ += table.bytes().size() - before;
        if (bytes_ > most_bytes_)
            throw error(program_limit_exceeded, "too many different periods and values to count",
                        short_text("The counts take more than ", most_bytes_, " bytes."),
                        "Choose longer periods, fewer values to split by, or more pg_crm.memory.");
    }
    void finish(table_finisher finish) {
        lists_.reserve(tables_.size());
        for (flat_store &each : tables_) {
            lists_.push_back(finish(each.bytes(), in_).value_or(byte_vector(&in_)));
            each = flat_store(in_, 0);
        }
    }
    std::size_t size() const { return lists_.size(); }
    byte_span operator[](std::size_t number) const { return lists_[number]; }

  private:
    // Counts do not go to files, so they may take more than a tiny budget.
    static constexpr std::size_t least_limit = std::size_t{256} << 20;

    memory &in_;
    std::size_t initial_bytes_, bytes_ = 0, most_bytes_ = std::max(memory_budget(), least_limit);
    std::pmr::vector<flat_store> tables_;
    std::pmr::vector<byte_vector> lists_;
};

// Reads all customers of a pass into tables: count(customer, bytes, memory), which must be trivially destructible.
template <class Count>
const split_tables *count_by_split(order_pass *pass, std::size_t initial_bytes, table_finisher finish, Count count) {
    auto *tables =
        in_context<split_tables>::make(pass->context, "pg_crm counts by split", pass->splits.size(), initial_bytes);
    customer each;
    while (next_customer(pass, each))
        guarded([&] {
            tables->change(each, [&](std::span<std::byte> bytes, memory &in) { return count(each, bytes, in); });
        });
    guarded([&] { tables->finish(finish); });
    return tables;
}

// The column that says which value the rows belong to, where a function has it: the first.
class split_column {
  public:
    split_column() = default; // no such column
    explicit split_column(std::optional<std::string_view> value) : exists_(true), value_(value) {}

    // Moves on to the next column.
    void write(Datum *&values, bool *&nulls) const {
        if (!exists_)
            return;
        *nulls++ = !value_;
        *values++ = value_ ? PointerGetDatum(cstring_to_text_with_len(value_->data(), static_cast<int>(value_->size())))
                           : Datum{0};
    }

  private:
    bool exists_ = false;
    std::optional<std::string_view> value_;
};
static_assert(std::is_trivially_destructible_v<split_column>);

} // namespace crm::bridge
