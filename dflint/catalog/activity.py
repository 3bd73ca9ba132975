"""How a database is used, by what the server counts: the statistics of tables and indexes."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg.sql import SQL

from dflint.model.names import Identity
from dflint.model.risk import Activity, TableActivity

_TIMEOUT_MS: Final = 10_000

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
