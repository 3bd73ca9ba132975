"""How a catalog is taken apart into lines of a snapshot file and put together again.

All of it is derived from the classes of `dflint.model.catalog`: a field, an object class or a map that the model
gains travels without new code here. The fields of `Catalog` are of four sorts:

- maps of objects (``relations``): a line for each object, tagged with its class;
- maps of something else (``schemas``): a line for each entry, with ``name`` and, unless it is just True, ``value``;
- structs of maps by identity (``details``): a line for each identity;
- the rest (``version``): the header.

The reverse maps are made anew when a file is loaded. An entry of None, known not to exist, stands in the header.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from immutables import Map
from msgspec import Struct

from dflint.catalog.identities import kind_of, printed
from dflint.model.catalog import Catalog
from dflint.model.dependencies import REVERSE_MAPS
from dflint.model.names import Identity
from dflint.model.values import CatalogObject

#: What the entries of details are called where the plural of the model would be wrong.
_SINGULAR = {
    "comments": "comment",
    "extension_members": "extension",
    "fast_defaults": "fast_default",
    "owners": "owner",
}

#: Maps whose keys are printed identities themselves.
_BY_IDENTITY = frozenset({"others"})


class ObjectMap(NamedTuple):
    """A map from names to objects that know their names.

    Attributes:
        key: the type of the names.
        classes: of the objects.
        several: a name has a tuple of objects (overloaded routines).
        says_what_exists: an entry means that an object exists; else it only says something about one.
    """

    field: str
    key: Any
    classes: tuple[type[CatalogObject], ...]
    several: bool
    says_what_exists: bool = True

    def items(self, catalog: Catalog) -> Iterator[tuple[str, Any]]:
        """Printed identity and object of each line."""
        for found in getattr(catalog, self.field).values():
            if found is not None:
                for thing in found if self.several else (found,):
                    yield printed(thing), thing

    def kinds(self, catalog: Catalog) -> Iterator[str]:
        """The kind of each object, as in its identity."""
        for found in getattr(catalog, self.field).values():
            if found is not None:
                for thing in found if self.several else (found,):
                    yield kind_of(thing)

    def gather(self, things: Iterable[Any]) -> dict[Any, Any]:
        """The map's entries, from its objects in the order of their lines."""
        if not self.several:
            return {thing.name: thing for thing in things}
        found: dict[Any, Any] = {}
        for thing in things:
            found[thing.name] = (*found.get(thing.name, ()), thing)
        return found


class EntryMap(NamedTuple):
    """A map from keys to anything.

    Attributes:
        key: the type of the keys.
        classes: the class of its lines, made for it.
    """

    field: str
    key: Any
    classes: tuple[type[Struct], ...]
    says_what_exists: bool = True

    def items(self, catalog: Catalog) -> Iterator[tuple[str, Any]]:
        """Printed identity and line of each entry."""
        (line,) = self.classes
        for key, value in getattr(catalog, self.field).items():
            if value is not None:
                yield self._identity(key), line(key, value)

    def kinds(self, catalog: Catalog) -> Iterator[str]:
        """The kind of each entry, as in its identity."""
        return (identity.partition(":")[0] for identity, _ in self.items(catalog))

    def _identity(self, key: Any) -> str:
        if isinstance(key, str):
            return key if self.field in _BY_IDENTITY else str(Identity(_tag(self.field), (key,)))
        return str(Identity(_tag(self.field), tuple(part for part in key if part is not None)))

    def gather(self, lines: Iterable[Any]) -> dict[Any, Any]:
        """The map's entries, from its lines."""
        return {line.name: line.value for line in lines}


class DetailMaps(NamedTuple):
    """A struct of maps by printed identity: what the maps say of one identity is one line.

    Attributes:
        classes: the class of its lines, made for it.
        struct: what `Catalog` holds in that field.
    """

    field: str
    classes: tuple[type[Struct], ...]
    struct: type[Struct]
    says_what_exists: bool = False

    def items(self, catalog: Catalog) -> Iterator[tuple[str, Any]]:
        """Printed identity and line of each identity that any of the maps knows."""
        (line,) = self.classes
        maps = getattr(catalog, self.field)
        said: dict[str, dict[str, Any]] = {}
        for name in self.struct.__struct_fields__:
            for key, value in getattr(maps, name).items():
                said.setdefault(key, {})[name] = value
        for key, values in said.items():
            yield key, line(key, **values)

    def gather(self, lines: Iterable[Any]) -> Struct:
        """The struct, from its lines."""
        found: dict[str, dict[str, Any]] = {name: {} for name in self.struct.__struct_fields__}
        for line in lines:
            for name, entries in found.items():
                value = getattr(line, name)
                if value is not None:
                    entries[line.id] = value
        return self.struct(**{name: Map(entries) for name, entries in found.items()})


Family = ObjectMap | EntryMap | DetailMaps


class Layout(NamedTuple):
    """The layout of the model as it is.

    Attributes:
        families: of the lines, by field of `Catalog`.
        header: fields of `Catalog` that stand in the header, with their types.
        line: the union of all classes of lines.
    """

    families: tuple[Family, ...]
    header: dict[str, Any]
    line: Any


@cache
def layout() -> Layout:
    """The layout, derived once."""
    families: list[Family] = []
    header: dict[str, Any] = {}
    for field, hint in get_type_hints(Catalog, include_extras=True).items():
        if field == "basis" or field in REVERSE_MAPS:
            continue
        if get_origin(hint) is Map:
            key, value = get_args(hint)
            families.append(_map_family(field, key, value))
        elif isinstance(hint, type) and issubclass(hint, Struct) and _is_struct_of_maps(hint):
            families.append(DetailMaps(field, (_detail_line(field, hint),), hint))
        else:
            header[field] = hint
    classes = tuple(each for family in families for each in family.classes)
    return Layout(tuple(families), header, Union[classes])  # noqa: UP007  # made of values


def _map_family(field: str, key: Any, value: Any) -> ObjectMap | EntryMap:
    members = _without_none(value)
    several = len(members) == 1 and get_origin(members[0]) is tuple
    things = get_args(members[0])[:1] if several else members
    if all(isinstance(thing, type) and issubclass(thing, CatalogObject) for thing in things):
        return ObjectMap(field, key, things, several)
    fields: list[Any] = [("name", key), ("value", Union[members], True)]  # noqa: UP007
    line = msgspec.defstruct(
        f"{_tag(field).title()}Line", fields, frozen=True, omit_defaults=True, tag_field="object", tag=_tag(field)
    )
    return EntryMap(field, key, (line,))


def _detail_line(field: str, struct: type[Struct]) -> type[Struct]:
    fields: list[Any] = [("id", str)]
    for name, hint in get_type_hints(struct, include_extras=True).items():
        fields.append((name, Union[(*_without_none(get_args(hint)[1]), None)], None))
    return msgspec.defstruct(
        f"{struct.__name__}Line",
        fields,
        frozen=True,
        omit_defaults=True,
        rename=_SINGULAR,
        tag_field="object",
        tag=field,
    )


def _is_struct_of_maps(struct: type[Struct]) -> bool:
    return all(get_origin(hint) is Map for hint in get_type_hints(struct).values())


def _without_none(hint: Any) -> tuple[Any, ...]:
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return tuple(member for member in members if member is not NoneType)


def _tag(field: str) -> str:
    return field.removesuffix("s")
