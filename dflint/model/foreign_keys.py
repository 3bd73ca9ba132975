"""Foreign keys between tables: what follows from changes of rows, and which tables need each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from dflint.model.names import Name, print_identity
from dflint.model.schema import Action, Constraint


class ForeignKey(Struct, frozen=True, kw_only=True):
    """One foreign key. A composite one is one, and so is one between partitioned tables.

    Attributes:
        name: of the constraint.
        table: which has it.
        references: the table it refers to.
        pairs: own column and referenced column, in the order of the constraint.
        on_delete, on_update: what becomes of rows when the row that they refer to is deleted, or its key changed.
        set_columns: the columns of ON DELETE SET NULL (…) and SET DEFAULT (…); empty: all.
        match: how rows with some NULLs are seen.
        validated: False after NOT VALID.
        enforced: False after NOT ENFORCED (PostgreSQL 18): nothing is checked, and no action is taken.
        deferrable, initially_deferred: when it is checked.
        period: the last columns are periods (PERIOD, PostgreSQL 18).
    """

    name: str
    table: Name
    references: Name
    pairs: tuple[tuple[str, str], ...]
    on_delete: Action = "no_action"
    on_update: Action = "no_action"
    set_columns: tuple[str, ...] = ()
    match: str = "simple"
    validated: bool = True
    enforced: bool = True
    deferrable: bool = False
    initially_deferred: bool = False
    period: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The own columns."""
        return tuple([own for own, _ in self.pairs])

    @property
    def referenced_columns(self) -> tuple[str, ...]:
        """The columns that they refer to."""
        return tuple([referenced for _, referenced in self.pairs])

    @property
    def identity(self) -> str:
        """Its printed identity."""
        return print_identity("fk", self.table.schema or "public", self.table.name, self.name)


class ForeignKeyNet(Struct, frozen=True):
    """Foreign keys, and what else of their tables matters when rows change.

    Attributes:
        keys: sorted by table and name; partitions' copies of a partitioned table's keys are left out.
        rows: estimates of how many rows the tables have; None: nobody knows.
        partitions: partition -> the table that it is a partition of.
        children: table -> the tables that inherit from it, partitions left out.
        generated: table -> generated column -> the columns that it is computed from.
        not_null: table -> columns that cannot be NULL, of those that keys have.
        partitioned_by: partitioned table -> the columns by whose values rows go to partitions; None: any may be one.
        moving_deletes: for keys that refer to the whole table, a row that goes to another partition is deleted: before
            PostgreSQL 15.
        links: tables and what they refer to, also by keys of which nothing else is known.
    """

    keys: tuple[ForeignKey, ...]
    rows: Mapping[Name, int | None]
    partitions: Mapping[Name, Name]
    children: Mapping[Name, tuple[Name, ...]]
    generated: Mapping[Name, Mapping[str, tuple[str, ...]]]
    not_null: Mapping[Name, frozenset[str]]
    partitioned_by: Mapping[Name, frozenset[str] | None]
    moving_deletes: bool
    links: frozenset[tuple[Name, Name]]


#: From this major on partitioned tables may have foreign keys that are NOT VALID.
NOT_VALID_ON_PARTITIONED: Final = 18
#: See `ForeignKeyNet.moving_deletes`.
MOVING_UPDATES_SINCE: Final = 15


def foreign_key(table: Name, constraint: Constraint, referenced_columns: tuple[str, ...]) -> ForeignKey | None:
    """A table's constraint as a foreign key; None where it is none, or not completely known.

    Args:
        table: which has it.
        constraint: of the catalog.
        referenced_columns: those of the primary key it means, where it names none.
    """
    referenced = constraint.referenced_columns or referenced_columns
    if constraint.kind != "foreign_key" or constraint.references is None or constraint.name is None:
        return None
    if len(referenced) != len(constraint.columns):
        return None
    return ForeignKey(
        name=constraint.name,
        table=table,
        references=constraint.references,
        pairs=tuple(zip(constraint.columns, referenced, strict=True)),
        on_delete=constraint.on_delete,
        on_update=constraint.on_update,
        set_columns=constraint.set_columns,
        match=constraint.match,
        validated=constraint.validated,
        enforced=constraint.enforced,
        deferrable=constraint.deferrable,
        initially_deferred=constraint.initially_deferred,
        period=constraint.without_overlaps,
    )
