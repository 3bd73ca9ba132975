"""The DECLARE sections of PL/pgSQL bodies, for what libpg_query cannot tell about them without a catalog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from dflint.sql.build.nodes import BUILT_IN_TYPES
from dflint.sql.libpg_query import COMMENT_TOKENS, LibPgQuery, Token

_VALUE: Final = frozenset({b":=", b"=", b"default"})
#: Words that end the type of a declaration.
_ENDS: Final = _VALUE | {b";", b"not", b"collate"}
#: Words after a name that say that no type follows.
_NO_TYPE: Final = frozenset({b"cursor", b"alias", b"no", b"scroll"})
_KNOWN: Final = BUILT_IN_TYPES | frozenset(
    """integer int bigint smallint real double float decimal dec boolean character varchar bit national nchar
    record refcursor""".split()
)


class Declaration(NamedTuple):
    """A declared variable.

    Attributes:
        name: in lower case, without quotes.
        line: where it begins, from 1.
        start: byte offset of its type.
        end: of the type's end.
        type: the words of the type, lower case.
        value: its initial value, "" for none.
    """

    name: str
    line: int
    start: int
    end: int
    type: list[bytes]
    value: str


def declarations(text: bytes, library: LibPgQuery) -> Iterator[Declaration]:
    """The variables a body declares; cursors and aliases are not among them.

    Raises:
        GrammarError: the scanner rejects the body.
    """
    lower = text.lower()
    last = lower.rfind(b"declare")
    if last < 0:
        return
    # The BEGIN behind the last section ends what there is to look at.
    begin = lower.find(b"begin", last)
    part = text if begin < 0 else text[: begin + 5]
    tokens = [token for token in library.scan(part) if token.code not in COMMENT_TOKENS]
    words = [text[token.start : token.end].lower() for token in tokens]
    index = 0
    declaring = False
    while index < len(tokens):
        if not declaring or words[index] in (b"declare", b"begin"):
            declaring = words[index] == b"declare"
            index += 1
            continue
        end = _end(words, index)
        found = _declaration(text, tokens, words, index, end)
        if found is not None:
            yield found
        index = end + 1


def _end(words: list[bytes], index: int) -> int:
    try:
        return words.index(b";", index)
    except ValueError:
        return len(words)


def _declaration(text: bytes, tokens: list[Token], words: list[bytes], index: int, last: int) -> Declaration | None:
    """The declaration from a name to before the semicolon at ``last``."""
    first = index + 2 if words[index + 1 : index + 2] == [b"constant"] else index + 1
    if first >= last or words[first] in _NO_TYPE:
        return None
    end = next((at for at in range(first, last) if words[at] in _ENDS), last)
    given = next((at for at in range(end, last) if words[at] in _VALUE), last)
    return Declaration(
        words[index].decode().strip('"'),
        text.count(b"\n", 0, tokens[index].start) + 1,
        tokens[first].start,
        tokens[end - 1].end,
        words[first:end],
        text[tokens[given + 1].start : tokens[last - 1].end].decode() if given + 1 < last else "",
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
    pieces: list[bytes] = []
    done = 0
    for declared in declarations(text, library):
        known = _replacement(declared.type, shape)
        if known is not None:
            pieces += (text[done : declared.start], known, b"\n" * text.count(b"\n", declared.start, declared.end))
            done = declared.end
    pieces.append(text[done:])
    return b"".join(pieces).decode()


def _replacement(words: list[bytes], shape: str) -> bytes | None:
    """What a type is replaced with, None to leave it."""
    if words[-2:] == [b"%", b"rowtype"]:
        return b"record"
    if b"%" in words:
        return b"text"
    if words[0] == b"pg_catalog" or (b"." not in words and words[0].decode() in _KNOWN):
        return None
    return b"text[]" if b"[" in words or b"array" in words else shape.encode()
