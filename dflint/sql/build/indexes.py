"""CREATE INDEX, and the maintenance commands REINDEX, CLUSTER, VACUUM, ANALYZE and CHECKPOINT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.indexes import Analyze, Checkpoint, Cluster, CreateIndex, Reindex, Vacuum
from dflint.sql.build.constraints import index_elements
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import Node, Unread, claim, options, relation, strings
from dflint.sql.libpg_query import LibPgQuery

INDEX_STMT: Final = frozenset(
    """idxname relation accessMethod tableSpace indexParams indexIncludingParams options whereClause unique
    nulls_not_distinct concurrent if_not_exists""".split()
)


def create_index(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE INDEX."""
    if not node.keys() <= INDEX_STMT:
        claim(node, INDEX_STMT)
    written = node["relation"]
    values: dict[str, Any] = {}
    # Relation, method and elements are always there.
    if len(node) > 3 + ("idxname" in node):
        _add_rarities(node, values)
    return (
        CreateIndex(
            target=relation(written),
            name=node.get("idxname"),
            unique="unique" in node,
            concurrently="concurrent" in node,
            if_not_exists="if_not_exists" in node,
            only="inh" not in written,
            method=node["accessMethod"],
            elements=index_elements(node["indexParams"]),
            **values,
        ),
    )


def _add_rarities(node: Node, values: dict[str, Any]) -> None:
    if "indexIncludingParams" in node:
        values["include"] = tuple([_included(item["IndexElem"]) for item in node["indexIncludingParams"]])
    if "whereClause" in node:
        values["where"] = expression(node["whereClause"])
    if "nulls_not_distinct" in node:
        values["nulls_not_distinct"] = True
    if "options" in node:
        values["options"] = options(node["options"])
    if "tableSpace" in node:
        values["tablespace"] = node["tableSpace"]


_INCLUDED: Final = frozenset({"name", "ordering", "nulls_ordering"})


def _included(node: Node) -> str:
    # PostgreSQL refuses expressions, operator classes and orders in INCLUDE.
    claim(node, _INCLUDED)
    if node["ordering"] != "SORTBY_DEFAULT" or node["nulls_ordering"] != "SORTBY_NULLS_DEFAULT":
        raise Unread("INCLUDE with an order")
    return str(node["name"])


REINDEX_STMT: Final = frozenset({"kind", "relation", "name", "params"})
_SCOPES: Final[dict[str, Literal["index", "table", "schema", "database", "system"]]] = {
    "REINDEX_OBJECT_INDEX": "index",
    "REINDEX_OBJECT_TABLE": "table",
    "REINDEX_OBJECT_SCHEMA": "schema",
    "REINDEX_OBJECT_DATABASE": "database",
    "REINDEX_OBJECT_SYSTEM": "system",
}


def reindex(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """REINDEX. The name of a database is left out: it can only be the current one."""
    claim(node, REINDEX_STMT)
    scope = _SCOPES.get(node["kind"])
    if scope is None:
        raise Unread(node["kind"])
    concurrently, tablespace = False, None
    for name, value in options(node.get("params", ())):
        if name == "concurrently":
            concurrently = _is_on(value)
        elif name == "tablespace":
            tablespace = value
        elif name != "verbose":
            raise Unread(f"REINDEX option {name}")
    return (
        Reindex(
            target=relation(node["relation"]) if "relation" in node else None,
            scope=scope,
            concurrently=concurrently,
            schema=node.get("name") if scope == "schema" else None,
            tablespace=tablespace,
        ),
    )


def _is_on(value: str | None) -> bool:
    """PostgreSQL's reading of a Boolean option; leaving the value out means yes."""
    if value is None:
        return True
    value = value.lower()
    if value in ("true", "on", "1"):
        return True
    if value in ("false", "off", "0"):
        return False
    raise Unread(f"Boolean option with the value {value}")


CLUSTER_STMT: Final = frozenset({"relation", "indexname", "params"})


def cluster(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CLUSTER."""
    claim(node, CLUSTER_STMT)
    for name, _ in options(node.get("params", ())):
        if name != "verbose":
            raise Unread(f"CLUSTER option {name}")
    return (Cluster(target=relation(node["relation"]) if "relation" in node else None, index=node.get("indexname")),)


VACUUM_STMT: Final = frozenset({"options", "rels", "is_vacuumcmd"})
VACUUM_RELATION: Final = frozenset({"relation", "va_cols"})


def vacuum(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """VACUUM and ANALYZE: one operation for each table named, one without target when none is."""
    claim(node, VACUUM_STMT)
    values: dict[str, Any] = {}
    rest: list[tuple[str, str | None]] = []
    is_vacuum = "is_vacuumcmd" in node
    for name, value in options(node.get("options", ())):
        if is_vacuum and name in ("full", "analyze", "freeze"):
            values[name] = _is_on(value)
        else:
            rest.append((name, value))
    values["options"] = tuple(rest)
    operation: type[Vacuum | Analyze] = Vacuum if is_vacuum else Analyze
    relations = node.get("rels")
    if not relations:
        return (operation(**values),)
    operations: list[Operation] = []
    for clause, wrapped in enumerate(relations):
        target, columns, only = _vacuumed(wrapped["VacuumRelation"])
        operations.append(
            operation(target=target, columns=columns, only=only, clause=clause if len(relations) > 1 else -1, **values)
        )
    return operations


def _vacuumed(node: Node) -> tuple[Name, tuple[str, ...], bool]:
    claim(node, VACUUM_RELATION)
    written = node["relation"]
    return relation(written), tuple(strings(node.get("va_cols", ()))), "inh" not in written


CHECKPOINT_STMT: Final[frozenset[str]] = frozenset()


def checkpoint(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CHECKPOINT."""
    claim(node, CHECKPOINT_STMT)
    return (Checkpoint(),)
