// Gauss-Legendre integration in panels, for integrands e^g whose g is concave: narrow panels where g is steep, and an
// end where nothing is left. A single rule over the whole range is not safe, and an adaptive one much slower.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

namespace crm::lifetime {

// The rule of Gauss and Legendre for 15 nodes in [-1, 1]: that in the middle, and one half of the others.
struct gauss_legendre {
    static constexpr std::array<double, 8> nodes{0.0,
                                                 0.201194093997434522,
                                                 0.394151347077563370,
                                                 0.570972172608538848,
                                                 0.724417731360170047,
                                                 0.848206583410427216,
                                                 0.937273392400705904,
                                                 0.987992518020485428};
    static constexpr std::array<double, 8> weights{0.202578241925561273,  0.198431485327111576, 0.186161000015562211,
                                                   0.166269205816993934,  0.139570677926154314, 0.107159220467171935,
                                                   0.0703660474881081247, 0.0307532419961172684};
};

// How far g may fall before the rest counts as nothing.
inline constexpr double negligible_log = 41;

// Calls the integrand at the nodes of all panels from `from` to `to`:
//     slope(v)        of g
//     add(v, weight)  at a node
//     is_over(v)      whether nothing beyond v counts
template <class Integrand> void integrate(Integrand &integrand, double from, double to) {
    constexpr double widest = 3, steepest = 16; // measured: relative errors up to 5e-14
    constexpr auto &nodes = gauss_legendre::nodes, &weights = gauss_legendre::weights;
    for (double begin = from; begin < to && !integrand.is_over(begin);) {
        double width = std::min({widest, to - begin, steepest / std::abs(integrand.slope(begin))});
        width = std::min(width, steepest / std::abs(integrand.slope(begin + width)));
        const double half = width / 2, middle = begin + half;
        integrand.add(middle, half * weights[0]);
        for (std::size_t i = 1; i < nodes.size(); ++i) {
            integrand.add(middle - half * nodes[i], half * weights[i]);
            integrand.add(middle + half * nodes[i], half * weights[i]);
        }
        begin = to - begin > width ? begin + width : to;
    }
}

} // namespace crm::lifetime
