// What all customers of one fit have in common, kept in front of the counts of its state.
#pragma once

#include "core/calendar.hpp"

namespace crm::lifetime {

// Maximum likelihood, or the most probable parameters (maximum a posteriori) under a weak prior that is free of the
// units of time and money, for shops whose data alone do not determine them. Automatic is maximum likelihood, unless
// the data are few or do not determine the parameters.
enum class method : std::uint8_t { automatic, maximum_likelihood, map };

struct terms {
    // Summaries made elsewhere have no such time: any that is the same for all of them will do.
    timestamp as_of{};
    byte_span calendar{}; // encoded; `day` or `week` with a zone
    method wanted = method::automatic;
};

} // namespace crm::lifetime
