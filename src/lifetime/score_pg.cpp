// SQL face of what the models say of one customer.
#include "lifetime/datum.hpp"
#include "lifetime/scores.hpp"

using namespace crm;
using namespace crm::bridge;
using namespace crm::lifetime;

namespace {

// Answers of one model and for one time ahead and discount, which a call site remembers once it has been asked often
// enough.
class kept_answers {
  public:
    template <class Compute>
    double get(FunctionCallInfo fcinfo, std::uint64_t model, double ahead, double yearly, const purchases_seen &seen,
               Compute compute) {
        const bool same = model == model_ && ahead == ahead_ && yearly == yearly_;
        asked_ = same ? asked_ + 1 : 0;
        model_ = model;
        ahead_ = ahead;
        yearly_ = yearly;
        if (asked_ < enough)
            return guarded(compute);
        if (answers_ == nullptr)
            answers_ = static_cast<remembered_answers *>(
                MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(remembered_answers)));
        else if (asked_ == enough)
            answers_->forget();
        return guarded([&] { return (*answers_)(seen, compute); });
    }

  private:
    static constexpr std::int64_t enough = 64;

    remembered_answers *answers_;
    std::int64_t asked_;
    std::uint64_t model_;
    double ahead_, yearly_;
};

// The last horizon that a call site was given, in days of a model's zone.
struct kept_horizon {
    std::uint64_t model;
    timestamp from;
    Interval length;
    double days;

    bool is(std::uint64_t of, timestamp at, const Interval *wanted) const {
        return model == of && from == at && std::memcmp(&length, wanted, sizeof length) == 0;
    }
};

// What a call site keeps from row to row.
template <class Model> struct score_site {
    kept_model<Model> *model;
    kept_model<gamma_gamma> *spending;
    kept_calendar *calendars;
    kept_answers answers;
    kept_horizon horizon;
};

// The history that was seen last in this session: a row is often asked several things, each at a site of its own.
struct seen_history {
    timestamp as_of;
    std::size_t history_bytes, calendar_bytes;
    std::byte history[1024], calendar[calendar_name::max_zone_bytes + 7];
    customer_seen seen;

    bool is(byte_span h, byte_span by, timestamp at) const {
        return as_of == at && std::ranges::equal(h, std::span(history).first(history_bytes)) &&
               std::ranges::equal(by, std::span(calendar).first(calendar_bytes));
    }
    void keep(byte_span h, byte_span by, timestamp at, const customer_seen &found) {
        if (h.size() > sizeof history || by.size() > sizeof calendar)
            return;
        as_of = at;
        history_bytes = h.size();
        calendar_bytes = by.size();
        std::ranges::copy(h, history);
        std::ranges::copy(by, calendar);
        seen = found;
    }
} last_history;

// One call whose arguments begin with a history and a model.
template <class Model> class history_call {
  public:
    history_call(FunctionCallInfo fcinfo, int as_of)
        : fcinfo_(fcinfo), site_(call_site<score_site<Model>>(fcinfo)),
          as_of_(datum<timestamp>::get(PG_GETARG_DATUM(as_of))),
          model_(kept_model<Model>::get(fcinfo, 1, site_.model)) {}

    const Model &parameters() const { return model_.value().parameters; }
    scorer<Model> model() const { return scorer<Model>(parameters()); }
    const model_calendar &by() const { return model_.value().calendar; }
    timestamp as_of() const { return as_of_; }

    // Nothing without a purchase by as_of.
    std::optional<customer_seen> see() const {
        const auto h = datum<history::view>::get(argument(0));
        if (last_history.is(h.bytes, by().bytes, as_of_))
            return last_history.seen;
        const history::summary all = guarded([&] { return history::read_summary({h.bytes}); });
        const calendar &days = open_days(std::min(all.first_entry, as_of_), std::max(all.last_entry, as_of_));
        const auto found = guarded([&] {
            memory &here = current_memory();
            return lifetime::see(all, h, as_of_, days, by().days_per_unit, here);
        });
        if (found)
            last_history.keep(h.bytes, by().bytes, as_of_, *found);
        return found;
    }
    // In units of the model, for a horizon given as an argument.
    double ahead(int i) const {
        const Interval *length = DatumGetIntervalP(argument(i));
        if (!site_.horizon.is(model_.serial(), as_of_, length)) {
            const local_span span = look_ahead(as_of_, length, open_days(as_of_, as_of_), "horizon");
            site_.horizon = {model_.serial(), as_of_, *length, static_cast<double>(span.days())};
        }
        return site_.horizon.days / by().days_per_unit;
    }
    // Of the same time zone.
    const gamma_gamma &spending(int i) const {
        const auto &found = kept_model<gamma_gamma>::get(fcinfo_, i, site_.spending).value();
        if (found.calendar.name.zone != by().name.zone)
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("models are of different time zones"),
                            errhint("Fit both with the same calendar.")));
        return found.parameters;
    }
    // What hangs on x, T, the model and these terms alone.
    template <class Compute>
    double remembered(const purchases_seen &seen, double ahead, double yearly, Compute compute) const {
        return site_.answers.get(fcinfo_, model_.serial(), ahead, yearly, seen, compute);
    }

  private:
    Datum argument(int i) const { return fcinfo_->args[i].value; }
    const calendar &open_days(timestamp first, timestamp last) const {
        return open_calendar(site_.calendars, fcinfo_->flinfo->fn_mcxt, by().bytes, first, last);
    }

    FunctionCallInfo fcinfo_;
    score_site<Model> &site_;
    timestamp as_of_;
    const kept_model<Model> &model_;
};

Datum pack_number(FunctionCallInfo fcinfo, std::optional<double> value) {
    if (!value)
        PG_RETURN_NULL();
    return Float8GetDatum(*value);
}

// Arguments: history, model, as_of.
template <class Model> Datum p_alive_of_history(FunctionCallInfo fcinfo) {
    const history_call<Model> call(fcinfo, 2);
    const auto seen = call.see();
    if (!seen)
        PG_RETURN_NULL();
    return Float8GetDatum(guarded([&] { return call.model().p_alive(seen->purchases); }));
}

// Arguments: history, model, as_of, horizon.
template <class Model> Datum expected_orders_of_history(FunctionCallInfo fcinfo) {
    const history_call<Model> call(fcinfo, 2);
    const double ahead = call.ahead(3);
    const auto seen = call.see();
    if (!seen)
        PG_RETURN_NULL();
    const scorer<Model> model = call.model();
    const double if_alive =
        call.remembered(seen->purchases, ahead, 0, [&] { return model.orders_if_alive(seen->purchases, ahead); });
    return Float8GetDatum(guarded([&] { return model.p_alive(seen->purchases) * if_alive; }));
}

// Arguments: history, model, as_of.
template <class Model> Datum next_order_of_history(FunctionCallInfo fcinfo) {
    const history_call<Model> call(fcinfo, 2);
    const auto seen = call.see();
    if (!seen)
        PG_RETURN_NULL();
    return pack(fcinfo, next_order(call.model(), seen->purchases, call.as_of(), call.by().days_per_unit));
}

// Arguments: history, model, as_of.
template <class Model> Datum churn_risk_of_history(FunctionCallInfo fcinfo) {
    const history_call<Model> call(fcinfo, 2);
    const auto seen = call.see();
    if (!seen)
        PG_RETURN_NULL();
    return CStringGetTextDatum(guarded([&] { return churn_risk(call.model().p_alive(seen->purchases)); }));
}

// Arguments: history, model, gamma_gamma, as_of, horizon, yearly discount.
template <class Model> Datum clv_of_history(FunctionCallInfo fcinfo) {
    const history_call<Model> call(fcinfo, 3);
    const double ahead = call.ahead(4);
    const discounting discount{checked_discount(PG_GETARG_FLOAT8(5)), call.by().days_per_unit};
    const gamma_gamma &spending = call.spending(2);
    const auto seen = call.see();
    const auto each = seen ? guarded([&] { return expected_order_value(spending, seen->spending); }) : std::nullopt;
    if (!each)
        PG_RETURN_NULL();
    const scorer<Model> model = call.model();
    const double if_alive = call.remembered(seen->purchases, ahead, discount.yearly, [&] {
        return discounted_orders_if_alive(model, seen->purchases, ahead, discount);
    });
    return Float8GetDatum(guarded([&] { return model.p_alive(seen->purchases) * if_alive * *each; }));
}

// One call whose arguments begin with x, t_x, t and a model.
template <class Model> struct summary_call {
    explicit summary_call(FunctionCallInfo fcinfo)
        : site(call_site<score_site<Model>>(fcinfo)), kept(kept_model<Model>::get(fcinfo, 3, site.model)),
          model(kept.value().parameters), seen(checked(fcinfo)) {}

    static purchases_seen checked(FunctionCallInfo fcinfo) {
        const std::int64_t x = PG_GETARG_INT64(0);
        const double t_x = PG_GETARG_FLOAT8(1), t = PG_GETARG_FLOAT8(2);
        return guarded([=] { return checked_summary(x, t_x, t); });
    }

    score_site<Model> &site;
    const kept_model<Model> &kept;
    scorer<Model> model;
    purchases_seen seen;
};

// Arguments: x, t_x, t, model.
template <class Model> Datum p_alive_of_summary(FunctionCallInfo fcinfo) {
    const summary_call<Model> call(fcinfo);
    return Float8GetDatum(guarded([&] { return call.model.p_alive(call.seen); }));
}

// Arguments: x, t_x, t, model, time ahead.
template <class Model> Datum expected_orders_of_summary(FunctionCallInfo fcinfo) {
    const double ahead = PG_GETARG_FLOAT8(4);
    if (!(ahead >= 0) || std::isinf(ahead))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("horizon must be finite and not negative"),
                        errdetail("The horizon is %g.", ahead)));
    const summary_call<Model> call(fcinfo);
    const double if_alive = call.site.answers.get(fcinfo, call.kept.serial(), ahead, 0, call.seen,
                                                  [&] { return call.model.orders_if_alive(call.seen, ahead); });
    return Float8GetDatum(guarded([&] { return call.model.p_alive(call.seen) * if_alive; }));
}

} // namespace

CRM_ENTRY_FOR_EACH_MODEL(p_alive, p_alive_of_history)
CRM_ENTRY_FOR_EACH_MODEL(p_alive_summary, p_alive_of_summary)
CRM_ENTRY_FOR_EACH_MODEL(expected_orders, expected_orders_of_history)
CRM_ENTRY_FOR_EACH_MODEL(expected_orders_summary, expected_orders_of_summary)
CRM_ENTRY_FOR_EACH_MODEL(next_order, next_order_of_history)
CRM_ENTRY_FOR_EACH_MODEL(churn_risk, churn_risk_of_history)
CRM_ENTRY_FOR_EACH_MODEL(clv, clv_of_history)

// Arguments: history, gamma_gamma, as_of.
CRM_ENTRY(crm_gamma_gamma_expected_order_value) {
    const history_call<gamma_gamma> call(fcinfo, 2);
    const auto seen = call.see();
    if (!seen)
        PG_RETURN_NULL();
    return pack_number(fcinfo, guarded([&] { return expected_order_value(call.parameters(), seen->spending); }));
}

// Arguments: x, mean, gamma_gamma.
CRM_ENTRY(crm_gamma_gamma_expected_order_value_summary) {
    const std::int64_t x = PG_GETARG_INT64(0);
    const double mean = PG_GETARG_FLOAT8(1);
    const auto &model =
        kept_model<gamma_gamma>::get(fcinfo, 2, call_site<score_site<gamma_gamma>>(fcinfo).model).value();
    return pack_number(fcinfo,
                       guarded([&] { return expected_order_value(model.parameters, checked_spending(x, mean)); }));
}
