"""The use cases of ``dflint snapshot``: taking one, and comparing one with a live schema."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from dflint.catalog.layout import layout
from dflint.catalog.statistics_file import without_estimates
from dflint.model.catalog import Catalog
from dflint.model.errors import InputError


class Difference(Struct, frozen=True):
    """An object that is not the same in two catalogs.

    Attributes:
        identity: printed.
        how: ``added`` in the second, ``removed`` from it, or ``changed``.
        fields: what was changed of it, by the names of the file's keys, sorted.
    """

    identity: str
    how: str
    fields: tuple[str, ...] = ()


async def read_live(dsn: str) -> Catalog:
    """The catalog of a live database.

    Raises:
        InputError: the connection string is malformed, or there is no driver.
        ServerError: there is no connection.
    """
    try:
        from dflint.catalog.reader import read_catalog
        from dflint.postgres import connect
    except ImportError as error:
        raise InputError(
            f"PostgreSQL's client library cannot be loaded: {_first_line(error)}",
            remedy="install dflint[embedded], which brings one",
        ) from error
    async with await connect(dsn, autocommit=True) as connection:
        return await read_catalog(connection)


def _first_line(error: ImportError) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def differences(one: Catalog, other: Catalog) -> list[Difference]:
    """What is not the same in two catalogs, by identity. Estimates, and where the catalogs come from, do not count."""
    before, after = _things(one), _things(other)
    found: dict[str, Difference] = {}
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        identity, tag = key
        if tag:
            # What is said about an object besides: a change of the object, if it is in both.
            had = found.get(identity)
            if had is None or had.how == "changed":
                changed = {*(had.fields if had else ()), *_fields(old, new)}
                found[identity] = Difference(identity, "changed", tuple(sorted(changed)))
        elif new is None:
            found[identity] = Difference(identity, "removed")
        elif old is None:
            found[identity] = Difference(identity, "added")
        else:
            found[identity] = Difference(identity, "changed", _fields(old, new))
    return [found[identity] for identity in sorted(found)]


def _things(catalog: Catalog) -> dict[tuple[str, str], Any]:
    """Everything in a catalog, by identity and "", or the field of `Catalog` that says something more about it."""
    return {
        (identity, "" if family.says_what_exists else family.field): without_estimates(thing)
        for family in layout().families
        for identity, thing in family.items(catalog)
    }


def _fields(old: Any, new: Any) -> tuple[str, ...]:
    """The names of the fields in which two objects differ; of one alone, those that are set."""
    if old is None or new is None:
        some = new if old is None else old
        return tuple(name for field, name in _names(some) if getattr(some, field) is not None)
    if type(old) is not type(new):
        return ("object",)
    return tuple(name for field, name in _names(old) if getattr(old, field) != getattr(new, field))


def _names(thing: Any) -> list[tuple[str, str]]:
    """Fields and what they are called in files; the identity left out."""
    names = zip(thing.__struct_fields__, thing.__struct_encode_fields__, strict=True)
    return sorted((field, name) for field, name in names if field != "id")
