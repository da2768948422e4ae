#include "rfm/rfm.hpp"

#include "core/error.hpp"

#include "core/no_postgres.hpp"

#include <algorithm>
#include <ranges>

namespace crm::rfm {
namespace {

[[noreturn]] void throw_not_monotone(std::string_view measure, std::string_view order) {
    throw error(invalid_parameter_value, "bands are not monotone",
                short_text("The cut points of ", measure, " must be ", order, "."),
                "Write the cut points from the best grade down, as crm.rfm_bands() does.");
}

} // namespace

std::int32_t recency_days(timestamp last_purchase, timestamp as_of) {
    return static_cast<std::int32_t>(elapsed(last_purchase, as_of).us / microseconds_per_day);
}

std::optional<measures> measure(purchases of, const window &in) {
    const purchase *last = nullptr;
    std::int32_t frequency = 0;
    amount_sum monetary;
    for (const purchase &entry : history::until(of, in.as_of).entries) {
        if (!entry.is_refund())
            last = &entry;
        if (entry.at > in.since) {
            frequency += entry.is_refund() ? 0 : 1;
            monetary.add(entry.amount);
        }
    }
    if (last == nullptr)
        return std::nullopt;
    return measures{recency_days(last->at, in.as_of), frequency, {monetary.minor(), of.scale}};
}

std::optional<measures> measure(history::view of, const window &in, memory &scratch) {
    const history::summary all = history::read_summary({of.bytes});
    if (all.orders() == 0 || all.first_purchase > in.as_of)
        return std::nullopt;
    if (all.first_entry > in.since && all.last_entry <= in.as_of)
        return measures{recency_days(all.last_purchase, in.as_of), static_cast<std::int32_t>(all.orders()),
                        all.revenue};
    return measure(history::decode(of, scratch), in);
}

bands published_bands() {
    return {.cuts = 4,
            .recency = {30, 60, 90, 180},
            .frequency = {10, 7, 4, 2},
            .monetary = {{{100'000, 0}, {50'000, 0}, {30'000, 0}, {10'000, 0}}}};
}

void check(const bands &of) {
    for (std::size_t worse = 1; worse < static_cast<std::size_t>(of.cuts); ++worse) {
        const std::size_t better = worse - 1;
        if (of.recency[better] > of.recency[worse])
            throw_not_monotone("recency", "rising");
        if (of.frequency[better] < of.frequency[worse])
            throw_not_monotone("frequency", "falling");
        if (compare(of.monetary[better], of.monetary[worse]) < 0)
            throw_not_monotone("monetary", "falling");
    }
}

void check_grades(std::int64_t grades) {
    if (grades < 2 || grades > max_grades)
        throw error(invalid_parameter_value, "number of grades is out of range", short_text("It is ", grades, "."),
                    short_text("Choose 2 to ", max_grades, " grades."));
}

bool is_score(std::int64_t rfm) { return rfm >= 111 && rfm <= 999 && rfm / 10 % 10 != 0 && rfm % 10 != 0; }

score grade(const measures &of, const bands &by) {
    int r = 1, f = 1, m = 1;
    for (std::size_t i = 0; i < static_cast<std::size_t>(by.cuts); ++i) {
        r += of.recency <= by.recency[i];
        f += of.frequency >= by.frequency[i] && of.frequency > 0;
        m += compare(of.monetary, by.monetary[i]) >= 0;
    }
    return score::of(r, f, m);
}

} // namespace crm::rfm
