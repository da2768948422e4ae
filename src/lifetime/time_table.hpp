// What likelihoods need of each different time, computed once for all customers who share it.
#pragma once

#include "lifetime/population.hpp"

#include <cmath>

namespace crm::lifetime {

class time_table {
  public:
    struct entry {
        double log;   // log(1 + t / scale)
        double share; // t / (scale + t)
    };

    time_table(const population &customers, double scale) : entries_(customers.resource()) {
        entries_.reserve(customers.times().size());
        for (const double time : customers.times())
            entries_.push_back({std::log1p(time / scale), time / (scale + time)});
    }

    const entry &operator[](std::uint32_t place) const { return entries_[place]; }

  private:
    std::pmr::vector<entry> entries_;
};

} // namespace crm::lifetime
