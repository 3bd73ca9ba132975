"""Faults 27-30, 37-39: locks on tables that others use, and settings that somebody made for the role."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from tests.faults.executing import Database, gate, gated, journal, kinds, plan_of, step, until

pytestmark = pytest.mark.majors(14, 18)

T = {"table:public.t": "ACCESS EXCLUSIVE"}
BOTH = {"table:public.t": "ACCESS EXCLUSIVE", "table:public.u": "ACCESS EXCLUSIVE"}


class Reader(threading.Thread):
    """Reads a table again and again, as an application does."""

    def __init__(self, db: Database, table: str) -> None:
        super().__init__(daemon=True)
        self._query = f"SELECT count(*) FROM {table}".encode()
        self._db = db
        self._over = threading.Event()
        self.longest_s = 0.0
        self.errors: list[str] = []

    def run(self) -> None:
        with self._db.connect() as connection:
            while not self._over.wait(0.01):
                began = time.monotonic()
                try:
                    connection.execute(self._query)
                except psycopg.Error as error:
                    self.errors.append(error.sqlstate or str(error))
                self.longest_s = max(self.longest_s, time.monotonic() - began)

    def stop(self) -> None:
        self._over.set()
        self.join()


@contextmanager
def reading(db: Database, *tables: str) -> Iterator[list[Reader]]:
    readers = [Reader(db, table) for table in tables]
    for reader in readers:
        reader.start()
    try:
        yield readers
    finally:
        for reader in readers:
            reader.stop()


@pytest.fixture
def tables(db: Database) -> Database:
    db.run("CREATE TABLE t (id int); CREATE TABLE u (id int); INSERT INTO t SELECT generate_series(1, 100)")
    return db


def attempts(db: Database) -> int:
    return kinds(db.folder).count("attempt")


def test_27_a_long_query_is_waited_for_in_moments(tables: Database) -> None:
    path = tables.save(plan_of(tables.major, step("ALTER TABLE t ADD COLUMN b int", locks=T)))
    with reading(tables, "t") as (reader,):
        with tables.connect(autocommit=False) as long:
            long.execute("SELECT * FROM t")
            execution = tables.start(path, "--yes", "--max-block", "60")
            until(lambda: attempts(tables) >= 3, "three attempts")
        ended = execution.result()
    assert ended.status == 0, ended.stderr
    assert tables.one("SELECT count(*) FROM information_schema.columns WHERE table_name = 't'") == 2
    assert reader.errors == []
    tried = [line["detail"] for line in journal(tables.folder) if line["kind"] == "attempt"]
    assert all(one["blockers"] for one in tried)
    # One attempt's limit, and what a busy machine adds; without a limit it would have been all attempts together.
    assert reader.longest_s < 0.2 + 1.0


def test_28_a_blocker_that_stays_ends_it_and_is_named(tables: Database) -> None:
    path = tables.save(plan_of(tables.major, step("ALTER TABLE t ADD COLUMN b int", locks=T)))
    with reading(tables, "t"), tables.connect(autocommit=False) as idle:
        idle.execute("SELECT * FROM t")
        ended = tables.execute(path, "--yes", "--max-block", "0.5")
        pid = idle.info.backend_pid
    assert ended.status == 11, ended.stderr
    assert f"pid {pid}" in ended.stderr.split("BLOCKED")[1]
    assert "idle in transaction" in ended.stderr
    assert tables.runs()[0][1] == "failed"
    assert tables.steps() == ["pending"]
    events = tables.events("attempt")
    assert events
    assert all(event["error"]["sqlstate"] in {"55P03", "57014"} and event["blockers"] for event in events)
    assert tables.one("SELECT count(*) FROM information_schema.columns WHERE table_name = 't'") == 1


def test_29_no_lock_is_kept_while_another_is_tried_again(tables: Database) -> None:
    path = tables.save(
        plan_of(tables.major, step("ALTER TABLE t ADD COLUMN b int; ALTER TABLE u ADD COLUMN b int", locks=BOTH))
    )
    with reading(tables, "t") as (reader,):
        with tables.connect(autocommit=False) as long:
            long.execute("SELECT * FROM u")
            execution = tables.start(path, "--yes", "--max-block", "60")
            until(lambda: attempts(tables) >= 4, "four attempts")
        ended = execution.result()
    assert ended.status == 0, ended.stderr
    assert reader.longest_s < 0.2 + 1.0


def test_30_an_application_that_locks_in_the_other_order_never_loses(tables: Database) -> None:
    path = tables.save(
        plan_of(tables.major, step("ALTER TABLE t ADD COLUMN b int; ALTER TABLE u ADD COLUMN b int", locks=BOTH))
    )
    with tables.connect(autocommit=False) as app:
        app.execute("SELECT * FROM u")
        execution = tables.start(path, "--yes", "--max-block", "60")
        until(lambda: attempts(tables) >= 1, "an attempt")
        for _ in range(5):
            # It holds u; the executor, if it holds t just now, has to give that up.
            app.execute("SELECT * FROM t")
            app.execute("SELECT * FROM u")
            time.sleep(0.05)
        app.commit()
    ended = execution.result()
    assert ended.status == 0, ended.stderr


def alter_role(db: Database, role: str, **settings: str) -> None:
    for name, value in settings.items():
        statement = sql.SQL("ALTER ROLE {} SET {} = {}").format(sql.Identifier(role), sql.Identifier(name), value)
        with db.connect() as connection:
            connection.execute(statement)


@pytest.fixture
def owner(tables: Database) -> Iterator[Database]:
    """The same database for a role that has settings of its own."""
    role = f"owner_{tables.one('SELECT oid FROM pg_database WHERE datname = current_database()')}"
    tables.run(f"CREATE ROLE {role} SUPERUSER LOGIN")
    other = Database(tables.server, tables.folder, psycopg.conninfo.make_conninfo(tables.dsn, user=role))
    other.role = role
    yield other
    other.close()
    tables.run(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_37_a_statement_timeout_of_the_role_does_not_count(owner: Database) -> None:
    alter_role(owner, owner.role, statement_timeout="300ms")
    path = owner.save(plan_of(owner.major, step("SELECT pg_sleep(1)", statement_ms=0), step("VACUUM t", "nontx")))
    assert owner.execute(path, "--yes").status == 0


def test_38_limits_of_sessions_and_transactions_do_not_count(owner: Database) -> None:
    limits = {"idle_session_timeout": "200ms", "idle_in_transaction_session_timeout": "200ms"}
    if owner.major >= 17:
        limits["transaction_timeout"] = "300ms"
    alter_role(owner, owner.role, **limits)
    path = owner.save(plan_of(owner.major, step("CREATE INDEX CONCURRENTLY t_id ON t (id)", "nontx")))
    with owner.connect() as old:
        for name in limits:
            old.execute(sql.SQL("SET {} = 0").format(sql.Identifier(name)))
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT 1")
        execution = owner.start(path, "--yes")
        until(lambda: "intent" in kinds(owner.folder), "the build")
        time.sleep(0.6)
        assert execution.alive()
    ended = execution.result()
    assert ended.status == 0, ended.stderr
    assert owner.indexes("t") == {"t_id": True}


def test_39_a_lock_timeout_of_the_database_does_not_stop_a_build(tables: Database) -> None:
    name = tables.one("SELECT current_database()")
    tables.run(f"ALTER DATABASE {name} SET lock_timeout = '50ms'")
    path = tables.save(plan_of(tables.major, step("CREATE INDEX CONCURRENTLY t_id ON t (id)", "nontx")))
    with tables.connect(autocommit=False) as writer:
        writer.execute("INSERT INTO t VALUES (1)")
        execution = tables.start(path, "--yes")
        until(lambda: "intent" in kinds(tables.folder), "the build")
        time.sleep(0.3)
        assert execution.alive()
    ended = execution.result()
    assert ended.status == 0, ended.stderr
    assert tables.indexes("t") == {"t_id": True}


def test_a_gate_keeps_a_step_waiting(tables: Database) -> None:
    """What the other fault tests rest on."""
    path = tables.save(plan_of(tables.major, gated("CREATE TABLE v (i int)")))
    with gate(tables) as waiting:
        execution = tables.start(path, "--yes")
        until(waiting, "the step")
        assert execution.alive()
    assert execution.result().status == 0


@pytest.mark.parametrize("table", ["gone", "a_view", "not_ours"])
def test_what_cannot_be_locked_before_is_left_to_the_statements(db: Database, table: str) -> None:
    """A table that is not there, is no table, or may not be locked; that is no attempt that failed."""
    db.run("DROP ROLE IF EXISTS plain_locker; CREATE ROLE plain_locker LOGIN; CREATE VIEW a_view AS SELECT 1")
    db.run("CREATE TABLE not_ours (i int); CREATE SCHEMA dflint AUTHORIZATION plain_locker")
    locks = {f"table:public.{table}": "ACCESS EXCLUSIVE"}
    path = db.save(plan_of(db.major, step("SELECT 1", locks=locks)))
    try:
        ended = db.execute(path, "--yes", environment={"DFLINT_DB": f"{db.dsn} user=plain_locker"})
        assert ended.status == 0, ended.stderr
        assert db.events("attempt") == []
        assert db.one("SELECT attempts FROM dflint.step") == 1
    finally:
        db.run("DROP OWNED BY plain_locker CASCADE; DROP ROLE plain_locker")
