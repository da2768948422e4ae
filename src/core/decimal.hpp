// Exact money: 64-bit minor units and a scale. Overflow is an error, never a wrong sum.
#pragma once

#include "core/error.hpp"
#include "core/types.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string_view>

namespace crm {

__extension__ typedef __int128 wide_int;

inline constexpr std::array<std::int64_t, 19> powers_of_ten = [] {
    std::array<std::int64_t, 19> powers{1};
    for (std::size_t i = 1; i < powers.size(); ++i)
        powers[i] = powers[i - 1] * 10;
    return powers;
}();

[[noreturn]] inline void throw_amount_overflow(std::string_view what) {
    throw error(numeric_value_out_of_range, short_text(what, " is out of range"),
                "Amounts are exact in 64 bits of the smallest unit of the query.",
                "Use fewer decimal places, or a larger unit of currency.");
}

inline std::int64_t narrow(wide_int value, std::string_view what) {
    if (value < std::numeric_limits<std::int64_t>::min() || value > std::numeric_limits<std::int64_t>::max())
        throw_amount_overflow(what);
    return static_cast<std::int64_t>(value);
}

// The same amount written with more decimal places.
inline std::int64_t rescale(std::int64_t minor, int from_scale, int to_scale) {
    std::int64_t result;
    if (__builtin_mul_overflow(minor, powers_of_ten[static_cast<std::size_t>(to_scale - from_scale)], &result))
        throw_amount_overflow("amount");
    return result;
}

// How many of `scale` decimal places the amount does not need.
inline int spare_places(std::int64_t minor, int scale) {
    int spare = 0;
    while (spare < scale && minor % 10 == 0) {
        minor /= 10;
        ++spare;
    }
    return spare;
}

// The form that a value has whatever way it was computed: no trailing zeros after the point.
inline decimal normalized(decimal value) {
    const int spare = spare_places(value.minor, value.scale);
    return {value.minor / powers_of_ten[static_cast<std::size_t>(spare)], value.scale - spare};
}

// Sums without regard to order: only the total has to fit.
class amount_sum {
  public:
    void add(wide_int minor) { total_ += minor; }
    // The total in minor units, or in the larger units that it is a multiple of.
    std::int64_t minor(std::int64_t divisor = 1) const {
        return narrow(divisor == 1 ? total_ : total_ / divisor, "sum of amounts");
    }

  private:
    wide_int total_ = 0;
};

// A sum of amounts of different scales, in the finest of them.
struct scaled_sum {
    wide_int minor = 0;
    std::int32_t scale = 0;

    void add(const scaled_sum &other) {
        const int finer = std::max(scale, other.scale);
        const auto in_finer = [finer](const scaled_sum &of) {
            return of.minor * powers_of_ten[static_cast<std::size_t>(finer - of.scale)];
        };
        *this = {in_finer(*this) + in_finer(other), finer};
    }
    // 22003, naming what it is a sum of, when it does not fit.
    decimal total(std::string_view what) const { return {narrow(minor, what), scale}; }
};

// Appends -99.5, with all decimal places of the scale.
template <class Text> void append_decimal(Text &to, decimal value) {
    char digits[24];
    const bool negative = value.minor < 0;
    const std::uint64_t magnitude =
        negative ? 0 - static_cast<std::uint64_t>(value.minor) : static_cast<std::uint64_t>(value.minor);
    const auto scale = static_cast<std::size_t>(value.scale);
    const auto length = static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, magnitude).ptr - digits);
    std::string_view all(digits, length);
    if (negative)
        to += '-';
    const std::size_t whole = length > scale ? length - scale : 0;
    to += whole > 0 ? all.substr(0, whole) : std::string_view("0");
    if (scale > 0) {
        to += '.';
        to.append(length < scale ? scale - length : 0, '0');
        to += all.substr(whole);
    }
}

// Reads -99.5; nothing when the text is no plain number, or needs more than six places or 64 bits.
inline std::optional<decimal> parse_decimal(std::string_view text) {
    const bool negative = text.starts_with('-');
    text.remove_prefix(negative ? 1 : 0);
    const std::size_t point = text.find('.');
    if (text.empty() || point == 0 || point == text.size() - 1)
        return std::nullopt;
    decimal value;
    std::int64_t pending_zeros = 1; // decimal places that count only when a digit follows
    int places = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i == point)
            continue;
        if (text[i] < '0' || text[i] > '9')
            return std::nullopt;
        const int digit = negative ? '0' - text[i] : text[i] - '0';
        if (i > point) {
            ++places;
            if (digit == 0) {
                pending_zeros = places <= max_scale ? pending_zeros * 10 : pending_zeros;
                continue;
            }
            if (places > max_scale)
                return std::nullopt;
            value.scale = places;
        }
        if (__builtin_mul_overflow(value.minor, (i > point ? pending_zeros : 1) * 10, &value.minor) ||
            __builtin_add_overflow(value.minor, digit, &value.minor))
            return std::nullopt;
        pending_zeros = 1;
    }
    return value;
}

// Compares amounts of different scales.
inline std::strong_ordering compare(decimal a, decimal b) {
    if (a.scale == b.scale)
        return a.minor <=> b.minor;
    const wide_int left = static_cast<wide_int>(a.minor) * powers_of_ten[static_cast<std::size_t>(max_scale - a.scale)];
    const wide_int right =
        static_cast<wide_int>(b.minor) * powers_of_ten[static_cast<std::size_t>(max_scale - b.scale)];
    return left < right ? std::strong_ordering::less
                        : (left > right ? std::strong_ordering::greater : std::strong_ordering::equal);
}

} // namespace crm
