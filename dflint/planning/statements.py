"""The statements of a step, as text and as operations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from msgspec.structs import astuple

from dflint.model.migration import Section, Span
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.indexes import Reindex, Vacuum
from dflint.model.schema import Constraint
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from dflint.sql.split import split


@cache
def parser() -> Parser:
    """The one parser of plans.

    Raises:
        ParserUnavailable: there is no libpg_query.
    """
    return Parser(load_library())


def statements_of(sql: str) -> list[str]:
    """The statements, without semicolons."""
    text = sql.encode()
    return [text[start:end].decode() for start, end in split(parser().library, text)]


def operations_of(sql: str) -> tuple[Operation, ...]:
    """What statements do."""
    text = sql.encode()
    statements = parser().parse(text, [Section("up", Span(0, len(text)))])[0]
    return tuple(operation for statement in statements for operation in statement.operations)


def names_in(operations: Iterable[Operation]) -> set[str]:
    """All names of objects that operations mention, without their schemas."""
    found: set[str] = set()
    for operation in operations:
        found.update(value.name for value in astuple(operation) if isinstance(value, Name))
        # The index behind USING INDEX.
        constraint = getattr(operation, "constraint", None)
        if isinstance(constraint, Constraint) and constraint.using_index is not None:
            found.add(constraint.using_index)
    return found


#: Kinds that PostgreSQL never lets run in a transaction block.
_ALONE = frozenset(
    """create_database drop_database create_tablespace drop_tablespace alter_system drop_subscription_with_slot
    commit_prepared rollback_prepared""".split()
)


def refused_in_transaction(operations: Sequence[Operation]) -> bool:
    """Whether a statement's form alone says that PostgreSQL refuses it in a transaction block."""
    return any(
        (bool(getattr(operation, "concurrently", False)) and operation.kind != "refresh_materialized_view")
        or isinstance(operation, Vacuum)
        or (isinstance(operation, Reindex) and operation.scope in ("schema", "database", "system"))
        or operation.kind in _ALONE
        for operation in operations
    )
