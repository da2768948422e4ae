// crm.history_changes: what a pass over orders finds, less what is stored already.
#include "history/datum.hpp"

#include "bridge/orders.hpp"
#include "bridge/query.hpp"
#include "bridge/rows.hpp"
#include "bridge/split.hpp"
#include "shop/known.hpp"

extern "C" {
#include <catalog/pg_type.h>
#include <storage/itemptr.h>
#include <tcop/dest.h>
}

using namespace crm;
using namespace crm::bridge;
using shop::known_row;
using shop::known_rows;

namespace {

constexpr int customer_column = 0, place_column = 1, history_column = 2, channel_column = 3, columns_of_stored = 4;

std::uint64_t number_of(Datum tid) {
    const auto *place = reinterpret_cast<const ItemPointerData *>(DatumGetPointer(tid));
    return std::uint64_t{ItemPointerGetBlockNumberNoCheck(place)} << 16 | ItemPointerGetOffsetNumberNoCheck(place);
}

Datum place_datum(std::uint64_t number) {
    auto *place = static_cast<ItemPointer>(palloc(sizeof(ItemPointerData)));
    ItemPointerSet(place, static_cast<BlockNumber>(number >> 16), static_cast<OffsetNumber>(number & 0xFFFF));
    return PointerGetDatum(place);
}

// What is compared: the history, whose bytes say where it ends, and behind it the channel after a mark of its own.
byte_span content_of(Datum history, std::optional<std::string_view> channel) {
    const byte_span h = datum<history::view>::get(history).bytes;
    const std::string_view text = channel.value_or(std::string_view());
    auto *content = static_cast<std::byte *>(palloc(h.size() + 1 + text.size()));
    std::byte *mark = std::ranges::copy(h, content).out;
    *mark = static_cast<std::byte>(channel.has_value());
    std::ranges::copy(std::as_bytes(std::span(text)), mark + 1);
    return {content, h.size() + 1 + text.size()};
}

bool holds(byte_span content, Datum history, std::optional<std::string_view> channel) {
    const byte_span h = datum<history::view>::get(history).bytes;
    const std::size_t text = channel ? channel->size() : 0;
    return content.size() == h.size() + 1 + text && std::memcmp(content.data(), h.data(), h.size()) == 0 &&
           content[h.size()] == static_cast<std::byte>(channel.has_value()) &&
           (text == 0 || std::memcmp(content.data() + h.size() + 1, channel->data(), text) == 0);
}

// The end of the executor run that reads what is stored.
struct stored_receiver {
    DestReceiver interface;
    MemoryContext row_memory;
    Oid key_type, history_type;
    customer_key key;
    known_rows *rows;
    std::uint64_t count;
};

void start(DestReceiver *self, int, TupleDesc row) {
    auto *receiver = reinterpret_cast<stored_receiver *>(self);
    if (row->natts != columns_of_stored || TupleDescAttr(row, place_column)->atttypid != TIDOID ||
        TupleDescAttr(row, history_column)->atttypid != receiver->history_type ||
        TupleDescAttr(row, channel_column)->atttypid != TEXTOID)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("query of what is stored must have customer, ctid, history and channel")));
    const auto *customer = TupleDescAttr(row, customer_column);
    receiver->key.bind(customer->atttypid, customer->attcollation, receiver->key_type);
}

bool receive(TupleTableSlot *slot, DestReceiver *self) {
    constexpr std::uint64_t rows_per_reset = 64;
    auto *receiver = reinterpret_cast<stored_receiver *>(self);
    slot_getallattrs(slot);
    const bool *null = slot->tts_isnull;
    if (null[customer_column] || null[place_column])
        return true;
    const MemoryContext caller = MemoryContextSwitchTo(receiver->row_memory);
    Datum customer = slot->tts_values[customer_column];
    known_row row;
    row.place = number_of(slot->tts_values[place_column]);
    if (receiver->key.fits_64_bits()) {
        row.key = receiver->key.to_64_bits(customer);
    } else {
        row.key_bytes = receiver->key.to_bytes(customer);
        row.key = receiver->key.hash(customer, row.key_bytes);
    }
    std::optional<std::string_view> channel;
    if (!null[channel_column])
        channel = datum<std::string_view>::get(slot->tts_values[channel_column]);
    if (!null[history_column]) // without one, whatever the orders say differs
        row.content = content_of(slot->tts_values[history_column], channel);
    guarded([&] { receiver->rows->add(row); });
    MemoryContextSwitchTo(caller);
    if (++receiver->count % rows_per_reset == 0)
        MemoryContextReset(receiver->row_memory);
    return true;
}

void stop(DestReceiver *) {}

known_rows *read_stored(const char *query, order_pass *pass, const row_writer &rows) {
    auto *known = in_context<known_rows>::make(pass->context, "pg_crm stored rows", &pass->book.pool(),
                                               const_cast<const order_pass *>(pass)->keys_equal());
    auto *receiver = static_cast<stored_receiver *>(palloc0(sizeof(stored_receiver)));
    receiver->interface = {receive, start, stop, stop, DestNone};
    receiver->row_memory =
        AllocSetContextCreateInternal(CurrentMemoryContext, "pg_crm stored row", ALLOCSET_DEFAULT_SIZES);
    receiver->key_type = rows.column_type(0);
    receiver->history_type = rows.column_type(2);
    receiver->rows = known;
    run_select(query, &receiver->interface);
    MemoryContextDelete(receiver->row_memory);
    return known;
}

void write_differing(FunctionCallInfo fcinfo, row_writer &rows, order_pass *pass, known_rows *known) {
    MemoryContext scratch =
        AllocSetContextCreateInternal(CurrentMemoryContext, "pg_crm compared customer", ALLOCSET_DEFAULT_SIZES);
    customer each;
    while (next_customer(pass, each)) {
        const MemoryContext caller = MemoryContextSwitchTo(scratch);
        const Datum h = run<byte_vector>(fcinfo, [&] {
            memory &here = current_memory();
            return history::encode_sorted(each.history, here);
        });
        const auto channel = pass->splits.text_of(each.first_tag);
        const auto stored = guarded([&] { return known->take(each); });
        if (!stored || !holds(stored->content, h, channel))
            rows.write([&](Datum *values, bool *nulls) {
                values[0] = customer_datum(pass, each);
                values[1] = stored ? place_datum(stored->place) : Datum{0};
                values[2] = h;
                Datum *last = values + 3;
                bool *last_null = nulls + 3;
                split_column(channel).write(last, last_null);
                nulls[1] = !stored;
            });
        MemoryContextSwitchTo(caller);
        MemoryContextReset(scratch);
    }
}

void write_left(row_writer &rows, order_pass *pass, known_rows *known) {
    while (const auto left = guarded([&] { return known->next_left(); })) {
        CHECK_FOR_INTERRUPTS();
        rows.write([&](Datum *values, bool *nulls) {
            customer gone;
            gone.key = left->key;
            gone.key_bytes = left->key_bytes;
            values[0] = customer_datum(pass, gone);
            values[1] = place_datum(left->place);
            nulls[2] = nulls[3] = true;
        });
    }
}

} // namespace

// Arguments: query of orders, query of what is stored, key.
CRM_ENTRY(crm_history_changes) {
    if (PG_ARGISNULL(1))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("query of what is stored must not be NULL")));
    row_writer rows(fcinfo);
    order_pass *pass = read_orders(query_argument(fcinfo), rows.column_type(0), columns::with_split);
    known_rows *known = read_stored(text_to_cstring(PG_GETARG_TEXT_PP(1)), pass, rows);
    write_differing(fcinfo, rows, pass, known);
    write_left(rows, pass, known);
    finish(pass);
    return 0;
}
