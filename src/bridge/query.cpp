#include "bridge/query.hpp"

extern "C" {
#include <access/xact.h>
#include <executor/executor.h>
#include <parser/analyze.h>
#include <tcop/tcopprot.h>
#include <utils/snapmgr.h>
}

namespace crm::bridge {
namespace {

void point_into_query(void *query) {
    if (!point_into(static_cast<const char *>(query)))
        errcontext("query of orders \"%s\"", static_cast<const char *>(query));
}

[[noreturn]] void refuse(const char *why) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("query of orders must be one SELECT"),
             errdetail("%s", why), errhint("Give a query such as SELECT customer_id, ordered_at, total FROM orders.")));
    pg_unreachable();
}

Query *analyze(const char *query) {
    List *statements = pg_parse_query(query);
    if (list_length(statements) != 1)
        refuse(statements == NIL ? "The text holds no statement." : "The text holds several statements.");
    List *rewritten =
        pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, statements), query, nullptr, 0, nullptr);
    if (list_length(rewritten) != 1 || linitial_node(Query, rewritten)->commandType != CMD_SELECT)
        refuse("The statement is not a SELECT.");
    Query *analyzed = linitial_node(Query, rewritten);
    if (analyzed->hasModifyingCTE)
        refuse("The statement modifies data in its WITH clause.");
    return analyzed;
}

PlannedStmt *plan(Query *analyzed, const char *query) {
#if PG_VERSION_NUM >= 190000
    return pg_plan_query(analyzed, query, CURSOR_OPT_PARALLEL_OK, nullptr, nullptr);
#else
    return pg_plan_query(analyzed, query, CURSOR_OPT_PARALLEL_OK, nullptr);
#endif
}

QueryDesc *start(PlannedStmt *planned, const char *query, DestReceiver *to, int flags) {
    QueryDesc *started = CreateQueryDesc(planned, query, GetActiveSnapshot(), InvalidSnapshot, to, nullptr, nullptr, 0);
    ExecutorStart(started, flags);
    return started;
}

void run_to_end(QueryDesc *running) {
#if PG_VERSION_NUM >= 180000
    ExecutorRun(running, ForwardScanDirection, 0);
#else
    ExecutorRun(running, ForwardScanDirection, 0, true);
#endif
}

} // namespace

void run_select(const char *query, DestReceiver *to) {
    ErrorContextCallback context{error_context_stack, point_into_query, const_cast<char *>(query)};
    error_context_stack = &context;
    PlannedStmt *planned = plan(analyze(query), query);
    if (planned->rowMarks != NIL)
        refuse("The statement locks rows.");
    error_context_stack = context.previous;

    QueryDesc *running = start(planned, query, to, 0);
    run_to_end(running);
    ExecutorFinish(running);
    ExecutorEnd(running);
    FreeQueryDesc(running);
}

void try_select(Query *analyzed, const char *text) {
    PlannedStmt *planned = plan(linitial_node(Query, pg_rewrite_query(analyzed)), text);
    QueryDesc *started = start(planned, text, None_Receiver, EXEC_FLAG_EXPLAIN_ONLY);
    ExecutorEnd(started);
    FreeQueryDesc(started);
}

bool point_into(const char *text) {
    const int position = geterrposition();
    if (position <= 0)
        return false;
    errposition(0);
    internalerrposition(position);
    internalerrquery(text);
    return true;
}

} // namespace crm::bridge
