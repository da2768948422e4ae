#include "lifetime/fit.hpp"

#include "core/interrupts.hpp"
#include "lifetime/minimum.hpp"

#include "core/no_postgres.hpp"

#include <cmath>

namespace crm::lifetime {
namespace {

constexpr double limit = 15; // of logarithms, in units of the scale

// A weak prior: independent normal distributions of logarithms, their sums and differences.
class log_prior {
  public:
    explicit log_prior(point &gradient) : gradient_(gradient) {}

    // The term of a value that changes with each logarithm as the weights say.
    void normal(double value, double mean, double deviation, const point &weights) {
        const double z = (value - mean) / deviation;
        sum_ -= z * z / 2;
        for (std::size_t i = 0; i < weights.size(); ++i)
            gradient_[i] -= z / deviation * weights[i];
    }
    double sum() const { return sum_; }

  private:
    point &gradient_;
    double sum_ = 0;
};

// In units of the median age, so that it is the same whatever the unit of time.
double add_buying_prior(log_prior prior, const point &logs) {
    prior.normal(logs[0], std::log(0.5), 1, {1});
    prior.normal(logs[1], std::log(0.25), 1.5, {0, 1});
    return prior.sum();
}

template <class Model> struct kind;

template <class Model> struct beta_geometric_kind {
    using data = population;
    static constexpr std::array<point, 3> starts{{{0.5, 0.25, 0.8, 2}, {0.1, 0.5, 0.3, 0.6}, {2, 1, 1, 8}}};
    static constexpr std::array<bool, 4> times{false, true, false, false};

    // a / (a + b) by its log-odds, and a + b.
    static double prior(const point &logs, point &gradient) {
        const double a = std::exp(logs[2]), b = std::exp(logs[3]);
        log_prior prior(gradient);
        prior.normal(logs[2] - logs[3], -1, 1, {0, 0, 1, -1});
        prior.normal(std::log(a + b), std::log(3), 1, {0, 0, a / (a + b), b / (a + b)});
        return prior.sum() + add_buying_prior(log_prior(gradient), logs);
    }
    static short_text circumstance(const Model &of, const population &) {
        return {"a / (a + b), the mean probability of leaving after an order, is ", number_text(of.a / (of.a + of.b))};
    }
};
template <> struct kind<bgnbd> : beta_geometric_kind<bgnbd> {};
template <> struct kind<mbgnbd> : beta_geometric_kind<mbgnbd> {};

template <> struct kind<pareto_nbd> {
    using data = population;
    static constexpr std::array<point, 3> starts{{{0.5, 0.25, 0.5, 0.25}, {0.5, 0.25, 0.5, 1}, {2, 1, 1, 4}}};
    static constexpr std::array<bool, 4> times{false, true, false, true};

    static double prior(const point &logs, point &gradient) {
        log_prior prior(gradient);
        prior.normal(logs[2], std::log(0.5), 1, {0, 0, 1});
        prior.normal(logs[3], std::log(0.25), 1.5, {0, 0, 0, 1});
        return prior.sum() + add_buying_prior(log_prior(gradient), logs);
    }
    static short_text circumstance(const pareto_nbd &of, const population &customers) {
        const double days = of.beta / of.s * customers.days_per_unit();
        return {"beta / s, the mean time a customer stays, is ", number_text(days), " days"};
    }
};

template <> struct kind<gamma_gamma> {
    using data = spendings;
    static constexpr std::array<point, 3> starts{{{5, 4, 0.6}, {1, 2, 1}, {20, 10, 0.5}}};
    static constexpr std::array<bool, 3> times{false, false, true};

    // In units of the median mean: p gamma / q is about a typical amount.
    static double prior(const point &logs, point &gradient) {
        log_prior prior(gradient);
        prior.normal(logs[0], std::log(4), 1, {1});
        prior.normal(logs[1], std::log(4), 1, {0, 1});
        prior.normal(logs[0] - logs[1] + logs[2], 0, 1, {1, -1, 1});
        return prior.sum();
    }
    static short_text circumstance(const gamma_gamma &of, const spendings &) {
        return {"q is ", number_text(of.q), " and p ", number_text(of.p)};
    }
};

template <> struct kind<sbg> {
    using data = subscriptions;
    static constexpr std::array<point, 3> starts{{{1, 3}, {0.5, 1}, {2, 20}}};

    static short_text circumstance(const sbg &, const subscriptions &customers) {
        return {"a cancellation rate of ", number_text(customers.cancel_rate()), " for all explains them as well"};
    }
};

// Everything is done on logarithms, and for each customer: then no shop is large or small.
template <class Model> class posterior final : public objective {
  public:
    posterior(const typename kind<Model>::data &data, double customers, double prior_weight)
        : objective(Model::names.size()), data_(data), customers_(customers), prior_weight_(prior_weight) {}

    double operator()(const point &at, point &gradient) const override {
        poll_interrupts();
        parameter_array<Model> of_likelihood{};
        double sum = log_likelihood(model_at(at), data_, of_likelihood);
        gradient = {};
        if constexpr (requires { &kind<Model>::prior; })
            if (prior_weight_ > 0)
                sum += kind<Model>::prior(at, gradient);
        for (std::size_t i = 0; i < of_likelihood.size(); ++i)
            gradient[i] = -(gradient[i] + of_likelihood[i]) / customers_;
        return -sum / customers_;
    }
    static Model model_at(const point &logs) {
        parameter_array<Model> parameters{};
        for (std::size_t i = 0; i < parameters.size(); ++i)
            parameters[i] = std::exp(logs[i]);
        return from_array<Model>(parameters);
    }

  private:
    const typename kind<Model>::data &data_;
    double customers_, prior_weight_;
};

// Sure of nothing: the first start that leads to a minimum inside the box, or else the lowest place reached.
minimum lowest(const objective &of, std::span<const point> starts) {
    point gradient;
    std::vector<std::pair<double, const point *>> by_value;
    for (const point &start : starts)
        by_value.push_back({of(start, gradient), &start});
    std::ranges::sort(by_value);
    std::optional<minimum> found;
    for (const auto &[value, start] : by_value) {
        const minimum here = minimise(of, *start, limit);
        if (!found || here.value < found->value)
            found = here;
        if (here.converged && !here.at_limit)
            break;
    }
    return *found;
}

template <class Model> std::vector<point> log_starts() {
    std::vector<point> starts(kind<Model>::starts.begin(), kind<Model>::starts.end());
    for (point &start : starts)
        for (std::size_t i = 0; i < Model::names.size(); ++i)
            start[i] = std::log(start[i]);
    return starts;
}

// On a sample first when there are many: from where that ends it takes few steps. The prior keeps so few customers from
// pointing to nowhere.
template <class Model> minimum estimate(const typename kind<Model>::data &data, double customers, double prior_weight) {
    const std::vector<point> starts = log_starts<Model>();
    const posterior<Model> of(data, customers, prior_weight);
    if constexpr (requires { data.sample(1); }) {
        constexpr std::size_t fewest = 256, share = 64;
        if (data.groups().size() > 2 * fewest) {
            const auto sample = data.sample(std::max(fewest, data.groups().size() / share));
            const posterior<Model> of_sample(sample, static_cast<double>(sample.customers()), 1);
            const minimum found = minimise(of, lowest(of_sample, starts).at, limit);
            if (found.converged)
                return found;
        }
    }
    return lowest(of, starts);
}

// Standard errors of the logarithms, and what there is to doubt.
struct certainty {
    std::optional<point> errors{};
    short_text doubt{};
};

template <class Model> certainty certainty_of(const objective &of, const minimum &found, double customers) {
    constexpr double worst_condition = 1e4, worst_error = 1;
    if (!found.converged)
        return {{}, "the search for the best parameters did not end"};
    const eigensystem axes = eigensystem_of(curvature(of, found.at), of.variables);
    const std::span values(axes.values.begin(), of.variables);
    const double flattest = std::ranges::min(values), steepest = std::ranges::max(values);
    if (!(flattest > 0))
        return {{}, "the likelihood has no peak"};
    certainty made{.errors = point{}};
    std::size_t worst = 0;
    for (std::size_t i = 0; i < of.variables; ++i) {
        double variance = 0;
        for (std::size_t axis = 0; axis < of.variables; ++axis)
            variance += axes.vectors[axis][i] * axes.vectors[axis][i] / values[axis] / customers;
        (*made.errors)[i] = std::sqrt(variance);
        if ((*made.errors)[i] > (*made.errors)[worst])
            worst = i;
    }
    const short_text error = {"the logarithm of ", Model::names[worst], " has a standard error of ",
                              number_text((*made.errors)[worst])};
    if (found.at_limit || (*made.errors)[worst] > worst_error)
        made.doubt = {Model::names[worst], " is not determined, as ", error.c_str()};
    else if (steepest > worst_condition * flattest)
        made.doubt = {"the parameters can hardly be told apart, and ", error.c_str()};
    return made;
}

// In the units of the data.
double unscaled(double scaled, const population &data) { return scaled - data.repeats() * std::log(data.scale()); }
double unscaled(double scaled, const spendings &data) {
    return scaled - static_cast<double>(data.customers()) * std::log(data.scale());
}
double unscaled(double scaled, const subscriptions &) { return scaled; }

template <class Model> Model in_units(parameter_array<Model> scaled, [[maybe_unused]] const auto &data) {
    if constexpr (requires { kind<Model>::times; })
        for (std::size_t i = 0; i < scaled.size(); ++i)
            if (kind<Model>::times[i])
                scaled[i] *= data.scale();
    return from_array<Model>(scaled);
}

template <class Model> fitted<Model> fit_by(method with, const typename kind<Model>::data &data, double customers) {
    const double prior_weight = with == method::map ? 1 : 0;
    const posterior<Model> of(data, customers, prior_weight);
    const minimum found = estimate<Model>(data, customers, prior_weight);
    const certainty sure = certainty_of<Model>(of, found, customers);

    fitted<Model> made;
    const auto scaled = to_array(of.model_at(found.at));
    made.parameters = in_units<Model>(scaled, data);
    if (sure.errors) {
        parameter_array<Model> errors = scaled;
        for (std::size_t i = 0; i < errors.size(); ++i)
            errors[i] *= (*sure.errors)[i];
        made.standard_errors = in_units<Model>(errors, data);
    }
    parameter_array<Model> gradient;
    made.log_likelihood = unscaled(log_likelihood(from_array<Model>(scaled), data, gradient), data);
    made.used = with;
    made.converged = found.converged;
    if (!sure.doubt.empty()) {
        made.verdict = status::not_identified;
        made.reason = {sure.doubt.c_str(), "; ", kind<Model>::circumstance(made.parameters, data).c_str()};
    }
    return made;
}

// What the data are too few for, with figures; empty when they are enough.
using shortage = short_text;

template <class Model>
fitted<Model> fit(const typename kind<Model>::data &data, double customers, method wanted, const shortage &few) {
    const bool by_map = wanted == method::map || (wanted == method::automatic && !few.empty());
    if (by_map && !few.empty()) {
        fitted<Model> made = fit_by<Model>(method::map, data, customers);
        made.verdict = status::low_data;
        made.reason = few;
        return made;
    }
    // Whether the data identify the parameters is for the likelihood alone to say.
    fitted<Model> made = fit_by<Model>(method::maximum_likelihood, data, customers);
    const bool doubtful = made.verdict == status::not_identified;
    if (by_map || (wanted == method::automatic && doubtful)) {
        const short_text doubt = made.reason;
        made = fit_by<Model>(method::map, data, customers);
        made.verdict = doubtful ? status::not_identified : status::ok;
        made.reason = {};
        if (doubtful)
            made.reason = {"by maximum likelihood, ", doubt.c_str(),
                           "; the parameters given are the most probable ones under a weak prior"};
    } else if (!doubtful && !few.empty()) {
        made.verdict = status::low_data;
        made.reason = few;
    }
    return made;
}

[[noreturn]] void throw_too_few(const short_text &detail) {
    throw error(invalid_parameter_value, "too few customers to fit a model", detail,
                "Fit it when there are more orders, or make a model of published parameters.");
}

} // namespace

template <class Model> fitted<Model> fit(const population &of, method wanted) {
    const std::int64_t customers = of.customers(), repeaters = of.repeaters();
    if (customers < fewest_customers)
        throw_too_few({"There are ", customers, " customers older than a day; ", fewest_customers, " are needed."});
    if (repeaters < fewest_repeaters)
        throw_too_few(
            {"Of ", customers, " customers ", repeaters, " have ordered again; ", fewest_repeaters, " are needed."});
    if (2 * of.quick_repeaters() < repeaters)
        throw_too_few({"Half of the customers are no older than ", number_text(of.median_age() * of.days_per_unit()),
                       " days, and most repeat customers take longer from one order to the next: only ",
                       of.quick_repeaters(), " of ", repeaters, " do not."});

    const double days = of.oldest_age() * of.days_per_unit();
    shortage few;
    if (customers < enough_customers)
        few = {"there are ", customers, " customers; estimates are rough below ", enough_customers};
    else if (repeaters < enough_repeaters)
        few = {"there are ", repeaters, " repeat customers; estimates are rough below ", enough_repeaters};
    else if (days < enough_days)
        few = {"the oldest customer is ", number_text(days), " days old; estimates are rough below ",
               number_text(enough_days)};
    auto made = fit<Model>(of, static_cast<double>(customers), wanted, few);
    made.customers = customers;
    made.repeaters = repeaters;
    return made;
}
template fitted<bgnbd> fit(const population &, method);
template fitted<mbgnbd> fit(const population &, method);
template fitted<pareto_nbd> fit(const population &, method);

fitted<gamma_gamma> fit(const spendings &of, method wanted) {
    const std::int64_t customers = of.customers();
    if (customers < fewest_customers)
        throw_too_few({"There are ", customers, " customers with repeat orders that cost anything; ", fewest_customers,
                       " are needed."});
    shortage few;
    if (customers < enough_repeaters)
        few = {"there are ", customers, " customers with repeat orders; estimates are rough below ", enough_repeaters};
    auto made = fit<gamma_gamma>(of, static_cast<double>(customers), wanted, few);
    made.customers = made.repeaters = customers;
    return made;
}

fitted<sbg> fit(const subscriptions &of) {
    const std::int64_t at_risk = of.at_risk();
    if (at_risk < fewest_customers)
        throw_too_few(
            {"There are ", at_risk, " subscriptions that came to a renewal; ", fewest_customers, " are needed."});
    if (of.cancelled() < fewest_repeaters || of.renewed() < fewest_repeaters)
        throw_too_few({"There are ", of.cancelled(), " cancelled subscriptions, and ", of.renewed(), " were renewed; ",
                       fewest_repeaters, " of each are needed."});
    shortage few;
    if (at_risk < enough_customers)
        few = {"there are ", at_risk, " subscriptions; estimates are rough below ", enough_customers};
    auto made = fit<sbg>(of, static_cast<double>(at_risk), method::maximum_likelihood, few);
    made.customers = of.customers();
    made.repeaters = of.renewed();
    return made;
}

} // namespace crm::lifetime
