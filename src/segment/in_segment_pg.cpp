// crm.in_segment: whether a customer is in a segment of a shop, asked for the million rows of a query. The set is read
// once, with the rights of whoever asks, and kept where the query calls the function.
#include "segment/datum.hpp"

extern "C" {
#include <catalog/namespace.h>
#include <executor/spi.h>
#include <utils/lsyscache.h>
#include <utils/snapmgr.h>
}

using namespace crm;
using namespace crm::bridge;

namespace {

// What of the database can be seen, and by whom: it stays the same within a query, though an expression of PL/pgSQL
// may outlive that. Of snapshots with the same end, a later one has fewer transactions in progress.
struct view_of_data {
    TransactionId end;
    std::uint32_t in_progress, also_in_progress; // a standby counts all of them among the second ones
    CommandId command;
    Oid user;

    bool operator==(const view_of_data &) const = default;
    static view_of_data now() {
        const SnapshotData *snapshot = GetActiveSnapshot();
        return {snapshot->xmax, snapshot->xcnt, static_cast<std::uint32_t>(snapshot->subxcnt), snapshot->curcid,
                GetUserId()};
    }
};

// How customers of a shop become ids in sets. Integers are their own ids, others are looked up.
struct customer_ids {
    bool are_integers;
    bool is_given_type; // the argument has the type of the shop's customers, else it is read from its text
    Oid given, wanted;  // types without domains
    SPIPlanPtr lookup;
};

struct kept_segment {
    kept_segment *next;
    NameData shop;
    const text *segment;
    const struct varlena *members;
    customer_ids ids;
};

struct kept_segments {
    MemoryContext memory;
    view_of_data seen;
    bool is_only_one; // the call names the shop and the segment
    kept_segment *latest;
};

bool is_integer(Oid type) { return type == INT8OID || type == INT4OID || type == INT2OID; }

bool is_same(const text *a, const text *b) {
    return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
           std::memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

// Runs a query of one row and one column; false for NULL or no row. The value is copied into the caller's context.
bool read_value(SPIPlanPtr plan, Datum *arguments, Oid type, Datum &value) {
    if (SPI_execute_plan(plan, arguments, nullptr, true, 1) != SPI_OK_SELECT)
        elog(ERROR, "a query of segments gave no rows");
    if (SPI_processed == 0)
        return false;
    bool null;
    int16 length;
    bool by_value;
    get_typlenbyval(type, &length, &by_value);
    const Datum found = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
    if (!null)
        value = SPI_datumTransfer(found, by_value, length);
    return !null;
}

SPIPlanPtr prepare(const char *query, int arguments, Oid *types) {
    SPIPlanPtr plan = SPI_prepare(query, arguments, types);
    if (plan == nullptr)
        elog(ERROR, "could not prepare a query of segments: %s", SPI_result_code_string(SPI_result));
    return plan;
}

Datum read_members(const NameData *shop, const text *segment) {
    Oid types[] = {NAMEOID, TEXTOID};
    Datum arguments[] = {NameGetDatum(shop), PointerGetDatum(segment)};
    Datum members = 0;
    SPI_connect();
    SPIPlanPtr plan = prepare("SELECT crm.segment_set_of($1, $2)", 2, types);
    read_value(plan, arguments, BYTEAOID, members); // of the same form as crm.idset
    SPI_finish();
    return members;
}

const char *text_of(const char *query, const NameData *shop) {
    Oid types[] = {NAMEOID};
    Datum arguments[] = {NameGetDatum(shop)};
    Datum value = 0;
    read_value(prepare(query, 1, types), arguments, TEXTOID, value);
    return TextDatumGetCString(value);
}

void drop_plan(void *plan) { SPI_freeplan(static_cast<SPIPlanPtr>(plan)); }

SPIPlanPtr prepare_lookup(const NameData *shop, Oid customer, MemoryContext kept) {
    SPI_connect();
    SPIPlanPtr plan = prepare(text_of("SELECT crm.member_lookup($1)", shop), 1, &customer);
    auto *callback = static_cast<MemoryContextCallback *>(MemoryContextAlloc(kept, sizeof(MemoryContextCallback)));
    SPI_keepplan(plan);
    *callback = {drop_plan, plan, nullptr};
    MemoryContextRegisterResetCallback(kept, callback);
    SPI_finish();
    return plan;
}

customer_ids ids_of_shop(FunctionCallInfo fcinfo, const NameData *shop, MemoryContext kept) {
    const Oid view = get_relname_relid("customer_member", get_namespace_oid(NameStr(*shop), false));
    const Oid wanted = getBaseType(get_atttype(view, get_attnum(view, "customer_id")));
    const Oid given = getBaseType(get_fn_expr_argtype(fcinfo->flinfo, 2));
    const bool are_integers = is_integer(wanted);
    return {.are_integers = are_integers,
            .is_given_type = are_integers ? is_integer(given) : given == wanted,
            .given = given,
            .wanted = are_integers ? INT8OID : wanted,
            .lookup = are_integers ? nullptr : prepare_lookup(shop, wanted, kept)};
}

void read_segment(FunctionCallInfo fcinfo, kept_segments *kept) {
    if (MemoryContextMemAllocated(kept->memory, true) > static_cast<Size>(work_mem) * 1024) {
        kept->latest = nullptr;
        MemoryContextReset(kept->memory);
    }
    const MemoryContext caller = MemoryContextSwitchTo(kept->memory);
    auto *read = static_cast<kept_segment *>(palloc0(sizeof(kept_segment)));
    read->shop = *PG_GETARG_NAME(0);
    read->segment = PG_GETARG_TEXT_P_COPY(1);
    read->members = PG_DETOAST_DATUM(read_members(&read->shop, read->segment));
    read->ids = ids_of_shop(fcinfo, &read->shop, kept->memory);
    read->next = kept->latest;
    kept->latest = read;
    MemoryContextSwitchTo(caller);
}

bool is_asked_for(FunctionCallInfo fcinfo, const kept_segment *kept) {
    return std::strncmp(NameStr(kept->shop), NameStr(*PG_GETARG_NAME(0)), NAMEDATALEN) == 0 &&
           is_same(kept->segment, PG_GETARG_TEXT_PP(1));
}

bool is_constant(FmgrInfo *site, int argument) {
    return site->fn_expr != nullptr && IsA(site->fn_expr, FuncExpr) &&
           IsA(list_nth(castNode(FuncExpr, site->fn_expr)->args, argument), Const);
}

kept_segments *segments_of_site(FmgrInfo *site) {
    const view_of_data now = view_of_data::now();
    auto *kept = static_cast<kept_segments *>(site->fn_extra);
    if (kept == nullptr) {
        kept = static_cast<kept_segments *>(MemoryContextAllocZero(site->fn_mcxt, sizeof(kept_segments)));
        kept->memory = AllocSetContextCreate(site->fn_mcxt, "pg_crm segments", ALLOCSET_DEFAULT_SIZES);
        kept->is_only_one = is_constant(site, 0) && is_constant(site, 1);
        site->fn_extra = kept;
    }
    if (!(kept->seen == now)) {
        kept->latest = nullptr;
        MemoryContextReset(kept->memory);
        kept->seen = now;
    }
    return kept;
}

const kept_segment *segment_asked_for(FunctionCallInfo fcinfo) {
    kept_segments *kept = segments_of_site(fcinfo->flinfo);
    if (kept->is_only_one && kept->latest != nullptr)
        return kept->latest;
    for (kept_segment **place = &kept->latest; *place != nullptr; place = &(*place)->next)
        if (kept_segment *found = *place; is_asked_for(fcinfo, found)) {
            *place = found->next; // the next row is likely to ask for the same
            found->next = kept->latest;
            return kept->latest = found;
        }
    read_segment(fcinfo, kept);
    return kept->latest;
}

// Arguments by what they are written as: 7 and '7' are the same customer.
Datum converted(Datum value, Oid from, Oid to) {
    Oid output, input, element;
    bool is_varlena;
    getTypeOutputInfo(from, &output, &is_varlena);
    getTypeInputInfo(to, &input, &element);
    return OidInputFunctionCall(input, OidOutputFunctionCall(output, value), element, -1);
}

std::int64_t integer_of(Datum value, Oid type) {
    return type == INT8OID ? DatumGetInt64(value) : type == INT4OID ? DatumGetInt32(value) : DatumGetInt16(value);
}

// False for one who is no customer of the shop.
bool find_id(const customer_ids &ids, Datum customer, std::int64_t &id) {
    if (!ids.is_given_type)
        customer = converted(customer, ids.given, ids.wanted);
    if (ids.are_integers) {
        id = integer_of(customer, ids.is_given_type ? ids.given : INT8OID);
        return true;
    }
    Datum found = 0;
    SPI_connect();
    const bool is_known = read_value(ids.lookup, &customer, INT8OID, found);
    SPI_finish();
    id = DatumGetInt64(found);
    return is_known;
}

} // namespace

// Arguments: shop, segment, customer of any type.
CRM_ENTRY(crm_in_segment) {
    const kept_segment *segment = segment_asked_for(fcinfo);
    std::int64_t id = 0;
    const bool is_customer = find_id(segment->ids, PG_GETARG_DATUM(2), id);
    const segment::idset members{bytes_of(segment->members)};
    return BoolGetDatum(is_customer && guarded([=] { return segment::contains(members, id); }));
}
