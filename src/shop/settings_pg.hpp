// Settings under which expressions over orders mean the same, whoever writes or refreshes them.
#pragma once

namespace crm::shop {

// Until the end of the innermost function with a SET clause, bridge::acting or (sub)transaction, as such clauses do.
void pin_settings();

} // namespace crm::shop
