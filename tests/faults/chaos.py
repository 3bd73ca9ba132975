"""Chaos: executions of a plan are killed at random and at chosen moments, and everything still happens exactly once.

    python -m tests.faults.chaos --kills 200 --major 18 --seed 1

Two executors compete for the same plan while writers work on its tables. A killer ends the client (SIGKILL), ends its
session (pg_terminate_backend), or stops the process for a while (SIGSTOP), in one of the states of `STATES`. When
enough was killed, the executors are left alone, and the database and its ledger are checked.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import psycopg

from dflint.guard.ledger import Ledger
from dflint.model.plan import Backfill, Plan
from dflint.postgres import connect
from dflint.postgres.scratch import Scratch
from tests.faults.executing import Database, Execution, plan_of, step
from tests.servers import TestServer, installation

#: When somebody is killed. ``undo`` is any moment of taking the run back.
STATES = ("intent", "running", "commit", "batch", "index wait", "undo", "anywhere")
WAYS = ("kill", "terminate", "stop")

ROWS = 3000
_ROUND_KILLS = 40
_PATIENCE_S = 120.0
#: What an execution may end with when it is killed, or another is at work.
_EXPECTED = frozenset({0, 11, 13, 130, -signal.SIGKILL})

_SCHEMA = f"""
    CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, n int NOT NULL DEFAULT 0);
    INSERT INTO t SELECT i, i FROM generate_series(1, {ROWS}) i;
    CREATE TABLE traffic (id bigserial PRIMARY KEY, a int);
    CREATE TABLE once (what text);
    CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.08); RETURN NULL; END$$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON once DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION slow_commit();
    CREATE TRIGGER slow_batch AFTER UPDATE OF n ON t FOR EACH STATEMENT EXECUTE FUNCTION slow_commit();
    """


def plan(major: int) -> Plan:
    """Every kind of step, several times, each leaving a mark that shows how often it was done."""

    def marked(sql: str, undo: str, name: str) -> Any:
        mark = "INSERT INTO once VALUES ('{}')"
        return step(
            f"{sql};\nSELECT pg_sleep(0.05);\n{mark.format(name)}",
            locks={"table:public.t": "ACCESS EXCLUSIVE"},
            undo=f"{undo};\nSELECT pg_sleep(0.05);\n{mark.format(f'undo {name}')}",
            lock_ms=500,
        )

    def build(name: str, what: str, unique: str = "") -> Any:
        sql = f"CREATE {unique} INDEX CONCURRENTLY {name} ON {what}"
        return step(sql, "nontx", undo=f"DROP INDEX CONCURRENTLY {name}")

    return plan_of(
        major,
        marked("ALTER TABLE t ADD COLUMN b int", "ALTER TABLE t DROP COLUMN b", "column b"),
        build("t_a", "t (a)"),
        marked("ALTER TABLE t ADD COLUMN c int DEFAULT 1", "ALTER TABLE t DROP COLUMN c", "column c"),
        step(
            "UPDATE t SET n = n + 1",
            "backfill",
            backfill=Backfill("table:public.t", ("id",), 100),
            undo=f"UPDATE t SET n = n - 1 WHERE id <= {ROWS};\nINSERT INTO once VALUES ('undo rows')",
        ),
        build("t_unique", "t (id, a)", "UNIQUE"),
        step("REINDEX INDEX CONCURRENTLY t_a", "nontx"),
        marked("ALTER TABLE t ADD CHECK (a > 0) NOT VALID", "ALTER TABLE t DROP CONSTRAINT t_a_check", "check"),
        build("t_where", "t (n) WHERE n > 5"),
        marked("CREATE TABLE extra (i int)", "DROP TABLE extra", "table"),
        source="chaos.sql",
    )


#: Who holds the lock, and what it is at: whether it undoes, its statement, the phase of an index that it builds, rows of
#: a backfill that has begun and not ended, steps done, and intents that nothing followed yet.
_MOMENT = f"""
    SELECT l.backend_pid, EXISTS (SELECT FROM dflint.run WHERE state = 'rolling_back'),
           (SELECT query FROM pg_stat_activity WHERE pid = l.backend_pid AND state = 'active'),
           (SELECT phase FROM pg_stat_progress_create_index WHERE pid = l.backend_pid),
           (SELECT rows_done FROM dflint.cursor WHERE rows_done BETWEEN 1 AND {ROWS - 1} LIMIT 1),
           (SELECT count(*) FROM dflint.event WHERE kind = 'done'),
           (SELECT count(*) FROM dflint.chain c JOIN dflint.event e ON e.run_id = c.run_id AND e.seq = c.length
             WHERE e.kind = 'intent' AND NOT EXISTS
                   (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = l.backend_pid))
      FROM dflint.lease l WHERE l.held ORDER BY l.acquired_at DESC LIMIT 1
    """


class Violation(AssertionError):
    """Something did not happen exactly once, or was left behind."""


class Executor(threading.Thread):
    """Executes again and again, as a deployment system does, until it is done."""

    def __init__(self, database: Database, folder: Path, *arguments: str) -> None:
        super().__init__(daemon=True)
        folder.mkdir()
        self.database = Database(database.server, folder, database.dsn)
        self._arguments = arguments
        self.current: Execution | None = None
        self.endings: Counter[int] = Counter()
        self.surprises: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            self.current = self.database.start(*self._arguments)
            ended = self.current.result()
            self.endings[ended.status] += 1
            if ended.status == 0:
                return
            if ended.status not in _EXPECTED:
                self.surprises.append(f"exit status {ended.status}: {ended.stderr[-1500:]}")
                return

    def backend(self) -> int | None:
        """The session that it took the lock with last, as its journal on disk says."""
        lines = [
            line
            for file in (self.database.folder / ".dflint/journal").glob("*.jsonl")
            for line in file.read_text().splitlines()
            if '"pid":' in line
        ]
        return max((json.loads(line) for line in lines), key=lambda one: one["at"])["detail"]["pid"] if lines else None

    def end(self) -> None:
        self.stopping.set()
        if self.current is not None and self.current.alive():
            self.current.send(signal.SIGCONT)
            self.current.send(signal.SIGKILL)
        self.join()


class Writers:
    """An application: short transactions on the plan's tables, some of which stay open for a moment."""

    def __init__(self, database: Database, count: int = 3) -> None:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(database, n), daemon=True) for n in range(count)]
        self.written = 0
        self.deadlocks = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _write(self, database: Database, number: int) -> None:
        chance = random.Random(number)
        with database.connect() as connection:
            while not self._over.is_set():
                try:
                    with connection.transaction():
                        connection.execute("UPDATE t SET a = a + 0 WHERE id = %s", [chance.randint(1, ROWS)])
                        connection.execute("INSERT INTO traffic (a) VALUES (1)")
                        self._over.wait(0.15 if chance.random() < 0.2 else 0.01)
                    self.written += 1
                except psycopg.errors.DeadlockDetected:
                    self.deadlocks += 1
                self._over.wait(0.02)


class Killer:
    """Looks for the moments, and kills.

    Attributes:
        killed: how many, by state and way.
    """

    def __init__(self, database: Database, chance: random.Random, killed: Counter[tuple[str, str]]) -> None:
        self._database = database
        self._chance = chance
        self.killed = killed
        self._eyes = database.connect()

    def close(self) -> None:
        self._eyes.close()

    def kill_one(self, executors: list[Executor]) -> bool:
        """Kill whoever holds the lock, at a moment that was rare so far. False: none came."""
        found = self._await(executors)
        if found is None:
            return False
        state, pid = found
        way = self._chance.choice(WAYS)
        executor = next((one for one in executors if one.backend() == pid), None)
        if executor is None or executor.current is None or not executor.current.alive():
            return False
        if self._end(way, executor, pid):
            self.killed[state, way] += 1
            return True
        return False

    def _end(self, way: str, executor: Executor, pid: int) -> bool:
        assert executor.current is not None
        if way == "kill":
            executor.current.send(signal.SIGKILL)
            return True
        if way == "terminate":
            return bool(self._ask("SELECT pg_terminate_backend(%s)", pid))
        executor.current.send(signal.SIGSTOP)
        time.sleep(self._chance.uniform(0.1, 0.8))
        if self._chance.random() < 0.5:
            # As an operator does who breaks the lock of a process that hangs.
            self._ask("SELECT pg_terminate_backend(%s)", pid)
            time.sleep(self._chance.uniform(0.0, 0.5))
        executor.current.send(signal.SIGCONT)
        return True

    def _await(self, executors: list[Executor]) -> tuple[str, int] | None:
        """A state that is worth it, and the session that is in it and holds the lock."""
        deadline = time.monotonic() + 5.0
        seen: set[tuple[object, ...]] = set()
        while time.monotonic() < deadline and any(one.is_alive() for one in executors):
            time.sleep(0.002)
            row = self._row(_MOMENT)
            if row is None:
                continue
            pid, undoing, statement, phase, rows, done, intents = row
            states = {"undo"} if undoing else {"anywhere"}
            if statement and "pg_sleep" in statement:
                states.add("running")
            if statement == "COMMIT":
                states.add("commit")
            if (phase or "").startswith("waiting"):
                states.add("index wait")
            if rows:
                states.add("batch")
            if intents:
                states.add("intent")
            state = min(states, key=lambda one: (self._count(one), one))
            moment = (pid, done, rows, *sorted(states))
            if moment in seen:
                continue
            # One decision a moment: what is never left alone never comes to its end.
            seen.add(moment)
            if self._chance.random() < (0.15 if state in {"anywhere", "undo"} else 0.45):
                return state, int(pid)
        return None

    def _count(self, state: str) -> int:
        return sum(count for (one, _), count in self.killed.items() if one == state)

    def _row(self, query: str) -> tuple[Any, ...] | None:
        try:
            return self._eyes.execute(query.encode()).fetchone()
        except psycopg.errors.UndefinedTable:
            return None

    def _ask(self, query: str, *parameters: object) -> Any:
        row = self._eyes.execute(query.encode(), parameters or None).fetchone()
        return None if row is None else row[0]


class Chaos:
    """Rounds of executing and undoing one plan in a fresh database each, until enough was killed."""

    def __init__(self, server: TestServer, folder: Path, seed: int, say: Callable[[str], None]) -> None:
        self._server = server
        self._folder = folder
        self._chance = random.Random(seed)
        self._say = say
        self._numbers = itertools.count()
        self.killed: Counter[tuple[str, str]] = Counter()
        self.endings: Counter[int] = Counter()
        self.repairs = 0
        self.rounds = 0

    def run(self, kills: int) -> None:
        """Kill as often, then check.

        Raises:
            Violation: something did not happen exactly once.
        """
        while sum(self.killed.values()) < kills:
            self._round(min(_ROUND_KILLS, kills - sum(self.killed.values())))
            self.rounds += 1
            self._say(f"round {self.rounds}: {sum(self.killed.values())} kills, all is as it should be")

    def _round(self, kills: int) -> None:
        database = Database(self._server, self._folder / f"round{next(self._numbers)}")
        database.folder.mkdir()
        database.run(_SCHEMA)
        path = database.save(plan(database.major))
        undo_kills = kills // 5
        with Writers(database):
            self._execute(database, kills - undo_kills, (path, "--yes", "--lock-wait", "4"))
            run = check_done(database)
            self._execute(database, undo_kills, ("undo", run, "--yes", "--lock-wait", "4"))
        check_undone(database, run)
        self.repairs += len(database.events("repair"))
        self._server.drop_databases()

    def _execute(self, database: Database, kills: int, arguments: tuple[str, ...]) -> None:
        executors = [Executor(database, database.folder / f"{next(self._numbers)}", *arguments) for _ in range(2)]
        killer = Killer(database, self._chance, self.killed)
        aim = sum(self.killed.values()) + kills
        try:
            for executor in executors:
                executor.start()
            deadline = time.monotonic() + _PATIENCE_S + 6.0 * kills
            while any(executor.is_alive() for executor in executors):
                if sum(self.killed.values()) < aim:
                    killer.kill_one(executors)
                else:
                    time.sleep(0.1)
                if time.monotonic() > deadline:
                    raise Violation(f"it does not come to its end: {database.run('SELECT * FROM dflint.step')}")
        finally:
            killer.close()
            for executor in executors:
                executor.end()
                self.endings += executor.endings
        surprises = [surprise for executor in executors for surprise in executor.surprises]
        if surprises:
            raise Violation("\n".join(surprises))


def check_done(database: Database) -> str:
    """The plan was executed by one run, and everything in it happened once; the run's id."""
    runs = database.runs()
    _hold(len(runs) == 1 and runs[0][1] == "done", f"runs: {runs}")
    run = runs[0][0]
    _hold(set(database.steps(run)) == {"done"}, f"steps: {database.steps(run)}")
    marks = Counter(what for (what,) in database.run("SELECT what FROM once"))
    _hold(marks == {"column b": 1, "column c": 1, "check": 1, "table": 1}, f"marks: {marks}")
    changed = database.run("SELECT n, count(*) FROM t GROUP BY n")
    _hold(changed == [(1, ROWS)], f"rows changed: {changed}")
    wanted = dict.fromkeys(("t_a", "t_pkey", "t_unique", "t_where"), True)
    _hold(database.indexes("t") == wanted, f"indexes: {database.indexes('t')}")
    _check_ledger(database)
    return run


def check_undone(database: Database, run: str) -> None:
    """The run was taken back by another, and everything in that happened once."""
    states = dict(database.runs())
    _hold(states.pop(run) == "rolled_back", f"the run is {dict(database.runs())[run]}")
    _hold(list(states.values()) == ["done"], f"the undoing runs: {states}")
    marks = Counter(what for (what,) in database.run("SELECT what FROM once WHERE what LIKE 'undo%%'"))
    wanted = {f"undo {what}": 1 for what in ("column b", "column c", "rows", "check", "table")}
    _hold(marks == wanted, f"marks: {marks}")
    changed = database.run("SELECT n, count(*) FROM t GROUP BY n")
    _hold(changed == [(0, ROWS)], f"rows changed: {changed}")
    _hold(database.indexes("t") == {"t_pkey": True}, f"indexes: {database.indexes('t')}")
    _check_ledger(database)


def _check_ledger(database: Database) -> None:
    doubled = database.run(
        "SELECT run_id, ord, count(*) FROM dflint.event WHERE kind = 'done' AND ord IS NOT NULL "
        "GROUP BY 1, 2 HAVING count(*) <> 1"
    )
    _hold(not doubled, f"done more than once: {doubled}")
    lacking = database.run(
        "SELECT run_id, ord FROM dflint.step s WHERE state IN ('done', 'undone') AND NOT EXISTS "
        "(SELECT FROM dflint.event e WHERE e.run_id = s.run_id AND e.ord = s.ord AND e.kind = 'done')"
    )
    _hold(not lacking, f"done without an event: {lacking}")
    falling = database.run(
        "SELECT * FROM (SELECT run_id, seq, fence, lag(fence) OVER (PARTITION BY run_id ORDER BY seq) AS before "
        "FROM dflint.event WHERE fence IS NOT NULL) e WHERE fence < before"
    )
    _hold(not falling, f"the fence falls: {falling}")
    broken = asyncio.run(_broken_chains(database.dsn))
    _hold(not broken, f"the audit trail is broken: {broken}")
    held = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory' "
    _hold(database.one(f"{held} AND d.datname = current_database()") == 0, "a lock is still held")


async def _broken_chains(dsn: str) -> list[str]:
    async with await connect(dsn, autocommit=True) as connection:
        ledger = Ledger(connection)
        found = [await ledger.verify_chain(run.run_id) for run in await ledger.runs(100)]
        return [one for one in found if one is not None]


def _hold(true: bool, otherwise: str) -> None:
    if not true:
        raise Violation(otherwise)


@contextlib.contextmanager
def server(major: int) -> Iterator[TestServer]:
    """A server for chaos alone."""
    found = installation(major)
    assert found is not None, f"PostgreSQL {major} is not here"
    with Scratch(major, providers=[lambda: [found]], settings={"max_connections": "100"}) as scratch:
        yield TestServer(scratch)


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill executions, and check that all happened exactly once.")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--major", type=int, default=18)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    with server(given.major) as one, tempfile.TemporaryDirectory() as folder:
        chaos = Chaos(one, Path(folder), given.seed, lambda text: print(text, file=sys.stderr, flush=True))
        failure = None
        try:
            chaos.run(given.kills)
        except Violation as violation:
            failure = str(violation)
    states: dict[str, dict[str, int]] = {}
    for (state, way), count in sorted(chaos.killed.items()):
        states.setdefault(state, {})[way] = count
    report = {
        "major": given.major,
        "seed": given.seed,
        "kills": sum(chaos.killed.values()),
        "by_state": states,
        "endings": {str(status): count for status, count in sorted(chaos.endings.items())},
        "rounds": chaos.rounds,
        "repairs": chaos.repairs,
        "seconds": round(time.monotonic() - began),
        "violation": failure,
    }
    print(json.dumps(report, indent=2))
    return 0 if failure is None else 1


if __name__ == "__main__":
    sys.exit(main())
