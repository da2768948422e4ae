// The one-pass doors of the rfm slice: crm.rfm_table and crm.rfm_migration.
#include "rfm/datum.hpp"

#include "bridge/orders.hpp"
#include "bridge/rows.hpp"
#include "bridge/settings.hpp"
#include "rfm/map_pg.hpp"
#include "rfm/measured.hpp"

using namespace crm;
using namespace crm::bridge;
using rfm::bands;
using rfm::window;

namespace {

// How customers are graded and named: the last four arguments of both functions.
struct grading {
    bool quantiles;
    int grades;
    bands fixed;
    const rfm::segment_map *map; // null: no segments
};

// Arguments from i on: bands, grades, map.
grading grading_arguments(FunctionCallInfo fcinfo, int i) {
    if (!PG_ARGISNULL(i) && !PG_ARGISNULL(i + 1))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("bands and grades exclude each other"),
                        errhint("Give bands for fixed cut points, or grades for quantiles.")));
    grading found{};
    found.quantiles = !PG_ARGISNULL(i + 1);
    found.fixed = PG_ARGISNULL(i) ? rfm::published_bands() : rfm::bands_from_datum(PG_GETARG_DATUM(i));
    found.grades = found.quantiles ? PG_GETARG_INT32(i + 1) : found.fixed.grades();
    guarded([&] { rfm::check_grades(found.grades); });
    if (!PG_ARGISNULL(i + 2)) {
        found.map = rfm::segment_map::load(NameStr(*PG_GETARG_NAME(i + 2)));
        found.map->check_grades(found.grades);
    }
    return found;
}

timestamp as_of_argument(FunctionCallInfo fcinfo, int i) {
    if (PG_ARGISNULL(i))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("date to look back from must not be NULL")));
    return datum<timestamp>::get(PG_GETARG_DATUM(i));
}

// Measures everybody at the dates given.
template <std::size_t dates>
rfm::measured_customers<dates> *measure_all(order_pass *pass, const std::array<window, dates> &windows) {
    auto *measured =
        in_context<rfm::measured_customers<dates>>::make(pass->context, "pg_crm measured customers", &pass->book);
    customer each;
    while (next_customer(pass, each))
        guarded([&] { measured->add(each, windows); });
    guarded([&] { pass->book.pool().shrink(); });
    return measured;
}

template <std::size_t dates>
bands bands_at(const rfm::measured_customers<dates> *measured, std::size_t date, const grading &by) {
    if (!by.quantiles)
        return by.fixed;
    return guarded([&] { return measured->quantiles(date, by.grades); }).value_or(by.fixed);
}

void put_measures(Datum *values, const rfm::measures &of) {
    values[0] = Int32GetDatum(of.recency);
    values[1] = Int32GetDatum(of.frequency);
    values[2] = numeric_from_decimal(of.monetary);
}

void put_grades(Datum *values, bool *nulls, rfm::score of, const rfm::segment_map *map) {
    const int segment = map == nullptr ? -1 : map->number_of(of);
    values[0] = Int16GetDatum(of.r());
    values[1] = Int16GetDatum(of.f());
    values[2] = Int16GetDatum(of.m());
    values[3] = datum<rfm::score>::put(of);
    nulls[4] = segment < 0;
    values[4] = nulls[4] ? Datum{0} : map->name(segment);
}

} // namespace

// Arguments: query, as_of, span, bands, grades, map; where there is a key, it has as_of's place, and as_of is last.
CRM_ENTRY(crm_rfm_table) {
    const int as_of = PG_NARGS() == 7 ? 6 : 1;
    const std::array<window, 1> windows{rfm::window_of(as_of_argument(fcinfo, as_of), rfm::span_argument(fcinfo, 2))};
    const grading by = grading_arguments(fcinfo, 3);
    row_writer rows(fcinfo);
    order_pass *pass = read_orders(query_argument(fcinfo), rows.column_type(0));
    auto *measured = measure_all(pass, windows);
    const bands cuts = bands_at(measured, 0, by);
    rows.allow_memory(memory_budget() / 4 * 3); // the pass needs less than a quarter from here on

    rfm::measured_customer<1> row;
    customer of;
    while (guarded([&] { return measured->next(of, row); })) {
        const rfm::measures measures = measured->measures_of(row, 0);
        rows.write([&](Datum *values, bool *nulls) {
            values[0] = customer_datum(pass, of);
            put_measures(values + 1, measures);
            put_grades(values + 4, nulls + 4, rfm::grade(measures, cuts), by.map);
        });
    }
    finish(pass);
    return 0;
}

namespace {

// How many customers went from each segment to each; the last number of each side stands for no customer yet.
class migration {
  public:
    migration(memory &in, int segments)
        : sides_(static_cast<std::size_t>(segments) + 1), counts_(sides_ * sides_, 0, &in) {}

    void count(int from, int to) { ++counts_[place(from) * sides_ + place(to)]; }
    std::int64_t of(int from, int to) const { return counts_[place(from) * sides_ + place(to)]; }

  private:
    std::size_t place(int segment) const { return segment < 0 ? sides_ - 1 : static_cast<std::size_t>(segment); }

    std::size_t sides_;
    std::pmr::vector<std::int64_t> counts_;
};

constexpr int nobody = -1;

migration *count_moves(order_pass *pass, const rfm::measured_customers<2> *measured, const bands (&cuts)[2],
                       const rfm::segment_map *map) {
    auto *moves = in_context<migration>::make(pass->context, "pg_crm migration", map->segments());
    guarded([&] {
        measured->each([&](const customer &, const rfm::measured_customer<2> &row) {
            int segments[2];
            for (std::size_t date = 0; date < 2; ++date)
                segments[date] = row.at[date].is_customer()
                                     ? map->number_of(rfm::grade(measured->measures_of(row, date), cuts[date]))
                                     : nobody;
            moves->count(segments[0], segments[1]);
        });
    });
    return moves;
}

} // namespace

// Arguments: query, from_date, to_date, span, bands, grades, map.
CRM_ENTRY(crm_rfm_migration) {
    const timestamp from = as_of_argument(fcinfo, 1), to = as_of_argument(fcinfo, 2);
    const std::array<window, 2> windows{rfm::window_of(from, rfm::span_argument(fcinfo, 3)),
                                        rfm::window_of(to, rfm::span_argument(fcinfo, 3))};
    const grading by = grading_arguments(fcinfo, 4);
    if (from > to || by.map == nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 by.map == nullptr ? errmsg("map must not be NULL") : errmsg("from_date must not be after to_date")));
    row_writer rows(fcinfo);
    order_pass *pass = read_orders(query_argument(fcinfo), InvalidOid);
    auto *measured = measure_all(pass, windows);
    const bands cuts[2] = {bands_at(measured, 0, by), bands_at(measured, 1, by)};
    const migration *moves = count_moves(pass, measured, cuts, by.map);

    for (int before = nobody; before < by.map->segments(); ++before)
        for (int after = 0; after < by.map->segments(); ++after) {
            const std::int64_t customers = moves->of(before, after);
            if (customers > 0)
                rows.write([&](Datum *values, bool *nulls) {
                    nulls[0] = before == nobody;
                    values[0] = nulls[0] ? Datum{0} : by.map->name(before);
                    values[1] = by.map->name(after);
                    values[2] = Int64GetDatum(customers);
                });
        }
    finish(pass);
    return 0;
}
