// Aggregate states of every kind, as anybody can pass them by hand. Any bytes: merging and finishing give something or
// an error, and what two states give together hangs not on which of them comes first.
#include "cohort/cohort.hpp"
#include "fuzz.hpp"
#include "history/first_last.hpp"
#include "history/state.hpp"
#include "lifetime/population.hpp"
#include "lifetime/sbg.hpp"
#include "lifetime/spending.hpp"
#include "repeat/funnel.hpp"
#include "repeat/ltv.hpp"
#include "repeat/repeat.hpp"
#include "repeat/survival.hpp"
#include "rfm/state.hpp"
#include "segment/idset_state.hpp"
#include "segment/trend.hpp"

#include <string>

using namespace crm;
using fuzz::attempt;
using fuzz::heap;

namespace {

using state = std::span<std::byte>;

// What a finished state is compared by.
class result {
  public:
    template <class... Numbers> explicit(false) result(const Numbers &...numbers) { (add(numbers), ...); }
    explicit(false) result(const byte_vector &value) { add_bytes(value); }
    explicit(false) result(const std::optional<byte_vector> &value) {
        if (value)
            add_bytes(*value);
    }
    template <class Number> void add(const Number &number) {
        static_assert(std::is_arithmetic_v<Number> || std::is_same_v<Number, wide_int>);
        add_bytes(std::as_bytes(std::span(&number, 1)));
    }
    friend bool operator==(const result &, const result &) = default;

  private:
    void add_bytes(byte_span from) { bytes_.insert(bytes_.end(), from.begin(), from.end()); }

    std::vector<std::byte> bytes_;
};

struct kind {
    std::size_t (*merge)(state, byte_span other);
    result (*finish)(state);
};

result bands_of(state of) {
    const auto found = rfm::quantile_bands(heap(), of);
    result all;
    for (int i = 0; found && i < found->cuts; ++i) {
        const auto at = static_cast<std::size_t>(i);
        all.add(found->recency[at]);
        all.add(found->frequency[at]);
        all.add(found->monetary[at].minor);
    }
    return all;
}

result population_of(state of) {
    const lifetime::population all(heap(), of);
    result found{all.scale(), all.newcomers(), all.customers(), all.repeaters(), all.quick_repeaters()};
    if (all.customers() > 0)
        found.add(all.sample(100).customers());
    return found;
}

constexpr kind kinds[] = {
    {history::append_state, [](state of) { return result(history::finish_state(heap(), of)); }},
    {[](state to, byte_span other) { return history::keep_state(to, history::keep::first, other); },
     [](state of) {
         const byte_span kept = history::kept_value(of);
         return result(byte_vector(kept.begin(), kept.end()));
     }},
    {[](state to, byte_span other) { return history::keep_state(to, history::keep::last, other); },
     [](state of) { return result(history::kept_value(of).size()); }},
    {rfm::merge_running,
     [](state of) {
         const auto found = rfm::running::read(of).finish();
         return found ? result(found->recency, found->frequency, found->monetary.minor) : result();
     }},
    {rfm::append_population, bands_of},
    {cohort::merge_state, [](state of) { return result(cohort::finish(of, heap())); }},
    {repeat::merge_state, [](state of) { return result(repeat::finish(of, heap())); }},
    {repeat::merge_survival_state, [](state of) { return result(repeat::finish_survival(of, heap())); }},
    {repeat::append_events, [](state of) { return result(repeat::furthest_step(heap(), of).value_or(0)); }},
    {repeat::merge_ltv,
     [](state of) {
         const auto all = repeat::ltv::read(of);
         return result(all.customers, all.orders, all.total_revenue().minor, all.customer_years());
     }},
    {lifetime::merge_population, population_of},
    {lifetime::merge_spendings,
     [](state of) {
         const lifetime::spendings all(heap(), of);
         return result(all.customers(), all.left_out(), all.scale(), all.correlation());
     }},
    {lifetime::merge_subscriptions,
     [](state of) {
         const lifetime::subscriptions all(heap(), of);
         return result(all.customers(), all.at_risk(), all.cancelled(), all.renewed(), all.cancel_rate());
     }},
    {[](state to, byte_span other) { return segment::add_state(to, other, heap()); },
     [](state of) { return result(segment::finish_state(heap(), of)); }},
    {[](state to, byte_span other) { return segment::keep_common_state(to, other, heap()); },
     [](state of) { return result(segment::finish_common(heap(), of)); }},
    {[](state to, byte_span other) { return segment::merge_signals(to, other, heap()); },
     [](state of) {
         const auto found = segment::summarize_signals(heap(), of);
         return found ? result(found->observations, found->usual) : result();
     }},
};

std::optional<result> merged(const kind &of, byte_span into, byte_span other) {
    std::vector<std::byte> state(into.begin(), into.end());
    return attempt([&] {
        fuzz::change_state(state, [&](std::span<std::byte> to) { return of.merge(to, other); });
        return of.finish(state);
    });
}

} // namespace

bool is_of_a_kind(byte_span state) { return !state.empty() && state[0] != std::byte{0}; }

// The kind, how many eighths of the rest are the first state, the two states.
FUZZ(input) {
    if (input.size() < 2)
        return;
    const kind &of = kinds[std::to_integer<std::size_t>(input[0]) % std::size(kinds)];
    const byte_span rest = input.subspan(2);
    const std::size_t middle = rest.size() / 8 * std::min(std::to_integer<std::size_t>(input[1]), std::size_t{8});
    const byte_span a = rest.first(middle), b = rest.subspan(middle);
    std::vector<std::byte> alone(a.begin(), a.end());
    attempt([&] { return of.finish(alone); });
    const auto ab = merged(of, a, b), ba = merged(of, b, a);
    REQUIRE(!ab || !ba || *ab == *ba || !is_of_a_kind(a) || !is_of_a_kind(b));
}
