// The measures of all customers of a pass, kept on a tape: they are read several times, for the quantiles and for the
// rows, and there may be more of them than fit into memory.
#pragma once

#include "core/bytes.hpp"
#include "core/interrupts.hpp"
#include "core/ledger.hpp"
#include "rfm/quantiles.hpp"

namespace crm::rfm {

// One customer, measured once or at several dates.
template <std::size_t dates> struct measured_customer {
    struct at_date {
        std::int32_t recency, frequency; // a recency below zero: not yet a customer
        std::int64_t monetary;           // in minor units of the ledger

        bool is_customer() const { return recency >= 0; }
    };
    std::uint64_t key;
    std::array<at_date, dates> at;
    std::uint64_t key_bytes;
};

template <std::size_t dates> class measured_customers {
  public:
    using row = measured_customer<dates>;

    measured_customers(memory &in, ledger *from) : in_(in), ledger_(*from), tape_(from->pool()), reader_(tape_) {}

    // Measures a customer and keeps it, unless it was not one at any of the dates.
    void add(const customer &of, const std::array<window, dates> &windows) {
        row next{.key = of.key, .at = {}, .key_bytes = of.key_bytes.size()};
        bool any = false;
        for (std::size_t i = 0; i < dates; ++i) {
            const auto found = measure(of.history, windows[i]);
            next.at[i] = found ? typename row::at_date{found->recency, found->frequency, found->monetary.minor}
                               : typename row::at_date{-1, 0, 0};
            if (found) {
                any = true;
                ++counts_[i];
                ranges_[i].add(values_of(next.at[i]));
            }
        }
        if (!any)
            return;
        std::byte *at = tape_.reserve(sizeof next + of.key_bytes.size());
        store(at, next);
        std::ranges::copy(of.key_bytes, at + sizeof next);
        tape_.commit(sizeof next + of.key_bytes.size());
    }

    // Quantile bands of those who were customers at the date; nothing when nobody was.
    std::optional<bands> quantiles(std::size_t date, int grades) const {
        if (counts_[date] == 0)
            return std::nullopt;
        return quantile_bands(in_, ranges_[date], counts_[date], grades, ledger_.scale(), [&](auto visit) {
            each([&](const row &of) {
                if (of.at[date].is_customer())
                    visit(values_of(of.at[date]));
            });
        });
    }

    // Visits all rows; keys that do not fit into 64 bits are left out.
    template <class Visit> void each(Visit &&visit) const {
        interrupt_poll poll;
        tape_.each([&](byte_span pieces) {
            while (!pieces.empty()) {
                poll();
                const auto of = load<row>(pieces.data());
                visit(of);
                pieces = pieces.subspan(sizeof of + of.key_bytes);
            }
        });
    }

    // Gives the rows one by one, with their keys, for whoever has to leave between them; false after the last.
    bool next(row &of, byte_span &key_bytes) {
        while (unread_.empty())
            if (!reader_.next(unread_))
                return false;
        of = load<row>(unread_.data());
        key_bytes = unread_.subspan(sizeof of, of.key_bytes);
        unread_ = unread_.subspan(sizeof of + of.key_bytes);
        return true;
    }

    measures measures_of(const row &of, std::size_t date) const {
        return {of.at[date].recency, of.at[date].frequency, {of.at[date].monetary, ledger_.scale()}};
    }

  private:
    static measure_values values_of(const typename row::at_date &of) {
        return measure_values::of(of.recency, of.frequency, of.monetary);
    }

    memory &in_;
    const ledger &ledger_;
    tape tape_;
    tape_reader reader_;
    byte_span unread_;
    std::array<std::uint64_t, dates> counts_{};
    std::array<measure_ranges, dates> ranges_{};
};

} // namespace crm::rfm
