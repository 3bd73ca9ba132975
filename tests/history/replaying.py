"""From SQL text to the catalog it leaves, for tests."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dflint.history.replay import apply
from dflint.model.catalog import Catalog, Index, Table
from dflint.model.dependencies import with_reverse_maps
from dflint.model.names import Name
from dflint.model.operations.base import Opaque, Operation
from dflint.model.session import Session
from dflint.sql.build.statements import build
from tests.sql.building import library

#: An empty database of which everything is known.
EMPTY = Catalog(basis="replay", closed=True)
#: A database of which nothing is known.
UNKNOWN_DATABASE = Catalog.unknown()


def statements(sql: str) -> Iterator[tuple[Operation, ...]]:
    for raw in msgspec.json.decode(library().parse(sql.encode()))["stmts"]:
        operations = build(raw["stmt"], library())
        assert not any(isinstance(operation, Opaque) for operation in operations), operations
        yield operations


def replayed(
    sql: str,
    catalog: Catalog = EMPTY,
    *,
    version: int = 15,
    path: tuple[str, ...] = ("public",),
    conditional: bool = False,
) -> Catalog:
    """The catalog after the statements; its reverse maps are checked against the objects."""
    for operations in statements(sql):
        for written in operations:
            operation = msgspec.structs.replace(written, conditional=conditional)
            catalog = apply(operation, catalog, Session(search_path=path), version, operations)
    assert with_reverse_maps(catalog) == catalog
    return catalog


def public(name: str) -> Name:
    return Name("public", name)


def table(catalog: Catalog, name: str = "t", schema: str = "public") -> Table:
    found = catalog.relations[Name(schema, name)]
    assert isinstance(found, Table)
    return found


def index(catalog: Catalog, name: str, schema: str = "public") -> Index:
    found = catalog.relations[Name(schema, name)]
    assert isinstance(found, Index)
    return found


def column_names(catalog: Catalog, name: str = "t") -> list[str]:
    return [column.name for column in table(catalog, name).columns]


def constraint_names(catalog: Catalog, name: str = "t") -> list[str]:
    return sorted(constraint.name or "" for constraint in table(catalog, name).constraints)
