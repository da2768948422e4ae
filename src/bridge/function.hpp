// SQL functions from core functions: unpack the arguments, run the core under guard, pack the result.
//
//     CRM_FUNCTION(crm_orders, [](history::prefix h) { return read_summary(h).orders(); })
//
// A core that needs memory takes `memory &` first. std::optional is NULL, as a parameter and as a result.
#pragma once

#include "bridge/datum.hpp"

namespace crm::bridge {

// An amount of any of the types that amounts come in.
template <class Amount> decimal amount_argument(FunctionCallInfo fcinfo, int i) {
    if constexpr (std::is_same_v<Amount, decimal>)
        return datum<decimal>::get(PG_GETARG_DATUM(i));
    else
        return {datum<Amount>::get(PG_GETARG_DATUM(i)), 0};
}

template <class T> struct argument {
    static T get(FunctionCallInfo fcinfo, int i) {
        if (PG_ARGISNULL(i))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument %d must not be NULL", i + 1)));
        return datum<T>::get(PG_GETARG_DATUM(i));
    }
};
template <class T> struct argument<std::optional<T>> {
    static std::optional<T> get(FunctionCallInfo fcinfo, int i) {
        return PG_ARGISNULL(i) ? std::nullopt : std::optional<T>(datum<T>::get(PG_GETARG_DATUM(i)));
    }
};

// What has been packed already.
struct packed {
    Datum value;
};
template <> struct datum<packed> {
    static Datum put(packed value) { return value.value; }
};

template <class T> Datum pack(FunctionCallInfo, const T &value) { return datum<T>::put(value); }
template <class T> Datum pack(FunctionCallInfo fcinfo, const std::optional<T> &value) {
    if (value)
        return datum<T>::put(*value);
    fcinfo->isnull = true;
    return 0;
}

template <class... Arguments, std::size_t... I>
std::tuple<Arguments...> unpack(FunctionCallInfo fcinfo, std::index_sequence<I...>) {
    return {argument<Arguments>::get(fcinfo, static_cast<int>(I))...};
}

template <class Result, class Core> Datum run(FunctionCallInfo fcinfo, Core &&core) {
    if constexpr (owning<Result>)
        return guarded([&] { return owning_datum<Result>::put(core()); });
    else
        return pack(fcinfo, guarded(core));
}

// The same for a result that owns memory, or is NULL.
template <class Core> Datum run_optional(FunctionCallInfo fcinfo, Core &&core) {
    return pack(fcinfo, guarded([&] {
                    const auto result = core();
                    using value = typename std::remove_cvref_t<decltype(result)>::value_type;
                    return result ? std::optional(packed{owning_datum<value>::put(*result)}) : std::nullopt;
                }));
}

template <class Result, class... Arguments> Datum call(FunctionCallInfo fcinfo, Result (*core)(Arguments...)) {
    static_assert((std::is_trivially_destructible_v<Arguments> && ...), "arguments must survive a longjmp");
    const auto arguments = unpack<Arguments...>(fcinfo, std::index_sequence_for<Arguments...>());
    return run<Result>(fcinfo, [&] { return std::apply(core, arguments); });
}

template <class Result, class... Arguments>
Datum call(FunctionCallInfo fcinfo, Result (*core)(memory &, Arguments...)) {
    static_assert((std::is_trivially_destructible_v<Arguments> && ...), "arguments must survive a longjmp");
    const auto arguments = unpack<Arguments...>(fcinfo, std::index_sequence_for<Arguments...>());
    return run<Result>(fcinfo, [&] {
        memory &here = current_memory();
        return std::apply([&](const auto &...unpacked) { return core(here, unpacked...); }, arguments);
    });
}

} // namespace crm::bridge

// Declares an entry point whose body follows; only for what CRM_FUNCTION cannot say.
#define CRM_ENTRY(name)                                                                                                \
    extern "C" {                                                                                                       \
    PG_FUNCTION_INFO_V1(name);                                                                                         \
    }                                                                                                                  \
    extern "C" Datum name([[maybe_unused]] PG_FUNCTION_ARGS)

#define CRM_FUNCTION(name, ...)                                                                                        \
    CRM_ENTRY(name) { return crm::bridge::call(fcinfo, +__VA_ARGS__); }
