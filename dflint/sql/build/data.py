"""Statements that read or write rows, explicit locks, and what prepares or wraps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from dflint.model.locks import MODES
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.data import Copy, Delete, Insert, LockTable, Merge, Select, Truncate, Update
from dflint.model.operations.session import SessionCommand, SetVariable
from dflint.model.schema import Query
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import Node, Unread, claim, const_value, relation, single, string, strings
from dflint.sql.build.queries import contents, query, reads
from dflint.sql.build.statements import build
from dflint.sql.build.tables import into_clause, select_into
from dflint.sql.libpg_query import LibPgQuery

_NO_QUERY = Query()


def _written_by_with(node: Node, library: LibPgQuery) -> list[Operation]:
    """The data-modifying queries of a WITH clause, as operations of their own."""
    clause = node.get("withClause")
    if clause is None:
        return []
    found: list[Operation] = []
    for wrapped in clause["ctes"]:
        inner = wrapped["CommonTableExpr"]["ctequery"]
        if "SelectStmt" in inner:
            found += _written_by_with(inner["SelectStmt"], library)
        else:
            found += build(inner, library)
    return found


# --- SELECT -----------------------------------------------------------------------------------------------------------


def select(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """SELECT, VALUES and TABLE; set_config() with constant arguments sets a variable."""
    if into_clause(node) is not None:
        return [*_written_by_with(node, library), *select_into(node, library)]
    before = _written_by_with(node, library)
    settings = _set_configs(node)
    if settings and len(settings) == len(node.get("targetList", ())) and "fromClause" not in node:
        return [*before, *settings]
    return [*before, *settings, Select(query=query({"SelectStmt": node}))]


def _set_configs(node: Node) -> list[Operation]:
    found: list[Operation] = []
    for wrapped in node.get("targetList", ()):
        call = wrapped.get("ResTarget", {}).get("val", {}).get("FuncCall")
        if call is not None and strings(call["funcname"])[-1] == "set_config":
            found.append(_set_config(call))
    return found


def _set_config(call: Node) -> Operation:
    args = call.get("args", [])
    values = [const_value(arg["A_Const"]) if "A_Const" in arg else None for arg in args]
    name, value, local = values if len(values) == 3 else (None, None, None)
    known = name is not None and value is not None and local is not None
    return SetVariable(
        name=(name or "").lower(),
        values=(value,) if value is not None else None,
        local=local == "true",
        function=True,
        known=known,
    )


# --- INSERT, UPDATE, DELETE, MERGE ------------------------------------------------------------------------------------

_INSERT = frozenset(
    "relation cols selectStmt onConflictClause returningClause returningList withClause override".split()
)
_ON_CONFLICT: dict[str, Literal["nothing", "update"]] = {
    "ONCONFLICT_NOTHING": "nothing",
    "ONCONFLICT_UPDATE": "update",
}


def insert(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """INSERT. The rows of VALUES are counted, not looked at."""
    if not node.keys() <= _INSERT:
        claim(node, _INSERT)
    source: Literal["values", "query", "default"] = "default"
    rows = 0
    found: Query | None = None
    given = node.get("selectStmt")
    if given is not None:
        body = given["SelectStmt"]
        if "valuesLists" in body and "withClause" not in body:
            source, rows = "values", len(body["valuesLists"])
        else:
            source, found = "query", query(given)
    conflict = node.get("onConflictClause")
    operation = Insert(
        target=relation(node["relation"]),
        columns=tuple([column["ResTarget"]["name"] for column in node.get("cols", ())]),
        source=source,
        rows=rows,
        query=found,
        on_conflict=_ON_CONFLICT[conflict["action"]] if conflict is not None else "",
    )
    if "withClause" not in node and (given is None or "withClause" not in given["SelectStmt"]):
        return (operation,)
    inner = _written_by_with(given["SelectStmt"], library) if given is not None else []
    return [*_written_by_with(node, library), *inner, operation]


_UPDATE = frozenset("relation targetList whereClause fromClause returningClause returningList withClause".split())


def update(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """UPDATE."""
    claim(node, _UPDATE)
    where = node.get("whereClause")
    current = where is not None and "CurrentOfExpr" in where
    return [
        *_written_by_with(node, library),
        Update(
            target=relation(node["relation"]),
            assigned=tuple([target["ResTarget"]["name"] for target in node["targetList"]]),
            where=None if where is None or current else expression(where),
            reads=reads({"UpdateStmt": node}),
            alias=_alias(node["relation"]),
            current_of=current,
        ),
    ]


_DELETE = frozenset("relation usingClause whereClause returningClause returningList withClause".split())


def delete(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """DELETE."""
    claim(node, _DELETE)
    where = node.get("whereClause")
    current = where is not None and "CurrentOfExpr" in where
    return [
        *_written_by_with(node, library),
        Delete(
            target=relation(node["relation"]),
            where=None if where is None or current else expression(where),
            reads=reads({"DeleteStmt": node}),
            alias=_alias(node["relation"]),
            current_of=current,
        ),
    ]


def _alias(node: Node) -> str | None:
    alias = node.get("alias")
    return None if alias is None else str(alias["aliasname"])


_MERGE = frozenset(
    "relation sourceRelation joinCondition mergeWhenClauses returningClause returningList withClause".split()
)
_MERGE_ACTIONS = {"CMD_INSERT": "insert", "CMD_UPDATE": "update", "CMD_DELETE": "delete", "CMD_NOTHING": "nothing"}


def merge(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """MERGE."""
    claim(node, _MERGE)
    actions = [_MERGE_ACTIONS[when["MergeWhenClause"]["commandType"]] for when in node["mergeWhenClauses"]]
    return [
        *_written_by_with(node, library),
        Merge(
            target=relation(node["relation"]),
            actions=tuple(dict.fromkeys(actions)),
            reads=reads({"MergeStmt": node}),
        ),
    ]


# --- TRUNCATE, COPY, LOCK ---------------------------------------------------------------------------------------------

_TRUNCATE = frozenset("relations restart_seqs behavior".split())


def truncate(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """TRUNCATE."""
    claim(node, _TRUNCATE)
    cascade = node.get("behavior") == "DROP_CASCADE"
    return [
        Truncate(
            target=relation(wrapped["RangeVar"]),
            cascade=cascade,
            restart_identity=node.get("restart_seqs", False),
            only="inh" not in wrapped["RangeVar"],
            clause=clause,
        )
        for clause, wrapped in enumerate(node["relations"])
    ]


_COPY = frozenset("relation query attlist is_from is_program filename options whereClause".split())


def copy(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """COPY."""
    claim(node, _COPY)
    direction: Literal["from", "to"] = "from" if node.get("is_from") else "to"
    where: Literal["stdin", "stdout", "file", "program"]
    if node.get("is_program"):
        where = "program"
    elif "filename" in node:
        where = "file"
    else:
        where = "stdin" if direction == "from" else "stdout"
    given = node.get("query")
    before: Sequence[Operation] = ()
    found: Query | None = None
    if given is not None:
        kind, inner = single(given)
        found = contents(given)
        before = _written_by_with(inner, library) if kind == "SelectStmt" else build(given, library)
    target: Name | None = relation(node["relation"]) if "relation" in node else None
    columns = tuple(strings(node.get("attlist", ())))
    return [*before, Copy(target=target, direction=direction, where=where, columns=columns, query=found)]


_LOCK = frozenset("relations mode nowait".split())


def lock_table(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """LOCK TABLE. Modes are numbered as in PostgreSQL's lockdefs.h, from 1 for ACCESS SHARE."""
    claim(node, _LOCK)
    mode = MODES[node["mode"] - 1]
    return [
        LockTable(
            target=relation(wrapped["RangeVar"]),
            mode=mode,
            nowait=node.get("nowait", False),
            only="inh" not in wrapped["RangeVar"],
            clause=clause,
        )
        for clause, wrapped in enumerate(node["relations"])
    ]


# --- EXPLAIN, PREPARE, EXECUTE, DECLARE -------------------------------------------------------------------------------

_EXPLAIN = frozenset("query options".split())


def explain(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """EXPLAIN; with ANALYZE the statement runs."""
    claim(node, _EXPLAIN)
    for wrapped in node.get("options", ()):
        option = wrapped["DefElem"]
        if option["defname"] == "analyze" and ("arg" not in option or _is_true(option["arg"])):
            return build(node["query"], library)
    return (SessionCommand(command="explain"),)


def _is_true(arg: Node) -> bool:
    kind, content = single(arg)
    if kind == "String":
        return string(arg).lower() in ("true", "on", "1", "yes")
    if kind == "Integer":
        return bool(content.get("ival", 0))
    if kind == "Boolean":
        return bool(content.get("boolval", False))
    raise Unread(f"option of type {kind}")


_PREPARE = frozenset("name argtypes query".split())


def prepare(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """PREPARE: nothing runs yet."""
    claim(node, _PREPARE)
    return (SessionCommand(command="prepare", name=node["name"]),)


_EXECUTE = frozenset("name params".split())


def execute(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """EXECUTE of a prepared statement."""
    claim(node, _EXECUTE)
    return (SessionCommand(command="execute", name=node["name"]),)


_DECLARE = frozenset("portalname options query".split())


def declare_cursor(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """DECLARE CURSOR."""
    claim(node, _DECLARE)
    return (SessionCommand(command="declare_cursor", name=node["portalname"]),)
