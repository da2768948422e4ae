#include "segment/dormancy.hpp"

#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

#include <array>
#include <cmath>

namespace crm::segment {
namespace {

constexpr std::size_t most_gaps = 50;      // the latest ones: older ones say little about now
constexpr double shortest_gap = 1;         // days; orders closer than this are one visit
constexpr double share_of_widening = 0.25; // of what the score lacks to 1

double days_between(timestamp from, timestamp to) {
    return (static_cast<double>(to.us) - static_cast<double>(from.us)) / static_cast<double>(microseconds_per_day);
}

struct rhythm {
    explicit rhythm(memory &in) : gaps(&in) {}

    std::int32_t purchases = 0;
    timestamp last;
    std::pmr::vector<double> gaps; // oldest first
};

rhythm rhythm_of(memory &in, purchases all, timestamp as_of) {
    rhythm found(in);
    interrupt_poll poll;
    for (const purchase &each : history::until(all, as_of).entries) {
        poll();
        if (each.is_refund())
            continue;
        if (found.purchases++ > 0)
            if (const double gap = days_between(found.last, each.at); gap >= shortest_gap)
                found.gaps.push_back(gap);
        found.last = each.at;
    }
    if (found.gaps.size() > most_gaps)
        found.gaps.erase(found.gaps.begin(), found.gaps.end() - most_gaps);
    return found;
}

std::optional<double> typical_gap(memory &in, const std::pmr::vector<double> &gaps, std::optional<double> shop_days) {
    std::pmr::vector<double> values(gaps, &in);
    if (shop_days)
        values.push_back(*shop_days);
    return values.empty() ? std::nullopt : std::optional(median(values));
}

std::optional<trend> change_of_gaps(memory &in, const std::pmr::vector<double> &gaps) {
    std::pmr::vector<observation> points(&in);
    for (const double gap : gaps)
        points.push_back({static_cast<double>(points.size()), gap});
    return estimate_trend(points, in);
}

// Half for one gap too many, three quarters for two, and so on.
double overdue_score(double days_since, double typical_days) {
    const double ratio = days_since / typical_days;
    return ratio <= 1 ? 0 : 1 - std::exp2(1 - ratio);
}

// With so many decimal places at most.
void append_number(text_buffer &to, double value, int places) {
    char digits[400];
    std::string_view text(
        digits,
        static_cast<std::size_t>(
            std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, places).ptr - digits));
    while (text.ends_with('0'))
        text.remove_suffix(1);
    if (text.ends_with('.'))
        text.remove_suffix(1);
    to += text;
}

// "1 day", "2.5 days".
void append_days(text_buffer &to, double days) {
    const std::size_t begin = to.size();
    append_number(to, days, 1);
    to += std::string_view(to).substr(begin) == "1" ? " day" : " days";
}

text_buffer reason_of_time(memory &in, const dormancy &of) {
    text_buffer reason(&in);
    append_days(reason, of.days_since);
    reason += " since the last purchase, ";
    if (!of.typical_days) {
        reason += "and no rhythm to compare that with";
    } else if (*of.days_overdue > 0) {
        append_number(reason, of.days_since / *of.typical_days, 1);
        reason += " times the usual ";
        append_days(reason, *of.typical_days);
    } else {
        reason += "within the usual ";
        append_days(reason, *of.typical_days);
    }
    return reason;
}

text_buffer reason_of_rhythm(memory &in, const dormancy &of) {
    constexpr std::array reasons{"the usual time is the shop's: there is no gap between purchases yet",
                                 "the usual time is between the shop's and the only gap there is",
                                 "the usual time counts the shop's beside the only two gaps there are"};
    return text_buffer(reasons[static_cast<std::size_t>(of.gaps)], &in);
}

text_buffer reason_of_change(memory &in, const dormancy &of) {
    text_buffer reason(*of.gap_direction == direction::rising ? "gaps widen by " : "gaps narrow by ", &in);
    append_days(reason, std::abs(of.gap_change->slope));
    reason += " from one to the next (";
    append_number(reason, of.gaps, 0);
    if (of.gap_change->p_value < 0.001)
        reason += " gaps, p < 0.001)";
    else {
        reason += " gaps, p = ";
        append_number(reason, of.gap_change->p_value, 3);
        reason += ')';
    }
    return reason;
}

} // namespace

void check_typical_days(double days) {
    if (!(days > 0) || !std::isfinite(days))
        throw error(invalid_parameter_value, "typical_days must be a positive number", {},
                    "Give the shop's usual days between two purchases, or leave it out.");
}

std::optional<dormancy> dormancy_of(memory &in, purchases all, timestamp as_of, std::optional<double> shop_days) {
    const rhythm own = rhythm_of(in, all, as_of);
    if (own.purchases == 0)
        return std::nullopt;
    dormancy found(in);
    found.purchases = own.purchases;
    found.days_since = days_between(own.last, as_of);
    found.gaps = static_cast<std::int32_t>(own.gaps.size());
    found.typical_days = typical_gap(in, own.gaps, shop_days);
    found.gap_change = change_of_gaps(in, own.gaps);
    found.gap_direction = direction_of(found.gap_change, own.gaps.size());
    const bool widens = found.gap_direction == direction::rising;
    if (found.typical_days) {
        found.days_overdue = std::max(0.0, found.days_since - *found.typical_days);
        const double overdue = overdue_score(found.days_since, *found.typical_days);
        found.score = overdue + (widens ? share_of_widening * (1 - overdue) : 0);
    }
    found.reasons.push_back(reason_of_time(in, found));
    if (shop_days && found.gaps <= 2)
        found.reasons.push_back(reason_of_rhythm(in, found));
    if (widens || found.gap_direction == direction::falling)
        found.reasons.push_back(reason_of_change(in, found));
    return found;
}

} // namespace crm::segment
