"""The identities of a catalog's objects."""

from __future__ import annotations

from typing import Any

from dflint.facts.type_names import in_identity
from dflint.model.catalog import (
    CompositeType,
    Domain,
    Extension,
    Index,
    Publication,
    Routine,
    Sequence,
    Table,
    View,
)
from dflint.model.names import Identity, Name

_KINDS: dict[type, str] = {
    CompositeType: "type",
    Domain: "domain",
    Extension: "extension",
    Index: "index",
    Publication: "publication",
    Sequence: "sequence",
}


def printed(thing: Any) -> str:
    """The printed identity of an object; quick for plain names, of which catalogs are full."""
    name = thing.name
    if isinstance(name, Name) and not isinstance(thing, Routine):
        schema, own = name
        # Identifiers of Python hold nothing that an identity quotes.
        if schema is not None and schema.isidentifier() and own.isidentifier():
            return f"{kind_of(thing)}:{schema}.{own}"
    return str(identity(thing))


def identity(thing: Any) -> Identity:
    """The identity of an object that a catalog's maps hold.

    Args:
        thing: an instance of a `CatalogObject` class.
    """
    kind = kind_of(thing)
    name = thing.name
    if isinstance(thing, Routine):
        return Identity(kind, (*_parts(name)[:-1], f"{name.name}({input_types(thing)})"))
    return Identity(kind, _parts(name) if isinstance(name, Name) else (name,))


def kind_of(thing: Any) -> str:
    """The kind part of an object's identity."""
    known = _KINDS.get(type(thing))
    if known is not None:
        return known
    if isinstance(thing, Table):
        return "table" if thing.foreign_server is None else "foreign_table"
    if isinstance(thing, View):
        return "materialized_view" if thing.materialized else "view"
    return thing.kind if isinstance(thing, Routine) else "type"


def _parts(name: Name) -> tuple[str, ...]:
    return (name.name,) if name.schema is None else (name.schema, name.name)


def input_types(routine: Routine) -> str:
    """The types that tell overloaded routines apart, as `format_type` prints them with an empty search_path."""
    return ", ".join(in_identity(each.type) for each in routine.parameters if each.mode not in ("out", "table"))
