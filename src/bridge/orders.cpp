#include "bridge/orders.hpp"

#include "bridge/datum.hpp"
#include "bridge/query.hpp"
#include "bridge/settings.hpp"
#include "core/bytes.hpp"
#include "core/decimal.hpp"

extern "C" {
#include <common/hashfn.h>
#include <utils/lsyscache.h>
}

namespace crm::bridge {
namespace {

constexpr std::size_t batch_orders = 1024;
constexpr int customer_column = 0, time_column = 1, amount_column = 2, split_column = 3;

// Types whose equal values have equal bytes.
bool is_equal_by_bytes(Oid type, Oid collation) {
    switch (type) {
    case TEXTOID:
    case VARCHAROID:
        return !OidIsValid(collation) || get_collation_isdeterministic(collation);
    case BYTEAOID:
    case UUIDOID:
        return true;
    default:
        return false;
    }
}

} // namespace

customer_key::form customer_key::form_of(Oid base_type) {
    switch (base_type) {
    case INT2OID:
        return form::int2;
    case INT4OID:
    case DATEOID:
        return form::int4;
    case OIDOID:
        return form::oid;
    case INT8OID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
        return form::int8;
    default:
        return form::bytes;
    }
}

void customer_key::bind(Oid column_type, Oid collation, Oid wanted) {
    const Oid column_base = getBaseType(column_type);
    const Oid wanted_base = OidIsValid(wanted) ? getBaseType(wanted) : column_base;
    const bool widens = wanted_base == INT8OID && (column_base == INT4OID || column_base == INT2OID);
    if (column_base != wanted_base && !widens)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("customers are of another type than asked for"),
                        errdetail("The query's first column is %s, the key is %s.", format_type_be(column_type),
                                  format_type_be(wanted)),
                        errhint("Say key => NULL::%s.", format_type_be(column_type))));
    if (wanted != column_type && OidIsValid(wanted) && get_typtype(wanted) == TYPTYPE_DOMAIN)
        ereport(ERROR,
                (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("customers are of another type than asked for"),
                 errdetail("The query's first column is %s, the key is the domain %s, which has conditions of its own.",
                           format_type_be(column_type), format_type_be(wanted)),
                 errhint("Cast the first column to %s.", format_type_be(wanted))));
    type_ = lookup_type_cache(wanted_base, TYPECACHE_HASH_EXTENDED_PROC_FINFO | TYPECACHE_EQ_OPR_FINFO);
    if (!OidIsValid(type_->hash_extended_proc) || !OidIsValid(type_->eq_opr))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                        errmsg("customers of type %s cannot be told apart by hashing", format_type_be(column_type)),
                        errhint("Cast the first column of the query to bigint, uuid or text.")));
    collation_ = collation;
    form_ = form_of(column_base);
    equal_by_bytes_ = is_equal_by_bytes(wanted_base, collation);
}

byte_span customer_key::to_bytes(Datum &value) const {
    if (type_->typbyval)
        return std::as_bytes(std::span(&value, 1));
    if (type_->typlen == -1) {
        value = PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
        return bytes_of(reinterpret_cast<const struct varlena *>(DatumGetPointer(value)));
    }
    const auto *bytes = reinterpret_cast<const std::byte *>(DatumGetPointer(value));
    return {bytes,
            type_->typlen == -2 ? std::strlen(DatumGetCString(value)) + 1 : static_cast<std::size_t>(type_->typlen)};
}

std::uint64_t customer_key::hash(Datum value, byte_span bytes) const {
    if (equal_by_bytes_)
        return hash_bytes_extended(reinterpret_cast<const unsigned char *>(bytes.data()),
                                   static_cast<int>(bytes.size()), 0);
    return DatumGetUInt64(FunctionCall2Coll(&type_->hash_extended_proc_finfo, collation_, value, Int64GetDatum(0)));
}

bool customer_key::equal(byte_span a, byte_span b) const {
    return DatumGetBool(FunctionCall2Coll(&type_->eq_opr_finfo, collation_, from_bytes(a), from_bytes(b)));
}

Datum customer_key::from_bytes(byte_span bytes) const {
    if (type_->typbyval)
        return load<Datum>(bytes.data());
    const std::size_t header = type_->typlen == -1 ? VARHDRSZ : 0;
    auto *copy = static_cast<char *>(palloc(header + bytes.size()));
    if (header > 0)
        SET_VARSIZE(copy, header + bytes.size());
    std::ranges::copy(bytes, reinterpret_cast<std::byte *>(copy) + header);
    return PointerGetDatum(copy);
}

bool order_pass::type_equality::operator()(byte_span a, byte_span b) const {
    if (std::ranges::equal(a, b))
        return true;
    bool same = false;
    call_postgres([&] {
        if (scratch_ == nullptr)
            scratch_ = AllocSetContextCreateInternal(parent_, "pg_crm comparison of customers", ALLOCSET_SMALL_SIZES);
        const MemoryContext caller = MemoryContextSwitchTo(scratch_);
        same = key_.equal(a, b);
        MemoryContextSwitchTo(caller);
        MemoryContextReset(scratch_);
    });
    return same;
}

namespace {

using amount_reader = decimal (*)(Datum);

// The end of an executor run: orders leave it in batches, each under one guard.
struct order_receiver {
    DestReceiver interface;
    MemoryContext parent;
    MemoryContext row_memory; // of one batch
    Oid key_type;
    columns allowed;
    order_pass *pass;
    customer_key key;
    amount_reader read_amount;
    bool splits;
    Oid split_output; // InvalidOid: the column is text
    std::uint64_t rows, skipped;
    int scale; // of the batch
    std::size_t fill;
    order batch[batch_orders];
    tag tags[batch_orders];
};

amount_reader reader_for(Oid type) {
    switch (getBaseType(type)) {
    case NUMERICOID:
        return decimal_from_numeric;
    case INT8OID:
        return [](Datum value) { return decimal{DatumGetInt64(value), 0}; };
    case INT4OID:
        return [](Datum value) { return decimal{DatumGetInt32(value), 0}; };
    case INT2OID:
        return [](Datum value) { return decimal{DatumGetInt16(value), 0}; };
    default:
        ereport(ERROR,
                (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("amounts must be numeric, bigint or integer"),
                 errdetail("The query's third column is %s.", format_type_be(type)), errhint("Cast it to numeric.")));
    }
    pg_unreachable();
}

void check_columns(TupleDesc row, columns allowed) {
    const bool may_split = allowed == columns::with_split;
    if (row->natts != 3 && !(row->natts == 4 && may_split))
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("query of orders must have three columns%s", may_split ? ", or four" : ""),
                        errdetail("It has %d.", row->natts),
                        errhint("Select the customer, the time and the amount, in this order%s.",
                                may_split ? ", and optionally what splits the customers" : "")));
    const Oid time_type = TupleDescAttr(row, time_column)->atttypid;
    if (getBaseType(time_type) != TIMESTAMPTZOID)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("times of orders must be timestamp with time zone"),
                        errdetail("The query's second column is %s.", format_type_be(time_type)),
                        errhint("Say which zone it is in: ordered_at AT TIME ZONE 'Asia/Tokyo'.")));
}

// Of a type that is no text.
Oid text_output_of(Oid type) {
    if (getBaseType(type) == TEXTOID || getBaseType(type) == VARCHAROID)
        return InvalidOid;
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(type, &output, &is_varlena);
    return output;
}

void start(DestReceiver *self, int, TupleDesc row) {
    auto *receiver = reinterpret_cast<order_receiver *>(self);
    check_columns(row, receiver->allowed);
    receiver->read_amount = reader_for(TupleDescAttr(row, amount_column)->atttypid);
    const auto *customer = TupleDescAttr(row, customer_column);
    receiver->key.bind(customer->atttypid, customer->attcollation, receiver->key_type);
    receiver->pass = in_context<order_pass>::make(receiver->parent, "pg_crm pass over orders",
                                                  const_cast<const customer_key *>(&receiver->key), memory_budget());
    receiver->pass->watch.start();
    receiver->splits = row->natts > split_column;
    if (receiver->splits)
        receiver->split_output = text_output_of(TupleDescAttr(row, split_column)->atttypid);
}

// The value that splits, as text; bytes of a text are taken as they are.
std::optional<std::string_view> split_text(const order_receiver *receiver, const TupleTableSlot *slot) {
    if (slot->tts_isnull[split_column])
        return std::nullopt;
    const Datum value = slot->tts_values[split_column];
    return OidIsValid(receiver->split_output) ? std::string_view(OidOutputFunctionCall(receiver->split_output, value))
                                              : datum<std::string_view>::get(value);
}

tag split_of(const order_receiver *receiver, const TupleTableSlot *slot) {
    if (!receiver->splits)
        return 0;
    const auto text = split_text(receiver, slot);
    return guarded([&] { return receiver->pass->splits.number_of(text); });
}

void hand_over_batch(order_receiver *receiver) {
    if (receiver->fill > 0)
        guarded([&] {
            const std::span<const tag> tags(receiver->tags, receiver->splits ? receiver->fill : 0);
            receiver->pass->book.add(std::span(receiver->batch, receiver->fill), receiver->scale, tags);
        });
    receiver->fill = 0;
    MemoryContextReset(receiver->row_memory);
    receiver->pass->watch.orders_read(receiver->rows, receiver->pass->book.pool().spilled_bytes());
}

// A batch has one scale, which only grows: a finer amount starts a new batch.
std::int64_t at_batch_scale(order_receiver *receiver, decimal amount) {
    if (amount.scale > receiver->scale) {
        hand_over_batch(receiver);
        receiver->scale = amount.scale;
    }
    if (amount.scale == receiver->scale)
        return amount.minor;
    return guarded([&] { return rescale(amount.minor, amount.scale, receiver->scale); });
}

void receive_keyed(order_receiver *receiver, Datum customer, timestamp at, decimal amount, tag with) {
    const byte_span bytes = receiver->key.to_bytes(customer);
    if (bytes.size() > ledger::max_key_bytes)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("customer id is too long"),
                        errdetail("It has %zu bytes; at most %zu are possible.", bytes.size(), ledger::max_key_bytes),
                        errhint("Select a shorter id of the customer, or a hash of it.")));
    const order row{receiver->key.hash(customer, bytes), at, amount.minor};
    guarded([&] { receiver->pass->book.add(row, bytes, amount.scale, with); });
    if (receiver->rows % batch_orders == 0)
        hand_over_batch(receiver);
}

void receive_order(order_receiver *receiver, TupleTableSlot *slot) {
    const timestamp at = finite_timestamp(DatumGetTimestampTz(slot->tts_values[time_column]));
    const decimal amount = receiver->read_amount(slot->tts_values[amount_column]);
    const Datum customer = slot->tts_values[customer_column];
    const tag with = split_of(receiver, slot);
    if (!receiver->key.fits_64_bits()) {
        receive_keyed(receiver, customer, at, amount, with);
        return;
    }
    const std::int64_t minor = at_batch_scale(receiver, amount);
    receiver->tags[receiver->fill] = with;
    receiver->batch[receiver->fill++] = {receiver->key.to_64_bits(customer), at, minor};
    if (receiver->fill == batch_orders)
        hand_over_batch(receiver);
}

bool receive(TupleTableSlot *slot, DestReceiver *self) {
    auto *receiver = reinterpret_cast<order_receiver *>(self);
    slot_getallattrs(slot);
    const bool *null = slot->tts_isnull;
    if (null[customer_column] || null[time_column] || null[amount_column]) {
        ++receiver->skipped;
        return true;
    }
    ++receiver->rows;
    const MemoryContext caller = MemoryContextSwitchTo(receiver->row_memory);
    receive_order(receiver, slot);
    MemoryContextSwitchTo(caller);
    return true;
}

void stop(DestReceiver *) {}

} // namespace

order_pass *read_orders(const char *query, Oid key_type, columns allowed) {
    auto *receiver = static_cast<order_receiver *>(palloc0(sizeof(order_receiver)));
    receiver->interface = {receive, start, stop, stop, DestNone};
    receiver->parent = CurrentMemoryContext;
    receiver->row_memory = AllocSetContextCreateInternal(CurrentMemoryContext, "pg_crm orders", ALLOCSET_DEFAULT_SIZES);
    receiver->key_type = key_type;
    receiver->allowed = allowed;
    run_select(query, &receiver->interface);

    order_pass *pass = receiver->pass;
    hand_over_batch(receiver);
    if (receiver->splits)
        guarded([&] { pass->book.rank_tags(pass->splits.ranks()); });
    pass->watch.enter(phase::folding);
    if (receiver->skipped > 0)
        ereport(NOTICE, (errmsg_plural("skipped %llu order with a NULL customer, time or amount",
                                       "skipped %llu orders with a NULL customer, time or amount", receiver->skipped,
                                       static_cast<unsigned long long>(receiver->skipped))));
    MemoryContextDelete(receiver->row_memory);
    pfree(receiver);
    return pass;
}

bool next_customer(order_pass *pass, customer &found) {
    if (++pass->customers % batch_orders == 0)
        pass->watch.customers_done(pass->customers);
    return guarded([&] { return pass->book.next(found); });
}

void finish(order_pass *pass) {
    pass->file.close();
    pass->watch.finish();
    MemoryContextDelete(pass->context);
}

} // namespace crm::bridge
