"""A trace file read as a migration: its statements with exactly the transactions they ran in.

The text that is judged is put together from the statements; places in it are told as places in the trace file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from dflint.model.errors import InputError
from dflint.model.migration import Section, Span, Wire
from dflint.model.trace import Trace, TracedStatement, TracedTransaction
from dflint.plugin.sources import Sections
from dflint.sql.source_text import SourceText
from dflint.trace.labels import first_name, last_name
from dflint.trace.trace_file import load

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_COLON = re.compile(rb"\s*:\s*")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)|.", re.DOTALL)
_SETTINGS = frozenset({"set_variable", "reset_variable", "discard"})


class RecordedText(SourceText):
    """The text of a trace's statements. Positions are those in the trace file.

    Attributes:
        original: the content of the trace file.
    """

    __slots__ = ("_content", "_pieces", "_starts")

    def __init__(self, path: str, content: bytes, text: bytes, pieces: Sequence[tuple[int, int]]) -> None:
        """Keep both texts.

        Args:
            path: of the trace file.
            content: of the trace file.
            text: put together from its statements.
            pieces: where each statement begins in ``text``, and the first byte of its JSON string in ``content``.
        """
        super().__init__(path, text)
        self._content = content
        self._pieces = pieces
        self._starts = [start for start, _ in pieces]

    @property
    def original(self) -> bytes:
        """The content of the trace file."""
        return self._content

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column in the trace file of a byte offset in the text."""
        index = bisect_right(self._starts, offset) - 1
        if index < 0:
            return 1, 1
        start, at = self._pieces[index]
        characters = len(self.text[start:offset].decode("utf-8", "replace"))
        line_start = self._content.rfind(b"\n", 0, at) + 1
        line = self._content.count(b"\n", 0, line_start) + 1
        column = len(self._content[line_start:at].decode()) + 1
        return line, column + _escaped_length(self._content[at : _end_of_string(self._content, at)], characters)


def recorded(path: str, content: bytes) -> tuple[SourceText, Sections]:
    """Read a trace file.

    Args:
        path: as it is printed.

    Raises:
        InputError: it is no trace that can be read.
        SourceError: a statement holds a NUL byte.
    """
    trace = load(content, path)
    places = _statement_places(content)
    if len(places) != sum(len(transaction.statements) for transaction in trace.transactions):
        raise InputError("a statement of the trace has not exactly one text", file=path)
    builder = _Builder()
    units = _Units(trace)
    place = iter(places)
    for transaction in trace.transactions:
        own = [(statement, next(place)) for statement in transaction.statements]
        begins_change = units.begins(transaction)
        if transaction.outcome != "failed" or transaction.kind == "explicit":
            builder.add(transaction, own, begins_change=begins_change)
    text = b"".join(builder.parts)
    return RecordedText(path, content, text, builder.pieces), Sections(tuple(builder.sections))


class _Units:
    """Which transactions begin a new migration: each is a change of its own, as a file is."""

    def __init__(self, trace: Trace) -> None:
        self._by_file = bool(trace.files)
        self._last: str | None = None

    def begins(self, transaction: TracedTransaction) -> bool:
        """Whether a migration begins with this transaction; asked in order."""
        last, label = self._last, transaction.label
        self._last = label
        if last is None or label is None:
            return last is not label
        return last != label if self._by_file else last_name(last) != first_name(label)


class _Builder:
    """Puts text and sections together."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.sections: list[Section] = []
        self.pieces: list[tuple[int, int]] = []
        self._length = 0
        self._session: int | None = None
        self._settings = False
        self._pending_change = False

    def add(
        self, transaction: TracedTransaction, statements: Sequence[tuple[TracedStatement, int]], *, begins_change: bool
    ) -> None:
        """One more transaction; what had no effect on the schema is left out."""
        self._pending_change = self._pending_change or begins_change
        kept = [(statement, place) for statement, place in statements if _is_kept(statement)]
        if all(statement.role == "control" for statement, _ in kept):
            return
        start = self._length
        if self._session not in (None, transaction.session) and self._settings:
            self._put("RESET ALL")
        self._session = transaction.session
        explicit = transaction.kind == "explicit"
        if explicit and not any("begin" in statement.operations for statement, _ in kept):
            self._put("BEGIN")
        for statement, place in kept:
            if statement.operations == ("commit",) and transaction.outcome == "rolled_back":
                self._put("ROLLBACK", place)
                continue
            self._put(statement.sql, place)
            self._settings = self._settings or not _SETTINGS.isdisjoint(statement.operations)
        if explicit and transaction.outcome in ("open", "failed", "rolled_back") and not _ends(kept):
            self._put("ROLLBACK")
        self.sections.append(
            Section(
                "up",
                Span(start, self._length),
                wire=_wire(transaction, kept),
                reason=f"transaction {transaction.id} of the trace",
                begins_change=self._pending_change,
            )
        )
        self._pending_change = False

    def _put(self, sql: str, place: int | None = None) -> None:
        if place is not None:
            self.pieces.append((self._length, place))
        part = f"{sql}\n;\n".encode()
        self.parts.append(part)
        self._length += len(part)


def _is_kept(statement: TracedStatement) -> bool:
    if statement.error is not None or statement.not_observed == "not run":
        return False
    if statement.role in ("migration", "control"):
        return True
    return not _SETTINGS.isdisjoint(statement.operations)


def _ends(statements: Sequence[tuple[TracedStatement, int]]) -> bool:
    return bool(statements) and not {"commit", "rollback"}.isdisjoint(statements[-1][0].operations)


def _wire(transaction: TracedTransaction, statements: Sequence[tuple[TracedStatement, int]]) -> Wire:
    """How the statements reach the server, so that they share the transaction that they shared."""
    if transaction.kind == "implicit":
        return "string"
    begins_late = transaction.kind == "explicit" and "begin" not in statements[0][0].operations
    return "string" if begins_late and any("begin" in each.operations for each, _ in statements) else "statement"


# --- places in the JSON text ------------------------------------------------------------------------------------------


def _statement_places(content: bytes) -> list[int]:
    """The first byte of each statement's text: of the strings that are values of the key ``sql``."""
    return list(_values_of_sql(content))


def _values_of_sql(content: bytes) -> Iterator[int]:
    expected = -1
    for found in _STRING.finditer(content):
        if found.start() == expected:
            yield found.start() + 1
        colon = _COLON.match(content, found.end()) if found[0] == b'"sql"' else None
        expected = colon.end() if colon else -1


def _end_of_string(content: bytes, start: int) -> int:
    found = _STRING.match(content, start - 1)
    return found.end() - 1 if found else len(content)


def _escaped_length(string: bytes, characters: int) -> int:
    """How many code points of a JSON string make its first characters."""
    text = string.decode("utf-8", "replace")
    end = 0
    for found in _ESCAPE.finditer(text):
        if characters <= 0:
            break
        end = found.end()
        # Of two halves of a pair, which make one character, the second one counts.
        if found[1] is None or not 0xD800 <= int(found[1], 16) < 0xDC00:
            characters -= 1
    return end
