"""What is written on the boxes of a picture, and how wide it is."""

from __future__ import annotations

import unicodedata

from dflint.model.errors import InputError
from dflint.model.names import Identity
from dflint_reports.impact.wording import kind_word
from dflint_reports.visible import visible

#: Objects without a schema before their name.
_GLOBAL = frozenset({"schema", "extension", "publication", "role"})
#: Objects whose name ends with the types of their parameters.
_ROUTINES = frozenset({"function", "procedure", "aggregate"})


def kind_of(identity: str) -> str:
    """The kind of an object, in words."""
    return kind_word(identity.partition(":")[0])


def schema_of(identity: str) -> str | None:
    """The schema of an object; None where it has none."""
    found = _parsed(identity)
    return found.parts[0] if found is not None and len(found.parts) > 1 and found.kind not in _GLOBAL else None


def name_of(identity: str, schema: str | None) -> str:
    """The name of an object; without its schema where that is the given one."""
    found = _parsed(identity)
    if found is None:
        return visible(identity)
    if schema is not None and schema_of(identity) == schema:
        found = Identity(found.kind, found.parts[1:])
    if found.kind in _ROUTINES:
        # Its brackets would be a reason for quotes, which only machines need.
        return visible(".".join(found.parts))
    return visible(str(found).partition(":")[2])


def _parsed(identity: str) -> Identity | None:
    try:
        return Identity.parse(identity)
    except InputError:
        return None


def cells(text: str) -> int:
    """Columns that a text takes in a font of fixed width."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def shortened(text: str, room: int) -> str:
    """A text of at most so many columns; where it is longer, its middle gives way, for names differ at their ends."""
    if cells(text) <= room:
        return text
    head = _start(text, (room - 1) * 2 // 3)
    tail = _start(text[::-1], room - 1 - cells(head))[::-1]
    return f"{head}…{tail}"


def _start(text: str, room: int) -> str:
    taken = 0
    for place, char in enumerate(text):
        taken += _cells_of(char)
        if taken > room:
            return text[:place]
    return text


def wrapped(text: str, room: int, lines: int) -> list[str]:
    """A text in at most so many lines of so many columns, the rest left out."""
    found = [""]
    for word in text.split():
        line = f"{found[-1]} {word}" if found[-1] else word
        if cells(line) <= room or not found[-1]:
            found[-1] = line
        else:
            found.append(word)
    if len(found) > lines:
        found = [*found[: lines - 1], " ".join(found[lines - 1 :])]
    return [shortened(line, room) for line in found]
