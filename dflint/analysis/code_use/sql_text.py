"""What a string of a program refers to, read as SQL: whole statements, and pieces of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dflint.analysis.code_use.strings import HOLE
from dflint.model.catalog import Catalog
from dflint.model.uses import UseCertainty
from dflint.sql.libpg_query import GrammarError, TooDeep
from dflint.sql.parse import Parser
from dflint.sql.references import Reference, query_references

_START: Final = re.compile(
    r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*"
    r"(?:select|insert|update|delete|with|merge|alter|create|drop|truncate|copy|call|lock|grant|revoke|values|table"
    r"|explain|comment|refresh|analyze|vacuum|cluster|reindex|declare|prepare)\b",
    re.IGNORECASE | re.DOTALL,
)
#: What a statement has beside its first word, where people write prose that begins like one.
_INNER: Final = re.compile(r"\b(?:from|into|set|table|where|join|returning|index|values)\b", re.IGNORECASE)
#: Pieces of statements, and what makes them whole.
_PIECES: Final = (
    (re.compile(r"\s*from\b", re.IGNORECASE), "SELECT * "),
    (
        re.compile(
            r"\s*(?:(?:left|right|inner|full|cross|natural)\s|join\b|where\b|order\s+by\b|group\s+by\b)", re.IGNORECASE
        ),
        "SELECT FROM {} ",
    ),
    (
        re.compile(r"(?=.*[=<>]|.*\b(?:is|in|like|ilike|between|asc|desc)\b)", re.IGNORECASE | re.DOTALL),
        "SELECT FROM {} WHERE ",
    ),
)
#: Parameters of Python's drivers: %s, %(name)s, :name; a doubled percent sign means one.
_PARAMETER: Final = re.compile(r"%\(\w+\)[sbtd]|%[sbtdif]|(?<![:\w]):[A-Za-z_]\w*|%%")
#: Places of str.format().
_BRACES: Final = re.compile(r"\{[\w.!:\[\]]*\}")
#: What a hole may be: a value, a name, nothing. One character each, so that places stay.
_FILLINGS: Final = "0x "
#: Up to so many holes are filled independently of each other.
_MANY: Final = 3


class Reading(Struct, frozen=True):
    """What a string refers to.

    Attributes:
        references: with offsets in the string.
        certainty: of the string being SQL, and being read right.
    """

    references: tuple[Reference, ...]
    certainty: UseCertainty


def looks_like_sql(text: str) -> bool:
    """Whether a text begins as a statement does."""
    return _START.match(text) is not None


def looks_like_a_statement(text: str) -> bool:
    """Whether a text that cannot be read is likely to be SQL all the same, and no prose."""
    return looks_like_sql(text) and _INNER.search(text) is not None


class SqlReader:
    """Reads strings as SQL over one catalog."""

    def __init__(self, catalog: Catalog, parser: Parser, search_path: tuple[str, ...]) -> None:
        self._catalog, self._parser, self._path = catalog, parser, search_path

    def statement(self, text: str) -> Reading | None:
        """A whole statement; None if it cannot be read as one."""
        for filled, sure in _readings(text):
            if self._parses(filled):
                return Reading(self._references(filled), "certain" if sure else "likely")
        return None

    def piece(self, text: str, relation: str) -> Reading | None:
        """A piece of a statement: a condition, a join, an ordering; None if it is none.

        Args:
            relation: the table that a condition may be over, as SQL.
        """
        for pattern, frame in _PIECES:
            if pattern.match(text) is None:
                continue
            start = frame.format(relation)
            for filled, _ in _readings(text):
                if self._parses(start + filled):
                    found = [each for each in self._references(start + filled) if each.start >= len(start)]
                    moved = tuple(_moved(each, -len(start)) for each in found)
                    return Reading(moved, "likely" if any(each.kind == "relation" for each in moved) else "possible")
        return None

    def _parses(self, text: str) -> bool:
        try:
            self._parser.library.parse(text.encode())
        except (GrammarError, TooDeep, RecursionError):
            return False
        return True

    def _references(self, text: str) -> tuple[Reference, ...]:
        return query_references(text, self._catalog, self._path, self._parser).references


def _moved(reference: Reference, by: int) -> Reference:
    return replace(reference, start=reference.start + by, end=reference.end + by)


def _readings(text: str) -> Iterator[tuple[str, bool]]:
    """The text with everything that is no SQL replaced, by pieces of the same length; the likeliest first.

    With it, whether nothing of it was computed.
    """
    plain = _PARAMETER.sub(_blank, text.encode(errors="replace").decode().replace("\0", " "))
    for candidate in (
        plain,
        plain.replace("?", "0"),
        _BRACES.sub(lambda found: HOLE + " " * (len(found[0]) - 1), plain),
    ):
        holes = candidate.count(HOLE)
        if holes == 0:
            yield candidate, True
        elif holes <= _MANY:
            for fillings in itertools.product(_FILLINGS, repeat=holes):
                parts = candidate.split(HOLE)
                yield "".join(itertools.chain.from_iterable(zip(parts, (*fillings, ""), strict=True))), False
        else:
            for filling in _FILLINGS:
                yield candidate.replace(HOLE, filling), False


def _blank(found: re.Match[str]) -> str:
    if found[0] == "%%":
        return "% "
    return "$1" + " " * (len(found[0]) - 2)
