"""What a change of one table does to foreign keys, and by them to other tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Final

from msgspec import Struct

from dflint.analysis.foreign_keys.cascades import CascadeOperation, through
from dflint.analysis.foreign_keys.net import cycles, net_of
from dflint.catalog.identities import printed
from dflint.model.catalog import Catalog, Table
from dflint.model.effect import StatementEffects
from dflint.model.errors import InputError, NotFound, nearest
from dflint.model.foreign_keys import ForeignKey, ForeignKeyNet
from dflint.model.impact import Dependent, DependentEffect, Impact
from dflint.model.locks import stronger
from dflint.model.names import Identity, Name, print_identity


class _Word(str, Enum):  # noqa: UP042  # StrEnum prints the value
    """Prints as its name."""

    def __str__(self) -> str:
        return self.name


class FKOperationType(_Word):
    """What is done to a table."""

    DROP_COLUMN = "drop_column"
    DROP_TABLE = "drop_table"
    DROP_CONSTRAINT = "drop_constraint"
    MODIFY_COLUMN_TYPE = "modify_column_type"
    RENAME_COLUMN = "rename_column"
    RENAME_TABLE = "rename_table"

    @classmethod
    def parse(cls, given: str) -> FKOperationType:
        """The operation of that name, in any case, with blanks, hyphens or underscores.

        Raises:
            InputError: there is none.
        """
        word = given.value if isinstance(given, cls) else str(given).strip().lower().replace(" ", "_").replace("-", "_")
        try:
            return cls(word)
        except ValueError:
            known = [each.value for each in cls]
            raise InputError(
                f"there is no foreign-key analysis of {given!r}",
                remedy=nearest(word, known) or f"known are {', '.join(known)}",
            ) from None


class FKImpactLevel(_Word):
    """How much of it concerns foreign keys.

    ``SAFE``: no foreign key is affected. ``LOW``: all that are stay as they are. ``MEDIUM``: some go with the change,
    or are dropped and made again. ``HIGH``: something else than a foreign key stands in the way or breaks.
    ``CRITICAL``: foreign keys of other tables stand in the way.
    """

    SAFE = "safe"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class AffectedConstraint(Struct, frozen=True, kw_only=True):
    """One foreign key that the change affects.

    Attributes:
        key: the key.
        effect: what becomes of it when nothing is done about it.
        own: it is the table's own, and of the column if there is one: it goes with what is dropped.
        named: the user said that it may be dropped.
        definition: as the server prints it after its name; None: the server was not asked.
        comment: on it.
    """

    key: ForeignKey
    effect: DependentEffect
    own: bool
    named: bool = False
    definition: str | None = None
    comment: str | None = None

    @property
    def identity(self) -> str:
        """Its printed identity."""
        return self.key.identity


class Change(Struct, frozen=True, kw_only=True):
    """What is to be done.

    Attributes:
        operation: see there.
        table: its full name.
        column: for operations on columns.
        statement: that does it, names qualified.
        dropping: foreign keys of others that may be dropped: their names, ``table.name`` where these are not unique,
            or printed identities.
    """

    operation: FKOperationType
    table: Name
    statement: str
    column: str | None = None
    dropping: tuple[str, ...] = ()


class ForeignKeyImpact(Struct, frozen=True, kw_only=True):
    """What a change does to foreign keys, and what else stands in its way.

    Attributes:
        change: what is done.
        impact_level: see there.
        affected_constraints: foreign keys of the table or column, and those that refer to it, by identity.
        cascade_operations: what these keys do to rows when rows that they refer to are deleted or changed, and what
            follows from that, the nearest first; empty where it was not asked for.
        cycles: printed identities of tables that refer to each other in a circle, from which keys lead to the table.
        locks: printed identity -> strongest lock of the change as one statement, after named keys were dropped.
        dependents: everything else that is affected.
        reasons: why it is not safe, one sentence each; empty is good.
        unknown: identities of routines of which nobody can say what they use: they run SQL that they put together.
        scans: the change as one statement reads or rewrites whole tables.
        version: major version of the server; None: not known.
        partitioned: identities of the affected keys of partitioned tables.
    """

    change: Change
    impact_level: FKImpactLevel
    affected_constraints: tuple[AffectedConstraint, ...]
    cascade_operations: tuple[CascadeOperation, ...]
    cycles: tuple[tuple[str, ...], ...]
    locks: dict[str, str]
    dependents: tuple[Dependent, ...]
    reasons: tuple[str, ...]
    unknown: tuple[str, ...]
    scans: bool
    version: int | None
    partitioned: frozenset[str]

    @property
    def is_safe_to_proceed(self) -> bool:
        """Nothing but the change's own foreign keys stands in the way or breaks, and all others stay as they are."""
        return not self.reasons

    @property
    def locks_on_other_tables(self) -> dict[str, str]:
        """The locks on the tables at the other ends of affected keys."""
        ends = {name for each in self.affected_constraints for name in (each.key.table, each.key.references)}
        wanted = {(name.schema or "public", name.name) for name in ends - {self.change.table}}
        return {one: mode for one, mode in self.locks.items() if Identity.parse(one).parts in wanted}


_STANDS: Final = frozenset[DependentEffect]({"blocks", "breaks_later"})


def affected(
    change: Change, impact: Impact, catalog: Catalog, net: ForeignKeyNet, definitions: Mapping[str, str]
) -> tuple[AffectedConstraint, ...]:
    """The foreign keys among the dependents of a change.

    Raises:
        NotFound: a key that may be dropped is not among them.
        InputError: several are meant.
    """
    keys = _mentioned((impact.target, *(each.identity for each in impact.dependents)), catalog, net)
    found = {each.identity: each for each in impact.dependents if each.identity in keys}
    if impact.target in keys:
        found[impact.target] = Dependent(impact.target, "auto_dropped")
    named = {_named(given, [keys[identity] for identity in found]) for given in change.dropping}
    return tuple(
        AffectedConstraint(
            key=keys[identity],
            effect=dependent.effect,
            own=_is_own(keys[identity], change),
            named=identity in named,
            definition=definitions.get(identity),
            comment=catalog.details.comments.get(identity),
        )
        for identity, dependent in sorted(found.items())
    )


def _mentioned(identities: Iterable[str], catalog: Catalog, net: ForeignKeyNet) -> dict[str, ForeignKey]:
    """The foreign keys among some identities."""
    known = {
        (key.table.schema or "public", key.table.name, key.name): key for key in (*net.keys, *net_of(catalog).keys)
    }
    wanted = [Identity.parse(each) for each in identities if each.startswith("fk:")]
    return {str(each): known[parts] for each in wanted if (parts := each.parts) in known}


def _is_own(key: ForeignKey, change: Change) -> bool:
    return key.table == change.table and (change.column is None or change.column in key.columns)


def _named(given: str, keys: Sequence[ForeignKey]) -> str:
    known = {
        key.identity: (key.identity, key.name, f"{key.table.name}.{key.name}", f"{key.table}.{key.name}")
        for key in keys
    }
    meant = [identity for identity, names in known.items() if given in names]
    if not meant:
        near = nearest(given, [key.name for key in keys])
        raise NotFound(f"no foreign key {given} is affected", remedy=near or "leave it out")
    if len(meant) > 1:
        raise InputError(f"several foreign keys are called {given}", remedy=f"write one of {', '.join(sorted(meant))}")
    return meant[0]


def dropped_first(constraints: Iterable[AffectedConstraint]) -> tuple[AffectedConstraint, ...]:
    """The keys that stand in the way and may be dropped."""
    return tuple(each for each in constraints if each.effect == "blocks" and (each.own or each.named))


def assess(
    change: Change,
    impact: Impact,
    constraints: tuple[AffectedConstraint, ...],
    effects: Sequence[StatementEffects],
    catalog: Catalog,
    net: ForeignKeyNet,
    *,
    with_cascades: bool,
) -> ForeignKeyImpact:
    """All about it.

    Args:
        change: what is done.
        impact: on everything else.
        constraints: the foreign keys among it.
        effects: of the statements that drop `dropped_first` keys, and of the change after them.
        catalog: before it; all that matters to the table.
        net: the keys that changes of the table's rows can follow.
        with_cascades: also look for `ForeignKeyImpact.cascade_operations`.
    """
    keys = {each.identity for each in constraints}
    others = tuple(each for each in impact.dependents if each.identity not in keys)
    free = {each.identity for each in dropped_first(constraints)}
    standing = [each for each in impact.dependents if each.effect in _STANDS and each.identity not in free]
    reasons = [*map(_reason, standing), *(f"{each}: it may not be safe" for each in impact.incomplete_because)]
    refused = [each.refused_by_server.reason for each in effects if each.refused_by_server is not None]
    if not standing:
        reasons += [f"the server refuses it: {reason}" for reason in refused]
    locks: dict[str, str] = {}
    for each in effects:
        for identity, mode in each.locks.items():
            locks[identity] = stronger(locks[identity], mode) if identity in locks else mode
    return ForeignKeyImpact(
        change=change,
        impact_level=_level(change, constraints, standing, reasons),
        affected_constraints=constraints,
        cascade_operations=through(net, [each.key for each in constraints]) if with_cascades else (),
        cycles=tuple(tuple(_table(name, catalog) for name in circle) for circle in cycles(net, change.table)),
        locks=dict(sorted(locks.items())),
        dependents=others,
        reasons=tuple(dict.fromkeys(reasons)),
        unknown=tuple(each.identity for each in others if each.effect == "unknown"),
        scans=bool(effects and (effects[-1].scans or effects[-1].rewrites)),
        version=catalog.version,
        partitioned=frozenset(each.identity for each in constraints if _is_partitioned(each.key.table, catalog)),
    )


def _reason(dependent: Dependent) -> str:
    shown = f" ({dependent.evidence[0].detail})" if dependent.evidence and dependent.evidence[0].kind == "body" else ""
    if dependent.effect == "breaks_later":
        return f"{dependent.identity} fails when it is used next{shown}"
    through_ = f", through {', '.join(dependent.via)}" if dependent.via else ""
    return f"{dependent.identity} stands in the way{through_}"


def _level(
    change: Change,
    constraints: Sequence[AffectedConstraint],
    standing: Sequence[Dependent],
    reasons: Sequence[str],
) -> FKImpactLevel:
    if any(each.identity.startswith("fk:") for each in standing):
        return FKImpactLevel.CRITICAL
    if reasons:
        return FKImpactLevel.HIGH
    if any(each.effect in ("blocks", "auto_dropped") for each in constraints):
        return FKImpactLevel.MEDIUM
    if constraints:
        return FKImpactLevel.MEDIUM if change.operation is FKOperationType.MODIFY_COLUMN_TYPE else FKImpactLevel.LOW
    return FKImpactLevel.SAFE


def _table(name: Name, catalog: Catalog) -> str:
    found = catalog.relations.get(name)
    return printed(found) if found is not None else print_identity("table", name.schema or "public", name.name)


def _is_partitioned(name: Name, catalog: Catalog) -> bool:
    found = catalog.relations.get(name)
    return isinstance(found, Table) and found.partition_by is not None
