"""Where a text's comments are, as PostgreSQL's scanner sees them: text in quotes is no comment."""

from __future__ import annotations

from dflint.sql.libpg_query import COMMENT_TOKENS, GrammarError, LibPgQuery


def comments(library: LibPgQuery, text: bytes) -> list[tuple[int, int]]:
    """Byte offsets of the comments, in order.

    Where the scanner gives up, at a quote that is never closed as a rule, the rest has no comments.
    """
    try:
        tokens = library.scan(text)
    except GrammarError as error:
        try:
            tokens = library.scan(text[: error.position])
        except GrammarError:
            return []
    return [(token.start, token.end) for token in tokens if token.code in COMMENT_TOKENS]
