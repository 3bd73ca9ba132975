"""Advisory locks of the executing session: tried again and again, never waited for in the server.

Whoever waits in a statement has a snapshot, and a CREATE INDEX CONCURRENTLY of the holder waits for every snapshot:
both would wait for ever, and PostgreSQL would not see a deadlock.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.guard.lock_keys import KEY_CLASS, Key

#: Between two tries, seconds: the least, the most at first, and the most later.
_LEAST_PAUSE, _FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.2, 2.0

#: The keys that sessions of this database hold.
HELD = f"""
SELECT l.pid, l.objid::bigint AS key, l.mode = 'ShareLock' AS shared
  FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database
 WHERE l.locktype = 'advisory' AND l.classid::bigint = {KEY_CLASS} AND l.objsubid = 2 AND l.granted
   AND d.datname = current_database()"""  # noqa: S608 - a number


async def poll(attempt: Callable[[], Awaitable[bool]], timeout_s: float) -> bool:
    """Try until it succeeds or the time is over; at least once. Pauses are random, so that nobody is always late."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    pause = _FIRST_PAUSE
    while not await attempt():
        left = deadline - loop.time()
        if left <= 0:
            return False
        await asyncio.sleep(min(left, random.uniform(_LEAST_PAUSE, pause)))  # noqa: S311 - no secret
        pause = min(_LONGEST_PAUSE, pause * 1.5)
    return True


async def try_keys(connection: AsyncConnection, keys: Sequence[Key]) -> bool:
    """Take all keys, or none."""
    for taken, key in enumerate(keys):
        if not await _call(connection, "pg_try_advisory_lock", key):
            await give_back(connection, keys[:taken])
            return False
    return True


async def give_back(connection: AsyncConnection, keys: Sequence[Key]) -> bool:
    """Give all keys back; whether each was still ours."""
    return all([await _call(connection, "pg_advisory_unlock", key) for key in reversed(keys)])


async def holds_any(connection: AsyncConnection) -> bool:
    """Whether this session holds keys of ours already."""
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(f"SELECT FROM ({HELD}) AS held WHERE pid = pg_backend_pid()".encode())
    return await cursor.fetchone() is not None


async def _call(connection: AsyncConnection, function: str, key: Key) -> bool:
    cursor = connection.cursor(row_factory=tuple_row)
    suffix = "_shared" if key.shared else ""
    await cursor.execute(f"SELECT pg_catalog.{function}{suffix}(%s::int, %s::int)".encode(), (KEY_CLASS, key.number))
    row = await cursor.fetchone()
    return row is not None and bool(row[0])
