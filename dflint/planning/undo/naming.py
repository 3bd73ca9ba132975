"""Which object a statement means, whatever its kind: its identity, and how to name it in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from dflint.catalog.identities import input_types
from dflint.model.catalog import Routine
from dflint.model.expressions import Type
from dflint.model.names import Identity, Name
from dflint.planning.undo.before import Before, Irreversible, Nothing
from dflint.planning.undo.spelling import object_sql

ROUTINES: Final = frozenset({"function", "procedure", "routine", "aggregate"})
RELATIONS: Final = frozenset({"table", "foreign_table", "view", "materialized_view", "index", "sequence"})
TYPES: Final = frozenset({"type", "domain"})
ATTACHED: Final = frozenset({"trigger", "rule", "policy"})
#: Kinds in no schema.
SCHEMALESS: Final = frozenset(
    """access_method cast database event_trigger extension fdw language publication role schema server subscription
    tablespace transform user_mapping""".split()
)


class Named(NamedTuple):
    """An object.

    Attributes:
        kind: the kind part of its identity.
        name: qualified.
        sql: as statements name it, after the word for its kind.
        identity: printed.
        routine: of that kind, where it is known.
    """

    kind: str
    name: Name
    sql: str
    identity: str
    routine: Routine | None = None

    @property
    def identity_parts(self) -> tuple[str, ...]:
        """The parts of its identity."""
        return Identity.parse(self.identity).parts

    @property
    def shown(self) -> str:
        """The object in words for users."""
        return f"{self.kind.replace('_', ' ')} {self.name}"


def named(
    before: Before,
    kind: str,
    target: Name | None,
    arguments: Sequence[Type] | None = None,
    *,
    on: Name | None = None,
    detail: str = "",
) -> Named:
    """The object that exists, or else the one that would be meant.

    Raises:
        Irreversible: it cannot be told which routine is meant.
        Nothing: there is no such routine.
    """
    if kind in ROUTINES and target is not None:
        return _routine(before, kind, target, arguments)
    if kind in ATTACHED and target is not None and on is not None:
        relation = before.resolve(on)
        sql = object_sql(kind, target, on=relation)
        return Named(kind, target, sql, _identity(kind, (*relation, target.name)))
    if target is None:
        name = Name(None, detail)
        return Named(kind, name, object_sql(kind, None, detail=detail), _identity(kind, (detail,)))
    if kind in SCHEMALESS:
        name = Name(None, target.name)
    elif kind in RELATIONS:
        name = before.resolve(target)
    elif kind in TYPES:
        name = before.resolve_type(target)
    else:
        name = before.created(target)
    sql = object_sql(kind, name, arguments=arguments, on=on, detail=detail)
    parts = (*name, detail) if detail else tuple(name)
    return Named(_real_kind(before, kind, name), name, sql, _identity(_real_kind(before, kind, name), parts))


def _real_kind(before: Before, kind: str, name: Name) -> str:
    """ALTER TABLE and GRANT may be said of views, sequences and foreign tables too."""
    if kind != "table":
        return kind
    relation = before.catalog.relations.get(name)
    if relation is None:
        return kind
    from dflint.catalog.identities import identity

    return identity(relation).kind


def _routine(before: Before, kind: str, target: Name, arguments: Sequence[Type] | None) -> Named:
    name, overloads = before.routines(target)
    if overloads is None:
        raise Irreversible(f"the catalog does not say how {kind} {name} was")
    wanted = [each for each in overloads if kind in ("routine", each.kind)]
    if arguments is not None:
        spelled = _signature(before, arguments)
        wanted = [each for each in wanted if _signature(before, inputs(each)) == spelled]
    if not wanted:
        raise Nothing
    if len(wanted) > 1:
        raise Irreversible(f"there are several routines {name}, and it cannot be told which is meant")
    routine = wanted[0]
    sql = object_sql(routine.kind, name, arguments=inputs(routine))
    parts = (*name[:-1], f"{name.name}({input_types(routine)})")
    return Named(routine.kind, name, sql, _identity(routine.kind, parts), routine)


def inputs(routine: Routine) -> tuple[Type, ...]:
    """The types that tell overloaded routines apart."""
    return tuple(each.type for each in routine.parameters if each.mode not in ("out", "table"))


def _signature(before: Before, types: Sequence[Type]) -> tuple[tuple[Name, int], ...]:
    """Types without modifiers, which do not tell routines apart."""
    return tuple((before.resolve_type(each.name), min(each.dimensions, 1)) for each in types)


def _identity(kind: str, parts: Sequence[str | None]) -> str:
    return str(Identity(kind, tuple(part for part in parts if part)))
