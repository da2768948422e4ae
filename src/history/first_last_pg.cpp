// SQL face of crm.first and crm.last. Values are kept in their type's binary form, which is the same on every server.
#include "history/first_last.hpp"

#include "bridge/function.hpp"
#include "bridge/state.hpp"

extern "C" {
#include <lib/stringinfo.h>
#include <mb/pg_wchar.h>
#include <utils/lsyscache.h>
}

using namespace crm;
using namespace crm::bridge;
using history::keep;

namespace {

// The sending or receiving function of the values' type, looked up once per call site.
struct value_io {
    FmgrInfo function;
    Oid parameter;
};

template <class LookUp> value_io *value_functions(FunctionCallInfo fcinfo, LookUp &&look_up) {
    FmgrInfo *site = fcinfo->flinfo;
    if (site->fn_extra == nullptr) {
        auto *io = static_cast<value_io *>(MemoryContextAllocZero(site->fn_mcxt, sizeof(value_io)));
        fmgr_info_cxt(look_up(get_fn_expr_argtype(site, 1), &io->parameter), &io->function, site->fn_mcxt);
        site->fn_extra = io;
    }
    return static_cast<value_io *>(site->fn_extra);
}

Oid sender(Oid type, Oid *) {
    Oid function;
    bool is_varlena;
    if (type == RECORDOID || type == RECORDARRAYOID) // what can be sent, but not received
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                        errmsg("values of type %s cannot be kept in binary form", format_type_be(type)),
                        errhint("Cast them to a named type.")));
    getTypeBinaryOutputInfo(type, &function, &is_varlena);
    return function;
}

Oid receiver(Oid type, Oid *parameter) {
    Oid function;
    getTypeBinaryInputInfo(type, &function, parameter);
    return function;
}

// Text in binary form is in the encoding of the client, which a parallel worker and another server do not know of. So
// it is kept in that of the database.
template <class Work> Datum in_database_encoding(Work &&work) {
    const int client = pg_get_client_encoding();
    if (client == GetDatabaseEncoding())
        return work();
    volatile Datum result = 0;
    SetClientEncoding(GetDatabaseEncoding());
    PG_TRY();
    { result = work(); }
    PG_FINALLY();
    { SetClientEncoding(client); }
    PG_END_TRY();
    return result;
}

template <keep which> Datum accumulate(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
        return keep_state(fcinfo);
    const timestamp at = datum<timestamp>::get(PG_GETARG_DATUM(2));
    FmgrInfo *send = &value_functions(fcinfo, sender)->function;
    const Datum sent =
        in_database_encoding([&] { return PointerGetDatum(SendFunctionCall(send, PG_GETARG_DATUM(1))); });
    const byte_span value = bytes_of(reinterpret_cast<const struct varlena *>(DatumGetPointer(sent)));
    return change_state(fcinfo, history::kept_bytes(),
                        [=](std::span<std::byte> state) { return history::keep_value(state, which, at, value); });
}

template <keep which> Datum combine(FunctionCallInfo fcinfo) {
    return merge_states(fcinfo, history::kept_bytes(), [](std::span<std::byte> state, byte_span other) {
        return history::keep_state(state, which, other);
    });
}

} // namespace

CRM_ENTRY(crm_first_accumulate) { return accumulate<keep::first>(fcinfo); }
CRM_ENTRY(crm_last_accumulate) { return accumulate<keep::last>(fcinfo); }
CRM_ENTRY(crm_first_combine) { return combine<keep::first>(fcinfo); }
CRM_ENTRY(crm_last_combine) { return combine<keep::last>(fcinfo); }

// Takes the value's type from the aggregate's own arguments, which are NULL here.
CRM_ENTRY(crm_first_last_finish) {
    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    const byte_span state = flat_state::to_read(fcinfo, 0);
    const byte_span value = guarded([&] { return history::kept_value(state); });
    value_io *io = value_functions(fcinfo, receiver);
    StringInfoData message;
    initStringInfo(&message);
    appendBinaryStringInfo(&message, reinterpret_cast<const char *>(value.data()), static_cast<int>(value.size()));
    return in_database_encoding([&] { return ReceiveFunctionCall(&io->function, &message, io->parameter, -1); });
}
