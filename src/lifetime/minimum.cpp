#include "lifetime/minimum.hpp"

#include "core/no_postgres.hpp"

#include <algorithm>
#include <cmath>

namespace crm::lifetime {
namespace {

constexpr double longest_step = 2;

// One column after the other; the rows are made symmetric afterwards.
template <class Column> matrix symmetric_of(std::size_t variables, Column &&column) {
    matrix made{};
    for (std::size_t i = 0; i < variables; ++i)
        made[i] = column(i);
    for (std::size_t i = 0; i < variables; ++i)
        for (std::size_t j = 0; j < i; ++j)
            made[i][j] = made[j][i] = (made[i][j] + made[j][i]) / 2;
    return made;
}

point difference(const point &a, const point &b, double by) {
    point made{};
    for (std::size_t i = 0; i < made.size(); ++i)
        made[i] = (a[i] - b[i]) / by;
    return made;
}

// Half as dear as curvature(), and good enough to find the way.
matrix rough_curvature(const objective &of, const point &at, const point &gradient) {
    constexpr double step = 1e-5;
    return symmetric_of(of.variables, [&](std::size_t i) {
        point beside = at, gradient_beside{};
        beside[i] += step;
        of(beside, gradient_beside);
        return difference(gradient_beside, gradient, step);
    });
}

struct newton_step {
    point by{};
    double gain = 0; // expected
};

// Along each axis of the curvature by itself, so that one that is hardly curved does not disturb the others.
newton_step step_of(const eigensystem &axes, const point &gradient, std::size_t variables, double longest) {
    newton_step step;
    for (std::size_t axis = 0; axis < variables; ++axis) {
        double slope = 0;
        for (std::size_t i = 0; i < variables; ++i)
            slope += axes.vectors[axis][i] * gradient[i];
        if (slope == 0)
            continue;
        const double curved = std::abs(axes.values[axis]);
        const double length = std::abs(slope) < longest * curved ? std::abs(slope) / curved : longest;
        step.gain += length * std::abs(slope) / 2;
        for (std::size_t i = 0; i < variables; ++i)
            step.by[i] -= axes.vectors[axis][i] * std::copysign(length, slope);
    }
    return step;
}

class search {
  public:
    search(const objective &of, const point &start, double limit) : of_(of), limit_(limit) {
        for (std::size_t i = 0; i < of.variables; ++i)
            at_[i] = std::clamp(start[i], -limit, limit);
        value_ = of(at_, gradient_);
    }

    minimum run() {
        constexpr int most_steps = 200;
        constexpr double nothing = 1e-16; // of a function of about 1
        bool converged = false;
        for (int i = 0; i < most_steps && !converged; ++i) {
            if (!curvature_is_fresh_)
                look_around();
            const point downhill = free_gradient();
            const newton_step step = step_of(axes_, downhill, of_.variables, longest_);
            converged = step.gain < nothing * (1 + std::abs(value_));
            if (!try_step(step.by) && longest_ < 1e-10)
                break;
        }
        return {at_, value_, converged, is_at_limit()};
    }

  private:
    bool is_fixed(std::size_t i) const {
        return (at_[i] <= -limit_ && gradient_[i] > 0) || (at_[i] >= limit_ && gradient_[i] < 0);
    }
    bool is_at_limit() const {
        for (std::size_t i = 0; i < of_.variables; ++i)
            if (std::abs(at_[i]) >= limit_)
                return true;
        return false;
    }
    point free_gradient() const {
        point free{};
        for (std::size_t i = 0; i < of_.variables; ++i)
            free[i] = is_fixed(i) ? 0 : gradient_[i];
        return free;
    }
    void look_around() {
        matrix curved = rough_curvature(of_, at_, gradient_);
        for (std::size_t i = 0; i < of_.variables; ++i)
            for (std::size_t j = 0; j < of_.variables; ++j)
                if (is_fixed(i) || is_fixed(j))
                    curved[i][j] = i == j;
        axes_ = eigensystem_of(curved, of_.variables);
        curvature_is_fresh_ = true;
    }
    // Goes there unless it is higher.
    bool try_step(const point &by) {
        point next = at_, gradient{};
        for (std::size_t i = 0; i < of_.variables; ++i)
            next[i] = std::clamp(at_[i] + by[i], -limit_, limit_);
        const double value = of_(next, gradient);
        constexpr double noise = 1e-12; // the gradient sees finer than the value

        if (!(value <= value_ + noise * (1 + std::abs(value_)))) {
            longest_ = std::min(longest_, largest(by)) / 4;
            curvature_is_fresh_ = false; // it may be that of an earlier point
            return false;
        }
        curvature_is_fresh_ = largest(gradient) < 0.05 * largest(gradient_);
        longest_ = std::min(2 * longest_, longest_step);
        at_ = next;
        value_ = value;
        gradient_ = gradient;
        return true;
    }
    static double largest(const point &of) {
        double found = 0;
        for (const double each : of)
            found = std::max(found, std::abs(each));
        return found;
    }

    const objective &of_;
    double limit_, longest_ = longest_step;
    point at_{}, gradient_{};
    double value_ = 0;
    eigensystem axes_;
    bool curvature_is_fresh_ = false;
};

} // namespace

matrix curvature(const objective &of, const point &at) {
    constexpr double step = 1e-4;
    return symmetric_of(of.variables, [&](std::size_t i) {
        point before = at, after = at, gradient_before{}, gradient_after{};
        before[i] -= step;
        after[i] += step;
        of(before, gradient_before);
        of(after, gradient_after);
        return difference(gradient_after, gradient_before, 2 * step);
    });
}

// Jacobi's rotations.
eigensystem eigensystem_of(matrix a, std::size_t variables) {
    eigensystem found;
    for (std::size_t i = 0; i < variables; ++i)
        found.vectors[i][i] = 1;
    constexpr int enough_sweeps = 12; // they converge quadratically
    for (int sweep = 0; sweep < enough_sweeps; ++sweep)
        for (std::size_t i = 0; i < variables; ++i)
            for (std::size_t j = i + 1; j < variables; ++j) {
                if (a[i][j] == 0)
                    continue;
                const double angle = std::atan2(2 * a[i][j], a[j][j] - a[i][i]) / 2;
                const double c = std::cos(angle), s = std::sin(angle);
                const auto rotate = [=](double &x, double &y) {
                    const double turned = c * x - s * y;
                    y = s * x + c * y;
                    x = turned;
                };
                for (std::size_t k = 0; k < variables; ++k)
                    rotate(a[i][k], a[j][k]);
                for (std::size_t k = 0; k < variables; ++k) {
                    rotate(a[k][i], a[k][j]);
                    rotate(found.vectors[i][k], found.vectors[j][k]);
                }
            }
    for (std::size_t i = 0; i < variables; ++i)
        found.values[i] = a[i][i];
    return found;
}

minimum minimise(const objective &of, const point &start, double limit) { return search(of, start, limit).run(); }

} // namespace crm::lifetime
