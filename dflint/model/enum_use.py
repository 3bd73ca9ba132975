"""Which statements need a certain value of an enum: in a default, a CHECK, a comparison, a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dflint.model.catalog import Table
from dflint.model.context import Context
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.tables import AddCheck, AddColumn, CreateTable, SetColumnDefault
from dflint.model.schema import Column, Constraint


def made_in_transaction(enum: Name, context: Context) -> bool:
    """The type was created earlier in the same transaction."""
    return any(
        earlier.operation.kind == "create_enum"
        and earlier.operation.target is not None
        and context.catalog.resolve_type(earlier.operation.target, earlier.session.search_path) == enum
        for earlier in context.earlier
    )


def enum_columns(enum: Name, context: Context) -> dict[Name, frozenset[str]]:
    """The columns of that type, by table."""
    found: dict[Name, frozenset[str]] = {}
    for user in context.catalog.users_of_type.get(enum, ()):
        table = context.catalog.table(user)
        if isinstance(table, Table):
            found[user] = frozenset(
                column.name for column in table.columns if column.type is not None and column.type.name == enum
            )
    return found


def needs_value(
    later: Operation, value: str, enum: Name, columns: dict[Name, frozenset[str]], context: Context
) -> bool | None:
    """Whether a statement needs a value of an enum: None for no, False for perhaps; ``columns`` are `enum_columns`."""
    own = _own_enum_columns(later, enum, context)
    if later.target is not None:
        own |= columns.get(context.resolve(later.target), frozenset())
    expressions = list(_expressions(later))
    for expr in expressions:
        if _means(expr, value, enum, own, context):
            return True
    written = {*getattr(later, "assigned", ()), *getattr(later, "columns", ())} if _writes(later) else set()
    if own & written or (later.kind == "insert" and own and not written):
        return False
    return None


def _writes(later: Operation) -> bool:
    return later.kind in ("insert", "update", "merge", "copy")


def _own_enum_columns(later: Operation, enum: Name, context: Context) -> frozenset[str]:
    """Columns of the type that the statement itself defines."""
    new: tuple[Column, ...] = ()
    if isinstance(later, AddColumn):
        new = (later.column,)
    elif isinstance(later, CreateTable):
        new = later.columns
    return frozenset(column.name for column in new if column.type is not None and _is_enum(column.type, enum, context))


def _is_enum(type_: Type, enum: Name, context: Context) -> bool:
    return context.catalog.resolve_type(type_.name, context.session.search_path) == enum


def _expressions(later: Operation) -> Iterator[Expr]:
    """The expressions of a statement, a default as a comparison with its column."""
    if isinstance(later, AddColumn):
        yield from _of_columns((later.column,))
    elif isinstance(later, CreateTable):
        yield from _of_columns(later.columns)
        yield from _of_constraints(later.constraints)
    elif isinstance(later, SetColumnDefault):
        yield _assigned(later.column, later.default)
    elif isinstance(later, AddCheck):
        yield from _of_constraints((later.constraint,))
    where = getattr(later, "where", None)
    if isinstance(where, Expr):
        yield where


def _of_columns(columns: Iterable[Column]) -> Iterator[Expr]:
    for column in columns:
        if column.default is not None:
            yield _assigned(column.name, column.default)
        yield from _of_constraints(column.constraints)


def _of_constraints(constraints: Iterable[Constraint]) -> Iterator[Expr]:
    return (constraint.expression for constraint in constraints if constraint.expression is not None)


def _assigned(column: str, default: Expr) -> Expr:
    return Expr("operator", Name(None, "="), (Expr("column", Name(None, column)), default))


def _means(expr: Expr, value: str, enum: Name, columns: frozenset[str], context: Context) -> bool:
    """Whether the expression has the value as one of that type: cast to it, or next to a column of it."""
    for part in expr.walk():
        if part.kind == "cast":
            near = part.type is not None and _is_enum(part.type, enum, context)
        elif part.kind in ("operator", "in", "between"):
            near = any(each.kind == "column" and each.name and each.name.name in columns for each in part.args)
        else:
            continue
        if near and any(each.kind == "constant" and each.value == value for each in part.walk()):
            return True
    return False
