"""Tables that an extension manages: it changes what statements about them do, and keeps lists of them."""

from __future__ import annotations

from typing import Final

from dflint.catalog.reader.session import SQL, ReaderSession, Statement

#: Which of the lists there are.
_PRESENT: Final = SQL(
    """
    SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = '_timescaledb_catalog' AND c.relname IN ('hypertable', 'chunk')
       OR n.nspname = 'pg_catalog' AND c.relname = 'pg_dist_partition'
    """
)
_BY_NAMES: Final = SQL(
    """
    SELECT c.oid FROM _timescaledb_catalog.{} AS listed
    JOIN pg_catalog.pg_namespace n ON n.nspname = listed.schema_name
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = listed.table_name
    """
)
#: The list -> the extension, and a query for the OIDs of the tables on it.
_LISTS: Final[dict[tuple[str, str], tuple[str, Statement]]] = {
    ("_timescaledb_catalog", "hypertable"): ("timescaledb", _BY_NAMES.format(SQL("hypertable"))),
    ("_timescaledb_catalog", "chunk"): ("timescaledb", _BY_NAMES.format(SQL("chunk"))),
    ("pg_catalog", "pg_dist_partition"): (
        "citus",
        SQL("SELECT logicalrelid::pg_catalog.oid FROM pg_catalog.pg_dist_partition"),
    ),
}


async def read_managed(session: ReaderSession) -> dict[int, str]:
    """Relation -> the extension that manages it."""
    found: dict[int, str] = {}
    for schema, table in await session.fetch_or_note("the lists of extensions", _PRESENT):
        extension, query = _LISTS[schema, table]
        for (oid,) in await session.fetch_or_note(f"the tables that {extension} manages", query):
            found[oid] = extension
    return found
