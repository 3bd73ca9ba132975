"""Who is in the way, and of what kind it is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from psycopg import AsyncConnection

from dflint.guard.blockers import Blocker, blockers_of, kind_of
from dflint.guard.capabilities import Capabilities, capabilities
from dflint.guard.samples import Sample, take_sample
from dflint.postgres import connect
from dflint.postgres.server import start_server
from tests.guard.asynchronous import asynchronous, until
from tests.guard.watching import session
from tests.servers import TestServer, installation

TABLE = "CREATE TABLE t (id bigint PRIMARY KEY, v text)"


async def blocked(dsn: str, statement: str = "ALTER TABLE t ADD x int", user: str | None = None) -> Sample:
    """What a session that executes the statement waits for."""
    looking_as = f"{dsn} user={user}" if user else dsn
    async with session(dsn) as waiter, session(looking_as) as looker:
        able = await capabilities(looker)
        task = asyncio.create_task(waiter.execute(statement.encode()))
        found: list[Sample] = []

        async def waits() -> bool:
            found.append(await take_sample(looker, waiter.info.backend_pid, able))
            return found[-1].waits and bool(found[-1].blockers)

        await until(waits)
        await waiter.cancel_safe()
        await asyncio.gather(task, return_exceptions=True)
        return found[-1]


async def only_blocker(dsn: str, statement: str = "ALTER TABLE t ADD x int", user: str | None = None) -> Blocker:
    (found,) = (await blocked(dsn, statement, user)).blockers
    return found


@pytest.mark.majors(14, 18)
@asynchronous
async def test_an_idle_transaction(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, TABLE, "BEGIN", "TABLE t", application_name="shop") as holder:
        found = await only_blocker(dsn)
        pid = holder.info.backend_pid
    assert (found.pid, found.kind, found.application, found.state) == (
        pid,
        "idle_in_transaction",
        "shop",
        "idle in transaction",
    )
    assert (found.mode, found.relation, found.query) == ("ACCESS SHARE", "public.t", "TABLE t")
    assert found.xact_age_s is not None
    assert 0 < found.xact_age_s < 60
    assert not found.waits
    assert str(pid) in found.advice


@pytest.mark.majors(14, 18)
@asynchronous
async def test_what_a_plain_role_may_know(pg: TestServer) -> None:
    """Fault 35: who waits and who is in the way is everybody's to see; what they do is not."""
    dsn = pg.new_database()
    async with session(dsn, TABLE, "DROP ROLE IF EXISTS blind", "CREATE ROLE blind LOGIN") as admin:
        try:
            async with session(dsn, "BEGIN", "TABLE t") as holder:
                found = await only_blocker(dsn, user="blind")
                pid = holder.info.backend_pid
        finally:
            await admin.execute("DROP ROLE blind")
    assert found == Blocker(
        pid=pid, kind="session", application="dflint", user="postgres", mode="ACCESS SHARE", relation="public.t"
    )


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_row_lock(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, TABLE, "INSERT INTO t VALUES (1)", "BEGIN", "UPDATE t SET v = 'x'") as holder:
        found = await only_blocker(dsn, "DELETE FROM t")
        pid = holder.info.backend_pid
    assert (found.pid, found.kind) == (pid, "idle_in_transaction")


@pytest.mark.majors(14, 18)
@asynchronous
async def test_who_waits_before_us_is_in_the_way_too(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(dsn, TABLE, "BEGIN", "TABLE t") as holder, session(dsn) as first:
        waiting = asyncio.create_task(first.execute("ALTER TABLE t ADD y int"))
        async with session(dsn) as looker:
            able = await capabilities(looker)

            async def waits() -> bool:
                return (await take_sample(looker, first.info.backend_pid, able)).waits

            await until(waits)
        found = (await blocked(dsn)).blockers
        pids = {holder.info.backend_pid, first.info.backend_pid}
        await holder.execute("COMMIT")
        await waiting
    assert {each.pid for each in found} == pids
    assert [each.waits for each in found if each.mode == "ACCESS EXCLUSIVE"] == [True]


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_copy_and_a_dump(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with session(
        dsn, TABLE, "INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 100000) g"
    ) as copier:
        async with copier.cursor().copy("COPY t TO STDOUT") as copy:
            await copy.read()
            assert (await only_blocker(dsn)).kind == "copy"
            async for _ in copy:
                pass
        await copier.execute("SELECT set_config('application_name', 'pg_dump', false)")
        await copier.execute("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE")
        assert (await only_blocker(dsn)).kind == "pg_dump"


@pytest.mark.parametrize("major", [14, 18])
@asynchronous
async def test_a_prepared_transaction(major: int) -> None:
    """Fault 36."""
    found = installation(major)
    assert found is not None
    async with start_server(major, settings={"max_prepared_transactions": "5"}, providers=[lambda: [found]]) as server:
        dsn = server.dsn()
        await _execute(dsn, TABLE, "INSERT INTO t VALUES (1)")
        await _execute(dsn, "BEGIN", "UPDATE t SET v = 'x'", "PREPARE TRANSACTION 'left over'")
        blocker = await only_blocker(dsn)
        assert (blocker.pid, blocker.kind, blocker.query) == (0, "prepared", "left over")
        assert (blocker.mode, blocker.relation, blocker.user) == ("ROW EXCLUSIVE", "public.t", "postgres")
        assert "ROLLBACK PREPARED 'left over'" in blocker.advice
        # The lock on a row is the lock on its transaction.
        assert (await only_blocker(dsn, "DELETE FROM t")).query == "left over"

        await _execute(dsn, "REVOKE EXECUTE ON FUNCTION pg_prepared_xact() FROM public", "CREATE ROLE plain LOGIN")
        hidden = await only_blocker(dsn, user="plain")
        assert (hidden.pid, hidden.kind, hidden.query, hidden.relation) == (0, "prepared", None, "public.t")


async def _execute(dsn: str, *statements: str) -> None:
    async with session(dsn, *statements):
        pass


#: Slow enough to be met at work, and woken all the time.
SLOW_AUTOVACUUM = {
    "autovacuum": "on",
    "autovacuum_naptime": "1",
    "autovacuum_vacuum_cost_delay": "50",
    "autovacuum_vacuum_cost_limit": "20",
    "autovacuum_vacuum_threshold": "10",
    "autovacuum_vacuum_scale_factor": "0",
    "log_autovacuum_min_duration": "0",
}


async def vacuum_at_work(looker: AsyncConnection[Any], table: str = "t") -> bool:
    row = await (
        await looker.execute(
            "SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = %s::regclass AND phase <> 'initializing'",
            [table],
        )
    ).fetchone()
    return bool(row and row[0])


@pytest.mark.parametrize("major", [14, 18])
@asynchronous
async def test_autovacuum(major: int) -> None:
    found = installation(major)
    assert found is not None
    async with start_server(major, settings=SLOW_AUTOVACUUM, providers=[lambda: [found]]) as server:
        dsn = server.dsn()
        async with session(
            dsn,
            TABLE,
            "CREATE ROLE plain LOGIN",
            "INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g",
            "UPDATE t SET v = v",
        ) as looker:
            await until(lambda: vacuum_at_work(looker), seconds=60)
            assert (await only_blocker(dsn)).kind == "autovacuum"
            # Its worker belongs to no role.
            assert (await only_blocker(dsn, user="plain")).kind == "autovacuum"


def test_kinds() -> None:
    assert kind_of("", "active", "autovacuum: VACUUM t (to prevent wraparound)", "autovacuum worker") == (
        "autovacuum_wraparound"
    )
    assert kind_of("psql", "active", "  copy t from stdin", "client backend") == "copy"
    assert kind_of("psql", "idle", "copy t from stdin", "client backend") == "session"
    assert kind_of("psql", "active", "SELECT 'copy'", "client backend") == "session"
    assert kind_of(None, None, None, None, maybe_autovacuum=True) == "autovacuum"
    assert kind_of("x", "idle in transaction (aborted)", "", "client backend") == "idle_in_transaction"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_nobody(pg: TestServer) -> None:
    async with await connect(pg.dsn(), autocommit=True) as connection:
        assert await blockers_of(connection, 1, []) == ()
        # Somebody who is gone by the time that one looks.
        assert await blockers_of(connection, 1, [999_999]) == (Blocker(pid=999_999, kind="session"),)
    assert Capabilities(role="", superuser=True).missing == ()
