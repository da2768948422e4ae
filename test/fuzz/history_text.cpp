// Histories, times and amounts as text: what is accepted is a value that its own text and bytes give again.
#include "history/history.hpp"

#include "core/civil.hpp"
#include "fuzz.hpp"

using namespace crm;
using namespace crm::history;
using fuzz::attempt;
using fuzz::heap;

FUZZ(input) {
    const std::string_view text = fuzz::text_of(input);
    if (const auto at = parse_timestamp(text)) {
        REQUIRE(is_finite(*at));
        text_buffer written(&heap());
        append_timestamp(written, *at);
        REQUIRE(parse_timestamp(written) == at);
    }
    if (const auto amount = parse_decimal(text)) {
        REQUIRE(amount->scale >= 0 && amount->scale <= max_scale);
        text_buffer written(&heap());
        append_decimal(written, *amount);
        const auto again = parse_decimal(written);
        REQUIRE(again && compare(*again, *amount) == 0);
    }
    if (const auto value = attempt([&] { return from_text(text, heap()); })) {
        REQUIRE(validated(*value, heap()) == *value);
        REQUIRE(from_text(to_text({*value}, heap()), heap()) == *value);
    }
}
