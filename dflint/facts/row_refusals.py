"""Conditions of refusals that are about statements on rows: the columns they name."""

from __future__ import annotations

from collections.abc import Callable

from dflint.facts.condition import BOOL, Condition
from dflint.model.catalog import UNKNOWN, Table, Unknown, View
from dflint.model.context import Context
from dflint.model.expressions import Expr
from dflint.model.schema import Column

Answer = bool | Unknown

_SYSTEM = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


def _columns(context: Context) -> frozenset[str] | Unknown | None:
    """The columns of the table or view whose rows are written."""
    found = None if context.operation.target is None else context.relation(context.operation.target)
    if isinstance(found, View):
        return UNKNOWN if found.columns is None else frozenset(column.name for column in found.columns)
    if isinstance(found, Table):
        return frozenset(column.name for column in found.columns) if found.complete else UNKNOWN
    return UNKNOWN if found is UNKNOWN else None


def _named(context: Context) -> set[str]:
    field = "columns" if context.operation.kind == "insert" else "assigned"
    return set(getattr(context.operation, field, ()))


def written_exist(context: Context) -> Answer:
    """All columns that INSERT or UPDATE names to be written are columns of its target."""
    columns, named = _columns(context), _named(context)
    if context.operation.kind == "update":
        named -= _SYSTEM
    if not named or columns is None:
        return True
    return UNKNOWN if isinstance(columns, Unknown) else named <= columns


def written_system(context: Context) -> bool:
    """UPDATE assigns to a column that every table has: ctid, xmin, tableoid, …"""
    return not _named(context).isdisjoint(_SYSTEM)


def update_gives_generated(context: Context) -> Answer:
    """UPDATE gives a generated column a value other than DEFAULT."""
    return _gives(context, lambda column: column.generated is not None)


def update_gives_identity(context: Context) -> Answer:
    """UPDATE gives a column that is GENERATED ALWAYS AS IDENTITY a value other than DEFAULT."""
    return _gives(context, lambda column: column.identity == "always")


def _gives(context: Context, test: Callable[[Column], bool]) -> Answer:
    table = None if context.operation.target is None else context.table(context.operation.target)
    if not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else False
    given = _named(context).difference(getattr(context.operation, "defaulted", ()))
    return any(test(column) for column in table.columns if column.name in given)


def where_columns_exist(context: Context) -> Answer:
    """All columns that the WHERE of UPDATE or DELETE names are columns of its target, where it reads nothing else."""
    operation, columns = context.operation, _columns(context)
    where, target = getattr(operation, "where", None), operation.target
    if not isinstance(where, Expr) or target is None or columns is None:
        return True
    if getattr(operation, "reads", ()) or any(part.kind == "subquery" for part in where.walk()):
        return UNKNOWN
    if isinstance(columns, Unknown):
        return UNKNOWN
    # The name of the table itself means the whole row.
    known = columns | _SYSTEM | {getattr(operation, "alias", None) or target.name}
    return set(where.columns()) <= known


_COLUMNS = "the columns of {target}"

CONDITIONS: tuple[Condition, ...] = (
    Condition("written.exist", BOOL, written_exist, _COLUMNS),
    Condition("written.system", BOOL, written_system, catalog=False),
    Condition("update.gives_generated", BOOL, update_gives_generated, _COLUMNS),
    Condition("update.gives_identity", BOOL, update_gives_identity, _COLUMNS),
    Condition("where.columns_exist", BOOL, where_columns_exist, _COLUMNS),
)
