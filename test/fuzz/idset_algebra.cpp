// Sets made of ids and ranges, near each other and far apart: algebra, comparisons and the aggregates' states against
// std::set.
#include "segment/idset.hpp"

#include "fuzz.hpp"
#include "segment/idset_state.hpp"

#include <set>

using namespace crm;
using namespace crm::segment;
using fuzz::heap;

namespace {

using plain_set = std::set<std::int64_t>;

// Ids close to a few places, so that they share chunks of all kinds.
plain_set some_ids(FuzzedDataProvider &numbers) {
    constexpr std::int64_t places[] = {0, -1, 65'536, 130'000, std::int64_t{1} << 40, lowest_id, highest_id - 20'000};
    plain_set ids;
    for (int left = numbers.ConsumeIntegralInRange(0, 6); left > 0; --left) {
        const std::int64_t first = numbers.PickValueInArray(places) + numbers.ConsumeIntegralInRange(0, 9'000);
        const auto count = numbers.ConsumeBool() ? 1 : numbers.ConsumeIntegralInRange(1, 9'000);
        const auto step = numbers.ConsumeIntegralInRange(1, 3);
        for (std::int64_t i = 0, id = first; i < count && id <= highest_id - step; ++i, id += step)
            ids.insert(ids.end(), id);
    }
    return ids;
}

byte_vector encoded(const plain_set &ids) {
    const std::vector<std::int64_t> list(ids.begin(), ids.end());
    return encode_sorted(list, heap());
}

void check(set_operation operation, const byte_vector &a, const byte_vector &b, const plain_set &expected) {
    const byte_vector found = combine(heap(), operation, {a}, {b});
    REQUIRE(found == encoded(expected));
    REQUIRE(validated(found, heap()) == found);
}

template <class Algorithm> plain_set result_of(Algorithm &&algorithm, const plain_set &a, const plain_set &b) {
    plain_set result;
    algorithm(a, b, std::inserter(result, result.end()));
    return result;
}

void check_states(const byte_vector &a, const plain_set &b, const plain_set &both) {
    std::vector<std::byte> united(state_bytes()), common(sizeof(flat_head));
    for (const std::int64_t id : b)
        fuzz::change_state(united, [&](std::span<std::byte> state) { return add_id(state, id, heap()); });
    const byte_vector alone = finish_state(heap(), united);
    REQUIRE(alone == encoded(b));
    fuzz::change_state(united, [&](std::span<std::byte> state) { return add_set(state, {a}, heap()); });
    REQUIRE(finish_state(heap(), united) == combine(heap(), set_operation::unite, {a}, {alone}));
    for (const byte_vector &each : {a, alone})
        fuzz::change_state(common, [&](std::span<std::byte> state) { return keep_common(state, {each}, heap()); });
    REQUIRE(finish_common(heap(), common) == encoded(both));
}

} // namespace

FUZZ(input) {
    auto numbers = fuzz::numbers_of(input);
    const plain_set a = some_ids(numbers), b = some_ids(numbers);
    const byte_vector left = encoded(a), right = encoded(b);
    const plain_set both = result_of(std::ranges::set_intersection, a, b);
    check(set_operation::unite, left, right, result_of(std::ranges::set_union, a, b));
    check(set_operation::intersect, left, right, both);
    check(set_operation::subtract, left, right, result_of(std::ranges::set_difference, a, b));
    check(set_operation::differ, left, right, result_of(std::ranges::set_symmetric_difference, a, b));
    REQUIRE(common_ids({left}, {right}) == both.size());
    REQUIRE(is_subset({left}, {right}) == std::ranges::includes(b, a));
    REQUIRE(cardinality({left}) == a.size());
    const std::int64_t id = numbers.ConsumeIntegral<std::int64_t>(),
                       near = numbers.ConsumeIntegralInRange(-10, 150'000);
    REQUIRE(contains({left}, id) == a.contains(id) && contains({left}, near) == a.contains(near));
    check_states(left, b, both);
}
