// Lifetime models with any parameters that they take, for any customers that they take: what they say is a number that
// can be true, and likelihoods of any counted population have a gradient to climb.
#include "fuzz.hpp"
#include "lifetime/gamma_gamma.hpp"
#include "lifetime/predictions.hpp"
#include "lifetime/sbg.hpp"

using namespace crm;
using namespace crm::lifetime;
using fuzz::attempt;
using fuzz::heap;

namespace {

template <class Model> Model some_model(FuzzedDataProvider &numbers) {
    parameter_array<Model> values;
    for (double &each : values)
        each = numbers.ConsumeBool() ? std::pow(10.0, numbers.ConsumeFloatingPointInRange(-10.0, 10.0))
                                     : numbers.ConsumeFloatingPoint<double>();
    return from_array<Model>(values);
}

std::optional<purchases_seen> some_customer(FuzzedDataProvider &numbers) {
    const auto x = numbers.ConsumeIntegralInRange<std::int64_t>(0, numbers.ConsumeBool() ? 20 : most_repeats);
    const double most = numbers.ConsumeBool() ? 1000 : longest_age;
    const double T = numbers.ConsumeFloatingPointInRange(0.0, most),
                 t_x = x == 0 ? 0 : numbers.ConsumeFloatingPointInRange(0.0, T);
    return attempt([=] { return checked_summary(x, t_x, T); });
}

// Of all magnitudes.
double some_discount(FuzzedDataProvider &numbers) {
    return std::pow(10.0, numbers.ConsumeFloatingPointInRange(-323.0, 1.0));
}

template <class Model> void check_scores(FuzzedDataProvider &numbers) {
    const auto model = some_model<Model>(numbers);
    const auto seen = some_customer(numbers);
    const double ahead = numbers.ConsumeFloatingPointInRange(0.0, 1e6);
    const discounting discount{some_discount(numbers), 7};
    if (!seen || !attempt([&] {
            check_parameters(model);
            return true;
        }))
        return;
    const scorer<Model> scores(model);
    const double alive = scores.p_alive(*seen), orders = expected_orders(scores, *seen, ahead);
    REQUIRE(alive >= 0 && alive <= 1);
    REQUIRE(orders >= 0);
    REQUIRE(scores.orders_of_newcomer(ahead) >= 0);
    REQUIRE(median_wait(scores, *seen) >= 0);
    REQUIRE(discounted_orders(scores, *seen, ahead, discount) <= orders * (1 + 1e-6));
    if constexpr (std::is_same_v<Model, pareto_nbd>)
        REQUIRE(scores.discounted_orders_if_alive(*seen, discount.yearly) >= 0);
    const double sooner = expected_orders(scores, *seen, ahead / 2);
    REQUIRE(sooner <= orders * (1 + 1e-6));
}

void check_spending(FuzzedDataProvider &numbers) {
    const auto model = some_model<gamma_gamma>(numbers);
    const auto x = numbers.ConsumeIntegralInRange<std::int64_t>(0, most_repeats);
    const double mean = numbers.ConsumeFloatingPointInRange(0.0, numbers.ConsumeBool() ? 1e5 : largest_mean);
    const auto seen = attempt([=] { return checked_spending(x, mean); });
    if (!seen || !attempt([&] {
            check_parameters(model);
            return true;
        }))
        return;
    const auto value = expected_order_value(model, *seen);
    REQUIRE(!value || *value >= 0);
}

void check_subscription(FuzzedDataProvider &numbers) {
    const auto model = some_model<sbg>(numbers);
    const auto renewals = numbers.ConsumeIntegralInRange<std::int64_t>(0, most_renewals - 1);
    const double discount = numbers.ConsumeBool() ? some_discount(numbers) : 0;
    if (!attempt([&] {
            check_parameters(model);
            return true;
        }))
        return;
    const double now = sbg_survival(model, renewals), later = sbg_survival(model, renewals + 1);
    REQUIRE(now >= 0 && now <= 1 && later >= 0 && later <= now * (1 + 1e-9));
    REQUIRE(sbg_lifetime(model, renewals, discount) >= 0);
}

// Some customers of some population.
void check_likelihood(FuzzedDataProvider &numbers) {
    std::vector<std::byte> state(initial_population_bytes());
    const char calendar[] = "\1\2\0\1UTC"; // week UTC
    const terms with{{0}, std::as_bytes(std::span(calendar, sizeof calendar - 1)), method::automatic};
    for (int left = numbers.ConsumeIntegralInRange(1, 30); left > 0; --left)
        if (const auto seen = some_customer(numbers))
            fuzz::change_state(state, [&](std::span<std::byte> to) { return count_customer(to, *seen, with); });
    const population all(heap(), state);
    const auto check = [&](const auto &model) {
        std::remove_cvref_t<decltype(to_array(model))> gradient;
        const double found = log_likelihood(model, all, gradient);
        REQUIRE(!std::isnan(found));
        for (const double each : gradient)
            REQUIRE(!std::isnan(each));
    };
    const auto within_limits = [&] { return std::exp(numbers.ConsumeFloatingPointInRange(-15.0, 15.0)); };
    const double a = within_limits(), b = within_limits(), c = within_limits(), d = within_limits();
    check(bgnbd{a, b, c, d});
    check(mbgnbd{a, b, c, d});
    check(pareto_nbd{a, b, c, d});
}

} // namespace

FUZZ(input) {
    auto numbers = fuzz::numbers_of(input);
    switch (numbers.ConsumeIntegralInRange(0, 5)) {
    case 0:
        return check_scores<bgnbd>(numbers);
    case 1:
        return check_scores<mbgnbd>(numbers);
    case 2:
        return check_scores<pareto_nbd>(numbers);
    case 3:
        return check_spending(numbers);
    case 4:
        return check_subscription(numbers);
    default:
        return check_likelihood(numbers);
    }
}
