"""Run one statement on a server and see what it does: the judge over every fact."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from psycopg import AsyncConnection, Error
from psycopg.pq import TransactionStatus

from dflint.model.observation import TAGS_WITHOUT_SCANS, Observation, SqlError
from dflint.trace.observe_meanwhile import watching
from dflint.trace.observe_relations import Relations, begun_scans, named_locks, new_files, read_locks, read_relations

#: SQLSTATE of a statement that cannot run inside a transaction block.
NEEDS_NO_TRANSACTION = "25001"

#: A session reports its scans when it falls idle, but not more often than this, in seconds: 0.5 up to 14, then 1.
_REPORTING = 0.5

_SEQUENTIAL = """
set enable_indexscan = off; set enable_indexonlyscan = off; set enable_bitmapscan = off; set enable_nestloop = off;
set enable_mergejoin = off; set max_parallel_workers_per_gather = 0; set max_parallel_maintenance_workers = 0;
set enable_partition_pruning = off; set jit = off
"""


async def plan_sequentially(worker: AsyncConnection[Any]) -> None:
    """Make the session's plans read tables from end to end, so that scans do not depend on sizes and statistics.

    Foreign keys are validated by a query, which could read an index or start a parallel worker instead.
    """
    await worker.execute(_SEQUENTIAL.encode())


async def observe(
    worker: AsyncConnection[Any],
    observer: AsyncConnection[Any],
    sql: str,
    *,
    before: str = "",
    in_transaction: bool = True,
) -> Observation:
    """Run ``sql``, exactly one statement, and see what it does. What it did is committed.

    A statement that refuses to run in a transaction block is run outside one, and says so.

    Args:
        worker: runs it; in autocommit mode, idle. Its session settings hold. It must not have scanned the tables in
            question while it was in autocommit mode, or have been idle for half a second since.
        observer: another session in the same database that may see the worker's locks.
        before: statements to run first in the same transaction. What they lock is not the statement's doing.
        in_transaction: False runs it outside a transaction block at once.

    Raises:
        psycopg.Error: the connection is lost, or ``before`` fails.
    """
    if in_transaction:
        seen = await _in_own_transaction(worker, observer, sql, before)
        if seen.error is None or seen.error.sqlstate != NEEDS_NO_TRANSACTION:
            return seen
    seen = await _outside(worker, observer, sql)
    return replace(seen, transaction="refused") if in_transaction else seen


async def observe_within(worker: AsyncConnection[Any], observer: AsyncConnection[Any], sql: str) -> Observation:
    """Run ``sql`` in the transaction that ``worker`` is in and see what it does; nothing is committed.

    Locks that the transaction held already, in the same mode or a stronger one, are not listed. After an error the
    transaction is aborted.
    """
    started = await _Start.take(worker, observer)
    return await started.finish(worker, observer, await _run(worker, sql))


class _Run(Struct, frozen=True):
    """How a statement went."""

    tag: str
    error: SqlError | None
    duration_ms: float


class _Start(Struct, frozen=True):
    """Everything as it is just before the statement."""

    relations: Relations
    locks: Mapping[int, str]
    wal: int

    @classmethod
    async def take(cls, worker: AsyncConnection[Any], observer: AsyncConnection[Any]) -> _Start:
        relations = await read_relations(worker)
        return cls(relations, await read_locks(observer, worker.info.backend_pid), await _wal(observer))

    async def finish(self, worker: AsyncConnection[Any], observer: AsyncConnection[Any], run: _Run) -> Observation:
        """What the statement did, seen in its still open transaction."""
        wal = await _wal(observer) - self.wal
        seen = Observation(error=run.error, duration_ms=run.duration_ms, wal_bytes=wal)
        if run.error is not None:
            return seen
        held = await read_locks(observer, worker.info.backend_pid)
        taken = {oid: mode for oid, mode in held.items() if self.locks.get(oid) != mode}
        after = await read_relations(worker)
        rewrites, rebuilds = new_files(self.relations, after)
        return replace(
            seen,
            locks=named_locks(taken, self.relations),
            rewrites=rewrites,
            index_rebuilds=rebuilds,
            scans=() if _scans_nothing(run) else begun_scans(self.relations, after, reported=False),
        )


async def _in_own_transaction(
    worker: AsyncConnection[Any], observer: AsyncConnection[Any], sql: str, before: str
) -> Observation:
    await worker.execute(b"begin")
    try:
        if before:
            await worker.execute(before.encode())
        start = await _Start.take(worker, observer)
        run = await _run(worker, sql)
        if run.error is None and worker.info.transaction_status == TransactionStatus.INTRANS:
            run = await _checked_at_commit(worker, run)
        seen = await start.finish(worker, observer, run)
    except BaseException:
        if not worker.closed:
            await worker.rollback()
        raise
    if seen.error is not None:
        await worker.rollback()
        return seen
    try:
        await worker.execute(b"commit")
    except Error as error:
        return _failed(seen, error)
    return seen


async def _checked_at_commit(worker: AsyncConnection[Any], run: _Run) -> _Run:
    """Deferred constraints are part of the statement: they take their locks before commit."""
    try:
        await worker.execute(b"set constraints all immediate")
    except Error as error:
        return replace(run, error=_sql_error(error))
    return run


async def _outside(worker: AsyncConnection[Any], observer: AsyncConnection[Any], sql: str) -> Observation:
    """Run outside a transaction block; the locks are gone at the end, so they are looked at meanwhile."""
    await _report_scans(worker)
    reported_last = time.perf_counter()
    start = await _Start.take(worker, observer)
    async with watching(worker, observer) as watched:
        run = await _run(worker, sql)
    wal = await _wal(observer) - start.wal
    seen = Observation(error=run.error, duration_ms=run.duration_ms, wal_bytes=wal)
    if run.error is not None:
        return seen
    # Not the statement's own time alone: on a busy machine the looking before it takes long too.
    reported = time.perf_counter() - reported_last > _REPORTING / 2
    if reported and worker.info.server_version < 150000:
        await asyncio.sleep(_REPORTING + 0.1)  # for the statistics collector
    after = await read_relations(worker)
    rewrites, rebuilds = new_files(start.relations, after)
    return replace(
        seen,
        locks=named_locks(watched.locks, start.relations),
        rewrites=rewrites,
        index_rebuilds=rebuilds,
        scans=() if _scans_nothing(run) else begun_scans(start.relations, after, reported=reported),
    )


async def _report_scans(worker: AsyncConnection[Any]) -> None:
    """Have the session report its scans now, so that it keeps those of a short statement to itself."""
    if worker.info.server_version >= 150000:
        await worker.execute(b"select pg_stat_force_next_flush()")
        return
    await asyncio.sleep(_REPORTING + 0.05)
    await worker.execute(b"select 1")


async def _run(worker: AsyncConnection[Any], sql: str) -> _Run:
    began = time.perf_counter()
    tag, error = "", None
    try:
        tag = await _execute(worker, sql)
    except Error as raised:
        if worker.closed:
            raise
        error = _sql_error(raised)
    return _Run(tag, error, (time.perf_counter() - began) * 1000)


async def _execute(worker: AsyncConnection[Any], sql: str) -> str:
    """Run it and return the command tag. COPY to and from the client transfers nothing."""
    words = sql.lower().split()
    cursor = worker.cursor()
    if words[:1] == ["copy"] and "stdin" in words:
        async with cursor.copy(sql.encode()):
            return "COPY"
    elif words[:1] == ["copy"] and "stdout" in words:
        async with cursor.copy(sql.encode()) as copy:
            async for _ in copy:
                pass
        return "COPY"
    await cursor.execute(sql.encode())
    return cursor.statusmessage or ""


def _scans_nothing(run: _Run) -> bool:
    return run.tag.partition(" ")[0] in TAGS_WITHOUT_SCANS


def _failed(seen: Observation, error: Error) -> Observation:
    return Observation(error=_sql_error(error), duration_ms=seen.duration_ms, wal_bytes=seen.wal_bytes)


def _sql_error(error: Error) -> SqlError:
    return SqlError(error.sqlstate or "", error.diag.message_primary or str(error))


async def _wal(observer: AsyncConnection[Any]) -> int:
    cursor = await observer.execute(b"select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
