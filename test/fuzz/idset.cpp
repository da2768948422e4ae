// Binary sets. Any bytes: reading them gives something or an error. Accepted bytes: they are what encoding gives, every
// way of reading agrees, and the text reads as the same value.
#include "segment/idset.hpp"

#include "fuzz.hpp"

using namespace crm;
using namespace crm::segment;
using fuzz::attempt;
using fuzz::heap;

namespace {

constexpr set_operation operations[] = {set_operation::unite, set_operation::intersect, set_operation::subtract,
                                        set_operation::differ};
constexpr std::uint64_t many = 100'000;

void read_whatever_it_is(idset of, byte_span other) {
    attempt([&] { return to_text(heap(), of).size(); });
    attempt([&] { return contains(of, 5); });
    attempt([&] { return contains(of, 70'000); });
    attempt([&] { return is_subset(of, {other}); });
    attempt([&] { return jaccard({other}, of); });
    for (const set_operation operation : operations) {
        attempt([&] { return combine(heap(), operation, of, {other}); });
        attempt([&] { return combine(heap(), operation, {other}, of); });
    }
}

void check_ids(idset of) {
    auto ids = ids_of(heap(), of);
    REQUIRE(ids.size() == cardinality({of.bytes}));
    REQUIRE(std::ranges::adjacent_find(ids, std::greater_equal()) == ids.end());
    REQUIRE(std::ranges::equal(encode_sorted(ids, heap()), of.bytes));
    for (std::size_t i = 0; i < ids.size(); i += 1 + ids.size() / 64) {
        REQUIRE(contains(of, ids[i]));
        REQUIRE(ids[i] == lowest_id || contains(of, ids[i] - 1) == (i > 0 && ids[i - 1] == ids[i] - 1));
        member_cursor from(of, ids[i], ids.back());
        std::int64_t id;
        REQUIRE(from.next(id) && id == ids[i]);
    }
    std::ranges::reverse(ids);
    REQUIRE(std::ranges::equal(encode(ids, heap()), of.bytes));
}

} // namespace

FUZZ(input) {
    const byte_span other = input.size() > 64 ? input.subspan(input.size() / 2) : input;
    read_whatever_it_is({input}, other);
    const auto value = attempt([&] { return validated(input, heap()); });
    if (!value)
        return;
    const idset of{*value};
    REQUIRE(std::ranges::equal(*value, input));
    const byte_vector nothing = encode_sorted({}, heap());
    REQUIRE(combine(heap(), set_operation::unite, of, of) == *value);
    REQUIRE(combine(heap(), set_operation::intersect, of, of) == *value);
    REQUIRE(combine(heap(), set_operation::subtract, of, of) == nothing);
    REQUIRE(combine(heap(), set_operation::differ, of, {nothing}) == *value);
    REQUIRE(common_ids(of, of) == cardinality({of.bytes}) && is_subset(of, of));
    REQUIRE(from_text(heap(), to_text(heap(), of)) == *value);
    if (cardinality({of.bytes}) <= many)
        check_ids(of);
}
