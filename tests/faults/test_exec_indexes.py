"""Faults 40-49: indexes and partitions that are changed without a transaction, and are stopped half-way."""

from __future__ import annotations

import psycopg
import pytest

from tests.faults.executing import Database, kinds, plan_of, step, until

pytestmark = pytest.mark.majors(14, 18)

BUILD = "CREATE INDEX CONCURRENTLY t_a ON t (a)"
UNIQUE = "CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)"


@pytest.fixture
def table(db: Database) -> Database:
    db.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT i, i FROM generate_series(1, 500) i")
    return db


def saved(db: Database, *statements: str) -> str:
    return db.save(plan_of(db.major, *(step(statement, "nontx") for statement in statements)))


def waits_for_snapshots(db: Database) -> bool:
    return bool(db.one("SELECT count(*) FROM pg_stat_progress_create_index WHERE phase = 'waiting for old snapshots'"))


def backend(db: Database) -> int:
    return int(until(db.executor, "the lock"))


def old_snapshot(db: Database) -> psycopg.Connection[object]:
    """A session whose snapshot every concurrent build waits for."""
    connection = db.connect(autocommit=False)
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    connection.execute("SELECT 1")
    return connection


def test_40_duplicates_fail_once_with_a_sample_and_leave_nothing(table: Database) -> None:
    table.run("INSERT INTO t VALUES (501, 7)")
    ended = table.execute(saved(table, UNIQUE), "--yes")
    assert ended.status == 12
    assert "Key (a)=(7) is duplicated" in ended.stderr
    assert "STATE " in ended.stderr
    assert "NEXT " in ended.stderr
    assert table.indexes("t") == {"t_pkey": True}
    assert len(table.events("attempt")) == 1


def test_42_a_snapshot_in_another_database_holds_up_nothing(table: Database) -> None:
    other = Database.beside(table)
    with old_snapshot(other):
        ended = table.execute(saved(table, BUILD), "--yes")
        assert ended.status == 0, ended.stderr
    assert table.indexes("t")["t_a"]


def test_43_a_build_that_was_stopped_late_still_refuses_duplicates_and_is_dropped_first(table: Database) -> None:
    path = saved(table, UNIQUE)
    with old_snapshot(table):
        execution = table.start(path, "--yes")
        until(lambda: waits_for_snapshots(table), "the third phase")
        pid = backend(table)
        execution.kill()
        until(lambda: table.one("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid) == 0, "its end")
    assert not table.indexes("t")["t_a"]
    with pytest.raises(psycopg.errors.UniqueViolation):
        table.run("INSERT INTO t VALUES (600, 7)")
    ended = table.execute("resume", "--yes")
    assert ended.status == 0, ended.stderr
    assert "refuses duplicates all the same" in ended.stderr
    assert table.indexes("t") == {"t_a": True, "t_pkey": True}
    assert len(table.events("done")) == 1


def test_44_a_valid_index_with_another_definition_is_not_taken_for_done(table: Database) -> None:
    table.run("CREATE INDEX t_a ON t (id)")
    ended = table.execute(saved(table, BUILD), "--yes")
    assert ended.status == 10, ended.stderr
    assert "another definition (elements)" in ended.stderr
    assert table.one("SELECT pg_get_indexdef('t_a'::regclass)").endswith("(id)")


def test_44_a_valid_index_with_the_same_definition_is_done(table: Database) -> None:
    table.run("CREATE INDEX t_a ON public.t USING btree (a ASC NULLS LAST)")
    oid = table.one("SELECT 't_a'::regclass::oid")
    ended = table.execute(saved(table, BUILD), "--yes")
    assert ended.status == 0, ended.stderr
    assert table.one("SELECT 't_a'::regclass::oid") == oid


def test_45_an_invalid_index_of_somebody_else_is_not_dropped(table: Database) -> None:
    table.run("INSERT INTO t VALUES (501, 7)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        table.run(UNIQUE)
    ended = table.execute(saved(table, BUILD), "--yes")
    assert ended.status == 10, ended.stderr
    assert "this run did not make it" in ended.stderr
    assert table.indexes("t") == {"t_a": False, "t_pkey": True}


def test_46_an_index_that_another_session_builds_is_waited_for(table: Database) -> None:
    with old_snapshot(table) as blocker, table.connect() as other:
        # In a thread of the server's: the statement is sent and not waited for.
        other.pgconn.send_query(BUILD.encode())
        until(lambda: waits_for_snapshots(table), "the other build")
        execution = table.start(saved(table, BUILD), "--yes")
        until(lambda: "waiting" in kinds(table.folder), "the execution")
        assert execution.alive()
        blocker.rollback()
        ended = execution.result()
        while other.pgconn.get_result() is not None:
            pass
    assert ended.status == 0, ended.stderr
    assert "building public.t_a" in ended.stderr
    assert table.events("repair") == []
    assert table.indexes("t")["t_a"]


def test_47_of_a_rebuild_that_was_stopped_only_the_leftover_is_dropped(table: Database) -> None:
    table.run("CREATE INDEX t_a ON t (a)")
    before = table.one("SELECT 't_a'::regclass::oid")
    with old_snapshot(table):
        execution = table.start(saved(table, "REINDEX INDEX CONCURRENTLY t_a"), "--yes")
        until(lambda: waits_for_snapshots(table), "the third phase")
        pid = backend(table)
        execution.kill()
        until(lambda: table.one("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid) == 0, "its end")
    assert table.indexes("t") == {"t_a": True, "t_a_ccnew": False, "t_pkey": True}
    ended = table.execute("resume", "--yes")
    assert ended.status == 0, ended.stderr
    assert table.indexes("t") == {"t_a": True, "t_pkey": True}
    assert table.one("SELECT 't_a'::regclass::oid") != before


def test_47_of_a_table_with_long_values_too(table: Database) -> None:
    """The index of the table that holds them is rebuilt as well, and leaves the same behind, out of sight."""
    table.run("ALTER TABLE t ADD COLUMN long text")
    left = (
        "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "WHERE c.relnamespace = 'pg_toast'::regnamespace AND c.relname LIKE '%_ccnew%'"
    )
    with old_snapshot(table):
        execution = table.start(saved(table, "REINDEX TABLE CONCURRENTLY t"), "--yes")
        until(lambda: waits_for_snapshots(table), "the third phase")
        pid = backend(table)
        execution.kill()
        until(lambda: table.one("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid) == 0, "its end")
    assert table.one(left) == 1
    told = table.execute("resume", "--yes", "--dry-run")
    assert "pg_toast" in told.stderr, told
    ended = table.execute("resume", "--yes")
    assert ended.status == 0, ended.stderr
    assert table.one(left) == 0
    assert all(table.indexes("t").values())


def test_48_a_drop_that_was_stopped_is_done_by_the_next(table: Database) -> None:
    table.run("CREATE INDEX t_a ON t (a)")
    with table.connect(autocommit=False) as writer:
        writer.execute("INSERT INTO t VALUES (1000, 1)")
        execution = table.start(saved(table, "DROP INDEX CONCURRENTLY t_a"), "--yes")
        until(lambda: table.indexes("t").get("t_a") is False, "the first phase")
        pid = backend(table)
        execution.kill()
        until(lambda: table.one("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid) == 0, "its end")
    assert table.indexes("t")["t_a"] is False
    ended = table.execute("resume", "--yes")
    assert ended.status == 0, ended.stderr
    assert table.indexes("t") == {"t_pkey": True}


def test_49_a_partition_that_is_half_detached_is_finalized(db: Database) -> None:
    db.run(
        "CREATE TABLE p (id int) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); "
        "CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); INSERT INTO p VALUES (1), (2)"
    )
    pending = "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = 'p1'::regclass"
    with db.connect(autocommit=False) as reader:
        reader.execute("SELECT * FROM p")
        execution = db.start(saved(db, "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY"), "--yes")
        until(lambda: db.one(pending), "the first phase")
        pid = backend(db)
        execution.kill()
        until(lambda: db.one("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid) == 0, "its end")
    assert db.one(pending) is True
    ended = db.execute("resume", "--yes")
    assert ended.status == 0, ended.stderr
    assert db.one(pending) is None
    assert db.run("SELECT * FROM p") == [(2,)]
    assert db.run("SELECT * FROM p1") == [(1,)]


def test_67_an_index_that_somebody_made_meanwhile_is_not_taken_for_ours(table: Database) -> None:
    path = saved(table, BUILD)
    with old_snapshot(table):
        execution = table.start(path, "--yes")
        until(lambda: waits_for_snapshots(table), "the third phase")
        pid = backend(table)
        execution.kill()
        until(lambda: table.one("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid) == 0, "its end")
    table.run("DROP INDEX t_a")
    table.run("CREATE INDEX t_a ON t (a DESC) WHERE a > 5")
    ended = table.execute("resume", "--yes")
    assert ended.status == 13, ended.stderr
    assert "another definition" in ended.stderr
    assert table.runs()[0][1] == "needs_operator"
    assert table.indexes("t")["t_a"]
