// Exact amounts in and out of PostgreSQL's numeric.
#pragma once

#include "bridge/postgres.hpp"
#include "core/decimal.hpp"

namespace crm::bridge {

// Raises 22003 for NaN, infinity, more than six decimal places, or more than 64 bits of them.
decimal decimal_from_numeric(Datum value);
Datum numeric_from_decimal(decimal value);

} // namespace crm::bridge
