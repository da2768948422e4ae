// The BG/NBD model of purchases (Fader, Hardie & Lee 2005) and its sibling MBG/NBD (Batislam, Denizel & Filiztekin
// 2007): buying is a Poisson process whose rate varies over customers as Gamma(r, alpha); after each order the customer
// leaves for good with a probability that varies as Beta(a, b). Under MBG/NBD also after the first order.
#pragma once

#include "lifetime/parameters.hpp"
#include "lifetime/population.hpp"

namespace crm::lifetime {

struct bgnbd {
    double r, alpha, a, b;

    static constexpr std::array<std::string_view, 4> names{"r", "alpha", "a", "b"};
    friend bool operator==(const bgnbd &, const bgnbd &) = default;
};

struct mbgnbd {
    double r, alpha, a, b;

    static constexpr std::array<std::string_view, 4> names{"r", "alpha", "a", "b"};
    friend bool operator==(const mbgnbd &, const mbgnbd &) = default;
};

// The log-likelihood of a population whose times, and alpha, are in units of its scale, and its gradient by the
// logarithms of the parameters.
double log_likelihood(const bgnbd &of, const population &customers, parameter_array<bgnbd> &gradient);
double log_likelihood(const mbgnbd &of, const population &customers, parameter_array<mbgnbd> &gradient);

// What the model says of one customer. Times are in the unit of alpha. Never NaN for parameters that check_parameters
// takes and purchases that checked_summary takes.
template <class Model> class scorer;

namespace detail {

// Both models. Under MBG/NBD customers have had one more chance to leave.
class beta_geometric {
  public:
    double r() const { return r_; }
    double alpha() const { return alpha_; }
    // Expected orders in the time ahead of a customer who is still one.
    double orders_if_alive(const purchases_seen &seen, double ahead) const;

  protected:
    template <class Model>
    beta_geometric(const Model &of, bool also_first)
        : r_(of.r), alpha_(of.alpha), a_(of.a), b_(of.b), first_(also_first ? 1 : 0) {}

    // For at least one chance to leave.
    double p_alive_after_orders(const purchases_seen &seen) const;

    double r_, alpha_, a_, b_, first_;
};

} // namespace detail

template <> class scorer<bgnbd> : public detail::beta_geometric {
  public:
    explicit scorer(const bgnbd &of) : beta_geometric(of, false) {}

    // 1 for everybody who has bought once: the model lets nobody leave before their second order.
    double p_alive(const purchases_seen &seen) const { return seen.repeats == 0 ? 1 : p_alive_after_orders(seen); }
    // Expected repeat orders of a new customer, in the time after the first order.
    double orders_of_newcomer(double ahead) const { return orders_if_alive({}, ahead); }
};

template <> class scorer<mbgnbd> : public detail::beta_geometric {
  public:
    explicit scorer(const mbgnbd &of) : beta_geometric(of, true) {}

    double p_alive(const purchases_seen &seen) const { return p_alive_after_orders(seen); }
    double orders_of_newcomer(double ahead) const { return b_ / (a_ + b_) * orders_if_alive({}, ahead); }
};

} // namespace crm::lifetime
