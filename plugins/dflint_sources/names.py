"""Names of migration files: their order, their direction, and the pairs they form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

#: A part of a natural key; text and numbers alternate, so equal places have equal types.
Part = str | int


def natural_key(name: str) -> tuple[tuple[Part, ...], int, str]:
    """A sort key that takes runs of digits as numbers: ``2_b`` before ``10_a``, ``V1.9`` before ``V1.10``.

    Of a pair, ``.up.sql`` comes before ``.down.sql``. The name itself is the last part, so that no two are equal.
    """
    stem, turn = split_direction(name)
    pieces = re.split(r"([0-9]+)", stem)
    return tuple(int(piece) if index % 2 else piece for index, piece in enumerate(pieces)), turn, name


def split_direction(name: str) -> tuple[str, int]:
    """A file name without its ending, and 1 when the ending says that it only undoes, else 0."""
    if name.endswith(".down.sql"):
        return name[:-9], 1
    if name.endswith(".up.sql"):
        return name[:-7], 0
    return name.removesuffix(".sql"), 0


def direction(path: str) -> Literal["up", "down"]:
    """What a file is for by its name: ``x.down.sql`` and ``down.sql`` undo."""
    return "down" if path.endswith((".down.sql", "/down.sql")) or path == "down.sql" else "up"


def natural(names: Iterable[str]) -> tuple[str, ...]:
    """The names in natural order."""
    return tuple(sorted(names, key=natural_key))


def sql_files(names: Iterable[str]) -> list[str]:
    """Those that end in ``.sql``, in the order given."""
    return [name for name in names if name.endswith(".sql")]


def numbered(names: Iterable[str], separator: str = "_") -> list[tuple[int, int, str]]:
    """Names of the form ``<digits><separator>name.sql`` as (number, 1 for a down file, name), sorted."""
    found = []
    for name in names:
        number, mark, _ = name.partition(separator)
        if mark and name.endswith(".sql") and number.isascii() and number.isdigit():
            found.append((int(number), split_direction(name)[1], name))
    return sorted(found)


def digits_before(name: str) -> str:
    """The digits a name begins with."""
    found = re.match(r"[0-9]+", name)
    return found[0] if found else ""
