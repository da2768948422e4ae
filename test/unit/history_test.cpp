#include "support.hpp"

#include "history/history.hpp"

#include <limits>

namespace crm::test {
namespace {

using history::encode;
using history::from_text;
using history::view;

view as_view(const byte_vector &of) { return {byte_span(of)}; }

byte_vector parse(std::string_view text) { return from_text(text, heap()); }
std::string print(byte_span of) { return std::string(history::to_text({of}, heap())); }

byte_vector encoded(std::vector<purchase> list, int scale = 0) { return encode(list, scale, heap()); }

std::vector<purchase> decoded(byte_span of, int scale) {
    const history::entries all = history::decode({of}, heap());
    std::vector<purchase> list(all.list.begin(), all.list.end());
    for (purchase &each : list)
        each.amount = rescale(each.amount, all.scale, scale);
    return list;
}

std::vector<purchase> filtered(std::vector<purchase> list, auto &&keep) {
    std::erase_if(list, [&](const purchase &each) { return !keep(each); });
    return list;
}

std::string hex(byte_span of) {
    std::string text;
    for (std::byte each : of)
        for (unsigned digit : {std::to_integer<unsigned>(each) >> 4, std::to_integer<unsigned>(each) & 15})
            text += "0123456789abcdef"[digit];
    return text;
}

// Stored values must be readable for ever, so their bytes are pinned here, worked out by hand from the layout.
TEST(History, HasThePublishedLayout) {
    EXPECT_EQ(hex(parse("[]")), "01000000");
    // day 9497, sum 1200, amount 1200
    EXPECT_EQ(hex(parse(R"([["2026-01-01T00:00:00Z",1200]])")), "010055"
                                                                "01"
                                                                "b29401"
                                                                "00"
                                                                "e012"
                                                                "b009");
    // scale 1; gaps in hours, the first time in days; sum 1015; span 36 hours, of which the first gap takes 12
    EXPECT_EQ(hex(parse(R"([["2000-01-02T00:00:00Z",1.5],["2000-01-02T12:00:00Z",0],["2000-01-03T12:00:00Z",100]])")),
              "010154"
              "03"
              "02"
              "24"
              "ee0f"
              "0f"
              "0c"
              "00"
              "e807");
    // refunds first and last: two of them, 7 in all, the purchase a day after the first and two days before the last
    EXPECT_EQ(hex(parse(R"([["2000-01-01T00:00:00Z",-3],["2000-01-02T00:00:00Z",10],["2000-01-04T00:00:00Z",-4]])")),
              "010855"
              "03"
              "00"
              "03"
              "06"
              "02"
              "07"
              "01"
              "02"
              "05"
              "01"
              "14"
              "07");
    // microseconds before 2000
    EXPECT_EQ(hex(parse(R"([["1999-12-31T23:59:59.999999Z",5]])")), "010005"
                                                                    "01"
                                                                    "01"
                                                                    "00"
                                                                    "0a"
                                                                    "05");
}

TEST(History, RoundTripsAndIsTheSameWhateverTheOrderAndTheScale) {
    chance random(20);
    for (int round = 0; round < 3000; ++round) {
        random_entries some(random, 30);
        const byte_vector value = some.encoded();
        EXPECT_EQ(decoded(value, some.scale), some.sorted());
        random.shuffle(some.list);
        EXPECT_EQ(some.encoded(), value);
        const int finer = static_cast<int>(random.between(some.scale, max_scale));
        for (purchase &each : some.list)
            each.amount = rescale(each.amount, some.scale, finer);
        some.scale = finer;
        EXPECT_EQ(some.encoded(), value);
        EXPECT_EQ(history::validated(value, heap()), value);
    }
}

TEST(History, TakesTheExtremesOfTimeAndMoney) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max(), least = -most - 1;
    const timestamp last{end_of_timestamps.us - 1};
    for (const auto &list : {std::vector<purchase>{{earliest_timestamp, 0}, {last, most}},
                             {{earliest_timestamp, -most}, {{0}, most}, {last, most}},
                             {{{1}, -most}, {last, 1}},
                             {{last, -1}},
                             {{{-1}, most}},
                             {{{0}, 0}, {{0}, 0}, {{0}, 0}}}) {
        const byte_vector value = encoded(list);
        EXPECT_EQ(decoded(value, 0), list);
        EXPECT_EQ(history::validated(value, heap()), value);
        EXPECT_EQ(parse(print(value)), value);
    }
    EXPECT_ERROR(encoded({{{0}, most}, {{1}, 1}}), numeric_value_out_of_range);
    EXPECT_ERROR(encoded({{{0}, least}, {{1}, 1}}), numeric_value_out_of_range);
    EXPECT_EQ(decoded(encoded({{{0}, least / 10 * 10}}, 1), 1), (std::vector<purchase>{{{0}, least / 10 * 10}}));
}

TEST(History, IsCompact) {
    std::vector<purchase> list;
    for (int i = 0; i < 10; ++i)
        list.push_back({at_day(9000 + 30 * i), 3000});
    EXPECT_LE(encoded(list).size(), 40u);
    for (purchase &each : list)
        each.at.us += 12'345 * microseconds_per_second;
    EXPECT_LE(encoded(list).size(), 60u);
}

TEST(History, MergesInAnyOrderAndTree) {
    chance random(21);
    for (int round = 0; round < 500; ++round) {
        std::vector<byte_vector> parts;
        std::vector<purchase> all;
        for (std::size_t i = 0, count = 1 + random.below(6); i < count; ++i) {
            const random_entries some(random, 8);
            parts.push_back(some.encoded());
            for (const purchase &each : some.list)
                all.push_back({each.at, rescale(each.amount, some.scale, max_scale)});
        }
        while (parts.size() > 1) {
            random.shuffle(parts);
            const byte_vector last = parts.back();
            parts.pop_back();
            parts.back() = history::merge(heap(), as_view(parts.back()), as_view(last));
        }
        EXPECT_EQ(parts.front(), encoded(all, max_scale));
    }
}

TEST(History, SubtractsWhatWasMerged) {
    chance random(22);
    for (int round = 0; round < 1000; ++round) {
        const byte_vector a = random_entries(random, 10).encoded(), b = random_entries(random, 10).encoded();
        const byte_vector both = history::merge(heap(), as_view(a), as_view(b));
        EXPECT_EQ(history::subtract(heap(), as_view(both), as_view(b)), a);
        EXPECT_EQ(history::subtract(heap(), as_view(both), as_view(both)), parse("[]"));
    }
}

TEST(History, SubtractsOnlyWhatIsThere) {
    const byte_vector twice = parse(R"([["2026-01-01T00:00:00Z",5],["2026-01-01T00:00:00Z",5]])");
    const byte_vector thrice = history::add(heap(), as_view(twice), at_day(9497), {50, 1});
    EXPECT_EQ(print(history::subtract(heap(), as_view(thrice), as_view(twice))), R"([["2026-01-01T00:00:00Z",5]])");
    EXPECT_ERROR(history::subtract(heap(), as_view(twice), as_view(thrice)), invalid_parameter_value);
    EXPECT_ERROR(history::subtract(heap(), as_view(parse("[]")), as_view(twice)), invalid_parameter_value);
    EXPECT_ERROR(history::subtract(heap(), as_view(twice), as_view(parse(R"([["2026-01-01T00:00:00Z",5.01]])"))),
                 invalid_parameter_value);
}

TEST(History, AddsOneEntryAtATime) {
    chance random(23);
    for (int round = 0; round < 300; ++round) {
        const random_entries some(random, 20);
        byte_vector value = parse("[]");
        for (const purchase &each : some.list)
            value = history::add(heap(), as_view(value), each.at, normalized({each.amount, some.scale}));
        EXPECT_EQ(value, some.encoded());
    }
}

TEST(History, TakesPartsOfTime) {
    chance random(24);
    for (int round = 0; round < 2000; ++round) {
        const random_entries some(random, 20);
        const byte_vector value = some.encoded();
        std::vector<timestamp> times{{0}, earliest_timestamp, end_of_timestamps};
        for (const purchase &each : some.list)
            times.insert(times.end(), {each.at, {each.at.us - 1}, {each.at.us + 1}});
        const timestamp from = random.pick(times), before = random.pick(times);
        EXPECT_EQ(history::until(heap(), as_view(value), from),
                  encoded(filtered(some.list, [&](auto &each) { return each.at <= from; }), some.scale));
        EXPECT_EQ(
            history::within(heap(), as_view(value), from, before),
            encoded(filtered(some.list, [&](auto &each) { return each.at >= from && each.at < before; }), some.scale));
    }
}

void expect_summary(byte_span value, const history::summary &found) {
    const std::vector<purchase> all = decoded(value, max_scale);
    const auto bought = filtered(all, [](auto &each) { return each.amount >= 0; });
    wide_int sum = 0, refunded = 0;
    for (const purchase &each : all) {
        sum += each.amount;
        refunded -= std::min<std::int64_t>(each.amount, 0);
    }
    EXPECT_EQ(found.entries, static_cast<std::int64_t>(all.size()));
    EXPECT_EQ(found.orders(), static_cast<std::int64_t>(bought.size()));
    EXPECT_EQ(rescale(found.revenue.minor, found.revenue.scale, max_scale), sum);
    EXPECT_EQ(rescale(found.refunded.minor, found.refunded.scale, max_scale), refunded);
    if (!all.empty()) {
        EXPECT_EQ(found.first_entry, all.front().at);
        EXPECT_EQ(found.last_entry, all.back().at);
    }
    if (!bought.empty()) {
        EXPECT_EQ(found.first_purchase, bought.front().at);
        EXPECT_EQ(found.last_purchase, bought.back().at);
    }
}

TEST(History, SummaryNeedsOnlyTheFirstBytes) {
    chance random(25);
    for (int round = 0; round < 3000; ++round) {
        const byte_vector value = random_entries(random, 60).encoded();
        const bytes front = copy_of(byte_span(value).first(std::min(value.size(), history::max_summary_bytes)));
        expect_summary(value, history::read_summary({front}));
    }
}

TEST(History, SummaryOfTheLongestNumbersFitsItsPrefix) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    const byte_vector value =
        encoded({{{earliest_timestamp.us + 1}, -most}, {{0}, 1}, {{end_of_timestamps.us - 1}, 0}}, 6);
    const bytes front = copy_of(byte_span(value).first(std::min(value.size(), history::max_summary_bytes)));
    const auto found = history::read_summary({front});
    EXPECT_EQ(found.refunded, (decimal{most, 6}));
    EXPECT_EQ(found.revenue, (decimal{1 - most, 6}));
    EXPECT_EQ(found.first_purchase, timestamp{0});
    EXPECT_EQ(found.last_purchase, timestamp{end_of_timestamps.us - 1});
}

TEST(History, RecencyAndIntervalsSeePurchasesOnly) {
    chance random(26);
    for (int round = 0; round < 2000; ++round) {
        const random_entries some(random, 12);
        const byte_vector value = some.encoded();
        const auto bought = filtered(some.sorted(), [](auto &each) { return each.amount >= 0; });
        const timestamp as_of =
            some.list.empty() ? timestamp{0} : timestamp{random.pick(some.list).at.us + random.between(-1, 1)};
        const auto known = filtered(bought, [&](auto &each) { return each.at <= as_of; });
        const auto recency = history::recency(heap(), as_view(value), as_of);
        ASSERT_EQ(recency.has_value(), !known.empty());
        if (recency) {
            EXPECT_EQ(recency->us, as_of.us - known.back().at.us);
        }
        const auto days = history::intervals(heap(), as_view(value));
        ASSERT_EQ(days.size(), bought.empty() ? 0 : bought.size() - 1);
        for (std::size_t i = 0; i < days.size(); ++i)
            EXPECT_DOUBLE_EQ(days[i], static_cast<double>(bought[i + 1].at.us - bought[i].at.us) / 86'400e6);
        const history::entries all = history::decode(as_view(value), heap());
        const purchase *last = history::last_purchase(all, as_of);
        ASSERT_EQ(last != nullptr, !known.empty());
        if (last != nullptr) {
            EXPECT_EQ(last->at, known.back().at);
        }
    }
}

TEST(HistoryText, RoundTrips) {
    chance random(27);
    for (int round = 0; round < 1000; ++round) {
        const byte_vector value = random_entries(random, 20).encoded();
        EXPECT_EQ(parse(print(value)), value);
    }
    EXPECT_EQ(print(parse(" [ [\t\"2026-01-01 09:30:00+09:00\" ,\n1200.50 ] ,[\"1999-01-01T00:00:00Z\",-0]] ")),
              R"([["1999-01-01T00:00:00Z",0],["2026-01-01T00:30:00Z",1200.5]])");
}

TEST(HistoryText, IsRefusedWhenMalformed) {
    for (const std::string &text :
         split("|[|]|[]]|[[]]|{}|null|[,]|[[\"2026-01-01T00:00:00Z\"]]|[[\"2026-01-01T00:00:00Z\",]]|"
               "[[\"2026-01-01T00:00:00Z\",1],]|[[\"2026-01-01T00:00:00Z\",1][\"2026-01-01T00:00:00Z\",1]]|"
               "[[\"2026-01-01T00:00:00Z\",1,2]]|[[2026-01-01T00:00:00Z,1]]|[[\"2026-01-01T00:00:00Z,1]]|"
               "[[\"2026-01-01T00:00:00Z\",\"1\"]]|[[\"2026-01-01T00:00:00Z\",1e3]]|"
               "[[\"2026-01-01T00:00:00Z\",0.0000001]]|[[\"2026-01-01T00:00:00Z\",1]] x|"
               "[[\"2026-02-30T00:00:00Z\",1]]|[[\"infinity\",1]]|[[\"2026-01-01T00:00:00Z\" 1]]"))
        EXPECT_ERROR(parse(text), invalid_text_representation);
    EXPECT_ERROR(parse(R"([["2026-01-01T00:00:00Z",9223372036854775807],["2026-01-01T00:00:00Z",0.1]])"),
                 numeric_value_out_of_range);
}

// A message that ends inside a character would reach clients as invalid UTF-8.
TEST(HistoryText, MessagesCutNoCharacter) {
    std::string japanese;
    for (int i = 0; i < 300; ++i)
        japanese += "客";
    for (std::size_t shift = 0; shift < 3; ++shift) {
        const std::string long_text = std::string(shift, 'a') + japanese;
        for (const std::string &text : {long_text, "[[\"" + long_text + "\",1]]",
                                        "[[\"2026-01-01T00:00:00Z\"," + long_text + "]]", "[]" + long_text})
            try {
                parse(text);
                ADD_FAILURE();
            } catch (const error &e) {
                EXPECT_EQ(
                    std::ranges::count_if(std::string_view(e.detail.c_str()), [](char c) { return c & 0x80; }) % 3, 0)
                    << e.detail.c_str();
            }
    }
}

TEST(HistoryText, DamagedTextIsRefusedOrRoundTrips) {
    chance random(28);
    for (int round = 0; round < 50'000; ++round) {
        std::string text = print(random_entries(random, 3).encoded());
        text[random.below(text.size())] = random.pick(std::string_view("0123456789-+:.TZ []\",e\xE3"));
        try {
            const byte_vector value = parse(text);
            EXPECT_EQ(parse(print(value)), value) << text;
        } catch (const error &) {
            // refused: fine
        }
    }
}

// Bytes from outside are refused, or they are exactly what encode() makes.
void expect_refused_or_canonical(byte_span untrusted) {
    try {
        const byte_vector value = history::validated(untrusted, heap());
        ASSERT_TRUE(std::ranges::equal(value, untrusted));
        history::entries all = history::decode(as_view(value), heap());
        ASSERT_EQ(encode(all.list, all.scale, heap()), value);
        ASSERT_EQ(parse(print(value)), value);
        expect_summary(value, history::read_summary({untrusted}));
    } catch (const error &e) {
        ASSERT_STREQ(e.state.code, invalid_binary_representation.code);
    }
}

// What a reader makes of damaged storage does not matter, as long as it comes back.
void survive(byte_span damaged) {
    const byte_vector sound = parse(R"([["2026-01-01T00:00:00Z",5],["2026-01-02T00:00:00.5Z",-1.5]])");
    const auto attempt = [](auto &&read) {
        try {
            read();
        } catch (const error &) {
            // refused: fine
        }
    };
    attempt([&] { history::read_summary({damaged}); });
    attempt([&] { history::to_text({damaged}, heap()); });
    attempt([&] { history::merge(heap(), {damaged}, as_view(sound)); });
    attempt([&] { history::subtract(heap(), {damaged}, as_view(sound)); });
    attempt([&] { history::add(heap(), {damaged}, at_day(1), {5, 1}); });
    attempt([&] { history::until(heap(), {damaged}, at_day(9497)); });
    attempt([&] { history::within(heap(), {damaged}, at_day(0), at_day(9497)); });
    attempt([&] { history::intervals(heap(), {damaged}); });
    for (const std::int64_t day : {-1'000'000, 0, 9497, 100'000'000})
        attempt([&] { history::recency(heap(), {damaged}, at_day(day)); });
}

TEST(HistoryBytes, EveryDamageIsRefusedOrCanonical) {
    chance random(29);
    for (int round = 0; round < 40; ++round) {
        bytes damaged = copy_of(random_entries(random, 6).encoded());
        for (std::size_t length = 0; length <= damaged.size(); ++length)
            expect_refused_or_canonical(byte_span(damaged).first(length));
        for (std::byte &each : damaged) {
            const std::byte was = each;
            for (int value = 0; value < 256; ++value) {
                each = static_cast<std::byte>(value);
                expect_refused_or_canonical(damaged);
            }
            each = was;
        }
        damaged.push_back({});
        EXPECT_ERROR(history::validated(damaged, heap()), invalid_binary_representation);
    }
}

TEST(HistoryBytes, ReadersSurviveDamagedStorage) {
    chance random(30);
    for (int round = 0; round < 20'000; ++round) {
        bytes damaged = copy_of(random_entries(random, 6).encoded());
        for (std::uint64_t i = random.below(4); i > 0; --i)
            damaged[random.below(damaged.size())] = static_cast<std::byte>(random.bits());
        if (random.one_in(4))
            damaged.resize(random.below(damaged.size() + 10));
        survive(damaged);
        expect_refused_or_canonical(damaged);
        bytes noise = random.some_bytes(random.below(40));
        if (!noise.empty())
            noise[0] = std::byte{1};
        survive(noise);
        expect_refused_or_canonical(noise);
    }
}

TEST(HistoryBytes, GreatCountsOfFewBytesAllocateNothingGreat) {
    for (const unsigned entries : {0xFFu, 0x80u}) {
        bytes liar{std::byte{1}, {}, std::byte{0x55}};
        liar.insert(liar.end(), 3, static_cast<std::byte>(entries));
        liar.insert(liar.end(), {std::byte{0x7F}, {}, {}, {}, {}});
        counting_memory in;
        EXPECT_ERROR(history::decode({liar}, in), data_corrupted);
        EXPECT_LT(in.peak, 1'000u);
    }
}

TEST(History, CanBeInterruptedInEveryLongLoop) {
    std::vector<purchase> list;
    for (int i = 0; i < 20'000; ++i)
        list.push_back({at_day(i), i});
    const byte_vector value = encoded(list);
    const std::string text = print(value);
    const auto interrupted = [](auto &&work) {
        counting_memory in;
        try {
            const interrupt_at stop(3);
            work(in);
        } catch (const interrupt_at::interrupted &) {
            return in.used == 0;
        }
        return false;
    };
    EXPECT_TRUE(interrupted([&](memory &in) { history::decode(as_view(value), in); }));
    EXPECT_TRUE(interrupted([&](memory &in) { history::encode_sorted({list, 0}, in); }));
    EXPECT_TRUE(interrupted([&](memory &in) { history::to_text(as_view(value), in); }));
    EXPECT_TRUE(interrupted([&](memory &in) { from_text(text, in); }));
    EXPECT_TRUE(interrupted([&](memory &in) { history::merge(in, as_view(value), as_view(value)); }));
    EXPECT_TRUE(interrupted([&](memory &in) { history::validated(value, in); }));
}

TEST(History, FreesEverythingWhenMemoryRunsOut) {
    chance random(31);
    const byte_vector a = random_entries(random, 100).encoded(), b = random_entries(random, 100).encoded();
    const std::size_t failures = fail_everywhere([&](std::size_t n) {
        counting_memory in;
        in.fail_at = n;
        bool failed = false;
        try {
            const byte_vector both = history::merge(in, as_view(a), as_view(b));
            history::subtract(in, as_view(both), as_view(a));
            from_text(history::to_text(as_view(both), in), in);
            history::intervals(in, as_view(both));
        } catch (const std::bad_alloc &) {
            failed = true;
        }
        EXPECT_EQ(in.used, 0u) << "allocation " << n;
        return failed;
    });
    EXPECT_GT(failures, 10u);
}

} // namespace
} // namespace crm::test
