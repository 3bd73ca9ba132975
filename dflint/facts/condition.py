"""What a named condition is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dflint.model.context import Context

#: Value types of conditions whose values are not a fixed set of words.
BOOL = ("true", "false")
NUMBER = ("number",)
TEXT = ("text",)
TEXTS = ("list of text",)


class Condition(NamedTuple):
    """A question about an operation's circumstances.

    Attributes:
        name: as rules write it, such as ``target.new``.
        values: the words it may answer, or `BOOL`, `NUMBER`, `TEXT` or `TEXTS`.
        answer: a pure function; `UNKNOWN` when the catalog cannot tell, None for absent. Its docstring is the
            documentation.
        missing: what has to be known for an answer, in words for users, with the placeholders of messages.
        catalog: the answer rests on the catalog, not on the statement and its session alone.
        null: the answer may be null.
    """

    name: str
    values: tuple[str, ...]
    answer: Callable[[Context], Any]
    missing: str = ""
    catalog: bool = True
    null: bool = False

    @property
    def documentation(self) -> str:
        """The docstring of its function, in one line."""
        return " ".join((self.answer.__doc__ or "").split())
