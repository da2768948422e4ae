#include "rfm/state.hpp"

#include "core/flat.hpp"
#include "core/interrupts.hpp"
#include "rfm/quantiles.hpp"

#include "core/no_postgres.hpp"

namespace crm::rfm {
namespace {

constexpr char running_kind = 'R', population_kind = 'Q';

// As stored: a wide integer would ask for an alignment that a bytea does not have.
struct stored_running {
    std::int64_t as_of, since, last_purchase, purchases_seen, frequency;
    std::int64_t monetary_high;
    std::uint64_t monetary_low;
};
static_assert(sizeof(flat_head) + sizeof(stored_running) <= running::state_bytes);

// More than any number of orders can come to, and little enough to be added to and rescaled without overflow.
constexpr std::int64_t most_orders = (std::int64_t{1} << 62) - 1;
constexpr wide_int most_money = static_cast<wide_int>(1) << 105;

struct member {
    std::int32_t recency, frequency;
    std::int64_t monetary;
};

constexpr std::size_t population_front = sizeof(flat_head) + sizeof(std::int64_t); // the number of grades

member load_member(byte_span state, std::size_t i) {
    return load<member>(state.data() + population_front + i * sizeof(member));
}
void store_member(std::span<std::byte> state, std::size_t i, const member &of) {
    store(state.data() + population_front + i * sizeof(member), of);
}
std::int64_t grades_of(byte_span state) { return load<std::int64_t>(state.data() + sizeof(flat_head)); }

[[noreturn]] void throw_changed(std::string_view what) {
    throw error(invalid_parameter_value, short_text(what, " must be the same for all rows"), {},
                short_text("Give ", what, " as a constant."));
}

template <class Member>
std::size_t append_members(std::span<std::byte> state, std::size_t count, int scale, std::int64_t grades,
                           Member &&member_at) {
    flat_head head = check_flat(state, population_kind, sizeof(member), sizeof grades);
    const std::size_t needed = population_bytes(head.count + count);
    if (needed > state.size())
        return needed;
    if (head.count == 0)
        store(state.data() + sizeof head, grades);
    else if (grades_of(state) != grades)
        throw_changed("grades");
    interrupt_poll poll;
    if (scale > head.scale) {
        for (std::size_t i = 0; i < head.count; ++i) {
            poll();
            member each = load_member(state, i);
            each.monetary = rescale(each.monetary, head.scale, scale);
            store_member(state, i, each);
        }
        head.scale = static_cast<std::uint8_t>(scale);
    }
    for (std::size_t i = 0; i < count; ++i) {
        poll();
        member next = member_at(i);
        next.monetary = rescale(next.monetary, scale, head.scale);
        store_member(state, head.count++, next);
    }
    store(state.data(), head);
    return needed;
}

} // namespace

running running::read(byte_span state) {
    const flat_head head = check_stored_flat_value(state, running_kind, sizeof(stored_running));
    const auto stored = load<stored_running>(state.data() + sizeof head);
    const running found{
        .over = {{stored.as_of}, {stored.since}},
        .last_purchase = {stored.last_purchase},
        .frequency = stored.frequency,
        .purchases_seen = stored.purchases_seen,
        .monetary = {static_cast<wide_int>(stored.monetary_high) << 64 | stored.monetary_low, head.scale}};
    if (found.frequency < 0 || found.frequency > found.purchases_seen || found.purchases_seen > most_orders ||
        found.monetary.minor > most_money || found.monetary.minor < -most_money || !is_finite(found.last_purchase))
        throw_invalid_state("It holds impossible measures.");
    return found;
}

running running::read(byte_span state, const window &in) {
    if (check_flat_value(state, running_kind, sizeof(stored_running)).count == 0)
        return {.over = in};
    const running found = read(state);
    if (found.over.as_of != in.as_of)
        throw_changed("as_of");
    if (found.over.since != in.since)
        throw_changed("span");
    return found;
}

void running::write(std::span<std::byte> state) const {
    const flat_head head{static_cast<std::uint8_t>(running_kind),
                         flat_head::current_version,
                         static_cast<std::uint8_t>(monetary.scale),
                         {},
                         1};
    const stored_running stored{over.as_of.us,
                                over.since.us,
                                last_purchase.us,
                                purchases_seen,
                                frequency,
                                static_cast<std::int64_t>(monetary.minor >> 64),
                                static_cast<std::uint64_t>(monetary.minor)};
    store(state.data(), head);
    store(state.data() + sizeof head, stored);
}

void running::add(timestamp at, decimal amount) {
    if (at > over.as_of)
        return;
    if (amount.minor >= 0) {
        ++purchases_seen;
        last_purchase = std::max(last_purchase, at);
    }
    if (!over.holds(at))
        return;
    frequency += amount.minor >= 0;
    monetary.add({amount.minor, amount.scale});
}

void running::merge(const running &other) {
    if (other.over.as_of != over.as_of)
        throw_changed("as_of");
    if (other.over.since != over.since)
        throw_changed("span");
    monetary.add(other.monetary);
    frequency += other.frequency;
    purchases_seen += other.purchases_seen;
    last_purchase = std::max(last_purchase, other.last_purchase);
}

std::optional<measures> running::finish() const {
    if (purchases_seen == 0)
        return std::nullopt;
    if (frequency > std::numeric_limits<std::int32_t>::max())
        throw error(numeric_value_out_of_range, "number of purchases is out of range");
    return measures{recency_days(last_purchase, over.as_of), static_cast<std::int32_t>(frequency),
                    monetary.total("sum of amounts")};
}

std::size_t merge_running(std::span<std::byte> state, byte_span other) {
    return merge_flat_value<running, &running::over>(state, other);
}

std::size_t population_bytes(std::size_t customers) { return population_front + customers * sizeof(member); }

std::size_t append(std::span<std::byte> population, const measures &of, int grades) {
    check_grades(grades);
    return append_members(population, 1, of.monetary.scale, grades, [&](std::size_t) {
        return member{of.recency, of.frequency, of.monetary.minor};
    });
}

std::size_t append_population(std::span<std::byte> population, byte_span other) {
    const flat_head head = check_flat(other, population_kind, sizeof(member), sizeof(std::int64_t));
    if (head.count == 0)
        return 0;
    return append_members(population, head.count, head.scale, grades_of(other),
                          [&](std::size_t i) { return load_member(other, i); });
}

std::optional<bands> quantile_bands(memory &in, byte_span population) {
    const flat_head head = check_flat(population, population_kind, sizeof(member), sizeof(std::int64_t));
    if (head.count == 0)
        return std::nullopt;
    check_grades(grades_of(population));
    const auto each = [&](auto visit) {
        interrupt_poll poll;
        for (std::size_t i = 0; i < head.count; ++i) {
            poll();
            const member of = load_member(population, i);
            visit(measure_values::of(of.recency, of.frequency, of.monetary));
        }
    };
    measure_ranges ranges;
    each([&](const measure_values &of) { ranges.add(of); });
    return quantile_bands(in, ranges, head.count, static_cast<int>(grades_of(population)), head.scale, each);
}

} // namespace crm::rfm
