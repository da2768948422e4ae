// Binary crm.survival, and the curves read from accepted ones.
#include "repeat/survival.hpp"

#include "counted.hpp"

using namespace crm;
using namespace crm::repeat;
using fuzz::attempt;
using fuzz::heap;

namespace {

constexpr double rounding = 1e-9;

void check_curve(byte_span survival, double confidence) {
    survival_rows rows(heap(), survival, confidence);
    survival_row now, before{.at = -1, .at_risk = std::numeric_limits<std::int64_t>::max(), .events = 0, .survival = 1};
    std::optional<double> median;
    while (rows.next(now)) {
        REQUIRE(now.at > before.at && now.events >= 1 && now.at_risk >= now.events);
        REQUIRE(now.at_risk <= before.at_risk - before.events);
        REQUIRE(now.survival >= 0 && now.survival <= before.survival);
        REQUIRE(!now.se || *now.se >= 0);
        REQUIRE(now.lower.has_value() == now.upper.has_value());
        REQUIRE(!now.lower || (*now.lower >= 0 && *now.lower <= now.survival + rounding));
        REQUIRE(!now.upper || (*now.upper <= 1 && *now.upper >= now.survival - rounding));
        if (!median && now.survival <= 0.5 * (1 + 1e-12))
            median = now.at;
        before = now;
    }
    REQUIRE(survival_median(heap(), survival) == median);
}

void check_renewals(byte_span survival) {
    const auto rows = attempt([&] { return renewal_rows(heap(), survival, 3); });
    if (!rows)
        return;
    std::size_t riskiest = 0;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        const renewal_row &row = (*rows)[i];
        REQUIRE(i == 0 || row.delivery == (*rows)[i - 1].delivery + 1);
        REQUIRE(row.at_risk >= 1 && row.cancelled >= 0 && row.cancelled <= row.at_risk);
        riskiest += row.riskiest;
    }
    REQUIRE(riskiest <= 3);
}

} // namespace

FUZZ(input) {
    const auto value = fuzz::accepted(
        input, {validated_survival, initial_survival_bytes(), merge_survival, merge_survival_state, finish_survival});
    if (!value)
        return;
    check_curve(*value, 0.95);
    check_renewals(*value);
}
