// How a core says that it cannot go on. The bridge turns these exceptions into PostgreSQL errors.
#pragma once

#include "core/types.hpp"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstring>
#include <exception>
#include <string_view>

namespace crm {

// The SQLSTATEs that pg_crm raises, by their names in the PostgreSQL manual.
struct sqlstate {
    char code[6];
};
inline constexpr sqlstate numeric_value_out_of_range{"22003"};
inline constexpr sqlstate datetime_field_overflow{"22008"};
inline constexpr sqlstate invalid_parameter_value{"22023"};
inline constexpr sqlstate invalid_text_representation{"22P02"};
inline constexpr sqlstate invalid_binary_representation{"22P03"};
inline constexpr sqlstate program_limit_exceeded{"54000"};
inline constexpr sqlstate data_corrupted{"XX001"};

// A short text without an allocation: what does not fit is cut.
class short_text {
  public:
    template <class... Parts> explicit(false) constexpr short_text(const Parts &...parts) {
        text_[0] = '\0';
        (append(parts), ...);
    }

    const char *c_str() const { return text_; }
    bool empty() const { return length_ == 0; }

  private:
    void append(std::string_view part) {
        length_ += part.copy(text_ + length_, sizeof text_ - 1 - length_);
        text_[length_] = '\0';
    }
    void append(std::integral auto number) {
        char digits[24];
        append(std::string_view(digits, std::to_chars(digits, digits + sizeof digits, number).ptr - digits));
    }
    void append(char letter) { append(std::string_view(&letter, 1)); }

    char text_[320];
    std::size_t length_ = 0;
};

// What a message shows of a user's text. A long text is cut, but never inside a character, whatever the encoding.
inline std::string_view excerpt(std::string_view text) {
    const auto ascii = [&](std::size_t i) { return static_cast<unsigned char>(text[i]) < 0x80; };
    std::size_t length = std::min<std::size_t>(text.size(), 180);
    while (length > 0 && length < text.size() && !ascii(length - 1) && !ascii(length))
        --length;
    return text.substr(0, length);
}

class error : public std::exception {
  public:
    error(sqlstate state, short_text message, short_text detail = {}, short_text hint = {})
        : state(state), message(message), detail(detail), hint(hint) {}
    const char *what() const noexcept override { return message.c_str(); }

    sqlstate state;
    short_text message, detail, hint;
};

// The time between two times; 22008 when it is longer than an interval can be.
inline duration elapsed(timestamp from, timestamp to) {
    duration length;
    if (__builtin_sub_overflow(to.us, from.us, &length.us))
        throw error(datetime_field_overflow, "interval is out of range");
    return length;
}

} // namespace crm
