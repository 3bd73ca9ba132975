"""Checks about statements that change rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from dflint.model.catalog import Table
from dflint.model.context import Context, Hit
from dflint.model.expressions import Expr
from dflint.model.locks import blocks_writes
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.data import Copy, Delete, Insert, Merge, Update
from dflint.model.schema import Column
from dflint_checks.presence import existing, first_under_lock, listed, shown


def unbounded(operation: Operation, context: Context) -> Hit | None:
    """UPDATE or DELETE whose WHERE does not limit how many rows it touches."""
    if not isinstance(operation, (Update, Delete)) or operation.where is None:
        return None
    parts = list(_conjuncts(operation.where))
    new = [name for part in parts if (name := _null_test(part)) is not None and _new_column(name, operation, context)]
    if len(new) == len(parts):
        rows = f"every row of {operation.target}, as {new[0]} is a new column and null everywhere"
        return Hit(values={"rows": rows}, level="error")
    rows = f"every row of {operation.target} for which its condition holds, however many there are"
    if any(_selective(part) for part in parts):
        return Hit(values={"rows": rows}, level="info", certain=False, because="how many rows those are")
    if not operation.reads and _joins_constants(parts, operation):
        return None
    return Hit(values={"rows": rows})


def _conjuncts(expr: Expr) -> Iterator[Expr]:
    pending = [expr]
    while pending:
        part = pending.pop()
        if part.kind == "and":
            pending.extend(part.args)
        else:
            yield part


def _null_test(part: Expr) -> str | None:
    """The column of ``column IS NULL``."""
    if part.kind == "is_null" and part.args and part.args[0].kind == "column" and part.args[0].name is not None:
        return part.args[0].name.name
    return None


def _new_column(name: str, operation: Update | Delete, context: Context) -> bool:
    """Whether the table had no such column before this change, and nothing has filled it since."""
    before = context.change_start.table(context.resolve(operation.target))
    now = context.table(operation.target)
    if not isinstance(now, Table) or (isinstance(before, Table) and before.column(name) is not None):
        return False
    column = now.column(name)
    return isinstance(column, Column) and column.complete and column.default is None and not column.generation


def _selective(part: Expr) -> bool:
    """A column equals constants, or is among what a subquery finds: it may be few rows."""
    if part.kind == "subquery":
        return True
    if part.kind in ("in", "like", "between"):
        return True
    if part.kind == "operator" and part.name is not None and part.name.name == "=" and len(part.args) == 2:
        sides = [any(each.kind == "column" for each in side.walk()) for side in part.args]
        return sides[0] != sides[1]
    return part.kind == "or" and all(_selective(each) for each in part.args)


def _joins_constants(parts: list[Expr], operation: Update | Delete) -> bool:
    """A join with something that is no relation: a list of VALUES."""
    own = {None, operation.alias or operation.target.name, operation.target.name}
    return any(
        each.kind == "column" and each.name is not None and each.name.schema not in own
        for part in parts
        for each in part.walk()
    )


def rows_changed_under_lock(operation: Operation, context: Context) -> Hit | None:
    """The first statement of a transaction that changes many rows after the transaction has locked out readers."""
    many = _changes_many(operation, context)
    if many is False:
        return None
    held = first_under_lock(context, lambda earlier: _changes_many(earlier.operation, earlier) is not False)
    if not held:
        return None
    values = {"what": operation.kind.upper(), "locked": listed([shown(name) for name in held])}
    return Hit(values=values, certain=many is True, because="how many rows that are")


#: Nobody waits for a row that was only inserted.
_WRITES = frozenset({"update", "delete", "merge"})
#: How many operations back is looked for changed rows: time must not grow with the square of a file's length.
_NEAR = 1000


def lock_after_rows_changed(_operation: Operation, context: Context) -> Hit | None:
    """A lock that keeps writers out, on a table whose rows the transaction has changed before without it."""
    target, mode = context.target, context.effect.lock()
    if target is None or mode is None or not blocks_writes(mode):
        return None
    changed: Context | None = None
    for earlier in islice(reversed(context.earlier), _NEAR):
        if earlier.target != target:
            continue
        if earlier.operation.kind in _WRITES:
            changed = earlier
        elif blocks_writes(earlier.effect.lock() or "ACCESS SHARE"):
            return None  # it has kept writers out since then
    if changed is None:
        return None
    return Hit(values={"what": changed.operation.kind.upper(), "mode": mode})


def _changes_many(operation: Operation, context: Context) -> bool | None:
    """Whether the statement changes more than a few rows; None: it depends on how many its condition holds for."""
    if isinstance(operation, Insert):
        query = operation.query
        return operation.source == "query" and query is not None and _reads_existing(query.reads, context)
    if isinstance(operation, Copy):
        return operation.direction == "from"
    if isinstance(operation, Merge):
        return True
    if not isinstance(operation, (Update, Delete)) or existing(context.resolve(operation.target), context) is False:
        return False
    if operation.where is not None:
        parts = list(_conjuncts(operation.where))
        if any(_selective(part) for part in parts):
            return None
        if not operation.reads and _joins_constants(parts, operation):
            return False
    return True


def _reads_existing(reads: tuple[Name, ...], context: Context) -> bool:
    return any(existing(context.resolve(name), context) for name in reads)
