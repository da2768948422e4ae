#include "lifetime/population.hpp"

#include "lifetime/parameters.hpp"
#include "lifetime/tally.hpp"
#include "lifetime/weighted_median.hpp"

#include "core/no_postgres.hpp"

#include <cmath>
#include <limits>

namespace crm::lifetime {
namespace {

struct seen_key {
    std::int64_t repeats;
    double last, age;

    static constexpr char kind = 'B';
    bool is_possible() const {
        return repeats >= 0 && repeats <= most_repeats && (last > 0) == (repeats > 0) && !std::signbit(last) &&
               age >= last && age <= longest_age && !std::signbit(age);
    }
    friend auto operator<=>(const seen_key &, const seen_key &) = default;
};
using seen_tally = tally<seen_key>;

// The different times, each with a place in the order of first use.
class time_places {
  public:
    time_places(std::pmr::vector<double> &times, memory &in) : times_(times), slots_(1024, 0, &in) {}

    std::uint32_t operator()(double time) {
        if (2 * times_.size() >= slots_.size())
            grow();
        std::uint32_t &slot = slots_[place_of(time)];
        if (slot == 0) {
            times_.push_back(time);
            slot = static_cast<std::uint32_t>(times_.size());
        }
        return slot - 1;
    }

  private:
    std::size_t place_of(double time) const {
        std::size_t at = hash_of(time);
        for (;; ++at)
            if (const std::uint32_t slot = slots_[at & (slots_.size() - 1)]; slot == 0 || times_[slot - 1] == time)
                return at & (slots_.size() - 1);
    }
    void grow() {
        slots_.assign(2 * slots_.size(), 0);
        for (std::size_t i = 0; i < times_.size(); ++i)
            slots_[place_of(times_[i])] = static_cast<std::uint32_t>(i + 1);
    }

    std::pmr::vector<double> &times_;
    std::pmr::vector<std::uint32_t> slots_; // one more than the place; 0 is free
};

[[noreturn]] void throw_impossible(std::int64_t x, double t_x, double T) {
    const short_text detail("x is ", x, ", t_x ", number_text(t_x), " and T ", number_text(T), ".");
    if (x > 0 && t_x == 0)
        throw error(invalid_parameter_value, "a customer with repeat orders must have a t_x above 0", detail,
                    "Count orders of one day once: then x is 0.");
    throw error(invalid_parameter_value, "no customer can have this x, t_x and T", detail,
                "x is the number of repeat orders, t_x the time from the first to the last order, 0 without repeat "
                "orders, and T the time since the first order.");
}

} // namespace

std::size_t initial_population_bytes() { return seen_tally::initial_bytes(); }

std::size_t count_customer(std::span<std::byte> state, const purchases_seen &seen, const terms &with) {
    return seen_tally::count(state, {seen.repeats, seen.last, seen.age}, with);
}

terms terms_of_population(byte_span state) { return seen_tally::terms_of(state); }

std::size_t merge_population(std::span<std::byte> state, byte_span other) { return seen_tally::merge(state, other); }

purchases_seen checked_summary(std::int64_t x, double t_x, double T) {
    const seen_key key{x, t_x + 0.0, T + 0.0}; // no negative zero
    if (!key.is_possible())
        throw_impossible(x, t_x, T);
    return {key.repeats, key.last, key.age};
}

population::population(memory &in, byte_span state) : population(in) {
    const auto entries = seen_tally::sorted(state, in);
    if (!entries.empty())
        days_per_unit_ = lifetime::days_per_unit(period_of(seen_tally::terms_of(state)));
    groups_.reserve(entries.size());
    time_places places(times_, in);
    interrupt_poll poll;
    for (const auto &[key, count] : entries) {
        poll();
        if (key.age == 0) {
            newcomers_ += count.number;
            continue;
        }
        add({places(key.last), places(key.age), static_cast<double>(count.number)}, static_cast<double>(key.repeats));
        customers_ += count.number;
        repeaters_ += key.repeats > 0 ? count.number : 0;
        oldest_age_ = std::max(oldest_age_, key.age);
    }
    scale_to_median_age(in);
}

void population::add(const group &found, double repeats) {
    if (runs_.empty() || runs_.back().repeats != repeats)
        runs_.push_back({repeats, groups_.size(), groups_.size(), 0});
    groups_.push_back(found);
    runs_.back().end = groups_.size();
    runs_.back().customers += found.customers;
    repeats_ += repeats * found.customers;
}

void population::scale_to_median_age(memory &in) {
    if (groups_.empty())
        return;
    std::pmr::vector<weighted> ages(times_.size(), &in);
    for (std::size_t i = 0; i < times_.size(); ++i)
        ages[i].value = times_[i];
    for (const group &each : groups_)
        ages[each.age].weight += each.customers;
    scale_ = weighted_median(ages);
    for (const run &each : runs_)
        for (std::size_t i = each.begin; i < each.end; ++i)
            if (each.repeats > 0 && times_[groups_[i].last] <= scale_ * each.repeats)
                quick_repeaters_ += static_cast<std::int64_t>(groups_[i].customers);
    for (double &time : times_)
        time /= scale_;
}

population population::sample(std::size_t size) const {
    population part(*resource());
    time_places places(part.times_, *resource());
    part.scale_ = scale_;
    part.days_per_unit_ = days_per_unit_;
    const double distance = static_cast<double>(customers_) / static_cast<double>(size);
    double passed = 0, next = distance / 2;
    for (const run &each : runs_)
        for (std::size_t i = each.begin; i < each.end; ++i) {
            passed += groups_[i].customers;
            const double picked = std::max(std::ceil((passed - next) / distance), 0.0);
            if (picked == 0)
                continue;
            next += picked * distance;
            part.customers_ += static_cast<std::int64_t>(picked);
            part.add({places(times_[groups_[i].last]), places(times_[groups_[i].age]), picked}, each.repeats);
        }
    return part;
}

} // namespace crm::lifetime
