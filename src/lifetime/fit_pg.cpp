// SQL face of the fits: aggregates, and one pass over a query of orders.
#include "lifetime/pass_pg.hpp"

#include "bridge/state.hpp"

using namespace crm;
using namespace crm::bridge;
using namespace crm::lifetime;

namespace {

// What a call site keeps from row to row.
struct fit_site {
    kept_calendar *calendars;
    Oid label;
    method wanted;
};

// The method is the last argument, or missing: then it is automatic.
method method_argument(FunctionCallInfo fcinfo, int i) {
    if (PG_NARGS() <= i)
        return method::automatic;
    auto &site = call_site<fit_site>(fcinfo);
    if (const Oid label = PG_GETARG_OID(i); label != site.label) {
        site.wanted = enum_from_datum<method>(PG_GETARG_DATUM(i), method_labels);
        site.label = label;
    }
    return site.wanted;
}

bool is_any_null(FunctionCallInfo fcinfo) {
    return std::any_of(fcinfo->args + 1, fcinfo->args + PG_NARGS(), [](const NullableDatum &of) { return of.isnull; });
}

// Arguments: state, history, calendar, as_of, perhaps method.
template <class Model> Datum accumulate(FunctionCallInfo fcinfo) {
    if (is_any_null(fcinfo))
        return keep_state(fcinfo);
    const auto h = datum<history::view>::get(PG_GETARG_DATUM(1));
    const auto by = model_calendar::get(PG_GETARG_DATUM(2));
    const auto as_of = datum<timestamp>::get(PG_GETARG_DATUM(3));
    const terms with{as_of, by.bytes, method_argument(fcinfo, 4)};
    const history::summary all = guarded([&] { return history::read_summary({h.bytes}); });
    const calendar &days = open_calendar(call_site<fit_site>(fcinfo).calendars, fcinfo->flinfo->fn_mcxt, by.bytes,
                                         std::min(all.first_entry, as_of), std::max(all.last_entry, as_of));
    const auto seen = guarded([&] {
        memory &here = current_memory();
        return see(all, h, as_of, days, by.days_per_unit, here);
    });
    if (!seen)
        return keep_state(fcinfo);
    return change_state(fcinfo, counts<Model>::initial_bytes(),
                        [&](std::span<std::byte> state) { return counts<Model>::count(state, *seen, with); });
}

template <class Model> Datum combine(FunctionCallInfo fcinfo) {
    return merge_states(fcinfo, counts<Model>::initial_bytes(), counts<Model>::merge);
}

template <class Model> Datum pack_fit(FunctionCallInfo fcinfo, const fit_result<Model> &found) {
    std::optional<Datum> behind_customers;
    if constexpr (!std::is_same_v<Model, gamma_gamma>)
        behind_customers = Int64GetDatum(found.model.repeaters);
    else if (found.correlation)
        behind_customers = Float8GetDatum(*found.correlation);
    return model_row<Model>(fcinfo).fitted_from(found.model, found.calendar, behind_customers);
}

template <class Model> Datum finish_fit(FunctionCallInfo fcinfo) {
    const byte_span state = flat_state::to_read(fcinfo, 0);
    const auto found = guarded([&] {
        memory &here = current_memory();
        return fit_counts<Model>(state, here);
    });
    return pack_fit(fcinfo, found);
}

// Arguments: query, calendar, as_of, perhaps method.
template <class Model> Datum fit_query(FunctionCallInfo fcinfo) {
    const auto with = door_terms::get(fcinfo, 2, PG_NARGS() > 3 ? 3 : 0);
    order_pass *pass = read_orders(query_argument(fcinfo), InvalidOid);
    flat_store *all = make_counts<Model>(pass);
    const calendar *days = calendar_of(pass, with.by.name, with.as_of, with.as_of);
    const terms of_state = with.of_state();
    std::int64_t customers = 0;
    see_all(pass, with, days, [&](const customer &, const customer_seen &seen) {
        ++customers;
        count<Model>(all, seen, of_state);
    });
    if (customers == 0) {
        finish(pass);
        PG_RETURN_NULL();
    }
    const auto found = guarded([&] {
        memory &here = current_memory();
        return fit_counts<Model>(all->bytes(), here);
    });
    const Datum model = pack_fit(fcinfo, found);
    finish(pass);
    return model;
}

} // namespace

CRM_ENTRY(crm_btyd_accumulate) { return accumulate<bgnbd>(fcinfo); }
CRM_ENTRY(crm_btyd_combine) { return combine<bgnbd>(fcinfo); }
CRM_ENTRY_FOR_EACH_MODEL(finish, finish_fit)
CRM_ENTRY_FOR_EACH_MODEL(fit_query, fit_query)

CRM_ENTRY(crm_gamma_gamma_accumulate) { return accumulate<gamma_gamma>(fcinfo); }
CRM_ENTRY(crm_gamma_gamma_combine) { return combine<gamma_gamma>(fcinfo); }
CRM_ENTRY(crm_gamma_gamma_finish) { return finish_fit<gamma_gamma>(fcinfo); }
CRM_ENTRY(crm_gamma_gamma_fit_query) { return fit_query<gamma_gamma>(fcinfo); }

// Arguments: state, x, t_x, t, calendar, perhaps method.
CRM_ENTRY(crm_btyd_accumulate_summary) {
    if (is_any_null(fcinfo))
        return keep_state(fcinfo);
    const std::int64_t x = PG_GETARG_INT64(1);
    const double t_x = PG_GETARG_FLOAT8(2), t = PG_GETARG_FLOAT8(3);
    const terms with{{}, model_calendar::get(PG_GETARG_DATUM(4)).bytes, method_argument(fcinfo, 5)};
    return change_state(fcinfo, initial_population_bytes(), [=](std::span<std::byte> state) {
        return count_customer(state, checked_summary(x, t_x, t), with);
    });
}

// Arguments: state, x, mean, calendar.
CRM_ENTRY(crm_gamma_gamma_accumulate_summary) {
    if (is_any_null(fcinfo))
        return keep_state(fcinfo);
    const std::int64_t x = PG_GETARG_INT64(1);
    const double mean = PG_GETARG_FLOAT8(2);
    const terms with{{}, model_calendar::get(PG_GETARG_DATUM(3)).bytes, method::automatic};
    return change_state(fcinfo, initial_spendings_bytes(), [=](std::span<std::byte> state) {
        return count_spending(state, checked_spending(x, mean), with);
    });
}
