"""Faults 1 to 18 of the lock: processes that are killed, stopped and cut off; on real servers."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import subprocess
import sys

import psycopg
import pytest

from dflint.guard.breaking import break_lock, holder_of
from dflint.guard.errors import LockTimeout
from dflint.guard.holders import STALE_S, holders
from dflint.guard.ledger import Ledger
from dflint.guard.lock import MigrationLockManager
from dflint.guard.lock_keys import DATABASE_KEY, KEY_CLASS
from dflint.model.errors import ServerError
from dflint.postgres import connect
from tests.faults.cluster import Cluster
from tests.faults.processes import OTHER, ROOT, RUN, Worker, worker
from tests.faults.proxy import Proxy
from tests.guard.asynchronous import asynchronous, until
from tests.servers import TestServer

ENDS = pytest.mark.majors(14, 18)
FOR_LONG = "SELECT pg_sleep(600)"
INDEX = "CREATE INDEX CONCURRENTLY t_n ON t (n)"


async def value(connection: psycopg.AsyncConnection, query: str) -> object:
    row = await (await connection.execute(query.encode())).fetchone()
    return None if row is None else row[0]


async def prepare(connection: psycopg.AsyncConnection, rows: int = 10) -> None:
    await connection.execute("CREATE TABLE t (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0)")
    await connection.execute("INSERT INTO t SELECT i FROM generate_series(1, %s) i", (rows,))


async def waits_for_snapshots(connection: psycopg.AsyncConnection) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE query = %s AND wait_event = 'virtualxid'"
    return await (await connection.execute(query, (INDEX,))).fetchone() == (1,)


async def unlocked(connection: psycopg.AsyncConnection) -> bool:
    return await holders(connection) == []


def dsn_of(connection: psycopg.AsyncConnection) -> str:
    return psycopg.conninfo.make_conninfo(connection.info.dsn)


@ENDS
@asynchronous
async def test_1_a_second_while_the_first_runs_a_step(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with worker(dsn, RUN, "steps", FOR_LONG) as first, await connect(dsn, autocommit=True) as look:
        held = await first.until("held")
        await first.until("running")
        with pytest.raises(LockTimeout) as refused:
            async with MigrationLockManager(dsn, run_id=OTHER).acquire_migration_lock(timeout_seconds=0.5):
                pass
        (holder,) = refused.value.holders
        assert (holder.pid, holder.run_id) == (held["pid"], RUN)
        assert holder.heartbeat_at is not None
        assert refused.value.exit_code == 11
        # It wrote nothing.
        assert await Ledger(look).events(OTHER) == []
        assert await value(look, "SELECT count(*) FROM dflint.lease") == 1


@ENDS
@asynchronous
async def test_2_a_second_while_the_first_builds_an_index(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with await connect(dsn, autocommit=True) as look, await connect(dsn) as reader:
        await prepare(look)
        await reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await reader.execute("SELECT 1")
        async with worker(dsn, RUN, "alone", INDEX) as first:
            await until(lambda: waits_for_snapshots(look))
            async with worker(dsn, OTHER, "hold") as second:
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dflint/2222%'"
                await until(lambda: _equals(look, waiting, 1))
                for _ in range(20):
                    assert await value(look, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'") == 0
                    await asyncio.sleep(0.02)
                await reader.rollback()
                await first.until("done")
                assert await first.ended() == 0
                await second.until("held")
        assert await value(look, "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_n'::regclass") is True


async def _equals(connection: psycopg.AsyncConnection, query: str, expected: object) -> bool:
    return await value(connection, query) == expected


@ENDS
@asynchronous
async def test_3_a_foreign_tool_waits_for_our_key(pg: TestServer) -> None:
    """Somebody has to die: PostgreSQL sees the deadlock, for lock and index are of one session."""
    dsn = pg.new_database()
    async with await connect(dsn, autocommit=True) as look, await connect(dsn, autocommit=True) as foreign:
        await prepare(look)
        async with await connect(dsn) as reader:
            await reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            await reader.execute("SELECT 1")
            async with worker(dsn, RUN, "alone", INDEX) as ours:
                await ours.until("running")
                await until(lambda: waits_for_snapshots(look))
                theirs = asyncio.create_task(
                    foreign.execute("SELECT pg_advisory_lock(%s, %s)", (KEY_CLASS, DATABASE_KEY))
                )
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"
                await until(lambda: _equals(look, waiting, 1))
                await reader.rollback()
                status = await ours.ended()
                died = (await asyncio.gather(theirs, return_exceptions=True))[0]
        if status == 0:
            assert isinstance(died, psycopg.errors.DeadlockDetected | psycopg.AsyncCursor)
        else:
            assert ours.said[-1]["sqlstate"] == "40P01"
        # Either way the lock was held to the end, and is free now for us.
        assert [event.kind for event in await Ledger(look).events(RUN)] == ["lock_acquired", "lock_released"]
        valid = await value(look, "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('t_n')")
        assert (valid is True) == (status == 0)


@ENDS
@asynchronous
async def test_4_killed_between_two_steps(pg: TestServer) -> None:
    dsn = pg.new_database()
    statements = "CREATE TABLE a ()", "CREATE TABLE b ()"
    async with worker(dsn, RUN, "steps", *statements) as first:
        await first.until("done", step=0)
        first.kill()
        await first.ended()
    async with worker(dsn, RUN, "steps", *statements) as second:
        assert (await second.until("held"))["fence"] == 2
        second.wake()
        second.wake()
        assert await second.ended() == 0
        assert [line for line in second.said if line["what"] == "running"] == [{"what": "running", "step": 1}]
    async with await connect(dsn, autocommit=True) as look:
        ledger = Ledger(look)
        assert [step.state for step in await ledger.steps(RUN)] == ["done", "done"]
        assert [event.ord for event in await ledger.events(RUN) if event.kind == "done"] == [0, 1]
        assert await ledger.verify_chain(RUN) is None


@ENDS
@asynchronous
async def test_5_killed_while_a_statement_runs(pg: TestServer) -> None:
    """The server notices by itself, and ends a statement that would have run for ten minutes."""
    dsn = pg.new_database()
    async with await connect(dsn, autocommit=True) as look:
        async with worker(dsn, RUN, "steps", "CREATE TABLE a (); " + FOR_LONG) as first:
            await first.until("running")
            await until(lambda: _equals(look, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", 1))
            first.kill()
            await first.ended()
            assert not await unlocked(look)
        async with MigrationLockManager(dsn, run_id=RUN).acquire_migration_lock(timeout_seconds=60) as lock:
            assert lock.fence == 2
            assert await value(look, "SELECT to_regclass('a')") is None
            assert [step.state for step in await Ledger(look).steps(RUN)] == ["pending"]


@ENDS
@asynchronous
async def test_6_killed_while_an_index_waits(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with await connect(dsn, autocommit=True) as look, await connect(dsn) as reader:
        await prepare(look)
        await reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await reader.execute("SELECT 1")
        async with worker(dsn, RUN, "alone", INDEX) as first:
            await until(lambda: waits_for_snapshots(look))
            first.kill()
            await first.ended()
        # The reader is still there: the server gave up the index because the client is gone.
        async with MigrationLockManager(dsn, run_id=RUN).acquire_migration_lock(timeout_seconds=60):
            state = "SELECT (indisvalid, indisready, indislive)::text FROM pg_index WHERE indexrelid = 't_n'::regclass"
            assert await value(look, state) == "(f,t,t)"


@ENDS
@asynchronous
async def test_7_an_orphan_finishes(pg: TestServer) -> None:
    """Where the server does not look after the client, the lock stays with the statement, and so it has to."""
    dsn = pg.new_database()
    async with await connect(dsn, autocommit=True) as look, await connect(dsn) as reader:
        await prepare(look)
        await reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await reader.execute("SELECT 1")
        async with worker(dsn, RUN, "unchecked", INDEX) as first:
            await until(lambda: waits_for_snapshots(look))
            first.kill()
            await first.ended()
        with pytest.raises(LockTimeout) as refused:
            async with MigrationLockManager(dsn, run_id=RUN).acquire_migration_lock(timeout_seconds=4):
                pass
        assert refused.value.holders[0].state == "active"
        await reader.rollback()
        async with MigrationLockManager(dsn, run_id=RUN).acquire_migration_lock(timeout_seconds=60):
            assert await value(look, "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_n'::regclass") is True


@ENDS
@asynchronous
async def test_8_stopped_nobody_takes_over(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with worker(dsn, RUN, "hold") as first, await connect(dsn, autocommit=True) as look:
        await first.until("held")
        first.stop()
        # As if it had been stopped for a while.
        await look.execute("UPDATE dflint.heartbeat SET at = at - make_interval(secs => %s)", (3 * STALE_S,))
        with pytest.raises(LockTimeout, match="stopped or cut off"):
            async with MigrationLockManager(dsn).acquire_migration_lock(timeout_seconds=0.5):
                pass
        (holder,) = await holders(look)
        assert holder.stale
        await break_lock(look, await holder_of(look, RUN[:8]))
        assert await unlocked(look)
        first.resume()
        first.wake()
        assert await first.ended() == 12
        assert first.said[-1]["sqlstate"] == "57P01"
        assert "not held any more" in first.said[-1]["notes"][0]
        kinds = [event.kind for event in await Ledger(look).events(RUN)]
        assert kinds == ["lock_acquired", "lock_broken"]


@ENDS
@asynchronous
async def test_8_a_sign_of_life_comes_back(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with worker(dsn, RUN, "hold") as first, await connect(dsn, autocommit=True) as look:
        await first.until("held")
        await look.execute("UPDATE dflint.heartbeat SET at = at - make_interval(secs => %s)", (3 * STALE_S,))
        assert (await holders(look))[0].stale
        await until(lambda: _fresh(look))
        first.wake()
        assert await first.ended() == 0


async def _fresh(connection: psycopg.AsyncConnection) -> bool:
    return not (await holders(connection))[0].stale


@ENDS
@asynchronous
async def test_9_broken_in_the_middle_of_a_batch(pg: TestServer) -> None:
    """Stopped, broken, done by another, and set going again: no row is changed twice."""
    dsn = pg.new_database()
    async with await connect(dsn, autocommit=True) as look, await connect(dsn) as application:
        await prepare(look, 500)
        await application.execute("SELECT FROM t WHERE id = 55 FOR UPDATE")
        async with worker(dsn, RUN, "backfill") as first, worker(dsn, RUN, "backfill") as second:
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%UPDATE t%'"
            await until(lambda: _equals(look, waiting, 1))
            holder = await holder_of(look, RUN)
            stopped = await _first_to_hold(first, second)
            other = second if stopped is first else first
            stopped.stop()
            await break_lock(look, holder)
            # Who is quick takes the lock, and puts up the fence, before the break does.
            assert (await other.until("held"))["fence"] in {2, 3}
            await until(lambda: _equals(look, waiting, 1))
            stopped.resume()
            await application.rollback()
            assert await other.ended() == 0
            assert await stopped.ended() == 12
            assert stopped.said[-1]["sqlstate"] == "57P01"
        assert await value(look, "SELECT count(*) FROM t WHERE n <> 1") == 0
        assert await value(look, "SELECT rows_done FROM dflint.cursor") == 500
        assert await Ledger(look).verify_chain(RUN) is None


async def _first_to_hold(*workers: Worker) -> Worker:
    """The one of several that got the lock."""
    tasks = {asyncio.create_task(one.until("held")): one for one in workers}
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    return tasks[done.pop()]


@pytest.mark.exhaustive
@pytest.mark.parametrize("major", [14, 18])
@pytest.mark.parametrize("when", ["idle", "sending", "running"])
def test_10_the_cable_is_cut(major: int, when: str) -> None:
    """The server gives the lock up after 25 s and a moment, whatever the client was about to do.

    ``sending``: the server's last answer was not acknowledged. It is then sent again for a quarter of an hour, without
    keepalives, if nothing but these was set.
    """
    unshare = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*unshare, "ip", "link"], capture_output=True, check=False).returncode != 0:
        pytest.skip("network namespaces are not allowed here")
    command = [*unshare, sys.executable, "-m", "tests.faults.cable", str(major), when]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert ran.returncode == 0, ran.stderr
    assert 20 < float(ran.stdout) < 60


@ENDS
@asynchronous
async def test_11_ended_before_the_commit(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with await connect(dsn, autocommit=True) as look:
        async with worker(dsn, RUN, "steps", "CREATE TABLE a (); " + FOR_LONG) as first:
            held = await first.until("held")
            await until(lambda: _equals(look, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", 1))
            await look.execute("SELECT pg_terminate_backend(%s)", (held["pid"],))
            assert await first.ended() == 12
            assert first.said[-1]["sqlstate"] == "57P01"
        assert await value(look, "SELECT to_regclass('a')") is None
        assert [step.state for step in await Ledger(look).steps(RUN)] == ["pending"]
        assert [event.kind for event in await Ledger(look).events(RUN)] == ["lock_acquired"]


@ENDS
@asynchronous
async def test_12_the_answer_to_the_commit_is_lost(pg: TestServer) -> None:
    dsn = pg.new_database()
    parameters = psycopg.conninfo.conninfo_to_dict(dsn)
    socket = pg.scratch.sockets / f".s.PGSQL.{parameters['port']}"
    statements = "CREATE TABLE a ()", "CREATE TABLE b ()"
    async with await connect(dsn, autocommit=True) as look:
        with Proxy(socket) as proxy:
            through = psycopg.conninfo.make_conninfo(dsn, host="127.0.0.1", port=proxy.port)
            async with worker(through, RUN, "steps", *statements) as first:
                held = await first.until("held")
                await first.until("running", step=0)
                await first.until("done", step=0)
                proxy.lose_replies_after(b"COMMIT")
                first.wake()
                await first.until("running", step=1)
                await until(lambda: _equals(look, "SELECT to_regclass('b') IS NOT NULL", True))
                assert await asyncio.to_thread(proxy.lost.wait, 20)
                await look.execute("SELECT pg_terminate_backend(%s)", (held["pid"],))
                proxy.cut()
                assert await first.ended() == 12
        # It does not know; whoever comes next reads that it was done, and does not do it again.
        assert [step.state for step in await Ledger(look).steps(RUN)] == ["done", "done"]
        async with worker(dsn, RUN, "steps", *statements) as second:
            assert await second.ended() == 0
            assert [line["what"] for line in second.said] == ["started", "held", "released"]


@pytest.mark.parametrize("major", [14, 18])
@asynchronous
async def test_13_a_backend_is_killed(major: int) -> None:
    """The whole server restarts: all sessions end, all locks are gone, and what was not committed."""
    with Cluster(major) as cluster:
        dsn = cluster.new_database()
        async with await connect(dsn, autocommit=True) as look:
            await prepare(look)
            async with worker(dsn, RUN, "steps", "CREATE TABLE a ()", "CREATE TABLE b (); " + FOR_LONG) as first:
                held = await first.until("held")
                first.wake()
                sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
                await until(lambda: _equals(look, sleeping, 1))
                _kill_9(held["pid"])
                assert await first.ended() == 12
        await until(lambda: _reachable(dsn))
        async with MigrationLockManager(dsn, run_id=RUN).acquire_migration_lock() as lock:
            ledger = Ledger(lock.connection)
            assert [step.state for step in await ledger.steps(RUN)] == ["done", "pending"]
            assert await value(lock.connection, "SELECT to_regclass('a') IS NOT NULL AND to_regclass('b') IS NULL")
            assert lock.fence == 2
            assert await ledger.verify_chain(RUN) is None


@pytest.mark.parametrize("major", [14, 18])
@asynchronous
async def test_13_a_backend_is_killed_while_an_index_waits(major: int) -> None:
    with Cluster(major) as cluster:
        dsn = cluster.new_database()
        look = await connect(dsn, autocommit=True)
        reader = await connect(dsn)
        await prepare(look)
        await reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await reader.execute("SELECT 1")
        async with worker(dsn, RUN, "alone", INDEX) as first:
            held = await first.until("held")
            await until(lambda: waits_for_snapshots(look))
            _kill_9(held["pid"])
            assert await first.ended() == 12
        await look.close()
        await reader.close()
        await until(lambda: _reachable(dsn))
        async with MigrationLockManager(dsn, run_id=RUN).acquire_migration_lock() as lock:
            state = "SELECT (indisvalid, indisready, indislive)::text FROM pg_index WHERE indexrelid = 't_n'::regclass"
            assert await value(lock.connection, state) == "(f,t,t)"


def _kill_9(pid: int) -> None:
    # Of a server of this test's own.
    os.kill(pid, signal.SIGKILL)


async def _reachable(dsn: str) -> bool:
    try:
        async with await connect(dsn):
            return True
    except ServerError:
        return False


@pytest.mark.parametrize("major", [14, 18])
@pytest.mark.parametrize("mode", ["fast", "immediate"])
@asynchronous
async def test_14_the_server_is_stopped_in_the_middle_of_a_backfill(major: int, mode: str) -> None:
    with Cluster(major) as cluster:
        dsn = cluster.new_database()
        async with await connect(dsn, autocommit=True) as look:
            await prepare(look, 2000)
        async with worker(dsn, RUN, "backfill") as first:
            for _ in range(5):
                await first.until("batch")
            await asyncio.to_thread(cluster.stop, mode)
            assert await first.ended() != 0
        cluster.start()
        async with await connect(dsn, autocommit=True) as look:
            done = await value(look, "SELECT rows_done FROM dflint.cursor")
            assert isinstance(done, int)
            assert 40 <= done < 2000
            assert await value(look, "SELECT count(*) FROM t WHERE n = 1") == done
            async with worker(dsn, RUN, "backfill") as second:
                assert await second.ended() == 0
            assert await value(look, "SELECT count(*) FROM t WHERE n <> 1") == 0
            assert await value(look, "SELECT rows_done FROM dflint.cursor") == 2000


@asynchronous
async def test_the_lock_of_another_task_is_not_ours(pg: TestServer) -> None:
    """Two tasks of one process are as two processes."""
    dsn = pg.new_database()
    order: list[str] = []

    async def migrate(name: str) -> None:
        async with MigrationLockManager(dsn).acquire_migration_lock(timeout_seconds=30):
            order.append(name)
            await asyncio.sleep(0.05)
            order.append(name)

    tasks = [asyncio.create_task(migrate(name), context=contextvars.Context()) for name in "abc"]
    await asyncio.gather(*tasks)
    assert order[::2] == order[1::2]
