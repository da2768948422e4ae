// The states of the rfm aggregates.
#pragma once

#include "rfm/rfm.hpp"

namespace crm::rfm {

// One customer's measures while the orders come in: of constant size, whatever their number.
struct running {
    window over;
    timestamp last_purchase = earliest_timestamp;
    std::int64_t frequency = 0;
    std::int64_t purchases_seen = 0; // at or before as_of, in the window or not
    scaled_sum monetary{};

    static constexpr std::size_t state_bytes = 16 + 72;

    // A state of zeros starts with the window given; later ones must agree with it (22023).
    static running read(byte_span state, const window &in);
    static running read(byte_span state);
    void write(std::span<std::byte> state) const;

    void add(timestamp at, decimal amount);
    void merge(const running &other);
    std::optional<measures> finish() const;
};

// Merges a state into another one, of the same size; returns 0, as it never grows.
std::size_t merge_running(std::span<std::byte> state, byte_span other);

// The measures of a population, for its quantiles.
std::size_t population_bytes(std::size_t customers = 64);
// Each returns how many bytes the state must have; when that is more than it has, nothing was changed.
std::size_t append(std::span<std::byte> population, const measures &of, int grades);
std::size_t append_population(std::span<std::byte> population, byte_span other);
// Nothing for a population of nobody.
std::optional<bands> quantile_bands(memory &in, byte_span population);

} // namespace crm::rfm
