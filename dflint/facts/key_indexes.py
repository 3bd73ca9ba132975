"""Which unique index a foreign key relies on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from immutables import Map

from dflint.model.catalog import Details, Index, Relation, Table
from dflint.model.names import Identity, Name
from dflint.model.schema import Constraint


class Known(Protocol):
    """What is looked at: a catalog, or the draft of one."""

    @property
    def relations(self) -> Map[Name, Relation | None]:
        """By name."""

    @property
    def indexes_of(self) -> Map[Name, tuple[Name, ...]]:
        """By table."""

    @property
    def details(self) -> Details:
        """What the server told."""


def relied_on(owner: Name, key: Constraint, catalog: Known) -> Name | None:
    """The index behind the key that a foreign key refers to; None where the catalog does not show it.

    Where it is not recorded and several would do, the primary key's is taken, then one of a constraint.

    Args:
        owner: the table with the foreign key.
        key: a foreign key; one that is yet to be made has no record.
        catalog: before the operation.
    """
    return next(iter(may_rely_on(owner, key, catalog)), None)


def may_rely_on(owner: Name, key: Constraint, catalog: Known) -> tuple[Name, ...]:
    """The indexes of which a foreign key relies on one: just this one where the server keeps a record of it.

    Args: those of `relied_on`.
    """
    if key.kind != "foreign_key" or key.references is None:
        return ()
    recorded = _recorded(owner, key, catalog)
    return tuple(_candidates(key, catalog)) if recorded is None else (recorded,)


def _recorded(owner: Name, key: Constraint, catalog: Known) -> Name | None:
    if key.name is None or owner.schema is None:
        return None
    for record in catalog.details.dependencies.get(str(Identity("fk", (owner.schema, owner.name, key.name))), ()):
        if record.referenced.startswith("index:"):
            name = Name(*Identity.parse(record.referenced).parts)
            found = catalog.relations.get(name)
            if isinstance(found, Index) and found.table == key.references:
                return name
    return None


def _candidates(key: Constraint, catalog: Known) -> Iterator[Name]:
    table = catalog.relations.get(key.references) if key.references is not None else None
    if not isinstance(table, Table):
        return
    primary = next((each for each in table.constraints if each.kind == "primary_key"), None)
    wanted = key.referenced_columns or (primary.columns if primary is not None else ())
    first = None if primary is None else primary.index
    found = [catalog.relations.get(name) for name in catalog.indexes_of.get(table.name, ())]
    unique = [index for index in found if isinstance(index, Index) and index.unique and index.where is None]
    for index in sorted(unique, key=lambda index: (index.name != first, index.constraint is None)):
        columns = [element.column for element in index.elements]
        if len(columns) == len(wanted) and set(columns) == set(wanted):
            yield index.name
