"""From migration files to a plan: which statements are one step, and what each step does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import groupby
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from dflint.facts.passes import in_passes
from dflint.facts.statement import statement_effects
from dflint.history.fold import Fold
from dflint.history.foresight import foresee
from dflint.model.calibration import STATED, Calibration
from dflint.model.catalog import UNKNOWN, Catalog
from dflint.model.context import Context
from dflint.model.effect import SqlSpan, StatementEffects
from dflint.model.locks import stronger
from dflint.model.migration import Section, Statement
from dflint.model.names import Identity, Name
from dflint.model.operations.objects import (
    DropObject,
)
from dflint.model.operations.session import (
    Begin,
    Commit,
    PsqlCommand,
    ResetVariable,
    Rollback,
    SetVariable,
)
from dflint.model.operations.tables import AddConstraintOperation, ValidateConstraint
from dflint.model.plan import Backfill, Plan, PlanTarget, Step, StepKind
from dflint.model.session import Session
from dflint.planning.backfills import backfill, wanted
from dflint.planning.estimates import estimate
from dflint.planning.fingerprint import fingerprint_of
from dflint.planning.hashes import plan_hash
from dflint.planning.keeping import Kept, keep
from dflint.planning.locking import lock_class, timeouts_for
from dflint.planning.own_relations import MADE_UNDER_THEIR_NAME, no_longer, relations_of_its_own
from dflint.planning.refusals import Problem, problem, template_directive
from dflint.planning.settings import Settings, with_timeouts
from dflint.planning.statements import parser, refused_in_transaction
from dflint.planning.undo import Undone, undo_of
from dflint.planning.work import Work, work_of
from dflint.sql.mask import first_directive
from dflint.sql.parse import text_start
from dflint.sql.source_text import SourceText

#: Gives the contexts of a statement, each followed by those of what it calls, and what of that could not be read.
Called = Callable[[Iterable[Context]], tuple[list[Context], list[str]]]

_BLOCKS = (Begin, Commit, Rollback)
_SETTINGS = (SetVariable, ResetVariable)


class PlanFile(NamedTuple):
    """A migration file: its text, the path it is called by, and how its runner cuts it up."""

    path: str
    text: SourceText
    sections: Sequence[Section]


def as_they_are(contexts: Iterable[Context]) -> tuple[list[Context], list[str]]:
    """What statements call is not looked at."""
    return list(contexts), []


def make_plan(
    files: Sequence[PlanFile],
    fold: Fold,
    *,
    version: int,
    called: Called = as_they_are,
    definitions: Mapping[str, str] | None = None,
    session: Session | None = None,
    keep_dropped: bool = False,
    calibration: Calibration = STATED,
) -> Plan:
    """The plan that executes migration files in order, as their runner would.

    A transaction is one step; a statement outside of one is a step of its own.

    Args:
        files: what is executed.
        fold: the history before them: the catalog, and facts.
        version: major version of the server.
        called: tells what routines that statements call do.
        definitions: how the server prints what may have to be made again: see `dflint.planning.undo.undo`.
        session: settings in force before; None: none is known.
        keep_dropped: tables are moved away and not dropped, and columns copied: see `dflint.planning.keeping`.
        calibration: what work takes on the server.

    Raises:
        InputError: a statement cannot be executed as it stands, with its line.
    """
    before = fold.catalog
    maker = Maker(fold, called, definitions or {}, keep_dropped=keep_dropped, calibration=calibration)
    for file in files:
        maker.add(file, session)
    plan = Plan(source=", ".join(file.path for file in files), target=PlanTarget(version), steps=maker.steps())
    return conclude(plan, before)


def conclude(plan: Plan, before: Catalog) -> Plan:
    """The plan with what follows from its steps: point of no return, fingerprint and hash."""
    lost = next((step.id for step in plan.steps if step.undo.irreversible is not None), None)
    mark = fingerprint_of(plan, before) if before.closed else ""
    target = PlanTarget(plan.target.pg_version, mark)
    return replace(plan, point_of_no_return=lost, target=target, hash=plan_hash(plan))


class _Part(Struct, frozen=True):
    """A statement that is executed.

    Attributes:
        group: number of its transaction, 0 outside of one.
        created: what the change had created before it.
        about: relations that it makes, changes or drops and no others; empty where that is not all it does.
    """

    path: str
    sql: str
    group: int
    effects: StatementEffects
    work: Work | None
    undone: Undone
    session: Session
    catalog: Catalog
    created: frozenset[Name]
    alone: bool
    backfill: Backfill | None
    notes: tuple[str, ...]
    about: frozenset[Name]


class Maker:
    """Goes through files, and collects what is executed."""

    def __init__(
        self,
        fold: Fold,
        called: Called,
        definitions: Mapping[str, str],
        *,
        keep_dropped: bool = False,
        calibration: Calibration = STATED,
    ) -> None:
        self._calibration = calibration
        self._keep_dropped = keep_dropped
        self._fold = fold
        self._called = called
        self._definitions = dict(definitions)
        self._settings = Settings()
        self._parts: list[_Part] = []
        self._added: set[tuple[Name, str]] = set()

    def add(self, file: PlanFile, session: Session | None) -> None:
        """Go through one file."""
        text = file.text
        for section in file.sections:
            directive = first_directive(text.text, section.span.start, section.span.end)
            if section.direction == "up" and directive is not None:
                raise template_directive().error(file.path, text.position(directive)[0])
        parsed = [
            [replace(statement, operations=in_passes(statement.operations)) for statement in statements]
            for statements in parser().parse(text.text, file.sections)
        ]
        contexts = map(_foreseeing, self._fold.file(text.text, file.sections, parsed, session=session))
        begun: int | None = None
        for _, group in groupby(contexts, key=lambda context: id(context.statement)):
            own = list(group)
            found, unread = self._called(own)
            statement, transaction = own[0].statement, own[0].transaction
            line = text.position(text_start(text.text, statement))[0] if statement.operations else None
            if line is None:
                if transaction.kind == "explicit":
                    raise _never_committed().error(file.path, begun or 1)
                continue
            if isinstance(own[0].operation, Begin):
                begun = line
            self._statement(file, own, found, unread, line)

    def _statement(
        self, file: PlanFile, own: list[Context], found: list[Context], unread: list[str], line: int
    ) -> None:
        first, statement = own[0], own[0].statement
        text = file.text.text
        sql = text[text_start(text, statement) : statement.end].decode().rstrip().rstrip(";").rstrip()
        effects = statement_effects(found, file.path, _span(file.text, statement), unread)
        refused = problem(own, found, effects, sql)
        if refused is not None:
            raise refused.error(file.path, line)
        for context in own:
            if isinstance(context.operation, SetVariable):
                self._settings.note(context.operation)
        if isinstance(first.operation, (*_BLOCKS, PsqlCommand)) or _only_settings(own):
            return
        words = wanted(_leading(text, first))
        cut = None if words is None else backfill(words, own)
        if isinstance(cut, Problem):
            raise cut.error(file.path, line)
        undone, notes = undo_of(own, self._definitions), _notes(effects)
        validates = [self._validates_own(context) for context in own]
        if all(validates):
            # Taking back that it was added takes it away.
            undone = Undone()
        kept = keep(own, sql, self._definitions) if self._keep_dropped else None
        if isinstance(kept, Kept):
            sql, notes = kept.sql, (*notes, kept.note)
            undone = undone if kept.undo is None else Undone(kept.undo)
        elif kept is not None:
            notes = (*notes, kept)
        alone = effects.transaction == "refused" or refused_in_transaction([each.operation for each in own])
        self._parts.append(
            _Part(
                path=file.path,
                sql=sql,
                group=first.transaction.group if first.transaction.open else 0,
                effects=effects,
                work=work_of(effects, found),
                undone=undone,
                session=first.session,
                catalog=first.catalog,
                created=frozenset(first.created) | frozenset(first.maybe_created),
                alone=alone,
                backfill=cut,
                notes=notes,
                about=frozenset(relations_of_its_own(own)),
            )
        )
        self._forget(own)

    def _validates_own(self, context: Context) -> bool:
        """Whether it validates a constraint that the plan itself adds."""
        operation = context.operation
        if isinstance(operation, AddConstraintOperation) and operation.constraint.name and not operation.conditional:
            self._added.add((context.resolve(operation.target), operation.constraint.name))
        if not isinstance(operation, ValidateConstraint):
            return False
        return (context.resolve(operation.target), operation.name) in self._added

    def _forget(self, contexts: Sequence[Context]) -> None:
        """What the statement makes worthless: what the server printed before, and the inverse of what is gone again."""
        for context in contexts:
            old = no_longer(context.operation)
            if old is not None:
                self._definitions = {
                    key: text for key, text in self._definitions.items() if old not in key and old not in text
                }
            operation = context.operation
            if isinstance(operation, DropObject) and operation.object_kind in MADE_UNDER_THEIR_NAME:
                assert operation.target is not None
                name = context.resolve(operation.target)
                if name in context.created and name not in self._before_transaction(context):
                    self._drop_inverses(name)

    def _before_transaction(self, context: Context) -> frozenset[Name]:
        """What the plan had created before the transaction that is open."""
        group = context.transaction.group
        first = next((part for part in self._parts if part.group == group), self._parts[-1])
        return first.created

    def _drop_inverses(self, name: Name) -> None:
        """A relation was dropped in the transaction that made it: what was done to it need not be taken back."""
        group, names = self._parts[-1].group, {name}
        for index in range(len(self._parts) - 1, -1, -1):
            part = self._parts[index]
            if part.group != group or not group:
                return
            if part.about & names:
                names |= part.about
                self._parts[index] = replace(part, undone=Undone(), about=frozenset())

    def judge(self, file: PlanFile, session: Session) -> tuple[Step, ...]:
        """The steps of one file for itself, after all those before."""
        self._parts = []
        self.add(file, session)
        return self.steps()

    def steps(self) -> tuple[Step, ...]:
        """The steps of all files."""
        return tuple(self._step(number, parts) for number, parts in enumerate(self._units(), start=1))

    def _units(self) -> Iterator[list[_Part]]:
        keys = ((part.group, 0 if part.group else number) for number, part in enumerate(self._parts))
        for _, unit in groupby(zip(keys, self._parts, strict=True), key=lambda pair: pair[0]):
            yield [part for _, part in unit]

    def _step(self, number: int, parts: list[_Part]) -> Step:
        first = parts[0]
        kind: StepKind = "nontx" if first.alone else "tx" if first.backfill is None else "backfill"
        locks = _locks(parts)
        stops = lock_class(locks, complete=not any(part.effects.unknown for part in parts))
        return Step(
            id=str(number),
            sql=";\n".join(part.sql for part in parts),
            kind=kind,
            group=", ".join(dict.fromkeys(part.path for part in parts)),
            locks=locks,
            lock_class=stops,
            timeouts=with_timeouts(timeouts_for(kind, stops), first.session),
            estimate=estimate([part.work for part in parts], self._calibration),
            undo=Undone.joined([part.undone for part in parts]).undo(),
            backfill=first.backfill,
            settings=self._settings.carried(first.session),
            notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        )


def _leading(text: bytes, context: Context) -> bytes:
    """The comments between a statement and the one before it."""
    statement = context.statement
    previous = [each.end for each in context.statements if each.index < statement.index]
    start = max(previous, default=context.section.span.start)
    return text[start : text_start(text, statement)]


def _locks(parts: list[_Part]) -> dict[str, str]:
    """The strongest lock on each relation that is there before the step."""
    first, locks = parts[0], dict[str, str]()
    for part in parts:
        for identity, mode in part.effects.locks.items():
            name = Name(*Identity.parse(identity).parts)
            there = first.catalog.relation(name)
            if there is None or (there is UNKNOWN and name in part.created - first.created):
                continue
            locks[identity] = stronger(locks[identity], mode) if identity in locks else mode
    return dict(sorted(locks.items()))


def _notes(effects: StatementEffects) -> tuple[str, ...]:
    found = [f"not known: {what}" for what in effects.unknown]
    if effects.refused_by_server is not None:
        refusal = effects.refused_by_server
        found.append(f"as things stand the server refuses it: {refusal.reason} ({refusal.sqlstate})")
    if effects.leftover_on_timeout:
        found.append(f"stopped half-way it leaves {effects.leftover_on_timeout}")
    return tuple(found)


def _only_settings(contexts: Sequence[Context]) -> bool:
    """SET outside a transaction: the steps that follow say themselves what it left in force."""
    if contexts[0].transaction.open:
        return False
    return all(
        isinstance(context.operation, _SETTINGS) and getattr(context.operation, "known", True) for context in contexts
    )


def _never_committed() -> Problem:
    return Problem("the transaction is never committed: nothing of it would be done", "write COMMIT at its end")


def _span(text: SourceText, statement: Statement) -> SqlSpan:
    return SqlSpan(*text.position(text_start(text.text, statement)), *text.position(statement.end))


def _foreseeing(context: Context) -> Context:
    context.foresee = cache(partial(foresee, context))
    return context
