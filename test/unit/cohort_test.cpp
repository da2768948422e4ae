#include "support.hpp"

#include "cohort/cohort.hpp"

#include <array>
#include <map>
#include <set>

namespace crm::test {
namespace {

using namespace crm::cohort;

constexpr std::int64_t hour = 3'600 * microseconds_per_second;

// A calendar in a zone of one offset, with the terms that go with it.
class setting {
  public:
    setting(calendar_period period, timestamp as_of, std::int64_t offset = 0)
        : period_(period), changes_{{{{earliest_timestamp.us - 40'000 * microseconds_per_day}, offset}}},
          name_(encode_calendar(heap(), {period, offset == 0 ? "UTC" : "Asia/Tokyo"})), as_of_(as_of) {}

    calendar periods() const { return {period_, zone_offsets(changes_, {std::numeric_limits<std::int64_t>::max()})}; }
    terms with() const { return {as_of_, name_}; }

  private:
    calendar_period period_;
    std::array<offset_change, 1> changes_;
    byte_vector name_;
    timestamp as_of_;
};

// What the aggregate does with its state.
class counter {
  public:
    bytes state = bytes(initial_bytes());

    void add(const setting &in, std::vector<purchase> entries, int scale = 0) {
        std::ranges::sort(entries);
        change([&](std::span<std::byte> to) { return count(to, {entries, scale}, in.with(), in.periods(), heap()); });
    }
    void merge(const counter &other) {
        change([&](std::span<std::byte> to) { return merge_state(to, other.state); });
    }
    void merge(byte_span list) {
        change([&](std::span<std::byte> to) { return merge_list(to, list); });
    }
    byte_vector finished() { return finish(state, heap()).value_or(byte_vector(&heap())); }

  private:
    template <class Change> void change(Change &&what) {
        if (const std::size_t needed = what(std::span<std::byte>(state)); needed > state.size()) {
            state.resize(needed);
            EXPECT_LE(what(std::span<std::byte>(state)), state.size());
        }
    }
};

std::vector<row> rows_of(byte_span cohorts, const setting &in, retention kind = retention::on) {
    if (cohorts.empty()) // nobody bought
        return {};
    const calendar periods = in.periods();
    rows source(heap(), cohorts, &periods, kind);
    std::vector<row> all;
    for (row found; source.next(found);)
        all.push_back(found);
    return all;
}

constexpr calendar_period day{period_unit::day}, week{period_unit::week}, month{period_unit::month},
    thirty_days{period_unit::day, 30};

std::vector<purchase> some_purchases(chance &random, int days) {
    std::vector<purchase> made(random.below(9));
    for (purchase &each : made)
        each = {at_day(random.between(0, days), random.between(-2, 2)), random.between(-20, 100)};
    return made;
}

// The cells by definition: every customer once more for every cell.
TEST(Cohorts, AreWhatTheirDefinitionSays) {
    chance random(73);
    int compared = 0;
    for (const calendar_period period : {day, week, month, thirty_days, calendar_period{period_unit::day, 7}})
        for (int round = 0; round < 60; ++round) {
            const std::int64_t offset = random.one_in(2) ? 9 * hour : 0;
            const setting in(period, at_day(random.between(5, 90), random.between(-1, 1)), offset);
            const calendar periods = in.periods();
            std::vector<std::vector<purchase>> customers(1 + random.below(20));
            counter counted;
            for (auto &each : customers) {
                each = some_purchases(random, 100);
                counted.add(in, each);
                std::erase_if(each, [&](const purchase &of) { return of.at > in.with().as_of; });
                std::ranges::sort(each);
            }
            const auto first_of = [](const std::vector<purchase> &of) {
                return std::ranges::find_if(of, [](const purchase &each) { return each.amount >= 0; });
            };
            const auto age_of = [&](const std::vector<purchase> &of, timestamp at) {
                const timestamp first = first_of(of)->at;
                const std::int64_t age =
                    period.days > 1
                        ? floor_divide(std::int64_t{periods.local_date(at).days} - periods.local_date(first).days,
                                       period.days)
                        : periods.period_index(at) - periods.period_index(first);
                return std::max<std::int64_t>(age, 0);
            };
            for (const retention kind : {retention::on, retention::on_or_after}) {
                std::map<std::int32_t, decimal> so_far;
                for (const row &found : rows_of(counted.finished(), in, kind)) {
                    std::int64_t size = 0, retained = 0, orders = 0, revenue = 0;
                    for (const auto &of : customers) {
                        if (first_of(of) == of.end() ||
                            periods.period_start_date(periods.period_index(first_of(of)->at)).days != found.cohort.days)
                            continue;
                        ++size;
                        bool bought = false;
                        for (const purchase &each : of) {
                            const std::int64_t age = age_of(of, each.at);
                            revenue += age == found.age ? each.amount : 0;
                            orders += age == found.age && each.amount >= 0;
                            bought |= each.amount >= 0 &&
                                      (age == found.age || (kind == retention::on_or_after && age > found.age));
                        }
                        retained += bought;
                    }
                    ASSERT_EQ(found.customers, size);
                    ASSERT_EQ(found.retained, retained);
                    ASSERT_EQ(found.orders, orders);
                    ASSERT_EQ(found.revenue.minor, revenue);
                    so_far[found.cohort.days].minor += revenue;
                    ASSERT_EQ(found.cumulative_revenue.minor, so_far[found.cohort.days].minor);
                    ++compared;
                }
            }
        }
    EXPECT_GT(compared, 10'000);
}

TEST(Cohorts, AreTheSameBytesHoweverTheyWereMerged) {
    chance random(74);
    for (int round = 0; round < 300; ++round) {
        const setting in(random.one_in(2) ? month : thirty_days, at_day(80));
        counter whole;
        std::vector<counter> parts(1 + random.below(5));
        for (int customer = 0; customer < 60; ++customer) {
            const auto bought = some_purchases(random, 100);
            const int scale = static_cast<int>(random.below(3));
            whole.add(in, bought, scale);
            random.pick(parts).add(in, bought, scale);
        }
        random.shuffle(parts);
        counter states, lists;
        for (counter &each : parts) {
            states.merge(each);
            lists.merge(each.finished());
        }
        EXPECT_EQ(states.finished(), whole.finished());
        EXPECT_EQ(lists.finished(), whole.finished());
    }
}

TEST(Cohorts, OfDifferentTermsDoNotMerge) {
    const setting in(month, at_day(80)), later(month, at_day(81)), weekly(week, at_day(80)),
        tokyo(month, at_day(80), 9 * hour);
    for (const setting *other : {&later, &weekly, &tokyo}) {
        counter one, two;
        one.add(in, {{at_day(1), 5}});
        two.add(*other, {{at_day(1), 5}});
        const byte_vector before = one.finished();
        EXPECT_ERROR(one.merge(two), invalid_parameter_value);
        EXPECT_ERROR(one.merge(two.finished()), invalid_parameter_value);
        EXPECT_ERROR(one.add(*other, {{at_day(1), 5}}), invalid_parameter_value);
        EXPECT_EQ(one.finished(), before);
    }
}

TEST(Cohorts, SkipCustomersWithoutPurchase) {
    const setting in(month, at_day(80));
    counter counted;
    counted.add(in, {});
    counted.add(in, {{at_day(3), -5}});
    counted.add(in, {{at_day(3), -5}, {at_day(80, 1), 5}});
    EXPECT_EQ(counted.state, bytes(initial_bytes()));
}

TEST(Cohorts, EndAgesWhenTheLastCustomerHas) {
    const setting in(thirty_days, at_day(89)); // a cohort of days 0 to 29; age 0 is over for all of it on day 59
    counter counted;
    counted.add(in, {{at_day(0), 1}});
    const auto found = rows_of(counted.finished(), in);
    ASSERT_EQ(found.size(), 3u);
    EXPECT_TRUE(found[0].elapsed);
    EXPECT_TRUE(found[1].elapsed); // until day 29 + 60 = 89
    EXPECT_FALSE(found[2].elapsed);
    const setting before(thirty_days, at_day(89, -1));
    counter earlier;
    earlier.add(before, {{at_day(0), 1}});
    EXPECT_FALSE(rows_of(earlier.finished(), before)[1].elapsed);
}

TEST(Cohorts, HoldSumsBeyond64BitsButDoNotShowThem) {
    const setting in(month, at_day(80));
    counter counted;
    const std::int64_t most = std::numeric_limits<std::int64_t>::max();
    counted.add(in, {{at_day(1), most}});
    counted.add(in, {{at_day(1), most}});
    EXPECT_ERROR(rows_of(counted.finished(), in), numeric_value_out_of_range);
    counted.add(in, {{at_day(1), 0}, {at_day(2), -most}});
    EXPECT_EQ(rows_of(counted.finished(), in)[0].revenue.minor, most);
    EXPECT_EQ(rows_of(counted.finished(), in)[0].customers, 3);
}

// Values that came in as bytes may count more than there ever was, but no sum of them wraps around.
TEST(Cohorts, RefuseSumsThatDoNotFit) {
    const setting in(week, at_day(80));
    counter counted;
    counted.add(in, {{at_day(1), 5}});
    const byte_vector one = counted.finished();
    const std::size_t cells = one.size() - sizeof(cell_key) - sizeof(cell);
    const auto with_cell = [&](cell_key key, const cell &value, std::uint8_t scale = 0) {
        bytes changed = copy_of(one);
        changed[offsetof(flat_head, scale)] = std::byte{scale};
        store(changed.data() + cells, flat_entry<cell_key, cell>{key, value});
        return changed;
    };
    const cell_key first = load<cell_key>(one.data() + cells);
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

    for (const cell &large : {cell{.buyers = most, .last_purchases = most, .orders = most},
                              cell{.buyers = 1, .last_purchases = 1, .orders = 1, .revenue_high = most}}) {
        counter twice;
        twice.merge(validated(with_cell(first, large), heap()));
        EXPECT_ERROR(twice.merge(with_cell(first, large)), numeric_value_out_of_range);
    }
    counter rescaled;
    rescaled.merge(with_cell(first, {.buyers = 1, .last_purchases = 1, .orders = 1, .revenue_high = most / 2}));
    EXPECT_ERROR(rescaled.merge(with_cell(first, {.buyers = 1, .last_purchases = 1, .orders = 1}, max_scale)),
                 numeric_value_out_of_range);
    // Weeks so far back that their microseconds wrap around, to a time that there is.
    std::int32_t accepted = 0;
    for (std::int32_t weeks = std::numeric_limits<std::int32_t>::min(); weeks < -20'000'000; weeks += 10'007)
        try {
            validated(with_cell({weeks, 0}, {.buyers = 1, .last_purchases = 1, .orders = 1}), heap());
            ++accepted;
        } catch (const error &) {
        }
    EXPECT_EQ(accepted, 0);
}

TEST(Cohorts, SurviveTheirOwnBytesChanged) {
    chance random(75);
    const setting in(month, at_day(80));
    counter counted;
    for (int customer = 0; customer < 30; ++customer)
        counted.add(in, some_purchases(random, 100));
    const byte_vector good = counted.finished();
    EXPECT_EQ(validated(good, heap()), good);
    int refused = 0, accepted = 0;
    for (int round = 0; round < 20'000; ++round) {
        bytes changed = copy_of(good);
        changed[random.below(random.one_in(2) ? 60 : changed.size())] = static_cast<std::byte>(random.bits());
        if (random.one_in(5))
            changed.resize(random.below(changed.size() + 10));
        try {
            const byte_vector read = validated(changed, heap());
            ASSERT_EQ(copy_of(read), changed);
            const terms with = terms_of(read);
            const auto name = decode_calendar(with.calendar);
            ASSERT_TRUE(name);
            ASSERT_TRUE(is_finite(with.as_of));
            stretch_of(read);
            ++accepted;
        } catch (const error &thrown) {
            EXPECT_STREQ(thrown.state.code, invalid_binary_representation.code);
            ++refused;
        }
    }
    EXPECT_GT(refused, 5'000);
    EXPECT_GT(accepted, 100);
}

TEST(Cohorts, LeaveNothingBehindWhenMemoryOrPatienceEnds) {
    const setting in(day, at_day(400));
    std::vector<purchase> many;
    for (std::int64_t i = 0; i < 20'000; ++i)
        many.push_back({at_day(i % 300, i), 1});
    std::ranges::sort(many);
    counting_memory counted;
    EXPECT_GT(fail_everywhere([&](std::size_t n) {
                  counting_memory limited;
                  limited.fail_at = n;
                  bytes state(1 << 20);
                  try {
                      count(state, {many, 0}, in.with(), in.periods(), limited);
                      return false;
                  } catch (const std::bad_alloc &) {
                      EXPECT_EQ(limited.used, 0u);
                      return true;
                  }
              }),
              0u);
    bytes state(1 << 20);
    const interrupt_at first(1);
    EXPECT_THROW(count(state, {many, 0}, in.with(), in.periods(), counted), interrupt_at::interrupted);
    EXPECT_EQ(counted.used, 0u);
}

} // namespace
} // namespace crm::test
