"""Folding statements: the transaction each runs in, the session's settings, and the catalog that grows.

One `Fold` goes through one history, file by file. It is the only place that knows the order of things: rules are
handed a `Context` and remember nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from immutables import Map
from msgspec import Struct
from msgspec.structs import replace

from dflint.history.certainty import ChangeAlone
from dflint.history.draft import Draft
from dflint.history.replay import advance
from dflint.history.sections import Words, pattern, units
from dflint.history.session_settings import Defaults, search_path, with_setting
from dflint.model.catalog import Catalog
from dflint.model.context import Context, Knowledge
from dflint.model.migration import Runner, Section, Span, Statement
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.ends import EndOfFile, EndOfRun
from dflint.model.operations.indexes import CreateIndex
from dflint.model.operations.objects import (
    AlterOther,
    CreateCompositeType,
    CreateDomain,
    CreateEnum,
    CreateMaterializedView,
    CreateRange,
    CreateSequence,
    CreateView,
    RenameObject,
    SetObjectSchema,
)
from dflint.model.operations.session import (
    Begin,
    Commit,
    Discard,
    ReleaseSavepoint,
    ResetVariable,
    Rollback,
    RollbackToSavepoint,
    Savepoint,
    SetVariable,
)
from dflint.model.operations.tables import CreateTable, CreateTableAs
from dflint.model.session import Session, Setting, Transaction
from dflint.sql.libpg_query import LibPgQuery

#: By name: their types are not imported where there are none.
_CALLING = frozenset({"select", "call"})
_AUTOCOMMIT = Transaction("none")
#: A set of names that is copied in no time: one change may create thousands.
_Names = Map[Name, bool]
_NONE: _Names = Map()


class _Saved(Struct, frozen=True):
    """What a rollback brings back."""

    name: str
    catalog: Catalog
    session: Session
    lasting: Session
    created: _Names
    maybe_created: _Names


class Fold:
    """The state of one history: everything that has happened so far.

    Attributes:
        catalog: what exists now.
        session: the settings in force now.
        transaction: the transaction open now.
    """

    def __init__(
        self,
        *,
        runner: Runner,
        version: int,
        knowledge: Knowledge,
        catalog: Catalog,
        from_the_start: bool = False,
        library: LibPgQuery | None = None,
    ) -> None:
        """Start with nothing replayed.

        Args:
            from_the_start: the first file that comes is the first of a history of several, made on an empty database:
                what it creates IF NOT EXISTS, it creates.
            library: reads the bodies of routines that statements call; without it they are taken to change nothing.
        """
        self._library = library
        self.catalog = catalog
        self._draft = Draft(catalog, version, from_empty=from_the_start)
        self.session = Session()
        self.transaction = _AUTOCOMMIT
        self._runner = runner
        self._version = version
        self._knowledge = knowledge
        self._change_start = catalog
        self._created = self._maybe_created = _NONE
        self._lasting = self.session  # without what SET LOCAL changed
        self._outer = _AUTOCOMMIT  # what the runner or the protocol opened round the section
        self._group = 0
        self._log: list[Context] = []
        self._saved: list[_Saved] = []  # the start of the transaction, then its savepoints
        self._history_known = from_the_start
        self._defaults = Defaults()
        self._alone = ChangeAlone(version)

    @property
    def doubted(self) -> frozenset[str]:
        """Names of objects, columns and constraints that something made or dropped that ran or not: nobody knows."""
        return frozenset(self._draft.doubted)

    def begin_change(self) -> None:
        """A new change begins: nothing of what it creates is there yet."""
        self._close_transaction()
        self._outer = _AUTOCOMMIT
        self._change_start = self.catalog
        self._created = self._maybe_created = _NONE
        self._alone = ChangeAlone(self._version)

    def file(
        self,
        text: bytes,
        sections: Sequence[Section],
        parsed: Sequence[Sequence[Statement]],
        *,
        assume_in_transaction: bool = False,
        settings: tuple[tuple[str, Setting], ...] = (),
        session: Session | None = None,
    ) -> Iterator[Context]:
        """Go through the sections of one file that run forward, one context for each operation.

        A context shows what is just before its operation; the operation takes effect when the next context is asked
        for. The last context of each section is that of `EndOfFile`.

        Args:
            text: of the file.
            parsed: the statements of each section.
            assume_in_transaction: the user says that something wraps each file in a transaction.
            settings: what the runner's configuration sets before each file.
            session: the whole state of the session before the file, in the place of ``settings``.
        """
        self.session = self._lasting = session or self._defaults.session(settings)
        for section, statements in zip(sections, parsed, strict=True):
            if section.begins_change:
                self.begin_change()
            if section.direction == "up":
                yield from self._section(text, section, statements, assume_in_transaction)
        # A history that is replayed from its first file shows what exists from the second file on.
        self._history_known = True

    def end_of_run(self) -> Context:
        """The context of the pseudo operation after the last file."""
        nowhere = Span(0, 0)
        return self._context(EndOfRun(), Statement(0, 0, 0, ()), Section("up", nowhere), ())

    # --- one section ----------------------------------------------------------------------------------------------

    def _section(
        self, text: bytes, section: Section, statements: Sequence[Statement], assume: bool
    ) -> Iterator[Context]:
        words = Words(text)
        around = self._around(section, statements, words, assume)
        in_batch = around is not None and section.wrapping == "batch" and not assume
        if not (in_batch and self._outer.kind == "runner"):
            self._close_transaction()
        alone = pattern(section.alone)
        for unit in units(section, statements) if around is None else (statements,):
            if around is None:
                self._outer = self._implicit(section, len(unit))
                if self._outer.kind == "implicit":
                    self._open(self._outer)
            elif self._outer.kind != "runner":
                self._outer = around
                self._open(around)
            for statement in unit:
                stands_alone = alone is not None and words.match(statement, alone)
                if stands_alone:
                    self._close_transaction()
                for written in statement.operations:
                    operation = self._settled(written)
                    if operation is None:
                        continue
                    context = self._context(operation, statement, section, statements)
                    after = self._foresee(operation, context)
                    yield context
                    self._advance(operation, context, after)
                if stands_alone:
                    self._open(self._outer)
            if around is None and self._outer.kind == "implicit":
                self._close_transaction()
        end = statements[-1].end if statements else section.span.end
        yield self._context(EndOfFile(), Statement(len(statements), end, end, ()), section, statements)
        if not in_batch:
            self._close_transaction()
            self._outer = _AUTOCOMMIT

    def _settled(self, operation: Operation) -> Operation | None:
        """The operation, unconditional where its conditions are known to be met; None where it is known not to run.

        A history shows what it made, and the database may be another: what runs on such a one is still looked at.
        """
        if not operation.guards or not self.session.path_known:
            return operation
        from dflint.history.guards import runs

        self._draft.path = self.session.search_path
        happens = runs(operation, self._draft)
        if happens:
            return replace(operation, conditional=False, guards=())
        return None if happens is False and self.catalog.closed else operation

    def _around(
        self, section: Section, statements: Sequence[Statement], words: Words, assume: bool
    ) -> Transaction | None:
        """The transaction that is opened round the whole section, None for none."""
        name = self._runner.name
        if assume:
            return Transaction("runner", reason="--assume-in-transaction says that each file runs in a transaction")
        if section.wrapping == "none":
            return None
        unwraps = pattern(section.unwraps)
        if unwraps is not None and any(words.match(statement, unwraps) for statement in statements):
            return None
        default = "each file in a transaction" if section.wrapping == "section" else "all files in one transaction"
        return Transaction("runner", reason=section.reason or f"{name} runs {default}")

    def _implicit(self, section: Section, count: int) -> Transaction:
        """The transaction that PostgreSQL makes of several statements that arrive together."""
        if count < 2 or not (section.chunks or section.wire in ("string", "pipeline")):
            return _AUTOCOMMIT
        how = "as one batch" if section.wire == "pipeline" else "as one string"
        reason = f"{self._runner.name} sends {count} statements {how}, which PostgreSQL runs in one transaction"
        return Transaction("implicit", reason=reason, statements=count, failed_marker=section.marker is not None)

    def _context(
        self, operation: Operation, statement: Statement, section: Section, statements: Sequence[Statement]
    ) -> Context:
        return Context(
            operation,
            statement,
            section,
            self._runner,
            self.catalog,
            self._change_start,
            self._created,
            self._maybe_created,
            self.session,
            self.transaction,
            self._log,
            statements,
            self._version,
            self._knowledge,
            len(self._log),
        )

    # --- what an operation leaves behind --------------------------------------------------------------------------

    def _foresee(self, operation: Operation, context: Context) -> Catalog:
        """The catalog after the operation; the context learns whether the operation is refused."""
        if type(operation) in _CONTROL:
            return self.catalog
        if type(operation) is AlterOther:
            self._defaults.note(operation)
        after = advance(self._draft, operation, self.session, context.statement.operations)
        if operation.KIND in _CALLING and self._library is not None and self.catalog.routines:
            # Most histories call no routine of their own.
            from dflint.history.calls import run_called

            after = run_called(self._draft, operation, self.session, self._library)
        if self._draft.refused:
            context.refused = self._alone.context
        return after

    def _advance(self, operation: Operation, context: Context, after: Catalog) -> None:
        kind = type(operation)
        control = _CONTROL.get(kind)
        if control is not None:
            if context.section.own_transactions or kind in _SETTINGS:
                control(self, operation)
            return
        self._alone.note(operation, self.session, context.statement.operations)
        if after is not self.catalog:
            note = _NOTES.get(kind)
            if note is not None:
                note(self, operation, after)
            self.catalog = after
        if self.transaction is not _AUTOCOMMIT:
            self._log.append(context)

    def note_created(self, operation: Operation, _after: Catalog) -> None:
        """Remember that the change created the operation's target."""
        name = _created_name(operation, self.session)
        if name is None or self.catalog.relations.get(name) is not None:
            return
        known_absent = self._change_start.relation(name) is None or self._history_known
        if operation.conditional or (getattr(operation, "if_not_exists", False) and not known_absent):
            self._maybe_created = self._maybe_created.set(name, True)
        else:
            self._created = self._created.set(name, True)

    def note_index(self, operation: CreateIndex, after: Catalog) -> None:
        """Remember that the change created an index; its name may be PostgreSQL's choice: the table's list tells."""
        before = self.catalog
        table = before.resolve(operation.target, self.session.search_path)
        name = _added(before.indexes_of.get(table, ()), after.indexes_of.get(table, ()))
        if name is not None:
            self._created = self._created.set(name, True)

    def note_renamed(self, operation: RenameObject | SetObjectSchema, _after: Catalog) -> None:
        """What the change created and has renamed is still its own."""
        old = self.catalog.resolve(operation.target, self.session.search_path)
        if old in self._created:
            new = Name(getattr(operation, "schema", None) or old.schema, getattr(operation, "new_name", old.name))
            self._created = self._created.delete(old).set(new, True)

    # --- transactions ---------------------------------------------------------------------------------------------

    def _open(self, transaction: Transaction) -> None:
        if transaction.kind == "none":
            self.transaction = _AUTOCOMMIT
            return
        self._group += 1
        self.transaction = replace(transaction, group=self._group)
        self._log = []
        self._saved = [self._save("")]

    def _save(self, name: str) -> _Saved:
        return _Saved(name, self.catalog, self.session, self._lasting, self._created, self._maybe_created)

    def _restore(self, saved: _Saved) -> None:
        self._draft.reset(saved.catalog)
        self._alone.end()
        self.catalog, self.session, self._lasting = saved.catalog, saved.session, saved.lasting
        self._created, self._maybe_created = saved.created, saved.maybe_created

    def _close_transaction(self) -> None:
        self.transaction = _AUTOCOMMIT
        if self._log:
            # Its contexts refer to it: emptying it frees them without the garbage collector, which is off.
            self._log.clear()
            self._log = []
        self._saved = []
        self.session = self._lasting

    def begin(self, _operation: Begin) -> None:
        """BEGIN; inside a transaction it is a warning, in an implicit one it makes it explicit."""
        if self.transaction.kind == "none":
            self._open(Transaction("explicit", reason="BEGIN"))
        elif self.transaction.kind == "implicit":
            self.transaction = replace(self.transaction, kind="explicit", reason="BEGIN")

    def commit(self, operation: Commit) -> None:
        """COMMIT."""
        ended = self.transaction
        self._close_transaction()
        if operation.chain:
            self._open(ended)
        elif self._outer.kind == "implicit":
            self._open(self._outer)

    def rollback(self, operation: Rollback) -> None:
        """ROLLBACK: everything since the transaction began did not happen."""
        ended = self.transaction
        if self._saved:
            self._restore(self._saved[0])
        self._close_transaction()
        if operation.chain:
            self._open(ended)
        elif self._outer.kind == "implicit":
            self._open(self._outer)

    def savepoint(self, operation: Savepoint) -> None:
        """SAVEPOINT."""
        if self.transaction.kind != "none":
            self._saved.append(self._save(operation.name))
            self._show_savepoints()

    def release(self, operation: ReleaseSavepoint) -> None:
        """RELEASE SAVEPOINT: it and all later ones are forgotten."""
        index = self._find_savepoint(operation.name)
        if index:
            del self._saved[index:]
            self._show_savepoints()

    def rollback_to(self, operation: RollbackToSavepoint) -> None:
        """ROLLBACK TO SAVEPOINT: what came after it did not happen; the savepoint stays."""
        index = self._find_savepoint(operation.name)
        if index:
            self._restore(self._saved[index])
            del self._saved[index + 1 :]
            self._show_savepoints()

    def _find_savepoint(self, name: str) -> int:
        """The index of the latest savepoint of that name; 0, which is the transaction's start, when there is none."""
        for index in range(len(self._saved) - 1, 0, -1):
            if self._saved[index].name == name:
                return index
        return 0

    def _show_savepoints(self) -> None:
        self.transaction = replace(self.transaction, savepoints=tuple(saved.name for saved in self._saved[1:]))

    # --- settings -------------------------------------------------------------------------------------------------

    def set_variable(self, operation: SetVariable) -> None:
        """SET, SET LOCAL and set_config()."""
        if operation.local and self.transaction.kind == "none":
            return
        if operation.conditional:
            if operation.name == "search_path":
                self.session = replace(self.session, path_known=False)
            return
        value = None if operation.values is None else ", ".join(operation.values)
        path = search_path(operation)
        self.session = with_setting(self.session, operation.name, Setting(value, operation.local), path)
        if not operation.local:
            self._lasting = with_setting(self._lasting, operation.name, Setting(value), path)

    def reset_variable(self, operation: ResetVariable) -> None:
        """RESET name, RESET ALL."""
        if operation.name is None:
            self.session = self._lasting = Session()
            return
        path = (("public",), True) if operation.name == "search_path" else None
        self.session = with_setting(self.session, operation.name, Setting(None), path)
        self._lasting = with_setting(self._lasting, operation.name, Setting(None), path)

    def discard(self, operation: Discard) -> None:
        """DISCARD; only ALL resets settings."""
        if operation.what == "all":
            self.session = self._lasting = Session()


_SETTINGS: frozenset[type[Operation]] = frozenset({SetVariable, ResetVariable, Discard})

#: Operations that steer the session instead of changing the schema.
_CONTROL: dict[type[Operation], Callable[..., None]] = {
    Begin: Fold.begin,
    Commit: Fold.commit,
    Rollback: Fold.rollback,
    Savepoint: Fold.savepoint,
    ReleaseSavepoint: Fold.release,
    RollbackToSavepoint: Fold.rollback_to,
    SetVariable: Fold.set_variable,
    ResetVariable: Fold.reset_variable,
    Discard: Fold.discard,
}

#: Operations that change which relations and types are the change's own.
_NOTES: dict[type[Operation], Callable[..., None]] = {
    CreateTable: Fold.note_created,
    CreateTableAs: Fold.note_created,
    CreateView: Fold.note_created,
    CreateMaterializedView: Fold.note_created,
    CreateSequence: Fold.note_created,
    CreateEnum: Fold.note_created,
    CreateDomain: Fold.note_created,
    CreateCompositeType: Fold.note_created,
    CreateRange: Fold.note_created,
    CreateIndex: Fold.note_index,
    RenameObject: Fold.note_renamed,
    SetObjectSchema: Fold.note_renamed,
}


def _added(before: tuple[Name, ...], after: tuple[Name, ...]) -> Name | None:
    """The one name, if any, that was added to a sorted list. A table may have thousands of indexes."""
    if len(after) != len(before) + 1:
        return None
    place = bisect_left(range(len(before)), True, key=lambda index: before[index] != after[index])
    return after[place]


def _created_name(operation: Operation, session: Session) -> Name | None:
    target = operation.target
    if target is None or target.schema is not None:
        return target
    if getattr(operation, "persistence", "") == "temporary" or getattr(operation, "temporary", False):
        return Name("pg_temp", target.name)
    return Name(session.search_path[0] if session.search_path else "public", target.name)
