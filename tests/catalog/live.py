"""Live databases and what the reader makes of them, for tests."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Any

import psycopg

from dflint.catalog.reader import read_catalog
from dflint.model.catalog import Catalog, Index, Relation, Table
from dflint.model.dependencies import with_reverse_maps
from dflint.model.names import Name


def execute(dsn: str, sql: str) -> None:
    """Run SQL, each statement in a transaction of its own unless it says otherwise."""
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        connection.execute(sql.encode())


def read(dsn: str, **options: Any) -> Catalog:
    """The live catalog; its reverse maps are checked against the objects."""

    async def reading() -> Catalog:
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            return await read_catalog(connection, **options)

    catalog = asyncio.run(reading())
    assert with_reverse_maps(catalog) == catalog
    return catalog


def relation(catalog: Catalog, name: str, schema: str = "public") -> Relation:
    found = catalog.relations[Name(schema, name)]
    assert found is not None
    return found


def table(catalog: Catalog, name: str, schema: str = "public") -> Table:
    found = relation(catalog, name, schema)
    assert isinstance(found, Table)
    return found


def index(catalog: Catalog, name: str, schema: str = "public") -> Index:
    found = relation(catalog, name, schema)
    assert isinstance(found, Index)
    return found
