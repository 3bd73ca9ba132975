"""Constraints, and the elements of indexes that exclusion constraints share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dflint.model.schema import Action, Constraint, IndexElement
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import Node, Unread, claim, options, qualified, relation, strings

_SHARED = "contype conname location deferrable initdeferred"
_INDEXED = "options indexname indexspace including keys"
CHECK: Final = frozenset(f"{_SHARED} is_enforced initially_valid skip_validation is_no_inherit raw_expr".split())
NOT_NULL: Final = frozenset(f"{_SHARED} is_enforced initially_valid skip_validation is_no_inherit keys".split())
PRIMARY_KEY: Final = frozenset(f"{_SHARED} {_INDEXED} without_overlaps".split())
UNIQUE: Final = PRIMARY_KEY | {"nulls_not_distinct"}
EXCLUSION: Final = frozenset(f"{_SHARED} exclusions access_method where_clause options indexspace including".split())
FOREIGN_KEY: Final = frozenset(
    f"""{_SHARED} is_enforced initially_valid skip_validation pktable fk_attrs pk_attrs fk_with_period pk_with_period
    fk_matchtype fk_upd_action fk_del_action fk_del_set_cols""".split()
)

_ACTIONS: Final[dict[str, Action]] = {
    "a": "no_action",
    "r": "restrict",
    "c": "cascade",
    "n": "set_null",
    "d": "set_default",
}
_MATCHES: Final = {"s": "simple", "f": "full", "p": "partial"}


def constraint(node: Node, column: str | None = None) -> Constraint:
    """The constraint of an unwrapped ``Constraint``.

    Args:
        node: any kind but NULL, DEFAULT, GENERATED, IDENTITY and the attributes that follow an inline constraint.
        column: the column that an inline constraint belongs to.

    Raises:
        Unread: it is of another kind, or holds something unknown.
    """
    build = _BUILDERS.get(node["contype"])
    if build is None:
        raise Unread(f"constraint {node['contype']}")
    values: dict[str, Any] = {"at": node.get("location", 0)}
    if "conname" in node:
        values["name"] = node["conname"]
    if "deferrable" in node:
        values["deferrable"] = True
    if "initdeferred" in node:
        values["initially_deferred"] = True
    if "skip_validation" in node:
        values["validated"] = False
    return build(node, column, values)


def _check(node: Node, _column: str | None, values: dict[str, Any]) -> Constraint:
    claim(node, CHECK)
    if "is_enforced" not in node:
        values["enforced"] = False
    if "is_no_inherit" in node:
        values["no_inherit"] = True
    return Constraint("check", expression=expression(node["raw_expr"]), **values)


def _not_null(node: Node, column: str | None, values: dict[str, Any]) -> Constraint:
    claim(node, NOT_NULL)
    if "is_no_inherit" in node:
        values["no_inherit"] = True
    keys = node.get("keys")
    if keys:
        values["columns"] = tuple(strings(keys))
    elif column is not None:
        values["columns"] = (column,)
    return Constraint("not_null", **values)


def _primary_key(node: Node, column: str | None, values: dict[str, Any]) -> Constraint:
    claim(node, PRIMARY_KEY)
    _add_index(node, column, values)
    return Constraint("primary_key", **values)


def _unique(node: Node, column: str | None, values: dict[str, Any]) -> Constraint:
    claim(node, UNIQUE)
    _add_index(node, column, values)
    if "nulls_not_distinct" in node:
        values["nulls_not_distinct"] = True
    return Constraint("unique", **values)


def _add_index(node: Node, column: str | None, values: dict[str, Any]) -> None:
    """What a key says of its index."""
    if "keys" in node:
        values["columns"] = tuple(strings(node["keys"]))
    elif column is not None:
        values["columns"] = (column,)
    if "indexname" in node:
        values["using_index"] = node["indexname"]
    if "including" in node:
        values["include"] = tuple(strings(node["including"]))
    if "options" in node:
        values["options"] = options(node["options"])
    if "indexspace" in node:
        values["tablespace"] = node["indexspace"]
    if "without_overlaps" in node:
        values["without_overlaps"] = True


def _exclusion(node: Node, _column: str | None, values: dict[str, Any]) -> Constraint:
    claim(node, EXCLUSION)
    elements: list[IndexElement] = []
    for pair in node["exclusions"]:
        element, operator = pair["List"]["items"]
        elements.append(index_element(element["IndexElem"], ".".join(strings(operator["List"]["items"]))))
    if "where_clause" in node:
        values["where"] = expression(node["where_clause"])
    _add_index(node, None, values)
    return Constraint("exclusion", elements=tuple(elements), method=node.get("access_method"), **values)


def _foreign_key(node: Node, column: str | None, values: dict[str, Any]) -> Constraint:
    if not node.keys() <= FOREIGN_KEY:
        claim(node, FOREIGN_KEY)
    if "is_enforced" not in node:
        values["enforced"] = False
    keys = node.get("fk_attrs")
    if keys:
        values["columns"] = tuple(strings(keys))
    elif column is not None:
        values["columns"] = (column,)
    if "pk_attrs" in node:
        values["referenced_columns"] = tuple(strings(node["pk_attrs"]))
    if "fk_del_set_cols" in node:
        values["set_columns"] = tuple(strings(node["fk_del_set_cols"]))
    # PostgreSQL refuses a key where only one side says PERIOD.
    if "fk_with_period" in node or "pk_with_period" in node:
        values["without_overlaps"] = True
    return Constraint(
        "foreign_key",
        references=relation(node["pktable"]),
        match=_MATCHES[node["fk_matchtype"]],  # type: ignore[arg-type]  # the values are those of the Literal
        on_delete=_ACTIONS[node["fk_del_action"]],
        on_update=_ACTIONS[node["fk_upd_action"]],
        **values,
    )


_BUILDERS: Final[dict[str, Callable[[Node, str | None, dict[str, Any]], Constraint]]] = {
    "CONSTR_CHECK": _check,
    "CONSTR_NOTNULL": _not_null,
    "CONSTR_PRIMARY": _primary_key,
    "CONSTR_UNIQUE": _unique,
    "CONSTR_EXCLUSION": _exclusion,
    "CONSTR_FOREIGN": _foreign_key,
}


INDEX_ELEM: Final = frozenset("name expr collation opclass opclassopts ordering nulls_ordering".split())
_DESCENDING: Final = {"SORTBY_DEFAULT": False, "SORTBY_ASC": False, "SORTBY_DESC": True}
_NULLS_FIRST: Final = {"SORTBY_NULLS_DEFAULT": None, "SORTBY_NULLS_FIRST": True, "SORTBY_NULLS_LAST": False}


def index_element(node: Node, operator: str | None = None) -> IndexElement:
    """The element of an unwrapped ``IndexElem``; ``operator`` is that of an exclusion constraint."""
    if not node.keys() <= INDEX_ELEM:
        claim(node, INDEX_ELEM)
    order, nulls = node["ordering"], node["nulls_ordering"]
    if len(node) == 3 and "name" in node and order == "SORTBY_DEFAULT" and nulls == "SORTBY_NULLS_DEFAULT":
        return IndexElement(node["name"], operator=operator)
    if order not in _DESCENDING or nulls not in _NULLS_FIRST:
        raise Unread(f"order of an index element: {order}, {nulls}")
    return IndexElement(
        node.get("name"),
        expression(node["expr"]) if "expr" in node else None,
        qualified(node["collation"]) if "collation" in node else None,
        qualified(node["opclass"]) if "opclass" in node else None,
        options(node["opclassopts"]) if "opclassopts" in node else (),
        _DESCENDING[order],
        _NULLS_FIRST[nulls],
        operator,
    )


def index_elements(nodes: Sequence[Node]) -> tuple[IndexElement, ...]:
    """The elements of wrapped ``IndexElem`` nodes."""
    return tuple([index_element(node["IndexElem"]) for node in nodes])
