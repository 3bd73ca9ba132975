"""The monitor sees who waits and who is in the way, and cancels nobody's statements but its own session's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from dflint.guard.capabilities import Capabilities, Missing
from dflint.guard.errors import GuardRefused
from dflint.guard.monitor import Limits, Monitor, Watch
from dflint.guard.samples import waiters_for
from dflint.postgres import connect
from tests.guard.asynchronous import asynchronous, until
from tests.guard.watching import guarded, session
from tests.servers import TestServer

TABLE = "CREATE TABLE t (id bigint PRIMARY KEY, v text)"
#: The statement takes as long as that, seconds; each test ends it long before.
LONG = 60


async def _error(running: Awaitable[Any]) -> psycopg.Error:
    try:
        await running
    except psycopg.Error as error:
        return error
    raise AssertionError("it was not cancelled")


async def waiting(connection: AsyncConnection[Any], pid: int) -> bool:
    row = await (
        await connection.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", [pid])
    ).fetchone()
    return bool(row and row[0])


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_scan_under_a_strong_lock_is_cancelled_when_somebody_waits(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, TABLE) as reader, session(dsn) as looker, guarded(dsn) as ours:
        await ours.connection.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        async with ours.monitor.watching(strong=True) as watch:
            scanning = asyncio.create_task(_error(ours.connection.execute(f"SELECT pg_sleep({LONG})")))
            reading = asyncio.create_task(reader.execute("SELECT count(*) FROM t"))
            await until(lambda: waiting(looker, reader.info.backend_pid))
            began = time.monotonic()
            error = await scanning
            took = time.monotonic() - began
        await ours.connection.execute("ROLLBACK")
        await reading
    assert error.sqlstate == "57014"
    assert watch.cancelled_because is not None
    assert "a session has waited" in watch.cancelled_because
    # 500 ms are allowed; far below the statement's time, also on a busy machine.
    assert took < 5
    assert 0.4 < watch.longest_wait_s < 5
    assert watch.waiters == 1
    assert watch.blocked_s >= watch.longest_wait_s


@pytest.mark.majors(14, 18)
@asynchronous
async def test_many_waiters_are_too_many_at_once(pg: TestServer) -> None:
    dsn = pg.new_database()
    limits = Limits(waiter_ms=60_000, waiters=3)
    async with session(dsn, TABLE), guarded(dsn, limits) as ours:
        await ours.connection.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        async with ours.monitor.watching(strong=True) as watch:
            scanning = asyncio.create_task(_error(ours.connection.execute(f"SELECT pg_sleep({LONG})")))
            readers = [await connect(dsn, autocommit=True) for _ in range(4)]
            reading = [asyncio.create_task(reader.execute("TABLE t")) for reader in readers]
            await scanning
        await ours.connection.execute("ROLLBACK")
        await asyncio.gather(*reading)
        for reader in readers:
            await reader.close()
    assert watch.cancelled_because == "4 sessions wait for it"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_who_waits_behind_a_waiter_counts_and_so_does_the_time_of_all(pg: TestServer) -> None:
    dsn = pg.new_database()
    limits = Limits(waiter_ms=60_000, blocked_budget_s=0.6)
    async with session(dsn, TABLE), session(dsn) as writer, session(dsn) as behind, guarded(dsn, limits) as ours:
        await ours.connection.execute("BEGIN; LOCK TABLE t IN SHARE MODE")
        # The reader does not conflict with us, but with the one that waits for us.
        altering = asyncio.create_task(writer.execute("ALTER TABLE t ADD x int"))
        async with session(dsn) as looker:
            await until(lambda: waiting(looker, writer.info.backend_pid))
        async with ours.monitor.watching(strong=True) as watch:
            scanning = asyncio.create_task(_error(ours.connection.execute(f"SELECT pg_sleep({LONG})")))
            reading = asyncio.create_task(behind.execute("TABLE t"))
            await scanning
        await ours.connection.execute("ROLLBACK")
        await asyncio.gather(altering, reading)
    assert watch.waiters == 2
    assert watch.cancelled_because is not None
    assert "altogether" in watch.cancelled_because


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_weak_step_is_watched_and_not_cancelled(pg: TestServer) -> None:
    dsn = pg.new_database()
    limits = Limits(waiter_ms=100, weak_poll_s=0.05)
    async with session(dsn, TABLE) as reader, guarded(dsn, limits) as ours:
        await ours.connection.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        async with ours.monitor.watching(strong=False) as watch:
            reading = asyncio.create_task(reader.execute("TABLE t"))
            await until(lambda: _true(watch.longest_wait_s > 0.5))
            await ours.connection.execute("SELECT 1")
        await ours.connection.execute("ROLLBACK")
        await reading
    assert watch.cancelled_because is None
    assert ours.told.of("sample")


@pytest.mark.majors(14, 18)
@asynchronous
async def test_the_attempts_own_patience_is_respected(pg: TestServer) -> None:
    """An attempt that waits for autovacuum to give way makes others wait as long."""
    dsn = pg.new_database()
    limits = Limits(waiter_ms=100)
    async with session(dsn, TABLE) as holder, session(dsn) as reader, guarded(dsn, limits) as ours:
        await holder.execute("BEGIN; TABLE t")
        pid = holder.info.backend_pid
        async with ours.monitor.watching(strong=True, patience_ms=60_000) as watch:
            locking = asyncio.create_task(ours.connection.execute("ALTER TABLE t ADD x int"))
            await until(lambda: _true(bool(watch.blockers)))
            reading = asyncio.create_task(reader.execute("TABLE t"))
            await until(lambda: _true(watch.longest_wait_s > 0.4))
            await holder.execute("COMMIT")
            await locking
        await reading
    assert watch.cancelled_because is None
    assert [blocker.pid for blocker in watch.blockers] == [pid]


@pytest.mark.majors(14, 18)
@asynchronous
async def test_waiting_for_our_advisory_lock_harms_nobody(pg: TestServer) -> None:
    dsn = pg.new_database()
    limits = Limits(waiter_ms=100)
    async with session(dsn) as other, session(dsn) as looker, guarded(dsn, limits) as ours:
        await ours.connection.execute("SELECT pg_advisory_lock(42)")
        locking = asyncio.create_task(other.execute("SELECT pg_advisory_lock(42)"))
        await until(lambda: waiting(looker, other.info.backend_pid))
        async with ours.monitor.watching(strong=True) as watch:
            await until(lambda: _true(watch.samples > 5))
        await ours.connection.execute("SELECT pg_advisory_unlock(42)")
        await locking
    assert (watch.waiters, watch.cancelled_because) == (0, None)


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_monitor_that_is_lost_and_cannot_come_back_stops_a_strong_step(pg: TestServer) -> None:
    """Fault 34, and 71 while a step runs: without a fresh look the step is cancelled."""
    dsn = pg.new_database()
    async with session(dsn, TABLE, "DROP ROLE IF EXISTS monitored", "CREATE ROLE monitored LOGIN") as admin:
        try:
            async with await connect(f"{dsn} user=monitored", autocommit=True) as executor:
                limits = Limits(blind_s=1.0)
                async with (
                    Monitor(f"{dsn} user=monitored", executor, limits) as monitor,
                    monitor.watching(strong=True) as watch,
                ):
                    sleeping = asyncio.create_task(_error(executor.execute(f"SELECT pg_sleep({LONG})")))
                    await until(lambda: _true(watch.samples > 1))
                    await admin.execute("ALTER ROLE monitored CONNECTION LIMIT 1")
                    await admin.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'monitored' AND pid <> %s",
                        [executor.info.backend_pid],
                    )
                    began = time.monotonic()
                    error = await sleeping
                    took = time.monotonic() - began
        finally:
            await admin.execute("DROP ROLE monitored")
    assert error.sqlstate == "57014"
    assert watch.cancelled_because is not None
    assert "seen nothing" in watch.cancelled_because
    assert took < 10


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_monitor_that_is_lost_comes_back(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, TABLE) as admin, guarded(dsn) as ours:
        async with ours.monitor.watching(strong=True) as watch:
            await until(lambda: _true(watch.samples > 1))
            await admin.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name LIKE 'dflint%monitor'"""
            )
            seen = watch.samples
            await until(lambda: _true(watch.samples > seen + 3))
        assert watch.cancelled_because is None


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_weak_step_goes_on_unseen(pg: TestServer) -> None:
    dsn = pg.new_database()
    limits = Limits(blind_s=0.2, weak_poll_s=30)
    async with session(dsn, TABLE), guarded(dsn, limits) as ours, ours.monitor.watching(strong=False) as watch:
        await ours.connection.execute("SELECT pg_sleep(1)")
    assert watch.cancelled_because is None


@pytest.mark.majors(14, 18)
@asynchronous
async def test_without_a_session_for_the_monitor_nothing_begins(pg: TestServer) -> None:
    """Fault 71: too many connections."""
    dsn = pg.new_database()
    async with session(dsn, "DROP ROLE IF EXISTS lonely", "CREATE ROLE lonely LOGIN CONNECTION LIMIT 1") as admin:
        try:
            async with await connect(f"{dsn} user=lonely", autocommit=True) as executor:
                with pytest.raises(Exception, match="too many connections"):
                    async with Monitor(f"{dsn} user=lonely", executor):
                        raise AssertionError("it began")
                assert executor.info.transaction_status is TransactionStatus.IDLE
        finally:
            await admin.execute("DROP ROLE lonely")


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_strong_step_of_a_role_that_sees_no_waiters_is_refused(pg: TestServer) -> None:
    dsn = pg.new_database()
    missing = Missing(what="waiters", message="this role may not see", remedy="grant it", refuses=True)
    able = Capabilities(role="r", superuser=False, sees_waiters=False, missing=(missing,))
    async with session(dsn) as executor, Monitor(dsn, executor, None, able) as monitor:
        with pytest.raises(GuardRefused, match="may not see"):
            async with monitor.watching(strong=True):
                raise AssertionError("it began")
        async with monitor.watching(strong=False) as watch:
            await until(lambda: _true(watch.samples > 0))


@pytest.mark.majors(14, 18)
@asynchronous
async def test_an_index_build_tells_how_far_it_is(pg: TestServer) -> None:
    dsn = pg.new_database()
    limits = Limits(weak_poll_s=0.02)
    async with session(dsn, TABLE, "INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g") as blocker:
        await blocker.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; TABLE t LIMIT 1")
        pid = blocker.info.backend_pid
        async with guarded(dsn, limits) as ours, ours.monitor.watching(strong=False) as watch:
            building = asyncio.create_task(ours.connection.execute("CREATE INDEX CONCURRENTLY i ON t (v)"))
            await until(lambda: _true(watch.progress is not None and watch.progress.unit == "lockers"))
            progress = watch.progress
            blockers = watch.blockers
            await blocker.execute("COMMIT")
            await building
    assert progress is not None
    assert progress.command == "CREATE INDEX CONCURRENTLY"
    # Whoever looks on at that moment may count too.
    assert progress.total is not None
    assert 0 <= progress.done < progress.total
    assert progress.waits_for == pid
    assert [each.pid for each in blockers] == [pid]


def test_waiters_are_found_through_others() -> None:
    def row(pid: int, *by: int, counts: bool = True) -> tuple[Any, ...]:
        return (pid, list(by), "AccessShareLock", "now", 1.0, counts)

    rows = [row(2, 1), row(3, 2), row(4, 3, 9), row(5, 8), row(6, 1, counts=False), row(7, 6), row(1, 9)]
    found = waiters_for(1, rows)
    assert {waiter.pid: waiter.direct for waiter in found} == {2: True, 3: False, 4: False}


def test_a_circle_of_waiters_has_an_end() -> None:
    rows = [(2, [1, 3], "m", "", 0.0, True), (3, [2], "m", "", 0.0, True), (1, [3], "m", "", 0.0, True)]
    assert {waiter.pid for waiter in waiters_for(1, rows)} == {2, 3}


def test_a_watch_that_saw_nothing() -> None:
    watch = Watch(strong=True, waiter_s=1)
    watch.end()
    assert (watch.blocked_s, watch.longest_wait_s, watch.too_much(Limits())) == (0, 0, None)


async def _true(value: bool) -> bool:
    return value
