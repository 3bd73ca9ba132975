"""The lease: who holds the lock, on paper, and the fence that keeps out whoever lost it without noticing.

The lock itself is an advisory lock of the executing session. The lease says for whom, and its fence, a number that
rises, is checked in every transaction that writes: a process that was stopped, lost its session and goes on with
another finds its fence out of date.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composed, Literal
from psycopg.types.json import Jsonb

from dflint.guard.ledger import Ledger
from dflint.guard.lock_keys import DATABASE_KEY, Key, Scope


class Request(Struct, frozen=True, kw_only=True):
    """What lock is wanted, by whom, for what."""

    run_id: str
    scope: Scope
    tables: tuple[str, ...]
    keys: tuple[Key, ...]
    description: str
    metadata: Mapping[str, Any]


class Lease(Struct, frozen=True):
    """Fence, and when the lock was taken."""

    fence: int
    acquired_at: datetime


# Whoever is still written down as a holder of what we now hold lost it: the server gave it to us.
_END_OTHERS = """
UPDATE dflint.lease SET held = false, fence = fence + 1, ended_at = clock_timestamp()
 WHERE held AND run_id <> %(run)s AND (%(keys)s::int[] = '{}' OR keys = '{}' OR keys && %(keys)s::int[])
RETURNING run_id::text, fence"""

_TAKE = """
INSERT INTO dflint.lease AS lease
       (run_id, fence, held, scope, tables, keys, description, metadata, backend_pid, backend_start, acquired_at)
SELECT %(run)s, 1, true, %(scope)s, %(tables)s::text[], %(keys)s::int[], %(description)s, %(metadata)s,
       pg_backend_pid(), (SELECT backend_start FROM pg_stat_get_activity(pg_backend_pid())), clock_timestamp()
ON CONFLICT (run_id) DO UPDATE
   SET fence = lease.fence + 1, held = true, scope = excluded.scope, tables = excluded.tables, keys = excluded.keys,
       description = excluded.description, metadata = excluded.metadata, holder = excluded.holder,
       backend_pid = excluded.backend_pid, backend_start = excluded.backend_start,
       acquired_at = excluded.acquired_at, ended_at = NULL
RETURNING fence, acquired_at"""

_CHECK = "SELECT FROM dflint.lease WHERE run_id = {} AND fence = {} AND held FOR SHARE"

_GIVE_BACK = b"""
UPDATE dflint.lease SET held = false, ended_at = clock_timestamp() WHERE run_id = %s AND fence = %s AND held"""


async def take_lease(connection: AsyncConnection, request: Request) -> Lease:
    """Write down that this session holds the lock; a new fence.

    Raises:
        psycopg.errors.LockNotAvailable: somebody is in a transaction that checked an old fence.
    """
    numbers = [key.number for key in request.keys if key.number != DATABASE_KEY]
    named = {
        "run": request.run_id,
        "scope": request.scope,
        "tables": list(request.tables),
        "keys": numbers,
        "description": request.description,
        "metadata": Jsonb(dict(request.metadata), dumps=_dumps),
    }
    ledger = Ledger(connection)
    cursor = connection.cursor(row_factory=tuple_row)
    async with connection.transaction():
        await cursor.execute("SET LOCAL lock_timeout = '1s'")
        await cursor.execute(_END_OTHERS.encode(), named)
        ended = await cursor.fetchall()
        await cursor.execute(_TAKE.encode(), named)
        row = await cursor.fetchone()
        assert row is not None
        lease = Lease(*row)
        for run_id, fence in ended:
            await ledger.event(run_id, None, fence, "lock_lost", {"to": request.run_id})
        detail = {"scope": request.scope, "tables": request.tables, "description": request.description}
        pid = connection.info.backend_pid
        await ledger.event(request.run_id, None, lease.fence, "lock_acquired", {**detail, "pid": pid})
        await ledger.heartbeat(request.run_id, lease.fence)
    return lease


async def holds_lease(connection: AsyncConnection, run_id: str, fence: int) -> bool:
    """Whether the fence is in force; in a transaction, it stays so until the end of that."""
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(lease_check(run_id, fence))
    return await cursor.fetchone() is not None


def lease_check(run_id: str, fence: int) -> Composed:
    """The query that finds a row, and locks it, while the fence is in force."""
    return SQL(_CHECK).format(Literal(run_id), fence)


async def end_lease(connection: AsyncConnection, run_id: str, fence: int) -> bool:
    """Write down that the lock is being given back; whether it was ours to the end."""
    async with connection.transaction():
        cursor = await connection.execute(_GIVE_BACK, (run_id, fence))
        if cursor.rowcount == 1:
            await Ledger(connection).event(run_id, None, fence, "lock_released")
    return cursor.rowcount == 1


def _dumps(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)
