// Sets as text: what is accepted is a value that its own text and bytes give again.
#include "segment/idset.hpp"

#include "fuzz.hpp"

using namespace crm;
using namespace crm::segment;
using fuzz::heap;

FUZZ(input) {
    const auto value = fuzz::attempt([&] { return from_text(heap(), fuzz::text_of(input)); });
    if (!value)
        return;
    REQUIRE(validated(*value, heap()) == *value);
    REQUIRE(from_text(heap(), to_text(heap(), {*value})) == *value);
}
