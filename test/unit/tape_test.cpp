#include "support.hpp"

#include "core/bytes.hpp"
#include "core/tape.hpp"

#include <deque>
#include <memory>

namespace crm::test {
namespace {

constexpr std::size_t budget = tape_pool::least_budget;

// A piece tells its own number, so that a reader can check the order, and its size. The rest follows from the number.
struct piece_head {
    std::uint32_t number, size;
};

std::size_t size_of_piece(std::size_t number, std::size_t largest) {
    return sizeof(piece_head) + number * 7919 % (largest - sizeof(piece_head) + 1);
}

void write_piece(tape &to, std::size_t number, std::size_t largest) {
    const std::size_t size = size_of_piece(number, largest);
    std::byte *at = to.reserve(std::min(size + number % 3, tape::max_piece)); // what is not committed is not there
    store(at, piece_head{static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(size)});
    std::fill(at + sizeof(piece_head), at + size, static_cast<std::byte>(number));
    to.commit(size);
}

// Takes pieces as they come back, and checks that they are those written, in their order.
class in_order {
  public:
    explicit in_order(std::size_t largest) : largest_(largest) {}

    template <class Each> void operator()(byte_span pieces, Each &&each) {
        if (!pieces.empty())
            load<std::uint64_t>(pieces.data() + pieces.size()); // the slack can be read
        while (!pieces.empty()) {
            const auto head = load<piece_head>(pieces.data());
            ASSERT_EQ(head.number, seen_);
            ASSERT_EQ(head.size, size_of_piece(seen_, largest_));
            const byte_span body = pieces.subspan(sizeof head, head.size - sizeof head);
            ASSERT_TRUE(
                std::ranges::all_of(body, [&](std::byte each) { return each == static_cast<std::byte>(head.number); }));
            each(seen_++);
            pieces = pieces.subspan(head.size);
        }
    }
    void operator()(byte_span pieces) {
        (*this)(pieces, [](std::size_t) {});
    }
    std::size_t seen() const { return seen_; }

  private:
    std::size_t largest_, seen_ = 0;
};

// Some tapes that are written in turns, but not equally often.
struct family {
    family(memory &in, spill_file &file, std::size_t count) : pool(in, budget, file), written(count, 0) {
        for (std::size_t i = 0; i < count; ++i)
            tapes.emplace_back(pool);
    }
    void write(std::size_t pieces, std::size_t largest) {
        for (std::size_t i = 0; i < pieces; ++i) {
            const std::size_t which = i % 3 == 0 ? 0 : i % tapes.size();
            write_piece(tapes[which], written[which]++, largest);
        }
    }

    tape_pool pool;
    std::deque<tape> tapes;
    std::vector<std::size_t> written;
};

TEST(Tape, AnEmptyTapeHasNoPieces) {
    memory_file file;
    family one(heap(), file, 1);
    one.tapes[0].each([](byte_span) { FAIL(); });
    one.tapes[0].drain([](byte_span) { FAIL(); });
}

TEST(Tape, KeepsOrderThroughSpillingHoweverOftenItIsRead) {
    for (const std::size_t largest : {std::size_t{40}, std::size_t{700}, tape::max_piece}) {
        memory_file file;
        family some(heap(), file, 10);
        some.write(3 * budget / largest, largest);
        EXPECT_GT(some.pool.spilled_bytes(), 0u);
        EXPECT_EQ(some.pool.spilled_bytes(), file.content.size());
        for (int round = 0; round < 2; ++round)
            for (std::size_t i = 0; i < some.tapes.size(); ++i) {
                in_order check(largest);
                some.tapes[i].each(check);
                EXPECT_EQ(check.seen(), some.written[i]);
            }
        for (std::size_t i = 0; i < some.tapes.size(); ++i) {
            in_order check(largest);
            some.tapes[i].drain(check);
            EXPECT_EQ(check.seen(), some.written[i]);
            some.tapes[i].each([](byte_span) { FAIL() << "drained once and for all"; });
        }
    }
}

TEST(Tape, CanBeWrittenAgainAfterItWasDrained) {
    memory_file file;
    family one(heap(), file, 1);
    for (int round = 0; round < 3; ++round) {
        one.written[0] = 0;
        one.write(20'000, 700);
        in_order check(700);
        one.tapes[0].drain(check);
        EXPECT_EQ(check.seen(), 20'000u);
    }
}

// What spreading a partition does: nothing is free, all pages hang on the tape being drained.
TEST(Tape, DrainsIntoOtherTapesOfAFullPool) {
    constexpr std::size_t largest = 1000, pieces = 3 * budget / largest;
    memory_file file;
    family from(heap(), file, 1);
    std::deque<tape> finer;
    for (int i = 0; i < 300; ++i)
        finer.emplace_back(from.pool);
    from.write(pieces, largest);
    in_order check(largest);
    std::vector<std::size_t> counts(finer.size());
    from.tapes[0].drain([&](byte_span some) {
        check(some, [&](std::size_t number) {
            const std::size_t which = number % finer.size();
            write_piece(finer[which], counts[which]++, largest);
        });
    });
    EXPECT_EQ(check.seen(), pieces);
    for (std::size_t i = 0; i < finer.size(); ++i) {
        in_order again(largest);
        finer[i].drain(again);
        EXPECT_EQ(again.seen(), counts[i]);
    }
}

TEST(Tape, StaysWithinTheBudget) {
    counting_memory in;
    memory_file file;
    {
        family some(in, file, 256);
        some.write(8 * budget / 300, 600);
        const std::size_t books = 1024 * 1024; // lists of pages, and the buffer that spilling fills
        EXPECT_LT(in.peak, budget + books);
        EXPECT_GT(some.pool.spilled_bytes(), 6 * budget);
        for (tape &each : some.tapes)
            each.drain([](byte_span) {});
        EXPECT_LT(in.peak, budget + books);
    }
    EXPECT_EQ(in.used, 0u);
}

TEST(Tape, GivesPagesBackForOthersToUse) {
    memory_file file;
    family two(heap(), file, 1);
    for (int round = 0; round < 20; ++round) {
        tape passing(two.pool);
        for (std::size_t i = 0; i < budget / 2 / tape::max_piece; ++i)
            write_piece(passing, i, tape::max_piece);
    }
    EXPECT_EQ(two.pool.spilled_bytes(), 0u);
}

TEST(Tape, ShrinksToWhatItsTapesNeed) {
    counting_memory in;
    memory_file file;
    family some(in, file, 20);
    some.write(budget * 3 / 4 / 350, 700);
    const auto expect_all = [&](std::size_t from) {
        for (std::size_t i = from; i < some.tapes.size(); ++i) {
            in_order check(700);
            some.tapes[i].each(check);
            EXPECT_EQ(check.seen(), some.written[i]);
        }
    };
    some.pool.shrink();
    expect_all(0);
    EXPECT_EQ(some.pool.spilled_bytes(), 0u);
    for (std::size_t i = 0; i < 18; ++i) {
        some.tapes[i].drain([](byte_span) {});
        some.written[i] = 0;
    }
    some.pool.shrink();
    EXPECT_LT(in.used, budget / 3);
    expect_all(18);
    some.write(2 * budget / 350, 700);
    EXPECT_GT(some.pool.spilled_bytes(), 0u);
    expect_all(0);
    for (tape &each : some.tapes)
        each.drain([](byte_span) {});
    some.pool.shrink();
    EXPECT_LT(in.used, 100'000u);
}

// Writes, reads and drains more than fits into memory.
void use(memory &in, spill_file &file) {
    family some(in, file, 4);
    some.write(3 * budget / tape::max_piece, tape::max_piece);
    some.tapes[1].each([](byte_span) {});
    some.tapes[0].drain([to = std::size_t{0}, &some](byte_span) mutable { write_piece(some.tapes[2], to++, 100); });
}

TEST(Tape, FreesEverythingWhenTheSpillFileFails) {
    const std::size_t failures = fail_everywhere([](std::size_t n) {
        counting_memory in;
        memory_file file;
        file.fail_at = n;
        bool failed = false;
        try {
            use(in, file);
        } catch (const disk_full &) {
            failed = true;
        }
        EXPECT_EQ(in.used, 0u) << "call " << n;
        return failed;
    });
    EXPECT_GT(failures, 20u);
}

TEST(Tape, FreesEverythingWhenMemoryRunsOut) {
    const std::size_t failures = fail_everywhere([](std::size_t n) {
        counting_memory in;
        in.fail_at = n;
        memory_file file;
        bool failed = false;
        try {
            use(in, file);
        } catch (const std::bad_alloc &) {
            failed = true;
        }
        EXPECT_EQ(in.used, 0u) << "allocation " << n;
        return failed;
    });
    EXPECT_GT(failures, 20u);
}

} // namespace
} // namespace crm::test
