"""Who waits for whom in a database, and which of them are migrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.guard.holders import holders
from dflint.model.run import Holder


class Participant(Struct, frozen=True, kw_only=True):
    """A session that waits for a lock, holds up another, or holds the migration lock. None: the role may not see it.

    Attributes:
        pid: of its backend; 0: a prepared transaction, which has none.
        user: its role.
        application: the name it gave itself.
        state: as in pg_stat_activity.
        transaction_s: seconds since its transaction began.
        statement: what it runs, or ran last, in one line.
        waits_for: mode and object of the lock that it waits for; None when it waits for none.
        waits_s: seconds since then.
        blocked_by: the pids that stand in its way.
    """

    pid: int
    user: str | None
    application: str | None
    state: str | None
    transaction_s: float | None
    statement: str | None
    waits_for: str | None
    waits_s: float | None
    blocked_by: tuple[int, ...]


class Branch(Struct, frozen=True):
    """A participant, and who waits for it; of those, the longest waiting first."""

    participant: Participant
    waiters: tuple[Branch, ...]


class LockReport(Struct, frozen=True):
    """Attributes:
    holders: of the migration lock.
    trees: a session that waits for nobody, and who waits for it; those with waiters first.
    """

    holders: tuple[Holder, ...]
    trees: tuple[Branch, ...]


_PARTICIPANTS = b"""
WITH waiting AS (
    SELECT DISTINCT ON (l.pid) l.pid, l.waitstart, pg_blocking_pids(l.pid) AS blocked_by,
           l.mode || ' on ' || CASE WHEN c.oid IS NOT NULL THEN format('%%I.%%I', n.nspname, c.relname)
                                    ELSE l.locktype END AS waits_for
      FROM pg_catalog.pg_locks l
           LEFT JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = current_database()
           LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation AND d.oid IS NOT NULL
           LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT l.granted
     ORDER BY l.pid),
 involved AS (SELECT pid FROM waiting UNION SELECT unnest(blocked_by) FROM waiting UNION SELECT unnest(%s::int[]))
SELECT i.pid, a.usename, a.application_name, a.state,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
       left(regexp_replace(a.query, '\\s+', ' ', 'g'), 200), w.waits_for,
       extract(epoch FROM clock_timestamp() - w.waitstart)::float8, coalesce(w.blocked_by, '{}')
  FROM involved i LEFT JOIN waiting w USING (pid) LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)
 WHERE a.datname = current_database() OR a.pid IS NULL
 ORDER BY w.waitstart, i.pid"""


async def lock_report(connection: AsyncConnection) -> LockReport:
    """Who holds the migration lock, and who waits for whom. Needs no ledger and no privileges; one short look."""
    found = tuple(await holders(connection))
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(_PARTICIPANTS, ([holder.pid for holder in found],))
    participants = [
        Participant(
            pid=pid,
            user=user,
            application=application,
            state=state,
            transaction_s=transaction_s,
            statement=statement,
            waits_for=waits_for,
            waits_s=waits_s,
            blocked_by=tuple(dict.fromkeys(blocked_by)),
        )
        for pid, user, application, state, transaction_s, statement, waits_for, waits_s, blocked_by in (
            await cursor.fetchall()
        )
    ]
    return LockReport(found, trees(participants))


def trees(participants: Sequence[Participant]) -> tuple[Branch, ...]:
    """Who waits for whom, as trees, each participant once: below the one that is next before it in the queue.

    Of those who wait in a circle, one is a root.
    """
    by_pid = {one.pid: one for one in participants}
    below: dict[int | None, list[int]] = {}
    for one in participants:
        below.setdefault(_next_before(one, by_pid), []).append(one.pid)
    seen: set[int] = set()
    roots = sorted(below.get(None, ()), key=lambda pid: pid not in below)
    found = [_grow(pid, by_pid, below, seen) for pid in roots]
    found += [_grow(pid, by_pid, below, seen) for pid in by_pid if pid not in seen]
    return tuple(found)


def _next_before(one: Participant, by_pid: Mapping[int, Participant]) -> int | None:
    """Of those who stand in somebody's way, the one who came last; None where nobody does."""
    blockers = [by_pid[pid] for pid in one.blocked_by if pid in by_pid]
    blockers.sort(key=lambda blocker: inf if blocker.waits_s is None else blocker.waits_s)
    return blockers[0].pid if blockers else None


def _grow(
    pid: int, by_pid: Mapping[int, Participant], below: Mapping[int | None, Sequence[int]], seen: set[int]
) -> Branch:
    seen.add(pid)
    return Branch(
        by_pid[pid], tuple(_grow(waiter, by_pid, below, seen) for waiter in below.get(pid, ()) if waiter not in seen)
    )
