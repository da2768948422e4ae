#include "core/calendar.hpp"

#include "core/error.hpp"

#include "core/no_postgres.hpp"

#include <array>
#include <charconv>
#include <stdexcept>

namespace crm {
namespace {

constexpr std::int64_t first_monday = 2;        // 2000-01-03
constexpr std::int64_t first_date = -2'451'545; // the first that PostgreSQL's date can hold

constexpr std::array<std::string_view, 6> unit_words{"", "day", "week", "month", "quarter", "year"};
constexpr std::string_view unit_word(period_unit unit) { return unit_words[static_cast<std::size_t>(unit)]; }

constexpr unsigned version = 1;
constexpr std::size_t header_bytes = 4;

std::int64_t months_in(period_unit unit) {
    return unit == period_unit::month ? 1 : (unit == period_unit::quarter ? 3 : 12);
}

[[noreturn]] void throw_malformed(std::string_view text, std::string_view what) {
    throw error(invalid_text_representation, "invalid input syntax for type crm.calendar",
                short_text("\"", excerpt(text), "\" ", what, "."),
                "Write a period and a zone, such as 'month Asia/Tokyo' or '30 days UTC'.");
}

[[noreturn]] void throw_bad_period(short_text message, short_text detail) {
    throw error(
        invalid_parameter_value, message, detail,
        "Write day, week, month, quarter, year or a number of days, such as 'month Asia/Tokyo' or '30 days UTC'.");
}

// Takes the words off the front of a text.
class word_reader {
  public:
    explicit word_reader(std::string_view text) : all_(text), rest_(text) { skip_blanks(); }

    std::string_view next() {
        const std::string_view word = rest_.substr(0, rest_.find_first_of(blanks));
        rest_.remove_prefix(word.size());
        skip_blanks();
        return word;
    }
    bool at_number() const {
        return !rest_.empty() && (rest_[0] == '-' || rest_[0] == '+' || (rest_[0] >= '0' && rest_[0] <= '9'));
    }
    void finish() const {
        if (!rest_.empty())
            throw_malformed(all_, "goes on after what it should end with");
    }
    std::string_view all() const { return all_; }

  private:
    static constexpr std::string_view blanks = " \t\n\v\f\r";
    void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(blanks), rest_.size())); }

    std::string_view all_, rest_;
};

bool same_word(std::string_view word, std::string_view lower_case) {
    return std::ranges::equal(word, lower_case,
                              [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

period_unit parse_unit(std::string_view word) {
    for (std::size_t i = 1; i < unit_words.size(); ++i) {
        const std::size_t length = unit_words[i].size();
        const bool plural = word.size() == length + 1 && (word.back() == 's' || word.back() == 'S');
        if (same_word(word.substr(0, plural ? length : word.size()), unit_words[i]))
            return static_cast<period_unit>(i);
    }
    throw_bad_period("unknown period", short_text("The period is \"", excerpt(word), "\"."));
}

int parse_count(word_reader &words) {
    const std::string_view word = words.next();
    const char *const end = word.data() + word.size();
    std::int64_t count = 0;
    const auto [stop, failure] = std::from_chars(word.data(), end, count);
    if (stop != end || failure == std::errc::invalid_argument)
        throw_malformed(words.all(), "begins with no whole number");
    if (failure != std::errc{} || count < 1 || count > calendar_period::max_days)
        throw_bad_period("number of days is out of range",
                         short_text("It is ", excerpt(word), ", not between 1 and ", calendar_period::max_days, "."));
    return static_cast<int>(count);
}

calendar_period take_period(word_reader &words) {
    calendar_period found;
    const bool counted = words.at_number();
    const int count = counted ? parse_count(words) : 1;
    const std::string_view word = words.next();
    if (word.empty())
        throw_malformed(words.all(), counted ? "ends after a number" : "holds no period");
    found.unit = parse_unit(word);
    if (count > 1 && found.unit != period_unit::day)
        throw_bad_period("only days can be counted", short_text("The period is ", count, " ", excerpt(word), "."));
    found.days = count;
    return found;
}

bool is_zone_letter(char letter) { return letter > ' ' && letter < '\x7F'; }

} // namespace

std::int64_t calendar_period::index_of(date local, date anchor) const {
    switch (unit) {
    case period_unit::day:
        return floor_divide(std::int64_t{local.days} - anchor.days, days);
    case period_unit::week:
        return floor_divide(local.days - first_monday, 7);
    default: {
        const civil_date civil = civil_from_days(local.days);
        return floor_divide(civil.year * 12 + civil.month - 1, months_in(unit));
    }
    }
}

std::int64_t calendar_period::first_day(std::int64_t index, date anchor) const {
    switch (unit) {
    case period_unit::day:
        return anchor.days + index * days;
    case period_unit::week:
        return first_monday + index * 7;
    default: {
        const std::int64_t months = index * months_in(unit), year = floor_divide(months, 12);
        return days_from_civil({year, static_cast<int>(months - year * 12) + 1, 1});
    }
    }
}

int calendar_period::most_days() const {
    switch (unit) {
    case period_unit::day:
        return days;
    case period_unit::week:
        return 7;
    default:
        return static_cast<int>(months_in(unit)) * 31;
    }
}

std::size_t zone_offsets::find(timestamp at) const {
    if (at < changes_.front().from || at >= end_)
        throw std::out_of_range("instant outside the offsets of its zone");
    const auto after = std::ranges::upper_bound(changes_, at, {}, &offset_change::from);
    return static_cast<std::size_t>(after - changes_.begin()) - 1;
}

timestamp zone_offsets::first_at_or_after(std::int64_t local) const {
    for (std::size_t i = find({local - max_offset}); i < changes_.size(); ++i) {
        const timestamp at = std::max(changes_[i].from, timestamp{local - changes_[i].offset});
        if (at < end_of(i))
            return at;
    }
    throw std::out_of_range("local time outside the offsets of its zone");
}

date calendar::period_start_date(std::int64_t index) const {
    const std::int64_t day = period_.first_day(index, anchor_);
    if (day < first_date)
        throw error(
            datetime_field_overflow, "date out of range",
            short_text("The ", unit_word(period_.unit), " begins before 4714-11-24 BC, the first date there is."),
            "Leave times as old as that out of the query.");
    return {static_cast<std::int32_t>(day)};
}

timestamp calendar::day_begin(std::int64_t day) const {
    if (day > end_of_timestamps.us / microseconds_per_day + 1)
        return end_of_timestamps;
    return std::min(zone_.first_at_or_after(day * microseconds_per_day), end_of_timestamps);
}

timestamp calendar::period_begin(std::int64_t index) const { return day_begin(period_.first_day(index, anchor_)); }

calendar_name parse_calendar(std::string_view text) {
    word_reader words(text);
    calendar_name found;
    found.period = take_period(words);
    found.zone = words.next();
    words.finish();
    return found;
}

calendar_period parse_period(std::string_view text) {
    word_reader words(text);
    const calendar_period found = take_period(words);
    words.finish();
    return found;
}

void append_calendar(text_buffer &to, const calendar_name &name) {
    if (name.period.days > 1) {
        char digits[8];
        to.append(digits, std::to_chars(digits, digits + sizeof digits, name.period.days).ptr) += ' ';
    }
    to += unit_word(name.period.unit);
    to += name.period.days > 1 ? "s " : " ";
    to += name.zone;
}

byte_vector encode_calendar(memory &in, const calendar_name &name) {
    byte_vector bytes(header_bytes + name.zone.size(), &in);
    bytes[0] = std::byte{version};
    bytes[1] = static_cast<std::byte>(name.period.unit);
    bytes[2] = static_cast<std::byte>(name.period.days >> 8);
    bytes[3] = static_cast<std::byte>(name.period.days & 0xFF);
    std::ranges::copy(std::as_bytes(std::span(name.zone)), bytes.begin() + header_bytes);
    return bytes;
}

std::optional<calendar_name> decode_calendar(byte_span bytes) {
    if (bytes.size() <= header_bytes || bytes.size() > header_bytes + calendar_name::max_zone_bytes ||
        bytes[0] != std::byte{version})
        return std::nullopt;
    const auto unit = std::to_integer<std::uint8_t>(bytes[1]);
    const int days = std::to_integer<int>(bytes[2]) << 8 | std::to_integer<int>(bytes[3]);
    const std::string_view zone(reinterpret_cast<const char *>(bytes.data()) + header_bytes,
                                bytes.size() - header_bytes);
    const bool is_day = unit == static_cast<std::uint8_t>(period_unit::day);
    if (unit < 1 || unit >= unit_words.size() || days < 1 || days > (is_day ? calendar_period::max_days : 1) ||
        !std::ranges::all_of(zone, is_zone_letter))
        return std::nullopt;
    return calendar_name{{static_cast<period_unit>(unit), days}, zone};
}

} // namespace crm
