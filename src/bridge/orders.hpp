// The one-pass door: a query of orders in, each customer once out.
//
//     order_pass *pass = read_orders(query, key_type);
//     customer each;
//     while (next_customer(pass, each)) { ... customer_datum(pass, each) ... }
//     finish(pass);
#pragma once

#include "bridge/memory.hpp"
#include "bridge/progress.hpp"
#include "bridge/spill.hpp"
#include "core/ledger.hpp"
#include "core/split_values.hpp"

extern "C" {
#include <utils/typcache.h>
}

namespace crm::bridge {

// How the customers of one query are told apart, whatever their type.
class customer_key {
  public:
    // Raises 42804 when the column is not of the type wanted (InvalidOid for any), 42883 for a type without hashing.
    void bind(Oid column_type, Oid collation, Oid wanted);

    bool fits_64_bits() const { return form_ != form::bytes; }
    // Functions may leave anything in the bits of a Datum that its type does not have.
    std::uint64_t to_64_bits(Datum value) const {
        switch (form_) {
        case form::int2:
            return Int16GetDatum(DatumGetInt16(value));
        case form::int4:
            return Int32GetDatum(DatumGetInt32(value));
        case form::oid:
            return ObjectIdGetDatum(DatumGetObjectId(value));
        default:
            return value;
        }
    }
    // The bytes that stand for a customer, which may lie in the Datum itself.
    byte_span to_bytes(Datum &value) const;
    std::uint64_t hash(Datum value, byte_span bytes) const;
    bool equal(byte_span a, byte_span b) const;
    Datum to_datum(const customer &of) const { return fits_64_bits() ? of.key : from_bytes(of.key_bytes); }

  private:
    enum class form { int2, int4, oid, int8, bytes };

    static form form_of(Oid base_type);

    Datum from_bytes(byte_span bytes) const;

    TypeCacheEntry *type_;
    Oid collation_;
    form form_;
    bool equal_by_bytes_; // equal values have equal bytes
};
static_assert(std::is_trivially_destructible_v<customer_key>);

// One pass over the orders of a query. Lives in a memory context of its own.
class order_pass {
  public:
    order_pass(context_memory &in, const customer_key *key, std::size_t budget)
        : context(in.context()), key(*key), file(in.context()), equality(*key, in.context()),
          book(in, budget, file, keys_equal()), splits(in) {}

    // How the ledger tells customers apart whose keys do not fit into 64 bits; null where they do.
    const key_equality *keys_equal() const { return key.fits_64_bits() ? nullptr : &equality; }

    MemoryContext context;
    customer_key key;
    temporary_file file;

  private:
    class type_equality final : public key_equality {
      public:
        type_equality(const customer_key &key, MemoryContext parent) : key_(key), parent_(parent) {}
        bool operator()(byte_span a, byte_span b) const override;

      private:
        customer_key key_;
        MemoryContext parent_;
        mutable MemoryContext scratch_ = nullptr; // what one comparison needs
    };
    type_equality equality;

  public:
    ledger book;
    split_values splits; // of the query's fourth column
    progress watch;
    std::uint64_t customers = 0;
};

// The first argument of every table function over orders.
inline const char *query_argument(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(0))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("query of orders must not be NULL")));
    return text_to_cstring(PG_GETARG_TEXT_PP(0));
}

enum class columns { three, with_split };

// Reads all orders of a query: customer, time, amount and, where the caller has a use for it, optionally a value that
// splits the customers. Rows with a NULL in the first three are skipped and counted in a NOTICE. key_type is the type
// that the customer column must have, or InvalidOid for any type that can be hashed.
order_pass *read_orders(const char *query, Oid key_type, columns allowed = columns::three);

// The next customer; false after the last.
bool next_customer(order_pass *pass, customer &found);

// The customer's id in the type asked for, valid until the context is reset.
inline Datum customer_datum(const order_pass *pass, const customer &of) { return pass->key.to_datum(of); }

void finish(order_pass *pass);

} // namespace crm::bridge
