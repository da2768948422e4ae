// How far a customer is behind their own rhythm.
#pragma once

#include "history/history.hpp"
#include "segment/trend.hpp"

namespace crm::segment {

struct dormancy {
    explicit dormancy(memory &in) : reasons(&in) {}

    std::int32_t purchases = 0;
    double days_since = 0;
    std::optional<double> typical_days, days_overdue;
    std::int32_t gaps = 0; // that the rhythm and its trend are taken from
    std::optional<trend> gap_change;
    std::optional<direction> gap_direction;
    std::optional<double> score;
    std::pmr::vector<text_buffer> reasons;
};

// 22023 unless the typical days of the shop are a finite positive number.
void check_typical_days(double days);

// As the purchases were known at as_of; nothing when there was none. Where they are given, the typical days of the shop
// count as one gap more.
std::optional<dormancy> dormancy_of(memory &in, purchases all, timestamp as_of, std::optional<double> shop_days);

} // namespace crm::segment
