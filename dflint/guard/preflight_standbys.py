"""Standby servers: a lock that is taken on the primary is replayed there, behind whoever reads the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.guard.capabilities import Capabilities
from dflint.guard.concerns import Concern
from dflint.guard.preflight_tables import Touched
from dflint.model.errors import DflintError
from dflint.postgres import connect, printable

_READERS = b"""
    SELECT l.pid, n.nspname || '.' || c.relname, a.application_name,
           extract(epoch FROM pg_catalog.clock_timestamp() - coalesce(a.xact_start, a.query_start))::float8,
           (SELECT setting::float8 / 1000 FROM pg_catalog.pg_settings WHERE name = 'max_standby_streaming_delay')
      FROM pg_catalog.pg_locks l
      JOIN pg_catalog.pg_class c ON c.oid = l.relation
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN unnest(%s::text[], %s::text[]) AS w (schema, name) ON w.schema = n.nspname AND w.name = c.relname
      JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
     WHERE l.granted AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
       AND a.pid <> pg_catalog.pg_backend_pid()
     ORDER BY 4 DESC NULLS LAST
    """


async def standby_concerns(
    connection: AsyncConnection[Any], tables: Sequence[Touched], able: Capabilities, standbys: Sequence[str]
) -> list[Concern]:
    """Queries on standbys that hold a table which the plan locks against readers.

    Args:
        connection: to the primary.
        tables: those that are locked so.
        able: what the role may see there.
        standbys: connection strings of the standbys that can be looked at.
    """
    if standbys:
        return [concern for dsn in standbys for concern in await _of_standby(dsn, tables)]
    if not able.sees_replicas:
        return []
    query = b"SELECT count(*) FROM pg_catalog.pg_stat_replication"
    row = await (await connection.cursor(row_factory=tuple_row).execute(query)).fetchone()
    if row is None or not row[0]:
        return []
    return [
        Concern(
            kind="standby_queries",
            severity="unknown",
            message=f"{row[0]} replicas are connected, and queries on them are not seen from here: one that reads a "
            "table of this plan holds up replay, other readers queue behind it, and it is cancelled in the end",
            remedy="name them with --standby DSN, or look at their pg_stat_activity",
        )
    ]


async def _of_standby(dsn: str, tables: Sequence[Touched]) -> list[Concern]:
    try:
        async with await connect(dsn, autocommit=True) as standby:
            cursor = standby.cursor(row_factory=tuple_row)
            await cursor.execute(b"SELECT pg_catalog.pg_is_in_recovery()")
            if await cursor.fetchone() != (True,):
                return [_no_standby(dsn)]
            await cursor.execute(_READERS, [[table.schema for table in tables], [table.name for table in tables]])
            rows = await cursor.fetchall()
    except DflintError as error:
        return [
            Concern(
                kind="standby_queries",
                severity="unknown",
                message=f"the standby could not be looked at: {error.message}",
                remedy="see whether it is up",
            )
        ]
    found = []
    for pid, table, application, age, delay_s in rows:
        # -1: replay waits for ever. Half of the delay: it goes on while we get there.
        if age is None or delay_s < 0 or age > delay_s / 2:
            limit = "for ever" if delay_s < 0 else f"for {delay_s:g} s, then cancels it"
            since = "for an unknown time" if age is None else f"for {age:.0f} s"
            found.append(
                Concern(
                    kind="standby_query",
                    severity="unknown" if age is None else "warn",
                    message=f"on the standby {printable(dsn)}, pid {pid} ({application or 'no name'}) has held {table} "
                    f"{since}: replay of the plan's lock waits {limit}, and every reader there queues behind it",
                    remedy="let the query end before",
                )
            )
    return found


def _no_standby(dsn: str) -> Concern:
    return Concern(
        kind="standby_queries",
        severity="refuse",
        message=f"{printable(dsn)} is named as a standby, and is none: it would never be seen to be behind",
        remedy="give the address of a standby, or leave --standby out",
    )
