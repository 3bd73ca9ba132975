"""The inverse of an operation, by the catalog before it.

A step is taken back by statements where these bring back the very catalog that was there, and no row is lost; else it
is irreversible, and says why. What the catalog does not say is not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from dflint.model.catalog import Catalog
from dflint.model.context import Context
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import DropObject
from dflint.model.plan import Undo
from dflint.planning.undo.before import NO_INVERSE, Before, Irreversible, Nothing
from dflint.planning.undo.inverses import INVERSES
from dflint.planning.undo.own import is_own

__all__ = ["Undone", "undo", "undo_of"]

_Inverse = Callable[[Before, Any], list[str]]


class Undone(Struct, frozen=True):
    """How some operations are taken back, in the order in which that is done; or why it is not possible."""

    sql: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @classmethod
    def joined(cls, parts: Sequence[Undone]) -> Undone:
        """The inverse of several in turn."""
        statements = tuple(statement for part in reversed(parts) for statement in part.sql)
        return cls(statements, tuple(dict.fromkeys(reason for part in parts for reason in part.reasons)))

    def undo(self) -> Undo:
        """As a step has it."""
        return Undo(irreversible="; ".join(self.reasons)) if self.reasons else Undo(self.sql)


def undo(
    operation: Operation,
    catalog: Catalog,
    *,
    definitions: Mapping[str, str] | None = None,
    search_path: Sequence[str] = ("public",),
) -> Undo:
    """How an operation is taken back.

    Args:
        operation: as the statement's only one.
        catalog: before it.
        definitions: how the server prints things of which the catalog holds only what judging needs: printed identity
            -> the query of a view, the definition of a constraint after its name, the whole CREATE statement of an
            index, trigger, rule, policy, routine or statistics; ``default:`` and ``bound:`` with the identity's parts
            -> the expression of a default or generated column, the bound of a partition. See
            `dflint.catalog.definitions.read_definitions`.
        search_path: in force.
    """
    before = Before(operation, catalog, path=search_path, definitions=definitions)
    return _inverse(before).undo()


def undo_of(contexts: Sequence[Context], definitions: Mapping[str, str]) -> Undone:
    """The inverse of a statement.

    Args:
        contexts: of its operations, in the order in which the server works them off.
        definitions: as `undo` takes them.
    """
    start = contexts[0].catalog
    parts: list[tuple[Context, Undone]] = []
    for context in contexts:
        if context.operation.inside == "routine":
            continue
        listed = isinstance(context.operation, DropObject) and context.operation.clause >= 0
        before = Before(
            context.operation,
            start if listed else context.catalog,
            path=context.session.search_path,
            definitions=definitions,
            version=context.version,
            together=context.statement.operations,
        )
        undone = _inverse(before, path_known=context.session.path_known)
        if undone.reasons and is_own(context):
            undone = Undone()
        parts.append((context, undone))
    return Undone.joined([undone for _, undone in _in_order(parts)])


def _inverse(before: Before, *, path_known: bool = True) -> Undone:
    operation = before.operation
    inverse: _Inverse | None = INVERSES.get(type(operation))
    try:
        if inverse is None:
            raise Irreversible(f"{operation.kind.replace('_', ' ')}: {NO_INVERSE}")
        if not path_known and operation.target is not None and operation.target.schema is None:
            raise Irreversible("search_path is not known, and with it which object is meant")
        sql = inverse(before, operation)
        if operation.conditional and sql:
            raise Irreversible("whether it runs depends on what the database holds")
    except Nothing:
        return Undone()
    except Irreversible as error:
        return Undone(reasons=(str(error),))
    return Undone(tuple(sql))


def _in_order(parts: list[tuple[Context, Undone]]) -> list[tuple[Context, Undone]]:
    """The names of a DROP list so that what others need is made again first: it comes last here."""
    drops = [context for context, _ in parts if isinstance(context.operation, DropObject)]
    if len(drops) < 2 or len(drops) < len(parts):
        return parts
    catalog = drops[0].catalog
    depths: dict[Name, int] = {}

    def depth(name: Name) -> int:
        if name not in depths:
            depths[name] = 0
            above = [depth(other) for other in catalog.dependents_of.get(name, ()) if other != name]
            depths[name] = 1 + max(above, default=0)
        return depths[name]

    def key(part: tuple[Context, Undone]) -> int:
        target = part[0].operation.target
        return 0 if target is None else depth(drops[0].resolve(target))

    return sorted(parts, key=key)
