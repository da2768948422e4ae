// C++ containers on PostgreSQL's memory contexts.
#pragma once

#include "bridge/guard.hpp"
#include "core/types.hpp"

namespace crm::bridge {

// Memory of one context for std::pmr containers. Running out is std::bad_alloc, never a longjmp.
class context_memory final : public memory {
  public:
    explicit context_memory(MemoryContext context) : context_(context) {}
    MemoryContext context() const { return context_; }

  private:
    // Wider alignment than palloc's is rare (128-bit sums), and paid for with room in front.
    static std::size_t padding_for(std::size_t alignment) { return alignment > MAXIMUM_ALIGNOF ? alignment : 0; }

    void *do_allocate(std::size_t bytes, std::size_t alignment) override {
        const std::size_t padding = padding_for(alignment);
        if (bytes > MaxAllocHugeSize - padding)
            throw std::bad_alloc();
        const MemoryContext from = context_ == nullptr ? CurrentMemoryContext : context_;
        void *found = MemoryContextAllocExtended(from, bytes + padding, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
        if (found == nullptr)
            throw std::bad_alloc();
        if (padding == 0)
            return found;
        auto *aligned =
            reinterpret_cast<void **>(TYPEALIGN(alignment, reinterpret_cast<std::uintptr_t>(found) + MAXIMUM_ALIGNOF));
        aligned[-1] = found;
        return aligned;
    }
    void do_deallocate(void *what, std::size_t, std::size_t alignment) override {
        pfree(padding_for(alignment) == 0 ? what : static_cast<void **>(what)[-1]);
    }
    bool do_is_equal(const memory_resource &other) const noexcept override { return this == &other; }

    MemoryContext context_;
};

// Memory of whatever context is current when it is taken. It outlives every container, so results can own what they
// took.
inline memory &current_memory() {
    static context_memory current(nullptr);
    return current;
}

// A C++ object that lives in a memory context of its own and dies with it, on success and on error alike.
template <class T> class in_context {
  public:
    // Makes T(context_memory & of the new context, arguments...).
    template <class... Arguments> static T *make(MemoryContext parent, const char *name, Arguments... arguments) {
        MemoryContext context = AllocSetContextCreateInternal(parent, name, ALLOCSET_DEFAULT_SIZES);
        void *memory = MemoryContextAlloc(context, sizeof(in_context) + alignof(in_context)); // palloc aligns to 8 only
        auto *place =
            reinterpret_cast<in_context *>(TYPEALIGN(alignof(in_context), reinterpret_cast<std::uintptr_t>(memory)));
        guarded([&] { new (place) in_context(context, arguments...); });
        place->callback_ = {destroy, place, nullptr};
        MemoryContextRegisterResetCallback(context, &place->callback_);
        return &place->value_;
    }

  private:
    template <class... Arguments>
    explicit in_context(MemoryContext context, Arguments... arguments)
        : memory_(context), value_(memory_, arguments...) {}

    static void destroy(void *place) { static_cast<in_context *>(place)->~in_context(); }

    context_memory memory_;
    T value_;
    MemoryContextCallback callback_;
};

} // namespace crm::bridge
