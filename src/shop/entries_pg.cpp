#include "shop/entries_pg.hpp"

#include "bridge/walker.hpp"

extern "C" {
#include <access/table.h>
#include <catalog/pg_type.h>
#include <nodes/makefuncs.h>
#include <optimizer/clauses.h>
#include <optimizer/optimizer.h>
#include <parser/analyze.h>
#include <rewrite/rewriteHandler.h>
#include <tcop/tcopprot.h>
#include <utils/datum.h>
#include <utils/lsyscache.h>
#include <utils/numeric.h>
}

#include <algorithm>

namespace crm::shop {
namespace {

[[noreturn]] void refuse() {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("the settings read more than a row of the orders")));
    pg_unreachable();
}

// As a statement of the shop's owner would be checked.
void check_rights(Query *query) {
#if PG_VERSION_NUM >= 160000
    ExecCheckPermissions(query->rtable, query->rteperminfos, true);
#else
    ExecCheckRTPerms(query->rtable, true);
#endif
}

Query *analyze(const char *text, Oid orders) {
    List *statements = pg_parse_query(text);
    Query *query = linitial_node(
        Query, pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, statements), text, nullptr, 0, nullptr));
    if (list_length(query->rtable) != 1 || linitial_node(RangeTblEntry, query->rtable)->relid != orders ||
        query->hasSubLinks || list_length(query->targetList) != entry_values)
        refuse();
    check_rights(query);
    return query;
}

Expr *planned(const void *clause, [[maybe_unused]] Oid orders) {
    auto *expression = static_cast<Node *>(const_cast<void *>(clause));
#if PG_VERSION_NUM >= 180000
    Relation table = table_open(orders, NoLock); // the caller's statement has it locked
    expression = expand_generated_columns_in_expr(expression, table, 1);
    table_close(table, NoLock);
#endif
    return expression_planner(reinterpret_cast<Expr *>(expression));
}

bool is_leaky(Oid function, void *) { return !get_func_leakproof(function); }

// Also where no column is passed, which contain_leaked_vars is about.
bool calls_leaky(Node *node, void *context) {
    return node != nullptr && (check_functions_in_node(node, is_leaky, context) ||
                               expression_tree_walker(node, bridge::as_walker(calls_leaky), context));
}

bool cannot_fail(Expr *expression) {
    auto *node = reinterpret_cast<Node *>(expression);
    return !calls_leaky(node, nullptr) && !contain_leaked_vars(node) && !contain_mutable_functions(node);
}

bool is_amount(Oid type) { return type == NUMERICOID || type == INT8OID || type == INT4OID || type == INT2OID; }

// Whole numbers become numerics here: a cast in SQL would count among what might raise an error.
Datum to_numeric(Datum amount, Oid type) {
    switch (type) {
    case INT8OID:
        return NumericGetDatum(int64_to_numeric(DatumGetInt64(amount)));
    case INT4OID:
        return NumericGetDatum(int64_to_numeric(DatumGetInt32(amount)));
    case INT2OID:
        return NumericGetDatum(int64_to_numeric(DatumGetInt16(amount)));
    default:
        return amount;
    }
}

} // namespace

entry_reader entry_reader::compile(List *queries, Oid orders) {
    entry_reader made{};
    made.is_harmless_ = true;
    made.row_ = CreateStandaloneExprContext();
    if (list_length(queries) > most_entries)
        refuse();
    ListCell *cell;
    foreach (cell, queries)
        made.of_[made.entries_++] = compile(static_cast<const char *>(lfirst(cell)), orders, made.is_harmless_);
    const Oid types[entry_values] = {made.of_[0].types[customer_value], TIMESTAMPTZOID, NUMERICOID, TEXTOID};
    for (int i = 0; i < entry_values; ++i) {
        made.types_[i].id = types[i];
        get_typlenbyval(types[i], &made.types_[i].length, &made.types_[i].by_value);
    }
    return made;
}

entry_reader::expressions entry_reader::compile(const char *text, Oid orders, bool &is_harmless) {
    const Query *query = analyze(text, orders);
    expressions made{};
    if (query->jointree->quals != nullptr) {
        Expr *condition = planned(query->jointree->quals, orders);
        is_harmless &= cannot_fail(condition);
        made.counts = ExecInitQual(make_ands_implicit(condition), nullptr);
    }
    for (int i = 0; i < entry_values; ++i) {
        Expr *expression = planned(list_nth_node(TargetEntry, query->targetList, i)->expr, orders);
        is_harmless &= cannot_fail(expression);
        made.values[i] = ExecInitExpr(expression, nullptr);
        made.types[i] = getBaseType(exprType(reinterpret_cast<const Node *>(expression)));
    }
    if (made.types[time_value] != TIMESTAMPTZOID || !is_amount(made.types[amount_value]) ||
        made.types[channel_value] != TEXTOID)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("times or amounts are of other types now")));
    return made;
}

bool entry_reader::read(int number, TupleTableSlot *row, entry &found) const {
    const expressions &of = of_[number];
    row_->ecxt_scantuple = row;
    if (!ExecQual(of.counts, row_))
        return false;
    for (int i = 0; i < entry_values; ++i)
        found.values[i] = ExecEvalExprSwitchContext(of.values[i], row_, &found.nulls[i]);
    if (found.nulls[customer_value] || found.nulls[time_value] || found.nulls[amount_value])
        return false;
    const MemoryContext caller = MemoryContextSwitchTo(row_->ecxt_per_tuple_memory);
    found.values[amount_value] = to_numeric(found.values[amount_value], of.types[amount_value]);
    MemoryContextSwitchTo(caller);
    return true;
}

bool entry_reader::same(const entry &a, const entry &b) const {
    for (int i = 0; i < entry_values; ++i)
        if (a.nulls[i] != b.nulls[i] ||
            (!a.nulls[i] && !datum_image_eq(a.values[i], b.values[i], types_[i].by_value, types_[i].length)))
            return false;
    return true;
}

} // namespace crm::shop
