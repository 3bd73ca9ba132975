"""What units of a migration's work take on a server."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, get_args

#: ``statement``: a change of the catalogs. ``row_read``, ``byte_read``: of a table read from end to end.
#: ``row_written``, ``byte_written``: of one written anew, reading included. ``number_sorted``, ``text_sorted``: an
#: entry of an index that is built, by one key of a type of fixed size, or of another, reading its table not included;
#: ``number_kept``: where the rows are in its order already.
#: ``row_joined``: of a table whose foreign key is checked, reading it not included. ``value_made``: a random value.
Unit = Literal[
    "statement",
    "row_read",
    "byte_read",
    "row_written",
    "byte_written",
    "number_sorted",
    "number_kept",
    "text_sorted",
    "row_joined",
    "value_made",
]
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)


class Calibration(NamedTuple):
    """Prices of units of work.

    Attributes:
        seconds: for one of each unit.
        spread: what is done takes between its price divided by this, and its price times this.
        about: where the prices are from, in words that follow "by".
    """

    seconds: Mapping[Unit, float]
    spread: float
    about: str


#: Of a server that nobody has measured. The spread is that between slow and fast ones.
STATED: Final = Calibration(
    MappingProxyType(
        {
            "statement": 0.007,
            "row_read": 0.1e-6,
            "byte_read": 1e-9,
            "row_written": 0.6e-6,
            "byte_written": 7e-9,
            "number_sorted": 0.6e-6,
            "number_kept": 0.3e-6,
            "text_sorted": 1.2e-6,
            "row_joined": 0.15e-6,
            "value_made": 1.5e-6,
        }
    ),
    4.5,
    "the speed of no server in particular",
)
