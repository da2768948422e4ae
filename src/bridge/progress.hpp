// What a long pass tells about itself while it runs, read through the view crm.progress.
//
// PostgreSQL has no progress command for extensions. The numbers travel in the slot of COPY, told apart by a mark where
// COPY has none; a COPY that is itself running keeps its slot, and the pass stays silent.
#pragma once

#include <cstdint>

namespace crm::bridge {

enum class phase : std::int64_t { reading = 1, folding = 2 };

class progress {
  public:
    void start();
    void enter(phase now) const;
    void orders_read(std::uint64_t orders, std::uint64_t spilled_bytes) const;
    void customers_done(std::uint64_t customers) const;
    void finish() const;

  private:
    bool reporting_ = false;
};

} // namespace crm::bridge
