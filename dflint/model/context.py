"""All that a rule may look at when it judges one operation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from dflint.model.catalog import UNKNOWN, Catalog, Relation, Routine, Table, Unknown
from dflint.model.effect import Effect
from dflint.model.locks import stronger
from dflint.model.migration import Runner, Section, Statement
from dflint.model.names import Identity, Name
from dflint.model.operations.base import Operation
from dflint.model.session import Session, Transaction


class Knowledge(Protocol):
    """Where a context gets its facts from."""

    def effect(self, operation: Operation, context: Context) -> Effect:
        """The effect of the operation under the context's catalog and session."""

    def locks(self, context: Context) -> Sequence[tuple[Name, str]]:
        """The locks the context's operation takes: qualified relation and mode, strongest per relation."""

    def named_in_body(self, routine: Routine) -> Sequence[Name]:
        """The relations that the routine's body names, as written there and as far as it can be read."""

    def refusal(self, context: Context, phase: str) -> Effect | None:
        """Why the server certainly refuses the context's operation in that phase; None where it may not."""


class Change(Struct, frozen=True):
    """What an operation will change, by replay.

    Attributes:
        after: the catalog after it.
        touched: qualified names of the relations that it makes, changes or drops.
        happens: it changes anything at all; False where replay knows that the server refuses it.
    """

    after: Catalog
    touched: frozenset[Name]
    happens: bool


class Context(Struct, eq=False):
    """The circumstances of one operation: everything is as it is just before the operation runs.

    Cheap to make: nothing is computed before a rule asks. Treat it as frozen.

    Attributes:
        catalog: what exists, before the operation.
        change_start: the catalog before the change (the unapplied migrations) began.
        created: qualified names of relations and types that the change itself created.
        maybe_created: the same for CREATE … IF NOT EXISTS of something that may have existed before.
        session, transaction: before the operation.
        statement, section, runner: where the operation stands.
        statements: all statements of the section, in order.
        log: the contexts of the transaction; it goes on growing while the transaction does.
        version: PostgreSQL major version to judge for.
        position: how many contexts of the log came before this one.
        answers: to the named conditions that were asked so far; rules ask the same ones again and again.
        refused: set where replay gives the operation up, as the server may. It gives the context in which that is sure
            whatever the database holds: this one, or one with what the change alone shows; None where neither is.
        foresee: tells what the operation will change; None where nobody needs to know (rules do not).
    """

    operation: Operation
    statement: Statement
    section: Section
    runner: Runner
    catalog: Catalog
    change_start: Catalog
    created: Collection[Name]
    maybe_created: Collection[Name]
    session: Session
    transaction: Transaction
    log: Sequence[Context]
    statements: Sequence[Statement]
    version: int
    knowledge: Knowledge
    position: int = 0
    answers: dict[str, object] = {}
    foresee: Callable[[], Change] | None = None
    refused: Callable[[Context], Context | None] | None = None
    _effect: Effect | None = None
    _locks: Sequence[tuple[Name, str]] | None = None
    _resolved: dict[Name, Name] = {}

    @property
    def effect(self) -> Effect:
        """The operation's effect, by facts."""
        if self._effect is None:
            self._effect = self.knowledge.effect(self.operation, self)
        return self._effect

    @property
    def locks(self) -> Sequence[tuple[Name, str]]:
        """The relation locks the operation takes, strongest mode per relation."""
        if self._locks is None:
            self._locks = self.knowledge.locks(self)
        return self._locks

    @property
    def earlier(self) -> Sequence[Context]:
        """The contexts of the operations before this one in the same transaction; empty outside one."""
        return self.log[: self.position]

    @property
    def following(self) -> Sequence[Statement]:
        """The statements after this one in the same section, in order."""
        return self.statements[self.statement.index + 1 :]

    def held(self) -> dict[Name, str]:
        """The locks that the transaction already holds before this operation, strongest mode per relation."""
        held: dict[Name, str] = {}
        for context in self.earlier:
            for name, mode in context.locks:
                before = held.get(name)
                held[name] = mode if before is None else stronger(before, mode)
        return held

    def resolve(self, name: Name) -> Name:
        """The qualified name of the existing relation that ``name`` means here."""
        found = self._resolved.get(name)
        if found is None:
            # Rules ask for the same few names many times.
            found = self._resolved[name] = self.catalog.resolve(name, self.session.search_path)
        return found

    @property
    def target(self) -> Name | None:
        """The operation's target, resolved; None where it has none."""
        return None if self.operation.target is None else self.resolve(self.operation.target)

    @property
    def managed_by(self) -> str | None:
        """The extension that manages the operation's target, so that not only PostgreSQL decides what it does."""
        managed = self.catalog.details.managed
        target = self.target if managed else None
        return None if target is None else managed.get(str(Identity("table", tuple(part for part in target if part))))

    def relation(self, name: Name) -> Relation | Unknown | None:
        """The relation that ``name`` means here; None: it does not exist; UNKNOWN: it may."""
        return self.catalog.relation(self.resolve(name))

    def table(self, name: Name) -> Table | Unknown | None:
        """The table that ``name`` means here; None: there is no such table."""
        found = self.relation(name)
        return found if isinstance(found, Table) or found is UNKNOWN else None

    def is_new(self, name: Name) -> bool | None:
        """Whether the relation was created by this very change, so that nobody else uses it and it is small.

        None (unknown) after CREATE … IF NOT EXISTS of something that may have existed before.
        """
        resolved = self.resolve(name)
        if resolved in self.created:
            return True
        return None if resolved in self.maybe_created else False

    def identity(self) -> str | None:
        """The printed identity of the operation's target, None where it has none."""
        operation = self.operation
        if operation.target is None:
            return None
        kind = operation.target_kind or "object"
        name = self.resolve(operation.target)
        column = getattr(operation, "column", None)
        parts = tuple(part for part in name if part)
        if kind in _SCHEMALESS:
            return str(Identity(kind, (name.name,)))
        if isinstance(column, str) and kind in ("table", "view", "materialized_view", "foreign_table"):
            return str(Identity("column", (*parts, column)))
        return str(Identity(kind, parts))


#: Kinds of object that are in no schema.
_SCHEMALESS = frozenset(
    """access_method database event_trigger extension fdw language publication role schema server subscription
    tablespace""".split()
)


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
