"""Lines of a migration file as byte ranges. Most runners read their markers line by line, and so does dflint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dflint.model.migration import Notice, Span


class Line(NamedTuple):
    """One line.

    Attributes:
        start: its first byte.
        end: after its last byte, without the line feed and a carriage return before it.
        next: where the next line starts, or the end of the text.
        text: ``start`` to ``end``.
    """

    start: int
    end: int
    next: int
    text: bytes


def line_at(text: bytes, offset: int) -> Line:
    """The line that holds a byte."""
    start = text.rfind(b"\n", 0, offset) + 1
    return _line(text, start, len(text))


def _line(text: bytes, start: int, limit: int) -> Line:
    stop = text.find(b"\n", start, limit)
    after = stop + 1 if stop >= 0 else limit
    end = stop if stop >= 0 else limit
    if end > start and text[end - 1] == 13:
        end -= 1
    return Line(start, end, after, text[start:end])


def lines(text: bytes, start: int = 0, end: int | None = None) -> Iterator[Line]:
    """All lines of a range."""
    limit = len(text) if end is None else end
    while start < limit:
        line = _line(text, start, limit)
        yield line
        start = line.next


def lines_with(text: bytes, needle: bytes) -> Iterator[Line]:
    """The lines that hold a needle, once each."""
    at = text.find(needle)
    while at >= 0:
        line = line_at(text, at)
        yield line
        at = text.find(needle, line.next) if line.next > at else -1


def is_comment(line: bytes) -> bool:
    """Whether a line is a ``--`` comment, with or without white space before it."""
    return line.lstrip().startswith(b"--")


def span_of(line: Line) -> Span:
    """The line without the white space round it."""
    lead = len(line.text) - len(line.text.lstrip())
    return Span(line.start + lead, line.start + max(lead, len(line.text.rstrip())))


def without_effect(message: str, span: Span) -> Notice:
    """A marker that the runner does not take."""
    return Notice("marker-without-effect", message, span)


def refused(message: str, span: Span) -> Notice:
    """The runner stops at this file with an error."""
    return Notice("runner-refuses-file", message, span)


def never_runs(message: str, span: Span) -> Notice:
    """The runner skips this text on a database that is in use."""
    return Notice("never-runs", message, span)


def pieces(text: bytes, span: Span, delimiter: bytes) -> tuple[Span, ...]:
    """What lies between the occurrences of a delimiter, without pieces of nothing but white space."""
    found = []
    start = span.start
    while start < span.end:
        stop = text.find(delimiter, start, span.end)
        stop = stop if stop >= 0 else span.end
        if text[start:stop].strip():
            found.append(Span(start, stop))
        start = stop + len(delimiter)
    return tuple(found)
