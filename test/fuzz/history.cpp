// Binary histories. Any bytes: reading them gives something or an error. Accepted bytes: they are what encoding gives,
// the summary is that of the entries, the text reads as the same value, and the algebra is that of multisets.
#include "history/history.hpp"

#include "fuzz.hpp"

#include <algorithm>

using namespace crm;
using namespace crm::history;
using fuzz::attempt;
using fuzz::heap;

namespace {

void read_whatever_it_is(view h) {
    attempt([&] { return read_summary({h.bytes}).orders(); });
    attempt([&] { return decode(h, heap()).list.size(); });
    attempt([&] { return to_text(h, heap()); });
    attempt([&] { return intervals(heap(), h); });
    attempt([&] { return recency(heap(), h, {0}); });
    attempt([&] { return until(heap(), h, {0}); });
    attempt([&] { return merge(heap(), h, h); });
    attempt([&] { return subtract(heap(), h, h); });
    attempt([&] { return add(heap(), h, {0}, {-15, 1}); });
}

void check_summary(const summary &found, const entries &all) {
    const auto &list = all.list;
    const auto is_purchase = [](const purchase &each) { return !each.is_refund(); };
    wide_int revenue = 0, refunded = 0;
    for (const purchase &each : list) {
        revenue += each.amount;
        refunded -= each.is_refund() ? each.amount : 0;
    }
    REQUIRE(found.entries == static_cast<std::int64_t>(list.size()));
    REQUIRE(found.orders() == std::ranges::count_if(list, is_purchase));
    if (list.empty())
        return;
    REQUIRE(found.revenue.minor == revenue && found.revenue.scale == all.scale);
    REQUIRE(found.refunded.minor == refunded && found.refunded.scale == all.scale);
    REQUIRE(found.first_entry == list.front().at && found.last_entry == list.back().at);
    if (found.orders() == 0)
        return;
    REQUIRE(found.first_purchase == std::ranges::find_if(list, is_purchase)->at);
    REQUIRE(found.last_purchase == std::find_if(list.rbegin(), list.rend(), is_purchase)->at);
}

void check_algebra(view h, const entries &all) {
    const byte_vector nothing = encode_sorted({}, heap());
    REQUIRE(subtract(heap(), h, h) == nothing);
    if (const auto twice = attempt([&] { return merge(heap(), h, h); }))
        REQUIRE(std::ranges::equal(subtract(heap(), {*twice}, h), h.bytes));
    if (all.list.empty())
        return;
    // The sum of a part may be out of range where that of the whole is not.
    const timestamp middle = all.list[all.list.size() / 2].at;
    const auto before = attempt([&] { return within(heap(), h, earliest_timestamp, middle); });
    const auto behind = attempt([&] { return within(heap(), h, middle, end_of_timestamps); });
    if (before && behind)
        REQUIRE(std::ranges::equal(merge(heap(), {*before}, {*behind}), h.bytes));
    REQUIRE(std::ranges::equal(until(heap(), h, all.list.back().at), h.bytes));
}

} // namespace

FUZZ(input) {
    read_whatever_it_is({input});
    const auto value = attempt([&] { return validated(input, heap()); });
    if (!value)
        return;
    const view h{*value};
    entries all = decode(h, heap());
    REQUIRE(std::ranges::equal(*value, input));
    REQUIRE(std::ranges::is_sorted(all.list));
    REQUIRE(std::ranges::all_of(all.list, [](const purchase &each) { return is_finite(each.at); }));
    check_summary(read_summary({h.bytes.first(std::min(h.bytes.size(), max_summary_bytes))}), all);
    REQUIRE(from_text(to_text(h, heap()), heap()) == *value);
    check_algebra(h, all);
    std::ranges::reverse(all.list);
    REQUIRE(encode(all.list, all.scale, heap()) == *value);
}
