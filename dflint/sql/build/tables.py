"""CREATE TABLE in all its forms, SELECT INTO, and CREATE MATERIALIZED VIEW."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dflint.model.operations.base import Operation
from dflint.model.operations.objects import CreateMaterializedView
from dflint.model.operations.tables import CreateTable, CreateTableAs, Persistence
from dflint.model.schema import Column, Constraint, Like, Query
from dflint.sql.build.columns import column
from dflint.sql.build.constraints import constraint
from dflint.sql.build.nodes import Node, Unread, claim, options, qualified, relation, single, strings
from dflint.sql.build.partitions import partition_bound, partition_key
from dflint.sql.libpg_query import LibPgQuery

CREATE_STMT: Final = frozenset(
    """relation tableElts inhRelations partbound partspec ofTypename options oncommit tablespacename accessMethod
    if_not_exists""".split()
)
CREATE_FOREIGN_TABLE_STMT: Final = frozenset({"base", "servername", "options"})
TABLE_LIKE_CLAUSE: Final = frozenset({"relation", "options"})
CREATE_TABLE_AS_STMT: Final = frozenset({"query", "into", "objtype", "if_not_exists"})
INTO_CLAUSE: Final = frozenset("rel colNames accessMethod options onCommit tableSpaceName skipData".split())

_PERSISTENCE: Final[dict[str, Persistence]] = {"p": "permanent", "t": "temporary", "u": "unlogged"}
_ON_COMMIT: Final = {
    "ONCOMMIT_NOOP": "",
    "ONCOMMIT_PRESERVE_ROWS": "",
    "ONCOMMIT_DELETE_ROWS": "delete",
    "ONCOMMIT_DROP": "drop",
}
#: PostgreSQL's bit mask for LIKE … INCLUDING, lowest bit first.
_LIKE: Final = "comments compression constraints defaults generated identity indexes statistics storage".split()
_LIKE_ALL: Final = 0x7FFFFFFF


def create_table(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE TABLE."""
    return (CreateTable(**_table(node)),)


def create_foreign_table(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE FOREIGN TABLE; its OPTIONS are kept as the table's options."""
    claim(node, CREATE_FOREIGN_TABLE_STMT)
    values = _table(node["base"])
    if "options" in node:
        values["options"] = values.get("options", ()) + options(node["options"])
    return (CreateTable(server=node["servername"], **values),)


def _table(node: Node) -> dict[str, Any]:
    """The fields of a `CreateTable` from an unwrapped ``CreateStmt``, those with their default value left out."""
    if not node.keys() <= CREATE_STMT:
        claim(node, CREATE_STMT)
    written = node["relation"]
    values: dict[str, Any] = {"target": relation(written)}
    if written["relpersistence"] != "p" or written.get("schemaname") == "pg_temp":
        values["persistence"] = _persistence(written)
    if node["oncommit"] != "ONCOMMIT_NOOP":
        values["on_commit"] = _on_commit(node["oncommit"])
    if "tableElts" in node:
        _add_elements(node["tableElts"], values)
    # Most tables have nothing but a name and elements.
    if len(node) > 2 + ("tableElts" in node):
        _add_properties(node, values)
    return values


def _add_elements(nodes: Sequence[Node], values: dict[str, Any]) -> None:
    columns: list[Column] = []
    constraints: list[Constraint] = []
    likes: list[Like] = []
    for wrapped in nodes:
        if "ColumnDef" in wrapped:
            columns.append(column(wrapped["ColumnDef"]))
        elif "Constraint" in wrapped:
            constraints.append(constraint(wrapped["Constraint"]))
        elif "TableLikeClause" in wrapped:
            likes.append(_like(wrapped["TableLikeClause"], len(columns)))
        else:
            raise Unread(f"table element {single(wrapped)[0]}")
    values["columns"] = tuple(columns)
    values["constraints"] = tuple(constraints)
    values["likes"] = tuple(likes)


def _add_properties(node: Node, values: dict[str, Any]) -> None:
    if "if_not_exists" in node:
        values["if_not_exists"] = True
    parents = tuple([relation(parent["RangeVar"]) for parent in node.get("inhRelations", ())])
    if "partbound" in node:
        (values["partition_of"],) = parents
        values["bound"] = partition_bound(node["partbound"])
    else:
        values["inherits"] = parents
    if "partspec" in node:
        values["partition_by"] = partition_key(node["partspec"])
    if "ofTypename" in node:
        values["of_type"] = qualified(node["ofTypename"]["names"])
    if "options" in node:
        values["options"] = options(node["options"])
    if "tablespacename" in node:
        values["tablespace"] = node["tablespacename"]
    if "accessMethod" in node:
        values["method"] = node["accessMethod"]


def _persistence(relation_node: Node) -> Persistence:
    # CREATE TABLE pg_temp.t makes a temporary table without the word.
    if relation_node.get("schemaname") == "pg_temp":
        return "temporary"
    found = _PERSISTENCE.get(relation_node["relpersistence"])
    if found is None:
        raise Unread(f"persistence {relation_node['relpersistence']}")
    return found


def _on_commit(action: str) -> str:
    found = _ON_COMMIT.get(action)
    if found is None:
        raise Unread(action)
    return found


def _like(node: Node, position: int) -> Like:
    claim(node, TABLE_LIKE_CLAUSE)
    bits = node.get("options", 0)
    # INCLUDING ALL sets every bit there can be, and EXCLUDING then takes single ones away.
    if bits > _LIKE_ALL or (bits >> len(_LIKE)) not in (0, _LIKE_ALL >> len(_LIKE)):
        raise Unread("LIKE with an unknown option")
    including = frozenset(name for bit, name in enumerate(_LIKE) if bits >> bit & 1)
    return Like(relation(node["relation"]), including, position)


def create_table_as(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CREATE TABLE AS and CREATE MATERIALIZED VIEW."""
    claim(node, CREATE_TABLE_AS_STMT)
    query = _query(node["query"])
    values = _into(node["into"])
    if "if_not_exists" in node:
        values["if_not_exists"] = True
    if node["objtype"] == "OBJECT_TABLE":
        return (CreateTableAs(query=query, **values),)
    if node["objtype"] != "OBJECT_MATVIEW":
        raise Unread(node["objtype"])
    if values.pop("persistence") != "permanent" or values.pop("on_commit"):
        raise Unread("materialized view that is not permanent")
    return (CreateMaterializedView(query=query, **values),)


def _query(node: Node) -> Query:
    if "ExecuteStmt" in node:
        # What a prepared statement reads was said by its PREPARE; its columns are not known.
        return Query(columns=((("*", None)),))
    from dflint.sql.build.queries import query

    return query(node)


def select_into(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """SELECT … INTO: ``node`` is an unwrapped ``SelectStmt`` for which `into_clause` is not None."""
    from dflint.sql.build.queries import query

    into = into_clause(node)
    if into is None:
        raise Unread("SELECT without INTO")
    return (CreateTableAs(query=query({"SelectStmt": node}), **_into(into)),)


def into_clause(node: Node) -> Node | None:
    """The INTO clause of an unwrapped ``SelectStmt``; in a UNION the first SELECT has it."""
    while "larg" in node:
        node = node["larg"]
    return node.get("intoClause")


def _into(node: Node) -> dict[str, Any]:
    claim(node, INTO_CLAUSE)
    written = node["rel"]
    values: dict[str, Any] = {
        "target": relation(written),
        "persistence": _persistence(written),
        "on_commit": _on_commit(node["onCommit"]),
        "with_data": "skipData" not in node,
    }
    if "colNames" in node:
        values["column_names"] = tuple(strings(node["colNames"]))
    if "options" in node:
        values["options"] = options(node["options"])
    if "tableSpaceName" in node:
        values["tablespace"] = node["tableSpaceName"]
    if "accessMethod" in node:
        values["method"] = node["accessMethod"]
    return values
