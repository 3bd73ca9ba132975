"""Queries that say before a change whether the rows that are there allow it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dflint.model.catalog import Table
from dflint.model.context import Context
from dflint.model.names import Name
from dflint.model.operations.tables import AddCheck, AddColumn, AddForeignKey, AddPrimaryKey, AddUnique, SetNotNull
from dflint.model.quoting import quote_identifier
from dflint.planning.undo.spelling import quoted


def looks(context: Context, condition: Callable[[AddCheck], str]) -> Iterator[str]:
    """Queries of which each gives no row where the server would not refuse the operation for a row.

    Args:
        context: of the operation.
        condition: gives the condition of a CHECK as SQL.
    """
    operation = context.operation
    if isinstance(operation, SetNotNull):
        column = quote_identifier(operation.column)
        yield f"SELECT ctid FROM {_table(context, operation.target)} WHERE {column} IS NULL LIMIT 10"
    elif isinstance(operation, AddColumn) and _without_value(operation):
        yield f"SELECT ctid FROM {_table(context, operation.target)} LIMIT 1"
    elif isinstance(operation, AddUnique | AddPrimaryKey) and operation.constraint.columns:
        columns = ", ".join(map(quote_identifier, operation.constraint.columns))
        present = " AND ".join(f"{quote_identifier(each)} IS NOT NULL" for each in operation.constraint.columns)
        yield (
            f"SELECT {columns}, count(*) FROM {_table(context, operation.target)} WHERE {present} "
            f"GROUP BY {columns} HAVING count(*) > 1 LIMIT 10"
        )
    elif isinstance(operation, AddCheck):
        yield f"SELECT ctid FROM {_table(context, operation.target)} WHERE NOT ({condition(operation)}) LIMIT 10"
    elif isinstance(operation, AddForeignKey):
        yield from _orphans(context, operation)


def _without_value(operation: AddColumn) -> bool:
    """Whether rows that are there would have no value in a column that needs one."""
    column = operation.column
    required = column.not_null or any(each.kind in ("not_null", "primary_key") for each in column.constraints)
    filled = column.default is not None or column.generated is not None or column.identity or column.serial
    return required and not filled


def _orphans(context: Context, operation: AddForeignKey) -> Iterator[str]:
    constraint = operation.constraint
    if constraint.references is None:
        return
    other = context.resolve(constraint.references)
    referenced = constraint.referenced_columns or _key_of(context, other)
    if len(referenced) != len(constraint.columns) or not referenced:
        return
    pairs = list(zip(constraint.columns, referenced, strict=True))
    present = " AND ".join(f"a.{quote_identifier(mine)} IS NOT NULL" for mine, _ in pairs)
    same = " AND ".join(f"b.{quote_identifier(theirs)} = a.{quote_identifier(mine)}" for mine, theirs in pairs)
    yield (
        f"SELECT a.ctid FROM {_table(context, operation.target)} a WHERE {present} "
        f"AND NOT EXISTS (SELECT FROM {quoted(other)} b WHERE {same}) LIMIT 10"
    )


def _key_of(context: Context, name: Name) -> tuple[str, ...]:
    table = context.catalog.relation(name)
    if not isinstance(table, Table):
        return ()
    return next((each.columns for each in table.constraints if each.kind == "primary_key"), ())


def _table(context: Context, name: Name) -> str:
    return quoted(context.resolve(name))
