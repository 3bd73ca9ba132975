"""Taking the lock from a process that does not give it back: an operator's decision, never a matter of time."""

from __future__ import annotations

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.guard.advisory import HELD, poll
from dflint.guard.errors import GuardRefused
from dflint.guard.holders import holders
from dflint.guard.ledger import Ledger
from dflint.guard.ledger_setup import ledger_exists
from dflint.model.errors import InputError
from dflint.model.run import Holder

#: How long a session may take to end, seconds.
_PATIENCE_S = 10.0
_TERMINATE = f"SELECT pg_terminate_backend(%s) FROM ({HELD}) AS held WHERE pid = %s LIMIT 1"  # noqa: S608 - a constant


async def holder_of(connection: AsyncConnection, run: str) -> Holder:
    """Who holds the lock for a run.

    Args:
        connection: a session in the database.
        run: the run's id, or how it begins.

    Raises:
        InputError: nobody does, or several runs begin so.
    """
    found = [holder for holder in await holders(connection) if (holder.run_id or "").startswith(run)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{len(found)} runs begin with {run!r}", remedy="write more of the id")
    raise InputError(f"no run {run!r} holds a migration lock in this database", remedy="dflint locks shows who does")


async def break_lock(connection: AsyncConnection, holder: Holder) -> None:
    """End the session that holds the lock, and put up the fence: whatever of the run still goes on finds it.

    Args:
        connection: another session in the database.
        holder: as `holder_of` gave it.

    Raises:
        GuardRefused: this role may not end it, or it does not end.
        InputError: it holds the lock no longer.
    """
    await _terminate(connection, holder)

    async def is_gone() -> bool:
        return not await _holds(connection, holder.pid)

    if not await poll(is_gone, _PATIENCE_S):
        raise GuardRefused(
            f"session {holder.pid} was told to end {_PATIENCE_S:g} s ago and still holds the lock",
            state="the session is ending; nothing else was changed",
            next="look at the session in pg_stat_activity; it may be waiting for its disk",
        )
    if holder.run_id is not None and holder.fence is not None and await ledger_exists(connection):
        await _raise_fence(connection, holder.run_id, holder.fence, holder.pid)


async def _terminate(connection: AsyncConnection, holder: Holder) -> None:
    cursor = connection.cursor(row_factory=tuple_row)
    try:
        # Only while it holds the lock: the number may be somebody else's by now.
        await cursor.execute(_TERMINATE.encode(), (holder.pid, holder.pid))
        row = await cursor.fetchone()
    except psycopg.errors.InsufficientPrivilege as error:
        raise GuardRefused(
            f"this role may not end session {holder.pid}",
            next=f"as the session's own role, or one with pg_signal_backend: SELECT pg_terminate_backend({holder.pid})",
        ) from error
    if row is None:
        raise InputError(f"session {holder.pid} holds the lock no longer", remedy="dflint locks shows who does")


async def _holds(connection: AsyncConnection, pid: int) -> bool:
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(f"SELECT FROM ({HELD}) AS held WHERE pid = %s".encode(), (pid,))
    return await cursor.fetchone() is not None


async def _raise_fence(connection: AsyncConnection, run_id: str, fence: int, pid: int) -> None:
    async with connection.transaction():
        cursor = connection.cursor(row_factory=tuple_row)
        await cursor.execute(
            """UPDATE dflint.lease SET held = false, fence = fence + 1, ended_at = clock_timestamp()
                WHERE run_id = %s AND fence = %s AND held RETURNING fence, current_user""",
            (run_id, fence),
        )
        row = await cursor.fetchone()
        # Otherwise somebody has taken the lock already, and put up the fence.
        if row is not None:
            await Ledger(connection).event(run_id, None, row[0], "lock_broken", {"pid": pid, "by": row[1]})
