// How models cross into SQL and back, and what a call site keeps of them from row to row.
#pragma once

#include "bridge/composite.hpp"
#include "bridge/zone.hpp"
#include "history/datum.hpp"
#include "lifetime/fit.hpp"
#include "lifetime/predictions.hpp"

namespace crm::lifetime {

enum class btyd_model { bgnbd, mbgnbd, pareto_nbd };

// The labels of the SQL enums, in the order of the C++ ones.
inline constexpr const char *btyd_model_labels[] = {"bgnbd", "mbgnbd", "pareto_nbd"};
inline constexpr const char *method_labels[] = {"automatic", "maximum_likelihood", "map"};
inline constexpr const char *status_labels[] = {"ok", "low_data", "not_identified"};

template <class Enum, std::size_t count> Enum enum_from_datum(Datum value, const char *const (&labels)[count]) {
    const std::string_view label = DatumGetCString(DirectFunctionCall1(enum_out, value));
    return static_cast<Enum>(std::ranges::find(labels, label) - labels);
}

// The day or week, with its zone, that customers are seen by.
struct model_calendar {
    calendar_name name;
    byte_span bytes; // encoded
    double days_per_unit;

    // 22023 for other periods.
    static model_calendar get(Datum value) {
        const auto name = bridge::datum<calendar_name>::get(value);
        const auto *stored = reinterpret_cast<const struct varlena *>(PG_DETOAST_DATUM_PACKED(value));
        return {name, bridge::bytes_of(stored), bridge::guarded([&] { return lifetime::days_per_unit(name.period); })};
    }
};

// What a call site keeps from row to row, all zeros at first.
template <class Site> Site &call_site(FunctionCallInfo fcinfo) {
    FmgrInfo *site = fcinfo->flinfo;
    if (site->fn_extra == nullptr)
        site->fn_extra = MemoryContextAllocZero(site->fn_mcxt, sizeof(Site));
    return *static_cast<Site *>(site->fn_extra);
}

// The columns of a model in SQL: its parameters, for all but sbg a calendar, and what became of the fit.
template <class Model> inline constexpr bool has_calendar = !std::is_same_v<Model, sbg>;
template <class Model>
inline constexpr int model_columns = static_cast<int>(2 * Model::names.size()) + (has_calendar<Model> ? 8 : 6);

// A model out of a row; 22023 for parameters that no model has.
template <class Model> struct model_value {
    Model parameters;
    model_calendar calendar; // but for sbg

    static model_value get(Datum row) {
        const auto fields = bridge::row_fields<model_columns<Model>>::get(row);
        constexpr std::size_t parameters = Model::names.size();
        if (std::any_of(fields.nulls, fields.nulls + parameters + has_calendar<Model>, std::identity()))
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("parameters and calendar of a model must not be NULL")));
        parameter_array<Model> numbers;
        std::ranges::transform(fields.values, fields.values + parameters, numbers.begin(), DatumGetFloat8);
        const auto found = from_array<Model>(numbers);
        bridge::guarded([&] { check_parameters(found); });
        if constexpr (has_calendar<Model>)
            return {found, model_calendar::get(fields.values[parameters])};
        else
            return {found, {}};
    }
};

// Models hardly ever change from row to row, so the last one is kept with a copy of the argument that it came from.
template <class Model> class kept_model {
  public:
    static const kept_model &get(FunctionCallInfo fcinfo, int i, kept_model *&kept) {
        const auto *argument = comparable(reinterpret_cast<struct varlena *>(DatumGetPointer(PG_GETARG_DATUM(i))));
        if (kept == nullptr || !kept->is_of(argument)) {
            kept_model *const fresh = make(argument, fcinfo->flinfo->fn_mcxt);
            if (kept != nullptr)
                MemoryContextDelete(kept->memory_);
            kept = fresh;
        }
        return *kept;
    }
    const model_value<Model> &value() const { return value_; }
    // Tells models apart that were kept one after the other.
    std::uint64_t serial() const { return serial_; }

  private:
    // A pointer to memory, such as a variable of PL/pgSQL is, says nothing of what stands there.
    static const struct varlena *comparable(struct varlena *argument) {
        const bool is_pointer = VARATT_IS_EXTERNAL(argument) && !VARATT_IS_EXTERNAL_ONDISK(argument);
        return is_pointer ? pg_detoast_datum(argument) : argument;
    }

    bool is_of(const struct varlena *argument) const {
        const std::size_t size = VARSIZE_ANY(argument);
        return VARSIZE_ANY(source_) == size && std::memcmp(source_, argument, size) == 0;
    }

    // Everything that the value points to lies in a memory context of its own.
    static kept_model *make(const struct varlena *argument, MemoryContext parent) {
        MemoryContext memory =
            AllocSetContextCreateInternal(CurrentMemoryContext, "pg_crm model", ALLOCSET_SMALL_SIZES);
        const MemoryContext caller = MemoryContextSwitchTo(memory);
        auto *kept = static_cast<kept_model *>(palloc0(sizeof(kept_model)));
        static std::uint64_t made;
        kept->serial_ = ++made;
        kept->memory_ = memory;
        kept->source_ = static_cast<struct varlena *>(palloc(VARSIZE_ANY(argument)));
        std::memcpy(kept->source_, argument, VARSIZE_ANY(argument));
        kept->value_ = model_value<Model>::get(PointerGetDatum(kept->source_));
        MemoryContextSwitchTo(caller);
        MemoryContextSetParent(memory, parent);
        return kept;
    }

    std::uint64_t serial_;
    MemoryContext memory_;
    struct varlena *source_;
    model_value<Model> value_;
};

// A model as the call's result: fitted, or made from numbers, where all but the parameters is NULL.
template <class Model> class model_row {
  public:
    explicit model_row(FunctionCallInfo fcinfo) : shape_(bridge::result_row(fcinfo)) {}

    // The column behind the customers: repeaters, cancelled, or the correlation.
    Datum fitted_from(const fitted<Model> &fit, byte_span calendar, std::optional<Datum> behind_customers) {
        begin(fit.parameters, calendar);
        add(Float8GetDatum(fit.log_likelihood));
        add(Int64GetDatum(fit.customers));
        add(behind_customers);
        for (std::size_t i = 0; i < Model::names.size(); ++i)
            add(fit.standard_errors ? std::optional(Float8GetDatum(to_array(*fit.standard_errors)[i])) : std::nullopt);
        if constexpr (has_calendar<Model>)
            add_label(method_labels[static_cast<int>(fit.used)]);
        add(BoolGetDatum(fit.converged));
        add_label(status_labels[static_cast<int>(fit.verdict)]);
        add(fit.reason.empty() ? std::nullopt : std::optional(CStringGetTextDatum(fit.reason.c_str())));
        return finish();
    }
    Datum made_of(const Model &parameters, byte_span calendar) {
        begin(parameters, calendar);
        while (filled_ < model_columns<Model> - 2)
            add(std::nullopt);
        add_label(status_labels[static_cast<int>(status::ok)]);
        add(std::nullopt);
        return finish();
    }

  private:
    void begin(const Model &parameters, byte_span calendar) {
        for (const double each : to_array(parameters))
            add(Float8GetDatum(each));
        if constexpr (has_calendar<Model>)
            add(PointerGetDatum(cstring_to_text_with_len(reinterpret_cast<const char *>(calendar.data()),
                                                         static_cast<int>(calendar.size()))));
    }
    void add(std::optional<Datum> value) {
        nulls_[filled_] = !value;
        values_[filled_++] = value.value_or(0);
    }
    void add_label(const char *label) {
        const Oid type = TupleDescAttr(shape_, filled_)->atttypid;
        add(DirectFunctionCall2(enum_in, CStringGetDatum(label), ObjectIdGetDatum(type)));
    }
    Datum finish() { return HeapTupleGetDatum(heap_form_tuple(shape_, values_, nulls_)); }

    TupleDesc shape_;
    Datum values_[model_columns<Model>];
    bool nulls_[model_columns<Model>];
    int filled_ = 0;
};

// From an instant until some time has passed, as local times of a zone in microseconds.
struct local_span {
    std::int64_t begin, end;

    // The difference of the dates.
    std::int64_t days() const {
        return floor_divide(end, microseconds_per_day) - floor_divide(begin, microseconds_per_day);
    }
};
// 22023 when the length is negative, 22008 when it leads beyond all times.
local_span look_ahead(timestamp from, const Interval *length, const calendar &days, const char *name);

// 22023 unless it is 0 or more, and finite.
double checked_discount(double yearly);

} // namespace crm::lifetime

// One entry point of each model, for a function template over models.
#define CRM_ENTRY_FOR_EACH_MODEL(name, function)                                                                       \
    CRM_ENTRY(crm_bgnbd_##name) { return function<crm::lifetime::bgnbd>(fcinfo); }                                     \
    CRM_ENTRY(crm_mbgnbd_##name) { return function<crm::lifetime::mbgnbd>(fcinfo); }                                   \
    CRM_ENTRY(crm_pareto_nbd_##name) { return function<crm::lifetime::pareto_nbd>(fcinfo); }
