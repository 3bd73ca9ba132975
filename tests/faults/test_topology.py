"""Faults 15 and 19 to 26: poolers, standbys, promoted servers, copies. Refused before anything is written."""

from __future__ import annotations

import asyncio
from contextvars import Context
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from dflint.guard.errors import GuardRefused, LockTimeout
from dflint.guard.identity import assert_same, differences, identity_of
from dflint.guard.ledger import Ledger
from dflint.guard.lock import MigrationLock, MigrationLockManager
from dflint.guard.lock_keys import DATABASE_KEY, KEY_CLASS
from dflint.guard.session import open_executor
from dflint.model.run import Identity
from dflint.postgres import connect
from tests.faults.cluster import Cluster, replicated
from tests.faults.pgbouncer import pooled, program
from tests.faults.processes import RUN, worker
from tests.faults.proxy import Proxy
from tests.guard.asynchronous import asynchronous, until
from tests.guard.plans import new_run
from tests.servers import TestServer

ENDS = pytest.mark.majors(14, 18)
MAJORS = pytest.mark.parametrize("major", [14, 18])
POOLER = pytest.mark.skipif(program() is None, reason="PgBouncer is neither installed nor to be had from Debian")


async def no_ledger(dsn: str) -> bool:
    async with await connect(dsn, autocommit=True) as look:
        row = await (await look.execute("SELECT to_regnamespace('dflint') IS NULL")).fetchone()
        return row == (True,)


async def lock_through(dsn: str, *, allowed: bool = False, run_id: str | None = None) -> MigrationLock:
    """As another process would: in a task that inherits no lock."""
    manager = MigrationLockManager(dsn, allow_session_pooling=allowed, run_id=run_id)

    async def taking() -> MigrationLock:
        return await manager.acquire_migration_lock(timeout_seconds=0.5)

    return await asyncio.create_task(taking(), context=Context())


@POOLER
@ENDS
@pytest.mark.parametrize("settings", [{}, {"default_pool_size": "1"}, {"server_round_robin": "1"}])
@asynchronous
async def test_19_a_pool_in_transaction_mode(pg: TestServer, tmp_path: Path, settings: dict[str, str]) -> None:
    dsn = pg.new_database()
    with pooled(dsn, tmp_path, "transaction", **settings) as through:
        with pytest.raises(GuardRefused, match="connection pooler") as refused:
            await lock_through(through, allowed=False)
        assert "--allow-session-pooling" in refused.value.next
        # Somebody says that it is in session mode.
        with pytest.raises(GuardRefused, match="several clients in turn"):
            await lock_through(through, allowed=True)
    assert await no_ledger(dsn)


@POOLER
@ENDS
@pytest.mark.parametrize("settings", [{}, {"default_pool_size": "1"}])
@asynchronous
async def test_20_a_pool_in_session_mode(pg: TestServer, tmp_path: Path, settings: dict[str, str]) -> None:
    dsn = pg.new_database()
    with pooled(dsn, tmp_path, "session", **settings) as through:
        with pytest.raises(GuardRefused, match="connection pooler"):
            await lock_through(through, allowed=False)
        assert await no_ledger(dsn)
        lock = await lock_through(through, allowed=True)
        with pytest.raises(LockTimeout):
            await lock_through(dsn)
        # Whose client is gone gives the session back, and the pooler resets it.
        await lock.connection.close()
        await until(lambda: unlocked(dsn))
        await (await lock_through(dsn)).release()


async def unlocked(dsn: str) -> bool:
    return await MigrationLockManager(dsn).get_active_locks() == []


@POOLER
@ENDS
@asynchronous
async def test_15_a_session_that_comes_with_a_lock(pg: TestServer, tmp_path: Path) -> None:
    """A pool without a reset query hands a session over with the lock that somebody left in it."""
    dsn = pg.new_database()
    with pooled(dsn, tmp_path, "session", server_reset_query="", default_pool_size="1") as through:
        async with await connect(through, autocommit=True) as careless:
            await careless.execute("SELECT pg_advisory_lock(%s, %s)", (KEY_CLASS, DATABASE_KEY))
        with pytest.raises(GuardRefused, match="holds the migration lock already"):
            await lock_through(through, allowed=True)
    assert await no_ledger(dsn)


@ENDS
@asynchronous
async def test_21_settings_that_do_not_stay(pg: TestServer) -> None:
    dsn = pg.new_database()
    with Proxy(pg.scratch.sockets / f".s.PGSQL.{pg.scratch.port}") as proxy:
        through = make_conninfo(dsn, host="127.0.0.1", port=proxy.port)
        await (await open_executor(through, run_id=None)).close()
        proxy.rewrite(b"60000", b"90000")
        with pytest.raises(GuardRefused, match=r"do not stay .*idle_in_transaction_session_timeout"):
            await lock_through(through)
    assert await no_ledger(dsn)


async def prepare(dsn: str) -> Identity:
    """A run in a database, and where that is."""
    lock = await lock_through(dsn, run_id=RUN)
    ledger = Ledger(lock.connection)
    await new_run(ledger, "CREATE TABLE a ()", "CREATE TABLE b ()", run_id=RUN)
    await lock.release()
    return lock.identity


async def look(dsn: str) -> Identity:
    async with await connect(dsn, autocommit=True) as connection:
        return await identity_of(connection)


async def caught_up(primary: str, standby: str) -> bool:
    async with await connect(primary, autocommit=True) as one, await connect(standby, autocommit=True) as other:
        (here,) = await (await one.execute("SELECT pg_current_wal_lsn()")).fetchone() or (None,)
        cursor = await other.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (here,))
        return await cursor.fetchone() == (True,)


async def promote(cluster: Cluster) -> None:
    async with await connect(cluster.dsn(), autocommit=True) as connection:
        await connection.execute("SELECT pg_promote()")


@MAJORS
@asynchronous
async def test_22_23_a_standby_and_its_promotion(major: int) -> None:
    with replicated(major) as (primary, standby):
        here, there = primary.dsn("test"), standby.dsn("test")
        before = await prepare(here)
        await until(lambda: caught_up(here, there))
        # Locks can be had on a standby, and keep nobody away.
        async with await connect(there, autocommit=True) as connection:
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (KEY_CLASS, DATABASE_KEY))
            assert await cursor.fetchone() == (True,)
        with pytest.raises(GuardRefused, match="standby"):
            await lock_through(there)

        await promote(standby)
        found = await look(there)
        assert any("promoted" in reason for reason in differences(before, found))
        with pytest.raises(GuardRefused, match="may not be the database"):
            await resumed(there, before)
        async with await connect(there, autocommit=True) as connection:
            assert [event.kind for event in await Ledger(connection).events(RUN)] == ["lock_acquired", "lock_released"]
        # The old primary still is what it was.
        assert_same(before, await look(here))


async def resumed(dsn: str, expected: Identity) -> None:
    manager = MigrationLockManager(dsn, run_id=RUN, expected=expected)
    async with manager.acquire_migration_lock(timeout_seconds=0.5):
        pass


@MAJORS
@asynchronous
async def test_24_what_was_not_replicated_is_lost_as_a_whole(major: int) -> None:
    """Ledger and catalog of the new primary agree; what was lost is done again, and nothing else."""
    statements = "CREATE TABLE a ()", "CREATE TABLE b ()", "CREATE TABLE c ()"
    with replicated(major) as (primary, standby):
        here, there = primary.dsn("test"), standby.dsn("test")
        async with worker(here, RUN, "steps", *statements) as first:
            await first.until("done", step=0)
            await until(lambda: caught_up(here, there))
            standby.stop()
            first.wake()
            await first.until("done", step=1)
            first.wake()
            await first.until("done", step=2)
            primary.stop("immediate")
            first.wake()
            assert await first.ended() != 0
        standby.start()
        await promote(standby)
        async with await connect(there, autocommit=True) as connection:
            ledger = Ledger(connection)
            assert [step.state for step in await ledger.steps(RUN)] == ["done", "pending", "pending"]
            assert await ledger.verify_chain(RUN) is None
            tables = await connection.execute("SELECT relname FROM pg_class WHERE relname IN ('a', 'b', 'c')")
            assert await tables.fetchall() == [("a",)]
            run = await ledger.load_run(RUN)
            assert run.target is not None
            with pytest.raises(GuardRefused, match="promoted or restored"):
                await resumed(there, run.target)
        # The operator consents, by resuming without that expectation.
        async with worker(there, RUN, "steps", *statements) as second:
            for _ in range(2):
                await second.until("done")
                second.wake()
            assert await second.ended() == 0
            assert [line["step"] for line in second.said if line["what"] == "done"] == [1, 2]


@MAJORS
@asynchronous
async def test_25_another_cluster(major: int, tmp_path: Path) -> None:
    """A dump that was restored elsewhere brings the ledger along, and it names another cluster."""
    with Cluster(major) as one, Cluster(major, cache=tmp_path) as other:
        before = await prepare(one.new_database())
        found = await look(other.new_database())
        assert any("another cluster" in reason for reason in differences(before, found))
        with pytest.raises(GuardRefused, match="another cluster"):
            await resumed(other.dsn("test"), before)
        assert await no_ledger(other.dsn("test"))


@MAJORS
@asynchronous
async def test_25_a_copy_of_the_files(major: int) -> None:
    """System identifier, timeline, OIDs, even the ledger's marker are the same; the directory is not."""
    with Cluster(major) as original:
        dsn = original.new_database()
        before = await prepare(dsn)
        original.stop()
        with Cluster(major, copy_of=original) as copy:
            original.start()
            there = copy.dsn("test")
            found = await look(there)
            for field in ("system_identifier", "timeline", "database_oid", "marker"):
                assert getattr(found, field) == getattr(before, field)
            with pytest.raises(GuardRefused, match="data directory"):
                await resumed(there, before)
            # The original was restarted, which does not make it another.
            assert_same(before, await look(dsn))
            await resumed(dsn, before)


@MAJORS
@asynchronous
async def test_26_several_hosts(major: int) -> None:
    """The first of two hosts is gone, and the string leads to the copy: another database than the run's."""
    with Cluster(major) as one:
        before = await prepare(one.new_database())
        one.stop()
        with Cluster(major, copy_of=one) as other:
            one.start()
            first, second = one.parameters("test"), other.parameters("test")
            both = make_conninfo(
                **{**first, "host": f"{first['host']},{second['host']}", "port": f"{first['port']},{second['port']}"}
            )
            assert_same(before, await look(both))
            await resumed(both, before)
            one.stop()
            with pytest.raises(GuardRefused, match="may not be the database"):
                await resumed(both, before)
