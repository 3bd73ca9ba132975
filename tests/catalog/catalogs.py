"""Any catalog at all, from the annotations of the model: sensible or not, with every kind of object and field."""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from hypothesis import strategies as st
from immutables import Map
from msgspec.structs import replace

from dflint.catalog.identities import printed
from dflint.catalog.layout import DetailMaps, EntryMap, ObjectMap, layout
from dflint.model.catalog import Catalog
from dflint.model.dependencies import with_reverse_maps
from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.values import CatalogObject

_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6)
_WORDS = st.one_of(st.sampled_from(["a", "b", "public", 'A "b"', "x.y", "f(int)", "größe", "btree"]), _TEXTS)
#: Objects know their schemas.
_QUALIFIED = st.builds(Name, _WORDS, _WORDS)
_SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: _WORDS,
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    type(None): st.none(),
    Name: st.builds(Name, st.one_of(st.none(), _WORDS), _WORDS),
}
#: What an expression is made of is told here: its type holds itself.
_SIMPLE[Expr] = st.recursive(
    st.builds(Expr, st.sampled_from(["constant", "column"]), value=st.one_of(st.booleans(), _WORDS)),
    lambda inner: st.builds(Expr, st.sampled_from(["and", "function"]), args=st.lists(inner, max_size=2).map(tuple)),
    max_leaves=4,
)


@cache
def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type."""
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return values(arguments[0])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values(argument) for argument in arguments])
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*[values(argument) for argument in arguments])
    if issubclass(hint, tuple):
        return st.builds(hint, *[values(field) for field in typing.get_type_hints(hint).values()])
    assert issubclass(hint, msgspec.Struct), hint
    return structs(hint)


@cache
def structs(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Values of a struct; fields with a default are often left alone."""
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.name == "name" and field.type is Name and issubclass(kind, CatalogObject):
            required["name"] = _QUALIFIED
            continue
        (required if field.required else optional)[field.name] = values(field.type)
    few = st.lists(st.sampled_from(sorted(optional)), max_size=4, unique=True) if optional else st.just([])
    return few.flatmap(
        lambda names: st.fixed_dictionaries({**required, **{name: optional[name] for name in names}})
    ).map(lambda found: kind(**found))


def _objects(family: ObjectMap) -> st.SearchStrategy[Any]:
    things = st.lists(st.sampled_from(family.classes).flatmap(structs), max_size=4, unique_by=printed)
    absent = st.lists(_QUALIFIED if family.key is Name else values(family.key), max_size=2)

    def made(drawn: tuple[list[Any], list[Any]]) -> Any:
        found, gone = drawn
        found = sorted(found, key=printed)
        if not family.several:
            found = list({thing.name: thing for thing in found}.values())
        return Map({**dict.fromkeys(gone), **family.gather(found)})

    return st.tuples(things, absent).map(made)


def _entries(family: EntryMap) -> st.SearchStrategy[Any]:
    (line,) = family.classes
    value = next(field.type for field in msgspec.structs.fields(line) if field.name == "value")
    keys = st.builds("{}:{}".format, st.sampled_from(["role", "cast"]), _WORDS) if family.field == "others" else _WORDS
    return st.dictionaries(keys, st.one_of(st.none(), values(value)), max_size=3).map(Map)


def _details(family: DetailMaps) -> st.SearchStrategy[Any]:
    keys = st.builds("{}:{}".format, st.sampled_from(["column", "table"]), _WORDS)
    fields = {
        name: st.dictionaries(keys, values(typing.get_args(hint)[1]), max_size=3).map(Map)
        for name, hint in typing.get_type_hints(family.struct).items()
    }
    return st.fixed_dictionaries({}, optional=fields).map(lambda found: family.struct(**found))


def catalogs() -> st.SearchStrategy[Catalog]:
    """Catalogs with objects of every kind, and reverse maps."""
    fields: dict[str, st.SearchStrategy[Any]] = {name: values(hint) for name, hint in layout().header.items()}
    for family in layout().families:
        if isinstance(family, ObjectMap):
            fields[family.field] = _objects(family)
        elif isinstance(family, EntryMap):
            fields[family.field] = _entries(family)
        else:
            fields[family.field] = _details(family)
    return st.fixed_dictionaries(fields).map(lambda found: with_reverse_maps(Catalog(**found)))


def as_snapshot(catalog: Catalog) -> Catalog:
    """What a catalog is after it was in a file."""
    return replace(catalog, basis="snapshot")
