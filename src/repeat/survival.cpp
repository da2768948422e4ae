#include "repeat/survival.hpp"

#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

#include <numbers>

namespace crm::repeat {
namespace {

constexpr char kind = 'S';

using table = flat_table<survival_time, survival_counts>;
using list = flat_list<survival_time, survival_counts>;

template <class Cells> std::size_t add_cells(std::span<std::byte> state, std::size_t count, Cells &&cells) {
    table to(state, kind, 0);
    const std::size_t needed = to.bytes_to_hold(count);
    if (needed > state.size())
        return needed;
    to.use_all_room();
    interrupt_poll poll;
    for (std::size_t i = 0; i < count; ++i) {
        poll();
        const table::entry next = cells(i);
        to.add(next.key, next.value);
    }
    return needed;
}

bool is_possible(const table::entry &cell) {
    return std::isfinite(cell.key.at) && !std::signbit(cell.key.at) && cell.value.events >= 0 &&
           cell.value.censored >= 0 && (cell.value.events > 0 || cell.value.censored > 0);
}

std::int64_t everybody(const list &cells) {
    std::int64_t total = 0;
    interrupt_poll poll;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        poll();
        add_count(total, cells[i].value.events);
        add_count(total, cells[i].value.censored);
    }
    return total;
}

bool is_possible(const list &cells) {
    for (std::size_t i = 0; i < cells.size(); ++i)
        if (!is_possible(cells[i]))
            return false;
    return everybody(cells) >= 0;
}

} // namespace

std::size_t initial_survival_bytes() { return table::bytes_for(64, 0); }

std::size_t count_survival(std::span<std::byte> state, double duration, bool event) {
    if (!std::isfinite(duration) || duration < 0)
        throw error(invalid_parameter_value, "durations must be finite and not negative", {},
                    "Leave such rows out, or correct them.");
    duration += 0.0; // no negative zero
    return add_cells(state, 1, [=](std::size_t) {
        return table::entry{{duration}, {.events = event, .censored = !event}};
    });
}

std::size_t count_subscription(std::span<std::byte> state, std::int32_t deliveries, bool cancelled) {
    if (deliveries < 0 || deliveries > most_deliveries)
        throw error(invalid_parameter_value, short_text("deliveries must be 0 to ", most_deliveries),
                    short_text("There are ", deliveries, "."));
    if (deliveries == 0 && !cancelled)
        return 0; // nothing is known yet
    return count_survival(state, cancelled ? deliveries : deliveries - 1, cancelled);
}

std::size_t merge_survival(std::span<std::byte> state, byte_span survival) {
    const list from(survival, kind, 0);
    return add_cells(state, from.size(), [&](std::size_t i) { return from[i]; });
}

std::size_t merge_survival_state(std::span<std::byte> state, byte_span other) {
    byte_vector copy(other.begin(), other.end());
    const byte_vector finished = table(copy, kind, 0).finish(*copy.get_allocator().resource());
    return merge_survival(state, finished);
}

std::optional<byte_vector> finish_survival(std::span<std::byte> state, memory &in) {
    const table counted(state, kind, 0);
    return counted.empty() ? std::nullopt : std::optional(validated_survival(counted.finish(in), in));
}

byte_vector validated_survival(byte_span untrusted, memory &in) {
    try {
        const list cells(untrusted, kind, 0);
        if (cells.size() > 0 && cells.is_canonical() && cells.scale() == 0 && is_possible(cells))
            return byte_vector(untrusted.begin(), untrusted.end(), &in);
    } catch (const error &) {
        // one error for whatever is wrong with the bytes
    }
    throw error(invalid_binary_representation, "invalid representation of crm.survival", {},
                "Give what crm.survival printed or sent.");
}

// Newton's method on the logarithm of the upper tail. That is concave, so from above, where it starts because the tail
// is less than exp(-z²/2)/2, it comes down to the root without passing it. No approximation but the library's own erfc.
double normal_quantile(double confidence) {
    if (!(confidence > 0 && confidence < 1))
        throw error(invalid_parameter_value, "confidence must lie between 0 and 1", {}, "Give 0.95 for 95 percent.");
    const double tail = (1 - confidence) / 2;
    double z = std::sqrt(-2 * std::log(2 * tail));
    for (int i = 0; i < 100; ++i) {
        const double upper = std::erfc(z / std::numbers::sqrt2) / 2;
        const double density = std::exp(-z * z / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
        const double step = std::log(upper / tail) * upper / density;
        z += step;
        if (std::abs(step) < 1e-15)
            break;
    }
    return z;
}

survival_rows::survival_rows(memory &, byte_span survival, double confidence)
    : cells_(survival, kind, 0), quantile_(normal_quantile(confidence)), at_risk_(everybody(cells_)) {}

bool survival_rows::next(survival_row &found) {
    interrupt_poll poll;
    while (next_cell_ < cells_.size()) {
        poll();
        const auto [key, here] = cells_[next_cell_++];
        const std::int64_t at_risk = at_risk_;
        at_risk_ -= here.events + here.censored;
        if (here.events == 0)
            continue;
        estimate_.step(at_risk, here.events);
        found = {.at = key.at,
                 .at_risk = at_risk,
                 .events = here.events,
                 .survival = estimate_.survival(),
                 .se = estimate_.standard_error()};
        if (found.survival > 0 && found.survival < 1) {
            const double log_survival = std::log(found.survival);
            const double reach = std::exp(quantile_ * std::sqrt(estimate_.variance()) / -log_survival);
            found.lower = std::exp(log_survival * reach);
            found.upper = std::exp(log_survival / reach);
        }
        return true;
    }
    return false;
}

std::optional<double> survival_median(memory &in, byte_span survival) {
    survival_rows rows(in, survival, 0.5);
    survival_row row;
    while (rows.next(row))
        if (row.survival <= 0.5 * (1 + 1e-12)) // a product that is exactly a half need not come out so
            return row.at;
    return std::nullopt;
}

namespace {

// The lower limit of the hazard's interval of 95 percent by Wilson (1927): a high hazard among a few may be chance.
double surely_at_least(const renewal_row &row) {
    constexpr double z = 1.959963984540054;
    const auto n = static_cast<double>(row.at_risk);
    const double hazard = row.hazard(), middle = hazard + z * z / (2 * n);
    return (middle - z * std::sqrt(hazard * (1 - hazard) / n + z * z / (4 * n * n))) / (1 + z * z / n);
}

void mark_riskiest(std::span<renewal_row> rows, std::int32_t riskiest, memory &in) {
    std::pmr::vector<renewal_row *> by_risk(&in);
    for (renewal_row &each : rows)
        if (each.cancelled > 0)
            by_risk.push_back(&each);
    std::ranges::sort(by_risk, [](const renewal_row *a, const renewal_row *b) { // of equals, the earlier delivery first
        const double risk = surely_at_least(*a), other = surely_at_least(*b);
        return risk > other || (risk == other && a < b);
    });
    by_risk.resize(std::min<std::size_t>(by_risk.size(), static_cast<std::size_t>(riskiest)));
    for (renewal_row *each : by_risk)
        each->riskiest = true;
}

} // namespace

std::pmr::vector<renewal_row> renewal_rows(memory &in, byte_span survival, std::int32_t riskiest) {
    if (riskiest < 0)
        throw error(invalid_parameter_value, "number of the riskiest deliveries must not be negative",
                    short_text("It is ", riskiest, "."));
    const list cells(survival, kind, 0);
    std::pmr::vector<renewal_row> rows(&in);
    kaplan_meier estimate;
    std::int64_t at_risk = everybody(cells);
    std::int32_t delivery = 1;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const auto [key, here] = cells[i];
        if (key.at > most_deliveries || key.at != std::floor(key.at))
            throw error(invalid_parameter_value, "durations are no numbers of deliveries", {},
                        "Give what crm.renewal_hazard returned, or read it with crm.survival_rows.");
        const auto last = static_cast<std::int32_t>(key.at);
        if (last == 0 && here.events > 0)
            delivery = 0;
        for (; delivery <= last; ++delivery) {
            const std::int64_t cancelled = delivery == last ? here.events : 0;
            estimate.step(at_risk, cancelled);
            rows.push_back({delivery, at_risk, cancelled, estimate.survival(), false});
        }
        at_risk -= here.events + here.censored;
    }
    mark_riskiest(rows, riskiest, in);
    return rows;
}

} // namespace crm::repeat
