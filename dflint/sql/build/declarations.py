"""PL/pgSQL declarations with types that only a catalog knows, made readable without one."""

from __future__ import annotations

from typing import Final, Literal

from dflint.sql.build.nodes import BUILT_IN_TYPES
from dflint.sql.libpg_query import COMMENT_TOKENS, LibPgQuery

#: Words that end the type of a declaration.
_ENDS: Final = frozenset({b";", b":=", b"=", b"default", b"not", b"collate"})
#: Words after a name that say that no type follows.
_NO_TYPE: Final = frozenset({b"cursor", b"alias", b"no", b"scroll"})
_KNOWN: Final = BUILT_IN_TYPES | frozenset(
    """integer int bigint smallint real double float decimal dec boolean character varchar bit national nchar
    record refcursor serial bigserial""".split()
)


def with_known_types(body: str, library: LibPgQuery, shape: Literal["record", "text"]) -> str:
    """The body with types of the catalog replaced: rows by ``record``, others by ``text``.

    Lines stay what they were.

    Args:
        shape: what a name becomes that may mean a row or a value.

    Raises:
        GrammarError: the scanner rejects the body.
    """
    text = body.encode()
    tokens = [token for token in library.scan(text) if token.code not in COMMENT_TOKENS]
    words = [text[token.start : token.end].lower() for token in tokens]
    pieces: list[bytes] = []
    done = index = 0
    declaring = False
    while index < len(tokens):
        if words[index] == b"declare":
            declaring = True
            index += 1
        elif not declaring or words[index] == b"begin":
            declaring = False
            index += 1
        else:
            first, last = _type(words, index + 1)
            new = _replacement(words[first:last], shape)
            if new is not None:
                start, end = tokens[first].start, tokens[last - 1].end
                pieces += (text[done:start], new, b"\n" * text.count(b"\n", start, end))
                done = end
            index = _after_semicolon(words, last)
    pieces.append(text[done:])
    return b"".join(pieces).decode()


def _type(words: list[bytes], index: int) -> tuple[int, int]:
    """Where the type of a declaration stands, from the word after its name; empty where it has none."""
    if words[index : index + 1] == [b"constant"]:
        index += 1
    if index < len(words) and words[index] in _NO_TYPE:
        return index, index
    last = index
    while last < len(words) and words[last] not in _ENDS:
        last += 1
    return index, last


def _replacement(words: list[bytes], shape: str) -> bytes | None:
    """What a type is replaced with, None to leave it."""
    if not words or (words[0] == b"pg_catalog" and b"%" not in words):
        return None
    if words[-2:] == [b"%", b"rowtype"]:
        return b"record"
    if words[-2:] == [b"%", b"type"]:
        return b"text"
    qualified = b"." in words
    if not qualified and words[0].decode() in _KNOWN:
        return None
    array = b"[" in words or b"array" in words
    return b"text[]" if array else shape.encode()


def _after_semicolon(words: list[bytes], index: int) -> int:
    while index < len(words) and words[index] != b";":
        index += 1
    return index + 1
