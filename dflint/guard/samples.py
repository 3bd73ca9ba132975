"""One look at a server: who waits for the executing session, for whom it waits, and how far its statement is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct, to_builtins
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.guard.blockers import Blocker, blockers_of
from dflint.guard.capabilities import Capabilities


class Waiter(Struct, frozen=True, kw_only=True):
    """A session that waits for ours, or for one that does.

    Attributes:
        pid: of the session.
        waited_s: since when, seconds.
        wait_id: tells this wait from later ones of the same session.
        mode: what it wants, as pg_locks has it.
        direct: it waits for us ourselves.
    """

    pid: int
    waited_s: float
    wait_id: str
    mode: str
    direct: bool


class StepProgress(Struct, frozen=True, kw_only=True):
    """How far a statement is, as the server says.

    Attributes:
        command: ``CREATE INDEX CONCURRENTLY``, ``VACUUM``, …
        phase: in the server's words.
        done, total: of the phase, in ``unit``; total None: the server does not say how much there is.
        unit: ``blocks``, ``tuples`` or ``lockers``.
        waits_for: the process that it waits for before it can go on; None: it does not.
    """

    command: str
    phase: str
    done: int
    total: int | None
    unit: str
    waits_for: int | None = None


class Sample(Struct, frozen=True, kw_only=True):
    """What one look showed.

    Attributes:
        state: of the executing session; None: it is gone.
        query_start: of its latest statement, as text.
        query_age_s: seconds since that.
        waits: it waits for a lock.
        blockers: who is in its way.
        waiters: who waits for it.
        progress: how far it is, where the server tells.
    """

    state: str | None
    query_start: str | None
    query_age_s: float | None
    waits: bool = False
    blockers: tuple[Blocker, ...] = ()
    waiters: tuple[Waiter, ...] = ()
    progress: StepProgress | None = None

    def told(self, *, blocked_s: float) -> dict[str, Any]:
        """As details of an event."""
        return {**to_builtins(self), "blocked_s": round(blocked_s, 3)}


# Waiting for somebody's advisory lock, or for the end of his snapshot, is between tools that change schemas: no reader
# or writer is held up by it.
_WAITS: Final = b"""
    SELECT l.pid, pg_catalog.pg_blocking_pids(l.pid), l.mode, coalesce(l.waitstart::text, ''),
           coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - l.waitstart), 0)::float8,
           l.locktype NOT IN ('advisory', 'virtualxid', 'userlock')
      FROM pg_catalog.pg_locks l
     WHERE NOT l.granted AND l.pid IS NOT NULL
    """

_SELF: Final = b"""
    SELECT state, query_start::text, extract(epoch FROM pg_catalog.clock_timestamp() - query_start)::float8
      FROM pg_catalog.pg_stat_activity WHERE pid = %s
    """

_PROGRESS: Final = b"""
    SELECT p.command, p.phase, p.blocks_done, p.blocks_total, p.tuples_done, p.tuples_total, p.lockers_done,
           p.lockers_total, nullif(p.current_locker_pid, 0)
      FROM pg_catalog.pg_stat_progress_create_index p WHERE p.pid = %(pid)s
    UNION ALL
    SELECT p.command, p.phase, p.heap_blks_scanned, p.heap_blks_total, p.heap_tuples_scanned, 0, 0, 0, NULL
      FROM pg_catalog.pg_stat_progress_cluster p WHERE p.pid = %(pid)s
    UNION ALL
    SELECT 'VACUUM', p.phase,
           CASE p.phase WHEN 'vacuuming heap' THEN p.heap_blks_vacuumed ELSE p.heap_blks_scanned END,
           CASE WHEN p.phase IN ('scanning heap', 'vacuuming heap') THEN p.heap_blks_total ELSE 0 END, 0, 0, 0, 0, NULL
      FROM pg_catalog.pg_stat_progress_vacuum p WHERE p.pid = %(pid)s
    UNION ALL
    SELECT 'ANALYZE', p.phase, p.sample_blks_scanned, p.sample_blks_total, 0, 0, 0, 0, NULL
      FROM pg_catalog.pg_stat_progress_analyze p WHERE p.pid = %(pid)s
    LIMIT 1
    """


async def take_sample(connection: AsyncConnection[Any], pid: int, able: Capabilities) -> Sample:
    """Look once.

    Args:
        connection: the monitor's, autocommit.
        pid: of the executing session.
        able: what the role may see.

    Raises:
        psycopg.Error: the server did not answer.
    """
    cursor = connection.cursor(row_factory=tuple_row)
    state, started, age = await (await cursor.execute(_SELF, [pid])).fetchone() or (None, None, None)
    waiters: tuple[Waiter, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    waits = False
    if able.sees_waiters:
        rows = await (await cursor.execute(_WAITS)).fetchall()
        waiters = waiters_for(pid, rows)
        ours = [row[1] for row in rows if row[0] == pid]
        waits = bool(ours)
        if ours:
            blockers = await blockers_of(connection, pid, ours[0], sees_prepared=able.sees_prepared)
    found = await (await cursor.execute(_PROGRESS, {"pid": pid})).fetchone()
    return Sample(
        state=state,
        query_start=started,
        query_age_s=age,
        waits=waits,
        blockers=blockers,
        waiters=waiters,
        progress=None if found is None else _progress(*found),
    )


def waiters_for(pid: int, rows: Sequence[Sequence[Any]]) -> tuple[Waiter, ...]:
    """Who waits for a session, and who waits for those.

    Args:
        pid: of the session.
        rows: of everybody who waits: pid, for whom, mode, since when as text, for how long, whether it counts.
    """
    behind: dict[int, list[Sequence[Any]]] = defaultdict(list)
    for row in rows:
        if row[5]:
            for blocker in set(row[1]):
                behind[blocker].append(row)
    found: dict[int, Waiter] = {}
    reached = [pid]
    while reached:
        blocker = reached.pop()
        for waiter, _, mode, since, waited, _ in behind[blocker]:
            if waiter != pid and waiter not in found:
                found[waiter] = Waiter(pid=waiter, waited_s=waited, wait_id=since, mode=mode, direct=blocker == pid)
                reached.append(waiter)
    return tuple(sorted(found.values(), key=lambda waiter: -waiter.waited_s))


def _progress(
    command: str,
    phase: str,
    blocks: int,
    of_blocks: int,
    tuples: int,
    of_tuples: int,
    lockers: int,
    of_lockers: int,
    locker: int | None,
) -> StepProgress:
    """The figures that the phase is about: others are left over from earlier phases."""
    if phase.startswith("waiting for"):
        done, total, unit = lockers, of_lockers, "lockers"
    elif of_blocks:
        done, total, unit = blocks, of_blocks, "blocks"
    elif of_tuples or tuples:
        done, total, unit = tuples, of_tuples, "tuples"
    else:
        done, total, unit = blocks, 0, "blocks"
    return StepProgress(command=command, phase=phase, done=done, total=total or None, unit=unit, waits_for=locker)
