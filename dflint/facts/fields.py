"""Verifying the shape of a YAML file: which fields there may be, and of what type.

Problems are collected, not raised, so that one run tells everything that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from dflint.facts.yaml_loader import Document, Path
from dflint.model.errors import RuleError, nearest

#: Says what is wrong with a value, in words that follow "must be"; None when nothing is.
Expected = Callable[[Any], str | None]


class Field(NamedTuple):
    """A field that a mapping may have."""

    expected: Expected
    required: bool = False


class Reader:
    """One document and the problems found in it so far."""

    def __init__(self, document: Document, problems: list[RuleError]) -> None:
        self.document = document
        self.problems = problems

    def problem(self, path: Path, message: str, remedy: str | None = None) -> None:
        """Note that something is wrong at ``path``."""
        self.problems.append(self.document.error(path, message, remedy))

    def unknown(self, path: Path, what: str, name: str, known: Any) -> None:
        """Note that a name does not exist."""
        self.problems.append(self.document.unknown(path, what, name, known))

    def mapping(self, path: Path, value: Any, fields: Mapping[str, Field], what: str) -> dict[str, Any]:
        """The well-formed fields of a mapping; whatever is wrong with the others is noted."""
        if not isinstance(value, dict):
            self.problem(path, f"{what} must be a mapping")
            return {}
        good: dict[str, Any] = {}
        for name, content in value.items():
            field = fields.get(name)
            if field is None:
                remedy = nearest(name, fields) or "known fields: " + ", ".join(fields)
                self.problem((*path, name), f"unknown field {name!r} in {what}", remedy)
                continue
            wrong = field.expected(content)
            if wrong is None:
                good[name] = content
            else:
                self.problem((*path, name), f"{name!r} must be {wrong}")
        for name, field in fields.items():
            if field.required and name not in value:
                self.problem(path, f"the field {name!r} is missing in {what}")
        return good


def text(value: Any) -> str | None:
    """Text that is not blank."""
    return None if isinstance(value, str) and value.strip() else "text"


def flag(value: Any) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "true or false"


def flag_or_null(value: Any) -> str | None:
    """true, false or null."""
    return None if value is None or isinstance(value, bool) else "true, false or null"


def integer(value: Any) -> str | None:
    """A whole number."""
    return None if isinstance(value, int) and not isinstance(value, bool) else "a whole number"


def texts(value: Any) -> str | None:
    """A list of text."""
    good = isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value)
    return None if good else "a list of text"


def integers(value: Any) -> str | None:
    """A list of whole numbers."""
    good = isinstance(value, list) and all(integer(item) is None for item in value)
    return None if good else "a list of whole numbers"


def some_texts(value: Any) -> str | None:
    """A list of text with at least one member."""
    return None if texts(value) is None and value else "a list with at least one text"


def some(value: Any) -> str | None:
    """A list with at least one member."""
    return None if isinstance(value, list) and value else "a list with at least one member"


def mapping(value: Any) -> str | None:
    """A mapping with at least one key."""
    return None if isinstance(value, dict) and value else "a mapping"


def one_of(*words: str) -> Expected:
    """One of these words."""
    listed = ", ".join(words)
    return lambda value: None if value in words and isinstance(value, str) else f"one of {listed}"
