#include "history/periods.hpp"

#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

#include <algorithm>

namespace crm::history {
namespace {

struct dated_purchase {
    std::int64_t period;
    purchase bought;
    friend auto operator<=>(const dated_purchase &, const dated_purchase &) = default;
};

std::pmr::vector<dated_purchase> date_purchases(const entries &all, const calendar &periods, memory &in) {
    std::pmr::vector<dated_purchase> dated(&in);
    dated.reserve(all.list.size());
    interrupt_poll poll;
    for (const purchase &entry : all.list) {
        poll();
        if (!entry.is_refund())
            dated.push_back({periods.period_index(entry.at), entry});
    }
    // Where a zone repeats part of a day, a later purchase may lie in an earlier period.
    if (!std::ranges::is_sorted(dated))
        std::ranges::sort(dated);
    return dated;
}

} // namespace

std::optional<date> cohort(const summary &of, const calendar &periods) {
    if (of.orders() == 0)
        return std::nullopt;
    return periods.period_start_date(periods.period_index(of.first_purchase));
}

byte_vector per(memory &in, view of, const calendar &periods) {
    const entries all = decode(of, in);
    const auto first = std::ranges::find_if_not(all.list, &purchase::is_refund);
    if (first == all.list.end())
        return encode_sorted(all, in);
    const auto dated = date_purchases(all, periods.anchored_at(periods.local_date(first->at)), in);

    std::pmr::vector<purchase> merged(&in);
    std::ranges::copy_if(all.list, std::back_inserter(merged), &purchase::is_refund);
    for (auto from = dated.begin(); from != dated.end();) {
        const auto to =
            std::find_if(from, dated.end(), [=](const auto &other) { return other.period != from->period; });
        amount_sum sum;
        std::for_each(from, to, [&](const dated_purchase &each) { sum.add(each.bought.amount); });
        merged.push_back({from->bought.at, sum.minor()});
        from = to;
    }
    return encode(merged, all.scale, in);
}

} // namespace crm::history
