"""What writing rows locks beside the table written: sequences of defaults, and the other side of foreign keys."""

from __future__ import annotations

from collections.abc import Iterable

from dflint.facts import subjects
from dflint.facts.role_steps import sequences
from dflint.model.catalog import Sequence, Table
from dflint.model.context import Context
from dflint.model.dependencies import sequences_named
from dflint.model.names import Name


def default_sequences(context: Context) -> Iterable[Name]:
    """sequences that defaults of the columns an INSERT leaves out take a value from"""
    operation, name, table = context.operation, subjects.table_name(context), subjects.table(context)
    written = getattr(operation, "columns", ())
    everything = operation.kind == "insert" and not written and getattr(operation, "source", "") != "default"
    if not isinstance(name, Name) or not isinstance(table, Table) or operation.kind != "insert" or everything:
        return ()
    left_out = [column for column in table.columns if column.name not in written]
    found = {each for column in left_out if column.default is not None for each in sequences_named(column.default)}
    identities = {column.name for column in left_out if column.identity}
    for each in sequences((name,), context.catalog):
        owned = context.catalog.relations.get(each)
        if isinstance(owned, Sequence) and owned.owner_column in identities:
            found.add(each)
    return found


def checked_keys(context: Context) -> Iterable[Name]:
    """tables in which foreign keys on the columns that INSERT or UPDATE writes are looked up"""
    operation, table = context.operation, subjects.table(context)
    if not isinstance(table, Table):
        return ()
    if operation.kind == "update":
        written = set(getattr(operation, "assigned", ()))
    else:
        names = getattr(operation, "columns", ())
        given = {column.name for column in table.columns if column.default is not None or column.identity}
        written = given | set(names) if names or getattr(operation, "source", "") == "default" else set()
        if not names and getattr(operation, "source", "") != "default":
            written = {column.name for column in table.columns}
    keys = (constraint for constraint in table.constraints if constraint.references is not None)
    wanted = any if operation.kind == "update" else all
    return dict.fromkeys(
        key.references
        for key in keys
        if key.references is not None and wanted(column in written for column in key.columns)
    )
