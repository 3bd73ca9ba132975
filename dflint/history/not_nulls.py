"""NOT NULL: a mark of the column, and from PostgreSQL 18 on a constraint that has a name and descends to children."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from msgspec.structs import replace

from dflint.history.constraint_lists import names, replaced, require_columns, with_constraint
from dflint.history.draft import Draft
from dflint.history.naming import LIMIT, constraint_name
from dflint.model.catalog import Table
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint

#: From this major on NOT NULL is a constraint.
CONSTRAINTS_SINCE: Final = 18


def add_not_null(draft: Draft, table: Table, constraint: Constraint, *, only: bool) -> Table:
    """``table`` with NOT NULL as a constraint of its own; its children's are written here."""
    require_columns(table, constraint.columns)
    for column in constraint.columns:
        table = require_not_null(draft, table, column, replace(constraint, columns=(column,)), only=only)
    return table


def require_not_null(
    draft: Draft, table: Table, column: str, given: Constraint | None = None, *, only: bool = False
) -> Table:
    """``table`` with a column that is NOT NULL; its children's are written here, and get the constraint's name.

    Args:
        given: the constraint as it was written; None: without a name.
        only: children stay as they are.
    """
    validated = given is None or given.validated
    descends = not only and not (given is not None and given.no_inherit)
    if draft.version < CONSTRAINTS_SINCE:
        for child in draft.descendants(table.name, not descends) if validated else ():
            draft.put(not_null_column(child, column))
        return not_null_column(table, column) if validated else table
    if validated:
        table = not_null_column(table, column)
    had = not_null_of(table, column)
    table = put_not_null(draft, table, column, given)
    if had is None and descends:
        stored = not_null_of(table, column)
        assert stored is not None
        for child_name in draft.children_of.get(table.name, ()):
            _inherit(draft, child_name, stored)
    return table


def _inherit(draft: Draft, name: Name, constraint: Constraint) -> None:
    """What a parent's new constraint makes of a child, and of its children where it had none."""
    child, (column,) = draft.known_table(name), constraint.columns
    if child is None or child.column(column) is None:
        return
    if constraint.validated:
        child = not_null_column(child, column)
    own = not_null_of(child, column)
    if own is not None:
        validated = own.validated or constraint.validated
        draft.put(replaced(child, own, replace(own, inherited=own.inherited + 1, validated=validated)))
        return
    draft.put(with_constraint(child, replace(constraint, local=False, inherited=1)))
    for below in draft.children_of.get(name, ()):
        _inherit(draft, below, constraint)


def not_null_of(table: Table, column: str) -> Constraint | None:
    """The NOT NULL constraint on a column."""
    return next((each for each in table.constraints if each.kind == "not_null" and each.columns == (column,)), None)


def not_null_column(table: Table, name: str) -> Table:
    """``table`` with that column known to hold no nulls."""
    found = table.column(name)
    if isinstance(found, Column) and found.not_null:
        return table
    columns = tuple([replace(c, not_null=True) if c.name == name and not c.not_null else c for c in table.columns])
    if not table.complete and all(c.name != name for c in columns):
        columns = (*columns, Column(name, not_null=True, complete=False))
    return replace(table, columns=columns)


def put_not_null(draft: Draft, table: Table, column: str, given: Constraint | None = None) -> Table:
    """``table`` with a NOT NULL constraint on the column, as PostgreSQL 18 keeps them; one it has is validated."""
    old = not_null_of(table, column)
    if old is not None:
        return table if old.validated else replaced(table, old, replace(old, validated=True))
    name = given.name if given is not None else None
    if name is None:
        name = constraint_name(draft, table.name, column, "not_null", names(table))
    stored = Constraint("not_null", name, (column,)) if given is None else replace(given, name=name, at=-1)
    return with_constraint(table, stored)


def own_not_null(draft: Draft, table: Table, column: str, given: Constraint | None = None) -> Table:
    """A new table's own NOT NULL: one that its parents have too is its own as well, and called by its own name."""
    old = not_null_of(table, column)
    if old is None or old.local:
        return put_not_null(draft, table, column, given)
    name = given.name if given is not None else None
    if name is None:
        name = constraint_name(draft, table.name, column, "not_null", names(table))
    return replaced(table, old, replace(old, name=name, local=True))


def with_not_nulls(draft: Draft, table: Table, own: Collection[str]) -> Table:
    """The constraint for every column that is NOT NULL, in one go: a new table has many.

    Args:
        own: columns for which the table itself says so.
    """
    (schema, first), owners = table.name, draft.owners_of_constraint
    taken: set[str | None] = {*names(table)}
    have = {constraint.columns for constraint in table.constraints if constraint.kind == "not_null"}
    plain = first.isascii()
    come: list[Constraint] = []
    for column in table.columns:
        if not column.not_null:
            continue
        second = column.name
        if (second,) in have:
            if second in own:
                table = own_not_null(draft, table, second)
            continue
        name = f"{first}_{second}_not_null"
        if not plain or len(name) > LIMIT or not second.isascii() or name in taken or (schema, name) in owners:
            name = constraint_name(draft, table.name, second, "not_null", taken)
        taken.add(name)
        come.append(Constraint("not_null", name, (second,)))
    return replace(table, constraints=(*table.constraints, *come)) if come else table


def without_not_null(table: Table, column: str) -> Table:
    """``table`` without the NOT NULL constraint on the column."""
    kept = tuple([c for c in table.constraints if c.kind != "not_null" or c.columns != (column,)])
    return table if len(kept) == len(table.constraints) else replace(table, constraints=kept)
