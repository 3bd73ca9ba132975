"""Separating statements by PostgreSQL's scanner alone, for text that its grammar rejects.

libpg_query has such a splitter, but it leaves out pieces without a keyword, and would so hide a misspelt statement.
"""

from __future__ import annotations

from collections.abc import Sequence

from dflint.sql.libpg_query import COMMENT_TOKENS, GrammarError, LibPgQuery, Token


def split(library: LibPgQuery, text: bytes) -> list[tuple[int, int]]:
    """Statements as (start, end) byte offsets, without terminators, in order; nothing but comments is left out.

    Semicolons inside brackets and inside SQL-standard routine bodies (BEGIN ATOMIC … END) do not separate, as in psql.
    A bracket that is never closed does not swallow what follows it. Where even the scanner gives up, at a quote that
    is never closed, the last piece holds the rest of the text.
    """
    try:
        tokens = library.scan(text)
        rest = len(text)
    except GrammarError as error:
        tokens, rest = _before(library, text, error.position)
    tokens = [token for token in tokens if token.code not in COMMENT_TOKENS]
    pieces: list[tuple[int, int]] = []
    first = 0
    while first < len(tokens):
        stop = _terminator(text, tokens, first)
        if stop > first:
            pieces.append((tokens[first].start, tokens[stop - 1].end))
        first = stop + 1
    if rest < len(text):
        if pieces and text[pieces[-1][1] : rest].strip(b" \t\r\n\f\v") == b"":
            # The open quote belongs to the statement that was under way.
            pieces[-1] = (pieces[-1][0], len(text))
        else:
            pieces.append((rest, len(text)))
    return pieces


def _before(library: LibPgQuery, text: bytes, position: int) -> tuple[list[Token], int]:
    """The tokens before the place where the scanner gave up, and that place."""
    try:
        return library.scan(text[:position]), position
    except GrammarError:
        return [], 0


def _terminator(text: bytes, tokens: Sequence[Token], first: int) -> int:
    """Index of the semicolon that ends the statement whose first token is given, or the number of tokens."""
    depth = 0
    nesting = 0  # of BEGIN ATOMIC and CASE inside it
    earliest = -1  # the first semicolon inside brackets
    routine = _creates_routine(text, tokens, first)
    previous = b""
    for index in range(first, len(tokens)):
        token = tokens[index]
        word = text[token.start : token.end]
        if word == b";":
            if depth == 0 and nesting == 0:
                return index
            if earliest < 0 and nesting == 0:
                earliest = index
        elif word in (b"(", b"["):
            depth += 1
        elif word in (b")", b"]"):
            depth = max(depth - 1, 0)
        elif routine:
            lower = word.lower()
            if (lower == b"atomic" and previous == b"begin") or (nesting and lower == b"case"):
                nesting += 1
            elif nesting and lower == b"end":
                nesting -= 1
            previous = lower
    return earliest if earliest >= 0 else len(tokens)


def _creates_routine(text: bytes, tokens: Sequence[Token], first: int) -> bool:
    words = {text[token.start : token.end].lower() for token in tokens[first : first + 4]}
    return b"create" in words and (b"function" in words or b"procedure" in words)
