// What the tests of the lifetime models share: customers as fits and scores take them.
#pragma once

#include "support.hpp"

#include "lifetime/fit.hpp"
#include "lifetime/predictions.hpp"

#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <type_traits>

namespace crm::test {

using namespace crm::lifetime;

inline byte_vector calendar_of(std::string_view text) { return encode_calendar(heap(), parse_calendar(text)); }

inline population population_of(const std::vector<purchases_seen> &customers, std::string_view calendar = "week UTC") {
    const byte_vector named = calendar_of(calendar);
    flat_store state(heap(), initial_population_bytes());
    for (const purchases_seen &each : customers)
        state.change([&](std::span<std::byte> in) { return count_customer(in, each, {{}, named}); });
    return population(heap(), state.bytes());
}

inline spendings spendings_of(const std::vector<spending_seen> &customers) {
    const byte_vector named = calendar_of("day UTC");
    flat_store state(heap(), initial_spendings_bytes());
    for (const spending_seen &each : customers)
        state.change([&](std::span<std::byte> in) { return count_spending(in, each, {{}, named}); });
    return spendings(heap(), state.bytes());
}

// So many were cancelled after each number of renewals, and so many are still there after the last.
inline subscriptions subscriptions_of(const std::vector<int> &cancelled, int active) {
    flat_store state(heap(), initial_subscriptions_bytes());
    const auto count = [&](std::size_t renewals, bool ended) {
        state.change([&](std::span<std::byte> in) {
            return lifetime::count_subscription(in, static_cast<std::int64_t>(renewals), ended);
        });
    };
    for (std::size_t renewals = 0; renewals < cancelled.size(); ++renewals)
        for (int i = 0; i < cancelled[renewals]; ++i)
            count(renewals, true);
    for (int i = 0; i < active; ++i)
        count(cancelled.size(), false);
    return subscriptions(heap(), state.bytes());
}

// The log-likelihood in units of the customers' own times.
template <class Model> double log_likelihood_of(const Model &of, const std::vector<purchases_seen> &customers) {
    const population all = population_of(customers);
    auto scaled = to_array(of);
    scaled[1] /= all.scale();
    if constexpr (std::is_same_v<Model, pareto_nbd>)
        scaled[3] /= all.scale();
    parameter_array<Model> gradient;
    return log_likelihood(from_array<Model>(scaled), all, gradient) - all.repeats() * std::log(all.scale());
}

// Numbers with nothing of the standard library's distributions in them, which differ between libraries.
class draw {
  public:
    explicit draw(std::uint64_t seed) : random_(seed) {}

    double uniform() { return (static_cast<double>(random_.bits() >> 11) + 0.5) * 0x1p-53; }
    double exponential(double rate) { return -std::log(uniform()) / rate; }
    double normal() { return std::sqrt(-2 * std::log(uniform())) * std::cos(6.283185307179586 * uniform()); }
    // Marsaglia and Tsang (2000), with Stuart's way for shapes below 1. Scale 1.
    double gamma(double shape) {
        if (shape < 1)
            return gamma(shape + 1) * std::pow(uniform(), 1 / shape);
        const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
        for (;;) {
            const double z = normal(), v = std::pow(1 + c * z, 3);
            if (v > 0 && std::log(uniform()) < z * z / 2 + d - d * v + d * std::log(v))
                return d * v;
        }
    }
    double beta(double a, double b) {
        const double x = gamma(a), y = gamma(b);
        return x / (x + y);
    }

  private:
    chance random_;
};

// Customers who live as a model says, first seen at random in the time before now, with orders counted by days. They
// leave by tossing after an order, or at a time of their own.
template <class Model>
std::vector<purchases_seen> simulated(const Model &of, int customers, double youngest, double oldest, draw &random) {
    std::vector<purchases_seen> made;
    for (int i = 0; i < customers; ++i) {
        const double age = youngest + (oldest - youngest) * random.uniform();
        const double rate = random.gamma(of.r) / of.alpha;
        double leaves = age, tossed = 0;
        if constexpr (std::is_same_v<Model, pareto_nbd>)
            leaves = random.exponential(random.gamma(of.s) / of.beta);
        else
            tossed = random.beta(of.a, of.b);
        purchases_seen seen{.age = age};
        bool stays = !(std::is_same_v<Model, mbgnbd> && random.uniform() < tossed);
        for (double at = random.exponential(rate); stays && at < std::min(age, leaves);
             at += random.exponential(rate)) {
            ++seen.repeats;
            seen.last = at;
            stays = random.uniform() >= tossed;
        }
        made.push_back(seen);
    }
    return made;
}

// The rows of a file of CRM_TEST_DATA without its first line; nothing where that is not set. CONTRIBUTING.md says where
// the files come from.
inline std::optional<std::vector<std::vector<std::string>>> public_data(const char *name) {
    const char *folder = std::getenv("CRM_TEST_DATA");
    if (folder == nullptr)
        return std::nullopt;
    std::ifstream file(std::string(folder) + "/" + name);
    EXPECT_TRUE(file) << name;
    std::vector<std::vector<std::string>> rows;
    std::string line, field;
    for (std::getline(file, line); std::getline(file, line);) {
        std::istringstream fields(line);
        rows.emplace_back();
        while (std::getline(fields, field, ','))
            rows.back().push_back(field);
    }
    return rows;
}

} // namespace crm::test
