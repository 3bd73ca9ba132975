"""Reading the catalog of a live server."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import psycopg
from msgspec.structs import replace

from dflint.catalog.reader.building import CatalogBuilder
from dflint.catalog.reader.changes import changed, state
from dflint.catalog.reader.fetching import Rows, read_rows
from dflint.catalog.reader.pieces import read_places
from dflint.catalog.reader.session import ReaderSession, first_line, reader_session
from dflint.catalog.reader.texts import Texts, parser_library
from dflint.model.catalog import Catalog
from dflint.model.garbage import no_garbage_collection

#: How often a schema that changes while it is read is read again.
_ATTEMPTS: Final = 3

#: Milliseconds to wait for a lock on one of the system's own catalogs.
_LOCK_MS: Final = 200

_CHANGED: Final = "the schema changed while it was read"


async def read_catalog(
    connection: psycopg.AsyncConnection[Any], *, timeout_ms: int = 30_000, schemas: Collection[str] | None = None
) -> Catalog:
    """The catalog of the database that ``connection`` is connected to.

    It reads PostgreSQL's own catalogs only, which every role may do, in short read-only transactions. It waits for
    no lock longer than a moment: what somebody has locked ACCESS EXCLUSIVE is read as far as that goes, and the
    catalog then is incomplete and says so.

    Args:
        connection: outside a transaction; it is given back as it was.
        timeout_ms: for each query.
        schemas: the schemas to read; None for all but the system's own. With a choice of schemas the catalog is open:
            what is not in it is unknown.

    Raises:
        InputError: the connection is in a transaction, or the server is older than 13.
        ParserUnavailable: the parser's library cannot be loaded.
        psycopg.Error: the connection is lost.
    """
    texts = Texts(parser_library())
    async with reader_session(connection, timeout_ms=timeout_ms, lock_ms=_LOCK_MS) as session:
        with no_garbage_collection(keeping=True):
            rows = await _read_unchanged(session, texts, schemas)
            if rows is None:
                catalog = Catalog(basis="live", version=session.version)
            else:
                catalog = CatalogBuilder(session, texts, rows).build()
        return replace(catalog, incomplete=tuple(session.incomplete))


async def _read_unchanged(session: ReaderSession, texts: Texts, schemas: Collection[str] | None) -> Rows | None:
    """All rows, of a schema that stayed the same meanwhile, or else it is noted; None where they cannot be read."""
    rows = None
    for _attempt in range(_ATTEMPTS):
        session.incomplete.clear()
        try:
            places = await read_places(session)
            before = await state(session, places)
            rows = await read_rows(session, texts, schemas, places)
        except psycopg.Error as error:
            if session.connection.closed:
                raise
            session.note(f"relations could not be read: {first_line(error)}")
            return None
        if before is None or not await changed(session, before, places):
            return rows
    session.note(_CHANGED)
    return rows
