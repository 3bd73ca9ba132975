"""Fault 73: the server's clock jumps, a day ahead and a day back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dflint.guard.ledger import Ledger
from tests.faults.clock import Clock, turnable
from tests.faults.executing import GATE, Database, gate, plan_of, step, until
from tests.faults.test_exec_watch import OnCluster

DAY = 86_400
T = {"table:public.t": "ACCESS EXCLUSIVE"}


@pytest.fixture(params=[14, 18])
def turned(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Database, Clock]]:
    with turnable(request.param, monkeypatch) as (cluster, clock):
        db = Database(OnCluster(cluster), tmp_path)
        before = db.one("SELECT extract(epoch FROM clock_timestamp())::int")
        clock.turn(DAY)
        assert db.one("SELECT extract(epoch FROM clock_timestamp())::int") - before >= DAY
        clock.turn(0)
        yield db, clock
        db.close()


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_73_nobody_is_taken_over_because_of_the_time(turned: tuple[Database, Clock], jump: int) -> None:
    db, clock = turned
    # Without limits of its own: those are by the server's clock, and a jump ahead brings them about.
    waits = step(f"CREATE TABLE b (i int);\n{GATE}", lock_ms=0, statement_ms=0)
    path = db.save(plan_of(db.major, step("CREATE TABLE a (i int)"), waits, step("SELECT 1")))
    with gate(db) as waiting:
        execution = db.start(path, "--yes")
        until(waiting, "the second step")
        clock.turn(jump)
        second = db.execute(path, "--yes", "--lock-wait", "2")
        assert (second.status, execution.alive()) == (11, True), second
    ended = execution.result()
    assert ended.status == 0, ended.stderr
    assert db.steps() == ["done"] * 3
    run = db.runs()[0][0]

    async def chain() -> str | None:
        async with await psycopg.AsyncConnection.connect(db.dsn, autocommit=True) as connection:
            return await Ledger(connection).verify_chain(run)

    assert asyncio.run(chain()) is None
    assert db.one("SELECT array_agg(fence ORDER BY seq) = array_agg(fence ORDER BY fence, seq) FROM dflint.event")


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_73_readers_do_not_wait_longer(turned: tuple[Database, Clock], jump: int) -> None:
    """The server's own lock_timeout is by its clock: turned back, it would not come for a day."""
    db, clock = turned
    db.run("CREATE TABLE t (i int)")
    path = db.save(plan_of(db.major, step("ALTER TABLE t ADD COLUMN b int", locks=T, lock_ms=2000)))
    blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
    with db.connect(autocommit=False) as blocker, db.connect() as reader:
        blocker.execute("SELECT * FROM t")
        execution = db.start(path, "--yes", "--max-block", "600")
        until(lambda: db.one(blocked), "the attempt")
        clock.turn(jump)
        reader.execute("SET statement_timeout = 0")
        reader.execute("SELECT * FROM t")
        assert execution.alive()
        blocker.rollback()
        ended = execution.result()
    assert ended.status == 0, ended.stderr
