#include "cohort/cohort.hpp"

#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

#include <utility>

namespace crm::cohort {
namespace {

constexpr char kind = 'C';

using table = flat_table<cell_key, cell>;
using list = flat_list<cell_key, cell>;

// What stands in front of the cells.
struct stored_terms {
    std::int64_t as_of;
    std::uint16_t calendar_bytes;
    std::byte calendar[calendar_name::max_zone_bytes + 7];

    static stored_terms of(const terms &with) {
        stored_terms stored{with.as_of.us, static_cast<std::uint16_t>(with.calendar.size()), {}};
        std::ranges::copy(with.calendar, stored.calendar);
        return stored;
    }
    bool operator==(const stored_terms &) const = default;
};

// Compares only what the terms fill: this stands in the way of every customer.
bool are_stored(const terms &with, byte_span fixed) {
    const auto front = load<std::int64_t>(fixed.data());
    const auto length = load<std::uint16_t>(fixed.data() + offsetof(stored_terms, calendar_bytes));
    return front == with.as_of.us && length == with.calendar.size() &&
           std::ranges::equal(fixed.subspan(offsetof(stored_terms, calendar), length), with.calendar);
}

stored_terms load_terms(byte_span cohorts) { return load<stored_terms>(cohorts.data() + sizeof(flat_head)); }

void scale_revenue(cell &of, std::int64_t factor) {
    wide_int scaled;
    if (__builtin_mul_overflow(of.revenue(), static_cast<wide_int>(factor), &scaled))
        throw_amount_overflow("revenue of a cohort");
    of.set_revenue(scaled);
}

// The cells of one customer, by age.
class customer_cells {
  public:
    customer_cells(std::size_t purchases, memory &in) : cells_(&in) {
        cells_.reserve(std::min<std::size_t>(purchases, 64)); // a few periods are the rule
    }

    void add(std::int32_t age, const cell &more) {
        const auto found = cells_.empty() || cells_.back().age < age
                               ? cells_.end()
                               : std::ranges::lower_bound(cells_, age, {}, &aged::age);
        if (found == cells_.end() || found->age != age)
            cells_.insert(found, {age, more});
        else
            found->value += more;
    }
    // Each customer counts once in a cell, and in one cell as the last purchase.
    void count_customer() {
        cell *last = nullptr;
        for (auto &[age, value] : cells_)
            if (value.orders > 0) {
                value.buyers = 1;
                last = &value;
            }
        last->last_purchases = 1;
    }

    struct aged {
        std::int32_t age;
        cell value;
    };
    std::span<const aged> all() const { return cells_; }

  private:
    std::pmr::vector<aged> cells_;
};

// Periods can step back by one where clocks are set back at midnight; nothing happens before the first purchase, so
// what a refund or such a clock puts there belongs to age 0.
customer_cells cells_of(purchases known, std::int64_t cohort, const calendar &ages, memory &scratch) {
    customer_cells cells(known.entries.size(), scratch);
    std::int32_t open_age = 0;
    cell open;
    interrupt_poll poll;
    for (const purchase &entry : known.entries) {
        poll();
        const auto age = static_cast<std::int32_t>(std::max<std::int64_t>(ages.period_index(entry.at) - cohort, 0));
        if (age != open_age) {
            cells.add(std::exchange(open_age, age), open);
            open = {};
        }
        open.set_revenue(open.revenue() + entry.amount);
        open.orders += !entry.is_refund();
    }
    cells.add(open_age, open);
    cells.count_customer();
    return cells;
}

void set_or_check_terms(table &to, const terms &wanted) {
    if (to.empty())
        store(to.fixed().data(), stored_terms::of(wanted));
    else if (!are_stored(wanted, to.fixed()))
        throw error(invalid_parameter_value, "cohorts of different calendars or dates cannot be merged", {},
                    "Give the same calendar and as_of for all customers.");
}

// Whether the cells can have come from purchases until as_of.
bool are_possible(const list &cells, const terms &with) {
    const calendar_period unit = decode_calendar(with.calendar)->period;
    const std::int64_t last_day = floor_divide(with.as_of.us, microseconds_per_day) + 1; // wherever it is
    for (std::size_t i = 0; i < cells.size();) {
        const std::int32_t cohort = cells[i].key.cohort;
        const std::size_t first = i;
        wide_int customers = 0, most_buyers = 0;
        for (; i < cells.size() && cells[i].key.cohort == cohort; ++i) {
            const auto &[key, value] = cells[i];
            const std::int64_t begin = unit.days > 1 ? unit.first_day(cohort, {}) + std::int64_t{key.age} * unit.days
                                                     : unit.first_day(std::int64_t{cohort} + key.age, {});
            if (key.age < 0 || begin > last_day || value.last_purchases < 0 || value.buyers < value.last_purchases ||
                value.orders < value.buyers)
                return false;
            customers += value.last_purchases;
            most_buyers = std::max<wide_int>(most_buyers, value.buyers);
        }
        if (cells[first].key.age != 0 || cells[first].value.buyers != customers || customers < 1 ||
            most_buyers > customers ||
            unit.first_day(cohort, {}) < earliest_timestamp.us / microseconds_per_day - 40'000)
            return false;
    }
    return true;
}

// Adds cells(i) for i up to count, at `scale`.
template <class Cells>
std::size_t add_cells(std::span<std::byte> state, const terms &with, std::size_t count, int scale, Cells &&cells) {
    table to(state, kind, sizeof(stored_terms));
    const std::size_t needed = to.bytes_to_hold(count);
    if (needed > state.size())
        return needed;
    to.use_all_room();
    set_or_check_terms(to, with);
    if (scale > to.scale())
        to.raise_scale(scale, scale_revenue);
    const std::int64_t factor = powers_of_ten[static_cast<std::size_t>(to.scale() - scale)];
    interrupt_poll poll;
    for (std::size_t i = 0; i < count; ++i) {
        poll();
        auto [key, value] = cells(i);
        if (factor != 1)
            scale_revenue(value, factor);
        to.add(key, value);
    }
    return needed;
}

} // namespace

std::size_t initial_bytes() { return table::bytes_for(64, sizeof(stored_terms)); }

std::size_t count(std::span<std::byte> state, purchases of, const terms &with, const calendar &periods,
                  memory &scratch) {
    const purchases known = history::until(of, with.as_of);
    const auto first = std::ranges::find_if(known.entries, [](const purchase &entry) { return !entry.is_refund(); });
    if (first == known.entries.end())
        return 0;
    const std::int64_t cohort = periods.period_index(first->at);
    const customer_cells cells = periods.period().days > 1
                                     ? cells_of(known, 0, periods.anchored_at(periods.local_date(first->at)), scratch)
                                     : cells_of(known, cohort, periods, scratch);
    const auto all = cells.all();
    return add_cells(state, with, all.size(), of.scale, [&](std::size_t i) {
        return table::entry{{static_cast<std::int32_t>(cohort), all[i].age}, all[i].value};
    });
}

std::size_t merge_list(std::span<std::byte> state, byte_span cohorts) {
    const list from(cohorts, kind, sizeof(stored_terms));
    if (from.size() == 0)
        return 0;
    return add_cells(state, terms_of(cohorts), from.size(), from.scale(), [&](std::size_t i) { return from[i]; });
}

std::size_t merge_state(std::span<std::byte> state, byte_span other) {
    byte_vector copy(other.begin(), other.end());
    const byte_vector finished = table(copy, kind, sizeof(stored_terms)).finish(*copy.get_allocator().resource());
    return merge_list(state, finished);
}

std::optional<byte_vector> finish(std::span<std::byte> state, memory &in) {
    const table counted(state, kind, sizeof(stored_terms));
    return counted.empty() ? std::nullopt : std::optional(validated(counted.finish(in), in));
}

byte_vector validated(byte_span untrusted, memory &in) {
    try {
        const list cells(untrusted, kind, sizeof(stored_terms));
        const stored_terms stored = load_terms(untrusted);
        const bool fits = stored.calendar_bytes <= sizeof stored.calendar;
        const byte_span calendar = std::span(stored.calendar).first(fits ? stored.calendar_bytes : 0);
        const bool known = cells.size() > 0 && is_finite({stored.as_of}) && decode_calendar(calendar);
        if (fits && known && cells.is_canonical() && stored == stored_terms::of({{stored.as_of}, calendar}) &&
            are_possible(cells, {{stored.as_of}, calendar}))
            return byte_vector(untrusted.begin(), untrusted.end(), &in);
    } catch (const error &) {
        // one error for whatever is wrong with the bytes
    }
    throw error(invalid_binary_representation, "invalid representation of crm.cohorts", {},
                "Give what crm.cohorts printed or sent.");
}

terms terms_of(byte_span cohorts) {
    const auto length = load_terms(cohorts).calendar_bytes;
    if (length > sizeof(stored_terms::calendar))
        throw_invalid_state("The name of its calendar is too long.");
    const std::byte *calendar = cohorts.data() + sizeof(flat_head) + offsetof(stored_terms, calendar);
    return {{load_terms(cohorts).as_of}, {calendar, length}};
}

stretch stretch_of(byte_span cohorts) {
    const list cells(cohorts, kind, sizeof(stored_terms));
    const terms with = terms_of(cohorts);
    if (cells.size() == 0)
        return {with.as_of, with.as_of};
    const std::int64_t day = decode_calendar(with.calendar)->period.first_day(cells[0].key.cohort, {});
    return {{std::max((day - 1) * microseconds_per_day, earliest_timestamp.us)}, with.as_of};
}

rows::rows(memory &, byte_span cohorts, const calendar *periods, retention kind)
    : cells_(cohorts, cohort::kind, sizeof(stored_terms)), as_of_(terms_of(cohorts).as_of),
      unit_(decode_calendar(terms_of(cohorts).calendar)->period), periods_(*periods), kind_(kind) {}

bool rows::open_cohort() {
    if (next_cell_ == cells_.size())
        return false;
    cohort_ = cells_[next_cell_].key.cohort;
    age_ = 0;
    customers_ = 0;
    cumulative_ = 0;
    for (std::size_t i = next_cell_; i < cells_.size() && cells_[i].key.cohort == cohort_; ++i)
        customers_ += cells_[i].value.last_purchases;
    yet_to_buy_ = customers_;
    return open_ = true;
}

// Runs of days begin with each customer's own first purchase: for the first customers on the first day of the cohort,
// and for the last ones on its last day.
bool rows::has_begun(std::int64_t age) const {
    if (unit_.days == 1)
        return periods_.period_begin(cohort_ + age) <= as_of_;
    const std::int64_t day = unit_.first_day(cohort_, {}) + age * unit_.days;
    return periods_.day_begin(day) <= as_of_;
}

bool rows::has_ended(std::int64_t age) const {
    if (unit_.days == 1)
        return has_begun(age + 1);
    const std::int64_t last_day = unit_.first_day(cohort_, {}) + unit_.days - 1 + (age + 1) * unit_.days;
    return periods_.day_begin(last_day) <= as_of_;
}

bool rows::next(row &found) {
    for (;; open_ = false) {
        if (!open_ && !open_cohort())
            return false;
        const bool more_cells = next_cell_ < cells_.size() && cells_[next_cell_].key.cohort == cohort_;
        if (!more_cells && !has_begun(age_))
            continue;
        const cell here = more_cells && cells_[next_cell_].key.age == age_ ? cells_[next_cell_++].value : cell{};
        const std::int64_t revenue = narrow(here.revenue(), "revenue of a cohort");
        cumulative_ += revenue;
        found = {.cohort = periods_.period_start_date(cohort_),
                 .age = age_,
                 .customers = customers_,
                 .retained = kind_ == retention::on ? here.buyers : yet_to_buy_,
                 .orders = here.orders,
                 .revenue = {revenue, cells_.scale()},
                 .cumulative_revenue = {narrow(cumulative_, "revenue of a cohort"), cells_.scale()},
                 .elapsed = has_ended(age_)};
        yet_to_buy_ -= here.last_purchases;
        ++age_;
        return true;
    }
}

} // namespace crm::cohort
