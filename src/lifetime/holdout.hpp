// Expected against actual orders in a time after the calibration: the check of a model that the papers make.
#pragma once

#include "core/interrupts.hpp"
#include "lifetime/population.hpp"
#include "lifetime/predictions.hpp"

namespace crm::lifetime {

struct holdout {
    static constexpr std::int64_t most_days = 36'500;

    timestamp calibration_end, end; // orders after the one up to the other
    std::int64_t days;

    std::size_t weeks() const { return static_cast<std::size_t>((days + 6) / 7); }
};

struct check_cell {
    std::int64_t customers = 0;
    double expected = 0;
    std::int64_t actual = 0;

    std::optional<double> error() const {
        return actual == 0 ? std::nullopt : std::optional(expected / static_cast<double>(actual) - 1);
    }
    void operator+=(const check_cell &other) {
        customers += other.customers;
        expected += other.expected;
        actual += other.actual;
    }
};

class holdout_check {
  public:
    static constexpr std::size_t most_repeats = 7; // this many or more share a cell

    // The calendar must cover all orders and the holdout.
    holdout_check(memory &in, const holdout &over, const calendar *days)
        : over_(over), days_(*days), begin_(local(over.calibration_end)), by_week_(over.weeks(), &in) {}

    // Counts the orders of somebody who was a customer at the end of the calibration, and seen like this. Orders of one
    // day are one, and none on a day with an order before.
    void count(purchases all, const purchases_seen &seen);
    // Adds what the model expects of all of them, in weeks alone and by the number of repeat orders.
    template <class Model> void expect(const Model &model, const population &calibration);

    std::span<const check_cell> by_repeats() const { return by_repeats_; }
    std::span<const check_cell> by_week() const { return by_week_; }
    check_cell total() const;

  private:
    std::int64_t local(timestamp at) const { return at.us + days_.zone().offset_at(at); }
    std::size_t cell_of(double repeats) const {
        return static_cast<std::size_t>(std::min(repeats, double{most_repeats}));
    }
    template <class Model>
    void expect(const scorer<Model> &model, const purchases_seen &seen, double customers, double days_per_unit);

    holdout over_;
    const calendar &days_;
    std::int64_t begin_; // local time in microseconds
    std::array<check_cell, most_repeats + 1> by_repeats_;
    std::pmr::vector<check_cell> by_week_;
};

template <class Model> void holdout_check::expect(const Model &model, const population &calibration) {
    const scorer<Model> scores(model);
    const auto times = calibration.times();
    const double scale = calibration.scale(), unit = calibration.days_per_unit();
    if (calibration.newcomers() > 0)
        expect(scores, {}, static_cast<double>(calibration.newcomers()), unit);
    for (const population::run &run : calibration.runs())
        for (const auto &group : calibration.groups().subspan(run.begin, run.end - run.begin)) {
            poll_interrupts();
            const auto repeats = static_cast<std::int64_t>(run.repeats);
            expect(scores, {repeats, times[group.last] * scale, times[group.age] * scale}, group.customers, unit);
        }
}

template <class Model>
void holdout_check::expect(const scorer<Model> &model, const purchases_seen &seen, double customers,
                           double days_per_unit) {
    const double there = customers * model.p_alive(seen);
    double before = 0;
    for (std::size_t week = 0; week < by_week_.size(); ++week) {
        const auto day =
            static_cast<double>(std::min<std::int64_t>(7 * (static_cast<std::int64_t>(week) + 1), over_.days));
        const double until = there * model.orders_if_alive(seen, day / days_per_unit);
        by_week_[week].expected += until - before;
        before = until;
    }
    by_repeats_[cell_of(static_cast<double>(seen.repeats))].expected += before;
}

} // namespace crm::lifetime
