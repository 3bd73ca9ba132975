"""What an output format is: a pure function from a report to text."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from dflint.model.finding import Report


def no_source(_path: str) -> None:
    """Of reports that name no files."""


class Output(Struct, frozen=True):
    """How a report is to be rendered.

    Attributes:
        source: the text of a file that the report names, without byte order mark; None when there is none to be had.
        color: the text goes to a terminal that wants colours. Machine formats ignore it.
        width: columns that text for people may use.
        quiet: findings only, no summary.
    """

    source: Callable[[str], str | None] = no_source
    color: bool = False
    width: int = 120
    quiet: bool = False


#: A reporter: pure, and the text it returns is the whole document, with its final line feed.
Reporter = Callable[[Report, Output], str]
