// The formulas of the lifetime models against values in fifty digits, over the whole range of the parameters.
#include "lifetime_support.hpp"

#include "lifetime/panels.hpp"
#include "lifetime/special.hpp"

namespace crm::test {
namespace {

template <std::size_t count> struct reference {
    std::array<double, count> given;
    double value;
};

#include "lifetime_references.inc"

template <std::size_t count> std::string text_of(const std::array<double, count> &given) {
    std::ostringstream text;
    text.precision(17);
    for (const double each : given)
        text << each << ' ';
    return text.str();
}

// The largest relative error of all; values below `smallest` count as that.
template <std::size_t count, std::size_t rows, class Compute>
void expect_exact(const reference<count> (&table)[rows], double tolerance, Compute &&compute, double smallest = 0) {
    for (const auto &[given, value] : table) {
        const double found = std::apply(compute, given), error = std::abs(found - value);
        EXPECT_LE(error, tolerance * std::max(std::abs(value), smallest))
            << text_of(given) << "is " << value << ", found " << found;
    }
}

purchases_seen seen(double x, double t_x, double T) { return {static_cast<std::int64_t>(x), t_x, T}; }

TEST(LifetimeReferences, OrdersOfBgnbd) {
    expect_exact(bgnbd_orders, 1e-11,
                 [](double r, double alpha, double a, double b, double x, double t_x, double T, double t) {
                     return scorer<bgnbd>({r, alpha, a, b}).orders_if_alive(seen(x, t_x, T), t);
                 });
}

TEST(LifetimeReferences, LikelihoodOfBgnbd) {
    expect_exact(
        bgnbd_likelihoods, 1e-11,
        [](double r, double alpha, double a, double b, double x, double t_x, double T, double) {
            return log_likelihood_of(bgnbd{r, alpha, a, b}, {seen(x, t_x, T)});
        },
        1);
}

TEST(LifetimeReferences, LikelihoodOfMbgnbd) {
    expect_exact(
        mbgnbd_likelihoods, 1e-11,
        [](double r, double alpha, double a, double b, double x, double t_x, double T, double) {
            return log_likelihood_of(mbgnbd{r, alpha, a, b}, {seen(x, t_x, T)});
        },
        1);
}

TEST(LifetimeReferences, LikelihoodOfParetoNbd) {
    expect_exact(
        pareto_likelihoods, 1e-11,
        [](double r, double alpha, double s, double beta, double x, double t_x, double T, double) {
            return log_likelihood_of(pareto_nbd{r, alpha, s, beta}, {seen(x, t_x, T)});
        },
        1);
}

TEST(LifetimeReferences, AliveByBgnbd) {
    expect_exact(
        bgnbd_alive, 1e-11,
        [](double r, double alpha, double a, double b, double x, double t_x, double T, double) {
            return scorer<bgnbd>({r, alpha, a, b}).p_alive(seen(x, t_x, T));
        },
        1e-290);
}

TEST(LifetimeReferences, AliveByMbgnbd) {
    expect_exact(mbgnbd_alive, 1e-11,
                 [](double r, double alpha, double a, double b, double x, double t_x, double T, double) {
                     return scorer<mbgnbd>({r, alpha, a, b}).p_alive(seen(x, t_x, T));
                 });
}

TEST(LifetimeReferences, AliveByParetoNbd) {
    expect_exact(
        pareto_alive, 1e-11,
        [](double r, double alpha, double s, double beta, double x, double t_x, double T, double) {
            return scorer<pareto_nbd>({r, alpha, s, beta}).p_alive(seen(x, t_x, T));
        },
        1e-290);
}

TEST(LifetimeReferences, OrdersOfParetoNbd) {
    expect_exact(pareto_orders, 1e-13,
                 [](double r, double alpha, double s, double beta, double x, double t_x, double T, double t) {
                     return scorer<pareto_nbd>({r, alpha, s, beta}).orders_if_alive(seen(x, t_x, T), t);
                 });
}

TEST(LifetimeReferences, ExponentialIntegrals) {
    expect_exact(exponential_integrals, 1e-12, scaled_exponential_integral);
    EXPECT_NEAR(scaled_exponential_integral(3, 1e-320), 0.5, 1e-12);
    EXPECT_NEAR(scaled_exponential_integral(3, 0), 0.5, 1e-12);
    EXPECT_GT(scaled_exponential_integral(0.1, 1e-307), 1e200);
}

TEST(LifetimeReferences, LifetimesOfSubscriptions) {
    expect_exact(subscription_lifetimes, 1e-12, [](double alpha, double beta, double renewals, double discount) {
        return sbg_lifetime({alpha, beta}, static_cast<std::int64_t>(renewals), discount);
    });
}

TEST(LifetimeReferences, RisingFactorials) {
    expect_exact(
        risings, 1e-13, [](double base, double from, double to) { return rising_factorial(base, from, to).log; }, 1e-2);
    expect_exact(rising_derivatives, 1e-13,
                 [](double base, double from, double to) { return rising_factorial(base, from, to).derivative; });
}

TEST(LifetimeReferences, LogGammaAndDigamma) {
    expect_exact(
        log_gammas, 1e-14, [](double of) { return log_gamma(of).value; }, 1e-1);
    expect_exact(
        digammas, 1e-14, [](double of) { return log_gamma(of).derivative; }, 1e-1);
}

// Which makes its 15 nodes and weights the right ones.
TEST(GaussLegendre, IsExactForPolynomialsOfDegree29) {
    for (int degree = 0; degree < 30; ++degree) {
        double sum = degree == 0 ? gauss_legendre::weights[0] : 0;
        for (std::size_t i = 1; i < gauss_legendre::nodes.size(); ++i)
            for (const double node : {gauss_legendre::nodes[i], -gauss_legendre::nodes[i]})
                sum += gauss_legendre::weights[i] * std::pow(node, degree);
        EXPECT_NEAR(sum, degree % 2 == 0 ? 2.0 / (degree + 1) : 0, 1e-15);
    }
}

TEST(RisingFactorial, GrowsAsOneOrInPieces) {
    for (const double base : {1e-6, 0.3, 2.0, 1e5}) {
        growing_factorial pieces(base);
        for (const double end : {1.0, 2.0, 7.0, 7.0, 50.0, 400.0, 401.0, 90'000.0}) {
            const rising grown = pieces.up_to(end), whole = rising_factorial(base, 0, end);
            EXPECT_NEAR(grown.log, whole.log, 1e-13 * std::abs(whole.log) + 1e-13);
            EXPECT_NEAR(grown.derivative, whole.derivative, 1e-13 * whole.derivative);
        }
    }
}

} // namespace
} // namespace crm::test
