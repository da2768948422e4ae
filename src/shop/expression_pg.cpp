// Expressions that users give as text, over a row of some source: exactly one expression, whose value depends on data
// only, so that it is the same whenever, and by whomever, it is evaluated.
#include "bridge/function.hpp"
#include "bridge/query.hpp"
#include "bridge/rows.hpp"
#include "bridge/walker.hpp"

extern "C" {
#include <access/transam.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_type.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/optimizer.h>
#include <parser/analyze.h>
#include <parser/parse_node.h>
#include <parser/parser.h>
#include <utils/array.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/ruleutils.h>
}

using namespace crm;
using namespace crm::bridge;

namespace {

// What is checked, and what has been seen of it.
struct expression_check {
    ParseState *state;
    const char *advice; // what to take instead of the clock
    List *clock_literals = NIL;
    Oid function = InvalidOid;
    bool reads_row_only = true;
};

void point_into_expression(void *text) { point_into(static_cast<const char *>(text)); }

// Makes the errors of what it encloses point into the text.
class pointing {
  public:
    explicit pointing(const char *text)
        : context_{error_context_stack, point_into_expression, const_cast<char *>(text)} {
        error_context_stack = &context_;
    }
    void end() const { error_context_stack = context_.previous; }

  private:
    ErrorContextCallback context_;
};
static_assert(std::is_trivially_destructible_v<pointing>);

// Parsing: one expression and nothing else.

int place_of_more(const SelectStmt *given) {
    const void *const clauses[] = {list_length(given->targetList) > 1 ? lsecond(given->targetList) : nullptr,
                                   given->fromClause,
                                   given->whereClause,
                                   given->groupClause,
                                   given->havingClause,
                                   given->windowClause,
                                   given->sortClause,
                                   given->limitOffset,
                                   given->limitCount};
    for (const void *clause : clauses)
        if (const int place = exprLocation(static_cast<const Node *>(clause)); place >= 0)
            return place;
    return -1;
}

bool is_star(const Node *expression) {
    return IsA(expression, ColumnRef) && IsA(llast(reinterpret_cast<const ColumnRef *>(expression)->fields), A_Star);
}

Node *parse_expression(ParseState *state) {
    const char *wanted = "expected one expression over a row";
    List *statements = raw_parser(state->p_sourcetext, RAW_PARSE_PLPGSQL_EXPR);
    auto *given = castNode(SelectStmt, linitial_node(RawStmt, statements)->stmt);
    if (given->targetList == NIL)
        ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("%s", wanted), errdetail("The text holds none.")));
    auto *plain = makeNode(SelectStmt);
    const auto *first = linitial_node(ResTarget, given->targetList);
    plain->targetList = list_make1(linitial(given->targetList));
    if (!equal(plain, given))
        ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("%s", wanted), errdetail("Something else follows it."),
                        parser_errposition(state, place_of_more(given))));
    if (first->name != nullptr || is_star(first->val))
        ereport(ERROR,
                (errcode(ERRCODE_SYNTAX_ERROR), errmsg("%s", wanted),
                 errdetail(first->name != nullptr ? "It must not be given a name." : "All columns are no value."),
                 parser_errposition(state, first->location)));
    return first->val;
}

// SELECT FROM source WHERE expression: there, PostgreSQL itself refuses aggregates, window functions and sets.
Query *analyze(ParseState *state, Node *expression, const char *source) {
    List *reading = raw_parser(psprintf("SELECT FROM %s", source), RAW_PARSE_DEFAULT);
    RawStmt *statement = linitial_node(RawStmt, reading);
    castNode(SelectStmt, statement->stmt)->whereClause = expression;
    return transformTopLevelStmt(state, statement);
}

// Whether the value can change without a change of data.

bool is_clock_word(std::string_view word) {
    constexpr std::string_view clock[] = {"now", "today", "tomorrow", "yesterday"};
    return std::ranges::any_of(clock, [=](std::string_view name) {
        return std::ranges::equal(word, name, {}, [](char c) { return pg_ascii_tolower(c); });
    });
}

// As 'today', '[yesterday,)' and '{now}' do.
bool names_the_clock(std::string_view literal) {
    const auto is_letter = [](char c) { return pg_ascii_tolower(c) >= 'a' && pg_ascii_tolower(c) <= 'z'; };
    for (auto at = literal.begin(); at != literal.end();) {
        const auto begin = std::find_if(at, literal.end(), is_letter);
        at = std::find_if_not(begin, literal.end(), is_letter);
        if (is_clock_word({begin, at}))
            return true;
    }
    return false;
}

bool note_clock_literals(Node *node, void *context) {
    if (node == nullptr)
        return false;
    auto *check = static_cast<expression_check *>(context);
    if (IsA(node, A_Const)) {
        auto *literal = castNode(A_Const, node);
        if (!literal->isnull && IsA(&literal->val, String) && names_the_clock(strVal(&literal->val)))
            check->clock_literals = lappend(check->clock_literals, literal);
    }
    return raw_expression_tree_walker(node, as_walker(note_clock_literals), context);
}

bool is_time(Oid type) {
    if (const Oid element = get_element_type(type); OidIsValid(element))
        return is_time(element);
    if (const Oid range = get_multirange_range(type); OidIsValid(range))
        return is_time(range);
    if (const Oid bound = get_range_subtype(type); OidIsValid(bound))
        return is_time(bound);
    char category;
    bool preferred;
    get_type_category_preferred(getBaseType(type), &category, &preferred);
    return category == TYPCATEGORY_DATETIME;
}

// How the text says the time that the node stands for; NULL where it is none.
const char *clock_at(Node *node, const expression_check *check) {
    if (IsA(node, SQLValueFunction))
        return deparse_expression(node, NIL, false, false);
    if (!IsA(node, Const) || !is_time(castNode(Const, node)->consttype))
        return nullptr;
    ListCell *cell;
    foreach (cell, check->clock_literals)
        if (lfirst_node(A_Const, cell)->location == castNode(Const, node)->location)
            return quote_literal_cstr(strVal(&lfirst_node(A_Const, cell)->val));
    return nullptr;
}

bool asks_for_rights(Oid function) {
    const char *name = function < FirstNormalObjectId ? get_func_name(function) : nullptr;
    const std::string_view asked(name != nullptr ? name : "");
    return asked == "pg_has_role" || (asked.starts_with("has_") && asked.ends_with("_privilege"));
}

// Functions that PostgreSQL calls stable, because they are within one query: they tell of the session, of the server,
// or of what some table holds by now. Those that take a query as text are volatile anyway. 'now'::text::timestamptz is
// the clock too, and cannot be seen: no function and no literal of a time is in it.
bool depends_on_session(Oid function) {
    constexpr Oid all[] = {F_NOW,
                           F_TRANSACTION_TIMESTAMP,
                           F_STATEMENT_TIMESTAMP,
                           F_AGE_TIMESTAMPTZ,
                           F_AGE_TIMESTAMP,
                           F_AGE_XID,
                           F_MXID_AGE,
                           F_CURRENT_USER,
                           F_SESSION_USER,
                           F_GETPGUSERNAME,
                           F_CURRENT_SETTING_TEXT,
                           F_CURRENT_SETTING_TEXT_BOOL,
                           F_CURRENT_SCHEMA,
                           F_CURRENT_SCHEMAS,
                           F_GET_CURRENT_TS_CONFIG,
                           F_PG_CLIENT_ENCODING,
                           F_PG_BACKEND_PID,
                           F_PG_MY_TEMP_SCHEMA,
                           F_PG_IS_OTHER_TEMP_SCHEMA,
                           F_PG_TRIGGER_DEPTH,
                           F_ROW_SECURITY_ACTIVE_OID,
                           F_ROW_SECURITY_ACTIVE_TEXT,
                           F_INET_CLIENT_ADDR,
                           F_INET_CLIENT_PORT,
                           F_INET_SERVER_ADDR,
                           F_INET_SERVER_PORT,
                           F_PG_CONF_LOAD_TIME,
                           F_PG_POSTMASTER_START_TIME,
                           F_TXID_CURRENT,
                           F_TXID_CURRENT_IF_ASSIGNED,
                           F_TXID_CURRENT_SNAPSHOT,
                           F_PG_CURRENT_XACT_ID,
                           F_PG_CURRENT_XACT_ID_IF_ASSIGNED,
                           F_PG_CURRENT_SNAPSHOT,
                           F_PG_RELATION_FILENODE,
                           F_PG_RELATION_FILEPATH,
                           F_TABLE_TO_XML,
                           F_TABLE_TO_XMLSCHEMA,
                           F_TABLE_TO_XML_AND_XMLSCHEMA,
                           F_SCHEMA_TO_XML,
                           F_SCHEMA_TO_XMLSCHEMA,
                           F_SCHEMA_TO_XML_AND_XMLSCHEMA,
                           F_DATABASE_TO_XML,
                           F_DATABASE_TO_XMLSCHEMA,
                           F_DATABASE_TO_XML_AND_XMLSCHEMA};
    return std::ranges::find(all, function) != std::end(all) || asks_for_rights(function);
}

// Also notes stable functions of users, which may read tables.
bool is_changing(Oid function, void *context) {
    auto *check = static_cast<expression_check *>(context);
    const char kind = func_volatile(function);
    if (kind == PROVOLATILE_STABLE && function >= FirstNormalObjectId)
        check->reads_row_only = false;
    if (kind != PROVOLATILE_VOLATILE && !depends_on_session(function))
        return false;
    check->function = function;
    return true;
}

[[noreturn]] void refuse_clock(const expression_check *check, const Node *node, const char *what) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("%s depends on when and by whom it is called", what),
                    errhint("%s", check->advice), parser_errposition(check->state, exprLocation(node))));
    pg_unreachable();
}

[[noreturn]] void refuse_function(const expression_check *check, const Node *node) {
    const char *name = get_func_name(check->function);
    if (depends_on_session(check->function))
        refuse_clock(check, node, psprintf("%s()", name));
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("function %s() is volatile", name),
                    errhint("The answer must be the same whenever it is asked. A function of your own that gives the "
                            "same for the same arguments and data can be declared IMMUTABLE or STABLE."),
                    parser_errposition(check->state, exprLocation(node))));
    pg_unreachable();
}

[[noreturn]] void refuse_sample(const expression_check *check, const TableSampleClause *sample) {
    const auto *share = reinterpret_cast<const Node *>(sample->args);
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("TABLESAMPLE does not take the same rows each time"),
                    errhint("The answer must be the same whenever it is asked."),
                    parser_errposition(check->state, exprLocation(share))));
    pg_unreachable();
}

bool refuse_changing(Node *node, void *context) {
    if (node == nullptr)
        return false;
    auto *check = static_cast<expression_check *>(context);
    const auto here = as_walker(refuse_changing);
    if (IsA(node, Query)) {
        check->reads_row_only = false;
        if (castNode(Query, node)->rowMarks != NIL)
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("a subquery must not lock rows here"),
                            errhint("Leave out FOR UPDATE and FOR SHARE.")));
        return query_tree_walker(castNode(Query, node), here, context, 0);
    }
    if (IsA(node, TableSampleClause))
        refuse_sample(check, castNode(TableSampleClause, node));
    if (IsA(node, Var) && castNode(Var, node)->varattno < 0)
        check->reads_row_only = false;
    if (const char *clock = clock_at(node, check); clock != nullptr)
        refuse_clock(check, node, clock);
    if (check_functions_in_node(node, is_changing, context))
        refuse_function(check, node);
    return expression_tree_walker(node, here, context);
}

const char *relation_source(Oid relation, const char *alias) {
    const char *name = get_rel_name(relation);
    if (name == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", relation)));
    return psprintf("%s AS %s", quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), name),
                    alias);
}

const char *text_argument(FunctionCallInfo fcinfo, int i) { return text_to_cstring(PG_GETARG_TEXT_PP(i)); }

ParseState *state_of(const char *text) {
    ParseState *state = make_parsestate(nullptr);
    state->p_sourcetext = text;
    return state;
}

// Whether it reads nothing but the row.
bool check_expression(expression_check &check, Node *expression, Node *test, const char *source) {
    note_clock_literals(expression, &check);
    Query *reading = analyze(check.state, test, source);
    refuse_changing(reading->jointree->quals, &check);
    try_select(reading, check.state->p_sourcetext);
    return check.reads_row_only;
}

// The tree of AND, OR and NOT.

struct condition_tree {
    row_writer *rows;
    Oid relation;
    List *names;
    int parts = 0;
};

Datum columns_of(const condition_tree &tree, Node *part) {
    Bitmapset *numbers = nullptr;
    ListCell *cell;
    foreach (cell, pull_vars_of_level(part, 0))
        if (const int number = lfirst_node(Var, cell)->varattno; number > 0)
            numbers = bms_add_member(numbers, number);
    auto *names = static_cast<Datum *>(palloc(sizeof(Datum) * (bms_num_members(numbers) + 1)));
    int count = 0;
    for (int number = -1; (number = bms_next_member(numbers, number)) >= 0;)
        names[count++] = CStringGetTextDatum(get_attname(tree.relation, static_cast<AttrNumber>(number), false));
    return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

void write_part(condition_tree &tree, Node *part, int parent) {
    check_stack_depth();
    constexpr const char *words[] = {"AND", "OR", "NOT"};
    const auto *connective = IsA(part, BoolExpr) ? castNode(BoolExpr, part) : nullptr;
    const int number = ++tree.parts;
    tree.rows->write([&](Datum *values, bool *nulls) {
        values[0] = Int32GetDatum(number);
        values[1] = Int32GetDatum(parent);
        nulls[1] = parent == 0;
        nulls[2] = connective == nullptr;
        if (connective != nullptr)
            values[2] = CStringGetTextDatum(words[connective->boolop]);
        values[3] = CStringGetTextDatum(deparse_expression(part, tree.names, false, false));
        values[4] = columns_of(tree, part);
    });
    ListCell *cell;
    if (connective != nullptr)
        foreach (cell, connective->args)
            write_part(tree, static_cast<Node *>(lfirst(cell)), number);
}

} // namespace

// Arguments: source, which is a FROM item without its alias, and expression.
CRM_ENTRY(crm_check_expression) {
    const char *source = psprintf("%s AS o", text_argument(fcinfo, 0));
    const char *text = text_argument(fcinfo, 1);
    const pointing errors(text);
    expression_check check{.state = state_of(text),
                           .advice = "Orders are read again by every rebuild, which must find what was there before."};
    Node *expression = parse_expression(check.state);
    auto *any_value = makeNode(NullTest); // a test that takes values of any type
    any_value->arg = reinterpret_cast<Expr *>(expression);
    any_value->location = -1;
    const bool reads_row_only = check_expression(check, expression, reinterpret_cast<Node *>(any_value), source);
    errors.end();
    PG_RETURN_BOOL(reads_row_only);
}

// Arguments: source, condition.
CRM_ENTRY(crm_check_condition) {
    const char *source = relation_source(PG_GETARG_OID(0), "customer");
    const char *text = text_argument(fcinfo, 1);
    const pointing errors(text);
    expression_check check{.state = state_of(text),
                           .advice = "Take the columns as_of and as_of_date, the time that all columns are for."};
    Node *condition = parse_expression(check.state);
    const bool reads_row_only = check_expression(check, condition, condition, source);
    errors.end();
    PG_RETURN_BOOL(reads_row_only);
}

// Arguments: source, condition.
CRM_ENTRY(crm_condition_parts) {
    row_writer rows(fcinfo);
    const Oid relation = PG_GETARG_OID(0);
    const char *text = text_argument(fcinfo, 1);
    const pointing errors(text);
    ParseState *state = state_of(text);
    Query *reading = analyze(state, parse_expression(state), relation_source(relation, "customer"));
    condition_tree tree{.rows = &rows, .relation = relation, .names = deparse_context_for("customer", relation)};
    write_part(tree, reading->jointree->quals, 0);
    errors.end();
    PG_RETURN_VOID();
}
