// PostgreSQL's headers for C++: after the standard ones, without the macros that clash with them.
#pragma once

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory_resource>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

extern "C" {
#include <postgres.h>

#include <fmgr.h>
#include <funcapi.h>
#include <miscadmin.h>
#include <utils/builtins.h>
#include <utils/memutils.h>
#include <utils/timestamp.h>
#if PG_VERSION_NUM >= 160000
#include <varatt.h>
#endif
}

#undef gettext
#undef printf
#undef snprintf
