// Recency, frequency and monetary value of a customer, and their grades.
#pragma once

#include "core/decimal.hpp"
#include "core/types.hpp"
#include "history/history.hpp"

#include <array>
#include <optional>

namespace crm::rfm {

inline constexpr int max_grades = 9;

// What crm.rfm holds.
struct measures {
    std::int32_t recency;   // whole 24-hour days from the last purchase to as_of
    std::int32_t frequency; // purchases in the window
    decimal monetary;       // revenue in the window, less refunds
};

// The window that frequency and monetary value look at: (since, as_of]. Recency looks at everything up to as_of.
struct window {
    timestamp as_of;
    timestamp since;

    static constexpr timestamp lifetime{earliest_timestamp.us - 1};
    bool holds(timestamp at) const { return at > since && at <= as_of; }
};

std::int32_t recency_days(timestamp last_purchase, timestamp as_of);

// Nothing for somebody who had no purchase at as_of yet.
std::optional<measures> measure(purchases of, const window &in);
std::optional<measures> measure(history::view of, const window &in, memory &scratch);

// Cut points from the best grade down: bounds of recency that are still in the grade, amounts that reach it.
struct bands {
    int cuts = 0; // one less than there are grades
    std::array<std::int32_t, max_grades - 1> recency{}, frequency{};
    std::array<decimal, max_grades - 1> monetary{};

    int grades() const { return cuts + 1; }
};

// The five grades of the published Japanese table, for a window of one year and amounts in yen.
bands published_bands();

// 22023 when the cut points do not fall from grade to grade; equal neighbours leave a grade empty and are fine.
void check(const bands &of);

// 22023 unless 2 to 9.
void check_grades(std::int64_t grades);

// One digit for each of R, F and M: 543.
struct score {
    std::int32_t rfm;

    static score of(int r, int f, int m) { return {r * 100 + f * 10 + m}; }
    int r() const { return rfm / 100; }
    int f() const { return rfm / 10 % 10; }
    int m() const { return rfm % 10; }
};

bool is_score(std::int64_t rfm);

score grade(const measures &of, const bands &by);

} // namespace crm::rfm
