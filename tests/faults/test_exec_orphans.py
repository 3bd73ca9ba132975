"""Faults 3, 6, 8, 23 of whole executions: killed and stopped ones, and tools that know our key."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from dflint.guard.lock_keys import DATABASE_KEY, KEY_CLASS
from tests.cli.running import spawn
from tests.faults.cluster import replicated
from tests.faults.executing import Database, Execution, gate, gated, plan_of, step, until
from tests.servers import TestServer

pytestmark = pytest.mark.majors(14, 18)
BUILD = "CREATE INDEX CONCURRENTLY t_a ON t (a)"


@pytest.fixture
def table(db: Database) -> Database:
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL DEFAULT 0)")
    db.run("INSERT INTO t SELECT i FROM generate_series(1, 5000) i")
    return db


@contextmanager
def building(db: Database) -> Iterator[Execution]:
    """An execution that has built its index, and waits for a snapshot that is older until the context ends."""
    path = db.save(plan_of(db.major, step(BUILD, "nontx")))
    with db.connect(autocommit=False) as reader:
        with db.connect(autocommit=False) as writer:
            writer.execute("INSERT INTO t VALUES (0)")
            execution = db.start(path, "--yes")
            until(lambda: db.indexes("t").get("t_a") is False, "the build")
            # Begun only now, because no build is begun while there are old snapshots.
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            reader.execute("SELECT 1")
            writer.commit()
        until(lambda: phase(db) == "waiting for old snapshots", "the end of the build")
        yield execution


def phase(db: Database) -> object:
    return db.one("SELECT phase FROM pg_stat_progress_create_index")


def unlocked(db: Database) -> bool:
    return bool(db.one("SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory' AND classid = %s", KEY_CLASS))


def built_once(db: Database) -> None:
    assert db.indexes("t") == {"t_a": True, "t_pkey": True}
    assert db.one("SELECT count(*) FROM dflint.event WHERE kind = 'done' AND ord IS NOT NULL") == 1
    assert db.steps() == ["done"]


def test_3_a_foreign_tool_waits_for_our_key_during_a_build(table: Database) -> None:
    """Whoever PostgreSQL ends for the deadlock, the index is built in the end, once."""
    outcome: list[type[Exception] | None] = []

    def wait_for_our_key() -> None:
        with table.connect() as foreign:
            try:
                foreign.execute("SELECT pg_advisory_lock(%s, %s)", (KEY_CLASS, DATABASE_KEY))
            except psycopg.Error as error:
                outcome.append(type(error))
            else:
                outcome.append(None)

    with building(table) as execution:
        foreign = threading.Thread(target=wait_for_our_key)
        foreign.start()
        until(lambda: table.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"), "the tool")
    ended = execution.result()
    foreign.join()
    if ended.status != 0:
        assert "40P01" in ended.stderr or "deadlock" in ended.stderr
        ended = table.execute("resume")
    assert ended.status == 0, ended.stderr
    assert outcome in [[None], [psycopg.errors.DeadlockDetected]]
    built_once(table)


def test_6_killed_while_an_index_waits(table: Database) -> None:
    """The server notices that the client is gone, the index stays behind, and the next execution repairs it."""
    with building(table) as execution:
        execution.kill()
        until(lambda: unlocked(table), "the end of the session")
        assert table.indexes("t")["t_a"] is False
    ended = table.execute("resume")
    assert ended.status == 0, ended.stderr
    built_once(table)


def test_8_stopped_and_broken_it_does_nothing_more(table: Database) -> None:
    path = table.save(plan_of(table.major, gated("UPDATE t SET a = a + 1"), step("CREATE TABLE b ()")))
    with gate(table) as waiting:
        stopped = table.start(path, "--yes")
        until(waiting, "the first step")
        stopped.send(signal.SIGSTOP)
        (run, _) = table.runs()[0]
        # Nobody takes over by himself.
        refused = table.execute("resume", "--lock-wait", "1")
        assert refused.status == 11, refused.stderr
        assert run in refused.stderr
        assert spawn("locks", "break", run, "--yes", "--db", table.dsn).status == 0
    resumed = table.execute("resume")
    assert resumed.status == 0, resumed.stderr
    stopped.send(signal.SIGCONT)
    ended = stopped.result()
    assert ended.status == 13, ended.stderr
    assert table.steps() == ["done", "done"]
    assert table.run("SELECT DISTINCT a FROM t") == [(1,)]
    assert table.one("SELECT count(*) FROM dflint.event WHERE kind = 'done' AND ord IS NOT NULL") == 2


def test_23_on_a_promoted_standby_a_run_waits_for_consent(pg: TestServer, tmp_path: Path) -> None:
    with replicated(pg.major) as (primary, standby):
        here = Database(pg, tmp_path, primary.dsn("test"))
        there = Database(pg, tmp_path, standby.dsn("test"))
        path = here.save(plan_of(pg.major, step("CREATE TABLE a ()"), gated("CREATE TABLE b ()")))
        with gate(here) as waiting:
            execution = here.start(path, "--yes")
            until(waiting, "the second step")
            until(lambda: there.one("SELECT to_regclass('dflint.step') IS NOT NULL"), "the ledger")
            until(lambda: there.steps()[:1] == ["done"], "the standby")
            execution.kill()
        primary.stop("immediate")
        there.run("SELECT pg_promote()")
        for arguments in (("resume",), (path, "--yes")):
            refused = there.execute(*arguments)
            assert refused.status == 10, refused.stderr
            assert "promoted or restored" in refused.stderr
        assert there.steps() == ["done", "pending"]
        assert there.one("SELECT to_regclass('b') IS NULL")
        resumed = there.execute("resume", "--accept-target")
        assert resumed.status == 0, resumed.stderr
        assert there.steps() == ["done", "done"]
        assert there.one("SELECT count(*) FROM dflint.event WHERE kind = 'done' AND ord IS NOT NULL") == 2
