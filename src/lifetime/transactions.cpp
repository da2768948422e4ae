#include "lifetime/transactions.hpp"

#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

namespace crm::lifetime {
namespace {

// The days with orders, and the amounts of all but the first.
struct seen_days {
    std::int32_t first, last;
    std::int64_t days = 0;
    wide_int repeated = 0;
};

// Days follow one another, but where a zone repeats part of a day: then nothing.
std::optional<seen_days> days_in_order(purchases known, const calendar &days) {
    seen_days seen{};
    interrupt_poll poll;
    for (const purchase &entry : known.entries) {
        poll();
        if (entry.is_refund())
            continue;
        const std::int32_t day = days.local_date(entry.at).days;
        if (seen.days == 0) {
            seen.first = seen.last = day;
            seen.days = 1;
        } else if (day < seen.last) {
            return std::nullopt;
        }
        seen.days += day > seen.last;
        seen.last = day;
        seen.repeated += day > seen.first ? entry.amount : 0;
    }
    return seen;
}

// Whatever the order of the days.
seen_days days_in_any_order(purchases known, const calendar &days, memory &in) {
    std::pmr::vector<std::int32_t> all(&in);
    for (const purchase &entry : known.entries)
        if (!entry.is_refund())
            all.push_back(days.local_date(entry.at).days);
    sort_with_polls(all);
    seen_days seen{all.front(), all.back()};
    for (const purchase &entry : known.entries)
        seen.repeated += !entry.is_refund() && days.local_date(entry.at).days > seen.first ? entry.amount : 0;
    seen.days = std::unique(all.begin(), all.end()) - all.begin();
    return seen;
}

// The same amount is the same number, whatever its scale.
double amount_of(wide_int minor, int scale) {
    return static_cast<double>(minor) / static_cast<double>(powers_of_ten[static_cast<std::size_t>(scale)]);
}

} // namespace

double days_per_unit(calendar_period period) {
    if (period.unit == period_unit::day && period.days == 1)
        return 1;
    if (period.unit == period_unit::week)
        return 7;
    throw error(invalid_parameter_value, "lifetime models count time in days or weeks", {},
                "Give a calendar of 'day' or 'week', such as 'week Asia/Tokyo'.");
}

std::optional<customer_seen> see(purchases all, timestamp as_of, const calendar &days, double days_per_unit,
                                 memory &scratch) {
    const purchases known = history::until(all, as_of);
    const auto in_order = days_in_order(known, days);
    const seen_days found = in_order ? *in_order : days_in_any_order(known, days, scratch);
    if (found.days == 0)
        return std::nullopt;
    const std::int64_t today = std::max(days.local_date(as_of).days, found.last), repeats = found.days - 1;
    customer_seen seen;
    seen.purchases = {repeats, static_cast<double>(std::int64_t{found.last} - found.first) / days_per_unit,
                      static_cast<double>(today - found.first) / days_per_unit};
    seen.spending = {repeats, repeats == 0 ? 0 : amount_of(found.repeated, all.scale) / static_cast<double>(repeats)};
    return seen;
}

std::optional<customer_seen> see(const history::summary &all, history::view of, timestamp as_of, const calendar &days,
                                 double days_per_unit, memory &scratch) {
    if (all.orders() == 0 || all.first_purchase > as_of)
        return std::nullopt;
    if (all.orders() > 1)
        return see(history::decode(of, scratch), as_of, days, days_per_unit, scratch);
    const std::int64_t first = days.local_date(all.first_purchase).days,
                       today = std::max<std::int64_t>(days.local_date(as_of).days, first);
    return customer_seen{{.age = static_cast<double>(today - first) / days_per_unit}, {}};
}

} // namespace crm::lifetime
