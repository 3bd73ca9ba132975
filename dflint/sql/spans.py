"""Where in the text an operation stands: the clause, not the file. Only asked for findings, so it may scan."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dflint.model.migration import Statement
from dflint.model.operations.base import Operation
from dflint.sql.libpg_query import COMMENT_TOKENS, GrammarError, LibPgQuery, Token
from dflint.sql.parse import skip_blanks, text_start

#: ``ALTER TABLE name`` and its kin, up to the action, where nothing odd stands in between.
_ALTER = re.compile(
    rb"""alter\s+(?:table|index|view|materialized\s+view|sequence|foreign\s+table|type)\s+(?:if\s+exists\s+)?(?:only\s+)?
    (?:[\w$]+|"[^"]+")(?:\s*\.\s*(?:[\w$]+|"[^"]+"))*(?:\s*\*)?\s+""",
    re.IGNORECASE | re.VERBOSE,
)

_QUOTES = rb"""'[^']*'|"[^"]*"|\$(?P<tag>[A-Za-z_]\w*|)\$.*?\$(?P=tag)\$"""
_COMMENTS = rb"--[^\n]*|/\*.*?\*/"
#: Brackets and commas outside quotes and comments; those come as matches of their own.
_MARKS = re.compile(_QUOTES + rb"|" + _COMMENTS + rb"|[()\[\],]", re.DOTALL)
#: Code, or what is not: white space and comments.
_WORDS = re.compile(rb"(?P<blank>\s+|" + _COMMENTS + rb")|(?P<code>(?:" + _QUOTES + rb"|(?!--|/\*)\S)+)", re.DOTALL)

#: Words between ALTER and the relation's name.
_ALTER_HEAD = frozenset(b"alter table index view materialized sequence foreign type if exists only".split())


def operation_span(
    library: LibPgQuery, text: bytes, statement: Statement, operation: Operation, at: int = -1
) -> tuple[int, int]:
    """Byte offsets of the clause an operation comes from.

    Args:
        text: of the whole file.
        at: a place inside the statement that a check pointed at, as an operation's ``at``; -1 for the operation's own.
    """
    start = text_start(text, statement)
    # Inside a DO block places count from the start of the embedded text; its line is what is known of the file.
    place = -1 if operation.body_line else at if at >= 0 else operation.at
    if not operation.body_line and text.find(b"\\", start, statement.end) < 0:
        quick = _quick(text, start, statement, operation, place)
        if quick is not None:
            return quick
    tokens = _tokens(library, text[start : statement.end])
    if not tokens:
        return start, max(start, statement.end)
    if place >= 0:
        first = statement.base + place - start
        index = next((i for i, token in enumerate(tokens) if token.start >= first), len(tokens) - 1)
    elif operation.clause >= 0:
        index = _clause_start(text, start, tokens, operation.clause)
    else:
        index = 0
    if index == 0 and operation.body_line:
        return _body_line(text, start, tokens, operation.body_line)
    if index == 0:
        return start, start + tokens[-1].end
    return start + tokens[index].start, start + _clause_end(text, start, tokens, index)


def _quick(text: bytes, start: int, statement: Statement, operation: Operation, place: int) -> tuple[int, int] | None:
    """The span without the scanner, where no string has escapes and no comment stands in an odd place."""
    if place >= 0:
        first = statement.base + place
    elif operation.clause > 0:
        first = _nth_clause(text, start, statement.end, operation.clause)
    elif operation.clause == 0 and text[start : start + 5].lower() == b"alter":
        head = _ALTER.match(text, start, statement.end)
        if head is None:
            return None
        first = head.end()
    else:
        first = start
    if first == start:
        return start, _trimmed(text, start, statement.end)
    return first, _trimmed(text, first, _quick_clause_end(text, first, statement.end))


def _nth_clause(text: bytes, start: int, end: int, clause: int) -> int:
    """Where a later clause begins: after the clause-th comma outside brackets."""
    depth = commas = 0
    for found in _MARKS.finditer(text, start, end):
        mark = found[0]
        if mark in b"([":
            depth += 1
        elif mark in b")]":
            depth -= 1
        elif mark == b"," and depth == 0:
            commas += 1
            if commas == clause:
                return skip_blanks(text, found.end(), end)
    return start


def _quick_clause_end(text: bytes, start: int, end: int) -> int:
    depth = 0
    for found in _MARKS.finditer(text, start, end):
        mark = found[0]
        if mark in b"([":
            depth += 1
        elif mark in b")]":
            depth -= 1
            if depth < 0:
                return found.start()
        elif mark == b"," and depth == 0:
            return found.start()
    return end


def _trimmed(text: bytes, start: int, end: int) -> int:
    """The end without trailing white space and comments."""
    if text.find(b"--", start, end) < 0 and text.find(b"/*", start, end) < 0:
        return start + len(text[start:end].rstrip())
    last = start
    for found in _WORDS.finditer(text, start, end):
        if found.lastgroup == "code":
            last = found.end()
    return last


def _body_line(text: bytes, start: int, tokens: Sequence[Token], line: int) -> tuple[int, int]:
    """The given line of the longest string of a statement: where the body of a DO block stands."""
    body = max(tokens, key=lambda token: token.end - token.start)
    first, stop = start + body.start, start + body.end
    for _ in range(line - 1):
        following = text.find(b"\n", first, stop)
        if following < 0:
            break
        first = following + 1
    end = text.find(b"\n", first, stop)
    end = stop if end < 0 else end
    content = text[first:end]
    return first + len(content) - len(content.lstrip()), max(first + len(content.rstrip()), first)


def comments(library: LibPgQuery, text: bytes) -> list[Token]:
    """The comments of a text, in order; none where the scanner cannot read it."""
    try:
        return [token for token in library.scan(text) if token.code in COMMENT_TOKENS]
    except GrammarError:
        return []


def _tokens(library: LibPgQuery, sql: bytes) -> list[Token]:
    try:
        return [token for token in library.scan(sql) if token.code not in COMMENT_TOKENS]
    except GrammarError:
        return []


def _word(text: bytes, start: int, token: Token) -> bytes:
    return text[start + token.start : start + token.end].lower()


def _clause_start(text: bytes, start: int, tokens: Sequence[Token], clause: int) -> int:
    """Index of the first token of the clause: after the clause-th comma outside brackets, or after the head."""
    depth = commas = 0
    for index, token in enumerate(tokens):
        if clause == 0:
            break
        word = _word(text, start, token)
        if word in (b"(", b"["):
            depth += 1
        elif word in (b")", b"]"):
            depth -= 1
        elif word == b"," and depth == 0:
            commas += 1
            if commas == clause:
                return min(index + 1, len(tokens) - 1)
    if clause or _word(text, start, tokens[0]) != b"alter":
        return 0
    index = 0
    while index < len(tokens) and _word(text, start, tokens[index]) in _ALTER_HEAD:
        index += 1
    index += 1  # the name
    while index + 1 < len(tokens) and _word(text, start, tokens[index]) == b".":
        index += 2
    if index < len(tokens) and _word(text, start, tokens[index]) == b"*":
        index += 1
    return index if index < len(tokens) else 0


def _clause_end(text: bytes, start: int, tokens: Sequence[Token], index: int) -> int:
    """End of the clause that begins at a token: before the next comma or closing bracket of its own level."""
    depth = 0
    for position in range(index, len(tokens)):
        word = _word(text, start, tokens[position])
        if word in (b"(", b"["):
            depth += 1
        elif word in (b")", b"]"):
            depth -= 1
            if depth < 0:
                return tokens[max(position - 1, index)].end
        elif word == b"," and depth == 0:
            return tokens[max(position - 1, index)].end
    return tokens[-1].end
