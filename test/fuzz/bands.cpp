// Grades by quantiles and by bands given by hand: bands of a population are in order, put every member into the grade
// of its rank, and grades never fall when a customer gets better.
#include "rfm/state.hpp"

#include "core/flat.hpp"
#include "fuzz.hpp"

using namespace crm;
using namespace crm::rfm;
using fuzz::attempt;
using fuzz::heap;

namespace {

measures some_customer(FuzzedDataProvider &numbers, int scale) {
    const bool small = numbers.ConsumeBool();
    const auto up_to = [&](std::int64_t little, std::int64_t much) {
        return numbers.ConsumeIntegralInRange<std::int64_t>(0, small ? little : much);
    };
    return {static_cast<std::int32_t>(up_to(9, 100'000'000)),
            static_cast<std::int32_t>(up_to(9, 2'147'483'646)),
            {up_to(9, std::numeric_limits<std::int64_t>::max() - 1) * (numbers.ConsumeBool() ? 1 : -1), scale}};
}

bool is_grade(int grade, const bands &by) { return grade >= 1 && grade <= by.grades(); }

void check_grades_of(const measures &of, const bands &by) {
    const score found = grade(of, by);
    REQUIRE(is_score(found.rfm));
    REQUIRE(is_grade(found.r(), by) && is_grade(found.f(), by) && is_grade(found.m(), by));
    measures better = of;
    better.recency /= 2;
    better.frequency += better.frequency < std::numeric_limits<std::int32_t>::max();
    better.monetary.minor += better.monetary.minor < std::numeric_limits<std::int64_t>::max();
    const score best = grade(better, by);
    REQUIRE(best.r() >= found.r() && best.f() >= found.f() && best.m() >= found.m());
}

// 1 + floor(grades × share of the population that is strictly worse).
template <class Worse> int grade_by_rank(const std::vector<measures> &all, int grades, Worse &&is_worse) {
    const auto worse = static_cast<std::size_t>(std::ranges::count_if(all, is_worse));
    return 1 + static_cast<int>(worse * static_cast<std::size_t>(grades) / all.size());
}

void check_quantiles(FuzzedDataProvider &numbers) {
    const int grades = numbers.ConsumeIntegralInRange(2, max_grades),
              scale = numbers.ConsumeIntegralInRange(0, max_scale);
    std::vector<measures> all;
    std::vector<std::byte> state(population_bytes(1));
    for (int left = numbers.ConsumeIntegralInRange(1, 30); left > 0; --left) {
        all.push_back(some_customer(numbers, scale));
        fuzz::change_state(state, [&](std::span<std::byte> to) { return append(to, all.back(), grades); });
    }
    const auto found = quantile_bands(heap(), state);
    REQUIRE(found && found->grades() == grades);
    check(*found);
    for (const measures &each : all) {
        const score graded = grade(each, *found);
        check_grades_of(each, *found);
        REQUIRE(graded.r() ==
                grade_by_rank(all, grades, [&](const measures &other) { return other.recency > each.recency; }));
        REQUIRE(each.frequency == 0 || graded.f() == grade_by_rank(all, grades, [&](const measures &other) {
                                           return other.frequency < each.frequency;
                                       }));
        REQUIRE(graded.m() == grade_by_rank(all, grades, [&](const measures &other) {
                    return other.monetary.minor < each.monetary.minor;
                }));
    }
}

void check_bands(FuzzedDataProvider &numbers) {
    bands by{.cuts = numbers.ConsumeIntegralInRange(1, max_grades - 1)};
    for (std::size_t i = 0; i < static_cast<std::size_t>(by.cuts); ++i) {
        by.recency[i] = numbers.ConsumeIntegral<std::int32_t>();
        by.frequency[i] = numbers.ConsumeIntegral<std::int32_t>();
        by.monetary[i] = {numbers.ConsumeIntegral<std::int64_t>(), numbers.ConsumeIntegralInRange(0, max_scale)};
    }
    if (numbers.ConsumeBool()) { // by chance they hardly ever are
        std::ranges::sort(by.recency.begin(), by.recency.begin() + by.cuts);
        std::ranges::sort(by.frequency.begin(), by.frequency.begin() + by.cuts, std::greater());
        std::ranges::sort(by.monetary.begin(), by.monetary.begin() + by.cuts,
                          [](decimal a, decimal b) { return compare(a, b) > 0; });
    }
    if (!attempt([&] {
            check(by);
            return true;
        }))
        return;
    for (int i = 0; i < 5; ++i)
        check_grades_of(some_customer(numbers, numbers.ConsumeIntegralInRange(0, max_scale)), by);
}

} // namespace

FUZZ(input) {
    auto numbers = fuzz::numbers_of(input);
    if (numbers.ConsumeBool())
        check_quantiles(numbers);
    else
        check_bands(numbers);
}
