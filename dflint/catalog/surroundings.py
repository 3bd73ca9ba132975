"""Reading one table with all that matters to its foreign keys, and nothing else.

Two values are read: a catalog in which everything that has to do with the table is whole, and the net of the foreign
keys by which its rows reach those of other tables, however far.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import psycopg
from msgspec import Struct
from msgspec.structs import replace

from dflint.catalog.reader.building import CatalogBuilder
from dflint.catalog.reader.fetching import read_rows
from dflint.catalog.reader.foreign_keys import SchemaChanged, read_net
from dflint.catalog.reader.relations import TABLE_KINDS
from dflint.catalog.reader.scope import around
from dflint.catalog.reader.session import SQL, ReaderSession, joint_session
from dflint.catalog.reader.texts import Texts, parser_library
from dflint.model.catalog import Catalog
from dflint.model.errors import ServerError
from dflint.model.foreign_keys import ForeignKeyNet
from dflint.model.garbage import no_garbage_collection
from dflint.model.names import Name

#: How often what changes while it is read is read again, at most.
_ATTEMPTS: Final = 4
#: Milliseconds to wait for a lock on one of the system's own catalogs.
_LOCK_MS: Final = 200

_SNAPSHOT: Final = SQL("SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text")
_FOUND: Final = """
    SELECT c.oid::pg_catalog.int8, c.relkind::pg_catalog.text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = %(name)s AND n.nspname = ANY (%(schemas)s) AND c.relpersistence <> 't'
    ORDER BY pg_catalog.array_position(%(schemas)s::pg_catalog.text[], n.nspname::pg_catalog.text) LIMIT 1
"""


class Surroundings(Struct, frozen=True):
    """One table and what has to do with it.

    Attributes:
        catalog: all that matters to the table; nothing is known of the rest.
        net: the foreign keys that changes of its rows can follow, and its own.
        definitions: its own keys and those that refer to it, by printed identity, as the server prints them.
    """

    catalog: Catalog
    net: ForeignKeyNet
    definitions: dict[str, str]


async def find_table(connection: psycopg.AsyncConnection[Any], name: Name, path: tuple[str, ...]) -> int | None:
    """The OID of the table that a name means; None: there is none.

    Args:
        connection: to read with.
        name: with or without its schema.
        path: schemas where it may be, in order, if it has none.

    Raises:
        psycopg.Error: the server gives no answer.
    """
    schemas = list(path) if name.schema is None else [name.schema]
    row = await (await connection.execute(_FOUND, {"name": name.name, "schemas": schemas})).fetchone()
    return row[0] if row is not None and row[1] in TABLE_KINDS else None


async def read_surroundings(
    connection: psycopg.AsyncConnection[Any],
    table: int,
    *,
    column: str | None = None,
    words: Collection[str] = (),
    timeout_ms: int = 30_000,
) -> Surroundings:
    """What has to do with one table.

    Where something was committed meanwhile, it is read again, until nothing is or two readings ask the same and get the
    same: what was so twice was so in between. Else the catalog is incomplete, and says so.

    Args:
        connection: outside a transaction; it is given back as it was.
        table: its OID.
        column: its name, if only keys of this column matter at first.
        words: names that are to change or to come.
        timeout_ms: for each query.

    Raises:
        InputError: the connection is in a transaction, or the server is older than 13.
        ServerError: tables come and go too fast.
        psycopg.Error: the server refuses, or the connection is lost.
    """
    texts = Texts(parser_library())
    found: Surroundings | None = None
    last = None
    async with joint_session(connection, timeout_ms=timeout_ms, lock_ms=_LOCK_MS) as session:
        with no_garbage_collection(keeping=True):
            for _attempt in range(_ATTEMPTS):
                session.incomplete.clear()
                before = await session.fetch(_SNAPSHOT)
                session.log = []
                try:
                    found = await _read(session, texts, table, column, words)
                except SchemaChanged:
                    continue
                answered, session.log = session.log, []
                if answered == last or await session.fetch(_SNAPSHOT) == before:
                    return found
                last = answered
    if found is None:
        raise ServerError("the tables around this one change all the time: their foreign keys cannot be read")
    changing = (*found.catalog.incomplete, "the schema changed while it was read")
    return replace(found, catalog=replace(found.catalog, incomplete=changing))


async def _read(
    session: ReaderSession, texts: Texts, table: int, column: str | None, words: Collection[str]
) -> Surroundings:
    catalog, (net, definitions) = await session.together(
        _catalog(session, texts, table, words), read_net(session, table, column)
    )
    return Surroundings(replace(catalog, incomplete=tuple(session.incomplete)), net, definitions)


async def _catalog(session: ReaderSession, texts: Texts, table: int, words: Collection[str]) -> Catalog:
    rows = await read_rows(session, texts, None, await around(session, table, words))
    return CatalogBuilder(session, texts, rows).build()
