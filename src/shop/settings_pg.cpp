#include "shop/settings_pg.hpp"

#include "bridge/function.hpp"

extern "C" {
#include <utils/guc.h>
}

#include <cstring>

namespace crm::shop {
namespace {

// All that a value made by a function or a cast of PostgreSQL's own can depend on, whatever it calls itself; but for
// the search path, which each function has in its SET clause.
constexpr struct {
    const char *name, *value; // no value: that of the session's beginning
} pinned_settings[] = {{"timezone", "UTC"},
                       {"timezone_abbreviations", "Default"},
                       {"datestyle", "ISO, YMD"},
                       {"intervalstyle", "postgres"},
                       {"extra_float_digits", "1"},
                       {"bytea_output", "hex"},
                       {"xmlbinary", "base64"},
                       {"xmloption", "content"},
                       {"array_nulls", "on"},
                       {"transform_null_equals", "off"},
                       {"quote_all_identifiers", "off"},
                       {"standard_conforming_strings", "on"},
                       {"backslash_quote", "safe_encoding"},
                       {"gin_fuzzy_search_limit", "0"},
                       {"default_text_search_config", "pg_catalog.simple"},
                       {"lc_numeric", "C"},
                       {"lc_time", "C"},
                       {"lc_monetary", nullptr}}; // says what a stored amount of money is: 1000 are 10.00 or 1000 yen

} // namespace

void pin_settings() {
    for (const auto &setting : pinned_settings) {
        const char *value = setting.value != nullptr ? setting.value : GetConfigOptionResetString(setting.name);
        const char *current = GetConfigOption(setting.name, false, false);
        if (current == nullptr || std::strcmp(current, value) != 0)
            set_config_option(setting.name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    }
}

} // namespace crm::shop

CRM_ENTRY(crm_pin_settings) {
    crm::shop::pin_settings();
    PG_RETURN_VOID();
}
