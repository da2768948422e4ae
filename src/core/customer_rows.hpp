// One row for each customer of a pass, kept on a tape of its ledger: rows are read after all customers have been seen,
// and there may be more of them than fit into memory.
#pragma once

#include "core/bytes.hpp"
#include "core/interrupts.hpp"
#include "core/ledger.hpp"

#include <algorithm>

namespace crm {

template <class Row> class customer_rows {
    static_assert(std::is_trivially_copyable_v<Row>);

  public:
    customer_rows(memory &, ledger *from) : tape_(from->pool()), reader_(tape_) {}

    void add(const customer &of, const Row &row) {
        const head front{of.key, of.key_bytes.size(), row};
        const std::size_t bytes = sizeof front + of.key_bytes.size();
        std::byte *at = tape_.reserve(bytes);
        store(at, front);
        std::ranges::copy(of.key_bytes, at + sizeof front);
        tape_.commit(bytes);
    }

    // The rows in the order of adding, each with the key of its customer, valid until the next one; false after the
    // last.
    bool next(customer &of, Row &row) {
        while (unread_.empty())
            if (!reader_.next(unread_))
                return false;
        take(unread_, of, row);
        return true;
    }

    // Visits all rows with their customers, also those that next() gave.
    template <class Visit> void each(Visit &&visit) const {
        interrupt_poll poll;
        tape_.each([&](byte_span unread) {
            customer of;
            Row row;
            while (!unread.empty()) {
                poll();
                take(unread, of, row);
                visit(of, row);
            }
        });
    }

  private:
    struct head {
        std::uint64_t key, key_bytes;
        Row row;
    };

    static void take(byte_span &unread, customer &of, Row &row) {
        const auto front = load<head>(unread.data());
        of.key = front.key;
        of.key_bytes = unread.subspan(sizeof front, front.key_bytes);
        row = front.row;
        unread = unread.subspan(sizeof front + front.key_bytes);
    }

    tape tape_;
    tape_reader reader_;
    byte_span unread_;
};

} // namespace crm
