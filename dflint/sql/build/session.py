"""Transaction control, settings, and commands that only concern the session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from dflint.model.operations.base import Operation
from dflint.model.operations.session import (
    Begin,
    Commit,
    Discard,
    FinishPrepared,
    PrepareTransaction,
    ReleaseSavepoint,
    ResetVariable,
    Rollback,
    RollbackToSavepoint,
    Savepoint,
    SessionCommand,
    SetTransaction,
    SetVariable,
)
from dflint.model.schema import Options
from dflint.sql.build.nodes import Node, Unread, claim, const_value, relation, single
from dflint.sql.libpg_query import LibPgQuery

# --- transactions -------------------------------------------------------------------------------------------------

TRANSACTION_STMT: Final = frozenset({"kind", "options", "savepoint_name", "gid", "chain", "location"})


def transaction(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """BEGIN, COMMIT, ROLLBACK, savepoints and two-phase commit."""
    if not node.keys() <= TRANSACTION_STMT:
        claim(node, TRANSACTION_STMT)
    build = _TRANSACTION.get(node["kind"])
    if build is None:
        raise Unread(f"transaction command {node['kind']}")
    return (build(node),)


def _begin(node: Node) -> Operation:
    modes = dict(_modes(node.get("options", ())))
    return Begin(isolation=modes.get("transaction_isolation"), read_only=modes.get("transaction_read_only") == "1")


_TRANSACTION: Final[dict[str, Callable[[Node], Operation]]] = {
    "TRANS_STMT_BEGIN": _begin,
    "TRANS_STMT_START": _begin,
    "TRANS_STMT_COMMIT": lambda node: Commit(chain="chain" in node),
    "TRANS_STMT_ROLLBACK": lambda node: Rollback(chain="chain" in node),
    "TRANS_STMT_SAVEPOINT": lambda node: Savepoint(name=node["savepoint_name"]),
    "TRANS_STMT_RELEASE": lambda node: ReleaseSavepoint(name=node["savepoint_name"]),
    "TRANS_STMT_ROLLBACK_TO": lambda node: RollbackToSavepoint(name=node["savepoint_name"]),
    "TRANS_STMT_PREPARE": lambda node: PrepareTransaction(gid=node.get("gid", "")),
    "TRANS_STMT_COMMIT_PREPARED": lambda node: FinishPrepared(gid=node.get("gid", ""), commit=True),
    "TRANS_STMT_ROLLBACK_PREPARED": lambda node: FinishPrepared(gid=node.get("gid", ""), commit=False),
}

_MODE: Final = frozenset({"defname", "arg", "defaction", "location"})
_MODES: Final = frozenset({"transaction_isolation", "transaction_read_only", "transaction_deferrable"})


def _modes(nodes: Sequence[Node]) -> list[tuple[str, str]]:
    """Transaction modes by the names of the settings behind them; switches are ``1`` or ``0``."""
    modes: list[tuple[str, str]] = []
    for wrapped in nodes:
        mode = wrapped["DefElem"]
        claim(mode, _MODE)
        if mode["defname"] not in _MODES:
            raise Unread(f"transaction mode {mode['defname']}")
        modes.append((mode["defname"], const_value(mode["arg"]["A_Const"])))
    return modes


# --- settings -----------------------------------------------------------------------------------------------------

VARIABLE_SET_STMT: Final = frozenset({"kind", "name", "args", "jumble_args", "is_local", "location"})


def set_variable(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """SET and RESET, SET TRANSACTION, SET SESSION CHARACTERISTICS."""
    if not node.keys() <= VARIABLE_SET_STMT:
        claim(node, VARIABLE_SET_STMT)
    kind = node["kind"]
    if kind == "VAR_SET_VALUE":
        return (SetVariable(name=node["name"].lower(), values=_values(node), local="is_local" in node),)
    if kind in ("VAR_SET_DEFAULT", "VAR_SET_CURRENT"):
        return (SetVariable(name=node["name"].lower(), values=None, local="is_local" in node),)
    if kind == "VAR_RESET":
        return (ResetVariable(name=node["name"].lower()),)
    if kind == "VAR_RESET_ALL":
        return (ResetVariable(name=None),)
    if kind == "VAR_SET_MULTI":
        return (_set_modes(node),)
    raise Unread(f"SET of kind {kind}")


def _set_modes(node: Node) -> Operation:
    if node["name"] == "TRANSACTION SNAPSHOT":
        return SetTransaction(what="transaction", names=("snapshot",))
    names = tuple([name for name, _value in _modes(node["args"])])
    if node["name"] == "TRANSACTION":
        return SetTransaction(what="transaction", names=names)
    if node["name"] == "SESSION CHARACTERISTICS":
        return SetTransaction(what="session", names=names)
    raise Unread(f"SET {node['name']}")


def attached_setting(node: Node) -> tuple[str, Options]:
    """What an unwrapped ``VariableSetStmt`` inside ALTER ROLE, DATABASE or SYSTEM does, and the setting.

    Returns:
        ``set``, ``set_from_current``, ``reset`` or ``reset_all``, and the setting's name and value, None for DEFAULT.
    """
    claim(node, VARIABLE_SET_STMT)
    kind = node["kind"]
    if kind == "VAR_RESET_ALL":
        return "reset_all", ()
    name = node["name"].lower()
    if kind == "VAR_SET_VALUE":
        return "set", ((name, ", ".join(_values(node))),)
    if kind in _ATTACHED:
        return _ATTACHED[kind], ((name, None),)
    raise Unread(f"SET of kind {kind}")


_ATTACHED: Final = {"VAR_SET_DEFAULT": "set", "VAR_SET_CURRENT": "set_from_current", "VAR_RESET": "reset"}


def _values(node: Node) -> tuple[str, ...]:
    return tuple([_value(item) for item in node["args"]])


def _value(node: Node) -> str:
    kind, content = single(node)
    if kind == "A_Const":
        return const_value(content)
    if kind == "TypeCast":
        return _interval(content)
    raise Unread(f"value of type {kind}")


#: PostgreSQL's bit masks for the fields of an interval, as far as SET TIME ZONE allows them.
_INTERVAL_FIELDS: Final = {"1024": " hour", "3072": " hour to minute", "32767": ""}


def _interval(cast: Node) -> str:
    """SET TIME ZONE INTERVAL '…', the only setting that is written with a type."""
    modifiers = cast["typeName"].get("typmods", ())
    fields = _INTERVAL_FIELDS.get(const_value(modifiers[0]["A_Const"])) if modifiers else ""
    if fields is None:
        raise Unread("fields of an interval")
    return f"interval '{const_value(cast['arg']['A_Const'])}'{fields}"


CONSTRAINTS_SET_STMT: Final = frozenset({"constraints", "deferred"})


def set_constraints(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """SET CONSTRAINTS; no names for ALL."""
    claim(node, CONSTRAINTS_SET_STMT)
    names = tuple([str(relation(item["RangeVar"])) for item in node.get("constraints", ())])
    return (SetTransaction(what="constraints", names=names, deferred="deferred" in node),)


# --- commands -----------------------------------------------------------------------------------------------------

DISCARD_STMT: Final = frozenset({"target"})
VARIABLE_SHOW_STMT: Final = frozenset({"name"})
DEALLOCATE_STMT: Final = frozenset({"name", "isall", "location"})
FETCH_STMT: Final = frozenset({"direction", "howMany", "portalname", "ismove"})
CLOSE_PORTAL_STMT: Final = frozenset({"portalname"})
LISTEN_STMT: Final = frozenset({"conditionname"})
UNLISTEN_STMT: Final = frozenset({"conditionname"})
NOTIFY_STMT: Final = frozenset({"conditionname", "payload"})
LOAD_STMT: Final = frozenset({"filename"})

_DISCARDED: Final = {
    "DISCARD_ALL": "all",
    "DISCARD_PLANS": "plans",
    "DISCARD_SEQUENCES": "sequences",
    "DISCARD_TEMP": "temp",
}


def discard(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """DISCARD."""
    claim(node, DISCARD_STMT)
    what = _DISCARDED.get(node["target"])
    if what is None:
        raise Unread(f"DISCARD of {node['target']}")
    return (Discard(what=what),)


def show(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """SHOW."""
    claim(node, VARIABLE_SHOW_STMT)
    return (SessionCommand(command="show", name=node["name"]),)


def deallocate(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """DEALLOCATE; no name for ALL."""
    claim(node, DEALLOCATE_STMT)
    return (SessionCommand(command="deallocate", name=node.get("name")),)


def fetch(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """FETCH and MOVE; how many rows does not matter."""
    claim(node, FETCH_STMT)
    return (SessionCommand(command="move" if "ismove" in node else "fetch", name=node["portalname"]),)


def close_cursor(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """CLOSE; no name for ALL."""
    claim(node, CLOSE_PORTAL_STMT)
    return (SessionCommand(command="close", name=node.get("portalname")),)


def listen(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """LISTEN."""
    claim(node, LISTEN_STMT)
    return (SessionCommand(command="listen", name=node["conditionname"]),)


def unlisten(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """UNLISTEN; no name for all channels."""
    claim(node, UNLISTEN_STMT)
    return (SessionCommand(command="unlisten", name=node.get("conditionname")),)


def notify(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """NOTIFY."""
    claim(node, NOTIFY_STMT)
    return (SessionCommand(command="notify", name=node["conditionname"]),)


def load(node: Node, _library: LibPgQuery) -> Sequence[Operation]:
    """LOAD of a shared library."""
    claim(node, LOAD_STMT)
    return (SessionCommand(command="load", name=node.get("filename", "")),)
