#include "repeat/ltv.hpp"

#include "core/flat.hpp"

#include "core/no_postgres.hpp"

namespace crm::repeat {
namespace {

constexpr char kind = 'L';

// As stored: a wide integer would ask for an alignment that a bytea does not have.
struct stored_ltv {
    std::int64_t as_of, customers, orders;
    std::uint64_t revenue_low;
    std::int64_t revenue_high;
    std::uint64_t time_low;
    std::int64_t time_high;
};
static_assert(sizeof(flat_head) + sizeof(stored_ltv) == ltv::state_bytes);

// More than any shop can come to, and little enough to be added to and rescaled without overflow.
constexpr std::int64_t most_orders = (std::int64_t{1} << 61) - 1;
constexpr wide_int most_money = static_cast<wide_int>(1) << 104;

wide_int wide(std::int64_t high, std::uint64_t low) { return static_cast<wide_int>(high) << 64 | low; }

lived since(timestamp first, timestamp as_of, std::int64_t orders, decimal revenue) {
    return {orders, revenue, static_cast<std::uint64_t>(as_of.us) - static_cast<std::uint64_t>(first.us)};
}

[[noreturn]] void throw_changed() {
    throw error(invalid_parameter_value, "as_of must be the same for all rows", {}, "Give as_of as a constant.");
}

} // namespace

std::optional<lived> lived_by(const history::summary &of, timestamp as_of) {
    if (of.orders() == 0)
        return lived{};
    if (of.last_entry > as_of)
        return std::nullopt;
    return since(of.first_purchase, as_of, of.orders(), of.revenue);
}

lived lived_by(purchases of, timestamp as_of) {
    amount_sum revenue;
    std::int64_t orders = 0;
    timestamp first{};
    for (const purchase &entry : history::until(of, as_of).entries) {
        revenue.add(entry.amount);
        if (!entry.is_refund() && orders++ == 0)
            first = entry.at;
    }
    return orders == 0 ? lived{} : since(first, as_of, orders, {revenue.minor(), of.scale});
}

ltv ltv::read(byte_span state) {
    const flat_head head = check_stored_flat_value(state, kind, sizeof(stored_ltv));
    const auto stored = load<stored_ltv>(state.data() + sizeof head);
    const ltv found{.as_of = {stored.as_of},
                    .customers = stored.customers,
                    .orders = stored.orders,
                    .revenue = {wide(stored.revenue_high, stored.revenue_low), head.scale},
                    .microseconds = wide(stored.time_high, stored.time_low)};
    if (found.customers < 0 || found.customers > found.orders || found.orders > most_orders ||
        found.revenue.minor > most_money || found.revenue.minor < -most_money || found.microseconds < 0 ||
        found.microseconds > most_money)
        throw_invalid_state("It holds impossible sums.");
    return found;
}

ltv ltv::read(byte_span state, timestamp as_of) {
    if (check_flat_value(state, kind, sizeof(stored_ltv)).count == 0)
        return {.as_of = as_of};
    const ltv found = read(state);
    if (found.as_of != as_of)
        throw_changed();
    return found;
}

void ltv::write(std::span<std::byte> state) const {
    const flat_head head{
        static_cast<std::uint8_t>(kind), flat_head::current_version, static_cast<std::uint8_t>(revenue.scale), {}, 1};
    const stored_ltv stored{as_of.us,
                            customers,
                            orders,
                            static_cast<std::uint64_t>(revenue.minor),
                            static_cast<std::int64_t>(revenue.minor >> 64),
                            static_cast<std::uint64_t>(microseconds),
                            static_cast<std::int64_t>(microseconds >> 64)};
    store(state.data(), head);
    store(state.data() + sizeof head, stored);
}

void ltv::add(const lived &one) {
    if (one.orders > 0)
        merge({as_of, 1, one.orders, {one.revenue.minor, one.revenue.scale}, one.microseconds});
}

void ltv::merge(const ltv &other) {
    if (other.as_of != as_of)
        throw_changed();
    revenue.add(other.revenue);
    customers += other.customers;
    orders += other.orders;
    microseconds += other.microseconds;
}

std::size_t merge_ltv(std::span<std::byte> state, byte_span other) {
    return merge_flat_value<ltv, &ltv::as_of>(state, other);
}

} // namespace crm::repeat
