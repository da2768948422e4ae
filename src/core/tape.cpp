#include "core/tape.hpp"

#include "core/no_postgres.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <sys/mman.h>

namespace crm {

namespace {

constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

// Touching many pages costs less when the system maps large ones. A hint: without it, all works the same.
void ask_for_huge_pages([[maybe_unused]] std::span<std::byte> slab) {
#ifdef MADV_HUGEPAGE
    if (slab.size() >= huge_page_bytes)
        madvise(slab.data(), slab.size(), MADV_HUGEPAGE);
#endif
}

} // namespace

tape_pool::tape_pool(memory &in, std::size_t budget, spill_file &spill)
    : in_(in), spill_(spill), pages_allowed_(std::max(budget, least_budget) / page_bytes), slabs_(&in), free_(&in),
      tapes_(&in) {}

tape_pool::~tape_pool() {
    for (const std::span<std::byte> slab : slabs_)
        in_.deallocate(slab.data(), slab.size(), huge_page_bytes);
}

// Pages come in slabs of an eighth of the budget, at most four huge pages and at least one page.
void tape_pool::make_pages() {
    const std::size_t room = pages_allowed_ > pages_made_ ? pages_allowed_ - pages_made_ : 1;
    const std::size_t pages = std::min({room, pages_allowed_ / 8, 4 * huge_page_bytes / page_bytes});
    slabs_.reserve(slabs_.size() + 1);
    free_.reserve(pages_made_ + pages); // so that giving back never allocates
    const std::span slab(static_cast<std::byte *>(in_.allocate(pages * page_bytes, huge_page_bytes)),
                         pages * page_bytes);
    slabs_.push_back(slab);
    ask_for_huge_pages(slab);
    for (std::size_t page = pages; page-- > 0;)
        free_.push_back(slab.data() + page * page_bytes);
    pages_made_ += pages;
}

std::byte *tape_pool::take_page() {
    if (free_.empty() && pages_made_ >= pages_allowed_)
        spill_longest();
    if (free_.empty())
        make_pages();
    std::byte *page = free_.back();
    free_.pop_back();
    return page;
}

void tape_pool::shrink() {
    const std::size_t needed = pages_made_ - free_.size();
    std::size_t kept = 0, kept_pages = 0;
    for (; kept < slabs_.size() && kept_pages < needed; ++kept)
        kept_pages += slabs_[kept].size() / page_bytes;
    const std::span dropped = std::span(slabs_).subspan(kept);
    const auto is_dropped = [&](const std::byte *page) {
        return std::ranges::any_of(dropped, [&](std::span<std::byte> slab) {
            return page >= slab.data() && page < slab.data() + slab.size();
        });
    };
    std::erase_if(free_, is_dropped);
    for (tape *each : tapes_)
        for (tape::page &part : each->pages_)
            if (is_dropped(part.bytes)) {
                std::memcpy(free_.back(), part.bytes, part.fill + tape::slack);
                part.bytes = free_.back();
                free_.pop_back();
            }
    for (const std::span<std::byte> slab : dropped)
        in_.deallocate(slab.data(), slab.size(), huge_page_bytes);
    slabs_.resize(kept);
    pages_made_ = kept_pages;
}

void tape_pool::spill_longest() {
    const auto longest = std::ranges::max_element(tapes_, {}, [](const tape *each) { return each->pages_.size(); });
    (*longest)->spill();
}

tape::tape(tape_pool &pool) : pool_(pool), pages_(&pool.in_), extents_(&pool.in_) { pool_.tapes_.push_back(this); }

tape::~tape() {
    const taken all(*this);
    std::erase(pool_.tapes_, this);
}

tape::taken::taken(tape &from) : pool(from.pool_), pages(&pool.in_), extents(&pool.in_) {
    pages.swap(from.pages_);
    extents.swap(from.extents_);
}

tape::taken::~taken() {
    for (page &part : pages)
        free(part);
}

void tape::taken::free(page &part) {
    if (part.bytes != nullptr)
        pool.give_back(std::exchange(part.bytes, nullptr));
}

std::byte *tape::reserve(std::size_t bytes) {
    if (pages_.empty() || pages_.back().fill + bytes + slack > tape_pool::page_bytes) {
        std::byte *fresh = pool_.take_page();
        pages_.push_back({fresh, 0});
    }
    return pages_.back().bytes + pages_.back().fill;
}

byte_span tape::read_back(const extent &part, byte_vector &buffer) const {
    buffer.resize(part.bytes + slack);
    pool_.spill_.read(part.place, std::span(buffer).first(part.bytes));
    return byte_span(buffer).first(part.bytes);
}

bool tape_reader::next(byte_span &pieces) {
    const std::size_t extents = tape_->extents_.size();
    if (done_ >= extents + tape_->pages_.size())
        return false;
    if (done_ < extents) {
        pieces = tape_->read_back(tape_->extents_[done_], buffer_);
    } else {
        const tape::page &part = tape_->pages_[done_ - extents];
        pieces = {part.bytes, part.fill};
    }
    ++done_;
    return true;
}

// Writes few large extents, each small enough to be read back in one buffer.
void tape::spill() {
    constexpr std::size_t pages_per_extent = 16;
    byte_vector buffer(&pool_.in_);
    taken all(*this);
    extents_.swap(all.extents);
    for (std::size_t done = 0; done < all.pages.size(); done += pages_per_extent) {
        buffer.clear();
        for (const page &part : std::span(all.pages).subspan(done, std::min(pages_per_extent, all.pages.size() - done)))
            buffer.insert(buffer.end(), part.bytes, part.bytes + part.fill);
        extents_.push_back({pool_.spill_.append(buffer), buffer.size()});
        pool_.spilled_ += buffer.size();
    }
}

} // namespace crm
