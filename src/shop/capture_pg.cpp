// crm.capture: the trigger that notes the changes of a statement in the queue of a shop, in the same transaction.
//
// It may never make a statement of the platform's fail for what the orders hold or how their table was changed: then
// it asks for a pass over all orders. What it has to do is found out once for each shop, table and session.
#include "bridge/acting.hpp"
#include "bridge/function.hpp"
#include "shop/entries_pg.hpp"
#include "shop/schema_pg.hpp"
#include "shop/settings_pg.hpp"

extern "C" {
#include <access/heapam.h>
#include <access/table.h>
#include <access/tableam.h>
#include <access/xact.h>
#include <catalog/namespace.h>
#include <catalog/pg_inherits.h>
#include <catalog/pg_type.h>
#include <commands/trigger.h>
#include <executor/spi.h>
#include <storage/lmgr.h>
#include <utils/array.h>
#include <utils/inval.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/syscache.h>
#include <utils/timestamp.h>
}

using namespace crm;
using namespace crm::bridge;
using namespace crm::shop;

namespace {

// The columns of a shop's change_queue.
enum queue_column {
    customer_column,
    time_column,
    amount_column,
    times_column,
    channel_column,
    held_column,
    queue_columns
};

// What the changes of a table mean to a shop.
struct capture {
    NameData shop;
    Oid orders;
    bool is_current; // nothing has changed since it was found out
    bool is_found;   // without an error
    bool in_use;
    Oid owner, queue; // no queue: nothing is to be noted
    MemoryContext memory;
    entry_reader reader;
    const char *complaint; // null, or why changes cannot be noted
};

List *known_captures = NIL;

void forget_captures_of(Datum, Oid relation) {
    ListCell *cell;
    foreach (cell, known_captures) {
        auto *each = static_cast<capture *>(lfirst(cell));
        if (relation == InvalidOid || relation == each->orders || relation == each->queue)
            each->is_current = false;
    }
}

void forget_all_captures(Datum, int, uint32) { forget_captures_of(Datum{0}, InvalidOid); }

// Runs work as the owner of a shop, with the settings that refreshes have, in a subtransaction. Returns the message of
// an error in the current memory context, null without one.
template <class Work> const char *try_as(Oid owner, Work &&work) {
    const MemoryContext caller = CurrentMemoryContext;
    const ResourceOwner resources = CurrentResourceOwner;
    const char *volatile complaint = nullptr;
    BeginInternalSubTransaction(nullptr);
    MemoryContextSwitchTo(caller);
    PG_TRY();
    {
        const acting as_owner(owner);
        as_owner.set("search_path", "pg_catalog, pg_temp");
        as_owner.set("row_security", "off"); // an error rather than some of the orders
        pin_settings();
        work();
        as_owner.end();
        ReleaseCurrentSubTransaction();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(caller);
        ErrorData *error = CopyErrorData();
        FlushErrorState();
        RollbackAndReleaseCurrentSubTransaction();
        if (error->sqlerrcode == ERRCODE_QUERY_CANCELED) // the user's, and not to be swallowed
            ReThrowError(error);
        complaint = error->message;
    }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
    CurrentResourceOwner = resources;
    return complaint;
}

// Tables of a shop are written as they are, without rights and checks, so they must be what crm.create_shop made.
template <std::size_t columns> bool is_table_of(Relation table, const Oid (&types)[columns]) {
    const TupleDesc row = RelationGetDescr(table);
    bool fits = row->natts == columns && table->rd_rel->relkind == RELKIND_RELATION && !table->rd_rel->relhasindex;
    for (int i = 0; fits && i < row->natts; ++i)
        fits = getBaseType(TupleDescAttr(row, i)->atttypid) == types[i];
    return fits;
}

void check_queue(const capture *of) {
    const Oid types[queue_columns] = {
        of->reader.customer_type(), TIMESTAMPTZOID, NUMERICOID, INT4OID, TEXTOID, INT8OID};
    Relation queue = table_open(of->queue, AccessShareLock);
    if (!is_table_of(queue, types) || queue->rd_rel->relowner != of->owner)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("the queue of the shop was changed")));
    table_close(queue, AccessShareLock);
}

List *texts_of(Datum array) {
    Datum *texts;
    bool *nulls;
    int count;
    deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls, &count);
    List *found = NIL;
    for (int i = 0; i < count; ++i)
        found = lappend(found, TextDatumGetCString(texts[i]));
    return found;
}

// With the rights of the shop's owner, whose settings these are. A table that only calls itself the shop's orders has
// nothing to say to it.
void find_out(capture *of) {
    Oid types[] = {NAMEOID, OIDOID};
    Datum values[] = {NameGetDatum(&of->shop), ObjectIdGetDatum(of->orders)};
    const char *query = psprintf("SELECT crm.capture_queries(s, c.captured), %s::regclass::oid "
                                 "FROM crm.shop AS s, %s.scoring AS c WHERE s.shop = $1 AND c.captured = $2::oid",
                                 quote_literal_cstr(quote_qualified_identifier(NameStr(of->shop), "change_queue")),
                                 quote_identifier(NameStr(of->shop)));
    SPI_connect();
    if (SPI_execute_with_args(query, 2, types, values, nullptr, true, 1) == SPI_OK_SELECT && SPI_processed == 1) {
        bool null;
        List *queries = texts_of(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
        of->queue = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &null));
        const MemoryContext inside = MemoryContextSwitchTo(of->memory);
        of->reader = entry_reader::compile(queries, of->orders);
        MemoryContextSwitchTo(inside);
        check_queue(of);
    }
    SPI_finish();
}

// One that an outer statement is using is left alone: functions of users may write orders, whatever they promised.
capture *place_for(NameData &shop, Oid orders) {
    ListCell *cell;
    foreach (cell, known_captures) {
        auto *each = static_cast<capture *>(lfirst(cell));
        if (each->orders == orders && namestrcmp(&each->shop, NameStr(shop)) == 0 && !each->in_use)
            return each;
    }
    if (known_captures == NIL) {
        CacheRegisterRelcacheCallback(forget_captures_of, Datum{0});
        CacheRegisterSyscacheCallback(PROCOID, forget_all_captures, Datum{0});
        CacheRegisterSyscacheCallback(NAMESPACEOID, forget_all_captures, Datum{0});
    }
    const MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
    auto *made = static_cast<capture *>(palloc0(sizeof(capture)));
    made->shop = shop;
    made->orders = orders;
    made->memory = AllocSetContextCreate(TopMemoryContext, "pg_crm capture", ALLOCSET_SMALL_SIZES);
    known_captures = lappend(known_captures, made);
    MemoryContextSwitchTo(caller);
    return made;
}

// After a failure the next statement tries again. Functions of users may write orders meanwhile.
void find_out_as_owner(capture *of) {
    MemoryContextReset(of->memory);
    of->queue = InvalidOid;
    of->complaint = nullptr;
    of->reader = {};
    of->owner = schema::named(of->shop).owner;
    of->is_current = of->in_use = true;
    of->is_found = false;
    const MemoryContext caller = MemoryContextSwitchTo(of->memory);
    PG_TRY();
    {
        if (OidIsValid(of->owner))
            of->complaint = try_as(of->owner, [of] { find_out(of); });
        of->is_found = of->complaint == nullptr;
    }
    PG_FINALLY();
    { of->in_use = false; }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
}

// With its queue locked, so that it stays as it was found.
capture *capture_of(const TriggerData *event) {
    NameData shop;
    namestrcpy(&shop, event->tg_trigger->tgargs[0]);
    capture *of = place_for(shop, RelationGetRelid(event->tg_relation));
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        if (!of->is_found || !of->is_current)
            find_out_as_owner(of);
        if (of->complaint != nullptr || !OidIsValid(of->queue))
            return of;
        LockRelationOid(of->queue, RowExclusiveLock);
        if (of->is_current)
            return of;
        UnlockRelationOid(of->queue, RowExclusiveLock);
    }
}

// Asks the next refresh to read all orders. Where the table for it was dropped or changed by hand, the refresh itself
// finds that something is wrong. Written as the queue is, and not with the rights of somebody who may have lost them.
void ask_for_rebuild(const capture *of, const char *reason, const char *detail) {
    const Oid place = get_relname_relid("attention", get_namespace_oid(NameStr(of->shop), true));
    Relation table = OidIsValid(place) ? try_table_open(place, RowExclusiveLock) : nullptr;
    if (table == nullptr)
        return;
    const Oid types[] = {TIMESTAMPTZOID, TEXTOID, TEXTOID};
    if (is_table_of(table, types)) {
        Datum values[] = {TimestampTzGetDatum(GetCurrentTimestamp()), CStringGetTextDatum(reason),
                          detail == nullptr ? Datum{0} : CStringGetTextDatum(detail)};
        bool nulls[] = {false, false, detail == nullptr};
        simple_heap_insert(table, heap_form_tuple(RelationGetDescr(table), values, nulls));
    }
    table_close(table, NoLock);
}

// The queue while changes are written to it.
class queue_writer {
  public:
    explicit queue_writer(Oid queue) : queue_(table_open(queue, NoLock)), slot_(table_slot_create(queue_, nullptr)) {}

    void write(const entry &of, int times) const {
        ExecClearTuple(slot_);
        put(customer_column, of, customer_value);
        put(time_column, of, time_value);
        put(amount_column, of, amount_value);
        put(channel_column, of, channel_value);
        slot_->tts_values[times_column] = Int32GetDatum(times);
        slot_->tts_isnull[times_column] = false;
        slot_->tts_isnull[held_column] = true;
        ExecStoreVirtualTuple(slot_);
        table_tuple_insert(queue_, slot_, GetCurrentCommandId(true), 0, nullptr);
    }
    void close() const {
        ExecDropSingleTupleTableSlot(slot_);
        table_close(queue_, NoLock);
    }

  private:
    void put(queue_column column, const entry &of, entry_value value) const {
        slot_->tts_values[column] = of.values[value];
        slot_->tts_isnull[column] = of.nulls[value];
    }

    Relation queue_;
    TupleTableSlot *slot_;
};

// The rows that a statement changed, in its order; several triggers may read them.
class changed_rows {
  public:
    changed_rows(Tuplestorestate *rows, Relation of) : rows_(rows) {
        if (rows_ == nullptr)
            return;
        tuplestore_select_read_pointer(rows_, pointer_ = tuplestore_alloc_read_pointer(rows_, EXEC_FLAG_REWIND));
        tuplestore_rescan(rows_);
        slot_ = MakeSingleTupleTableSlot(RelationGetDescr(of), &TTSOpsMinimalTuple);
    }
    // Null after the last.
    TupleTableSlot *next() const {
        if (rows_ == nullptr)
            return nullptr;
        tuplestore_select_read_pointer(rows_, pointer_);
        return tuplestore_gettupleslot(rows_, true, false, slot_) ? slot_ : nullptr;
    }
    void close() const {
        if (rows_ != nullptr)
            ExecDropSingleTupleTableSlot(slot_);
    }

  private:
    Tuplestorestate *rows_;
    int pointer_ = 0;
    TupleTableSlot *slot_ = nullptr;
};

void note_change(const entry_reader &reader, const queue_writer &queue, TupleTableSlot *before, TupleTableSlot *after) {
    for (int i = 0; i < reader.entries(); ++i) {
        entry old_entry, new_entry;
        const bool was = before != nullptr && reader.read(i, before, old_entry);
        const bool is = after != nullptr && reader.read(i, after, new_entry);
        if (was && is && reader.same(old_entry, new_entry))
            continue;
        if (was)
            queue.write(old_entry, -1);
        if (is)
            queue.write(new_entry, 1);
    }
    reader.done();
}

// Rows before and after an update come side by side; were it otherwise, what is noted would still be right.
void note_changes(const capture *of, const TriggerData *event) {
    const queue_writer queue(of->queue);
    const changed_rows before(event->tg_oldtable, event->tg_relation), after(event->tg_newtable, event->tg_relation);
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        TupleTableSlot *old_row = before.next(), *new_row = after.next();
        if (old_row == nullptr && new_row == nullptr)
            break;
        note_change(of->reader, queue, old_row, new_row);
    }
    before.close();
    after.close();
    queue.close();
}

void capture_changes(capture *of, const TriggerData *event) {
    if (of->reader.is_harmless()) {
        note_changes(of, event);
        return;
    }
    const char *complaint = nullptr;
    of->in_use = true;
    PG_TRY();
    {
        complaint = try_as(of->owner, [&] { note_changes(of, event); });
    }
    PG_FINALLY();
    { of->in_use = false; }
    PG_END_TRY();
    if (complaint != nullptr)
        ask_for_rebuild(of, "changes of orders could not be noted", complaint);
}

// Statements change rows of those, too. The catalog says so for some time after the last of them has gone.
bool has_children(Relation orders) {
    return orders->rd_rel->relhassubclass && find_inheritance_children(RelationGetRelid(orders), NoLock) != NIL;
}

} // namespace

CRM_ENTRY(crm_capture) {
    const auto *event = reinterpret_cast<TriggerData *>(fcinfo->context);
    if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(event->tg_event) ||
        !TRIGGER_FIRED_FOR_STATEMENT(event->tg_event) || event->tg_trigger->tgnargs != 1)
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("crm.capture must be called by a trigger that crm.create_shop made")));
    capture *of = capture_of(event);
    if (of->complaint != nullptr)
        ask_for_rebuild(of, "changes of orders could not be noted", of->complaint);
    else if (OidIsValid(of->queue) && TRIGGER_FIRED_BY_TRUNCATE(event->tg_event))
        ask_for_rebuild(of, "orders were truncated", nullptr);
    else if (OidIsValid(of->queue) && has_children(event->tg_relation))
        ask_for_rebuild(of, "tables inherit from the orders", nullptr);
    else if (OidIsValid(of->queue))
        capture_changes(of, event);
    return PointerGetDatum(nullptr);
}
