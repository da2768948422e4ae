// The one-pass doors of the lifetime slice that give rows: crm.lifetime_table and crm.model_check.
#include "lifetime/pass_pg.hpp"

#include "bridge/rows.hpp"
#include "bridge/settings.hpp"
#include "core/customer_rows.hpp"
#include "lifetime/holdout.hpp"
#include "lifetime/scores.hpp"

using namespace crm;
using namespace crm::bridge;
using namespace crm::lifetime;

namespace {

btyd_model model_argument(FunctionCallInfo fcinfo, int i) {
    return enum_from_datum<btyd_model>(needed_argument(fcinfo, i, "model"), btyd_model_labels);
}

// Runs work.operator()<Model>() for the model of that name.
template <class Work> void with_model(btyd_model name, Work &&work) {
    switch (name) {
    case btyd_model::bgnbd:
        return work.template operator()<bgnbd>();
    case btyd_model::mbgnbd:
        return work.template operator()<mbgnbd>();
    case btyd_model::pareto_nbd:
        return work.template operator()<pareto_nbd>();
    }
}

template <class Model> void warn_unless_ok(const fitted<Model> &fit, const char *model) {
    if (fit.verdict != status::ok)
        ereport(WARNING, (errmsg("model %s, fitted by %s, is %s", model, method_labels[static_cast<int>(fit.used)],
                                 status_labels[static_cast<int>(fit.verdict)]),
                          errdetail("Reason: %s.", fit.reason.c_str())));
}

// Fits a model of purchases, and tells what is wrong with it.
template <class Model> Model fit_and_warn(flat_store *customers, btyd_model name) {
    const auto found = guarded([&] {
        memory &here = current_memory();
        return fit_counts<Model>(customers->bytes(), here).model;
    });
    warn_unless_ok(found, btyd_model_labels[static_cast<int>(name)]);
    return found.parameters;
}

// Fits the model of spending; where there is too little for it, says so and gives nothing.
std::optional<gamma_gamma> fit_spending(flat_store *customers) {
    struct outcome {
        std::optional<fitted<gamma_gamma>> fit;
        short_text missing, detail;
    };
    const auto found = guarded([&]() -> outcome {
        memory &here = current_memory();
        try {
            return {fit_counts<gamma_gamma>(customers->bytes(), here).model, {}, {}};
        } catch (const error &problem) {
            return {{}, problem.message, problem.detail};
        }
    });
    if (!found.fit) {
        ereport(NOTICE, (errmsg("expected_order_value and clv are NULL: %s", found.missing.c_str()),
                         errdetail("%s", found.detail.c_str())));
        return std::nullopt;
    }
    warn_unless_ok(*found.fit, "gamma_gamma");
    return found.fit->parameters;
}

// A customer of the pass, and how many purchases.
struct kept_customer {
    customer_seen seen;
    std::int32_t orders;
};
using kept_customers = customer_rows<kept_customer>;

std::int32_t orders_until(purchases all, timestamp as_of) {
    const auto known = history::until(all, as_of).entries;
    return static_cast<std::int32_t>(std::ranges::count_if(known, std::not_fn(&purchase::is_refund)));
}

// What a pass over the customers leaves behind.
struct pass_counts {
    flat_store *customers, *spendings;
    kept_customers *rows;
    bool any = false;
};

pass_counts count_customers(order_pass *pass, const door_terms &with) {
    pass_counts all{make_counts<mbgnbd>(pass), make_counts<gamma_gamma>(pass),
                    in_context<kept_customers>::make(pass->context, "pg_crm customers", &pass->book)};
    const calendar *days = calendar_of(pass, with.by.name, with.as_of, with.as_of);
    const terms of_state = with.of_state();
    see_all(pass, with, days, [&](const customer &each, const customer_seen &seen) {
        count<mbgnbd>(all.customers, seen, of_state);
        count<gamma_gamma>(all.spendings, seen, of_state);
        all.rows->add(each, {seen, orders_until(each.history, with.as_of)});
        all.any = true;
    });
    guarded([&] { pass->book.pool().shrink(); });
    return all;
}

// What lifetime_table looks ahead to.
struct outlook {
    double ahead; // units
    discounting discount;
};

struct scores {
    double p_alive, expected_orders;
    std::optional<timestamp> next;
    std::optional<double> order_value, clv;
};

// Scores the customers of a pass one by one.
template <class Model> class customer_scorer {
  public:
    customer_scorer(memory &, const Model &model, const std::optional<gamma_gamma> &spending, timestamp as_of,
                    const outlook &at)
        : model_(model), spending_(spending), as_of_(as_of), at_(at) {}

    scores operator()(const customer_seen &seen) {
        const purchases_seen &bought = seen.purchases;
        scores found{};
        found.p_alive = model_.p_alive(bought);
        found.expected_orders =
            found.p_alive * orders_(bought, [&] { return model_.orders_if_alive(bought, at_.ahead); });
        found.next = next_order(model_, bought, as_of_, at_.discount.days_per_unit);
        if (spending_)
            found.order_value = expected_order_value(*spending_, seen.spending);
        if (found.order_value)
            found.clv = found.p_alive * discounted(bought) * *found.order_value;
        return found;
    }

  private:
    double discounted(const purchases_seen &bought) {
        return discounted_(bought, [&] { return discounted_orders_if_alive(model_, bought, at_.ahead, at_.discount); });
    }

    scorer<Model> model_;
    std::optional<gamma_gamma> spending_;
    timestamp as_of_;
    outlook at_;
    remembered_answers orders_{}, discounted_{};
};

template <class Model>
void write_scores(row_writer &rows, order_pass *pass, kept_customers *kept, customer_scorer<Model> *score) {
    customer of;
    kept_customer row;
    while (guarded([&] { return kept->next(of, row); })) {
        const scores scored = guarded([&] { return (*score)(row.seen); });
        rows.write([&](Datum *values, bool *nulls) {
            values[0] = customer_datum(pass, of);
            values[1] = Int32GetDatum(row.orders);
            values[2] = Float8GetDatum(scored.p_alive);
            values[3] = Float8GetDatum(scored.expected_orders);
            values[4] = datum<timestamp>::put(scored.next.value_or(timestamp{}));
            values[5] = Float8GetDatum(scored.order_value.value_or(0));
            values[6] = Float8GetDatum(scored.clv.value_or(0));
            values[7] = CStringGetTextDatum(churn_risk(scored.p_alive));
            nulls[4] = !scored.next;
            nulls[5] = !scored.order_value;
            nulls[6] = !scored.clv;
        });
    }
}

} // namespace

// Arguments: query, calendar, as_of, horizon, model, method, yearly discount; where there is a key, it has as_of's
// place, and as_of is last.
CRM_ENTRY(crm_lifetime_table) {
    const auto with = door_terms::get(fcinfo, PG_NARGS() == 8 ? 7 : 2, 5);
    const Interval *horizon = DatumGetIntervalP(needed_argument(fcinfo, 3, "horizon"));
    const btyd_model name = model_argument(fcinfo, 4);
    const double yearly = checked_discount(DatumGetFloat8(needed_argument(fcinfo, 6, "yearly_discount")));
    const calendar *today = make_calendar(with.by.name, with.as_of, with.as_of, CurrentMemoryContext);
    const auto days = static_cast<double>(look_ahead(with.as_of, horizon, *today, "horizon").days());
    const outlook at{days / with.by.days_per_unit, {yearly, with.by.days_per_unit}};
    row_writer rows(fcinfo);
    order_pass *pass = read_orders(query_argument(fcinfo), rows.column_type(0));
    const pass_counts all = count_customers(pass, with);
    if (all.any)
        with_model(name, [&]<class Model>() {
            const auto model = fit_and_warn<Model>(all.customers, name);
            const auto spending = fit_spending(all.spendings);
            rows.allow_memory(memory_budget() / 4 * 3); // the pass needs less than a quarter from here on
            write_scores(rows, pass, all.rows,
                         in_context<customer_scorer<Model>>::make(pass->context, "pg_crm scores", model, spending,
                                                                  with.as_of, at));
        });
    finish(pass);
    return 0;
}

namespace {

// Calls write(name, bucket or NULL, cell) for all rows of a check.
template <class Write> void each_cell(const holdout_check &check, Write &&write) {
    const check_cell total = check.total();
    for (std::size_t repeats = 0; repeats < check.by_repeats().size(); ++repeats)
        if (check.by_repeats()[repeats].customers > 0)
            write("frequency", static_cast<std::int32_t>(repeats), check.by_repeats()[repeats]);
    for (std::size_t week = 0; week < check.by_week().size(); ++week) {
        check_cell cell = check.by_week()[week];
        cell.customers = total.customers;
        write("week", static_cast<std::int32_t>(week + 1), cell);
    }
    write("total", std::optional<std::int32_t>(), total);
}

void write_check(row_writer &rows, const holdout_check &check) {
    each_cell(check, [&](const char *breakdown, std::optional<std::int32_t> bucket, const check_cell &cell) {
        const auto error = cell.error();
        rows.write([&](Datum *values, bool *nulls) {
            values[0] = CStringGetTextDatum(breakdown);
            values[1] = Int32GetDatum(bucket.value_or(0));
            values[2] = Int64GetDatum(cell.customers);
            values[3] = Float8GetDatum(cell.expected);
            values[4] = Int64GetDatum(cell.actual);
            values[5] = Float8GetDatum(error.value_or(0));
            nulls[1] = !bucket;
            nulls[5] = !error;
        });
    });
}

// The holdout from as_of on; its end is not known yet.
local_span holdout_argument(FunctionCallInfo fcinfo, int i, const door_terms &with) {
    const Interval *length = DatumGetIntervalP(needed_argument(fcinfo, i, "holdout"));
    const calendar *today = make_calendar(with.by.name, with.as_of, with.as_of, CurrentMemoryContext);
    const local_span found = look_ahead(with.as_of, length, *today, "holdout");
    if (found.days() < 1 || found.days() > holdout::most_days)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("holdout must be 1 to %lld days", static_cast<long long>(holdout::most_days)),
                        errdetail("It is %lld days.", static_cast<long long>(found.days()))));
    return found;
}

holdout open_holdout(const order_pass *pass, const door_terms &with, const local_span &length, const calendar &days) {
    const timestamp end = guarded([&] { return days.zone().first_at_or_after(length.end); });
    if (pass->book.orders() > 0 && pass->book.last().us < end.us - 7 * microseconds_per_day)
        ereport(NOTICE, (errmsg("the holdout ends more than a week after the last order of the query"),
                         errhint("Where orders are still to come, the model will seem to expect too many.")));
    return {with.as_of, end, length.days()};
}

} // namespace

// Arguments: query, calendar, model, calibration_end, holdout, method.
CRM_ENTRY(crm_model_check) {
    const auto with = door_terms::get(fcinfo, 3, 5);
    const btyd_model name = model_argument(fcinfo, 2);
    const local_span length = holdout_argument(fcinfo, 4, with);
    row_writer rows(fcinfo);
    order_pass *pass = read_orders(query_argument(fcinfo), InvalidOid);
    const timestamp latest{with.as_of.us + (length.days() + 2) * microseconds_per_day};
    const calendar *days = calendar_of(pass, with.by.name, with.as_of, latest);
    auto *check =
        in_context<holdout_check>::make(pass->context, "pg_crm holdout", open_holdout(pass, with, length, *days), days);
    flat_store *customers = make_counts<mbgnbd>(pass);
    const terms of_state = with.of_state();
    see_all(pass, with, days, [&](const customer &each, const customer_seen &seen) {
        count<mbgnbd>(customers, seen, of_state);
        check->count(each.history, seen.purchases);
    });
    if (check->total().customers > 0)
        with_model(name, [&]<class Model>() {
            const Model model = fit_and_warn<Model>(customers, name);
            guarded([&] {
                memory &here = current_memory();
                check->expect(model, population(here, customers->bytes()));
            });
            write_check(rows, *check);
        });
    finish(pass);
    return 0;
}
