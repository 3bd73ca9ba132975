"""The fields of every parse-tree node that may stand inside a query: which lead further, and how."""

from __future__ import annotations

from typing import Final, NamedTuple


class Fields(NamedTuple):
    """The fields of one node type.

    Attributes:
        known: all of them.
        followed: those that lead further, with how: "*" a wrapped node or a list of them, ">" the relation that a
            statement writes, otherwise the type of the unwrapped node.
    """

    known: frozenset[str]
    followed: tuple[tuple[str, str], ...]


#: One node type a line. ``name`` is a wrapped node or a list of them, ``name:Type`` an unwrapped one, ``-name`` holds
#: nothing that names a relation, a function or a column. Fields that only PostgreSQL's analysis sets are not here,
#: so that they make a statement unread. The order is that of the text, as far as one order fits all.
_TEXT = """
SelectStmt withClause:WithClause -intoClause distinctClause targetList larg:SelectStmt rarg:SelectStmt fromClause whereClause groupClause -groupDistinct havingClause windowClause valuesLists sortClause limitOffset limitCount -limitOption lockingClause -op -all
InsertStmt withClause:WithClause relation> cols selectStmt onConflictClause:OnConflictClause returningClause:ReturningClause -override
UpdateStmt withClause:WithClause relation> targetList fromClause whereClause returningClause:ReturningClause
DeleteStmt withClause:WithClause relation> usingClause whereClause returningClause:ReturningClause
MergeStmt withClause:WithClause relation> sourceRelation joinCondition mergeWhenClauses returningClause:ReturningClause
MergeWhenClause -matchKind -commandType -override condition targetList values
OnConflictClause -action infer:InferClause targetList whereClause -location
InferClause indexElems whereClause -conname -location
IndexElem -name expr -collation -opclass -opclassopts -ordering -nulls_ordering
ReturningClause -options exprs
LockingClause -lockedRels -strength -waitPolicy
ResTarget -name indirection val -location
SortBy node -sortby_dir -sortby_nulls -useOp -location
WindowDef -name -refname partitionClause orderClause -frameOptions startOffset endOffset -location
GroupingSet -kind content -location
RangeVar -catalogname -schemaname -relname -inh -relpersistence -alias -location
RangeSubselect -lateral subquery -alias
RangeFunction -lateral -ordinality -is_rowsfrom functions -alias -coldeflist
RangeTableFunc -lateral docexpr rowexpr namespaces columns -alias -location
RangeTableFuncCol -colname -typeName -for_ordinality -is_not_null colexpr coldefexpr -location
RangeTableSample relation -method args repeatable -location
JoinExpr -jointype -isNatural larg rarg -usingClause -join_using_alias quals -alias
JsonTable context_item:JsonValueExpr -pathspec passing columns on_error:JsonBehavior -alias -lateral -location
JsonTableColumn -coltype -name -typeName -pathspec -format -wrapper -quotes columns on_empty:JsonBehavior on_error:JsonBehavior -location
List items
A_Const -ival -fval -boolval -sval -bsval -isnull -location
ColumnRef -fields -location
ColumnDef -colname -typeName -is_local -collClause -location
A_Star
String -sval
A_Expr -kind -name lexpr rexpr -rexpr_list_start -rexpr_list_end -location
BoolExpr -boolop args -location
NullTest arg -nulltesttype -argisrow -location
BooleanTest arg -booltesttype -location
FuncCall -funcname args agg_order agg_filter over:WindowDef -agg_within_group -agg_star -agg_distinct -func_variadic -funcformat -location
NamedArgExpr arg -name -argnumber -location
SQLValueFunction -op -typmod -location
TypeCast arg -typeName -location
CollateClause arg -collname -location
CaseExpr arg args defresult -location
CaseWhen expr result -location
CoalesceExpr args -location
MinMaxExpr -op args -location
A_ArrayExpr elements -list_start -list_end -location
RowExpr args -row_format -location
A_Indirection arg indirection
A_Indices -is_slice lidx uidx
SubLink -subLinkType testexpr -operName subselect -location
ParamRef -number -location
SetToDefault -location
MultiAssignRef source -colno -ncolumns
CurrentOfExpr -cursor_name -cursor_param
MergeSupportFunc -msftype -location
GroupingFunc args -location
XmlExpr -op -name named_args args -xmloption -indent -location
XmlSerialize -xmloption expr -typeName -indent -location
JsonIsPredicate expr -format -item_type -unique_keys -location
JsonFuncExpr -op -column_name context_item:JsonValueExpr pathspec passing -output on_empty:JsonBehavior on_error:JsonBehavior -wrapper -quotes -location
JsonValueExpr raw_expr -format
JsonBehavior -btype expr -location
JsonArgument val:JsonValueExpr -name
JsonKeyValue key value:JsonValueExpr
JsonObjectConstructor exprs -output -absent_on_null -unique -location
JsonArrayConstructor exprs -output -absent_on_null -location
JsonArrayQueryConstructor query -output -format -absent_on_null -location
JsonObjectAgg constructor:JsonAggConstructor arg:JsonKeyValue -absent_on_null -unique
JsonArrayAgg constructor:JsonAggConstructor arg:JsonValueExpr -absent_on_null
JsonAggConstructor -output agg_filter agg_order over:WindowDef -location
JsonParseExpr expr:JsonValueExpr -output -unique_keys -location
JsonScalarExpr expr -output -location
JsonSerializeExpr expr:JsonValueExpr -output -location
"""  # noqa: E501  # a table


def _read(text: str) -> dict[str, Fields]:
    table: dict[str, Fields] = {}
    for line in text.strip().splitlines():
        kind, *words = line.split()
        followed: dict[str, str] = {}
        for word in words:
            if word[-1] == ">":
                followed[word[:-1]] = ">"
            elif word[0] != "-":
                name, _, unwrapped = word.partition(":")
                followed[name] = unwrapped or "*"
        known = followed.keys() | {word[1:] for word in words if word[0] == "-"}
        table[kind] = Fields(frozenset(known), tuple(followed.items()))
    return table


FIELDS: Final = _read(_TEXT)

#: The same for WITH, whose names have a scope and which the walk therefore treats itself.
WITH_CLAUSE: Final = frozenset({"ctes", "recursive", "location"})
COMMON_TABLE_EXPR: Final = frozenset(
    "ctename aliascolnames ctematerialized ctequery search_clause cycle_clause location".split()
)
