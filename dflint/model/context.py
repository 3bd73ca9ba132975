"""All that a rule may look at when it judges one operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from dflint.model.catalog import UNKNOWN, Catalog, Relation, Table, Unknown
from dflint.model.effect import Effect
from dflint.model.migration import Runner, Section, Statement
from dflint.model.names import Identity, Name
from dflint.model.operations.base import Operation
from dflint.model.session import Session, Transaction


class Context:
    """The circumstances of one operation: everything is as it is just before the operation runs.

    Cheap to make: nothing is computed before a rule asks. Treat it as frozen.

    Attributes:
        catalog: what exists, before the operation.
        change_start: the catalog before the change (the unapplied migrations) began.
        created: qualified names of relations, and printed identities of other objects, that the change itself created.
        session, transaction: before the operation.
        statement, section, runner: where the operation stands.
        following: the statements after this one in the same file, in order.
        version: PostgreSQL major version to judge for.
    """

    __slots__ = (
        "_effect",
        "catalog",
        "change_start",
        "created",
        "effects",
        "following",
        "operation",
        "runner",
        "section",
        "session",
        "statement",
        "transaction",
        "version",
    )

    def __init__(
        self,
        *,
        operation: Operation,
        statement: Statement,
        section: Section,
        runner: Runner,
        catalog: Catalog,
        change_start: Catalog,
        created: frozenset[Name | str] | set[Name | str],
        session: Session,
        transaction: Transaction,
        following: tuple[Statement, ...],
        version: int,
        effects: Callable[[Operation, Context], Effect],
    ) -> None:
        self.operation = operation
        self.statement = statement
        self.section = section
        self.runner = runner
        self.catalog = catalog
        self.change_start = change_start
        self.created = created
        self.session = session
        self.transaction = transaction
        self.following = following
        self.version = version
        self.effects = effects
        self._effect: Effect | None = None

    @property
    def effect(self) -> Effect:
        """The operation's effect, by facts."""
        if self._effect is None:
            self._effect = self.effects(self.operation, self)
        return self._effect

    def resolve(self, name: Name) -> Name:
        """The qualified name of the existing relation that ``name`` means here."""
        return self.catalog.resolve(name, self.session.search_path)

    @property
    def target(self) -> Name | None:
        """The operation's target, resolved; None where it has none."""
        return None if self.operation.target is None else self.resolve(self.operation.target)

    def relation(self, name: Name) -> Relation | None | Unknown:
        """The relation that ``name`` means here; None: it does not exist; UNKNOWN: it may."""
        return self.catalog.relation(self.resolve(name))

    def table(self, name: Name) -> Table | None | Unknown:
        """The table that ``name`` means here; None: there is no such table."""
        found = self.relation(name)
        return found if isinstance(found, Table) or found is UNKNOWN else None

    def is_new(self, name: Name) -> bool:
        """Whether the relation was created by this very change: nobody else uses it, it is empty or small."""
        return self.resolve(name) in self.created

    def identity(self) -> str | None:
        """The printed identity of the operation's target, None where it has none."""
        operation = self.operation
        if operation.target is None:
            return None
        kind = operation.target_kind or "object"
        name = self.resolve(operation.target)
        column = getattr(operation, "column", None)
        parts = tuple(part for part in name if part)
        if kind in ("schema", "extension", "publication", "role", "database", "tablespace", "language"):
            return str(Identity(kind, (name.name,)))
        if isinstance(column, str) and kind in ("table", "view", "materialized_view", "foreign_table"):
            return str(Identity("column", (*parts, column)))
        return str(Identity(kind, parts))


class Hit:
    """What a check yields: one finding about the operation.

    Attributes:
        message: replaces the rule's message; None keeps it.
        values: for the placeholders of the rule's message.
        at: byte offset to point at, -1 for the operation's own place.
        certain: False when a needed fact is unknown; the finding is then given with low confidence.
        because: the fact that would decide, in words for users; needed when not certain.
        level: lowers or raises the rule's level.
    """

    __slots__ = ("at", "because", "certain", "level", "message", "values")

    def __init__(
        self,
        message: str | None = None,
        *,
        values: dict[str, str] | None = None,
        at: int = -1,
        certain: bool = True,
        because: str = "",
        level: Literal["error", "warning", "info"] | None = None,
    ) -> None:
        self.message = message
        self.values = values or {}
        self.at = at
        self.certain = certain
        self.because = because
        self.level = level


#: A rule's Python detector: a pure function of operation and context. None and an empty iterable mean silence.
Check = Callable[[Operation, Context], Hit | Iterable[Hit] | None]
