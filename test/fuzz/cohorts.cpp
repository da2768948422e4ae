// Binary crm.cohorts, and the rows read from accepted ones.
#include "cohort/cohort.hpp"

#include "counted.hpp"

using namespace crm;
using namespace crm::cohort;
using fuzz::attempt;
using fuzz::heap;

namespace {

constexpr std::size_t most_rows = 1000; // a cohort of ancient days has millions

void check_rows(byte_span cohorts, retention kind) {
    const calendar_period period = decode_calendar(terms_of(cohorts).calendar)->period;
    const stretch over = stretch_of(cohorts);
    const std::int64_t reach = calendar::margin(period).us, last = std::numeric_limits<std::int64_t>::max();
    const offset_change utc[] = {{{over.first.us - reach}, 0}};
    const calendar periods(period, {utc, {over.last.us < last - reach ? over.last.us + reach : last}});
    cohort::rows all(heap(), cohorts, &periods, kind);
    row now{}, before{};
    for (std::size_t i = 0; i < most_rows && attempt([&] { return all.next(now); }).value_or(false); ++i) {
        const bool same_cohort = i > 0 && now.cohort == before.cohort && now.age > 0;
        REQUIRE(now.age == (same_cohort ? before.age + 1 : 0));
        REQUIRE(now.customers >= 1 && now.retained >= 0 && now.retained <= now.customers &&
                now.orders >= now.retained * (kind == retention::on));
        REQUIRE(!same_cohort || now.customers == before.customers);
        REQUIRE(!same_cohort || kind == retention::on || now.retained <= before.retained);
        REQUIRE(now.cumulative_revenue.minor ==
                now.revenue.minor + (same_cohort ? wide_int{before.cumulative_revenue.minor} : 0));
        before = now;
    }
}

} // namespace

FUZZ(input) {
    const auto value = fuzz::accepted(input, {validated, initial_bytes(), merge_list, merge_state, finish});
    if (!value)
        return;
    check_rows(*value, retention::on);
    check_rows(*value, retention::on_or_after);
}
