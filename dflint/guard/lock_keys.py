"""What a lock's scope means: which advisory keys, and in which mode."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from dflint.model.errors import InputError, nearest

Scope = Literal["schema_modification", "table_modification", "data_modification"]
SCOPES: tuple[Scope, ...] = ("schema_modification", "table_modification", "data_modification")

#: First of the two integers of every advisory key of dflint, "dfln": in pg_locks everybody can see by it what is ours.
KEY_CLASS = 0x64666C6E
#: Second integer of the key that stands for the database.
DATABASE_KEY = 0
#: Second integer of the key under which the ledger is created.
LEDGER_KEY = 1
_FIRST_TABLE_KEY = 2


class Key(Struct, frozen=True, order=True):
    """One advisory key.

    Attributes:
        number: the second of its two integers, signed.
        shared: taken in the mode in which several sessions may hold it.
    """

    number: int
    shared: bool = False


def parse_scope(given: str) -> Scope:
    """The scope of this name.

    Raises:
        InputError: there is none.
    """
    for scope in SCOPES:
        if scope == given:
            return scope
    raise InputError(f"unknown lock scope {given!r}", remedy=nearest(given, SCOPES) or f"one of {', '.join(SCOPES)}")


def keys(scope: Scope, tables: Iterable[str]) -> tuple[Key, ...]:
    """The keys of a lock, in the order in which they are taken.

    Args:
        scope: a change of the schema excludes all others; so does one of tables when no table is named.
        tables: resolved names of the tables: see `table_key`.
    """
    named = sorted({table_key(table) for table in tables})
    if scope == "schema_modification" or not named:
        return (Key(DATABASE_KEY),)
    return (Key(DATABASE_KEY, shared=True), *(Key(number) for number in named))


def table_key(table: str) -> int:
    """Second integer of a table's key.

    Args:
        table: the printed identity, such as ``table:public.users``: the same for every way to write the name. That
            two tables have the same key is improbable, and would only let one wait for the other.
    """
    number = int.from_bytes(hashlib.sha256(table.encode()).digest()[:4], "big", signed=True)
    return number if number not in range(_FIRST_TABLE_KEY) else number + _FIRST_TABLE_KEY


def excludes(held: Sequence[Key], wanted: Sequence[Key]) -> bool:
    """Whether a session that holds the first keys keeps another from taking the second."""
    modes = {key.number: key.shared for key in held}
    return any(key.number in modes and not (key.shared and modes[key.number]) for key in wanted)


def covers(held: Sequence[Key], wanted: Sequence[Key]) -> bool:
    """Whether whoever holds the first keys needs none of the second."""
    if Key(DATABASE_KEY) in held:
        return True
    return all(key in held for key in wanted)
