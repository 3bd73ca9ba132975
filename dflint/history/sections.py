"""How a runner cuts a section: which statements share a transaction, and which it sends by themselves."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from dflint.model.migration import Section, Statement
from dflint.sql.parse import text_start


def units(section: Section, statements: Sequence[Statement]) -> Iterable[Sequence[Statement]]:
    """The statements that may share an implicit transaction; those that reach the server one by one are one unit."""
    if not section.chunks:
        return (statements,)
    ends = [chunk.end for chunk in section.chunks]
    groups: dict[int, list[Statement]] = {}
    for statement in statements:
        groups.setdefault(bisect_left(ends, statement.end), []).append(statement)
    return groups.values()


def pattern(expressions: Sequence[str]) -> re.Pattern[str] | None:
    """One pattern that matches where any of the expressions does."""
    return re.compile("|".join(f"(?:{expression})" for expression in expressions)) if expressions else None


def refuses_mix(text: bytes, section: Section, statements: Sequence[Statement]) -> bool:
    """Whether the runner refuses the section, for some of its statements drop its transaction and others do not."""
    unwraps = pattern(section.unwraps) if section.mixed_refused else None
    if unwraps is None:
        return False
    words = Words(text)
    return len({words.match(statement, unwraps) for statement in statements}) > 1


class Words:
    """The statements of a text as patterns see them: from the first word, in lower case, single blanks."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def match(self, statement: Statement, pattern: re.Pattern[str]) -> bool:
        """Whether the pattern matches at the statement's start."""
        sql = self._text[text_start(self._text, statement) : statement.end]
        words = b" ".join(sql.split()).decode("utf-8", "replace").lower()
        return pattern.match(words) is not None
