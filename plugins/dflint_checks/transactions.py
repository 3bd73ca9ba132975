"""Checks about transactions, timeouts and what a session keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from dflint.model.catalog import Index, Table
from dflint.model.context import Context, Hit
from dflint.model.locks import blocks_writes
from dflint.model.migration import Statement
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.session import ResetVariable, SetVariable
from dflint.model.operations.tables import ValidateConstraint
from dflint_checks.presence import EXCLUSIVE, existing, first_under_lock, listed, shown

# --- timeouts -------------------------------------------------------------------------------------------------------


def missing_lock_timeout(operation: Operation, context: Context) -> Hit | None:
    """The first statement of a file that may wait without limit for a strong lock on something in use."""
    lock = _strong_lock(operation, context)
    if lock is None or _unprotected_before("lock_timeout", context) is not None:
        return None
    name, mode, sure = lock
    if context.held().get(name) == mode:
        return None  # it was got earlier, under a timeout
    because = f"whether {shown(name)} existed before this migration"
    return Hit(values={"mode": mode, "relation": shown(name)}, certain=sure, because=because)


def lock_timeout_off(operation: Operation, context: Context) -> Hit | None:
    """The first strong lock under a lock_timeout that is none, or no limit worth the name."""
    lock = _strong_lock(operation, context)
    setting = context.session.setting("lock_timeout")
    if lock is None or setting is None or setting.value is None:
        return None
    for before, then in _backwards(context):
        if _touches("lock_timeout", before):
            break
        if _strong_lock(before, then()):
            return None  # said already
    because = f"whether {shown(lock[0])} existed before this migration"
    values = {"mode": lock[1], "relation": shown(lock[0]), "value": setting.value}
    return Hit(values=values, certain=lock[2], because=because)


def lock_timeout_late(operation: Operation, context: Context) -> Hit | None:
    """SET lock_timeout after the file's first strong lock."""
    if not isinstance(operation, SetVariable) or not _switches_on(operation):
        return None
    earlier = _unprotected_just_before("lock_timeout", context)
    if earlier is None:
        return None
    return Hit(values={"before": f"the {earlier.kind.replace('_', ' ').upper()} on {earlier.target}"})


def missing_statement_timeout(operation: Operation, context: Context) -> Hit | None:
    """The first statement with a strong lock that may run without limit."""
    lock = _strong_lock(operation, context)
    if lock is None or _unprotected_before("statement_timeout", context) is not None:
        return None
    because = f"whether {shown(lock[0])} existed before this migration"
    return Hit(values={"mode": lock[1], "relation": shown(lock[0])}, certain=lock[2], because=because)


def _strong_lock(operation: Operation, context: Context) -> tuple[Name, str, bool] | None:
    """A lock that makes writers of a relation in use wait, and whether it is certain that it is in use."""
    if operation.kind in _HARMLESS or getattr(operation, "nowait", False) or operation.inside == "routine":
        return None
    mode, target = context.effect.lock(), context.target
    if mode is not None and target is not None and operation.target_kind == "table" and blocks_writes(mode):
        # As a rule this is all; who else is locked takes longer to find out.
        used = existing(target, context)
        if used is not False:
            return target, mode, used is True
    found = None
    for name, mode in context.locks:
        if blocks_writes(mode):
            used = existing(name, context)
            if used is not False:
                found = name, mode, used is True
                if not isinstance(context.relation(name), Index):
                    return found  # a table says more than its index: that is what sessions use
    return found


#: Kinds that occur in great numbers and lock nothing strongly.
_HARMLESS = frozenset(
    """insert update delete merge select comment grant revoke create_function create_procedure create_view create_enum
    create_schema create_extension create_sequence begin commit rollback do_block opaque dynamic_sql copy""".split()
)


def _unprotected_before(timeout: str, context: Context) -> Operation | None:
    """An operation before this one in the section that took a strong lock while the timeout was not set, as now."""
    found: Operation | None = None
    same = True  # no change of the timeout between the operation and now
    ended = False
    for operation, then in _backwards(context):
        if operation.kind in ("commit", "rollback"):
            same, ended = False, True
        elif _touches(timeout, operation):
            if found is not None and not _protects(operation, ended):
                return found
            found, same, ended = None, False, False
        elif found is None and operation.kind not in _HARMLESS and _strong_lock(operation, then()):
            if same:
                return operation
            found, ended = operation, False
    return found


def _unprotected_just_before(timeout: str, context: Context) -> Operation | None:
    """An operation with a strong lock since the timeout was touched last, if that did not set it."""
    found: Operation | None = None
    ended = False
    for operation, then in _backwards(context):
        if operation.kind in ("commit", "rollback"):
            ended = True
        elif _touches(timeout, operation):
            return None if _protects(operation, ended) else found
        elif found is None and operation.kind not in _HARMLESS and _strong_lock(operation, then()):
            found, ended = operation, False
    return found


def _protects(setting: Operation, ended: bool) -> bool:
    """Whether what the operation set holds for the statements after it. ``ended``: its transaction came to an end."""
    return isinstance(setting, SetVariable) and _switches_on(setting) and not (setting.local and ended)


def _touches(timeout: str, operation: Operation) -> bool:
    if isinstance(operation, SetVariable):
        return operation.name == timeout
    return isinstance(operation, ResetVariable) and operation.name in (timeout, None)


def _before(context: Context) -> Iterator[tuple[Statement, Operation]]:
    """The operations before this one in the section, the first one first."""
    for statement in context.statements[: context.statement.index + 1]:
        for operation in statement.operations:
            if operation is context.operation:
                return
            yield statement, operation


def _backwards(context: Context) -> Iterator[tuple[Operation, Callable[[], Context]]]:
    """The operations before this one in the section, the last one first, with what makes their contexts."""
    logged = context.earlier
    last = len(logged) - 1
    for index in range(context.statement.index, -1, -1):
        statement = context.statements[index]
        operations = statement.operations
        if index == context.statement.index:
            operations = operations[: _place(context.operation, operations)]
        for operation in reversed(operations):
            if last >= 0 and logged[last].operation is operation:
                yield operation, partial(_itself, logged[last])
                last -= 1
            else:
                yield operation, partial(_as_it_was, operation, statement, context)


def _place(operation: Operation, operations: tuple[Operation, ...]) -> int:
    for place, other in enumerate(operations):
        if other is operation:
            return place
    return len(operations)


def _itself(context: Context) -> Context:
    return context


def _as_it_was(operation: Operation, statement: Statement, context: Context) -> Context:
    """A context for an earlier operation of the section, when those of its transaction are gone: its locks are those
    it takes on what was there when the change began.
    """
    return Context(
        operation=operation,
        statement=statement,
        section=context.section,
        runner=context.runner,
        catalog=context.change_start,
        change_start=context.change_start,
        created=context.created,
        maybe_created=context.maybe_created,
        session=context.session,
        transaction=context.transaction,
        log=(),
        statements=context.statements,
        version=context.version,
        knowledge=context.knowledge,
    )


def _switches_on(operation: SetVariable) -> bool:
    """Whether the timeout is set to something other than zero; a value that is not known counts."""
    if not operation.known:
        return True
    return any(digit in value for value in operation.values or () for digit in "123456789")


def set_local_without_effect(operation: Operation, context: Context) -> Hit | None:
    """SET LOCAL where there is no transaction block for it to last."""
    if not isinstance(operation, SetVariable) or operation.inside:
        return None
    if context.transaction.kind == "implicit" and context.section.transaction_block:
        return None
    return Hit(values={"setting": operation.name})


# --- what a transaction holds ---------------------------------------------------------------------------------------


def work_under_lock(operation: Operation, context: Context) -> Hit | None:
    """The first statement that takes long while an earlier one of the transaction keeps readers out of some table."""
    if context.effect.scan is False and isinstance(operation, ValidateConstraint):
        return None  # it is valid already
    if _added_here(operation, context):
        return None  # a matter of its own
    own = {name for name, mode in context.locks if mode == EXCLUSIVE}
    held = first_under_lock(context, _takes_long, own)
    if not held:
        return None
    values = {"locked": listed([shown(name) for name in held]), "what": operation.kind.replace("_", " ").upper()}
    return Hit(values=values)


def _takes_long(context: Context) -> bool:
    effect = context.effect
    if not (effect.rewrite or effect.scan or effect.index_rebuild) or context.operation.target is None:
        return False
    return existing(context.resolve(context.operation.target), context) is True


def _added_here(operation: Operation, context: Context) -> bool:
    """VALIDATE of a constraint that the same transaction has added."""
    if not isinstance(operation, ValidateConstraint):
        return False
    target = context.resolve(operation.target)
    return any(
        getattr(getattr(each.operation, "constraint", None), "name", None) == operation.name and each.target == target
        for each in context.earlier
    )


def second_exclusive_lock(_operation: Operation, context: Context) -> Hit | None:
    """The statement that makes it two tables which the transaction locks against everybody."""
    mine = _exclusive_target(context)
    if mine is None:
        return None
    others: dict[Name, None] = {}
    for earlier in reversed(context.earlier):
        other = _exclusive_target(earlier)
        if other == mine:
            return None  # nothing new
        if other is not None:
            others[other] = None
            if len(others) > 1:
                return None  # said already
    if len(others) != 1:
        return None
    other = next(iter(others))
    if _related(mine, other, context):
        return None
    return Hit(values={"other": shown(other), "one": shown(mine)})


def _exclusive_target(context: Context) -> Name | None:
    operation = context.operation
    if operation.target is None or operation.target_kind != "table" or context.effect.lock() != EXCLUSIVE:
        return None
    name = context.resolve(operation.target)
    return name if existing(name, context) else None


def _related(one: Name, other: Name, context: Context) -> bool:
    """Whether one is the other's partition: they are locked together anyway."""
    for name, parent in ((one, other), (other, one)):
        found = context.catalog.table(name)
        if isinstance(found, Table) and parent in found.parents:
            return True
    return False


_PASSES = frozenset(
    """add_check set_not_null alter_column_type add_column add_not_null set_logged set_unlogged
    set_access_method""".split()
)


#: How far apart statements may be for somebody to think of joining them.
_NEAR = 100


def another_pass(operation: Operation, context: Context) -> Hit | None:
    """The second statement that reads or writes all of one table where ALTER TABLE could do it in one pass."""
    if operation.target is None:
        return None
    target = context.resolve(operation.target)
    before = 0
    for other, then in islice(_backwards(context), _NEAR):
        if other.kind not in _PASSES or other.target is None or context.resolve(other.target) != target:
            continue
        earlier = then()
        if earlier.statement is not context.statement and _passes(earlier):
            before += 1
            if before > 1:
                return None  # said already
    return Hit() if before == 1 else None


def _passes(context: Context) -> bool:
    return context.effect.rewrite is True or context.effect.scan is True


# --- transaction control --------------------------------------------------------------------------------------------


def control_in_runners_transaction(operation: Operation, context: Context) -> Hit | None:
    """BEGIN, COMMIT or ROLLBACK in the transaction that the runner has opened."""
    if operation.inside or not context.section.own_transactions:
        return None
    if operation.kind != "begin" and any(other.kind == "begin" for _, other in _before(context)):
        return None  # said at BEGIN
    if operation.kind == "begin":
        return Hit(
            values={
                "what": "BEGIN only gives a warning here, and the COMMIT that belongs to it ends the outer transaction"
            }
        )
    return Hit(values={"what": f"{operation.kind.upper()} ends it, and what follows is no longer part of it"})


def needs_transaction(operation: Operation, context: Context) -> Hit | None:
    """LOCK TABLE or SAVEPOINT where there is no transaction block."""
    if operation.inside:
        return None
    if context.transaction.kind == "implicit" and operation.kind == "lock_table" and context.section.transaction_block:
        return None
    words = {"lock_table": "LOCK TABLE"}.get(operation.kind, operation.kind.replace("_", " ").upper())
    return Hit(values={"what": words})


def partly_applied(operation: Operation, context: Context) -> Hit | None:
    """The first statement of a file without a transaction that cannot be run again, with others after it."""
    if operation.inside or not _once_only(operation) or context.runner.name == "psql":
        return None
    if any(_once_only(other) for _, other in _before(context)):
        return None  # said already
    if not any(_changes(other) for statement in context.following for other in statement.operations):
        return None
    return Hit(values={"what": operation.kind.replace("_", " ").upper()})


_CHANGING = ("create_", "drop_", "add_", "alter_", "rename_", "set_schema_")
_ROWS = frozenset({"insert", "update", "delete"})


def _changes(operation: Operation) -> bool:
    return operation.kind.startswith(_CHANGING) or operation.kind in _ROWS


def _once_only(operation: Operation) -> bool:
    """Whether a second run fails because the first one happened."""
    kind = operation.kind
    if kind.startswith("create_"):
        return not (getattr(operation, "if_not_exists", False) or getattr(operation, "or_replace", False))
    if kind.startswith(("drop_", "rename_")):
        return not any(getattr(operation, name, False) for name in ("if_exists", "missing_ok")) and kind not in (
            "drop_not_null",
            "drop_column_default",
        )
    return kind in ("add_column", "add_foreign_key", "add_check", "add_unique", "add_primary_key") and not getattr(
        operation, "missing_ok", False
    )


# --- what a session keeps -------------------------------------------------------------------------------------------

#: Runners that give each migration a session of its own, or put the session back in order.
_FRESH_SESSION = frozenset({"psql", "sqitch", "flyway", "supabase"})


#: Settings that are what a session begins with, as a rule.
_AS_BEFORE = frozenset(
    {
        ("role", ("none",)),
        ("search_path", ("public",)),
        ("search_path", ("$user", "public")),
        ("search_path", ("default",)),
    }
)


def left_changed(operation: Operation, context: Context) -> Hit | None:
    """SET ROLE or SET search_path for the session, and nothing in the file takes it back."""
    if not isinstance(operation, SetVariable) or operation.local or operation.values is None or operation.inside:
        return None
    if context.runner.name in _FRESH_SESSION or (operation.name, operation.values) in _AS_BEFORE:
        return None
    for statement in context.following:
        for other in statement.operations:
            if isinstance(other, SetVariable) and other.name == operation.name and not other.local:
                return None
            if isinstance(other, ResetVariable) and other.name in (operation.name, None):
                return None
            if other.kind == "discard":
                return None
    return Hit(values={"setting": operation.name, "value": ", ".join(operation.values) or "nothing"})


def left_open(_operation: Operation, context: Context) -> Hit | None:
    """The file ends in an open transaction that has done something."""
    return Hit() if context.earlier else None


def marker_overruled(_operation: Operation, context: Context) -> Hit | None:
    """The runner opens no transaction, as it was told, and the server makes one of the file's several statements."""
    section = context.section
    if section.marker is None or section.chunks or section.wire not in ("string", "pipeline"):
        return None
    if len(context.statements) < 2:
        return None
    values = {"count": str(len(context.statements)), "how": "batch" if section.wire == "pipeline" else "string"}
    return Hit(values=values, at=section.marker.start)
