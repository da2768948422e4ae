// What the parameters of all models share: each is a positive number, and a model is a plain list of them.
#pragma once

#include "core/error.hpp"

#include <array>
#include <bit>
#include <string_view>

namespace crm::lifetime {

// A number as messages show it, to four digits.
class number_text {
  public:
    explicit number_text(double value);
    operator std::string_view() const { return {digits_, length_}; }

  private:
    char digits_[32];
    std::size_t length_;
};

// What a model can be made of by hand. Fits stay well inside.
inline constexpr double smallest_parameter = 1e-10, largest_parameter = 1e10;

// The parameters by number, in the order of Model::names.
template <class Model> using parameter_array = std::array<double, Model::names.size()>;
template <class Model> parameter_array<Model> to_array(const Model &of) {
    return std::bit_cast<parameter_array<Model>>(of);
}
template <class Model> Model from_array(const parameter_array<Model> &of) { return std::bit_cast<Model>(of); }

// 22023 with the name and the value of a parameter out of range, or not a number.
void check_parameters(std::span<const std::string_view> names, std::span<const double> values);
template <class Model> void check_parameters(const Model &of) { check_parameters(Model::names, to_array(of)); }

} // namespace crm::lifetime
