"""Locks on what a new dependency points to.

The minor releases of August 2026 lock every relation, ACCESS SHARE, on which the server is about to record that
something depends, so that nobody drops it meanwhile: the index behind the key that a new foreign key refers to, the
sequence in a new default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from dflint.facts import subjects
from dflint.facts.condition import BOOL, Condition
from dflint.facts.key_indexes import relied_on
from dflint.model.catalog import UNKNOWN, Catalog, Table, Unknown
from dflint.model.context import Context
from dflint.model.dependencies import sequences_named
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint

#: For each major the last minor release seen not to take these locks, and the first seen to take them.
_SEEN: Final = {13: (23, None), 14: (23, None), 15: (18, 19), 16: (14, 15), 17: (10, 11), 18: (4, 6)}


def locks_dependencies(context: Context) -> bool | Unknown:
    """The server's minor release locks what new dependencies point to; where only the major is known, its newest."""
    last, first = _SEEN.get(context.version, (0, 0))
    minor = context.catalog.minor if context.catalog.version == context.version else None
    if minor is None:
        return first is not None
    if minor <= last:
        return False
    return True if first is not None and minor >= first else UNKNOWN


def new_dependencies(context: Context) -> Iterable[Name]:
    """The keys' indexes of new foreign keys, and the sequences of new defaults"""
    if context.foresee is None or locks_dependencies(context) is False:
        return ()
    return dict.fromkeys(_pointed_to(context))


def _pointed_to(context: Context) -> Iterator[Name]:
    before, change = context.catalog, context.foresee() if context.foresee is not None else None
    if change is None:
        return
    retyped = subjects.column_name(context) if context.operation.kind == "alter_column_type" else None
    for name in sorted(change.touched):
        old, new = before.relations.get(name), change.after.relations.get(name)
        if not isinstance(new, Table):
            continue
        had = old if isinstance(old, Table) else Table(name)
        for constraint in new.constraints:
            if not _had(had, constraint):
                found = list(_key_indexes(name, constraint, before))
                # That of a partition which is being made is a copy: it depends on the parent's key only.
                yield from found[:1] if old is None and constraint.inherited else found
        for column in new.columns:
            if column.default is not None and not _same_default(had, column, retyped):
                yield from sequences_named(column.default)
        if had.parents and not new.parents:
            # Its part of the foreign key to a partitioned table becomes one of its own, with a part for each partition.
            # One that it had before it was attached has those already.
            for constraint in had.constraints:
                if not constraint.local:
                    yield from list(_key_indexes(name, constraint, before))[1:]
        if new.parents and new.parents != had.parents:
            for constraint in _referring(new.parents, before):
                yield from _key_indexes(name, replace(constraint, name=None, references=name), before)
    target = subjects.table_name(context)
    if retyped is not None and isinstance(target, Name):
        for owner, constraint in _made_anew(target, retyped, before):
            yield from _key_indexes(owner, constraint, before)


def _had(table: Table, constraint: Constraint) -> bool:
    """Whether the table has the foreign key already: one that comes from a parent adopts one that is alike."""
    return any(
        each.name == constraint.name
        or (
            bool(constraint.inherited)
            and (each.kind, each.columns, each.references)
            == (constraint.kind, constraint.columns, constraint.references)
        )
        for each in table.constraints
    )


def _referring(tables: Iterable[Name], catalog: Catalog) -> Iterator[Constraint]:
    """The foreign keys that refer to one of the tables."""
    for table in tables:
        for name in catalog.dependents_of.get(table, ()):
            found = catalog.relations.get(name)
            if isinstance(found, Table):
                yield from [each for each in found.constraints if each.references == table]


def _same_default(table: Table, column: Column, retyped: str | None) -> bool:
    old = table.column(column.name)
    return isinstance(old, Column) and old.default == column.default and column.name != retyped


def _made_anew(table: Name, column: str, catalog: Catalog) -> Iterator[tuple[Name, Constraint]]:
    """The foreign keys that ALTER COLUMN TYPE drops and makes again: from the column, and to it."""
    for name in (table, *catalog.dependents_of.get(table, ())):
        found = catalog.relations.get(name)
        if not isinstance(found, Table):
            continue
        for constraint in found.constraints:
            if constraint.kind == "foreign_key" and (
                (name == table and column in constraint.columns)
                or (constraint.references == table and column in constraint.referenced_columns)
            ):
                yield name, constraint


def _key_indexes(owner: Name, constraint: Constraint, catalog: Catalog) -> Iterator[Name]:
    """The index behind the key that a foreign key refers to, as far as it exists, and those of partitions."""
    index = relied_on(owner, constraint, catalog)
    pending = [] if index is None else [index]
    yield from pending
    while pending:
        # A foreign key to a partitioned table depends on the index of each partition.
        parts = catalog.children_of.get(pending.pop(), ())
        yield from parts
        pending.extend(parts)


CONDITIONS: tuple[Condition, ...] = (
    Condition("server.locks_dependencies", BOOL, locks_dependencies, "the minor release", catalog=False),
)
