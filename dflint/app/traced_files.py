"""Migration files as transactions to run: cut, ordered and wrapped as their runner does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from dflint.app.discovery import History
from dflint.app.effects import known_facts
from dflint.app.loading import load_file
from dflint.history.fold import Fold
from dflint.model.catalog import Catalog
from dflint.model.context import Context
from dflint.model.errors import SourceError
from dflint.model.migration import Statement
from dflint.model.operations.base import Opaque
from dflint.model.operations.session import Begin, Commit, PsqlCommand, Rollback
from dflint.model.trace import Outcome, TracedStatement, TracedTransaction, TransactionKind
from dflint.sql.parse import Parser, text_start
from dflint.sql.source_text import SourceText
from dflint.trace.roles import role_of

_BEGIN = TracedStatement(sql="BEGIN", role="control", operations=("begin",))
_COMMIT = TracedStatement(sql="COMMIT", role="control", operations=("commit",))
_ENDS = (Commit, Rollback)


class Planned:
    """The transactions of some files, and what of the files is not among them.

    Attributes:
        transactions: in the order in which they run.
        remarks: what cannot be run, in words for users.
    """

    def __init__(self) -> None:
        self.transactions: list[TracedTransaction] = []
        self.remarks: list[str] = []

    def add(self, kind: TransactionKind, statements: Sequence[TracedStatement], outcome: Outcome, label: str) -> None:
        """One more transaction."""
        self.transactions.append(
            TracedTransaction(
                id=len(self.transactions) + 1, kind=kind, statements=tuple(statements), outcome=outcome, label=label
            )
        )


def plan(history: History, files: Iterable[str], parser: Parser, *, assume_in_transaction: bool = False) -> Planned:
    """The transactions in which a runner runs some files of its history.

    Args:
        files: of the history, in order. A runner that wraps all pending migrations wraps these.

    Raises:
        SourceError: one cannot be read.
    """
    planned = Planned()
    fold = Fold(runner=history.runner, version=18, knowledge=known_facts(), catalog=Catalog(basis="replay"))
    steps = _steps(history, files, parser, fold, planned, assume_in_transaction=assume_in_transaction)
    for group, own in groupby(steps, key=lambda step: step.group):
        _add_transaction(planned, group, list(own))
    return planned


class _Step:
    """A statement with the transaction it runs in."""

    def __init__(self, group: tuple[str, int], traced: TracedStatement, statement: Statement, label: str) -> None:
        self.group = group
        self.traced = traced
        self.statement = statement
        self.label = label


def _steps(
    history: History,
    files: Iterable[str],
    parser: Parser,
    fold: Fold,
    planned: Planned,
    *,
    assume_in_transaction: bool,
) -> Iterator[_Step]:
    fold.begin_change()
    alone = 0
    for path in files:
        loaded = load_file(history, path)
        if loaded.source is None:
            assert loaded.error is not None
            raise SourceError(loaded.error.message, file=loaded.error.file, line=loaded.error.line)
        source = loaded.source
        parsed = parser.parse(source.text, loaded.cut.sections)
        contexts = fold.file(source.text, loaded.cut.sections, parsed, assume_in_transaction=assume_in_transaction)
        explicit = False
        for _, own in groupby(contexts, key=lambda context: (context.section, context.statement.index)):
            # All of them, for each operation takes effect when the next context is asked for.
            first, *_ = own
            traced = _traced(first, source, planned)
            if traced is None:
                continue
            transaction = first.transaction
            group: tuple[str, int] = (transaction.kind, transaction.group)
            begins = isinstance(first.operation, Begin) and transaction.kind == "none"
            if begins:
                explicit = True
                alone += 1
                group = ("own", alone)
            elif explicit and transaction.kind == "explicit":
                group = ("own", alone)
            elif transaction.kind == "none":
                explicit = False
                alone += 1
                group = ("alone", alone)
            yield _Step(group, traced, first.statement, source.path)


def _traced(context: Context, source: SourceText, planned: Planned) -> TracedStatement | None:
    """The statement of a context, None when it is not to be run."""
    statement = context.statement
    if statement.start == statement.end or not statement.operations:
        return None
    start = text_start(source.text, statement)
    line, _ = source.position(start)
    for operation in statement.operations:
        if isinstance(operation, PsqlCommand) or (isinstance(operation, Opaque) and operation.node == "psql"):
            planned.remarks.append(f"{source.path}:{line}: not run: a psql command")
            return None
        if isinstance(operation, Begin | Commit | Rollback) and not context.section.own_transactions:
            return None
    return TracedStatement(
        sql=source.text[start : statement.end].decode().strip(),
        role=role_of(statement.operations),
        operations=tuple(dict.fromkeys(operation.kind for operation in statement.operations)),
        file=source.path,
        line=line,
    )


def _add_transaction(planned: Planned, group: tuple[str, int], steps: Sequence[_Step]) -> None:
    statements = [step.traced for step in steps]
    label = steps[0].label
    kind = group[0]
    if kind == "runner":
        planned.add("explicit", (_BEGIN, *statements, _COMMIT), "committed", label)
    elif kind == "alone":
        planned.add("autocommit", statements, "committed", label)
    elif kind in ("own", "explicit"):
        last = steps[-1].statement.operations
        ended = any(isinstance(operation, _ENDS) for operation in last)
        rolled_back = any(isinstance(operation, Rollback) for operation in last)
        outcome: Outcome = "rolled_back" if rolled_back else "committed" if ended else "open"
        planned.add("explicit", statements, outcome, label)
    else:
        planned.add("implicit", statements, "committed", label)
