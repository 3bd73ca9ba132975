"""What goes with an operation beyond what it names: tables of a schema, partitions, columns of a dropped type."""

from __future__ import annotations

from typing import Final, NamedTuple

from dflint.model.catalog import Index, Table, View
from dflint.model.context import Context
from dflint.model.names import Identity, Name
from dflint.model.operations.data import Delete, Truncate, Update
from dflint.model.operations.objects import DropObject

#: What goes with them no catalog tells: it says neither whose objects are nor what other databases hold.
UNTOLD: Final = frozenset({"drop_owned", "drop_database"})


class Going(NamedTuple):
    """Relations and columns that were there before an operation and are not there after it."""

    relations: tuple[Name, ...] = ()
    columns: tuple[tuple[Name, str], ...] = ()


def going(context: Context) -> Going:
    """What a DROP takes away, by replay; nothing for other operations."""
    if not isinstance(context.operation, DropObject) or context.foresee is None:
        return Going()
    change = context.foresee()
    relations, columns = [], []
    for name in sorted(change.touched, key=lambda each: (each.schema or "", each.name)):
        before, after = context.catalog.relations.get(name), change.after.relations.get(name)
        if after is None and isinstance(before, Table | View):
            relations.append(name)
        elif isinstance(before, Table) and isinstance(after, Table):
            there = {column.name for column in after.columns}
            columns += [(name, column.name) for column in before.columns if column.name not in there]
    return Going(tuple(relations), tuple(columns))


def truncated(context: Context, operation: Truncate, rewrites: tuple[str, ...]) -> tuple[str, ...]:
    """The tables that TRUNCATE empties, by printed identity: with CASCADE also those that refer to its target."""
    resolved = context.resolve(operation.target)
    own = str(Identity("table", (resolved.schema or "public", resolved.name)))
    return (own, *(each for each in rewrites if each != own and each.startswith("table:")))


def one_row(context: Context, operation: Update | Delete) -> bool:
    """Whether WHERE asks for one value of each column of a unique key: one row at most is concerned."""
    if operation.where is None or operation.reads:
        return False
    asked, pending = set[str](), [operation.where]
    while pending:
        expr = pending.pop()
        if expr.kind == "and":
            pending += expr.args
        elif expr.kind == "operator" and expr.name == Name(None, "=") and len(expr.args) == 2:
            columns = [each.name.name for each in expr.args if each.kind == "column" and each.name is not None]
            if len(columns) == 1 and any(each.kind in ("constant", "parameter") for each in expr.args):
                asked.add(columns[0])
    return any(
        isinstance(index, Index)
        and index.unique
        and index.valid
        and index.where is None
        and all(element.column in asked for element in index.elements)
        for index in map(
            context.catalog.relation, context.catalog.indexes_of.get(context.resolve(operation.target), ())
        )
    )
