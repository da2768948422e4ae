#include "history/history.hpp"

#include "core/civil.hpp"
#include "core/interrupts.hpp"

#include "core/no_postgres.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace crm::history {
namespace {

constexpr unsigned version = 1;
constexpr unsigned scale_mask = 0x07, refunds_flag = 0x08, reserved_flags = 0xF0;

constexpr std::array<std::uint64_t, 6> units{1, 1'000, 1'000'000, 60'000'000, 3'600'000'000, 86'400'000'000};
constexpr std::size_t coarsest_unit = units.size() - 1;

constexpr auto earlier_than_entry = [](timestamp at, const purchase &entry) { return at < entry.at; };
constexpr auto entry_earlier_than = [](const purchase &entry, timestamp at) { return entry.at < at; };
constexpr auto is_purchase = [](const purchase &entry) { return !entry.is_refund(); };

// Times span more than a signed difference can hold.
constexpr std::uint64_t distance(timestamp from, timestamp to) {
    return static_cast<std::uint64_t>(to.us) - static_cast<std::uint64_t>(from.us);
}

constexpr std::size_t unit_of(std::uint64_t length, std::size_t unit = coarsest_unit) {
    while (length % units[unit] != 0)
        --unit;
    return unit;
}

constexpr std::uint64_t magnitude(std::int64_t value) {
    return value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
}

[[noreturn]] void throw_malformed(std::string_view what) {
    throw error(data_corrupted, "stored history is malformed", short_text("Its ", what, " is impossible."),
                "Build the history again from its orders.");
}

// What has to be known of all entries before the first byte can be written.
struct survey {
    std::size_t gap_unit = coarsest_unit;
    int spare;
    std::int64_t refunds = 0;
    amount_sum sum, refunded;
};

survey look_over(purchases of) {
    survey found{.spare = of.scale, .sum = {}, .refunded = {}};
    interrupt_poll poll;
    timestamp previous = of.entries.front().at;
    for (const purchase &entry : of.entries) {
        poll();
        found.gap_unit = unit_of(distance(previous, entry.at), found.gap_unit);
        previous = entry.at;
        if (found.spare > 0)
            found.spare = spare_places(entry.amount, found.spare);
        found.sum.add(entry.amount);
        if (entry.is_refund()) {
            ++found.refunds;
            found.refunded.add(-static_cast<wide_int>(entry.amount));
        }
    }
    return found;
}

std::size_t room_for(std::size_t entries) { return max_summary_bytes + entries * 2 * byte_writer::max_varint; }

void check_size(std::size_t bytes) {
    if (bytes > max_bytes)
        throw error(program_limit_exceeded, "history is too large", "A history takes less than 1 GB.",
                    "Keep guest orders and other shared accounts out of the query.");
}

struct layout {
    unsigned flags;
    std::size_t gap_unit, first_unit;
    std::int64_t entries;
    timestamp first;
    std::uint64_t span; // in gap units

    int scale() const { return static_cast<int>(flags & scale_mask); }
    bool has_refunds() const { return (flags & refunds_flag) != 0; }

    timestamp after_first(std::uint64_t gaps) const {
        std::uint64_t length;
        if (__builtin_mul_overflow(gaps, units[gap_unit], &length) || length > distance(first, end_of_timestamps))
            throw_malformed("time");
        const timestamp at{static_cast<std::int64_t>(static_cast<std::uint64_t>(first.us) + length)};
        if (!is_finite(at))
            throw_malformed("time");
        return at;
    }
};

layout read_layout(byte_reader &in) {
    if (in.byte() != version)
        throw_malformed("version");
    layout found{};
    found.flags = in.byte();
    const unsigned unit_byte = in.byte();
    found.gap_unit = unit_byte & 0x0F;
    found.first_unit = unit_byte >> 4;
    if ((found.flags & reserved_flags) != 0 || found.scale() > max_scale || found.gap_unit > coarsest_unit ||
        found.first_unit > coarsest_unit)
        throw_malformed("header");
    const std::uint64_t entries = in.varint();
    if (entries > max_bytes)
        throw_malformed("number of entries");
    found.entries = static_cast<std::int64_t>(entries);
    if (entries == 0)
        return found;
    const auto [first, span] = in.two_varints();
    if (__builtin_mul_overflow(unzigzag(first), static_cast<std::int64_t>(units[found.first_unit]), &found.first.us) ||
        !is_finite(found.first))
        throw_malformed("first time");
    found.span = span;
    return found;
}

// Sorted entries into bytes; writer's room has been reserved.
void write(byte_writer &out, purchases of, const survey &found) {
    const timestamp first = of.entries.front().at, last = of.entries.back().at;
    const std::size_t first_unit = unit_of(magnitude(first.us));
    const std::uint64_t gap = units[found.gap_unit];
    const std::int64_t divisor = powers_of_ten[static_cast<std::size_t>(found.spare)];
    const bool has_refunds = found.refunds > 0;

    out.byte(version);
    out.byte(static_cast<unsigned>(of.scale - found.spare) | (has_refunds ? refunds_flag : 0));
    out.byte(static_cast<unsigned>(found.gap_unit | first_unit << 4));
    out.varint(of.entries.size());
    out.varint(zigzag(first.us / static_cast<std::int64_t>(units[first_unit])));
    out.varint(distance(first, last) / gap);
    out.varint(zigzag(found.sum.minor(divisor)));
    if (has_refunds) {
        const auto from = std::ranges::find_if(of.entries, is_purchase);
        const auto to = std::find_if(of.entries.rbegin(), of.entries.rend(), is_purchase);
        const bool any = from != of.entries.end();
        out.varint(static_cast<std::uint64_t>(found.refunds));
        out.varint(static_cast<std::uint64_t>(found.refunded.minor(divisor)));
        out.varint(any ? distance(first, from->at) / gap : 0);
        out.varint(any ? distance(to->at, last) / gap : 0);
    }
    interrupt_poll poll;
    for (std::size_t i = 0; i < of.entries.size(); ++i) {
        poll();
        if (i > 0 && i + 1 < of.entries.size())
            out.varint(distance(of.entries[i - 1].at, of.entries[i].at) / gap);
        const std::int64_t amount = divisor == 1 ? of.entries[i].amount : of.entries[i].amount / divisor;
        out.varint(has_refunds ? zigzag(amount) : static_cast<std::uint64_t>(amount));
    }
}

// Brings both to the finer of their scales.
int align_scales(entries &a, entries &b) {
    const int scale = std::max(a.scale, b.scale);
    for (entries *side : {&a, &b})
        if (side->scale < scale)
            for (purchase &entry : side->list)
                entry.amount = rescale(entry.amount, side->scale, scale);
    return a.scale = b.scale = scale;
}

// The one text form is a subset of JSON, so a few steps of a hand-written reader take it.
class text_reader {
  public:
    explicit text_reader(std::string_view text) : rest_(text) {}

    bool take(char letter) {
        skip_blanks();
        if (rest_.empty() || rest_.front() != letter)
            return false;
        rest_.remove_prefix(1);
        return true;
    }
    void need(char letter) {
        if (!take(letter))
            fail(short_text("Expected \"", letter, "\" before \"", excerpt(rest_), "\"."));
    }
    timestamp time() {
        need('"');
        const std::string_view text = rest_.substr(0, rest_.find('"'));
        const auto at = parse_timestamp(text);
        if (!at)
            fail(short_text("\"", excerpt(text), "\" is no time such as 2026-01-01T00:30:00Z."));
        rest_.remove_prefix(text.size());
        need('"');
        return *at;
    }
    decimal amount() {
        skip_blanks();
        const std::string_view text = rest_.substr(0, rest_.find_first_of(",] \t\r\n"));
        rest_.remove_prefix(text.size());
        const auto value = parse_decimal(text);
        if (!value)
            fail(short_text("\"", excerpt(text), "\" is no amount of at most six decimal places and 64 bits."));
        return *value;
    }
    void finish() {
        skip_blanks();
        if (!rest_.empty())
            fail(short_text("Unexpected \"", excerpt(rest_), "\" after the history."));
    }

  private:
    void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }

    [[noreturn]] static void fail(short_text detail) {
        throw error(invalid_text_representation, "invalid input syntax for type crm.history", detail,
                    "Write [[\"2026-01-01T00:30:00Z\",1200]]: pairs of time and amount.");
    }

    std::string_view rest_;
};

} // namespace

summary read_summary(prefix of) {
    byte_reader in(of.bytes);
    const layout head = read_layout(in);
    summary found;
    if (head.entries == 0)
        return found;
    found.entries = head.entries;
    found.first_entry = found.first_purchase = head.first;
    found.last_entry = found.last_purchase = head.after_first(head.span);
    found.revenue = {unzigzag(in.varint()), head.scale()};
    found.refunded.scale = head.scale();
    if (head.has_refunds()) {
        found.refunds =
            static_cast<std::int64_t>(std::min<std::uint64_t>(in.varint(), static_cast<std::uint64_t>(head.entries)));
        found.refunded.minor = static_cast<std::int64_t>(in.varint());
        const std::uint64_t ahead = in.varint(), behind = in.varint();
        if (ahead > head.span || behind > head.span)
            throw_malformed("place of the first or last purchase");
        found.first_purchase = head.after_first(ahead);
        found.last_purchase = head.after_first(head.span - behind);
    }
    return found;
}

entries decode(view of, memory &memory) {
    byte_reader in(of.bytes);
    const layout head = read_layout(in);
    entries found(memory);
    found.scale = head.scale();
    if (head.entries > 0) {
        in.varint();
        for (int i = 0; head.has_refunds() && i < 4; ++i)
            in.varint();
        if (static_cast<std::size_t>(head.entries) > of.bytes.size())
            throw_malformed("number of entries");
        found.list.resize(static_cast<std::size_t>(head.entries));
        head.after_first(head.span); // now every time up to it is possible
        interrupt_poll poll;
        std::uint64_t gaps = 0;
        const auto write = [&](purchase &to, std::uint64_t amount) {
            poll();
            to.at.us =
                static_cast<std::int64_t>(static_cast<std::uint64_t>(head.first.us) + gaps * units[head.gap_unit]);
            to.amount = head.has_refunds() ? unzigzag(amount) : static_cast<std::int64_t>(amount);
        };
        write(found.list.front(), in.varint());
        for (purchase &entry : std::span(found.list).subspan(1, found.list.size() - (found.list.size() > 1 ? 2 : 1))) {
            const auto [gap, amount] = in.two_varints();
            if (gap > head.span - gaps)
                throw_malformed("gap");
            gaps += gap;
            write(entry, amount);
        }
        if (found.list.size() > 1) {
            gaps = head.span;
            write(found.list.back(), in.varint());
        }
    }
    if (!in.at_end())
        throw_malformed("length");
    return found;
}

byte_vector encode_sorted(purchases of, memory &in) {
    byte_vector bytes(&in);
    if (of.entries.empty()) {
        bytes.resize(4);
        bytes[0] = static_cast<std::byte>(version);
        return bytes;
    }
    const survey found = look_over(of);
    bytes.resize(room_for(of.entries.size()));
    byte_writer out(bytes.data());
    write(out, of, found);
    bytes.resize(static_cast<std::size_t>(out.position() - bytes.data()));
    check_size(bytes.size());
    return bytes;
}

byte_vector encode(std::span<purchase> entries, int scale, memory &in) {
    if (!std::ranges::is_sorted(entries))
        sort_with_polls(entries);
    return encode_sorted({entries, scale}, in);
}

byte_vector validated(byte_span untrusted, memory &in) {
    try {
        const entries found = decode({untrusted}, in);
        byte_vector canonical = encode_sorted(found, in);
        if (std::ranges::is_sorted(found.list) && std::ranges::equal(canonical, untrusted))
            return canonical;
    } catch (const error &) {
        // one error for whatever is wrong with the bytes
    }
    throw error(invalid_binary_representation, "invalid binary representation of crm.history",
                short_text("The ", untrusted.size(), " bytes are not what pg_crm writes for any history."),
                "Send what crm.history's binary output gave.");
}

text_buffer to_text(view of, memory &in) {
    const entries all = decode(of, in);
    text_buffer text(&in);
    text.reserve(all.list.size() * 36 + 2);
    text += '[';
    interrupt_poll poll;
    for (const purchase &entry : all.list) {
        poll();
        text += text.size() > 1 ? ",[\"" : "[\"";
        append_timestamp(text, entry.at);
        text += "\",";
        append_decimal(text, normalized({entry.amount, all.scale}));
        text += ']';
    }
    text += ']';
    return text;
}

byte_vector from_text(std::string_view text, memory &in) {
    text_reader reader(text);
    std::pmr::vector<std::pair<timestamp, decimal>> pairs(&in);
    int scale = 0;
    interrupt_poll poll;
    reader.need('[');
    if (!reader.take(']')) {
        do {
            poll();
            reader.need('[');
            const timestamp at = reader.time();
            reader.need(',');
            pairs.emplace_back(at, reader.amount());
            reader.need(']');
            scale = std::max(scale, pairs.back().second.scale);
        } while (reader.take(','));
        reader.need(']');
    }
    reader.finish();
    std::pmr::vector<purchase> entries(&in);
    entries.reserve(pairs.size());
    for (const auto &[at, amount] : pairs)
        entries.push_back({at, rescale(amount.minor, amount.scale, scale)});
    return encode(entries, scale, in);
}

byte_vector merge(memory &in, view a, view b) {
    entries left = decode(a, in), right = decode(b, in);
    const int scale = align_scales(left, right);
    std::pmr::vector<purchase> all(&in);
    all.resize(left.list.size() + right.list.size());
    std::ranges::merge(left.list, right.list, all.begin());
    return encode_sorted({all, scale}, in);
}

byte_vector subtract(memory &in, view a, view b) {
    entries from = decode(a, in), what = decode(b, in);
    const int scale = align_scales(from, what);
    std::pmr::vector<purchase> rest(&in);
    rest.reserve(from.list.size());
    std::ranges::set_difference(from.list, what.list, std::back_inserter(rest));
    if (rest.size() + what.list.size() != from.list.size()) {
        std::pmr::vector<purchase> missing(&in);
        std::ranges::set_difference(what.list, from.list, std::back_inserter(missing));
        text_buffer shown(&in);
        append_timestamp(shown, missing.front().at);
        append_decimal(shown += ", ", normalized({missing.front().amount, scale}));
        throw error(
            invalid_parameter_value, "cannot subtract purchases that the history does not hold",
            short_text(missing.size(), " of ", what.list.size(), " are not there, the first of them ", shown, "."),
            "Subtract only what was added before.");
    }
    return encode_sorted({rest, scale}, in);
}

byte_vector add(memory &in, view to, timestamp at, decimal amount) {
    entries all = decode(to, in);
    entries more(in);
    more.scale = amount.scale;
    more.list.push_back({at, amount.minor});
    const int scale = align_scales(all, more);
    all.list.insert(std::ranges::upper_bound(all.list, more.list.front()), more.list.front());
    return encode_sorted({all.list, scale}, in);
}

byte_vector within(memory &in, view of, timestamp from, timestamp before) {
    const entries all = decode(of, in);
    const auto begin = std::lower_bound(all.list.begin(), all.list.end(), from, entry_earlier_than);
    const auto end = std::lower_bound(begin, all.list.end(), before, entry_earlier_than);
    return encode_sorted({{begin, end}, all.scale}, in);
}

byte_vector until(memory &in, view of, timestamp as_of) {
    const entries all = decode(of, in);
    return encode_sorted(until(all, as_of), in);
}

purchases until(purchases all, timestamp as_of) {
    if (all.entries.empty() || all.entries.back().at <= as_of)
        return all;
    const auto end = std::upper_bound(all.entries.begin(), all.entries.end(), as_of, earlier_than_entry);
    return {{all.entries.begin(), end}, all.scale};
}

const purchase *last_purchase(purchases all, timestamp as_of) {
    const auto known = until(all, as_of).entries;
    const auto last = std::find_if(known.rbegin(), known.rend(), is_purchase);
    return last == known.rend() ? nullptr : &*last;
}

std::optional<duration> recency(memory &in, view of, timestamp as_of) {
    const summary head = read_summary({of.bytes});
    if (head.orders() == 0 || head.first_purchase > as_of)
        return std::nullopt;
    if (head.last_purchase <= as_of)
        return elapsed(head.last_purchase, as_of);
    const entries all = decode(of, in);
    const purchase *last = last_purchase(all, as_of);
    if (last == nullptr)
        throw_malformed("summary");
    return elapsed(last->at, as_of);
}

std::pmr::vector<double> intervals(memory &in, view of) {
    const entries all = decode(of, in);
    std::pmr::vector<double> days(&in);
    const purchase *previous = nullptr;
    for (const purchase &entry : all.list) {
        if (entry.is_refund())
            continue;
        if (previous != nullptr)
            days.push_back(static_cast<double>(distance(previous->at, entry.at)) /
                           static_cast<double>(microseconds_per_day));
        previous = &entry;
    }
    return days;
}

} // namespace crm::history
