// Binary crm.repeats, and the ladder read from accepted ones.
#include "repeat/repeat.hpp"

#include "counted.hpp"

using namespace crm;
using namespace crm::repeat;
using fuzz::heap;

namespace {

// Without a limit whoever repeats stands on the next rung.
void check_rows(byte_span repeats, std::optional<std::int32_t> within) {
    repeat::rows ladder(heap(), repeats, within);
    row rung, below;
    for (std::int32_t nth = 1; ladder.next(rung); ++nth) {
        REQUIRE(rung.nth == nth && nth <= most_rungs);
        REQUIRE(rung.customers >= 1 && rung.repeated >= 0 && rung.waiting >= 0);
        REQUIRE(rung.repeated <= rung.customers - rung.waiting);
        REQUIRE(within || rung.repeated == rung.customers - rung.waiting);
        REQUIRE(within || nth == 1 || rung.customers == below.repeated);
        REQUIRE(!rung.km_rate || (*rung.km_rate >= 0 && *rung.km_rate <= 1));
        REQUIRE(!rung.km_se || *rung.km_se >= 0);
        REQUIRE(rung.quartiles[2].has_value() == (rung.waiting < rung.customers));
        for (int i = 1; i < 3; ++i)
            REQUIRE(!rung.quartiles[i] || rung.quartiles[i - 1] <= rung.quartiles[i]);
        below = rung;
    }
}

} // namespace

FUZZ(input) {
    const auto value = fuzz::accepted(input, {validated, initial_bytes(), merge_list, merge_state, finish});
    if (!value)
        return;
    for (const auto within : {std::optional<std::int32_t>(), std::optional(0), std::optional(90)})
        check_rows(*value, within);
}
