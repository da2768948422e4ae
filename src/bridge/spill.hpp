// Spilling to PostgreSQL's temporary files, so that temp_file_limit, temp_tablespaces and clean-up hold.
#pragma once

#include "bridge/postgres.hpp"
#include "core/tape.hpp"

extern "C" {
#include <storage/buffile.h>
}

namespace crm::bridge {

class temporary_file final : public spill_file {
  public:
    explicit temporary_file(MemoryContext memory) : memory_(memory) {}

    std::uint64_t append(byte_span bytes) override;
    void read(std::uint64_t place, std::span<std::byte> into) override;

    // To be called on success only: after an error, PostgreSQL has closed the file already.
    void close();

  private:
    MemoryContext memory_;
    BufFile *file_ = nullptr;
    std::uint64_t size_ = 0; // a multiple of the block size
};

} // namespace crm::bridge
