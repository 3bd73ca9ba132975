"""Checks about enum types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dflint.model.catalog import Table
from dflint.model.context import Context, Hit
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.tables import AddCheck, AddColumn, CreateTable, SetColumnDefault
from dflint.model.schema import Column, Constraint

#: Statements that end the transaction.
_ENDS = frozenset({"commit", "rollback", "prepare_transaction"})
#: PostgreSQL 17 knows that nobody else can see a type made in the same transaction.
_SAME_TRANSACTION = 17


def enum_value_used_in_transaction(operation: Operation, context: Context) -> Hit | None:
    """ALTER TYPE … ADD VALUE, and a later statement of the same transaction needs the value."""
    value, target = getattr(operation, "value", None), operation.target
    if not isinstance(value, str) or target is None:
        return None
    enum = context.catalog.resolve_type(target, context.session.search_path)
    if context.version >= _SAME_TRANSACTION and _made_in_transaction(enum, context):
        return None
    columns = _enum_columns(enum, context)
    for later in _rest_of_transaction(context):
        use = _use(later, value, enum, columns, context)
        if use is not None:
            return Hit(
                values={"value": value, "use": _spelled(later)},
                certain=use,
                because=f"whether '{value}' is among the values that it names",
            )
    return None


def _made_in_transaction(enum: Name, context: Context) -> bool:
    return any(
        earlier.operation.kind == "create_enum"
        and earlier.operation.target is not None
        and context.catalog.resolve_type(earlier.operation.target, earlier.session.search_path) == enum
        for earlier in context.earlier
    )


def _rest_of_transaction(context: Context) -> Iterator[Operation]:
    for statement in context.following:
        for later in statement.operations:
            if later.kind in _ENDS:
                return
            yield later


def _enum_columns(enum: Name, context: Context) -> dict[Name, frozenset[str]]:
    """The columns of that type, by table."""
    found: dict[Name, frozenset[str]] = {}
    for user in context.catalog.users_of_type.get(enum, ()):
        table = context.catalog.table(user)
        if isinstance(table, Table):
            found[user] = frozenset(
                column.name for column in table.columns if column.type is not None and column.type.name == enum
            )
    return found


def _use(
    later: Operation, value: str, enum: Name, columns: dict[Name, frozenset[str]], context: Context
) -> bool | None:
    """Whether a statement needs the value: None for no, False for perhaps."""
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


def _spelled(later: Operation) -> str:
    words = later.kind.replace("_", " ").upper()
    return words if later.target is None else f"{words} on {later.target}"
