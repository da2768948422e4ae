// Tapes: append-only sequences of pieces of bytes that share one budget of memory. When the budget is used up, the
// longest tape's pages go to a spill file: any amount of data is kept, in order, in bounded memory.
#pragma once

#include "core/types.hpp"

namespace crm {

// Where tapes go when memory runs out: one file for all of them, written at its end and read anywhere.
class spill_file {
  public:
    virtual ~spill_file() = default;
    // Returns the place from which the bytes can be read again.
    virtual std::uint64_t append(byte_span bytes) = 0;
    virtual void read(std::uint64_t place, std::span<std::byte> into) = 0;
};

class tape;

// The budget and the pages of a family of tapes. Outlives them.
class tape_pool {
  public:
    static constexpr std::size_t page_bytes = 16384;
    // Holds a page for each of the few hundred tapes of a ledger.
    static constexpr std::size_t least_budget = 384 * page_bytes;

    tape_pool(memory &in, std::size_t budget, spill_file &spill);
    ~tape_pool();
    tape_pool(const tape_pool &) = delete;
    tape_pool &operator=(const tape_pool &) = delete;

    memory &in() { return in_; }
    // Gives back all memory that the tapes do not need, moving pages together. Readers must not be in the middle.
    void shrink();
    std::uint64_t spilled_bytes() const { return spilled_; }

  private:
    friend class tape;
    std::byte *take_page();
    void give_back(std::byte *page) { free_.push_back(page); }
    void spill_longest();

    void make_pages();

    memory &in_;
    spill_file &spill_;
    std::size_t pages_allowed_, pages_made_ = 0;
    std::uint64_t spilled_ = 0;
    std::pmr::vector<std::span<std::byte>> slabs_; // what pages are cut from
    std::pmr::vector<std::byte *> free_;
    std::pmr::vector<tape *> tapes_;
};

// Pieces are self-delimiting: whoever wrote them finds each one's end again.
class tape {
  public:
    // A reader may look this far past the end of the last piece.
    static constexpr std::size_t slack = 8;
    static constexpr std::size_t max_piece = tape_pool::page_bytes - slack;

    explicit tape(tape_pool &pool);
    ~tape();
    tape(const tape &) = delete;
    tape &operator=(const tape &) = delete;

    // Room for one piece of at most so many bytes; `commit` says how many it took.
    std::byte *reserve(std::size_t bytes);
    void commit(std::size_t bytes) { pages_.back().fill += bytes; }

    // Visits all pieces in the order of writing, some at a time: visit(byte_span of whole pieces).
    template <class Visit> void each(Visit &&visit) const;

    // The same once and for all, freeing what has been visited. The visitor may write to other tapes.
    template <class Visit> void drain(Visit &&visit) {
        taken all(*this);
        byte_vector buffer(&pool_.in_);
        for (const extent &part : all.extents)
            visit(read_back(part, buffer));
        for (page &part : all.pages) {
            visit(byte_span(part.bytes, part.fill));
            all.free(part);
        }
    }

  private:
    friend class tape_pool;
    friend class tape_reader;
    struct page {
        std::byte *bytes;
        std::size_t fill;
    };
    struct extent {
        std::uint64_t place;
        std::size_t bytes;
    };
    // Takes the contents out of the tape, so that spilling cannot move them, and frees them at the end.
    struct taken {
        explicit taken(tape &from);
        ~taken();
        void free(page &part);
        tape_pool &pool;
        std::pmr::vector<page> pages;
        std::pmr::vector<extent> extents;
    };

    byte_span read_back(const extent &part, byte_vector &buffer) const;
    void spill();

    tape_pool &pool_;
    std::pmr::vector<page> pages_;
    std::pmr::vector<extent> extents_;
};

// Reads a tape piece by piece, as often as wanted. Nothing of the pool may be written meanwhile.
class tape_reader {
  public:
    explicit tape_reader(const tape &of) : tape_(&of), buffer_(&of.pool_.in()) {}

    // Some more whole pieces, valid until the next call; false at the end.
    bool next(byte_span &pieces);

  private:
    const tape *tape_;
    byte_vector buffer_;
    std::size_t done_ = 0;
};

template <class Visit> void tape::each(Visit &&visit) const {
    tape_reader reader(*this);
    for (byte_span pieces; reader.next(pieces);)
        visit(pieces);
}

} // namespace crm
