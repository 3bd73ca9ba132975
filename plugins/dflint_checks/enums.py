"""Checks about enum types."""

from __future__ import annotations

from collections.abc import Iterator

from dflint.model.context import Context, Hit
from dflint.model.enum_use import enum_columns, made_in_transaction, needs_value
from dflint.model.operations.base import Operation

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
    if context.version >= _SAME_TRANSACTION and made_in_transaction(enum, context):
        return None
    columns = enum_columns(enum, context)
    for later in _rest_of_transaction(context):
        use = needs_value(later, value, enum, columns, context)
        if use is not None:
            return Hit(
                values={"value": value, "use": _spelled(later)},
                certain=use,
                because=f"whether '{value}' is among the values that it names",
            )
    return None


def _rest_of_transaction(context: Context) -> Iterator[Operation]:
    for statement in context.following:
        for later in statement.operations:
            if later.kind in _ENDS:
                return
            yield later


def _spelled(later: Operation) -> str:
    words = later.kind.replace("_", " ").upper()
    return words if later.target is None else f"{words} on {later.target}"
