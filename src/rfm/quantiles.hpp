// Exact quantile cut points in few passes and constant memory, whatever the number of values.
#pragma once

#include "rfm/rfm.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace crm::rfm {

// Least and greatest of some values.
struct value_range {
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    std::int64_t greatest = std::numeric_limits<std::int64_t>::min();

    void add(std::int64_t value) {
        least = std::min(least, value);
        greatest = std::max(greatest, value);
    }
};

// Finds the least value of each grade from 2 to n, where a value's grade is 1 + floor(n × share of the values that are
// strictly less), so that equal values share a grade.
//
//     cut_search search(range, count, n);
//     while (search.begin_pass())
//         for (value : values) search.visit(value);
//
// Grade g begins above the ceil(count × (g-1) / n)-th value. That value is found digit by digit, the highest first:
// each pass counts the next digit of the values that share all digits known of one of the wanted values.
class cut_search {
  public:
    cut_search(value_range of, std::uint64_t count, int grades, memory &in)
        : range_(of), wanted_(&in), prefixes_(&in),
          digits_left_((static_cast<unsigned>(std::bit_width(offset(of.greatest))) + digit_bits - 1) / digit_bits) {
        for (int below = 1; below < grades; ++below)
            wanted_.push_back(
                {.rank = static_cast<std::uint64_t>((static_cast<wide_int>(count) * below + grades - 1) / grades)});
        digits_left_ = std::max(digits_left_, 1u);
    }

    // False when everything is found.
    bool begin_pass() {
        if (counting_)
            take_digit();
        counting_ = digits_left_ > 0;
        if (!counting_)
            return false;
        --digits_left_;
        prefixes_.clear();
        for (wanted &one : wanted_) {
            if (prefixes_.empty() || prefixes_.back().known != one.known)
                prefixes_.emplace_back(one.known, prefixes_.get_allocator().resource());
            one.prefix = prefixes_.size() - 1;
        }
        return true;
    }

    void visit(std::int64_t value) {
        const std::uint64_t seen = offset(value) >> (digits_left_ * digit_bits);
        for (prefix &each : prefixes_) {
            if (seen / digits == each.known)
                ++each.counts[seen % digits];
            else if (digits_left_ == 0 && seen / digits > each.known)
                each.beyond = std::min(each.beyond, value);
        }
    }

    // The least value of grade `grade`: one that occurs, or one more than the greatest where nobody reaches the grade.
    std::int64_t least_of(int grade) const { return wanted_[static_cast<std::size_t>(grade - 2)].next; }

  private:
    static constexpr unsigned digit_bits = 14;
    static constexpr std::uint64_t digits = std::uint64_t{1} << digit_bits;

    struct wanted {
        std::uint64_t rank;      // among the values that share what is known
        std::uint64_t known = 0; // the offset's digits so far
        std::int64_t next = 0;   // at the end: the least value that is greater
        std::size_t prefix = 0;
    };
    struct prefix {
        prefix(std::uint64_t known, memory *in) : known(known), counts(digits, 0, in) {}
        std::uint64_t known;
        std::pmr::vector<std::uint64_t> counts;
        std::int64_t beyond =
            std::numeric_limits<std::int64_t>::max(); // in the last pass: the least value with a greater prefix
    };

    std::uint64_t offset(std::int64_t value) const {
        return static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(range_.least);
    }
    std::int64_t value_at(std::uint64_t offset) const {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(range_.least) + offset);
    }

    void take_digit() {
        for (wanted &one : wanted_) {
            const prefix &among = prefixes_[one.prefix];
            std::uint64_t digit = 0;
            while (one.rank > among.counts[digit])
                one.rank -= among.counts[digit++];
            one.known = one.known * digits + digit;
            if (digits_left_ > 0)
                continue;
            const auto next = std::find_if(among.counts.begin() + static_cast<std::ptrdiff_t>(digit) + 1,
                                           among.counts.end(), [](std::uint64_t count) { return count > 0; });
            if (next != among.counts.end())
                one.next = value_at(among.known * digits + static_cast<std::uint64_t>(next - among.counts.begin()));
            else if (range_.greatest > value_at(one.known))
                one.next = among.beyond;
            else
                one.next = range_.greatest + (range_.greatest < std::numeric_limits<std::int64_t>::max());
        }
    }

    value_range range_;
    std::pmr::vector<wanted> wanted_;
    std::pmr::vector<prefix> prefixes_; // distinct, in the order of the wanted values
    unsigned digits_left_;
    bool counting_ = false;
};

// What quantile bands are made from: recency turned round, so that more is better for all three.
struct measure_values {
    std::int64_t better_recency, frequency, monetary;

    static measure_values of(std::int32_t recency, std::int32_t frequency, std::int64_t monetary) {
        return {-std::int64_t{recency}, frequency, monetary};
    }
};

struct measure_ranges {
    value_range better_recency, frequency, monetary;

    void add(const measure_values &of) {
        better_recency.add(of.better_recency);
        frequency.add(of.frequency);
        monetary.add(of.monetary);
    }
};

// What nobody reaches may be one more than a number that no measure exceeds.
inline std::int32_t saturated(std::int64_t value) {
    using limits = std::numeric_limits<std::int32_t>;
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(value, limits::min(), limits::max()));
}

// The bands that split a population: each(visit) calls visit(measure_values) for all its members, as often as it is
// asked.
template <class Each>
bands quantile_bands(memory &in, const measure_ranges &ranges, std::uint64_t count, int grades, int scale,
                     Each &&each) {
    cut_search recency(ranges.better_recency, count, grades, in), frequency(ranges.frequency, count, grades, in),
        monetary(ranges.monetary, count, grades, in);
    for (;;) {
        const bool r = recency.begin_pass(), f = frequency.begin_pass(), m = monetary.begin_pass();
        if (!r && !f && !m)
            break;
        each([&](const measure_values &of) {
            if (r)
                recency.visit(of.better_recency);
            if (f)
                frequency.visit(of.frequency);
            if (m)
                monetary.visit(of.monetary);
        });
    }
    bands found{.cuts = grades - 1};
    for (int grade = grades; grade >= 2; --grade) {
        const auto place = static_cast<std::size_t>(grades - grade);
        found.recency[place] = saturated(-recency.least_of(grade));
        found.frequency[place] = saturated(frequency.least_of(grade));
        found.monetary[place] = normalized({monetary.least_of(grade), scale});
    }
    return found;
}

} // namespace crm::rfm
