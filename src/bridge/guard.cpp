#include "bridge/guard.hpp"

namespace crm::bridge {
namespace {

enum class origin { core, out_of_memory, postgres, unknown };

// One at a time is enough: a backend is one thread, and raises what was noted at once.
struct {
    origin from;
    sqlstate state;
    short_text message, detail, hint;
} noted;
static_assert(std::is_trivially_destructible_v<decltype(noted)>);

} // namespace

void note_exception() noexcept {
    try {
        throw;
    } catch (const error &e) {
        noted = {origin::core, e.state, e.message, e.detail, e.hint};
    } catch (const postgres_error &) {
        noted.from = origin::postgres;
    } catch (const std::bad_alloc &) {
        noted.from = origin::out_of_memory;
    } catch (const std::exception &e) {
        noted.from = origin::unknown;
        noted.message = short_text(e.what());
    } catch (...) {
        noted.from = origin::unknown;
        noted.message = short_text("unknown exception");
    }
}

void raise_noted() {
    switch (noted.from) {
    case origin::postgres:
        PG_RE_THROW();
    case origin::out_of_memory:
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"), errdetail("Failed in pg_crm.")));
        break;
    case origin::unknown:
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg_internal("unexpected failure in pg_crm: %s", noted.message.c_str())));
        break;
    case origin::core: {
        const char *code = noted.state.code;
        ereport(ERROR, (errcode(MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4])),
                        errmsg_internal("%s", noted.message.c_str()),
                        noted.detail.empty() ? 0 : errdetail_internal("%s", noted.detail.c_str()),
                        noted.hint.empty() ? 0 : errhint("%s", noted.hint.c_str())));
    }
    }
    pg_unreachable();
}

} // namespace crm::bridge
