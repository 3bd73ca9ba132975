"""Which tables of a family an operation has to do something to: the others have the column, or prove the check."""

from __future__ import annotations

from collections.abc import Iterable

from dflint.facts import subjects
from dflint.facts.proofs import proves_not_null
from dflint.model.catalog import Table
from dflint.model.context import Context
from dflint.model.names import Name
from dflint.model.schema import Constraint


def without_column(context: Context, family: Iterable[Name]) -> Iterable[Name]:
    """Those of ``family`` that do not have the column of ADD COLUMN yet."""
    column = subjects.column_name(context)
    if column is None:
        return ()
    return [name for name in family if not _has_column(context, name, column)]


def _has_column(context: Context, table: Name, column: str) -> bool:
    found = context.catalog.relations.get(table)
    return isinstance(found, Table) and any(each.name == column for each in found.columns)


def to_check(context: Context, family: Iterable[Name]) -> Iterable[Name]:
    """Those of ``family`` whose rows the new or not yet valid constraint has to be checked against."""
    return [name for name in family if not _is_proven(context, name)]


def _is_proven(context: Context, name: Name) -> bool:
    table, operation = context.catalog.relations.get(name), context.operation
    constraint = getattr(operation, "constraint", None)
    if not isinstance(table, Table):
        return False
    if operation.kind == "set_not_null":
        return proves_not_null(context, table, subjects.column_name(context) or "")
    if isinstance(constraint, Constraint):
        if constraint.no_inherit and name != subjects.table_name(context):
            return True
        if constraint.kind == "primary_key":
            return all(proves_not_null(context, table, column) for column in constraint.columns)
        if constraint.kind == "not_null":
            return proves_not_null(context, table, next(iter(constraint.columns), ""))
        return constraint.name is not None and any(each.name == constraint.name for each in table.constraints)
    wanted = getattr(operation, "name", None)
    found = next((each for each in table.constraints if each.name == wanted), None)
    return found is not None and found.validated
