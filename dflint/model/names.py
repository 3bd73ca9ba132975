"""Names as PostgreSQL sees them, and the identities other programs use for objects.

A *name* here is already folded and unquoted (the parser did that); an *identity* is the printed form
``kind:part.part`` that every machine interface of dflint uses.
"""

from __future__ import annotations

from typing import NamedTuple

from dflint.model.errors import InputError

#: Characters that force a part of an identity into double quotes.
_QUOTED = frozenset('."(),')


class Name(NamedTuple):
    """A possibly schema-qualified name, folded by PostgreSQL's rules.

    ``schema`` is None where the text gave none: the search_path decides then.
    """

    schema: str | None
    name: str

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


class Identity(NamedTuple):
    """The stable identity of an object: ``table:public.users``, ``column:public.users.email``."""

    kind: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}:{'.'.join(_print_part(part) for part in self.parts)}"

    @classmethod
    def parse(cls, text: str) -> Identity:
        """Read a printed identity back.

        Raises:
            InputError: the text is not an identity.
        """
        kind, colon, rest = text.partition(":")
        if not colon or not kind or not rest:
            raise InputError(f"{text!r} is not an identity", remedy="write kind:part.part, such as table:public.users")
        return cls(kind, tuple(_parse_parts(text, rest)))


def print_identity(kind: str, *parts: str) -> str:
    """`Identity` as text; quick for plain names, of which catalogs are full."""
    for part in parts:
        # Identifiers of Python hold nothing that an identity quotes.
        if not part.isidentifier():
            return str(Identity(kind, parts))
    return f"{kind}:{'.'.join(parts)}"


def _print_part(part: str) -> str:
    if not part or not _QUOTED.isdisjoint(part):
        return '"' + part.replace('"', '""') + '"'
    return part


def _parse_parts(whole: str, text: str) -> list[str]:
    parts: list[str] = []
    position = 0
    while True:
        part, position = _parse_part(whole, text, position)
        parts.append(part)
        if position == len(text):
            return parts
        if text[position] != ".":
            raise InputError(f"{whole!r} is not an identity: unexpected {text[position]!r}")
        position += 1


def _parse_part(whole: str, text: str, position: int) -> tuple[str, int]:
    if position < len(text) and text[position] == '"':
        start = position + 1
        while True:
            end = text.find('"', start)
            if end < 0:
                raise InputError(f"{whole!r} is not an identity: a double quote is never closed")
            if text[end + 1 : end + 2] != '"':
                return text[position + 1 : end].replace('""', '"'), end + 1
            start = end + 2
    end = text.find(".", position)
    end = len(text) if end < 0 else end
    part = text[position:end]
    if not part or not _QUOTED.isdisjoint(part):
        raise InputError(f"{whole!r} is not an identity: {part!r} must be written in double quotes")
    return part, end
