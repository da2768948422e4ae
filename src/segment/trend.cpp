#include "segment/trend.hpp"

#include "core/flat.hpp"
#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

#include <array>
#include <cmath>
#include <numeric>

namespace crm::segment {
namespace {

// Kendall's S: how many pairs rise less how many fall.
std::int64_t rises_less_falls(std::span<const observation> of) {
    std::int64_t sum = 0;
    interrupt_poll poll;
    for (std::size_t j = 1; j < of.size(); ++j)
        for (std::size_t i = 0; i < j; ++i) {
            poll();
            if (of[i].at < of[j].at)
                sum += (of[j].value > of[i].value) - (of[j].value < of[i].value);
        }
    return sum;
}

// What groups of equal values do to the variance of S.
struct tied {
    double pairs = 0, triples = 0, correction = 0;

    void add(double size) {
        pairs += size * (size - 1);
        triples += size * (size - 1) * (size - 2);
        correction += size * (size - 1) * (2 * size + 5);
    }
};
template <class Values> tied ties_of(const Values &sorted) {
    tied found;
    for (std::size_t begin = 0, end; begin < sorted.size(); begin = end) {
        end = begin + 1;
        while (end < sorted.size() && sorted[end] == sorted[begin])
            ++end;
        found.add(static_cast<double>(end - begin));
    }
    return found;
}

constexpr std::size_t most_exact = 20;

// Of all orders of n different values, the share whose S is at least as far from zero: from the numbers of orders by
// their inversions.
double exact_p_value(std::size_t n, std::int64_t rises_less_falls) {
    std::array<double, most_exact *(most_exact - 1) / 2 + 1> shares{1};
    const std::size_t pairs = n * (n - 1) / 2;
    for (std::size_t size = 2; size <= n; ++size) {
        double window = 0;
        std::array<double, shares.size()> next{};
        for (std::size_t k = 0; k <= size * (size - 1) / 2; ++k) {
            window += shares[k] - (k >= size ? shares[k - size] : 0);
            next[k] = window / static_cast<double>(size);
        }
        shares = next;
    }
    const auto fewest = static_cast<std::size_t>((static_cast<std::int64_t>(pairs) - std::abs(rises_less_falls)) /
                                                 2); // inversions of the clearer direction
    double tail = 0;
    for (std::size_t k = 0; k <= fewest; ++k)
        tail += shares[k];
    return std::min(1.0, 2 * tail);
}

double normal_p_value(double n, std::int64_t rises_less_falls, const tied &times, const tied &values) {
    const double all = n * (n - 1);
    double variance = (all * (2 * n + 5) - times.correction - values.correction) / 18;
    if (n > 2)
        variance += times.triples * values.triples / (9 * all * (n - 2));
    variance += times.pairs * values.pairs / (2 * all);
    if (rises_less_falls == 0 || variance <= 0)
        return 1;
    const double distance = (static_cast<double>(std::abs(rises_less_falls)) - 1) / std::sqrt(variance);
    return std::erfc(distance / std::sqrt(2.0));
}

double p_value(std::span<const observation> sorted, memory &in) {
    std::pmr::vector<double> times(&in), values(&in);
    for (const observation &each : sorted) {
        times.push_back(each.at);
        values.push_back(each.value);
    }
    std::ranges::sort(values);
    const tied time_ties = ties_of(times), value_ties = ties_of(values);
    const std::int64_t sum = rises_less_falls(sorted);
    if (time_ties.pairs == 0 && value_ties.pairs == 0 && sorted.size() <= most_exact)
        return exact_p_value(sorted.size(), sum);
    return normal_p_value(static_cast<double>(sorted.size()), sum, time_ties, value_ties);
}

} // namespace

double median(std::span<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return values.size() % 2 == 1 ? *middle : std::midpoint(*std::max_element(values.begin(), middle), *middle);
}

std::optional<trend> estimate_trend(std::span<const observation> sorted, memory &in) {
    std::pmr::vector<double> slopes(&in);
    slopes.reserve(sorted.size() * sorted.size() / 2);
    interrupt_poll poll;
    for (std::size_t j = 1; j < sorted.size(); ++j)
        for (std::size_t i = 0; i < j; ++i) {
            poll();
            if (sorted[i].at < sorted[j].at)
                slopes.push_back((sorted[j].value - sorted[i].value) / (sorted[j].at - sorted[i].at));
        }
    if (slopes.empty())
        return std::nullopt;
    return trend{median(slopes), p_value(sorted, in)};
}

std::optional<direction> direction_of(const std::optional<trend> &found, std::size_t observations) {
    constexpr std::size_t fewest = 4;
    constexpr double clear = 0.1;
    if (!found || observations < fewest)
        return std::nullopt;
    if (found->p_value > clear || found->slope == 0)
        return direction::steady;
    return found->slope > 0 ? direction::rising : direction::falling;
}

namespace {

constexpr char kind = 'T';

struct signal {
    timestamp at;
    double value;
};

signal load_signal(byte_span state, std::size_t i) {
    return load<signal>(state.data() + sizeof(flat_head) + i * sizeof(signal));
}

std::pmr::vector<signal> latest_signals(byte_span state, memory &in) {
    const flat_head head = check_flat(state, kind, sizeof(signal));
    std::pmr::vector<signal> all(&in);
    for (std::size_t i = 0; i < head.count; ++i) {
        all.push_back(load_signal(state, i));
        if (!is_finite(all.back().at) || !std::isfinite(all.back().value))
            throw_invalid_state("It holds an impossible observation.");
    }
    std::ranges::sort(all,
                      [](const signal &a, const signal &b) { return a.at != b.at ? a.at < b.at : a.value < b.value; });
    if (all.size() > most_observations)
        all.erase(all.begin(), all.end() - most_observations);
    return all;
}

std::size_t add(std::span<std::byte> state, const signal &one, memory &scratch) {
    flat_head head = check_flat(state, kind, sizeof(signal));
    if (head.count >= 2 * most_observations) {
        const auto latest = latest_signals(state, scratch);
        std::memcpy(state.data() + sizeof head, latest.data(), latest.size() * sizeof(signal));
        head.count = latest.size();
    }
    const std::size_t needed = signal_bytes(head.count + 1);
    if (needed > state.size())
        return needed;
    store(state.data() + sizeof head + head.count * sizeof one, one);
    ++head.count;
    store(state.data(), head);
    return needed;
}

} // namespace

std::size_t signal_bytes(std::size_t observations) { return sizeof(flat_head) + observations * sizeof(signal); }

std::size_t add_signal(std::span<std::byte> state, timestamp at, double value, memory &scratch) {
    constexpr double limit = 1e100; // so that no slope overflows
    if (!(std::abs(value) <= limit))
        throw error(numeric_value_out_of_range, "value of a signal is out of range", {},
                    "Leave NaN, infinity and values beyond 1e100 out.");
    return add(state, {at, value == 0 ? 0 : value}, scratch); // without a negative zero
}

std::size_t merge_signals(std::span<std::byte> state, byte_span other, memory &scratch) {
    const flat_head mine = check_flat(state, kind, sizeof(signal)), theirs = check_flat(other, kind, sizeof(signal));
    const std::size_t needed = signal_bytes(std::min(mine.count + theirs.count, 2 * most_observations));
    if (needed > state.size())
        return needed;
    for (std::size_t i = 0; i < theirs.count; ++i)
        add(state, load_signal(other, i), scratch);
    return needed;
}

std::optional<signal_summary> summarize_signals(memory &in, byte_span state) {
    const auto signals = latest_signals(state, in);
    if (signals.empty())
        return std::nullopt;
    std::pmr::vector<observation> points(&in);
    std::pmr::vector<double> values(&in);
    for (const signal &each : signals) {
        // The range of timestamps is wider than a signed number of microseconds.
        const auto since = static_cast<double>(static_cast<std::uint64_t>(each.at.us) -
                                               static_cast<std::uint64_t>(signals.front().at.us));
        points.push_back({since / static_cast<double>(microseconds_per_day), each.value});
        values.push_back(each.value);
    }
    return signal_summary{static_cast<std::int32_t>(points.size()), median(values), points.back().value,
                          estimate_trend(points, in)};
}

} // namespace crm::segment
