// crm.refresh and crm.rebuild: short transactions one after the other, run with the rights of the shop's owner. What is
// done in each of them says src/shop/refresh.sql.
#include "bridge/acting.hpp"
#include "bridge/function.hpp"
#include "shop/schema_pg.hpp"

extern "C" {
#include <access/htup_details.h>
#include <access/table.h>
#include <access/xact.h>
#include <catalog/namespace.h>
#include <catalog/pg_type.h>
#include <executor/spi.h>
#include <nodes/parsenodes.h>
#include <storage/lmgr.h>
#include <utils/acl.h>
#include <utils/fmgrprotos.h>
#include <utils/rel.h>
#include <utils/syscache.h>
}

using namespace crm;
using namespace crm::bridge;

namespace {

// The OID of the schema is what refreshes lock.
struct refreshed_shop {
    NameData name;
    shop::schema schema;
};

// crm.find_shop says what is wrong.
[[noreturn]] void raise_missing(NameData &shop) {
    Oid types[] = {NAMEOID};
    Datum values[] = {NameGetDatum(&shop)};
    SPI_connect();
    SPI_execute_with_args("SELECT crm.find_shop($1)", 1, types, values, nullptr, true, 0);
    elog(ERROR, "the schema of shop \"%s\" came back", NameStr(shop));
}

refreshed_shop shop_argument(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("shop and as_of must not be NULL")));
    refreshed_shop shop{.name = *PG_GETARG_NAME(0), .schema = shop::schema::named(*PG_GETARG_NAME(0))};
    if (!OidIsValid(shop.schema.id))
        raise_missing(shop.name);
    if (!has_privs_of_role(GetUserId(), shop.schema.owner))
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be owner of shop \"%s\"", NameStr(shop.name)),
                 errhint("The shop belongs to \"%s\".", GetUserNameFromId(shop.schema.owner, false))));
    return shop;
}

// Runs a query as the owner of the shop: the expressions of a shop are its owner's, so they must not run with the
// rights of whoever calls, nor leave settings behind.
void select_as(Oid owner, const char *query, int arguments, Oid *types, Datum *values) {
    const acting as_owner(owner);
    if (SPI_execute_with_args(query, arguments, types, values, nullptr, false, 0) != SPI_OK_SELECT ||
        SPI_processed != 1)
        elog(ERROR, "a step of a refresh gave no answer");
    as_owner.end();
}

std::int64_t start_run(const refreshed_shop &shop, const char *kind, Datum as_of) {
    Oid types[] = {NAMEOID, TEXTOID, TIMESTAMPTZOID};
    Datum values[] = {NameGetDatum(&shop.name), CStringGetTextDatum(kind), as_of};
    select_as(shop.schema.owner, "SELECT crm.start_run($1, $2, $3)", 3, types, values);
    bool null;
    return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
}

// Whose the shop is may change between two transactions: what it runs from then on is the new owner's.
void check_owner(const refreshed_shop &shop) {
    const Oid owner = shop::schema::numbered(shop.schema.id).owner;
    if (!OidIsValid(owner))
        return; // the step says what is missing
    if (owner != shop.schema.owner)
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                 errmsg("owner of shop \"%s\" changed while it was being refreshed", NameStr(shop.name)),
                 errdetail("The shop belongs to \"%s\" now.", GetUserNameFromId(owner, false)),
                 errhint("What was committed stays; the next refresh goes on with the rights of the new owner.")));
}

// How a step ended: all texts are empty where nothing went wrong.
struct step_result {
    bool more;
    const char *sqlstate, *message, *detail, *hint;
};

const char *text_of_column(int column, MemoryContext in) {
    const char *text = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column);
    return text == nullptr ? "" : MemoryContextStrdup(in, text);
}

step_result run_step(const refreshed_shop &shop, std::int64_t run, MemoryContext in) {
    Oid types[] = {INT8OID};
    Datum values[] = {Int64GetDatum(run)};
    select_as(shop.schema.owner, "SELECT s.more, s.code, s.message, s.detail, s.hint FROM crm.run_step($1) AS s", 1,
              types, values);
    return {.more = *text_of_column(1, in) == 't',
            .sqlstate = text_of_column(2, in),
            .message = text_of_column(3, in),
            .detail = text_of_column(4, in),
            .hint = text_of_column(5, in)};
}

[[noreturn]] void raise_failure(const step_result &step) {
    const char *code = step.sqlstate;
    ereport(ERROR, (errcode(MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4])), errmsg("%s", step.message),
                    *step.detail != '\0' ? errdetail("%s", step.detail) : 0,
                    *step.hint != '\0' ? errhint("%s", step.hint) : 0));
    pg_unreachable();
}

// In a transaction of the caller's nothing can be committed, and what failed is not remembered either.
bool may_commit(FunctionCallInfo fcinfo) {
    return fcinfo->context != nullptr && IsA(fcinfo->context, CallContext) &&
           !castNode(CallContext, fcinfo->context)->atomic;
}

void run_to_end(const refreshed_shop &shop, const char *kind, Datum as_of, bool committing) {
    MemoryContext texts = AllocSetContextCreate(CurrentMemoryContext, "pg_crm refresh", ALLOCSET_SMALL_SIZES);
    SPI_connect_ext(committing ? SPI_OPT_NONATOMIC : 0);
    const std::int64_t run = start_run(shop, kind, as_of);
    step_result step{.more = true, .sqlstate = "", .message = "", .detail = "", .hint = ""};
    while (step.more) {
        if (committing)
            SPI_commit();
        CHECK_FOR_INTERRUPTS();
        MemoryContextReset(texts);
        check_owner(shop);
        step = run_step(shop, run, texts);
    }
    if (committing)
        SPI_commit();
    SPI_finish();
    if (*step.sqlstate != '\0')
        raise_failure(step);
}

Datum lock_key(const refreshed_shop &shop) { // as crm.shop_lock says it
    constexpr std::int64_t magic = 6517357;
    return Int64GetDatum(magic << 32 | shop.schema.id);
}

[[noreturn]] void raise_running(const refreshed_shop &shop) {
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_IN_USE), errmsg("shop \"%s\" is being refreshed already", NameStr(shop.name)),
             errhint("crm.refresh_run shows how far it is.")));
    pg_unreachable();
}

// A lock of the session outlives the commits between the batches, so it has to be given back whatever happens.
void run_locked(const refreshed_shop &shop, const char *kind, Datum as_of) {
    if (!DatumGetBool(DirectFunctionCall1(pg_try_advisory_lock_int8, lock_key(shop))))
        raise_running(shop);
    PG_TRY();
    { run_to_end(shop, kind, as_of, true); }
    PG_FINALLY();
    { DirectFunctionCall1(pg_advisory_unlock_int8, lock_key(shop)); }
    PG_END_TRY();
}

Datum run_shop(FunctionCallInfo fcinfo, const char *kind) {
    const refreshed_shop shop = shop_argument(fcinfo);
    const Datum as_of = PG_GETARG_DATUM(1);
    if (may_commit(fcinfo)) {
        run_locked(shop, kind, as_of);
    } else {
        if (!DatumGetBool(DirectFunctionCall1(pg_try_advisory_xact_lock_int8, lock_key(shop))))
            raise_running(shop);
        run_to_end(shop, kind, as_of, false);
    }
    PG_RETURN_VOID();
}

} // namespace

CRM_ENTRY(crm_shop_refresh) { return run_shop(fcinfo, "refresh"); }
CRM_ENTRY(crm_shop_rebuild) { return run_shop(fcinfo, "rebuild"); }

// As CheckTableNotInUse, but that neither deferred triggers nor locks of others matter: capture is not deferred, and
// who cannot have the lock is not using the table.
CRM_ENTRY(crm_check_orders_unused) {
    const Oid id = PG_GETARG_OID(0);
    if (!ConditionalLockRelationOid(id, AccessShareLock))
        PG_RETURN_VOID();
    Relation orders = try_table_open(id, NoLock);
    if (orders != nullptr && orders->rd_refcnt > 1)
        ereport(
            ERROR,
            (errcode(ERRCODE_OBJECT_IN_USE),
             errmsg("orders \"%s\" are being used by active queries in this session", RelationGetRelationName(orders)),
             errhint("A refresh counts what a statement has written once that has ended: call it afterwards, and "
                     "not from a trigger on the orders or a function in the statement.")));
    if (orders != nullptr)
        table_close(orders, NoLock);
    UnlockRelationOid(id, AccessShareLock);
    PG_RETURN_VOID();
}
