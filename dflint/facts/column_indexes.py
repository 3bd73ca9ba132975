"""Which indexes a change of a column's type concerns, and which of them have to be built again."""

from __future__ import annotations

from collections.abc import Iterable

from dflint.facts import subjects
from dflint.facts.type_change import collation_changes, type_change
from dflint.model.catalog import Index
from dflint.model.context import Context
from dflint.model.names import Name


def indexes_of_column(context: Context, tables: Iterable[Name]) -> Iterable[Name]:
    """The indexes of ``tables`` that use the operation's column as key, in INCLUDE, an expression or the predicate."""
    column = subjects.column_name(context)
    if column is None:
        return ()
    return tuple(index.name for table in tables for index in subjects.indexes(context, table) if uses(index, column))


def converted_indexes(context: Context, tables: Iterable[Name]) -> Iterable[Name]:
    """Those of the `indexes_of_column` that cannot keep their file.

    An index with any expression or predicate is never compared; of the others the key columns' operator class and
    collation must stay the same.
    """
    column = subjects.column_name(context)
    if column is None:
        return ()
    keys_change = type_change(context) != "none"
    collation = collation_changes(context)
    return tuple(
        index.name
        for table in tables
        for index in subjects.indexes(context, table)
        if uses(index, column) and (not _plain(index) or (keys_change and _key_changes(index, column, collation)))
    )


def uses(index: Index, column: str) -> bool:
    """Whether the index depends on that column of its table."""
    return (
        _in_key(index, column)
        or column in index.include
        or any(each.expression is not None and column in each.expression.columns() for each in index.elements)
        or (index.where is not None and column in index.where.columns())
    )


def _key_changes(index: Index, column: str, collation: bool) -> bool:
    """Whether a key on the column changes with it: a collation of the index's own does not."""
    return any(each.column == column and not (collation and each.collation is not None) for each in index.elements)


def _in_key(index: Index, column: str) -> bool:
    return any(element.column == column for element in index.elements)


def _plain(index: Index) -> bool:
    # Indexes attached to one of a partitioned table are made again by that one, which has no file to keep.
    whole = index.where is None and all(element.expression is None for element in index.elements)
    return whole and index.valid and not index.parents
