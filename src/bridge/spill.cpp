#include "bridge/spill.hpp"

#include "bridge/guard.hpp"

namespace crm::bridge {
namespace {

constexpr std::uint64_t block = BLCKSZ;

// BufFile's own writing function takes a pointer to non-constant bytes before PostgreSQL 16.
void write(BufFile *file, byte_span bytes) { BufFileWrite(file, const_cast<std::byte *>(bytes.data()), bytes.size()); }

void seek(BufFile *file, std::uint64_t place) {
    if (BufFileSeekBlock(file, static_cast<long>(place / block)) != 0)
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not seek in temporary file of pg_crm")));
}

} // namespace

// Extents start at block boundaries, which BufFileSeekBlock reaches in files of any size.
std::uint64_t temporary_file::append(byte_span bytes) {
    static constexpr std::byte zeros[block]{};
    const std::uint64_t place = size_, padding = (block - bytes.size() % block) % block;
    call_postgres([&] {
        if (file_ == nullptr) {
            const MemoryContext caller = MemoryContextSwitchTo(memory_);
            file_ = BufFileCreateTemp(false);
            MemoryContextSwitchTo(caller);
        }
        seek(file_, place);
        write(file_, bytes);
        write(file_, byte_span(zeros, padding));
    });
    size_ += bytes.size() + padding;
    return place;
}

void temporary_file::read(std::uint64_t place, std::span<std::byte> into) {
    call_postgres([&] {
        seek(file_, place);
        if (BufFileRead(file_, into.data(), into.size()) != into.size())
            ereport(ERROR, (errcode_for_file_access(), errmsg("could not read from temporary file of pg_crm")));
    });
}

void temporary_file::close() {
    if (file_ != nullptr)
        BufFileClose(file_);
    file_ = nullptr;
}

} // namespace crm::bridge
