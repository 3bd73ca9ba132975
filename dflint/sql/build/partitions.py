"""Partition keys and partition bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dflint.model.expressions import Expr
from dflint.model.schema import IndexElement, PartitionBound, PartitionKey
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import Node, Unread, claim, qualified

PARTITION_SPEC: Final = frozenset({"strategy", "partParams", "location"})
PARTITION_ELEM: Final = frozenset({"name", "expr", "collation", "opclass", "location"})
PARTITION_BOUND_SPEC: Final = frozenset(
    "strategy is_default modulus remainder listdatums lowerdatums upperdatums location".split()
)
_INFINITE: Final = (["minvalue"], ["maxvalue"])


def partition_key(node: Node) -> PartitionKey:
    """The key of an unwrapped ``PartitionSpec``."""
    claim(node, PARTITION_SPEC)
    elements = tuple([_element(item["PartitionElem"]) for item in node["partParams"]])
    strategy = node["strategy"]
    if strategy == "PARTITION_STRATEGY_RANGE":
        return PartitionKey("range", elements)
    if strategy == "PARTITION_STRATEGY_LIST":
        return PartitionKey("list", elements)
    if strategy == "PARTITION_STRATEGY_HASH":
        return PartitionKey("hash", elements)
    raise Unread(strategy)


def _element(node: Node) -> IndexElement:
    claim(node, PARTITION_ELEM)
    return IndexElement(
        node.get("name"),
        expression(node["expr"]) if "expr" in node else None,
        qualified(node["collation"]) if "collation" in node else None,
        qualified(node["opclass"]) if "opclass" in node else None,
    )


def partition_bound(node: Node) -> PartitionBound:
    """The bound of an unwrapped ``PartitionBoundSpec``."""
    claim(node, PARTITION_BOUND_SPEC)
    if "is_default" in node:
        return PartitionBound("default")
    strategy = node["strategy"]
    if strategy == "r":
        return PartitionBound("range", lower=_ends(node["lowerdatums"]), upper=_ends(node["upperdatums"]))
    if strategy == "l":
        return PartitionBound("list", values=tuple([expression(value) for value in node["listdatums"]]))
    if strategy == "h":
        return PartitionBound("hash", modulus=node.get("modulus", 0), remainder=node.get("remainder", 0))
    raise Unread(f"partition strategy {strategy}")


def _ends(nodes: Sequence[Node]) -> tuple[Expr | None, ...]:
    # MINVALUE and MAXVALUE look like columns here; no real column may stand in a bound.
    return tuple([None if _is_infinite(node) else expression(node) for node in nodes])


def _is_infinite(node: Node) -> bool:
    reference = node.get("ColumnRef")
    if reference is None:
        return False
    return [field.get("String", {}).get("sval") for field in reference["fields"]] in _INFINITE
