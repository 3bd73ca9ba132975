"""The constraints that a table has, as a list."""

from __future__ import annotations

from msgspec.structs import replace

from dflint.history.draft import Refused
from dflint.model.catalog import Table
from dflint.model.schema import Constraint


def names(table: Table) -> list[str | None]:
    """The names that the table's constraints take, written or not."""
    return [constraint.name for constraint in table.constraints]


def with_constraint(table: Table, constraint: Constraint) -> Table:
    """``table`` with one constraint more."""
    return replace(table, constraints=(*table.constraints, constraint))


def replaced(table: Table, old: Constraint, new: Constraint) -> Table:
    """``table`` with one constraint replaced."""
    return replace(table, constraints=tuple([new if c is old or c == old else c for c in table.constraints]))


def require_columns(table: Table, columns: tuple[str, ...]) -> None:
    """Refuse columns that the table is known not to have."""
    for name in columns if table.complete else ():
        if table.column(name) is None:
            raise Refused
