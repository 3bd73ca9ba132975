"""How a database is used, and how large its tables are, by what the server counts and by its files."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import psycopg
from psycopg.sql import SQL

from dflint.model.names import Identity, Name
from dflint.model.risk import Activity, TableActivity

_TIMEOUT_MS: Final = 10_000
#: The size of a table is asked for under a lock, for which somebody's ALTER TABLE may have to be waited.
_LOCK_TIMEOUT_MS: Final = 500

#: Without a reset, since the server was started, for what it counts is lost when it crashes.
_SECONDS: Final = SQL(
    """
    SELECT extract(epoch FROM now() - coalesce(stats_reset, pg_postmaster_start_time()))::float8
    FROM pg_stat_database WHERE datname = current_database()
    """
)
_TABLES: Final = SQL(
    """
    SELECT schemaname::text, relname::text, coalesce(seq_scan, 0) + coalesce(idx_scan, 0),
           n_tup_ins + n_tup_upd + n_tup_del
    FROM pg_stat_user_tables
    """
)
_INDEXES: Final = SQL("SELECT schemaname::text, indexrelname::text, idx_scan FROM pg_stat_user_indexes")
_SIZE: Final = SQL(
    """
    SELECT pg_catalog.pg_table_size(c.oid),
           CASE WHEN c.relkind = 'i' THEN NULL
                WHEN pg_catalog.pg_relation_size(c.oid) = 0 THEN 0
                ELSE nullif(pg_catalog.pg_stat_get_live_tuples(c.oid), 0) END
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'm', 'i')
    """
)


async def read_sizes(
    connection: psycopg.AsyncConnection[Any], names: Collection[Name]
) -> dict[Name, tuple[int, int | None]]:
    """Bytes and live rows of tables, materialized views and indexes, as they are now.

    What cannot be had in half a second, because somebody has it locked, is left out.

    Args:
        connection: in autocommit mode; it is used for reading only.
        names: with their schemas.

    Returns:
        Bytes with TOAST and without indexes, and rows as the server counted them; None for an index, and where it
        counted none although there are pages.
    """
    found: dict[Name, tuple[int, int | None]] = {}
    for name in names:
        try:
            async with connection.transaction():
                await connection.execute(SQL("SET TRANSACTION READ ONLY"))
                await connection.execute(SQL("SELECT set_config('lock_timeout', %s, true)"), (str(_LOCK_TIMEOUT_MS),))
                row = await (await connection.execute(_SIZE, (name.schema, name.name))).fetchone()
        except psycopg.Error:
            continue
        if row is not None and row[0] is not None:
            found[name] = (row[0], row[1])
    return found


async def read_activity(connection: psycopg.AsyncConnection[Any]) -> Activity | None:
    """How tables and indexes are used; None where the server does not say.

    Args:
        connection: in autocommit mode; it is used for reading only.
    """
    try:
        async with connection.transaction():
            await connection.execute(SQL("SET TRANSACTION READ ONLY"))
            await connection.execute(SQL("SELECT set_config('statement_timeout', %s, true)"), (str(_TIMEOUT_MS),))
            row = await (await connection.execute(_SECONDS)).fetchone()
            tables = await (await connection.execute(_TABLES)).fetchall()
            indexes = await (await connection.execute(_INDEXES)).fetchall()
    except psycopg.Error:
        # Not to know is no reason to fail: who asks is told that nobody knows.
        return None
    seconds = None if row is None or row[0] is None else max(1.0, float(row[0]))
    over = seconds or 1.0
    return Activity(
        seconds=seconds,
        tables={
            str(Identity("table", (schema, name))): TableActivity(scans=scans / over, writes=writes / over)
            for schema, name, scans, writes in tables
        },
        index_scans={str(Identity("index", (schema, name))): scans for schema, name, scans in indexes},
    )
