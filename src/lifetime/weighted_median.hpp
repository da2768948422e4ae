// The median of values that stand for several.
#pragma once

#include "core/interrupts.hpp"

#include <compare>
#include <span>

namespace crm::lifetime {

struct weighted {
    double value = 0, weight = 0;
    friend auto operator<=>(const weighted &, const weighted &) = default;
};

// The first value that half of the weight does not exceed; sorts the values.
inline double weighted_median(std::span<weighted> values) {
    sort_with_polls(values);
    double total = 0, passed = 0;
    for (const weighted &each : values)
        total += each.weight;
    for (const weighted &each : values)
        if (passed += each.weight; 2 * passed >= total)
            return each.value;
    return 0;
}

} // namespace crm::lifetime
