"""Checks about columns."""

from __future__ import annotations

from collections.abc import Iterator

from dflint.model.catalog import Routine, Table
from dflint.model.context import Context, Hit
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import RenameColumn
from dflint.model.operations.tables import (
    AddIdentity,
    ColumnOperation,
    DropColumn,
    DropColumnDefault,
    DropNotNull,
    SetColumnDefault,
)
from dflint.model.schema import Column

#: As many names as a message bears.
_NAMED = 3


def new_column_without_default(operation: Operation, context: Context) -> Hit | None:
    """A column that this change adds is NOT NULL from here on, and has no default that fills it."""
    if not isinstance(operation, ColumnOperation):
        return None
    mended = (SetColumnDefault, AddIdentity, DropNotNull, DropColumn)
    if any(isinstance(later, mended) for later in _later(operation, context)):
        return None
    how = "loses its default" if isinstance(operation, DropColumnDefault) else "is NOT NULL without a default"
    return Hit(values={"how": how})


def default_dropped(operation: Operation, context: Context) -> Hit | None:
    """DROP DEFAULT that is not the first half of a change of default."""
    if not isinstance(operation, ColumnOperation):
        return None
    if any(isinstance(later, (SetColumnDefault, AddIdentity, DropColumn)) for later in _later(operation, context)):
        return None
    table = context.table(operation.target)
    column = table.column(operation.column) if isinstance(table, Table) else None
    if isinstance(column, Column) and column.complete and column.default is None:
        return None  # there is none to drop
    if isinstance(column, Column) and column.not_null:
        return Hit(values={"then": "fail from now on (23502), for the column is NOT NULL"}, level="warning")
    if isinstance(column, Column) and column.complete:
        return Hit(values={"then": "store null from now on"})
    return Hit(values={"then": "store null from now on, or fail if the column is NOT NULL"})


def column_renamed(operation: Operation, context: Context) -> Hit | None:
    """RENAME COLUMN; names the functions that break, views follow by themselves."""
    if not isinstance(operation, RenameColumn):
        return None
    broken = sorted(_routines_naming(operation.column, context.resolve(operation.target), context))
    more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
    also = f" So does the body of {', '.join(broken[:_NAMED])}{more}." if broken else ""
    return Hit(values={"also": also})


def _later(operation: ColumnOperation, context: Context) -> Iterator[ColumnOperation]:
    """What the same statement, whose sub-commands run in an order of their own, and the later ones of the section do
    to the same column.
    """
    target = context.resolve(operation.target)
    for statement in (context.statement, *context.following):
        for other in statement.operations:
            if (
                isinstance(other, ColumnOperation)
                and other is not operation
                and other.column == operation.column
                and context.resolve(other.target) == target
            ):
                yield other


def _routines_naming(column: str, table: Name, context: Context) -> Iterator[str]:
    """Routines whose bodies name both the table and the column."""
    for routines in context.catalog.routines.values():
        for routine in routines or ():
            if _names(routine, column, table, context):
                yield f"{routine.name}()"


def _names(routine: Routine, column: str, table: Name, context: Context) -> bool:
    # Reading a body takes long; names that are not in its text are not in it.
    if routine.body is None or column not in routine.body or table.name.lower() not in routine.body.lower():
        return False
    return any(context.resolve(reference) == table for reference in context.knowledge.named_in_body(routine))
