#include "bridge/zone.hpp"

#include "bridge/guard.hpp"

extern "C" {
#include <pgtime.h>
}

namespace crm::bridge {
namespace {

static_assert(calendar_name::max_zone_bytes == TZ_STRLEN_MAX);
static_assert(std::is_trivially_destructible_v<calendar>, "calendars are left lying in memory contexts");

constexpr pg_time_t epoch = static_cast<pg_time_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;

pg_time_t unix_seconds(timestamp at) { return floor_divide(at.us, microseconds_per_second) + epoch; }
timestamp from_unix_seconds(pg_time_t at) { return {(at - epoch) * microseconds_per_second}; }

[[noreturn]] void refuse_zone(std::string_view name, const char *message, const char *why) {
    const std::string_view shown = excerpt(name);
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", message),
             errdetail("\"%.*s\" %s.", static_cast<int>(shown.size()), shown.data(), why),
             errhint("Name a zone of pg_timezone_names, such as 'month Asia/Tokyo'; a fixed offset is written as "
                     "SET TimeZone = 9 shows it, '<+09>-09'.")));
    pg_unreachable();
}

pg_tz *find_zone(std::string_view name) {
    char terminated[TZ_STRLEN_MAX + 1];
    pg_tz *zone = nullptr;
    if (!name.empty() && name.size() < sizeof terminated && name.find('\0') == name.npos) {
        terminated[name.copy(terminated, TZ_STRLEN_MAX)] = '\0';
        zone = pg_tzset(terminated);
    }
    if (zone == nullptr)
        refuse_zone(name, "unknown time zone", "is no time zone of this server");
    return zone;
}

bool same_name(std::string_view a, const char *b) {
    return a.size() == std::strlen(b) && pg_strncasecmp(a.data(), b, a.size()) == 0;
}

// True for rules such as JST-9, which PostgreSQL takes for any letters and digits that are no file of the time zone
// database, and spells in capitals.
bool is_posix_rule(std::string_view canonical) {
    static constexpr const char *files_in_capitals[]{"EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT",
                                                     "GMT+0",   "GMT-0",   "GMT0"};
    const auto is_digit = [](char letter) { return letter >= '0' && letter <= '9'; };
    const auto is_small = [](char letter) { return letter >= 'a' && letter <= 'z'; };
    return std::ranges::any_of(canonical, is_digit) && std::ranges::none_of(canonical, is_small) &&
           std::ranges::none_of(files_in_capitals, [=](const char *file) { return same_name(canonical, file); });
}

// The name that SET TimeZone = 9 gives to a fixed offset: <+09>-09. Empty for other zones.
std::string_view fixed_offset_name(pg_tz *zone) {
    long int offset;
    if (!pg_get_timezone_offset(zone, &offset) ||
        std::abs(offset) * microseconds_per_second >= zone_offsets::max_offset)
        return {};
    return pg_get_timezone_name(pg_tzset_offset(-offset));
}

// Refuses what every machine understands in its own way.
void refuse_local(std::string_view name) {
    static constexpr const char *local_names[]{"localtime", "posixrules", "Factory"};
    if (std::ranges::any_of(local_names, [=](const char *local) { return same_name(name, local); }))
        refuse_zone(name, "time zone depends on the machine", "is another zone on another server");
}

std::int64_t offset_at(pg_time_t at, const pg_tz *zone) {
    const struct pg_tm *local = pg_localtime(&at, zone);
    if (local == nullptr)
        elog(ERROR, "PostgreSQL cannot convert " INT64_FORMAT " to local time", static_cast<int64>(at));
    return local->tm_gmtoff * microseconds_per_second;
}

// The next time after `at` at which the zone's rules change; false after the last.
bool next_change(pg_time_t at, pg_time_t &change, const pg_tz *zone) {
    long int offset_before, offset_after;
    int summer_before, summer_after;
    // Asked exactly at the last change of its table PostgreSQL sees no further one, although the rules may go on.
    for (const pg_time_t from : {at, at + 1})
        if (pg_next_dst_boundary(&from, &offset_before, &summer_before, &change, &offset_after, &summer_after, zone) ==
            1)
            return true;
    return false;
}

struct change_list {
    MemoryContext keep;
    offset_change *items = nullptr;
    std::size_t count = 0, room = 0;

    void append(offset_change change) {
        if (count > 0 && items[count - 1].offset == change.offset)
            return;
        if (count == room) {
            room = room == 0 ? 8 : 2 * room;
            items = static_cast<offset_change *>(items == nullptr ? MemoryContextAlloc(keep, room * sizeof *items)
                                                                  : repalloc(items, room * sizeof *items));
        }
        items[count++] = change;
    }
};

change_list read_changes(const pg_tz *zone, timestamp first, timestamp last, MemoryContext keep) {
    change_list changes{keep};
    pg_time_t at = unix_seconds(first);
    changes.append({first, offset_at(at, zone)});
    while (next_change(at, at, zone) && at <= unix_seconds(last)) {
        CHECK_FOR_INTERRUPTS();
        changes.append({from_unix_seconds(at), offset_at(at, zone)});
    }
    return changes;
}

// A calendar that is asked for again gets the years that nearly all orders lie in, then those that stand for "never",
// then all there are: some kilobytes of offsets, but some megabytes for all.
constexpr timestamp year_1900{-36'524 * microseconds_per_day}, year_2200{73'049 * microseconds_per_day},
    year_10000{2'921'940 * microseconds_per_day};

void widen(timestamp &first, timestamp &last) {
    first = first >= year_1900 ? year_1900 : earliest_timestamp;
    last = last < year_2200 ? year_2200 : (last < year_10000 ? year_10000 : end_of_timestamps);
}

timestamp later(timestamp at, duration by) {
    timestamp sum;
    return __builtin_add_overflow(at.us, by.us, &sum.us) ? timestamp{PG_INT64_MAX} : sum;
}

// Months and longer take some arithmetic a day, which a stretch of a few centuries spares.
day_table make_day_table(calendar_period period, timestamp first, timestamp last, MemoryContext keep) {
    constexpr std::int64_t most_days = 120'000;
    const std::int64_t first_day = floor_divide(first.us, microseconds_per_day) - 1;
    const std::int64_t days = floor_divide(last.us, microseconds_per_day) + 2 - first_day;
    if (period.unit == period_unit::day || period.unit == period_unit::week || days > most_days)
        return {};
    auto *index =
        static_cast<std::int32_t *>(MemoryContextAlloc(keep, static_cast<std::size_t>(days) * sizeof(std::int32_t)));
    for (std::int64_t i = 0; i < days; ++i)
        index[i] = static_cast<std::int32_t>(period.index_of({static_cast<std::int32_t>(first_day + i)}, {}));
    return {first_day, {index, static_cast<std::size_t>(days)}};
}

} // namespace

// One calendar of a call site, in a list with the one used last in front.
struct kept_calendar {
    kept_calendar *next;
    MemoryContext memory;
    timestamp first, last; // asked for
    byte_span encoded;
    calendar *periods;

    bool covers(timestamp from, timestamp to) const { return from >= first && to <= last; }
};

namespace {

constexpr int most_kept = 16;

calendar_name decoded(byte_span calendar) {
    const auto name = decode_calendar(calendar);
    if (!name)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("stored calendar is malformed")));
    return *name;
}

kept_calendar *keep_calendar(byte_span encoded, timestamp first, timestamp last, MemoryContext parent) {
    MemoryContext memory = AllocSetContextCreateInternal(CurrentMemoryContext, "pg_crm calendar", ALLOCSET_SMALL_SIZES);
    auto *kept = static_cast<kept_calendar *>(MemoryContextAllocZero(memory, sizeof(kept_calendar)));
    kept->memory = memory;
    kept->first = first;
    kept->last = last;
    auto *copy = static_cast<std::byte *>(MemoryContextAlloc(memory, encoded.size()));
    std::ranges::copy(encoded, copy);
    kept->encoded = {copy, encoded.size()};
    kept->periods = make_calendar(decoded(encoded), first, last, memory);
    MemoryContextSetParent(memory, parent);
    return kept;
}

// Takes a calendar out of the list; null when it is not there.
kept_calendar *take(kept_calendar *&list, byte_span encoded) {
    for (kept_calendar **link = &list; *link != nullptr; link = &(*link)->next)
        if (std::ranges::equal((*link)->encoded, encoded))
            return std::exchange(*link, (*link)->next);
    return nullptr;
}

void drop_beyond(kept_calendar *list, int most) {
    for (int i = 1; list != nullptr && i < most; ++i)
        list = list->next;
    if (list != nullptr && list->next != nullptr)
        MemoryContextDelete(std::exchange(list->next, nullptr)->memory);
}

} // namespace

calendar_name datum<calendar_name>::get(Datum value) {
    return decoded(bytes_of(reinterpret_cast<const struct varlena *>(PG_DETOAST_DATUM_PACKED(value))));
}

std::string_view canonical_zone(std::string_view name) {
    refuse_local(name);
    pg_tz *zone = find_zone(name);
    if (!pg_tz_acceptable(zone))
        refuse_zone(name, "time zone counts leap seconds", "counts leap seconds, which PostgreSQL does not");
    const std::string_view found = pg_get_timezone_name(zone);
    if (is_posix_rule(found) && found != fixed_offset_name(zone))
        refuse_zone(name, "time zone is ambiguous",
                    "would be read as a POSIX rule, whose sign is the opposite of the usual one");
    return found;
}

std::string_view session_zone() {
    const std::string_view name = pg_get_timezone_name(session_timezone);
    refuse_local(name);
    if (!is_posix_rule(name))
        return name;
    const std::string_view fixed = fixed_offset_name(session_timezone);
    if (fixed.empty())
        refuse_zone(name, "session's TimeZone is no zone of the time zone database", "is a POSIX rule");
    return fixed;
}

zone_offsets read_zone(std::string_view zone, timestamp first, timestamp last, MemoryContext keep) {
    const auto changes = read_changes(find_zone(zone), first, last, keep);
    return {{changes.items, changes.count}, later(last, {1})};
}

calendar *make_calendar(const calendar_name &name, timestamp first, timestamp last, MemoryContext keep) {
    const duration margin = calendar::margin(name.period);
    const zone_offsets zone = read_zone(name.zone, {first.us - margin.us}, later(last, margin), keep);
    const day_table days = make_day_table(name.period, first, last, keep);
    return new (MemoryContextAlloc(keep, sizeof(calendar))) calendar(name.period, zone, {}, days);
}

const calendar &open_calendar(kept_calendar *&list, MemoryContext parent, byte_span encoded, timestamp first,
                              timestamp last) {
    kept_calendar *kept = take(list, encoded);
    if (kept == nullptr) {
        kept = keep_calendar(encoded, first, last, parent);
        drop_beyond(list, most_kept - 1);
    } else if (!kept->covers(first, last)) {
        kept_calendar *const narrow = kept;
        first = std::min(first, narrow->first);
        last = std::max(last, narrow->last);
        widen(first, last);
        kept = keep_calendar(encoded, first, last, parent);
        MemoryContextDelete(narrow->memory);
    }
    kept->next = list;
    list = kept;
    return *kept->periods;
}

const calendar &open_calendar(FunctionCallInfo fcinfo, byte_span encoded, timestamp first, timestamp last) {
    FmgrInfo *site = fcinfo->flinfo;
    if (site == nullptr)
        return *make_calendar(decoded(encoded), first, last, CurrentMemoryContext);
    auto *list = static_cast<kept_calendar *>(site->fn_extra);
    const calendar &found = open_calendar(list, site->fn_mcxt, encoded, first, last);
    site->fn_extra = list;
    return found;
}

} // namespace crm::bridge
