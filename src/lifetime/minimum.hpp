// The smallest value of a smooth function of a few variables, with the curvature there.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace crm::lifetime {

inline constexpr std::size_t most_variables = 4;
using point = std::array<double, most_variables>;
using matrix = std::array<point, most_variables>;

class objective {
  public:
    explicit objective(std::size_t variables) : variables(variables) {}
    virtual ~objective() = default;

    // Its value, and its gradient, which must be exact.
    virtual double operator()(const point &at, point &gradient) const = 0;

    const std::size_t variables;
};

// Second derivatives, by differences of the gradient.
matrix curvature(const objective &of, const point &at);

// Of the symmetric matrix of the first `variables` rows and columns.
struct eigensystem {
    point values{};
    matrix vectors{}; // vectors[i] belongs to values[i]
};
eigensystem eigensystem_of(matrix symmetric, std::size_t variables);

struct minimum {
    point at{};
    double value = 0;
    bool converged = false;
    bool at_limit = false; // a variable ended on the edge of the box
};

// Newton's method from `start`, in the box of -limit to limit for each variable. Where the function is not convex, or
// hardly curved, it goes downhill by bounded steps.
minimum minimise(const objective &of, const point &start, double limit);

} // namespace crm::lifetime
