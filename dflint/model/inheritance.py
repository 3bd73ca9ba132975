"""Columns that tables have from their parents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from dflint.model.catalog import Relation, Table
from dflint.model.names import Name
from dflint.model.schema import Column


def losing_column(
    relations: Mapping[Name, Relation | None],
    children_of: Mapping[Name, tuple[Name, ...]],
    table: Name,
    column: str,
) -> list[Name]:
    """The tables whose column goes with a table's: the table, and descendants that have it from nowhere else.

    Args:
        relations, children_of: those of a catalog.
        table: whose column is dropped, and its children's with it.
        column: its name.
    """
    found, lost = [table], Counter[Name]()
    for name in found:
        for child in children_of.get(name, ()):
            below = relations.get(child)
            own = below.column(column) if isinstance(below, Table) else None
            lost[child] += 1
            if isinstance(own, Column) and own.inherited == lost[child] and not own.local:
                found.append(child)
    return found
