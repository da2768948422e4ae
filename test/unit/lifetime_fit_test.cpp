// The fits: published estimates, recovery of what was simulated, small shops, and shops that no model fits.
#include "lifetime_support.hpp"

#include "lifetime/minimum.hpp"

namespace crm::test {
namespace {

template <class Model> void expect_near(const Model &found, const Model &published, double tolerance) {
    const auto a = to_array(found), b = to_array(published);
    for (std::size_t i = 0; i < a.size(); ++i)
        EXPECT_NEAR(a[i], b[i], tolerance * b[i]) << Model::names[i];
}

// Half of the last digit that was printed.
#define EXPECT_PRINTED(found, published, digits) EXPECT_NEAR(found, published, 0.50001 * std::pow(10.0, -(digits)))

std::optional<std::vector<purchases_seen>> cdnow() {
    const auto rows = public_data("cdnow_summary.csv");
    if (!rows)
        return std::nullopt;
    std::vector<purchases_seen> customers;
    for (const auto &row : *rows)
        customers.push_back(checked_summary(std::stoll(row[1]), std::stod(row[2]), std::stod(row[3])));
    return customers;
}

// Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, table 2.
TEST(CdnowFit, Bgnbd) {
    const auto customers = cdnow();
    if (!customers)
        GTEST_SKIP() << "CRM_TEST_DATA is not set";
    const auto found = fit<bgnbd>(population_of(*customers), method::automatic);
    EXPECT_PRINTED(found.parameters.r, 0.243, 3);
    EXPECT_PRINTED(found.parameters.alpha, 4.414, 3);
    EXPECT_PRINTED(found.parameters.a, 0.793, 3);
    EXPECT_PRINTED(found.parameters.b, 2.426, 3);
    EXPECT_PRINTED(found.log_likelihood, -9582.4, 1);
    EXPECT_GT(found.log_likelihood, -9582.42920668); // the best that several optimisers of other packages reach
    EXPECT_EQ(found.customers, 2357);
    EXPECT_EQ(found.repeaters, 946);
    EXPECT_EQ(found.used, method::maximum_likelihood);
    EXPECT_EQ(found.verdict, status::ok) << found.reason.c_str();
    EXPECT_TRUE(found.converged);
    // By SciPy: the inverse of a finite-difference Hessian of the paper's formula.
    ASSERT_TRUE(found.standard_errors);
    EXPECT_NEAR(found.standard_errors->r, 0.012557, 0.00001);
    EXPECT_NEAR(found.standard_errors->alpha, 0.37822, 0.0005);
    EXPECT_NEAR(found.standard_errors->a, 0.18573, 0.0005);
    EXPECT_NEAR(found.standard_errors->b, 0.70541, 0.001);
}

// The same paper's table 2, and Fader, Hardie & Lee (2005), "RFM and CLV".
TEST(CdnowFit, ParetoNbd) {
    const auto customers = cdnow();
    if (!customers)
        GTEST_SKIP() << "CRM_TEST_DATA is not set";
    const auto found = fit<pareto_nbd>(population_of(*customers), method::automatic);
    EXPECT_PRINTED(found.parameters.r, 0.553, 3);
    EXPECT_PRINTED(found.parameters.alpha, 10.578, 3);
    EXPECT_PRINTED(found.parameters.s, 0.606, 3);
    EXPECT_PRINTED(found.parameters.beta, 11.669, 3);
    EXPECT_PRINTED(found.log_likelihood, -9595.0, 1);
    EXPECT_GT(found.log_likelihood, -9594.97618);
    EXPECT_EQ(found.verdict, status::ok) << found.reason.c_str();
}

// No paper prints these for MBG/NBD: they are those of SciPy's Nelder-Mead on the formula of Batislam, Denizel &
// Filiztekin (2007).
TEST(CdnowFit, Mbgnbd) {
    const auto customers = cdnow();
    if (!customers)
        GTEST_SKIP() << "CRM_TEST_DATA is not set";
    const auto found = fit<mbgnbd>(population_of(*customers), method::automatic);
    expect_near(found.parameters, {0.52484, 6.18309, 0.89136, 1.61400}, 1e-5);
    EXPECT_PRINTED(found.log_likelihood, -9582.1, 1);
    EXPECT_EQ(found.verdict, status::ok) << found.reason.c_str();
}

// Fader & Hardie (2013), "The Gamma-Gamma Model of Monetary Value".
TEST(CdnowFit, GammaGamma) {
    const auto rows = public_data("cdnow_summary.csv");
    if (!rows)
        GTEST_SKIP() << "CRM_TEST_DATA is not set";
    std::vector<spending_seen> customers;
    for (const auto &row : *rows)
        customers.push_back(checked_spending(std::stoll(row[1]), std::stod(row[5])));
    const spendings all = spendings_of(customers);
    const auto found = fit(all, method::automatic);
    EXPECT_PRINTED(found.parameters.p, 6.25, 2);
    EXPECT_PRINTED(found.parameters.q, 3.74, 2);
    EXPECT_PRINTED(found.parameters.gamma, 15.44, 2);
    EXPECT_EQ(found.customers, 946);
    EXPECT_EQ(found.verdict, status::ok) << found.reason.c_str();
    EXPECT_EQ(all.left_out(), 2357 - 946);
    EXPECT_NEAR(all.correlation(), 0.11, 0.005); // the paper's table 1
}

// A gift shop's first year, whose customers were not all new when it began: nobody seems ever to leave.
TEST(OnlineRetailFit, IsNotIdentified) {
    const auto rows = public_data("online_retail_ii_orders.csv");
    if (!rows)
        GTEST_SKIP() << "CRM_TEST_DATA is not set";
    const auto day_of = [](const std::string &text) {
        return static_cast<int>(parse_timestamp(text.substr(0, 19) + "Z")->us / microseconds_per_day);
    };
    const int last_day = day_of("2010-12-09 00:00:00");
    std::map<std::string, std::set<int>> days;
    for (const auto &row : *rows)
        if (std::stod(row[3]) > 0 && day_of(row[1]) <= last_day)
            days[row[0]].insert(day_of(row[1]));
    std::vector<purchases_seen> in_days, in_weeks;
    double repeats = 0;
    for (const auto &[customer, bought] : days) {
        const auto x = static_cast<std::int64_t>(bought.size()) - 1;
        const double t_x = *bought.rbegin() - *bought.begin(), T = last_day - *bought.begin();
        in_days.push_back({x, t_x, T});
        in_weeks.push_back({x, t_x / 7, T / 7});
        repeats += static_cast<double>(x);
    }
    ASSERT_EQ(in_days.size(), 4312u);
    ASSERT_EQ(repeats, 12'687);

    const auto by_likelihood = fit<bgnbd>(population_of(in_weeks), method::maximum_likelihood);
    EXPECT_EQ(by_likelihood.verdict, status::not_identified);
    EXPECT_LT(by_likelihood.parameters.a / (by_likelihood.parameters.a + by_likelihood.parameters.b), 0.002);
    const auto by_days = fit<bgnbd>(population_of(in_days, "day UTC"), method::maximum_likelihood);
    EXPECT_NEAR(by_likelihood.log_likelihood - by_days.log_likelihood, repeats * std::log(7), 1e-6);
    EXPECT_NEAR(by_days.parameters.alpha / by_likelihood.parameters.alpha, 7, 1e-6);

    for (const method wanted : {method::automatic, method::map}) {
        const auto found = fit<mbgnbd>(population_of(in_weeks), wanted);
        EXPECT_EQ(found.verdict, status::not_identified);
        EXPECT_EQ(found.used, method::map);
        EXPECT_NE(std::string(found.reason.c_str()).find("weak prior"), std::string::npos) << found.reason.c_str();
    }
    EXPECT_EQ(fit<pareto_nbd>(population_of(in_weeks), method::automatic).verdict, status::not_identified);
}

// Fader & Hardie (2007), "How to Project Customer Retention", table 1: of 1,000 customers so many were lost in each of
// seven years; and their estimates.
TEST(SbgFit, PublishedTables) {
    const auto high_end = fit(subscriptions_of({131, 126, 90, 60, 42, 34, 26}, 491));
    EXPECT_PRINTED(high_end.parameters.alpha, 0.668, 3);
    EXPECT_PRINTED(high_end.parameters.beta, 3.806, 3);
    EXPECT_EQ(high_end.verdict, status::ok);
    const auto regular = fit(subscriptions_of({369, 163, 86, 56, 37, 27, 21}, 241));
    EXPECT_PRINTED(regular.parameters.alpha, 0.704, 3);
    EXPECT_PRINTED(regular.parameters.beta, 1.182, 3);
    EXPECT_EQ(regular.customers, 1000);
    EXPECT_EQ(regular.repeaters, 631);
}

// One rate for all is the limit of ever larger alpha and beta.
TEST(SbgFit, OfOneRateForAllIsNotIdentified) {
    const auto found = fit(subscriptions_of({3125, 2500, 2000, 1600, 1280, 1024}, 4096));
    EXPECT_EQ(found.verdict, status::not_identified);
    EXPECT_NE(std::string(found.reason.c_str()).find("a cancellation rate of 0.2 for all"), std::string::npos)
        << found.reason.c_str();
    EXPECT_NEAR(found.parameters.alpha / (found.parameters.alpha + found.parameters.beta), 0.2, 0.001);
}

TEST(SbgFit, NeedsCancellationsAndRenewals) {
    EXPECT_ERROR(fit(subscriptions_of({100}, 0)), invalid_parameter_value);
    EXPECT_ERROR(fit(subscriptions_of({0, 0, 0}, 100)), invalid_parameter_value);
    EXPECT_ERROR(fit(subscriptions_of({5, 5}, 5)), invalid_parameter_value);
    EXPECT_ERROR(fit(subscriptions_of({}, 1000)), invalid_parameter_value);
    EXPECT_EQ(fit(subscriptions_of({26, 25, 18, 12, 8, 7, 5}, 98)).verdict, status::low_data);
}

template <class Model> class Recovery : public testing::Test {};
struct names {
    template <class Model> static std::string GetName(int) {
        return std::is_same_v<Model, bgnbd> ? "Bgnbd" : (std::is_same_v<Model, mbgnbd> ? "Mbgnbd" : "ParetoNbd");
    }
};
using models = testing::Types<bgnbd, mbgnbd, pareto_nbd>;
TYPED_TEST_SUITE(Recovery, models, names);

template <class Model> Model true_model() {
    return from_array<Model>(std::is_same_v<Model, pareto_nbd> ? std::array{0.553, 10.578, 0.606, 11.669}
                                                               : std::array{0.243, 4.414, 0.793, 2.426});
}

TYPED_TEST(Recovery, WithinTwoStandardErrors) {
    draw random(11);
    const auto wanted = true_model<TypeParam>();
    const auto customers = simulated(wanted, 20'000, 20, 80, random);
    const auto found = fit<TypeParam>(population_of(customers), method::automatic);
    EXPECT_EQ(found.verdict, status::ok) << found.reason.c_str();
    EXPECT_EQ(found.used, method::maximum_likelihood);
    ASSERT_TRUE(found.standard_errors);
    const auto estimates = to_array(found.parameters), truth = to_array(wanted),
               errors = to_array(*found.standard_errors);
    for (std::size_t i = 0; i < truth.size(); ++i)
        EXPECT_NEAR(estimates[i], truth[i], 2 * errors[i]) << TypeParam::names[i];
    EXPECT_GE(found.log_likelihood, log_likelihood_of(wanted, customers));
    // With that many customers a weak prior hardly counts.
    const auto by_map = fit<TypeParam>(population_of(customers), method::map);
    EXPECT_EQ(by_map.used, method::map);
    EXPECT_EQ(by_map.verdict, status::ok);
    EXPECT_LE(by_map.log_likelihood, found.log_likelihood);
    for (std::size_t i = 0; i < truth.size(); ++i)
        EXPECT_NEAR(to_array(by_map.parameters)[i], estimates[i], errors[i]);
}

// Orders expected of all in the year to come, against what the true model expects.
TYPED_TEST(Recovery, SmallShopsGetASensibleAnswer) {
    const auto wanted = true_model<TypeParam>();
    for (const int size : {60, 300})
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            draw random(100 + seed);
            const auto customers = simulated(wanted, size, 20, 80, random);
            const auto found = fit<TypeParam>(population_of(customers), method::automatic);
            EXPECT_EQ(found.verdict, status::low_data);
            EXPECT_EQ(found.used, method::map);
            EXPECT_TRUE(found.converged);
            EXPECT_TRUE(found.standard_errors);
            EXPECT_NE(std::string(found.reason.c_str()).find(std::to_string(size)), std::string::npos);
            const scorer<TypeParam> fitted(found.parameters), truth(wanted);
            double expected = 0, best = 0;
            for (const purchases_seen &each : customers) {
                expected += expected_orders(fitted, each, 52);
                best += expected_orders(truth, each, 52);
            }
            EXPECT_GT(expected, best / 2);
            EXPECT_LT(expected, best * 2);
            fit<TypeParam>(population_of(customers), method::maximum_likelihood); // whatever it says, it ends
        }
}

TYPED_TEST(Recovery, UnitOfTimeDoesNotMatter) {
    draw random(12);
    const auto weeks = simulated(true_model<TypeParam>(), 3000, 20, 80, random);
    std::vector<purchases_seen> days;
    double repeats = 0;
    for (const purchases_seen &each : weeks) {
        days.push_back({each.repeats, each.last * 7, each.age * 7});
        repeats += static_cast<double>(each.repeats);
    }
    for (const method wanted : {method::maximum_likelihood, method::map}) {
        const auto in_weeks = fit<TypeParam>(population_of(weeks), wanted);
        const auto in_days = fit<TypeParam>(population_of(days, "day UTC"), wanted);
        EXPECT_NEAR(in_weeks.log_likelihood - in_days.log_likelihood, repeats * std::log(7), 1e-7);
        EXPECT_EQ(in_weeks.verdict, in_days.verdict);
        for (std::size_t i = 0; i < weeks.size(); i += 50) {
            const double expected = expected_orders(scorer<TypeParam>(in_weeks.parameters), weeks[i], 52);
            EXPECT_NEAR(expected_orders(scorer<TypeParam>(in_days.parameters), days[i], 364), expected,
                        1e-6 * expected);
        }
    }
}

// To the last bit, whatever way the customers came together.
TYPED_TEST(Recovery, OrderOfCustomersDoesNotMatter) {
    draw random(13);
    chance order(14);
    auto customers = simulated(true_model<TypeParam>(), 2000, 20, 80, random);
    const auto once = fit<TypeParam>(population_of(customers), method::automatic);
    order.shuffle(customers);
    const auto again = fit<TypeParam>(population_of(customers), method::automatic);
    EXPECT_EQ(once.parameters, again.parameters);
    EXPECT_EQ(once.standard_errors, again.standard_errors);
    EXPECT_EQ(once.log_likelihood, again.log_likelihood);
}

TYPED_TEST(Recovery, RefusesWhatIsTooLittle) {
    const std::vector<purchases_seen> repeater{{2, 10, 30}}, once{{0, 0, 30}};
    const auto shop = [&](int repeaters, int others, purchases_seen of = {2, 10, 30}) {
        std::vector<purchases_seen> all(static_cast<std::size_t>(repeaters), of);
        all.insert(all.end(), static_cast<std::size_t>(others), {0, 0, 30});
        return population_of(all);
    };
    EXPECT_ERROR(fit<TypeParam>(shop(20, 9), method::map), invalid_parameter_value);
    EXPECT_ERROR(fit<TypeParam>(shop(9, 1000), method::map), invalid_parameter_value);
    EXPECT_ERROR(fit<TypeParam>(shop(0, 1000), method::automatic), invalid_parameter_value); // nobody repeats
    EXPECT_ERROR(fit<TypeParam>(shop(20, 1000, {1, 35, 40}), method::automatic), invalid_parameter_value);
    EXPECT_ERROR(fit<TypeParam>(population_of({}), method::automatic), invalid_parameter_value);
    // Everybody came today.
    EXPECT_ERROR(fit<TypeParam>(population_of(std::vector<purchases_seen>(100)), method::automatic),
                 invalid_parameter_value);
    EXPECT_EQ(fit<TypeParam>(shop(20, 10), method::automatic).verdict, status::low_data);
}

// Hostile shops: a fit ends, holds no NaN, and says when it is not to be believed.
TYPED_TEST(Recovery, HostileShopsEnd) {
    draw random(15);
    auto with_giant = simulated(true_model<TypeParam>(), 1000, 20, 80, random);
    with_giant.push_back({100'000, 79, 80});
    const std::vector<purchases_seen> all_alike(1000, purchases_seen{3, 20, 40});
    std::vector<purchases_seen> clockwork, extreme;
    for (int i = 0; i < 1000; ++i) {
        const int age = 20 + i % 60;
        clockwork.push_back({age - 1, static_cast<double>(age - 1), static_cast<double>(age)});
        extreme.push_back(i % 2 == 0 ? purchases_seen{1, 1e-6, 1e8} : purchases_seen{1'000'000, 1e8, 1e8});
    }
    for (const auto &shop : {with_giant, all_alike, clockwork, extreme})
        for (const method wanted : {method::automatic, method::maximum_likelihood, method::map}) {
            const auto found = fit<TypeParam>(population_of(shop), wanted);
            for (const double each : to_array(found.parameters)) {
                EXPECT_TRUE(each > 0 && std::isfinite(each));
            }
            EXPECT_TRUE(std::isfinite(found.log_likelihood));
            EXPECT_EQ(found.verdict == status::ok, found.reason.empty());
            for (const purchases_seen &each : {shop.front(), shop.back()}) {
                EXPECT_TRUE(expected_orders(scorer<TypeParam>(found.parameters), each, 52) >= 0);
            }
        }
    EXPECT_EQ(fit<TypeParam>(population_of(all_alike), method::maximum_likelihood).verdict, status::not_identified);
}

TEST(Fit, CanBeStopped) {
    draw random(16);
    const population all = population_of(simulated(true_model<bgnbd>(), 20'000, 20, 80, random));
    interrupt_at third(3);
    EXPECT_THROW(fit<bgnbd>(all, method::automatic), interrupt_at::interrupted);
}

TEST(GammaGammaFit, RecoversWhatWasSimulated) {
    const gamma_gamma wanted{6.25, 3.74, 15.44};
    draw random(17);
    std::vector<spending_seen> customers;
    for (int i = 0; i < 20'000; ++i) {
        const auto orders = 1 + static_cast<std::int64_t>(random.exponential(0.5));
        const double rate = random.gamma(wanted.q) / wanted.gamma, x = static_cast<double>(orders);
        customers.push_back({orders, random.gamma(wanted.p * x) / rate / x});
    }
    const auto found = fit(spendings_of(customers), method::automatic);
    EXPECT_EQ(found.verdict, status::ok) << found.reason.c_str();
    ASSERT_TRUE(found.standard_errors);
    for (std::size_t i = 0; i < 3; ++i)
        EXPECT_NEAR(to_array(found.parameters)[i], to_array(wanted)[i], 2 * to_array(*found.standard_errors)[i]);
    // The unit of money does not matter.
    std::vector<spending_seen> in_yen = customers;
    for (spending_seen &each : in_yen)
        each.mean *= 150;
    const auto yen = fit(spendings_of(in_yen), method::automatic);
    EXPECT_NEAR(yen.parameters.gamma / found.parameters.gamma, 150, 1e-4);
    EXPECT_NEAR(found.log_likelihood - yen.log_likelihood, 20'000 * std::log(150), 1e-5);
    customers.resize(60);
    EXPECT_EQ(fit(spendings_of(customers), method::automatic).verdict, status::low_data);
    customers.resize(29);
    EXPECT_ERROR(fit(spendings_of(customers), method::automatic), invalid_parameter_value);
}

TEST(GammaGammaFit, OfOnePriceForAllIsNotIdentified) {
    const std::vector<spending_seen> customers(1000, {3, 9.99});
    const auto found = fit(spendings_of(customers), method::automatic);
    EXPECT_EQ(found.verdict, status::not_identified);
    EXPECT_EQ(found.used, method::map);
    EXPECT_NEAR(*expected_order_value(found.parameters, {3, 9.99}), 9.99, 0.5);
}

TEST(Eigensystem, DiagonalisesSymmetricMatrices) {
    chance random(18);
    for (std::size_t size = 1; size <= most_variables; ++size)
        for (int round = 0; round < 100; ++round) {
            matrix given{};
            for (std::size_t i = 0; i < size; ++i)
                for (std::size_t j = 0; j <= i; ++j)
                    given[i][j] = given[j][i] = random.one_in(4) ? 0 : static_cast<double>(random.between(-1000, 1000));
            const eigensystem found = eigensystem_of(given, size);
            for (std::size_t i = 0; i < size; ++i)
                for (std::size_t j = 0; j < size; ++j) {
                    double sum = 0, unit = 0;
                    for (std::size_t axis = 0; axis < size; ++axis) {
                        sum += found.values[axis] * found.vectors[axis][i] * found.vectors[axis][j];
                        unit += found.vectors[axis][i] * found.vectors[axis][j];
                    }
                    EXPECT_NEAR(sum, given[i][j], 1e-10);
                    EXPECT_NEAR(unit, i == j, 1e-13);
                }
        }
}

// Rosenbrock's valley, bounded.
class valley final : public objective {
  public:
    valley() : objective(2) {}
    double operator()(const point &at, point &gradient) const override {
        const double across = at[1] - at[0] * at[0];
        gradient = {-400 * at[0] * across - 2 * (1 - at[0]), 200 * across};
        return 100 * across * across + (1 - at[0]) * (1 - at[0]);
    }
};

TEST(Minimum, OfRosenbrocksValley) {
    const minimum found = minimise(valley(), {-1.2, 1}, 15);
    EXPECT_TRUE(found.converged);
    EXPECT_FALSE(found.at_limit);
    EXPECT_NEAR(found.at[0], 1, 1e-9);
    EXPECT_NEAR(found.at[1], 1, 1e-9);
    const minimum bounded = minimise(valley(), {-1.2, 1}, 0.5);
    EXPECT_TRUE(bounded.converged);
    EXPECT_TRUE(bounded.at_limit);
    EXPECT_EQ(bounded.at[0], 0.5);
    EXPECT_NEAR(bounded.at[1], 0.25, 1e-9);
}

} // namespace
} // namespace crm::test
