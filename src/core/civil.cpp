#include "core/civil.hpp"

#include "core/no_postgres.hpp"

#include <array>
#include <charconv>

namespace crm {
namespace {

void append_padded(text_buffer &to, std::int64_t number, std::size_t width) {
    std::array<char, 24> digits;
    const char *end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    const auto length = static_cast<std::size_t>(end - digits.data());
    to.append(width > length ? width - length : 0, '0').append(digits.data(), length);
}

// Takes pieces off the front of a text; one failure makes the whole scan fail.
class scanner {
  public:
    explicit scanner(std::string_view text) : rest_(text) {}

    std::int64_t digits(std::size_t at_least, std::size_t at_most) {
        std::int64_t value = 0;
        std::size_t count = 0;
        for (; count < at_most && count < rest_.size() && is_digit(rest_[count]); ++count)
            value = value * 10 + (rest_[count] - '0');
        ok_ = ok_ && count >= at_least;
        rest_.remove_prefix(count);
        taken_ = count;
        return value;
    }
    bool take(char letter) {
        if (rest_.empty() || rest_.front() != letter)
            return false;
        rest_.remove_prefix(1);
        return true;
    }
    void need(bool condition) { ok_ = ok_ && condition; }
    std::size_t digits_taken() const { return taken_; }
    bool finished() const { return ok_ && rest_.empty(); }

  private:
    static bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

    std::string_view rest_;
    std::size_t taken_ = 0;
    bool ok_ = true;
};

bool is_real_date(civil_date date) {
    if (date.month < 1 || date.month > 12 || date.day < 1 || date.day > 31)
        return false;
    const civil_date back = civil_from_days(days_from_civil(date));
    return back.month == date.month && back.day == date.day;
}

std::int64_t scan_microseconds(scanner &scan) {
    if (!scan.take('.'))
        return 0;
    std::int64_t fraction = scan.digits(1, 6);
    for (std::size_t places = scan.digits_taken(); places < 6; ++places)
        fraction *= 10;
    return fraction;
}

std::int64_t scan_offset_minutes(scanner &scan) {
    if (scan.take('Z'))
        return 0;
    const bool west = scan.take('-');
    scan.need(west || scan.take('+'));
    const std::int64_t hours = scan.digits(2, 2);
    const std::int64_t minutes = scan.take(':') ? scan.digits(2, 2) : 0;
    scan.need(hours <= 15 && minutes <= 59);
    return (west ? -1 : 1) * (hours * 60 + minutes);
}

} // namespace

void append_timestamp(text_buffer &to, timestamp at) {
    const std::int64_t days = floor_divide(at.us, microseconds_per_day);
    const std::int64_t of_day = at.us - days * microseconds_per_day;
    const civil_date date = civil_from_days(days);
    if (date.year < 0)
        to += '-';
    append_padded(to, date.year < 0 ? -date.year : date.year, 4);
    append_padded(to += '-', date.month, 2);
    append_padded(to += '-', date.day, 2);
    const std::int64_t seconds = of_day / microseconds_per_second;
    append_padded(to += 'T', seconds / 3600, 2);
    append_padded(to += ':', seconds / 60 % 60, 2);
    append_padded(to += ':', seconds % 60, 2);
    if (const std::int64_t fraction = of_day % microseconds_per_second; fraction != 0) {
        append_padded(to += '.', fraction, 6);
        to.erase(to.find_last_not_of('0') + 1);
    }
    to += 'Z';
}

std::optional<timestamp> parse_timestamp(std::string_view text) {
    scanner scan(text);
    const bool before_year_zero = scan.take('-');
    const std::int64_t year = scan.digits(4, 6);
    scan.need(scan.take('-'));
    const auto month = static_cast<int>(scan.digits(2, 2));
    scan.need(scan.take('-'));
    const auto day = static_cast<int>(scan.digits(2, 2));
    scan.need(scan.take('T') || scan.take(' '));
    const std::int64_t hour = scan.digits(2, 2);
    scan.need(scan.take(':'));
    const std::int64_t minute = scan.digits(2, 2);
    scan.need(scan.take(':'));
    const std::int64_t second = scan.digits(2, 2);
    const std::int64_t fraction = scan_microseconds(scan);
    const std::int64_t offset = scan_offset_minutes(scan);

    const civil_date date{before_year_zero ? -year : year, month, day};
    scan.need(is_real_date(date) && date.year >= -4713 && date.year <= 294'277 && hour < 24 && minute < 60 &&
              second < 60);
    if (!scan.finished())
        return std::nullopt;
    const std::int64_t seconds = ((days_from_civil(date) * 24 + hour) * 60 + minute - offset) * 60 + second;
    __extension__ const __int128 us = static_cast<__int128>(seconds) * microseconds_per_second + fraction;
    if (us < earliest_timestamp.us || us >= end_of_timestamps.us)
        return std::nullopt;
    return timestamp{static_cast<std::int64_t>(us)};
}

} // namespace crm
