"""Sizes that a catalog does not know, or that somebody wants to suppose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from dflint.model.catalog import Catalog, Index, Table, View
from dflint.model.errors import InputError
from dflint.model.names import Name
from dflint.planning.work import ENTRY, row_width


def with_rows(catalog: Catalog, name: Name, rows: int) -> Catalog:
    """The catalog, with so many rows in a table; bytes of the table and its indexes grow with them.

    Args:
        name: of the table, with its schema.
        rows: at least 0.

    Raises:
        InputError: there is no such table, or fewer rows than none were asked for.
    """
    table = catalog.relation(name)
    if not isinstance(table, Table):
        raise InputError(f"there is no table {name}")
    if rows < 0:
        raise InputError("a table cannot have fewer rows than none")
    relations = catalog.relations.set(name, replace(table, rows=rows, bytes=rows * row_width(table)))
    for each in catalog.indexes_of.get(name, ()):
        index = catalog.relation(each)
        if isinstance(index, Index):
            relations = relations.set(each, replace(index, bytes=rows * ENTRY * max(1, len(index.elements))))
    return replace(catalog, relations=relations)


def with_sizes(catalog: Catalog, sizes: Mapping[Name, tuple[int, int | None]]) -> Catalog:
    """The catalog with bytes and rows where it does not know them.

    A catalog's rows are the planner's estimates, which are not there before the first ANALYZE.

    Args:
        sizes: bytes and rows, None where there are none.
    """
    relations = catalog.relations
    for name, (size, rows) in sizes.items():
        found = catalog.relation(name)
        if isinstance(found, Index) and found.bytes is None:
            relations = relations.set(name, replace(found, bytes=size))
        elif isinstance(found, Table | View):
            known = rows if found.rows is None else found.rows
            if known is None and isinstance(found, Table):
                known = size // row_width(found)
            relations = relations.set(
                name, replace(found, rows=known, bytes=size if found.bytes is None else found.bytes)
            )
    return replace(catalog, relations=relations)


def unsized(catalog: Catalog, names: Iterable[Name]) -> frozenset[Name]:
    """Those of the tables, and of their indexes, whose size the catalog does not know."""
    found: set[Name] = set()
    for name in names:
        for each in (name, *catalog.indexes_of.get(name, ())):
            relation = catalog.relation(each)
            if isinstance(relation, Table | View | Index) and relation.bytes is None:
                found.add(each)
    return frozenset(found)
