// Customer portfolio management (CPM), as published by Japanese tools: who a customer is by the length and the worth of
// the relation, and whether it is still alive.
#pragma once

#include "history/history.hpp"

#include <optional>

namespace crm::rfm {

enum class cpm_class { first_time, infant, steady, trend, loyal };

struct cpm {
    cpm_class of;
    bool active;
};

struct cpm_limits {
    std::int32_t lapsed_after; // days since the last purchase from which on a customer is lapsed
    std::int32_t infant_below; // days between the first and the last purchase
    std::int32_t loyal_from;   // likewise
    decimal revenue;           // from which on a customer is trend or loyal rather than steady
};

// Nothing for somebody who had no purchase at as_of yet. 22023 when the limits contradict each other.
std::optional<cpm> portfolio(memory &in, history::view of, timestamp as_of, const cpm_limits &limits);

} // namespace crm::rfm
