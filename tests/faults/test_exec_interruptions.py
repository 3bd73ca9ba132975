"""Faults 4-6, 11, 12, 72, 74: executions that are killed, interrupted or cut off, in each state."""

from __future__ import annotations

import signal

import pytest

from tests.faults.executing import Database, gate, gated, kinds, plan_of, step, until

pytestmark = pytest.mark.majors("newest")

THREE = ("CREATE TABLE a (i int)", "CREATE TABLE b (i int)", "CREATE TABLE c (i int)")


def tables(db: Database) -> list[str]:
    return [name for (name,) in db.run("SELECT relname FROM pg_class WHERE relname ~ '^[abc]$' ORDER BY 1")]


def gated_second(db: Database) -> str:
    first, second, third = THREE
    return db.save(plan_of(db.major, step(first), gated(second), step(third)))


def once_each(db: Database) -> None:
    """Every step is done, and was done once."""
    assert tables(db) == ["a", "b", "c"]
    assert set(db.steps()) == {"done"}
    assert [count for (count,) in db.run("SELECT count(*) FROM dflint.event WHERE kind = 'done' GROUP BY ord")] == [
        1
    ] * 3


def unlocked(db: Database) -> bool:
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = x'64666c6e'::int"
    return bool(db.one(held) == 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_74_an_interrupted_step_is_rolled_back_and_resumed(db: Database, number: signal.Signals) -> None:
    with gate(db) as waiting:
        execution = db.start(gated_second(db), "--yes")
        until(waiting, "the second step")
        execution.send(number)
        ended = execution.result()
        assert ended.status == 130
        assert [line.split()[0] for line in ended.stderr.splitlines()[-3:]] == ["STATE", "BLOCKED", "NEXT"]
        assert tables(db) == ["a"]
        assert unlocked(db)
        assert db.runs()[0][1] == "paused"
        assert len(db.events("interrupted")) == 1
    assert db.execute("resume").status == 0
    once_each(db)


def test_74_a_second_interrupt_changes_nothing(db: Database) -> None:
    with gate(db) as waiting:
        execution = db.start(gated_second(db), "--yes")
        until(waiting, "the second step")
        execution.send(signal.SIGINT)
        execution.send(signal.SIGINT)
        assert execution.result().status == 130
    assert unlocked(db)
    assert db.runs()[0][1] == "paused"


def test_74_an_interrupted_build_leaves_what_the_next_repairs(db: Database) -> None:
    db.run("CREATE TABLE t (i int)")
    path = db.save(plan_of(db.major, step("CREATE INDEX CONCURRENTLY t_i ON t (i)", "nontx")))
    with db.connect(autocommit=False) as writer:
        writer.execute("INSERT INTO t VALUES (1)")
        execution = db.start(path, "--yes")
        until(lambda: db.indexes("t") == {"t_i": False}, "the build")
        execution.send(signal.SIGINT)
        ended = execution.result()
        assert ended.status == 130
        assert unlocked(db)
    ended = db.execute("resume")
    assert ended.status == 0, ended.stderr
    assert db.indexes("t") == {"t_i": True}


def test_74_an_interrupt_while_waiting_for_the_lock_leaves_nothing(db: Database) -> None:
    path = gated_second(db)
    with gate(db) as waiting:
        first = db.start(path, "--yes")
        until(waiting, "the second step")
        second = db.start(path, "--yes")
        number = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dflint%%' AND datname = current_database()"
        until(lambda: db.one(number) >= 3, "the second execution")
        second.send(signal.SIGINT)
        assert second.result().status == 130
        assert first.alive()
    assert first.result().status == 0
    once_each(db)


def test_a_killed_execution_is_continued_by_executing_again(db: Database) -> None:
    path = gated_second(db)
    with gate(db) as waiting:
        execution = db.start(path, "--yes")
        until(waiting, "the second step")
        assert "nobody is at work" not in db.execute("status").stdout
        execution.kill()
    until(lambda: unlocked(db), "the end of the session")
    assert "nobody is at work on it: dflint exec resume" in db.execute("status").stdout
    ended = db.execute(path, "--yes")
    assert ended.status == 0, ended.stderr
    assert len(db.runs()) == 1
    once_each(db)


def test_two_executions_of_one_plan_do_it_once(db: Database) -> None:
    path = gated_second(db)
    with gate(db) as waiting:
        both = [db.start(path, "--yes"), db.start(path, "--yes")]
        until(waiting, "the second step")
    ended = [execution.result() for execution in both]
    assert [one.status for one in ended] == [0, 0], ended
    assert sum("already applied" in one.stdout for one in ended) == 1
    once_each(db)


def test_11_a_session_that_is_ended_before_its_commit_did_nothing(db: Database) -> None:
    with gate(db) as waiting:
        execution = db.start(gated_second(db), "--yes")
        until(waiting, "the second step")
        db.run("SELECT pg_terminate_backend(%s)", db.executor())
        ended = execution.result()
    assert ended.status == 130, ended.stderr
    assert "was rolled back" in ended.stderr
    assert tables(db) == ["a"]
    assert db.execute("resume").status == 0
    once_each(db)


def test_a_broken_lock_is_said(db: Database) -> None:
    from tests.cli.running import spawn

    with gate(db) as waiting:
        execution = db.start(gated_second(db), "--yes")
        until(waiting, "the second step")
        assert spawn("locks", "break", db.runs()[0][0], "--yes", "--db", db.dsn).status == 0
        ended = execution.result()
    assert ended.status == 13, ended.stderr
    assert "was broken" in ended.stderr
    assert db.execute("resume").status == 0
    once_each(db)


def test_a_failing_step_is_rolled_back_and_the_rest_not_begun(db: Database) -> None:
    path = db.save(plan_of(db.major, step(THREE[0]), step(f"{THREE[1]}; SELECT 1/0"), step(THREE[2])))
    ended = db.execute(path, "--yes")
    assert ended.status == 13
    assert "division by zero (22012)" in ended.stderr
    assert "statement 2" in ended.stderr
    assert ended.stderr.rstrip().splitlines()[-1].startswith("NEXT")
    assert tables(db) == ["a"]


def test_a_first_step_that_fails_leaves_nothing_and_no_obstacle(db: Database) -> None:
    ended = db.execute(db.save(plan_of(db.major, step("SELECT 1/0"))), "--yes")
    assert ended.status == 12
    assert db.execute(db.save(plan_of(db.major, step(THREE[0]))), "--yes").status == 0
    assert [state for _, state in db.runs()] == ["abandoned", "done"]


def test_a_statement_that_ends_the_transaction_is_caught(db: Database) -> None:
    ended = db.execute(db.save(plan_of(db.major, step("CREATE TABLE a (i int); COMMIT; SELECT 1"))), "--yes")
    assert ended.status == 13
    assert "ended the transaction by itself" in ended.stderr
    assert db.runs()[0][1] == "needs_operator"


def test_done_is_not_done_again_unless_told(db: Database) -> None:
    db.run("CREATE TABLE n (i int)")
    path = db.save(plan_of(db.major, step("INSERT INTO n VALUES (1)", undo=None)))
    assert db.execute(path, "--yes").status == 0
    again = db.execute(path, "--yes")
    assert (again.status, "already applied" in again.stdout) == (0, True)
    assert db.one("SELECT count(*) FROM n") == 1
    assert db.execute(path, "--yes", "--again").status == 0
    assert db.one("SELECT count(*) FROM n") == 2


def test_settings_of_earlier_steps_hold_after_a_resume(db: Database) -> None:
    db.run("CREATE SCHEMA s")
    path = db.save(plan_of(db.major, step("SET search_path = s"), gated("CREATE TABLE b (i int)")))
    with gate(db) as waiting:
        execution = db.start(path, "--yes")
        until(waiting, "the second step")
        execution.kill()
    until(lambda: unlocked(db), "the end of the session")
    assert db.execute("resume").status == 0
    assert db.one("SELECT to_regclass('s.b') IS NOT NULL")


def test_a_manual_step_stops_and_is_confirmed_by_resuming(db: Database) -> None:
    path = db.save(plan_of(db.major, step(THREE[0]), step("move the files", "manual"), step(THREE[1])))
    ended = db.execute(path, "--yes")
    assert ended.status == 13
    assert "move the files" in ended.stderr
    assert tables(db) == ["a"]
    assert db.execute("resume").status == 0
    assert tables(db) == ["a", "b"]


def test_the_journal_on_disk_tells_the_same(db: Database) -> None:
    db.execute(db.save(plan_of(db.major, *map(step, THREE))), "--yes")
    assert kinds(db.folder).count("done") == 3


def test_refusals_before_the_start(db: Database) -> None:
    assert db.execute("missing.sql").status == 2
    discard = db.execute(db.save(plan_of(db.major, step("DISCARD ALL", "nontx"))), "--yes")
    assert discard.status == 10, discard.stderr
    other = db.execute(db.save(plan_of(13, step("SELECT 1"))), "--yes")
    assert other.status == 10
    unsure = db.execute(db.save(plan_of(db.major, step("DROP TABLE x", undo=None))))
    assert unsure.status == 10
    assert "cannot be taken back" in unsure.stderr
    assert db.one("SELECT count(*) FROM pg_namespace WHERE nspname = 'dflint'") == 0
