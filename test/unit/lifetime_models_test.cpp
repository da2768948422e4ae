// What the models say of a customer: published examples, identities, gradients, and no NaN from anything.
#include "lifetime_support.hpp"

namespace crm::test {
namespace {

// Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, table 2: 39 weeks of CDNOW.
constexpr bgnbd cdnow_bgnbd{0.243, 4.414, 0.793, 2.426};
// Fader & Hardie (2005), and the same paper's table 2.
constexpr pareto_nbd cdnow_pareto{0.553, 10.578, 0.606, 11.669};
constexpr mbgnbd cdnow_mbgnbd{0.525, 6.183, 0.891, 1.614};

template <class Model> class Purchases : public testing::Test {};
using models = testing::Types<bgnbd, mbgnbd, pareto_nbd>;
TYPED_TEST_SUITE(Purchases, models);

template <class Model> Model any_model(draw &random) {
    parameter_array<Model> numbers;
    for (double &each : numbers)
        each = std::exp(8 * random.uniform() - 4);
    return from_array<Model>(numbers);
}

purchases_seen any_purchases(draw &random) {
    purchases_seen seen;
    seen.repeats = random.uniform() < 0.4 ? 0 : static_cast<std::int64_t>(std::exp(6 * random.uniform()));
    seen.age = std::exp(8 * random.uniform() - 2);
    if (seen.repeats > 0)
        seen.last = random.uniform() < 0.2 ? seen.age : seen.age * random.uniform();
    return seen;
}

// The example of Fader, Hardie & Lee (2005) in their note on implementing the model in Excel.
TEST(Bgnbd, WorkedExample) {
    const double found = expected_orders(scorer<bgnbd>(cdnow_bgnbd), {2, 30.43, 38.86}, 39);
    EXPECT_NEAR(found, 1.226, 0.0005);
}

TEST(Bgnbd, KeepsOneTimeBuyersAlive) {
    EXPECT_EQ(scorer<bgnbd>(cdnow_bgnbd).p_alive({0, 0, 1000}), 1);
    EXPECT_LT(scorer<mbgnbd>(cdnow_mbgnbd).p_alive({0, 0, 1000}), 0.2);
    EXPECT_LT(scorer<pareto_nbd>(cdnow_pareto).p_alive({0, 0, 1000}), 0.2);
}

// By quadrature over the customer's posterior rate: orders are a Poisson process until the customer leaves.
TEST(ParetoNbd, DiscountedWithoutEndIsTheLimitOfFineSteps) {
    const scorer<pareto_nbd> model(cdnow_pareto);
    const purchases_seen seen{3, 20, 38};
    const double rate = 0.15 / 52;
    double sum = 0, before = 0;
    for (int day = 1; day <= 400'000; ++day) {
        const double until = model.orders_if_alive(seen, day / 7.0);
        sum += (until - before) * std::exp(-rate * (day - 0.5) / 7);
        before = until;
    }
    EXPECT_NEAR(model.discounted_orders_if_alive(seen, rate), sum, 1e-6 * sum);
}

TYPED_TEST(Purchases, GradientIsThatOfTheLikelihood) {
    draw random(2);
    for (int round = 0; round < 40; ++round) {
        std::vector<purchases_seen> customers;
        for (int i = 0; i < 20; ++i)
            customers.push_back(any_purchases(random));
        const population all = population_of(customers);
        const auto numbers = to_array(any_model<TypeParam>(random));
        parameter_array<TypeParam> gradient, unused;
        log_likelihood(from_array<TypeParam>(numbers), all, gradient);
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            const auto beside = [&](double by) {
                auto moved = numbers;
                moved[i] *= std::exp(by);
                return log_likelihood(from_array<TypeParam>(moved), all, unused);
            };
            constexpr double step = 1e-3; // differences of the fourth order
            const double slope =
                (8 * (beside(step) - beside(-step)) - (beside(2 * step) - beside(-2 * step))) / (12 * step);
            EXPECT_NEAR(gradient[i], slope,
                        1e-7 * (1 + std::abs(log_likelihood(from_array<TypeParam>(numbers), all, unused))));
        }
    }
}

// The likelihood is a density of the times of x orders, so it changes by the unit to the power of x.
TYPED_TEST(Purchases, DaysAndWeeksDifferByTheUnitOfTheOrders) {
    draw random(3);
    for (int round = 0; round < 40; ++round) {
        std::vector<purchases_seen> weeks, days;
        double repeats = 0;
        for (int i = 0; i < 20; ++i) {
            const purchases_seen seen = any_purchases(random);
            weeks.push_back(seen);
            days.push_back({seen.repeats, seen.last * 7, seen.age * 7});
            repeats += static_cast<double>(seen.repeats);
        }
        const TypeParam in_weeks = any_model<TypeParam>(random);
        auto numbers = to_array(in_weeks);
        numbers[1] *= 7;
        if constexpr (std::is_same_v<TypeParam, pareto_nbd>)
            numbers[3] *= 7;
        const auto in_days = from_array<TypeParam>(numbers);
        const double expected = log_likelihood_of(in_weeks, weeks);
        EXPECT_NEAR(log_likelihood_of(in_days, days) + repeats * std::log(7), expected, 1e-11 * std::abs(expected));
        for (std::size_t i = 0; i < weeks.size(); ++i) {
            const double orders = expected_orders(scorer<TypeParam>(in_weeks), weeks[i], 52);
            EXPECT_NEAR(expected_orders(scorer<TypeParam>(in_days), days[i], 364), orders, 1e-10 * orders);
        }
    }
}

// The sum over all numbers of repeat orders of a new customer, by the law of total expectation: what is expected of a
// newcomer over two times is what is expected over the first, and then of those that became of it. Here in its simplest
// form, over a short time in which at most one order comes.
TYPED_TEST(Purchases, OrdersOfNewcomersGrowAtTheMeanRate) {
    const TypeParam model = from_array<TypeParam>(to_array(cdnow_bgnbd));
    const scorer<TypeParam> scores(model);
    const double soon = 1e-6, first_rate = model.r / model.alpha;
    const double there = std::is_same_v<TypeParam, mbgnbd> ? 2.426 / (0.793 + 2.426) : 1;
    EXPECT_NEAR(scores.orders_of_newcomer(soon) / soon, there * first_rate, 1e-6);
    EXPECT_LT(scores.orders_of_newcomer(100), 100 * first_rate);
}

TYPED_TEST(Purchases, DiscountingIsBetweenNothingAndTheEnd) {
    constexpr discounting tenth{0.1, 7};
    draw random(4);
    for (int round = 0; round < 200; ++round) {
        const scorer<TypeParam> model(any_model<TypeParam>(random));
        const purchases_seen seen = any_purchases(random);
        const double plain = expected_orders(model, seen, 104);
        EXPECT_EQ(discounted_orders(model, seen, 104, {0, 7}), plain);
        const double discounted = discounted_orders(model, seen, 104, tenth);
        EXPECT_LE(discounted, plain);
        EXPECT_GE(discounted, plain * tenth.factor(104));
        EXPECT_EQ(discounted_orders(model, seen, 0, tenth), 0);
    }
    EXPECT_NEAR(tenth.factor(365.25 / 7), 1 / 1.1, 1e-15);
    EXPECT_NEAR((discounting{0.1, 1}.factor(2 * 365.25)), 1 / 1.21, 1e-15);
}

// Many steps are no other result than few.
TYPED_TEST(Purchases, MonthlyStepsAreFineEnough) {
    const scorer<TypeParam> model(from_array<TypeParam>(to_array(cdnow_bgnbd)));
    const purchases_seen seen{4, 30, 38};
    double sum = 0, before = 0;
    for (int day = 1; day <= 728; ++day) {
        const double until = expected_orders(model, seen, day / 7.0);
        sum += (until - before) * discounting{0.2, 7}.factor((day - 0.5) / 7);
        before = until;
    }
    EXPECT_NEAR(discounted_orders(model, seen, 104, {0.2, 7}), sum, 1e-4 * sum);
}

// Of a rate ~ Gamma(r + x, alpha + T), the chance of no order in the wait is ((alpha + T) / (alpha + T + wait))^(r +
// x).
TYPED_TEST(Purchases, HalfDoNotWaitLongerThanTheMedian) {
    draw random(5);
    for (int round = 0; round < 200; ++round) {
        const auto model = any_model<TypeParam>(random);
        const purchases_seen seen = any_purchases(random);
        const double since = model.alpha + seen.age, wait = median_wait(scorer<TypeParam>(model), seen);
        const double shape = model.r + static_cast<double>(seen.repeats);
        EXPECT_NEAR(std::exp(-shape * std::log1p(wait / since)), 0.5, 1e-12);
    }
    const scorer<TypeParam> rare(from_array<TypeParam>({1e-9, 1, 1, 1}));
    EXPECT_EQ(median_wait(rare, {0, 0, 10}), std::numeric_limits<double>::infinity());
}

TYPED_TEST(Purchases, NothingIsEverNan) {
    draw random(6);
    const double extremes[] = {smallest_parameter, 1e-5, 0.5, 1, 2, 1e5, largest_parameter};
    const auto pick = [&](const auto &from) {
        return from[static_cast<std::size_t>(random.uniform() * static_cast<double>(std::size(from)))];
    };
    const double ages[] = {0, 1e-3, 1, 52, 1e5, longest_age};
    const std::int64_t repeats[] = {0, 1, 2, 1000, 100'000, most_repeats};
    for (int round = 0; round < 4000; ++round) {
        parameter_array<TypeParam> numbers;
        for (double &each : numbers)
            each = pick(extremes);
        check_parameters(from_array<TypeParam>(numbers));
        purchases_seen seen{pick(repeats), 0, pick(ages)};
        if (seen.age == 0)
            seen.repeats = 0;
        if (seen.repeats > 0)
            seen.last = random.uniform() < 0.3 ? seen.age : seen.age * random.uniform();
        const scorer<TypeParam> model(from_array<TypeParam>(numbers));
        const double ahead = pick(ages);
        const double alive = model.p_alive(seen), orders = model.orders_if_alive(seen, ahead);
        EXPECT_TRUE(alive >= 0 && alive <= 1) << alive;
        EXPECT_TRUE(orders >= 0 && orders < std::numeric_limits<double>::infinity()) << orders;
        EXPECT_TRUE(model.orders_of_newcomer(ahead) >= 0);
        if (round % 50 == 0) { // up to 1200 times the work
            EXPECT_TRUE(discounted_orders(model, seen, ahead, {0.1, 7}) >= 0);
        }
        EXPECT_TRUE(median_wait(model, seen) > 0);
        const double rate = static_cast<double>(seen.repeats) + numbers[0];
        EXPECT_LE(orders, rate * (ahead / (numbers[1] + seen.age)) * (1 + 1e-9)); // had the customer stayed
    }
}

TEST(Parameters, MustBePositiveNumbers) {
    for (const double wrong : {0.0, -1.0, 1e11, 1e-11, std::nan(""), HUGE_VAL}) {
        EXPECT_ERROR(check_parameters(bgnbd{1, 1, wrong, 1}), invalid_parameter_value);
        EXPECT_ERROR(check_parameters(sbg{wrong, 1}), invalid_parameter_value);
    }
    try {
        check_parameters(pareto_nbd{1, 1, 1, -2.5});
    } catch (const error &thrown) {
        EXPECT_STREQ(thrown.what(), "parameter beta must lie between 1e-10 and 1e+10");
        EXPECT_STREQ(thrown.detail.c_str(), "It is -2.5.");
    }
}

// Fader & Hardie (2013), "The Gamma-Gamma Model of Monetary Value": p 6.25, q 3.74, gamma 15.44 for CDNOW, whose
// population mean is p gamma / (q - 1) = 35.2.
TEST(GammaGamma, ValueOfAnOrder) {
    const gamma_gamma cdnow{6.25, 3.74, 15.44};
    EXPECT_NEAR(*expected_order_value(cdnow, {}), 35.2, 0.05);
    // A weighted mean of that and the customer's own, the latter with p x / (p x + q - 1).
    const double weight = 6.25 * 2 / (6.25 * 2 + 2.74);
    EXPECT_NEAR(*expected_order_value(cdnow, {2, 22.345}), (1 - weight) * 6.25 * 15.44 / 2.74 + weight * 22.345, 1e-12);
    EXPECT_NEAR(*expected_order_value(cdnow, {100'000, 50}), 50, 1e-3);
}

TEST(GammaGamma, HasNoValueWhereTheMeanIsInfinite) {
    EXPECT_FALSE(expected_order_value({1, 1, 10}, {}));
    EXPECT_FALSE(expected_order_value({1, 0.5, 10}, {}));
    EXPECT_TRUE(expected_order_value({1, 0.5, 10}, {1, 5}));
    EXPECT_FALSE(expected_order_value({0.1, 0.5, 10}, {1, 5}));
}

TEST(GammaGamma, GradientIsThatOfTheLikelihood) {
    draw random(7);
    for (int round = 0; round < 40; ++round) {
        std::vector<spending_seen> customers;
        for (int i = 0; i < 20; ++i)
            customers.push_back({1 + static_cast<std::int64_t>(20 * random.uniform()), std::exp(4 * random.uniform())});
        const spendings all = spendings_of(customers);
        const auto numbers = to_array(any_model<gamma_gamma>(random));
        parameter_array<gamma_gamma> gradient, unused;
        const double value = log_likelihood(from_array<gamma_gamma>(numbers), all, gradient);
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            const auto beside = [&](double by) {
                auto moved = numbers;
                moved[i] *= std::exp(by);
                return log_likelihood(from_array<gamma_gamma>(moved), all, unused);
            };
            EXPECT_NEAR(gradient[i], (beside(1e-4) - beside(-1e-4)) / 2e-4, 1e-6 * (1 + std::abs(value)));
        }
    }
}

// Fader & Hardie (2007), "How to Project Customer Retention", table 1 and figure 5: what was seen in years 8 to 12 of
// the high-end customers came within a point or two of the projection.
TEST(Sbg, ProjectsRetention) {
    const sbg high_end{0.668, 3.806};
    EXPECT_EQ(sbg_survival(high_end, 0), 1);
    EXPECT_NEAR(sbg_survival(high_end, 1), 3.806 / (0.668 + 3.806), 1e-15);
    const double seen[] = {0.468, 0.445, 0.427, 0.409, 0.394};
    for (int year = 8; year <= 12; ++year)
        EXPECT_NEAR(sbg_survival(high_end, year), seen[year - 8], 0.02);
}

TEST(Sbg, LifetimeIsTheSumOfSurvival) {
    for (const sbg model : {sbg{0.668, 3.806}, sbg{0.704, 1.182}, sbg{1, 1}, sbg{30, 90}})
        for (const std::int64_t renewals : {0, 1, 4, 12}) {
            double sum = 0;
            for (std::int64_t more = 1; more < 3000; ++more)
                sum += sbg_survival(model, renewals + more) / sbg_survival(model, renewals) *
                       std::pow(1.1, static_cast<double>(1 - more));
            EXPECT_NEAR(sbg_lifetime(model, renewals, 0.1), sum, 1e-11 * sum);
        }
}

TEST(Sbg, LifetimeWithoutDiscountCanBeInfinite) {
    EXPECT_EQ(sbg_lifetime({0.668, 3.806}, 0, 0), std::numeric_limits<double>::infinity());
    EXPECT_NEAR(sbg_lifetime({3, 4}, 2, 0), 3, 1e-14);
    EXPECT_NEAR(sbg_lifetime({3, 4}, 2, 1e-9), 3, 1e-7);
    EXPECT_NEAR(sbg_lifetime({3, 4}, 2, 1e-320), 3, 1e-7); // its reciprocal is infinite
    EXPECT_ERROR(sbg_lifetime({3, 4}, -1, 0.1), invalid_parameter_value);
    EXPECT_ERROR(sbg_lifetime({3, 4}, 0, -0.1), invalid_parameter_value);
    EXPECT_ERROR(sbg_lifetime({3, 4}, 0, std::nan("")), invalid_parameter_value);
    EXPECT_ERROR(sbg_survival({3, 4}, -1), invalid_parameter_value);
}

} // namespace
} // namespace crm::test
