// What the fuzz targets share. A target reads whatever bytes the fuzzer makes, and aborts where a property does not
// hold.
#pragma once

#include "core/bytes.hpp"
#include "core/interrupts.hpp"

#include <fuzzer/FuzzedDataProvider.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>

#define REQUIRE(property)                                                                                              \
    do {                                                                                                               \
        if (!(property)) {                                                                                             \
            std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #property);                         \
            std::abort();                                                                                              \
        }                                                                                                              \
    } while (false)

// The test of one input, whose body follows.
#define FUZZ(input)                                                                                                    \
    static void fuzz_one(crm::byte_span);                                                                              \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {                                \
        crm::fuzz::patience limited;                                                                                   \
        try {                                                                                                          \
            fuzz_one({reinterpret_cast<const std::byte *>(data), size});                                               \
        } catch (const crm::fuzz::out_of_patience &) {                                                                 \
        }                                                                                                              \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static void fuzz_one(crm::byte_span input)

namespace crm::fuzz {

struct out_of_patience {};

// Input that asks for hours of work is left at a poll for interrupts, as a user would leave it with Ctrl-C.
class patience {
  public:
    patience() {
        begin = std::clock();
        interrupts = {&pending, serve};
    }
    ~patience() { interrupts = {}; }
    patience(const patience &) = delete;
    patience &operator=(const patience &) = delete;

  private:
    static inline volatile std::sig_atomic_t pending = 1;
    static inline std::clock_t begin = 0;
    static void serve() {
        if (std::clock() - begin > CLOCKS_PER_SEC / 4)
            throw out_of_patience{};
    }
};

inline memory &heap() { return *std::pmr::new_delete_resource(); }

inline std::string_view text_of(byte_span input) {
    return {reinterpret_cast<const char *>(input.data()), input.size()};
}

// The bytes as one number after the other, zeros behind the last.
inline FuzzedDataProvider numbers_of(byte_span input) {
    return {reinterpret_cast<const std::uint8_t *>(input.data()), input.size()};
}

// What the call gives; nothing when it refuses with an error of its own.
template <class Call> auto attempt(Call &&call) -> std::optional<std::invoke_result_t<Call>> {
    try {
        return call();
    } catch (const error &refused) {
        REQUIRE(std::strlen(refused.state.code) == 5 && !refused.message.empty());
        return std::nullopt;
    }
}

// Calls change(state) as the aggregates do: once more on a larger copy when the state was too small, but then nothing
// may have been changed.
template <class Change> void change_state(std::vector<std::byte> &state, Change &&change) {
    const std::vector<std::byte> before = state;
    const std::size_t needed = change(std::span(state));
    if (needed <= state.size())
        return;
    REQUIRE(state == before);
    state.resize(needed);
    REQUIRE(change(std::span(state)) <= state.size());
}

} // namespace crm::fuzz
