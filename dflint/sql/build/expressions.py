"""Scalar expressions of the raw parse tree as `Expr` values."""

from __future__ import annotations

from collections.abc import Callable

from dflint.model.expressions import Expr, ExprKind
from dflint.model.names import Name
from dflint.sql.build.nodes import Node, Unread, claim, column_name, const_value, qualified, single, type_name

_NULL = Expr("null")
_DEFAULT = Expr("default")


def expression(node: Node) -> Expr:
    """The expression of a wrapped node.

    Raises:
        Unread: it holds a kind of node, or a key, that is not known here.
        RecursionError: it nests too deep; the caller makes the statement opaque.
    """
    kind, content = single(node)
    build = _BUILDERS.get(kind)
    if build is None:
        raise Unread(f"expression of type {kind}")
    return build(content)


def _expressions(nodes: list[Node]) -> tuple[Expr, ...]:
    return tuple([expression(node) for node in nodes])


_A_CONST = frozenset({"ival", "fval", "boolval", "sval", "bsval", "isnull", "location"})


def _constant(node: Node) -> Expr:
    if not node.keys() <= _A_CONST:
        claim(node, _A_CONST)
    if "isnull" in node:
        return _NULL
    if "boolval" in node:
        return Expr("constant", value=bool(node["boolval"].get("boolval", False)))
    # Numbers and strings are kept apart by their type.
    if "sval" in node:
        return Expr("constant", value=node["sval"].get("sval", ""))
    return Expr("constant", name=_NUMBER if "bsval" not in node else _BITS, value=const_value(node))


_NUMBER = Name(None, "number")
_BITS = Name(None, "bits")
_COLUMN_REF = frozenset({"fields", "location"})


def _column(node: Node) -> Expr:
    if not node.keys() <= _COLUMN_REF:
        claim(node, _COLUMN_REF)
    return Expr("column", name=column_name(node))


_A_EXPR = frozenset({"kind", "name", "lexpr", "rexpr", "location", "rexpr_list_start", "rexpr_list_end"})
_A_EXPR_KINDS: dict[str, ExprKind] = {
    "AEXPR_OP": "operator",
    "AEXPR_OP_ANY": "operator",
    "AEXPR_OP_ALL": "operator",
    "AEXPR_DISTINCT": "operator",
    "AEXPR_NOT_DISTINCT": "operator",
    "AEXPR_NULLIF": "nullif",
    "AEXPR_IN": "in",
    "AEXPR_LIKE": "like",
    "AEXPR_ILIKE": "like",
    "AEXPR_SIMILAR": "like",
    "AEXPR_BETWEEN": "between",
    "AEXPR_NOT_BETWEEN": "between",
    "AEXPR_BETWEEN_SYM": "between",
    "AEXPR_NOT_BETWEEN_SYM": "between",
}
#: What the operator's own name does not say.
_A_EXPR_NAMES = {
    "AEXPR_OP_ANY": " any",
    "AEXPR_OP_ALL": " all",
    "AEXPR_DISTINCT": " distinct",
    "AEXPR_NOT_DISTINCT": " not distinct",
    "AEXPR_SIMILAR": " similar",
}


def _operator(node: Node) -> Expr:
    if not node.keys() <= _A_EXPR:
        claim(node, _A_EXPR)
    form = node["kind"]
    kind = _A_EXPR_KINDS.get(form)
    if kind is None:
        raise Unread(f"expression {form}")
    args: list[Expr] = []
    for side in ("lexpr", "rexpr"):
        operand = node.get(side)
        if operand is None:
            continue
        if "List" in operand:
            args.extend(_expressions(operand["List"].get("items", [])))
        else:
            args.append(expression(operand))
    name = qualified(node["name"])
    suffix = _A_EXPR_NAMES.get(form)
    if suffix:
        name = Name(name.schema, name.name + suffix)
    return Expr(kind, name=name, args=tuple(args))


_BOOL_EXPR = frozenset({"boolop", "args", "location"})
_BOOL_KINDS: dict[str, ExprKind] = {"AND_EXPR": "and", "OR_EXPR": "or", "NOT_EXPR": "not"}


def _boolean(node: Node) -> Expr:
    claim(node, _BOOL_EXPR)
    return Expr(_BOOL_KINDS[node["boolop"]], args=_expressions(node["args"]))


_NULL_TEST = frozenset({"arg", "nulltesttype", "argisrow", "location"})


def _null_test(node: Node) -> Expr:
    claim(node, _NULL_TEST)
    kind: ExprKind = "is_null" if node["nulltesttype"] == "IS_NULL" else "is_not_null"
    return Expr(kind, args=(expression(node["arg"]),))


_BOOLEAN_TEST = frozenset({"arg", "booltesttype", "location"})


def _boolean_test(node: Node) -> Expr:
    claim(node, _BOOLEAN_TEST)
    return Expr("boolean_test", name=Name(None, node["booltesttype"].lower()), args=(expression(node["arg"]),))


_FUNC_CALL = frozenset(
    """funcname args funcformat location agg_order agg_filter over agg_within_group agg_star agg_distinct
    func_variadic""".split()
)


def _function(node: Node) -> Expr:
    if not node.keys() <= _FUNC_CALL:
        claim(node, _FUNC_CALL)
    args = list(_expressions(node.get("args", [])))
    if "agg_filter" in node:
        args.append(expression(node["agg_filter"]))
    args.extend([expression(item["SortBy"]["node"]) for item in node.get("agg_order", ())])
    if "over" in node:
        from dflint.sql.build.queries import mentions

        args += mentions({"WindowDef": node["over"]})
    return Expr("function", name=qualified(node["funcname"]), args=tuple(args))


_VALUE_FUNCTION = frozenset({"op", "type", "typmod", "location", "xpr"})


def _value_function(node: Node) -> Expr:
    claim(node, _VALUE_FUNCTION)
    name = node["op"].removeprefix("SVFOP_").lower()
    return Expr("value_function", name=Name(None, name.removesuffix("_n")))


_TYPE_CAST = frozenset({"arg", "typeName", "location"})


def _cast(node: Node) -> Expr:
    if not node.keys() <= _TYPE_CAST:
        claim(node, _TYPE_CAST)
    return Expr("cast", args=(expression(node["arg"]),), type=type_name(node["typeName"]))


_COLLATE = frozenset({"arg", "collname", "location"})


def _collate(node: Node) -> Expr:
    claim(node, _COLLATE)
    return Expr("collate", name=qualified(node["collname"]), args=(expression(node["arg"]),))


_CASE = frozenset({"arg", "args", "defresult", "location", "casetype", "casecollid", "xpr"})
_WHEN = frozenset({"expr", "result", "location", "xpr"})


def _case(node: Node) -> Expr:
    claim(node, _CASE)
    args: list[Expr] = []
    if "arg" in node:
        args.append(expression(node["arg"]))
    for branch in node["args"]:
        when = branch["CaseWhen"]
        claim(when, _WHEN)
        args += (expression(when["expr"]), expression(when["result"]))
    if "defresult" in node:
        args.append(expression(node["defresult"]))
    return Expr("case", args=tuple(args))


_ARGS = frozenset({"args", "location", "op", "xpr"})


def _coalesce(node: Node) -> Expr:
    claim(node, _ARGS)
    return Expr("coalesce", args=_expressions(node["args"]))


def _min_max(node: Node) -> Expr:
    claim(node, _ARGS)
    return Expr("greatest" if node["op"] == "IS_GREATEST" else "least", args=_expressions(node["args"]))


_ARRAY = frozenset({"elements", "location", "list_start", "list_end"})


def _array(node: Node) -> Expr:
    claim(node, _ARRAY)
    return Expr("array", args=_expressions(node.get("elements", [])))


_ROW = frozenset({"args", "row_format", "location", "colnames", "xpr", "row_typeid"})


def _row(node: Node) -> Expr:
    claim(node, _ROW)
    return Expr("row", args=_expressions(node.get("args", [])))


_INDIRECTION = frozenset({"arg", "indirection"})
_INDICES = frozenset({"is_slice", "lidx", "uidx"})


def _subscript(node: Node) -> Expr:
    claim(node, _INDIRECTION)
    args = [expression(node["arg"])]
    field: list[str] = []
    for step in node["indirection"]:
        kind, content = single(step)
        if kind == "A_Indices":
            claim(content, _INDICES)
            args += [expression(content[side]) for side in ("lidx", "uidx") if side in content]
        elif kind == "String":
            field.append(content.get("sval", ""))
        elif kind == "A_Star":
            field.append("*")
        else:
            raise Unread(f"indirection by {kind}")
    return Expr("subscript", name=Name(None, ".".join(field)) if field else None, args=tuple(args))


_SUB_LINK = frozenset({"subLinkType", "testexpr", "operName", "subselect", "location", "subLinkId", "xpr"})


def _subquery(node: Node) -> Expr:
    from dflint.sql.build.queries import contents

    claim(node, _SUB_LINK)
    found = contents(node["subselect"])
    args = [expression(node["testexpr"])] if "testexpr" in node else []
    args += [Expr("function", name=name) for name in found.functions]
    return Expr("subquery", name=Name(None, node["subLinkType"].lower()), args=tuple(args), reads=found.reads)


def _parameter(node: Node) -> Expr:
    return Expr("parameter", value=str(node.get("number", 0)))


def _set_to_default(_node: Node) -> Expr:
    return _DEFAULT


_NAMED_ARG = frozenset({"arg", "name", "argnumber", "location", "xpr"})


def _named_argument(node: Node) -> Expr:
    claim(node, _NAMED_ARG)
    return expression(node["arg"])


def _other(name: str) -> Callable[[Node], Expr]:
    """Constructs whose inside matters only for the columns, functions and relations it mentions."""

    def build(node: Node) -> Expr:
        from dflint.sql.build.queries import mentions

        return Expr("other", name=Name(None, name), args=mentions({name: node}))

    return build


_BUILDERS: dict[str, Callable[[Node], Expr]] = {
    "A_Const": _constant,
    "ColumnRef": _column,
    "A_Expr": _operator,
    "BoolExpr": _boolean,
    "NullTest": _null_test,
    "BooleanTest": _boolean_test,
    "FuncCall": _function,
    "SQLValueFunction": _value_function,
    "TypeCast": _cast,
    "CollateClause": _collate,
    "CaseExpr": _case,
    "CoalesceExpr": _coalesce,
    "MinMaxExpr": _min_max,
    "A_ArrayExpr": _array,
    "RowExpr": _row,
    "A_Indirection": _subscript,
    "SubLink": _subquery,
    "ParamRef": _parameter,
    "SetToDefault": _set_to_default,
    "NamedArgExpr": _named_argument,
    **{
        name: _other(name)
        for name in (
            "XmlExpr XmlSerialize GroupingFunc MultiAssignRef JsonIsPredicate JsonFuncExpr JsonValueExpr "
            "JsonObjectConstructor JsonArrayConstructor JsonArrayQueryConstructor JsonObjectAgg JsonArrayAgg "
            "JsonParseExpr JsonScalarExpr JsonSerializeExpr MergeSupportFunc CurrentOfExpr"
        ).split()
    },
}
