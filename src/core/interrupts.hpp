// Ctrl-C inside a core: loops poll, and whoever embeds the core says what a poll does.
#pragma once

#include <algorithm>
#include <csignal>
#include <functional>

namespace crm {

// Nothing to serve until the bridge points these at the backend's own flag and handler.
struct interrupt_source {
    const volatile std::sig_atomic_t *pending = nullptr;
    void (*serve)() = nullptr; // throws when the work must stop
};
inline constinit interrupt_source interrupts;

inline void poll_interrupts() {
    if (interrupts.pending != nullptr && *interrupts.pending) [[unlikely]]
        interrupts.serve();
}

// Polls once every few thousand calls: cheap enough for the innermost loop.
class interrupt_poll {
  public:
    void operator()() {
        if ((++steps_ & 4095) == 0)
            poll_interrupts();
    }

  private:
    unsigned steps_ = 0;
};

// Sorts a range that may hold millions, by what the projection gives, and can be stopped in the middle of it.
template <class Range, class Projection = std::identity>
void sort_with_polls(Range &&range, Projection projection = {}) {
    interrupt_poll poll;
    const auto is_less = [&](const auto &a, const auto &b) {
        poll();
        return a < b;
    };
    std::ranges::sort(range, is_less, projection);
}

} // namespace crm
