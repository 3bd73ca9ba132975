"""ALTER TABLE of several clauses, as statements of one clause each, so that each can have its recipe."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

from msgspec import Struct
from msgspec.structs import replace

from dflint.facts.passes import is_part_of_alter_table
from dflint.history.foresight import foresee
from dflint.model.catalog import Index
from dflint.model.context import Context
from dflint.model.errors import InputError
from dflint.model.operations.tables import AlterColumnType, DropColumn
from dflint.model.schema import Constraint
from dflint.planning.statements import operations_of
from dflint.sql.clauses import with_clauses

#: Clauses for which the server copies the table: it does so once, for all of them together.
_COPYING = frozenset({"set_logged", "set_unlogged", "set_tablespace", "set_access_method"})


class Item(Struct, eq=False):
    """A statement, a clause of one, or two statements of which the first drops what the second adds otherwise.

    Attributes:
        sql: as it is written; two have ``;`` between them.
        contexts: of its operations; of two, those of the second.
        group: number of its transaction, 0 outside of one.
        statement: the one that the contexts are of.
        dropped: the constraint or index that the first one drops.
        clause: number of the clause in the statement that it was taken from; -1 for a whole statement.
    """

    sql: str
    contexts: list[Context]
    group: int
    statement: str = ""
    dropped: Constraint | Index | None = None
    clause: int = -1

    @property
    def after(self) -> str:
        """The kind of the first of two operations; "" where there is one."""
        if self.dropped is None:
            return ""
        return "drop_index" if isinstance(self.dropped, Index) else "drop_constraint"


def has_clauses(item: Item) -> bool:
    """Whether it is an ALTER TABLE of several clauses."""
    operations = [context.operation for context in item.contexts]
    several = len({operation.clause for operation in operations}) > 1
    return several and item.dropped is None and all(map(is_part_of_alter_table, operations))


def apart(item: Item) -> list[Item]:
    """The clauses, each as a statement, in the order in which the server works them off.

    One after the other they come to what they come to together, but for what others see between them.

    Raises:
        InputError: they do not, or it cannot be told.
    """
    operations = [context.operation for context in item.contexts]
    if any(operation.inside for operation in operations):
        raise InputError("it is a part of a block, which runs as a whole")
    changed = [operation for operation in operations if isinstance(operation, AlterColumnType)]
    kinds = {operation.kind for operation in operations}
    going = {operation.column for operation in operations if isinstance(operation, AlterColumnType | DropColumn)}
    for operation in changed:
        if operation.using is not None and going.intersection(operation.using.columns()) - {operation.column}:
            raise InputError("its clauses stay together: USING sees other columns as they were before all of them")
    if _COPYING & kinds and (changed or len(_COPYING & kinds) > 1):
        raise InputError("its clauses stay together: the server copies the table for all of them at once")
    return [_alone(item, context) for context in item.contexts]


def joined(item: Item, parts: Sequence[Item]) -> Item:
    """Some of an item's clauses as one statement again."""
    if len(parts) == 1:
        return parts[0]
    sql = with_clauses(item.sql, [each.clause for each in parts])
    return Item(sql, [context for each in parts for context in each.contexts], item.group)


def _alone(item: Item, context: Context) -> Item:
    number = context.operation.clause
    sql = with_clauses(item.sql, [number])
    found = operations_of(sql)
    if len(found) != 1 or found[0].kind != context.operation.kind:
        raise InputError("its clauses stay together: they cannot be told apart")
    made = replace(
        context,
        operation=found[0],
        statement=replace(context.statement, operations=found),
        answers={},
        _effect=None,
        _locks=None,
        _resolved={},
    )
    made.foresee = cache(partial(foresee, made))
    return Item(sql, [made], item.group, clause=number)
