"""Where runners that know no SQL cut a text into what they send: at semicolons that end a line."""

from __future__ import annotations

from collections.abc import Sequence

from dflint.model.migration import Span
from dflint_sources.lines import Line, is_comment, lines


def at_line_ends(text: bytes, span: Span, fences: Sequence[Line]) -> tuple[Span, ...]:
    """Cut a range as goose and sql-migrate do.

    Args:
        text: of the file.
        span: the range.
        fences: the lines in the range that begin and end a statement kept together, in turn.

    Returns:
        The pieces, without comments and white space before them. What follows the last semicolon is a piece too.
    """
    found: list[Span] = []
    closing = {line.start for line in fences[1::2]}
    opening = {line.start for line in fences[::2]}
    start = -1  # of the piece being read; -1 between pieces
    fenced = False
    last = span.start
    for line in lines(text, span.start, span.end):
        if line.start in opening:
            fenced, start = True, -1
            continue
        if line.start in closing:
            if start >= 0:
                found.append(Span(start, last))
            fenced, start = False, -1
            continue
        if start < 0:
            if not line.text.strip() or is_comment(line.text):
                continue
            start = line.start
        last = line.end
        if not fenced and ends_statement(line.text):
            found.append(Span(start, line.end))
            start = -1
    if start >= 0:
        found.append(Span(start, last))
    return tuple(found)


def ends_statement(line: bytes) -> bool:
    """Whether the last word before a ``--`` comment ends with a semicolon."""
    if b";" not in line:
        return False
    before = b""
    for word in line.split():
        if word.startswith(b"--"):
            break
        before = word
    return before.endswith(b";")
