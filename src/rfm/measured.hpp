// The measures of all customers of a pass, kept on a tape: they are read several times, for the quantiles and for the
// rows, and there may be more of them than fit into memory.
#pragma once

#include "core/customer_rows.hpp"
#include "rfm/quantiles.hpp"

namespace crm::rfm {

// One customer, measured once or at several dates.
template <std::size_t dates> struct measured_customer {
    struct at_date {
        std::int32_t recency, frequency; // a recency below zero: not yet a customer
        std::int64_t monetary;           // in minor units of the ledger

        bool is_customer() const { return recency >= 0; }
    };
    std::array<at_date, dates> at;
};

template <std::size_t dates> class measured_customers {
  public:
    using row = measured_customer<dates>;

    measured_customers(memory &in, ledger *from) : in_(in), ledger_(*from), rows_(in, from) {}

    // Measures a customer and keeps it, unless it was not one at any of the dates.
    void add(const customer &of, const std::array<window, dates> &windows) {
        row next{};
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
        if (any)
            rows_.add(of, next);
    }

    // Quantile bands of those who were customers at the date; nothing when nobody was.
    std::optional<bands> quantiles(std::size_t date, int grades) const {
        if (counts_[date] == 0)
            return std::nullopt;
        return quantile_bands(in_, ranges_[date], counts_[date], grades, ledger_.scale(), [&](auto visit) {
            each([&](const customer &, const row &found) {
                if (found.at[date].is_customer())
                    visit(values_of(found.at[date]));
            });
        });
    }

    template <class Visit> void each(Visit &&visit) const { rows_.each(visit); }

    // Gives the rows one by one, for whoever has to leave between them; false after the last.
    bool next(customer &of, row &found) { return rows_.next(of, found); }

    measures measures_of(const row &of, std::size_t date) const {
        return {of.at[date].recency, of.at[date].frequency, {of.at[date].monetary, ledger_.scale()}};
    }

  private:
    static measure_values values_of(const typename row::at_date &of) {
        return measure_values::of(of.recency, of.frequency, of.monetary);
    }

    memory &in_;
    const ledger &ledger_;
    customer_rows<row> rows_;
    std::array<std::uint64_t, dates> counts_{};
    std::array<measure_ranges, dates> ranges_{};
};

} // namespace crm::rfm
