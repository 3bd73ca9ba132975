"""Faults 41, 50, 51, and files: what is executed when a migration file is given, from planning to the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.executing import Database, gate, kinds, until

pytestmark = pytest.mark.majors("newest")


def write(db: Database, text: str, name: str = "migration.sql") -> str:
    Path(db.folder, name).write_text(text)
    return name


def test_a_file_is_executed_step_by_step_and_once(db: Database) -> None:
    file = write(
        db,
        "CREATE TABLE t (id int PRIMARY KEY, a int);\n"
        "BEGIN;\nINSERT INTO t VALUES (1, 1);\nINSERT INTO t VALUES (2, 2);\nCOMMIT;\n"
        "CREATE INDEX CONCURRENTLY t_a ON t (a);\n",
    )
    ended = db.execute(file, "--yes")
    assert ended.status == 0, ended.stderr
    assert db.steps() == ["done"] * 3
    assert db.one("SELECT count(*) FROM t") == 2
    assert db.indexes("t") == {"t_a": True, "t_pkey": True}
    again = db.execute(file, "--yes")
    assert (again.status, "already applied" in again.stdout) == (0, True), again.stderr


def test_nobody_is_asked_about_what_is_applied_already(db: Database) -> None:
    db.run("CREATE TABLE t (a int)")
    file = write(db, "DROP TABLE t;\n")
    refused = db.execute(file)
    assert (refused.status, "cannot be taken back" in refused.stderr) == (10, True)
    assert db.execute(file, "--yes").status == 0
    again = db.execute(file)
    assert (again.status, "already applied" in again.stdout) == (0, True), again.stderr
    assert "cannot be taken back" not in again.stderr
    assert db.execute(file, "--again").status == 10


def test_a_file_that_was_stopped_is_continued_by_executing_it_again(db: Database) -> None:
    file = write(
        db,
        "CREATE TABLE a (i int);\n"
        "SET lock_timeout = '120s';\nSET statement_timeout = '120s';\n"
        "BEGIN; CREATE TABLE b (i int); SELECT pg_advisory_xact_lock(4711); COMMIT;\n"
        "ALTER TABLE a ADD COLUMN j int;\n",
    )
    with gate(db) as waiting:
        execution = db.start(file, "--yes")
        until(waiting, "the gate")
        execution.kill()
    until(lambda: db.one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0, "the end of the session")
    ended = db.execute(file, "--yes")
    assert ended.status == 0, ended.stderr
    assert len(db.runs()) == 1
    assert db.one("SELECT count(*) FROM pg_attribute WHERE attrelid = 'a'::regclass AND attname = 'j'") == 1


def test_41_an_old_snapshot_is_waited_for_before_a_build_begins(db: Database) -> None:
    db.run("CREATE TABLE t (a int)")
    file = write(db, "CREATE INDEX CONCURRENTLY t_a ON t (a);\n")
    with db.connect(autocommit=False) as own:
        own.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        own.execute("SELECT 1")
        execution = db.start(file, "--yes")
        until(lambda: db.indexes("t") == {"t_a": False} or "concern" in kinds(db.folder), "the build or the wait")
        assert execution.alive()
        # Nobody but it is waited for: our own sessions have no snapshot.
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND application_name LIKE %s"
        assert db.one(f"{waiting} AND state LIKE 'idle%%'", "dflint%") == 0
    ended = execution.result()
    assert ended.status == 0, ended.stderr
    assert db.indexes("t") == {"t_a": True}


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN; CREATE INDEX CONCURRENTLY t_a ON t (a); COMMIT;",
        "CREATE TABLE p (a int) PARTITION BY LIST (a);\nCREATE INDEX CONCURRENTLY p_a ON p (a);",
    ],
    ids=["50", "51"],
)
def test_what_the_server_would_refuse_is_refused_when_it_is_planned(db: Database, text: str) -> None:
    db.run("CREATE TABLE t (a int)")
    ended = db.execute(write(db, text), "--yes")
    assert ended.status in {2, 10}, ended
    assert "CONCURRENTLY" in ended.stderr
    assert db.one("SELECT count(*) FROM pg_namespace WHERE nspname = 'dflint'") == 0
    assert db.indexes("t") == {}


def test_json_is_one_document_whatever_happens(db: Database) -> None:
    import json

    good = db.execute(write(db, "CREATE TABLE a (i int);"), "--yes", "--format", "json")
    bad = db.execute(write(db, "SELECT 1/0;", "bad.sql"), "--yes", "--format", "json")
    for ended, status in ((good, 0), (bad, 12)):
        assert ended.status == status, ended
        document = json.loads(ended.stdout)
        assert (document["schema_version"], document["exit_code"]) == (1, status)
    assert json.loads(bad.stdout)["ending"]["next"]


@pytest.mark.majors(14, 18)
def test_who_a_step_is_has_no_say_in_the_ledger(db: Database) -> None:
    """SET ROLE, in and out of transactions: as with psql, and whoever has no right to the ledger needs none."""
    db.run("DROP ROLE IF EXISTS application; CREATE ROLE application; GRANT CREATE ON SCHEMA public TO application")
    try:
        file = write(
            db,
            "BEGIN; SET ROLE application; CREATE TABLE a (); COMMIT;\n"
            "CREATE TABLE b ();\n"
            "BEGIN; RESET ROLE; CREATE TABLE c (); SET LOCAL ROLE application; CREATE TABLE d (); COMMIT;\n"
            "CREATE TABLE e ();\n"
            "BEGIN; SET SESSION AUTHORIZATION application; CREATE TABLE f (); COMMIT;\n"
            "CREATE TABLE g ();\n"
            "SELECT 1 / count(*) FROM pg_class WHERE relname = 'nothing';\n",
        )
        ended = db.execute(file, "--yes")
        assert (ended.status, "division by zero" in ended.stderr) == (13, True), ended.stderr
        db.run("CREATE TABLE nothing ()")
        again = db.execute("resume", "--yes")
        assert again.status == 0, again.stderr
        found = db.run(
            "SELECT relname::text, relowner = 'application'::regrole FROM pg_class WHERE length(relname) = 1"
        )
    finally:
        db.run("DROP OWNED BY application; DROP ROLE application")
    assert dict(found) == {"a": True, "b": True, "c": False, "d": True, "e": False, "f": True, "g": True}


def test_a_lock_that_a_step_gave_away_is_missed_before_the_step_is_committed(db: Database) -> None:
    db.run(
        "CREATE FUNCTION public.away() RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
        "EXECUTE replace('SELECT pg_advisory_unlock_xll()', 'x', 'a'); END $$"
    )
    ended = db.execute(write(db, "CREATE TABLE a ();\nDO $$ BEGIN PERFORM away(); CREATE TABLE b (); END $$;"), "--yes")
    assert ended.status == 13, ended
    assert "gave it back" in ended.stderr
    assert db.one("SELECT to_regclass('a') IS NOT NULL AND to_regclass('b') IS NULL") is True


@pytest.mark.majors(13)
def test_an_old_server_is_refused_with_a_sentence(db: Database) -> None:
    for ended in (db.execute(write(db, "CREATE TABLE a ();"), "--yes"), db.execute("status")):
        assert (ended.status, "the server is PostgreSQL 13" in ended.stderr) == (10, True), ended
        assert "Traceback" not in ended.stderr
    assert db.one("SELECT to_regclass('a')") is None


def test_where_there_is_nothing_to_execute_nothing_is_begun(db: Database) -> None:
    ended = db.execute(write(db, "-- later\n"), "--yes")
    assert (ended.status, ended.stdout) == (0, "migration.sql has no statement to execute\n"), ended
    assert db.one("SELECT to_regnamespace('dflint')") is None
