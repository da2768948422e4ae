#include "lifetime/parameters.hpp"

#include "core/no_postgres.hpp"

namespace crm::lifetime {

number_text::number_text(double value) {
    const auto end = std::to_chars(digits_, digits_ + sizeof digits_, value, std::chars_format::general, 4).ptr;
    length_ = static_cast<std::size_t>(end - digits_);
}

void check_parameters(std::span<const std::string_view> names, std::span<const double> values) {
    for (std::size_t i = 0; i < values.size(); ++i)
        if (!(values[i] >= smallest_parameter && values[i] <= largest_parameter))
            throw error(invalid_parameter_value,
                        short_text("parameter ", names[i], " must lie between ", number_text(smallest_parameter),
                                   " and ", number_text(largest_parameter)),
                        short_text("It is ", number_text(values[i]), "."));
}

} // namespace crm::lifetime
