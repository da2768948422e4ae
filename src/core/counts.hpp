// Numbers of people: they add up without ever wrapping around, whatever a state called by hand holds.
#pragma once

#include "core/error.hpp"

namespace crm {

inline void add_count(std::int64_t &to, std::int64_t more) {
    if (__builtin_add_overflow(to, more, &to))
        throw error(numeric_value_out_of_range, "number of customers is out of range");
}

} // namespace crm
