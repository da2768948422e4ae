// The two crossings between PostgreSQL's errors and C++ exceptions. Nothing else in pg_crm may cross.
//
// PostgreSQL code leaves its errors by longjmp, which must never pass a C++ frame that has something to destroy;
// C++ exceptions must never pass a frame of PostgreSQL's.
#pragma once

#include "bridge/postgres.hpp"
#include "core/error.hpp"

namespace crm::bridge {

// Thrown in C++ while a PostgreSQL error waits on PostgreSQL's own error stack.
struct postgres_error {};

// Notes what the exception being handled said, in static memory that longjmp cannot hurt.
void note_exception() noexcept;
// Raises what was noted as a PostgreSQL error.
[[noreturn]] void raise_noted();

// PostgreSQL -> C++: runs the body, and turns any exception that leaves it into a PostgreSQL error once nothing of C++
// is left on the stack. The body must not call PostgreSQL functions that may raise, except through call_postgres.
template <class Body> std::invoke_result_t<Body> guarded(Body &&body) {
    using result = std::invoke_result_t<Body>;
    static_assert(std::is_void_v<result> || std::is_trivially_destructible_v<result>,
                  "what leaves the guard must survive a longjmp");
    static_assert(std::is_trivially_destructible_v<std::remove_reference_t<Body>>,
                  "what enters the guard must survive a longjmp");
    try {
        return body();
    } catch (...) {
        note_exception();
    }
    raise_noted();
}

// C++ -> PostgreSQL: runs a call that may raise, and turns its error into postgres_error. The call must not own
// anything that has to be destroyed.
template <class Call> void call_postgres(Call &&call) {
    sigjmp_buf *const outer_stack = PG_exception_stack;
    ErrorContextCallback *const outer_context = error_context_stack;
    const MemoryContext outer_memory = CurrentMemoryContext;
    sigjmp_buf here;
    const bool raised = sigsetjmp(here, 0) != 0;
    if (!raised) {
        PG_exception_stack = &here;
        call();
    }
    PG_exception_stack = outer_stack;
    error_context_stack = outer_context;
    if (raised) {
        MemoryContextSwitchTo(outer_memory);
        throw postgres_error{};
    }
}

} // namespace crm::bridge
