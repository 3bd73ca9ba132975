"""Who waits for whom, as trees and in words."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.cli.locks_text import lines
from dflint.guard.lock import MigrationLockManager
from dflint.guard.lock_tree import Branch, LockReport, Participant, lock_report, trees
from dflint.postgres import connect
from tests.guard.asynchronous import asynchronous, until
from tests.servers import TestServer


def participant(pid: int, *blocked_by: int, waits_s: float | None = None) -> Participant:
    return Participant(
        pid=pid,
        user="u",
        application=None,
        state=None,
        transaction_s=None,
        statement=None,
        waits_for="mode on t" if blocked_by else None,
        waits_s=waits_s,
        blocked_by=blocked_by,
    )


def pids(branch: Branch) -> list[int]:
    return [branch.participant.pid, *(pid for waiter in branch.waiters for pid in pids(waiter))]


def test_each_below_the_next_in_the_queue() -> None:
    found = trees([participant(1), participant(2, 1, waits_s=3.0), participant(3, 1, 2, waits_s=1.0), participant(4)])
    assert [pids(tree) for tree in found] == [[1, 2, 3], [4]]
    assert [waiter.participant.pid for waiter in found[0].waiters] == [2]


@given(st.integers(1, 7).flatmap(lambda n: st.lists(st.sets(st.integers(0, n)), min_size=n, max_size=n)))
def test_nobody_is_lost_and_nobody_comes_twice(blocked_by: list[set[int]]) -> None:
    """Also in circles, behind oneself, and behind sessions that are gone."""
    given_ = [participant(pid, *sorted(blockers), waits_s=1.0) for pid, blockers in enumerate(blocked_by)]
    found = [pid for tree in trees(given_) for pid in pids(tree)]
    assert sorted(found) == list(range(len(blocked_by)))


@pytest.mark.majors("all")
@asynchronous
async def test_on_a_server(pg: TestServer) -> None:
    """Without a ledger, and on every major: whoever can look, may."""
    if pg.major < 14:
        # There is no dflint exec for it, and pg_locks does not say since when.
        return
    dsn = pg.new_database()
    blocker, ddl, reader, look = [await connect(dsn, autocommit=True) for _ in range(4)]
    await blocker.execute("CREATE TABLE t ()")
    await blocker.execute("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE")
    altering = asyncio.create_task(ddl.execute("ALTER TABLE t ADD a int"))
    await until(lambda: _waiting(look, 1))
    reading = asyncio.create_task(reader.execute("TABLE t"))
    await until(lambda: _waiting(look, 2))
    report = await lock_report(look)
    assert report.holders == ()
    (tree,) = report.trees
    assert pids(tree) == [one.info.backend_pid for one in (blocker, ddl, reader)]
    waiting = tree.waiters[0].participant
    assert (waiting.waits_for, waiting.statement) == ("AccessExclusiveLock on public.t", "ALTER TABLE t ADD a int")
    text = "\n".join(lines(report, 200))
    assert "nobody holds the migration lock" in text
    assert f"└─ pid {ddl.info.backend_pid}, dflint" in text
    assert f"   └─ pid {reader.info.backend_pid}, dflint" in text
    await blocker.execute("COMMIT")
    await asyncio.gather(altering, reading)
    for one in (blocker, ddl, reader, look):
        await one.close()


async def _waiting(connection: psycopg.AsyncConnection, number: int) -> bool:
    cursor = await connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass")
    return await cursor.fetchone() == (number,)


@pytest.mark.majors(14, 18)
@asynchronous
async def test_holders_without_privileges_and_without_a_ledger(pg: TestServer) -> None:
    dsn = pg.new_database()
    async with await connect(dsn, autocommit=True) as owner:
        await owner.execute("DROP ROLE IF EXISTS tree_plain")
        await owner.execute("CREATE ROLE tree_plain LOGIN")
        try:
            lock = await MigrationLockManager(dsn).acquire_migration_lock(operation_description="secret work")
            async with await connect(f"{dsn} user=tree_plain", autocommit=True) as plain:
                report = await lock_report(plain)
                (holder,) = report.holders
                # From the session's name.
                assert (holder.run_id, holder.pid) == (lock.run_id, lock.connection.info.backend_pid)
                assert holder.operation_description == ""
                assert holder.state is None
                assert "holds the whole database" in "\n".join(lines(report, 200))
            await owner.execute("DROP SCHEMA dflint CASCADE")
            assert [one.run_id for one in (await lock_report(owner)).holders] == [lock.run_id]
            await lock.connection.close()
        finally:
            await owner.execute("DROP ROLE tree_plain")


def test_a_prepared_transaction_has_no_pid() -> None:
    report = LockReport((), trees([participant(0), participant(1, 0, waits_s=2.0)]))
    text = list(lines(report, 200))
    assert "a prepared transaction (see pg_prepared_xacts)" in text
    assert "└─ pid 1, as u, waits for 2.0 s: mode on t" in text
