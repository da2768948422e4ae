// The product-limit estimator of Kaplan and Meier with Greenwood's variance, fed one time after the other.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

namespace crm::repeat {

class kaplan_meier {
  public:
    // So many events among so many at risk, at a time later than those before.
    void step(std::int64_t at_risk, std::int64_t events) {
        if (events == 0)
            return;
        const auto n = static_cast<double>(at_risk), d = static_cast<double>(events);
        survival_ = at_risk == events ? 0 : survival_ * ((n - d) / n);
        variance_ += d / (n * (n - d)); // infinite once nobody is left
    }

    double survival() const { return survival_; }
    // Greenwood's sum: the variance of the logarithm of survival.
    double variance() const { return variance_; }
    // Nothing once nobody is left.
    std::optional<double> standard_error() const {
        return survival_ > 0 ? std::optional(survival_ * std::sqrt(variance_)) : std::nullopt;
    }

  private:
    double survival_ = 1, variance_ = 0;
};

} // namespace crm::repeat
