"""From a server's log to transactions: which statements ran, in which transaction, and how it ended.

The log names the transaction of each statement by its virtual transaction id. What begins and ends an explicit one is
left to PostgreSQL's grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from dflint.model.migration import Section, Span
from dflint.model.observation import SqlError
from dflint.model.operations.base import Operation
from dflint.model.operations.session import (
    Begin,
    Commit,
    PrepareTransaction,
    Rollback,
    RollbackToSavepoint,
)
from dflint.model.trace import Outcome, TracedStatement, TracedTransaction, TransactionKind
from dflint.sql.parse import Parser, text_start
from dflint.trace.labels import labelled
from dflint.trace.roles import role_of
from dflint.trace.server_log import Entry

_EXECUTE = re.compile(r"execute (fetch from )?.*?: (.*)", re.DOTALL)
_DURATION = re.compile(r"duration: ([\d.]+) ms\Z")
_PARAMETER = re.compile(r"\$\d+ = (?:'((?:[^']|'')*)'|NULL)")
_ABORTED = "25P02"

#: Statements that have the server analyse further statements, which the log does not tell from the next of a string.
_ANALYSING = frozenset({"prepare", "execute", "create_extension", "copy"})


class _Ran(Struct):
    """A statement as it is known so far."""

    sql: str
    operations: tuple[Operation, ...]
    start: int
    end: int
    transaction: str = ""
    parameters: tuple[str | None, ...] = ()
    error: SqlError | None = None
    duration_ms: float | None = None


class _Message(Struct):
    """A string or an execution that a client sent.

    Attributes:
        text: as the log shows it.
        transaction: virtual transaction id when it arrived.
        reached: how many of its statements the server has analysed so far.
        activity: the command tag of the last one reached.
        simple: a string, not an execution of the extended protocol.
    """

    text: str
    transaction: str
    statements: list[_Ran]
    simple: bool
    reached: int = 0
    activity: str = ""
    ended: bool = False

    @property
    def countable(self) -> bool:
        """Whether the analyses that the log shows are those of the string's own statements."""
        return not any(one.kind in _ANALYSING for statement in self.statements for one in statement.operations)


def recover(entries: Iterable[Entry], parser: Parser, *, leave_out: str | None = None) -> list[TracedTransaction]:
    """The transactions that a log shows, in the order in which they began.

    Args:
        entries: of the log.
        parser: for the statements of a string.
        leave_out: application name of sessions that are not shown.
    """
    sessions: dict[str, _Session] = {}
    order: list[tuple[_Session, _Group]] = []
    for entry in entries:
        if leave_out is not None and entry.application == leave_out:
            continue
        session = sessions.get(entry.session)
        if session is None:
            session = sessions[entry.session] = _Session(parser, order)
        session.take(entry)
    numbers: dict[int, int] = {}
    found: list[TracedTransaction] = []
    for session in sessions.values():
        session.end_message()
    for session, group in order:
        number = numbers.setdefault(id(session), len(numbers) + 1)
        found.append(_traced(group, len(found) + 1, number))
    return labelled(found)


class _Group:
    """The statements of one transaction."""

    def __init__(self, transaction: str, *, chained: bool) -> None:
        self.transaction = transaction
        self.explicit = chained
        self.statements: list[_Ran] = []
        self.aborted = False
        self.outcome: Outcome | None = None
        self.chains = False

    def add(self, statement: _Ran) -> None:
        """One more; what it does to the transaction depends on whether it failed."""
        self.statements.append(statement)
        if statement.error is not None:
            self.aborted = True
            if any(isinstance(one, Commit) for one in statement.operations):
                self.outcome = "failed"
            return
        for operation in statement.operations:
            self._control(operation)

    def _control(self, operation: Operation) -> None:
        if isinstance(operation, Begin):
            self.explicit = True
        elif isinstance(operation, Commit):
            self.outcome = "rolled_back" if self.aborted else "committed"
            self.chains = operation.chain
        elif isinstance(operation, Rollback):
            self.outcome = "rolled_back"
            self.chains = operation.chain
        elif isinstance(operation, RollbackToSavepoint):
            self.aborted = False
        elif isinstance(operation, PrepareTransaction):
            self.outcome = "rolled_back" if self.aborted else "prepared"

    @property
    def kind(self) -> TransactionKind:
        if self.explicit:
            return "explicit"
        return "implicit" if len(self.statements) > 1 else "autocommit"

    def final_outcome(self) -> Outcome:
        if self.outcome is not None:
            return self.outcome
        if self.explicit:
            return "open"
        return "failed" if self.aborted else "committed"


class _Session:
    """One client's session."""

    def __init__(self, parser: Parser, order: list[tuple[_Session, _Group]]) -> None:
        self._parser = parser
        self._order = order
        self._message: _Message | None = None
        self._group: _Group | None = None

    def take(self, entry: Entry) -> None:
        """One more entry of the log."""
        message = entry.message
        if entry.severity == "LOG":
            if message.startswith("statement: "):
                self._begin(entry, message[len("statement: ") :], simple=True)
            elif message.startswith("execute "):
                found = _EXECUTE.match(message)
                if found and not found[1]:
                    self._begin(entry, found[2], simple=False)
            elif message == "PARSE ANALYSIS STATISTICS":
                self._analysed(entry)
            elif message.startswith("duration: "):
                self._lasted(entry)
        elif entry.severity in ("ERROR", "FATAL", "PANIC") and entry.query:
            self._failed(entry)

    def _begin(self, entry: Entry, text: str, *, simple: bool) -> None:
        self.end_message()
        statements = self._parse(text) if simple else self._parse(text)[:1]
        parameters = _parameters(entry.detail)
        for statement in statements:
            statement.parameters = parameters
        self._message = _Message(text, entry.transaction, statements, simple)

    def _parse(self, text: str) -> list[_Ran]:
        content = text.encode()
        section = Section("up", Span(0, len(content)), wire="string")
        found = []
        for statement in self._parser.parse(content, [section])[0]:
            start = text_start(content, statement)
            sql = content[start : statement.end].decode().strip()
            found.append(_Ran(sql, statement.operations, start, statement.end))
        return found

    def _analysed(self, entry: Entry) -> None:
        message = self._message
        if message is None or not message.simple or message.ended or entry.context or entry.query != message.text:
            return
        if message.reached < len(message.statements):
            message.statements[message.reached].transaction = entry.transaction
        message.reached += 1
        message.activity = entry.activity

    def _lasted(self, entry: Entry) -> None:
        message = self._message
        found = _DURATION.match(entry.message)
        if message is None or message.ended or found is None or entry.activity in ("PARSE", "BIND"):
            return
        if len(message.statements) == 1:
            message.statements[0].duration_ms = float(found[1])
        message.ended = True

    def _failed(self, entry: Entry) -> None:
        message = self._message
        error = SqlError(entry.sqlstate, entry.message)
        if message is None or entry.query != message.text or (message.simple and message.ended):
            # It failed before it was logged: a syntax error, or a statement that could not be prepared.
            self.end_message()
            statements = self._parse(entry.query)
            whole = statements[0] if len(statements) == 1 else _Ran(entry.query.strip(), (), 0, len(entry.query))
            if whole.sql:
                whole.error = error
                self._add([whole], entry.transaction)
            return
        if message.statements:
            failing = _failing(message, entry)
            message.statements[failing].error = error
            del message.statements[failing + 1 :]
        message.ended = True
        self.end_message()

    # --- transactions ---------------------------------------------------------------------------------------------

    def end_message(self) -> None:
        """What the client sent last is complete: its statements go to their transactions."""
        message, self._message = self._message, None
        if message is not None:
            known = message.countable and message.reached <= len(message.statements)
            if not known:
                for statement in message.statements:
                    statement.transaction = ""
            self._add(message.statements, message.transaction)

    def _add(self, statements: Sequence[_Ran], transaction: str) -> None:
        """Add statements that arrived together.

        Args:
            transaction: the virtual transaction id when they arrived.
        """
        part = 0
        for statement in statements:
            named = statement.transaction or (f"{transaction}+{part}" if part else transaction)
            group = self._group_for(named)
            group.add(statement)
            if group.outcome is not None and not statement.transaction:
                part += 1

    def _group_for(self, transaction: str) -> _Group:
        group = self._group
        if group is not None and group.outcome is None:
            none = transaction.partition("/")[2].partition("+")[0] in ("", "0")
            # An aborted block has lost its id; so has what follows it until it ends.
            if transaction == group.transaction or (none and group.explicit and group.aborted):
                return group
        chained = group is not None and group.outcome is not None and group.chains
        group = self._group = _Group(transaction, chained=chained)
        self._order.append((self, group))
        return group


def _failing(message: _Message, entry: Entry) -> int:
    """Which statement of a message failed."""
    statements = message.statements
    last = len(statements) - 1
    if last == 0:
        return 0
    if entry.position > 0 and not entry.context:
        at = len(message.text[: entry.position - 1].encode())
        for index, statement in enumerate(statements):
            if at < statement.end:
                return index
    if not message.countable:
        return last
    if entry.sqlstate == _ABORTED or entry.activity != message.activity:
        return min(message.reached, last)
    return min(max(message.reached - 1, 0), last)


def _parameters(detail: str) -> tuple[str | None, ...]:
    """The values that ``Parameters: $1 = 'x', $2 = NULL`` shows."""
    if not detail[:11].lower().startswith("parameters:"):
        return ()
    return tuple(_values(detail[11:]))


def _values(text: str) -> Iterator[str | None]:
    for found in _PARAMETER.finditer(text):
        yield None if found[1] is None else found[1].replace("''", "'")


def _traced(group: _Group, number: int, session: int) -> TracedTransaction:
    statements = tuple(
        TracedStatement(
            sql=one.sql,
            role=role_of(one.operations),
            operations=tuple(dict.fromkeys(operation.kind for operation in one.operations)),
            parameters=one.parameters,
            error=one.error,
            duration_ms=one.duration_ms,
        )
        for one in group.statements
    )
    return TracedTransaction(
        id=number,
        kind=group.kind,
        statements=statements,
        session=session,
        outcome=group.final_outcome(),
    )
