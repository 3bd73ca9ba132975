"""What became of a step when the connection was lost: read again on another, never guessed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final

import psycopg
from msgspec import Struct

from dflint.guard.ledger import Ledger
from dflint.guard.session import open_monitor
from dflint.model.errors import DflintError
from dflint.model.run import StepRecord

#: How long a server may take to come back, and the lost session to end, seconds.
_PATIENCE_S: Final = 15.0
_PAUSE_S: Final = 0.2
_A_MOMENT_S: Final = 1.0


class Reread(Struct, frozen=True):
    """What the ledger says afterwards.

    Attributes:
        steps: how far each is; None when the server could not be reached.
        ended: the lost session is gone, so that nothing changes any more.
        broken: somebody broke the lock on purpose.
    """

    steps: tuple[StepRecord, ...] | None = None
    ended: bool = False
    broken: bool = False


async def reread(dsn: str, run_id: str, pid: int, fence: int, *, terminated: bool) -> Reread:
    """Connect anew, wait until the lost session has ended, and read how far the run is.

    Args:
        dsn: of the same server.
        run_id: whose steps.
        pid: of the lost session's backend.
        fence: of the lock that was lost with it.
        terminated: somebody ended the session; that this was to break the lock is written a moment later.
    """
    began = time.monotonic()
    found = Reread()
    while True:
        with contextlib.suppress(psycopg.Error, DflintError):
            found = await _look(dsn, run_id, pid, fence)
        if found.ended and (found.broken or not terminated or time.monotonic() >= began + _A_MOMENT_S):
            return found
        if time.monotonic() >= began + _PATIENCE_S:
            return found
        await asyncio.sleep(_PAUSE_S)


async def _look(dsn: str, run_id: str, pid: int, fence: int) -> Reread:
    async with await open_monitor(dsn, run_id=run_id) as connection:
        # First whether it has ended, then what it did: the other way round it could commit in between.
        query = "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE pid = %s AND datname IS NOT NULL"
        row = await (await connection.execute(query, [pid])).fetchone()
        ledger = Ledger(connection)
        events = await ledger.events(run_id)
        broken = any(event.kind == "lock_broken" and (event.fence or 0) >= fence for event in events)
        return Reread(tuple(await ledger.steps(run_id)), row is not None and not row[0], broken)
