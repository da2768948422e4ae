// Acting as another user for a while: what belongs to somebody else runs with that one's rights, and not the caller's.
#pragma once

#include "bridge/postgres.hpp"

extern "C" {
#include <miscadmin.h>
#include <utils/guc.h>
}

namespace crm::bridge {

// As REFRESH MATERIALIZED VIEW does. After an error the end of the (sub)transaction sees to the rest.
class acting {
  public:
    explicit acting(Oid as) : settings_(NewGUCNestLevel()) {
        GetUserIdAndSecContext(&user_, &security_);
        SetUserIdAndSecContext(as, security_ | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
    }
    // Until then.
    void set(const char *setting, const char *value) const {
        set_config_option(setting, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    }
    void end() const {
        AtEOXact_GUC(false, settings_);
        SetUserIdAndSecContext(user_, security_);
    }

  private:
    int settings_, security_;
    Oid user_;
};
static_assert(std::is_trivially_destructible_v<acting>);

} // namespace crm::bridge
