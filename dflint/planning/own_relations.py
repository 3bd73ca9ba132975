"""Which relations of its own making a statement is about, and which names mean something else after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dflint.model.context import Context
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import (
    GrantRole,
    OwnedObjects,
    RenameColumn,
    RenameConstraint,
    RenameEnumValue,
    RenameObject,
    SetObjectSchema,
)
from dflint.model.operations.tables import AlterColumnType

#: Kinds of relations that statements make under their own name.
MADE_UNDER_THEIR_NAME: Final = frozenset({"table", "foreign_table", "view", "materialized_view", "sequence"})


def relations_of_its_own(contexts: Sequence[Context]) -> set[Name]:
    """The relations of the plan's own that a statement is about, under all their names; none if it is about others."""
    found: set[Name] = set()
    for context in contexts:
        operation = context.operation
        target = getattr(operation, "on", None) or operation.target
        if target is None:
            return set()
        name = context.resolve(target)
        own = name in context.created or context.catalog.relations.get(name) is None
        if not own or isinstance(operation, (GrantRole, OwnedObjects)):
            return set()
        found.add(name)
        if isinstance(operation, RenameObject):
            found.add(Name(name.schema, operation.new_name))
        elif isinstance(operation, SetObjectSchema):
            found.add(Name(operation.schema, name.name))
    return found


def no_longer(operation: Operation) -> str | None:
    """A name that is another one, or means another thing, after the operation."""
    match operation:
        case RenameObject() | SetObjectSchema():
            return operation.target.name
        case RenameColumn() | AlterColumnType():
            return operation.column
        case RenameConstraint():
            return operation.name
        case RenameEnumValue():
            return operation.value
    return None
