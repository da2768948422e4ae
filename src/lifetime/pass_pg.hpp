// What the one-pass doors of this slice have in common: their arguments, the pass, and the fit at its end.
#pragma once

#include "bridge/orders.hpp"
#include "core/flat_table.hpp"
#include "lifetime/datum.hpp"

namespace crm::lifetime {

// NULL is no argument of these functions.
inline Datum needed_argument(FunctionCallInfo fcinfo, int i, const char *name) {
    if (PG_ARGISNULL(i))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be NULL", name)));
    return PG_GETARG_DATUM(i);
}

// As of when, by which days and how the customers of a query are fitted.
struct door_terms {
    model_calendar by;
    timestamp as_of;
    method wanted;

    // Method is an argument's number, or 0 where there is none.
    static door_terms get(FunctionCallInfo fcinfo, int as_of, int method_place) {
        const auto by = model_calendar::get(needed_argument(fcinfo, 1, "calendar"));
        const auto at = bridge::datum<timestamp>::get(needed_argument(fcinfo, as_of, "as_of"));
        if (method_place == 0)
            return {by, at, method::automatic};
        return {by, at, enum_from_datum<method>(needed_argument(fcinfo, method_place, "method"), method_labels)};
    }
    terms of_state() const { return {as_of, by.bytes, wanted}; }
};

// A calendar for all orders of a pass, and for instants from first to last.
inline const calendar *calendar_of(bridge::order_pass *pass, const calendar_name &name, timestamp first,
                                   timestamp last) {
    return bridge::make_calendar(name, std::min(pass->book.first(), first), std::max(pass->book.last(), last),
                                 pass->context);
}

// Visits every customer with a purchase by as_of: visit(customer, as the models see it), under guard.
template <class Visit>
void see_all(bridge::order_pass *pass, const door_terms &with, const calendar *days, Visit visit) {
    customer each;
    while (bridge::next_customer(pass, each))
        bridge::guarded([&] {
            memory &here = bridge::current_memory();
            if (const auto seen = see(each.history, with.as_of, *days, with.by.days_per_unit, here))
                visit(each, *seen);
        });
}

// The counts that models are fitted to.
template <class Model> struct counts {
    static std::size_t initial_bytes() { return initial_population_bytes(); }
    static std::size_t count(std::span<std::byte> state, const customer_seen &seen, const terms &with) {
        return count_customer(state, seen.purchases, with);
    }
    static std::size_t merge(std::span<std::byte> state, byte_span other) { return merge_population(state, other); }
    static terms terms_of(byte_span state) { return terms_of_population(state); }
};
template <> struct counts<gamma_gamma> {
    static std::size_t initial_bytes() { return initial_spendings_bytes(); }
    static std::size_t count(std::span<std::byte> state, const customer_seen &seen, const terms &with) {
        return count_spending(state, seen.spending, with);
    }
    static std::size_t merge(std::span<std::byte> state, byte_span other) { return merge_spendings(state, other); }
    static terms terms_of(byte_span state) { return terms_of_spendings(state); }
};

template <class Model> flat_store *make_counts(bridge::order_pass *pass) {
    return bridge::in_context<flat_store>::make(pass->context, "pg_crm counts of customers",
                                                counts<Model>::initial_bytes());
}
template <class Model> void count(flat_store *into, const customer_seen &seen, const terms &with) {
    into->change([&](std::span<std::byte> state) { return counts<Model>::count(state, seen, with); });
}

// A model of counts, with their calendar; of gamma_gamma also the correlation, where there is one.
template <class Model> struct fit_result {
    fitted<Model> model;
    byte_span calendar;
    std::optional<double> correlation{};
};

// Throws 22023 when there is too little to fit a model to.
template <class Model> fit_result<Model> fit_counts(byte_span state, memory &in) {
    const terms with = counts<Model>::terms_of(state);
    if constexpr (std::is_same_v<Model, gamma_gamma>) {
        const spendings all(in, state);
        const double correlation = all.correlation();
        return {fit(all, with.wanted), with.calendar,
                std::isfinite(correlation) ? std::optional(correlation) : std::nullopt};
    } else {
        return {fit<Model>(population(in, state), with.wanted), with.calendar};
    }
}

} // namespace crm::lifetime
