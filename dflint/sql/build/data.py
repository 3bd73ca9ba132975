"""Statements that read or write rows, explicit locks, and what prepares or wraps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from dflint.model.locks import MODES
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.data import (
    Copy,
    Delete,
    DynamicSql,
    Insert,
    Invocation,
    LockTable,
    Merge,
    Select,
    Truncate,
    Update,
)
from dflint.model.operations.session import SessionCommand, SetVariable
from dflint.model.schema import Query
from dflint.sql.build.constant_strings import constant_string
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import Node, Unread, claim, const_value, qualified, relation, single, string, strings
from dflint.sql.build.object_names import DEF_ELEM
from dflint.sql.build.queries import contents, query, reads
from dflint.sql.build.statements import build
from dflint.sql.build.tables import into_clause, select_into
from dflint.sql.libpg_query import LibPgQuery


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
    before = _written_by_with(node, library)
    if into_clause(node) is not None:
        return [*before, *select_into(node, library)]
    settings = _set_configs(node)
    if not settings:
        found = query({"SelectStmt": node})
        operation = Select(query=found, calls=_calls(node) if found.functions else ())
        return [*before, operation] if before else (operation,)
    if len(settings) == len(node["targetList"]) and node.keys() <= _BARE_SELECT:
        return settings
    return [*before, *settings, Select(query=query({"SelectStmt": node}))]


def _calls(node: Node) -> tuple[Invocation, ...]:
    """The functions whose results a query gives."""
    once = node.keys() <= _BARE_SELECT
    values = [wrapped["ResTarget"].get("val", {}) for wrapped in node.get("targetList", ())]
    return tuple([invocation(value["FuncCall"], once) for value in values if "FuncCall" in value])


def invocation(call: Node, once: bool) -> Invocation:
    """An unwrapped ``FuncCall``, with the arguments that are constant."""
    return Invocation(qualified(call["funcname"]), tuple([_constant(arg) for arg in call.get("args", ())]), once)


def _constant(node: Node) -> str | None:
    while "TypeCast" in node:
        node = node["TypeCast"]["arg"]
    try:
        return constant_string(node)
    except (KeyError, ValueError):
        return None


#: A SELECT of these alone gives exactly one row.
_BARE_SELECT = frozenset({"targetList", "limitOption", "op"})


def _set_configs(node: Node) -> list[Operation]:
    found: list[Operation] = []
    for wrapped in node.get("targetList", ()):
        written = wrapped["ResTarget"].get("val")
        if written is not None and "FuncCall" in written:
            call = written["FuncCall"]
            if string(call["funcname"][-1]) == "set_config":
                found.append(_set_config(call, sure=node.keys() <= _BARE_SELECT))
    return found


def _set_config(call: Node, *, sure: bool) -> Operation:
    """``sure``: it is called exactly once."""
    args = call.get("args", ())
    constants = [arg["A_Const"] for arg in args if "A_Const" in arg]
    if len(args) != 3 or len(constants) != 3 or "isnull" in constants[0]:
        first = const_value(constants[0]) if args and "A_Const" in args[0] and "isnull" not in constants[0] else ""
        return SetVariable(name=first.lower(), values=None, function=True, known=False)
    name, value, local = constants
    return SetVariable(
        name=const_value(name).lower(),
        # NULL means the default, as it does for SET.
        values=None if "isnull" in value else (const_value(value),),
        local=const_value(local).strip().lower() in _TRUE,
        function=True,
        known=sure,
    )


#: What PostgreSQL reads as true in a string.
_TRUE = frozenset("t tr tru true y ye yes on 1".split())


# --- INSERT, UPDATE, DELETE, MERGE ------------------------------------------------------------------------------------

INSERT_STMT = frozenset("relation cols selectStmt onConflictClause returningClause withClause override".split())
ON_CONFLICT_CLAUSE = frozenset("action infer targetList whereClause location".split())
_ON_CONFLICT: dict[str, Literal["nothing", "update"]] = {
    "ONCONFLICT_NOTHING": "nothing",
    "ONCONFLICT_UPDATE": "update",
}


def insert(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """INSERT. The rows of VALUES are counted, not looked at."""
    if not node.keys() <= INSERT_STMT:
        claim(node, INSERT_STMT)
    source: Literal["values", "query", "default"] = "default"
    rows = width = 0
    found: Query | None = None
    given = node.get("selectStmt")
    if given is not None:
        body = given["SelectStmt"]
        if "valuesLists" in body and "withClause" not in body:
            source, rows = "values", len(body["valuesLists"])
            width = len(body["valuesLists"][0]["List"]["items"])
        else:
            source, found = "query", query(given)
    conflict = node.get("onConflictClause")
    if conflict is not None:
        claim(conflict, ON_CONFLICT_CLAUSE)
    if "withClause" in node:
        # Its names are known to all of the statement, and its queries belong to it.
        whole = contents({"InsertStmt": node})
        others = tuple([name for name in whole.writes if name != relation(node["relation"])])
        found = Query(whole.reads, (), whole.functions, others, whole.locks_rows)
    operation = Insert(
        target=relation(node["relation"]),
        columns=tuple([column["ResTarget"]["name"] for column in node.get("cols", ())]),
        source=source,
        rows=rows,
        width=width,
        query=found,
        on_conflict=_ON_CONFLICT[conflict["action"]] if conflict is not None else "",
    )
    if "withClause" not in node and (given is None or "withClause" not in given["SelectStmt"]):
        return (operation,)
    inner = _written_by_with(given["SelectStmt"], library) if given is not None else []
    return [*_written_by_with(node, library), *inner, operation]


UPDATE_STMT = frozenset("relation targetList whereClause fromClause returningClause withClause".split())


def update(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """UPDATE."""
    claim(node, UPDATE_STMT)
    where = node.get("whereClause")
    current = where is not None and "CurrentOfExpr" in where
    assigned = [target["ResTarget"] for target in node["targetList"]]
    return [
        *_written_by_with(node, library),
        Update(
            target=relation(node["relation"]),
            assigned=tuple([target["name"] for target in assigned]),
            where=None if where is None or current else expression(where),
            reads=reads({"UpdateStmt": node}),
            alias=_alias(node["relation"]),
            current_of=current,
            only="inh" not in node["relation"],
            defaulted=tuple([target["name"] for target in assigned if "SetToDefault" in target.get("val", ())]),
        ),
    ]


DELETE_STMT = frozenset("relation usingClause whereClause returningClause withClause".split())


def delete(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """DELETE."""
    claim(node, DELETE_STMT)
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
            only="inh" not in node["relation"],
        ),
    ]


def _alias(node: Node) -> str | None:
    alias = node.get("alias")
    return None if alias is None else str(alias["aliasname"])


MERGE_STMT = frozenset("relation sourceRelation joinCondition mergeWhenClauses returningClause withClause".split())
MERGE_WHEN_CLAUSE = frozenset("matchKind commandType override condition targetList values".split())
_MERGE_ACTIONS = {"CMD_INSERT": "insert", "CMD_UPDATE": "update", "CMD_DELETE": "delete", "CMD_NOTHING": "nothing"}


def merge(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """MERGE."""
    claim(node, MERGE_STMT)
    actions = [_action(wrapped["MergeWhenClause"]) for wrapped in node["mergeWhenClauses"]]
    return [
        *_written_by_with(node, library),
        Merge(
            target=relation(node["relation"]),
            actions=tuple(dict.fromkeys(actions)),
            reads=reads({"MergeStmt": node}),
        ),
    ]


def _action(node: Node) -> str:
    claim(node, MERGE_WHEN_CLAUSE)
    return _MERGE_ACTIONS[node["commandType"]]


# --- TRUNCATE, COPY, LOCK ---------------------------------------------------------------------------------------------

TRUNCATE_STMT = frozenset("relations restart_seqs behavior".split())


def truncate(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """TRUNCATE."""
    claim(node, TRUNCATE_STMT)
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


COPY_STMT = frozenset("relation query attlist is_from is_program filename options whereClause".split())


def copy(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """COPY."""
    claim(node, COPY_STMT)
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


LOCK_STMT = frozenset("relations mode nowait".split())


def lock_table(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """LOCK TABLE. Modes are numbered as in PostgreSQL's lockdefs.h, from 1 for ACCESS SHARE."""
    claim(node, LOCK_STMT)
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

EXPLAIN_STMT = frozenset("query options".split())


def explain(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """EXPLAIN; with ANALYZE the statement runs."""
    claim(node, EXPLAIN_STMT)
    for wrapped in node.get("options", ()):
        option = wrapped["DefElem"]
        claim(option, DEF_ELEM)
        if option["defname"] == "analyze" and ("arg" not in option or _is_true(option["arg"])):
            return build(node["query"], library)
    return (SessionCommand(command="explain", query=_looked_at(node["query"])),)


def _looked_at(wrapped: Node) -> Query | None:
    """What a statement that does not run reads and writes; None for one that is no query."""
    kind, _ = single(wrapped)
    return contents(wrapped) if kind in ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt") else None


def _is_true(arg: Node) -> bool:
    kind, content = single(arg)
    if kind == "String":
        return string(arg).lower() in _TRUE
    if kind == "Integer":
        return bool(content.get("ival", 0))
    if kind == "Boolean":
        return bool(content.get("boolval", False))
    raise Unread(f"option of type {kind}")


PREPARE_STMT = frozenset("name argtypes query".split())


def prepare(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """PREPARE: nothing runs yet."""
    claim(node, PREPARE_STMT)
    prepared, query = tuple(build(node["query"], library)), _looked_at(node["query"])
    return (SessionCommand(command="prepare", name=node["name"], query=query, prepared=prepared),)


EXECUTE_STMT = frozenset("name params".split())


def execute(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """EXECUTE: what the prepared statement does is said elsewhere, perhaps not even in this file."""
    claim(node, EXECUTE_STMT)
    name = node["name"]
    return (SessionCommand(command="execute", name=name), DynamicSql(text=f"EXECUTE {name}"))


DECLARE_CURSOR_STMT = frozenset("portalname options query".split())


def declare_cursor(node: Node, library: LibPgQuery) -> Sequence[Operation]:
    """DECLARE CURSOR: the query opens its tables now."""
    claim(node, DECLARE_CURSOR_STMT)
    return [SessionCommand(command="declare_cursor", name=node["portalname"]), *build(node["query"], library)]
