#include "lifetime/tally.hpp"

#include "core/no_postgres.hpp"

namespace crm::lifetime {

stored_terms stored_terms::of(const terms &with) {
    stored_terms stored{
        with.as_of.us, static_cast<std::uint16_t>(with.calendar.size()), static_cast<std::uint16_t>(with.wanted), {}};
    std::ranges::copy(with.calendar, stored.calendar);
    return stored;
}

terms stored_terms::read(byte_span fixed) {
    const auto length = load<std::uint16_t>(fixed.data() + offsetof(stored_terms, calendar_bytes));
    if (length > sizeof calendar)
        throw_invalid_state("The name of its calendar is too long.");
    const auto wanted = load<std::uint16_t>(fixed.data() + offsetof(stored_terms, wanted));
    if (wanted > static_cast<std::uint16_t>(method::map))
        throw_invalid_state("Its method is none.");
    return {{load<std::int64_t>(fixed.data())},
            fixed.subspan(offsetof(stored_terms, calendar), length),
            static_cast<method>(wanted)};
}

calendar_period period_of(const terms &with) {
    const auto name = decode_calendar(with.calendar);
    if (!name)
        throw_invalid_state("Its calendar is none.");
    return name->period;
}

bool are_equal(const terms &a, const terms &b) {
    return a.as_of == b.as_of && a.wanted == b.wanted && std::ranges::equal(a.calendar, b.calendar);
}

void throw_different_terms() {
    throw error(invalid_parameter_value,
                "customers seen by different calendars, dates or methods cannot be fitted together", {},
                "Give the same calendar, as_of and method for all customers.");
}

} // namespace crm::lifetime
