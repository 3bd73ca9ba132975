"""Conditions of IF in a DO block, as far as a catalog may answer them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dflint.model.guards import Condition, Source
from dflint.model.names import Name
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import Node, Unread, column_name, qualified, single

UNANSWERED: Final = Condition("unknown")

#: Fields of a query that change nothing about whether it gives a row, or are read here.
_PLAIN_SELECT: Final = frozenset(
    {"targetList", "fromClause", "whereClause", "limitOption", "op", "distinctClause", "sortClause", "limitCount"}
)
_KINDS: Final[dict[str, Any]] = {"AND_EXPR": "and", "OR_EXPR": "or", "NOT_EXPR": "not"}


def condition(node: Node) -> Condition:
    """The condition that is a wrapped expression; parts of it that no catalog can answer are ``unknown``."""
    kind, content = single(node)
    if kind == "BoolExpr":
        return Condition(_KINDS[content["boolop"]], tuple([condition(arg) for arg in content["args"]]))
    if kind == "SubLink":
        return _subquery(content)
    if kind == "A_Expr":
        counted = _counted(content)
        if counted is not None:
            return counted
    try:
        return Condition("value", value=expression(_bare(node)))
    except Unread:
        return UNANSWERED


def bind(tree: Any, variables: Mapping[str, str]) -> Any:
    """The tree with PL/pgSQL variables of known value in the place of the columns that they look like."""
    if isinstance(tree, dict):
        column = tree.get("ColumnRef")
        if column is not None and len(tree) == 1:
            name = column_name(column)
            value = variables.get(str(name))
            return tree if value is None else {"A_Const": {"sval": {"sval": value}}}
        return {key: bind(value, variables) for key, value in tree.items()}
    return [bind(item, variables) for item in tree] if isinstance(tree, list) else tree


def _subquery(link: Node) -> Condition:
    select = link["subselect"].get("SelectStmt", {})
    if link["subLinkType"] == "EXISTS_SUBLINK":
        return _exists(select)
    selected = _selected(link)
    return UNANSWERED if selected is None else condition(selected)


def _selected(link: Node) -> Node | None:
    """The wrapped expression that a scalar subquery without FROM gives."""
    select = link["subselect"].get("SelectStmt", {})
    if link["subLinkType"] != "EXPR_SUBLINK" or not select.keys() <= {"targetList", "limitOption", "op"}:
        return None
    (target,) = select["targetList"]
    found: Node = target["ResTarget"]["val"]
    return found


def _bare(tree: Any) -> Any:
    """The tree without the SELECT of scalar subqueries that have no FROM."""
    if isinstance(tree, dict):
        selected = _selected(tree["SubLink"]) if len(tree) == 1 and "SubLink" in tree else None
        return _bare(selected) if selected is not None else {key: _bare(value) for key, value in tree.items()}
    return [_bare(item) for item in tree] if isinstance(tree, list) else tree


#: Operator and number of ``(SELECT count(*) …) > 0`` and its kin -> whether there is a row.
_COUNTS: Final = {
    (">", 0): True,
    (">=", 1): True,
    ("<>", 0): True,
    ("=", 0): False,
    ("<", 1): False,
}


def _counted(node: Node) -> Condition | None:
    """The condition that is a count compared with a number that only tells some from none."""
    if node["kind"] != "AEXPR_OP" or "SubLink" not in node.get("lexpr", ()) or "A_Const" not in node.get("rexpr", ()):
        return None
    number = node["rexpr"]["A_Const"].get("ival")
    some = None if number is None else _COUNTS.get((qualified(node["name"]).name, number.get("ival", 0)))
    select = node["lexpr"]["SubLink"]["subselect"].get("SelectStmt", {})
    targets = select.get("targetList", ())
    if some is None or len(targets) != 1:
        return None
    call = targets[0]["ResTarget"]["val"].get("FuncCall", {})
    if "agg_star" not in call or qualified(call["funcname"]).name != "count" or "agg_filter" in call or "over" in call:
        return None
    # A count is one row, whatever it counts.
    asked = _exists({**select, "targetList": [{"ResTarget": {"val": {"A_Const": {"ival": {"ival": 1}}}}}]})
    return asked if some else Condition("not", (asked,))


def _exists(select: Node) -> Condition:
    if not select.keys() <= _PLAIN_SELECT or select.get("op") != "SETOP_NONE" or _may_be_cut(select):
        return UNANSWERED
    try:
        sources: list[Source] = []
        parts = [part for item in select.get("fromClause", ()) for part in _joined(item, sources)]
        parts += _conjuncts(select.get("whereClause"))
    except Unread:
        return UNANSWERED
    return Condition("exists", tuple(parts), tuple(sources))


def _may_be_cut(select: Node) -> bool:
    """Whether a LIMIT may leave no row, or an aggregate makes one of none."""
    limit = select.get("limitCount")
    if limit is not None and limit.get("A_Const", {}).get("ival", {}).get("ival", 0) < 1:
        return True
    return any("FuncCall" in target["ResTarget"]["val"] for target in select.get("targetList", ()))


def _joined(item: Node, sources: list[Source]) -> Iterator[Condition]:
    """The conditions of an item of FROM; its relations go to ``sources``.

    Raises:
        Unread: it is no relation or inner join of relations.
    """
    kind, content = single(item)
    if kind == "RangeVar":
        alias = content.get("alias", {})
        if "colnames" in alias:
            raise Unread("column aliases")
        name = Name(content.get("schemaname"), content["relname"])
        sources.append(Source(name, alias.get("aliasname", name.name)))
    elif kind == "JoinExpr" and content["jointype"] == "JOIN_INNER" and not content.keys() & {"usingClause", "alias"}:
        if "isNatural" in content:
            raise Unread("NATURAL")
        yield from _joined(content["larg"], sources)
        yield from _joined(content["rarg"], sources)
        yield from _conjuncts(content.get("quals"))
    else:
        raise Unread(kind)


def _conjuncts(node: Node | None) -> list[Condition]:
    if node is None:
        return []
    asked = condition(node)
    return list(asked.parts) if asked.kind == "and" else [asked]


def array_elements(node: Node) -> list[Node] | None:
    """The wrapped elements of a wrapped ARRAY[…], with a cast or without; None for any other expression."""
    kind, content = single(node)
    if kind == "TypeCast":
        return array_elements(content["arg"])
    if kind != "A_ArrayExpr":
        return None
    elements: list[Node] = content.get("elements", [])
    return elements
