"""The migration lock, between tasks of this process; what happens to other processes is in tests/faults."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any

import psycopg
import pytest

from dflint.guard import session
from dflint.guard.errors import Fenced, GuardRefused, LockTimeout
from dflint.guard.ledger import Ledger
from dflint.guard.lock import MigrationLockManager, assert_fence, held_lock
from dflint.model.errors import InputError, ServerError
from dflint.postgres import connect
from tests.guard.asynchronous import asynchronous, until
from tests.servers import TestServer

ENDS = pytest.mark.majors(14, 18)


async def elsewhere(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """As a task that does not come from this one, and has not inherited its lock."""
    return await asyncio.create_task(coroutine, context=contextvars.Context())


async def try_lock(dsn: str, scope: str = "schema_modification", timeout: float = 0, **metadata: object) -> bool:
    async def attempt() -> bool:
        try:
            async with MigrationLockManager(dsn).acquire_migration_lock(scope, timeout, lock_metadata=metadata):
                return True
        except LockTimeout:
            return False

    return bool(await elsewhere(attempt()))


@ENDS
@asynchronous
async def test_one_at_a_time(pg: TestServer) -> None:
    dsn = pg.new_database()
    manager = MigrationLockManager(dsn)
    async with manager.acquire_migration_lock(operation_description="first") as lock:
        assert held_lock() is lock
        assert lock.fence == 1
        with pytest.raises(LockTimeout) as refused:
            await elsewhere(_take(dsn))
        assert refused.value.exit_code == 11
        (holder,) = refused.value.holders
        assert (holder.pid, holder.run_id) == (lock.connection.info.backend_pid, lock.run_id)
        assert "first" in str(refused.value)
        assert str(holder.pid) in str(refused.value)
        (listed,) = await manager.get_active_locks()
        assert (listed.operation_description, listed.acquired_at) == ("first", lock.acquired_at)
        assert listed.heartbeat_at is not None
        assert not listed.stale
    assert held_lock() is None
    assert await manager.get_active_locks() == []
    assert await try_lock(dsn)


async def _take(dsn: str) -> None:
    async with MigrationLockManager(dsn).acquire_migration_lock(timeout_seconds=0.3):
        pass


@asynchronous
async def test_awaited_it_is_released_by_hand(pg: TestServer) -> None:
    dsn = pg.new_database()
    lock = await MigrationLockManager(dsn).acquire_migration_lock()
    assert held_lock() is lock
    assert not await try_lock(dsn)
    await lock.release()
    await lock.release()
    assert held_lock() is None
    assert lock.connection.closed
    assert await try_lock(dsn)


@asynchronous
async def test_tables_in_parallel_the_schema_alone(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with MigrationLockManager(dsn).acquire_migration_lock(
        "table_modification", lock_metadata={"table": "public.users"}
    ) as lock:
        assert lock.tables == ("table:public.users",)
        assert await try_lock(dsn, "table_modification", table="orders")
        assert await try_lock(dsn, "data_modification", tables=["orders", "other.users"])
        assert not await try_lock(dsn, "table_modification", table="USERS")
        assert not await try_lock(dsn, "data_modification", tables=["orders", '"users"'])
        assert not await try_lock(dsn, "table_modification")
        assert not await try_lock(dsn)


@asynchronous
async def test_guards_nested_in_one_task_join(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with MigrationLockManager(dsn).acquire_migration_lock("table_modification") as lock:
        async with MigrationLockManager(dsn).acquire_migration_lock() as inner:
            assert inner is lock
        # The same database by another name.
        async with MigrationLockManager(lambda: dsn + " connect_timeout=9").acquire_migration_lock() as inner:
            assert inner is lock
        assert not lock.released
        assert len(await MigrationLockManager(dsn).get_active_locks()) == 1
        await assert_fence(lock.connection, lock)


@asynchronous
async def test_a_wider_lock_is_refused_within_a_narrower(pg: TestServer) -> None:
    dsn = pg.new_database()
    users = {"table": "users"}
    async with MigrationLockManager(dsn).acquire_migration_lock("table_modification", lock_metadata=users) as lock:
        async with MigrationLockManager(dsn).acquire_migration_lock("data_modification", lock_metadata=users) as inner:
            assert inner is lock
        with pytest.raises(GuardRefused, match=r"table:public\.users, which does not cover the whole database"):
            await MigrationLockManager(dsn).acquire_migration_lock(timeout_seconds=0)
        with pytest.raises(GuardRefused, match=r"does not cover table:public\.orders"):
            await MigrationLockManager(dsn).acquire_migration_lock(
                "table_modification", 0, lock_metadata={"table": "orders"}
            )
        assert not lock.released


@asynchronous
async def test_another_database_is_another_lock(pg: TestServer) -> None:
    """Fault 16: keys are of a database."""
    one, other = pg.new_database(), pg.new_database()
    async with (
        MigrationLockManager(one).acquire_migration_lock() as first,
        MigrationLockManager(other).acquire_migration_lock(timeout_seconds=0) as second,
    ):
        assert first is not second
        assert held_lock() is second
    assert held_lock() is None


@asynchronous
async def test_a_task_that_was_started_within_inherits(pg: TestServer) -> None:
    dsn = pg.new_database()

    async def child() -> object:
        async with MigrationLockManager(dsn).acquire_migration_lock(timeout_seconds=0) as lock:
            return lock

    async with MigrationLockManager(dsn).acquire_migration_lock() as lock:
        waiting = asyncio.create_task(asyncio.sleep(3600))
        assert list(await asyncio.gather(child(), child())) == [lock, lock]
        late = asyncio.create_task(_after(waiting, child()))
    waiting.cancel()
    # The lock that it inherited was given back meanwhile: it takes one of its own.
    assert await late is not lock


async def _after(task: asyncio.Task[None], coroutine: Coroutine[Any, Any, object]) -> object:
    await asyncio.wait([task])
    return await coroutine


@ENDS
@asynchronous
async def test_the_fence_rises(pg: TestServer) -> None:
    dsn = pg.new_database()
    run = "11111111-1111-1111-1111-111111111111"
    fences = []
    for _ in range(3):
        async with MigrationLockManager(dsn, run_id=run).acquire_migration_lock() as lock:
            fences.append(lock.fence)
            assert lock.lock_id == f"{run}/{lock.fence}"
    assert fences == [1, 2, 3]
    async with await connect(dsn, autocommit=True) as connection:
        ledger = Ledger(connection)
        assert [event.kind for event in await ledger.events(run)] == ["lock_acquired", "lock_released"] * 3
        assert await ledger.verify_chain(run) is None


@asynchronous
async def test_whoever_lost_the_lock_is_fenced(pg: TestServer) -> None:
    """The session ends, somebody else takes the lock: the first one's fence is out of date, with any session."""
    dsn = pg.new_database()
    lock = await MigrationLockManager(dsn).acquire_migration_lock()
    async with await connect(dsn, autocommit=True) as other:
        async with other.transaction():
            await assert_fence(other, lock)
        await other.execute("SELECT pg_terminate_backend(%s)", (lock.connection.info.backend_pid,))
        # Nobody has it yet, and nobody can be hurt.
        await until(lambda: _no_locks(dsn))
        assert await try_lock(dsn, timeout=5)
        with pytest.raises(Fenced) as fenced:
            await assert_fence(other, lock)
        assert fenced.value.exit_code == 13
        kinds = [event.kind for event in await Ledger(other).events(lock.run_id)]
        assert kinds == ["lock_acquired", "lock_lost"]
    with pytest.raises(Fenced):
        await lock.release()


async def _no_locks(dsn: str) -> bool:
    return await MigrationLockManager(dsn).get_active_locks() == []


@asynchronous
async def test_a_checked_fence_holds_to_the_end_of_the_transaction(pg: TestServer) -> None:
    """A takeover waits for the transaction that checked the old fence."""
    dsn = pg.new_database()
    lock = await MigrationLockManager(dsn).acquire_migration_lock()
    async with await connect(dsn, autocommit=True) as other:
        async with other.transaction():
            await assert_fence(other, lock)
            await lock.connection.close()
            # The advisory lock is free, the lease is not.
            assert not await try_lock(dsn, timeout=1.5)
        assert await try_lock(dsn, timeout=5)
    with pytest.raises(Fenced):
        await lock.release()


@asynchronous
async def test_unlock_returns_false(pg: TestServer) -> None:
    """Fault 17: DISCARD ALL and pg_advisory_unlock_all() give the lock away behind our back."""
    dsn = pg.new_database()
    lock = await MigrationLockManager(dsn).acquire_migration_lock()
    await lock.connection.execute("CREATE TABLE t ()")
    await lock.connection.execute("DISCARD ALL")
    with pytest.raises(Fenced, match="not held any more"):
        await lock.release()
    assert lock.connection.closed
    async with await connect(dsn, autocommit=True) as connection:
        kinds = [event.kind for event in await Ledger(connection).events(lock.run_id)]
        assert kinds == ["lock_acquired", "lock_released", "unlock_failed"]
        await connection.execute("TABLE t")


@asynchronous
async def test_the_error_is_the_one_that_happened(pg: TestServer) -> None:
    """Fault 18: not that of a transaction that was aborted by it, also when the lock is lost."""
    dsn = pg.new_database()
    with pytest.raises(psycopg.errors.DivisionByZero):
        await _under_lock(dsn, "BEGIN", "SELECT 1/0")
    assert await try_lock(dsn)
    with pytest.raises(psycopg.errors.AdminShutdown) as raised:
        await _under_lock(dsn, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert "not held any more" in raised.value.__notes__[0]


async def _under_lock(dsn: str, *statements: str) -> None:
    async with MigrationLockManager(dsn).acquire_migration_lock() as lock:
        for statement in statements:
            await lock.connection.execute(statement.encode())


@asynchronous
async def test_a_role_that_was_left_behind_does_no_harm(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with await connect(dsn, autocommit=True) as connection:
        await connection.execute("DROP ROLE IF EXISTS left_behind")
        await connection.execute("CREATE ROLE left_behind")
        try:
            async with MigrationLockManager(dsn).acquire_migration_lock() as lock:
                await lock.connection.execute("SET ROLE left_behind")
            assert await try_lock(dsn)
        finally:
            await connection.execute("DROP ROLE left_behind")


@asynchronous
async def test_cancelled_while_waiting_it_holds_nothing(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with MigrationLockManager(dsn).acquire_migration_lock() as lock:
        waiting = asyncio.create_task(try_lock(dsn, timeout=60))
        async with await connect(dsn, autocommit=True) as look:
            await until(lambda: _sessions(look, 2))
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await until(lambda: _sessions(look, 1))
        await assert_fence(lock.connection, lock)


async def _sessions(connection: psycopg.AsyncConnection, number: int) -> bool:
    cursor = await connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'dflint/%'"
    )
    return await cursor.fetchone() == (number,)


@asynchronous
async def test_whose_session_ends_while_it_waits(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with MigrationLockManager(dsn).acquire_migration_lock() as lock:
        waiting = asyncio.create_task(try_lock(dsn, timeout=60))
        async with await connect(dsn, autocommit=True) as look:
            await until(lambda: _sessions(look, 2))
            await look.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
                      AND application_name LIKE 'dflint/%%' AND pid <> %s""",
                (lock.connection.info.backend_pid,),
            )
            with pytest.raises(ServerError, match="could not be taken"):
                await waiting


@asynchronous
async def test_arguments(pg: TestServer) -> None:
    dsn = pg.new_database()
    with pytest.raises(InputError, match="unknown lock scope"):
        MigrationLockManager(dsn).acquire_migration_lock("everything")
    with pytest.raises(InputError, match="not the name of a table"):
        MigrationLockManager(dsn).acquire_migration_lock("table_modification", lock_metadata={"table": 7})
    with pytest.raises(InputError, match="no sessions"):
        MigrationLockManager(7)
    with pytest.raises(InputError, match="not names of tables"):
        await MigrationLockManager(dsn).acquire_migration_lock("table_modification", lock_metadata={"table": "a b"})
    assert await _no_locks(dsn)


@asynchronous
async def test_a_transaction_that_was_left_open_ends_by_itself_and_with_it_the_lock(
    pg: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a process that was stopped in the middle; here after half a second and not after a minute."""
    dsn = pg.new_database()
    monkeypatch.setitem(session._EXECUTOR, "idle_in_transaction_session_timeout", "500")
    lock = await MigrationLockManager(dsn).acquire_migration_lock()
    await lock.connection.execute("BEGIN")
    await lock.connection.execute("CREATE TABLE t ()")
    assert not await try_lock(dsn, timeout=0)
    assert await try_lock(dsn, timeout=20)
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        await lock.connection.execute("COMMIT")
    with pytest.raises(Fenced):
        await lock.release()
    async with await connect(dsn, autocommit=True) as connection:
        assert await (await connection.execute("SELECT to_regclass('t')")).fetchone() == (None,)
