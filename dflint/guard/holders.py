"""Who holds the migration lock: from pg_locks, with what sessions and the ledger tell about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.guard.advisory import HELD
from dflint.guard.ledger_setup import ledger_exists
from dflint.guard.lock_keys import DATABASE_KEY
from dflint.model.run import Holder

#: Without a sign of life for so long, seconds, the process is stopped or cut off.
STALE_S = 30.0

_SESSIONS = f"""
SELECT held.pid, held.whole, a.application_name, a.backend_start, a.state,
       extract(epoch FROM clock_timestamp() - CASE a.state WHEN 'active' THEN a.query_start
                                                          ELSE a.state_change END)::float8 AS age
  FROM (SELECT pid, bool_or(key = {DATABASE_KEY} AND NOT shared) AS whole FROM ({HELD}) AS one GROUP BY pid) AS held
       LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = held.pid"""  # noqa: S608 - a number and a constant

_LEASES = f"""
SELECT s.pid, s.whole, s.application_name, s.backend_start, s.state, s.age,
       l.run_id::text, l.scope, l.tables, l.description, l.metadata, l.acquired_at, l.fence, h.at,
       extract(epoch FROM clock_timestamp() - h.at)::float8
  FROM ({_SESSIONS}) AS s
       LEFT JOIN dflint.lease l ON l.held AND l.backend_pid = s.pid
            AND (s.backend_start IS NULL OR l.backend_start IS NULL OR l.backend_start = s.backend_start)
       LEFT JOIN dflint.heartbeat h ON h.run_id = l.run_id AND h.fence = l.fence
 ORDER BY l.acquired_at, s.pid"""  # noqa: S608 - constants

_NO_LEASES = f"""
SELECT s.*, NULL, NULL, NULL::text[], NULL, NULL::jsonb, NULL, NULL, NULL, NULL FROM ({_SESSIONS}) AS s
 ORDER BY s.backend_start, s.pid"""  # noqa: S608 - a constant


async def holders(connection: AsyncConnection) -> list[Holder]:
    """All sessions that hold the migration lock of this database, or of tables of it; the oldest first."""
    query = _LEASES if await ledger_exists(connection) else _NO_LEASES
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(query.encode())
    return [_holder(*row) for row in await cursor.fetchall()]


def _holder(
    pid: int,
    whole: bool,
    session_name: str | None,
    backend_start: Any,
    state: str | None,
    age: float | None,
    run_id: str | None,
    scope: str | None,
    tables: list[str] | None,
    description: str | None,
    metadata: dict[str, Any] | None,
    acquired_at: Any,
    fence: int | None,
    heartbeat_at: Any,
    silence: float | None,
) -> Holder:
    return Holder(
        pid=pid,
        run_id=run_id or _run_of(session_name),
        scope=scope or ("schema_modification" if whole else "table_modification"),
        tables=tuple(tables or ()),
        operation_description=description or "",
        metadata=metadata or {},
        acquired_at=acquired_at or backend_start,
        heartbeat_at=heartbeat_at,
        state=state,
        query_age_s=age,
        fence=fence,
        stale=silence is not None and silence > STALE_S,
    )


def _run_of(session_name: str | None) -> str | None:
    """The run that a session's name tells, ``dflint/<run>/<fence>``."""
    first, _, rest = (session_name or "").partition("/")
    run_id = rest.partition("/")[0]
    try:
        return str(UUID(run_id)) if first == "dflint" else None
    except ValueError:
        return None


def describe(holder: Holder) -> str:
    """A holder in one phrase."""
    what = ", ".join(holder.tables) or "the whole database"
    doing = f" ({holder.operation_description})" if holder.operation_description else ""
    parts = [f"pid {holder.pid} of run {holder.run_id or 'unknown'} holds {what}{doing}"]
    if holder.acquired_at is not None:
        parts.append(f"since {holder.acquired_at:%Y-%m-%d %H:%M:%S%z}")
    if holder.state is not None and holder.query_age_s is not None:
        parts.append(f"{holder.state} for {holder.query_age_s:.0f} s")
    if holder.heartbeat_at is not None:
        parts.append(f"last sign of life {holder.heartbeat_at:%H:%M:%S}")
    if holder.stale:
        parts.append("its process seems to be stopped or cut off")
    return ", ".join(parts)
