"""Faults 61-66, 68, 69: edited plans, ledgers of others, rehearsals, and taking back what was done."""

from __future__ import annotations

import signal
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace
from psycopg.conninfo import make_conninfo

from tests.faults.executing import Database, gate, gated, plan_of, step, until

pytestmark = pytest.mark.majors("newest")

A, B, C = "CREATE TABLE a (i int)", "CREATE TABLE b (i int)", "CREATE TABLE c (i int)"


def tables(db: Database) -> list[str]:
    return [name for (name,) in db.run("SELECT relname FROM pg_class WHERE relname ~ '^[abc]$' ORDER BY 1")]


def interrupted(db: Database) -> str:
    """A run whose first step is done and whose second is not; the path of its plan."""
    path = db.save(plan_of(db.major, step(A, undo="DROP TABLE a"), gated(B, undo="DROP TABLE b"), step(C)))
    with gate(db) as waiting:
        execution = db.start(path, "--yes")
        until(waiting, "the second step")
        execution.send(signal.SIGINT)
        assert execution.result().status == 130
    return path


def test_61_an_edited_plan_does_not_continue_the_run(db: Database) -> None:
    interrupted(db)
    edited = plan_of(db.major, step("CREATE TABLE a (i bigint)"), step(B), step(C))
    ended = db.execute(db.save(edited), "--yes")
    assert ended.status == 10
    assert "step 1 of this plan differs from the run's, which is applied already" in ended.stderr
    assert tables(db) == ["a"]


def test_61_a_run_whose_plan_was_edited_in_the_ledger_is_refused(db: Database) -> None:
    interrupted(db)
    db.run("UPDATE dflint.run SET plan = jsonb_set(plan, '{steps,2,sql}', '\"CREATE TABLE d (i int)\"')")
    ended = db.execute("resume")
    assert ended.status == 10
    assert "step 3" in ended.stderr
    assert tables(db) == ["a"]


def test_62_comments_and_blanks_do_not_matter(db: Database) -> None:
    path = db.save(plan_of(db.major, step(A), step(B)))
    assert db.execute(path, "--yes").status == 0
    other = plan_of(db.major, step("/* the first */ CREATE TABLE a\n  (i int)"), step(f"{B} -- the second"))
    ended = db.execute(db.save(other), "--yes")
    assert (ended.status, "already applied" in ended.stdout) == (0, True), ended.stderr


def test_63_a_ledger_of_another_version_is_refused(db: Database) -> None:
    assert db.execute(db.save(plan_of(db.major, step(A))), "--yes").status == 0
    db.run("UPDATE dflint.meta SET schema_version = 99")
    ended = db.execute(db.save(plan_of(db.major, step(B))), "--yes")
    assert ended.status == 10
    assert "version 99" in ended.stderr
    assert tables(db) == ["a"]


def test_64_a_role_that_may_not_make_the_ledger_is_refused_before_the_first_step(db: Database) -> None:
    role = f"poor_{db.one('SELECT oid FROM pg_database WHERE datname = current_database()')}"
    db.run(f"CREATE ROLE {role} LOGIN; CREATE SCHEMA own AUTHORIZATION {role}")
    poor = Database(db.server, db.folder, make_conninfo(db.dsn, user=role))
    try:
        ended = poor.execute(poor.save(plan_of(db.major, step("CREATE TABLE own.a (i int)"))), "--yes")
        assert ended.status == 10
        assert "may not create schema dflint" in ended.stderr
        assert db.one("SELECT to_regclass('own.a')") is None
    finally:
        db.run(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_65_the_audit_trail_cannot_be_changed_and_shows_who_could(db: Database) -> None:
    interrupted(db)
    for statement in ("UPDATE dflint.event SET kind = 'x'", "DELETE FROM dflint.event", "TRUNCATE dflint.event"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.run(statement)
    db.run("ALTER TABLE dflint.event DISABLE TRIGGER USER; UPDATE dflint.event SET detail = '{}' WHERE kind = 'done'")
    ended = db.execute("resume")
    assert ended.status == 10
    assert "tampered with" in ended.stderr
    assert db.execute("status").status == 1
    assert db.execute("resume", "--yes").status == 0


def test_66_a_rehearsal_writes_nothing(db: Database) -> None:
    path = db.save(plan_of(db.major, step(A), step("CREATE INDEX CONCURRENTLY a_i ON a (i)", "nontx")))
    first = db.execute(path, "--dry-run")
    assert first.status == 0
    assert "nothing was written" in first.stdout
    assert db.one("SELECT count(*) FROM pg_namespace WHERE nspname = 'dflint'") == 0
    interrupted(db)
    before = db.run("SELECT * FROM dflint.run"), db.run("SELECT * FROM dflint.step ORDER BY ord")
    events = db.one("SELECT count(*) FROM dflint.event")
    xid = db.one("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    again = db.execute("resume", "--dry-run")
    assert again.status == 0, again.stderr
    assert "is done (tx)" in again.stderr
    assert xid == db.one("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    assert before == (db.run("SELECT * FROM dflint.run"), db.run("SELECT * FROM dflint.step ORDER BY ord"))
    assert events == db.one("SELECT count(*) FROM dflint.event")


def test_68_an_undo_that_was_stopped_goes_on(db: Database) -> None:
    db.run("CREATE TABLE log (what text)")
    undone = "DROP TABLE {}; INSERT INTO log VALUES ('{}')"
    path = db.save(
        plan_of(
            db.major,
            step(A, undo=undone.format("a", "a")),
            gated(B, undo=f"{undone.format('b', 'b')}; SELECT pg_advisory_xact_lock(4711)"),
            step(C, undo=undone.format("c", "c")),
        )
    )
    assert db.execute(path, "--yes").status == 0
    run = db.runs()[0][0]
    with gate(db) as waiting:
        execution = db.start("undo", run, "--lock-timeout", "60000")
        until(waiting, "the second undo")
        execution.kill()
    until(lambda: db.one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0, "the end of the session")
    assert tables(db) == ["a", "b"]
    assert db.execute(path, "--yes").status == 10
    ended = db.execute("resume")
    assert ended.status == 0, ended.stderr
    assert tables(db) == []
    assert db.run("SELECT what FROM log") == [("c",), ("b",), ("a",)]
    assert dict(db.runs())[run] == "rolled_back"
    assert set(db.steps(run)) == {"undone"}
    # What is undone may be done again.
    assert db.execute(path, "--yes").status == 0
    assert tables(db) == ["a", "b", "c"]


def test_68_an_undo_that_does_not_get_its_lock_is_tried_again(db: Database) -> None:
    path = db.save(plan_of(db.major, step(A, undo="DROP TABLE a")))
    assert db.execute(path, "--yes").status == 0
    with db.connect(autocommit=False) as reader:
        reader.execute("SELECT * FROM a")
        execution = db.start("undo", db.runs()[0][0], "--lock-timeout", "100")
        until(lambda: len(db.events("attempt")) >= 2, "two attempts")
    ended = execution.result()
    assert ended.status == 0, ended.stderr
    assert tables(db) == []


def test_69_what_cannot_be_taken_back_is_refused_before_anything_is_done(db: Database) -> None:
    db.run("CREATE TABLE d (i int, j int)")
    path = db.save(plan_of(db.major, step(A, undo="DROP TABLE a"), step("ALTER TABLE d DROP COLUMN j", undo=None)))
    told = db.execute(path)
    assert told.status == 10
    assert "step 2 cannot be taken back: data would be lost" in told.stderr
    assert db.execute(path, "--yes").status == 0
    ended = db.execute("undo", db.runs()[0][0])
    assert ended.status == 10
    assert "step 2: data would be lost" in ended.stderr
    assert tables(db) == ["a"]
    assert db.runs()[0][1] == "done"


def test_the_steps_of_a_stopped_run_are_undone(db: Database) -> None:
    interrupted(db)
    ended = db.execute("undo")
    assert ended.status == 0, ended.stderr
    assert tables(db) == []
    assert db.steps(db.runs()[0][0]) == ["undone", "pending", "pending"]


def test_an_aborted_run_stays_as_it_is(db: Database) -> None:
    path = interrupted(db)
    ended = db.execute("abort")
    assert (ended.status, "step 1 stays applied" in ended.stdout) == (0, True)
    assert db.execute("resume").stdout == "no run is unfinished in this database\n"
    assert tables(db) == ["a"]
    assert db.execute(path, "--yes").status == 12


def test_status_and_runs(db: Database) -> None:
    from tests.cli.running import spawn

    assert db.execute("status").stdout == "no run is unfinished in this database\n"
    interrupted(db)
    status = db.execute("status")
    assert "paused" in status.stdout
    assert "audit trail" in status.stdout
    run = db.runs()[0][0]
    assert run in spawn("runs", "list", "--db", db.dsn).stdout
    shown = spawn("runs", "show", run, "--db", db.dsn, "--format", "json")
    assert shown.status == 0
    assert shown.stdout.startswith('{"schema_version":1')


def test_the_file_is_marked_by_hash_none_when_edited(db: Database) -> None:
    plan = replace(plan_of(db.major, step(A)), hash=None)
    ended = db.execute(db.save(plan), "--yes")
    assert ended.status == 0, ended.stderr
    assert tables(db) == ["a"]


def test_an_undo_asks_before_it_drops_what_holds_data_by_now(db: Database) -> None:
    db.run("CREATE TABLE old (id int)")
    text = "CREATE TABLE t (id int);\nALTER TABLE old ADD COLUMN a int, ADD COLUMN b int DEFAULT 7;\n"
    Path(db.folder, "m.sql").write_text(text)
    assert db.execute("m.sql").status == 0
    run = db.runs()[0][0]
    db.run("INSERT INTO old (id) VALUES (1)")
    assert db.execute("undo", run, "--dry-run").status == 0
    db.run("INSERT INTO t VALUES (1); UPDATE old SET a = 1")
    asked = db.execute("undo", run)
    assert (asked.status, "there is nobody to ask" in asked.stderr) == (10, True), asked
    assert "table public.t holds rows" in asked.stderr
    assert "column a of public.old holds values" in asked.stderr
    assert "column b" not in asked.stderr
    assert db.one("SELECT count(*) FROM t") == 1
    with db.connect(autocommit=False) as busy:
        busy.execute("LOCK TABLE t")
        unseen = db.execute("undo", run)
        assert "table public.t may hold rows" in unseen.stderr
    undone = db.execute("undo", run, "--yes")
    assert undone.status == 0, undone.stderr
    assert db.one("SELECT to_regclass('t') IS NULL") is True


def test_a_restore_point_is_made_before_what_cannot_be_taken_back(db: Database) -> None:
    def started() -> list[tuple[str | None, ...]]:
        return db.run(
            "SELECT detail->>'restore_point', detail->>'restore_lsn' FROM dflint.event WHERE kind = 'started'"
        )

    assert db.execute(db.save(plan_of(db.major, step(A, undo="DROP TABLE a"))), "--yes").status == 0
    assert started() == [(None, None)]
    assert (
        db.execute(db.save(replace(plan_of(db.major, step("DROP TABLE a")), point_of_no_return="1")), "--yes").status
        == 0
    )
    (run,) = db.run("SELECT run_id::text FROM dflint.run ORDER BY created_at DESC LIMIT 1")
    assert [name for name, _ in started() if name is not None] == [f"dflint_{run[0]}"]
    assert all(lsn is None or "/" in lsn for _, lsn in started())
