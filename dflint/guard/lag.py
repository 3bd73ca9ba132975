"""How far replicas are behind, and when to pause because of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.model.errors import DflintError
from dflint.postgres import connect, printable


class LagLimits(Struct, frozen=True, kw_only=True):
    """When to pause, and when to go on: the second pair lies lower, so that the pace does not flutter.

    Attributes:
        pause_bytes, pause_s: pause when a replica is further behind than either.
        resume_bytes, resume_s: go on when none is further behind than either.
    """

    pause_bytes: int = 64 * 1024**2
    pause_s: float = 10.0
    resume_bytes: int = 16 * 1024**2
    resume_s: float = 2.0

    @classmethod
    def of(cls, pause_bytes: int, pause_s: float) -> LagLimits:
        """Limits that lie as far from those below which it goes on as the usual ones."""
        return cls(pause_bytes=pause_bytes, pause_s=pause_s, resume_bytes=pause_bytes // 4, resume_s=pause_s / 5)


class ReplicaLag(Struct, frozen=True, kw_only=True):
    """How far one replica is behind.

    Attributes:
        name: of its connection, with its address.
        bytes: of write-ahead log that it has not replayed; None: hidden, or not known yet.
        seconds: as the server last heard; None: hidden, or nothing to say. It lags behind the truth itself.
    """

    name: str
    bytes: int | None
    seconds: float | None


#: Base backups and the like are connections of the same kind, and replay nothing.
_LAG: Final = b"""
    SELECT concat_ws('@', r.application_name, coalesce(pg_catalog.host(r.client_addr), r.client_hostname, 'local')),
           pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn)::bigint,
           extract(epoch FROM r.replay_lag)::float8
      FROM pg_catalog.pg_stat_replication r
     WHERE r.state IS NULL OR r.state IN ('catchup', 'streaming', 'startup') AND r.replay_lsn IS NOT NULL
     ORDER BY 1
    """


async def read_lag(connection: AsyncConnection[Any]) -> tuple[ReplicaLag, ...]:
    """Every replica and subscriber that is connected to the server.

    Raises:
        psycopg.errors.InsufficientPrivilege: this role may not look.
    """
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(_LAG)
    return tuple(ReplicaLag(name=name, bytes=lag, seconds=seconds) for name, lag, seconds in await cursor.fetchall())


_REPLAYED: Final = b"""
    SELECT pg_catalog.pg_wal_lsn_diff(%s::pg_lsn, pg_catalog.pg_last_wal_replay_lsn())::bigint
     WHERE pg_catalog.pg_is_in_recovery()
    """


async def read_standby_lag(connection: AsyncConnection[Any], standbys: Sequence[str]) -> tuple[ReplicaLag, ...]:
    """How far standbys are behind, as they say themselves; one that does not answer, or is none any more, is left out.

    Args:
        connection: to the primary.
        standbys: their connection strings.
    """
    row = await (await connection.execute("SELECT pg_catalog.pg_current_wal_lsn()::text")).fetchone()
    assert row is not None
    found = []
    for dsn in standbys:
        with suppress(DflintError, psycopg.Error):
            async with await connect(dsn, autocommit=True) as standby:
                behind = await (await standby.execute(_REPLAYED, [row[0]])).fetchone()
            if behind is not None:
                found.append(
                    ReplicaLag(
                        name=printable(dsn), bytes=None if behind[0] is None else max(0, behind[0]), seconds=None
                    )
                )
    return tuple(found)


class Throttle:
    """Says when to pause.

    Attributes:
        reason: why to pause now, in words; None: go on.
    """

    def __init__(self, limits: LagLimits | None = None, expected: Collection[str] = ()) -> None:
        """Say when to pause.

        Args:
            limits: see there.
            expected: replicas that have to be there; those that are seen later are expected from then on.
        """
        self._limits = limits or LagLimits()
        self._expected = set(expected)
        self.reason: str | None = None

    def observe(self, replicas: Sequence[ReplicaLag]) -> str | None:
        """Take in how far the replicas are; the reason to pause, or None.

        A replica that is gone is not one that is not behind: nobody knows how far it is.
        """
        present = {replica.name for replica in replicas}
        self._expected |= present
        gone = sorted(self._expected - present)
        if gone:
            self.reason = f"replica {', '.join(gone)} is not connected any more: how far it is behind is unknown"
            return self.reason
        limits = self._limits
        paused = self.reason is not None
        most_bytes = limits.resume_bytes if paused else limits.pause_bytes
        most_s = limits.resume_s if paused else limits.pause_s
        behind = [replica for replica in replicas if _is_behind(replica, most_bytes, most_s)]
        self.reason = "; ".join(map(_describe, behind)) if behind else None
        return self.reason


def _is_behind(replica: ReplicaLag, most_bytes: int, most_s: float) -> bool:
    # A replica that has replayed everything may still show the time that the last commit took.
    if replica.bytes == 0:
        return False
    return (replica.bytes or 0) > most_bytes or (replica.seconds or 0.0) > most_s


def _describe(replica: ReplicaLag) -> str:
    parts = []
    if replica.bytes is not None:
        parts.append(f"{replica.bytes / 1024**2:.1f} MiB")
    if replica.seconds is not None:
        parts.append(f"{replica.seconds:.1f} s")
    return f"replica {replica.name} is {' and '.join(parts)} behind"
