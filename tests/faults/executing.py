"""Executing plans in processes of their own, which can be stopped, killed and watched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from msgspec.structs import replace

from dflint.model.plan import Backfill, Check, Plan, PlanTarget, Step, StepKind, Timeouts, Undo
from dflint.planning.hashes import plan_hash
from dflint.planning.plan_file import write_plan
from tests.cli.running import ROOT, Ran
from tests.servers import TestServer

#: Long enough for a machine that is busy with something else.
PATIENCE_S = 20.0


def until(condition: Callable[[], Any], what: str = "it") -> Any:
    """Wait until a condition gives something true, and return that."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.02)


class Database:
    """A fresh database, and what tests ask it."""

    def __init__(self, server: TestServer, folder: Path, dsn: str | None = None) -> None:
        self.server = server
        self.major = server.major
        self.folder = folder
        self.dsn = dsn or server.new_database()
        self.role = "postgres"
        self._files = 0
        self._executions: list[Execution] = []

    def close(self) -> None:
        """End what a test that failed has left running."""
        for execution in self._executions:
            if execution.alive():
                execution.kill()

    @classmethod
    def beside(cls, other: Database) -> Database:
        """Another database of the same server."""
        return cls(other.server, other.folder)

    def connect(self, *, autocommit: bool = True) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn, autocommit=autocommit)

    def run(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """One statement, or several without parameters."""
        with self.connect() as connection:
            cursor = connection.execute(sql.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, sql: str, *parameters: object) -> Any:
        rows = self.run(sql, *parameters)
        return rows[0][0] if rows else None

    # What an execution left in its ledger.

    def runs(self) -> list[tuple[str, str]]:
        """Id and state, the oldest first."""
        return [
            (str(run), state) for run, state in self.run("SELECT run_id, state FROM dflint.run ORDER BY created_at")
        ]

    def steps(self, run: str | None = None) -> list[str]:
        """The states of a run's steps; without an id those of the only run."""
        return [
            state
            for (state,) in self.run(
                "SELECT state FROM dflint.step WHERE run_id = coalesce(%s::uuid, run_id) ORDER BY ord", run
            )
        ]

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Details of the events of a kind, in order."""
        return [row[0] for row in self.run("SELECT detail FROM dflint.event WHERE kind = %s ORDER BY at", kind)]

    def executor(self) -> int | None:
        """Process number of the session that holds the migration lock."""
        found: int | None = self.one(
            "SELECT backend_pid FROM dflint.lease WHERE held ORDER BY acquired_at DESC LIMIT 1"
        )
        return found

    def indexes(self, table: str) -> dict[str, bool]:
        """Which indexes a table has, and whether they are whole."""
        return dict(
            self.run(
                "SELECT indexrelid::regclass::text, indisvalid AND indisready AND indislive FROM pg_index "
                "WHERE indrelid = %s::regclass ORDER BY 1",
                table,
            )
        )

    # Executing.

    def save(self, plan: Plan) -> str:
        """Write a plan to a file; its path."""
        self._files += 1
        path = self.folder / f"plan{self._files}.json"
        path.write_bytes(write_plan(plan))
        return str(path)

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Execution:
        """``dflint exec …`` in a process of its own."""
        execution = Execution(self, arguments, environment or {})
        self._executions.append(execution)
        return execution

    def execute(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Ran:
        """``dflint exec …`` to its end."""
        return self.start(*arguments, environment=environment).result()


class Execution:
    """A running ``dflint exec``."""

    def __init__(self, database: Database, arguments: tuple[str, ...], environment: Mapping[str, str]) -> None:
        path = os.pathsep.join([str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dflint", "exec", *arguments],
            cwd=database.folder,
            env={**os.environ, "PYTHONPATH": path, "DFLINT_DB": database.dsn, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def result(self) -> Ran:
        """Wait for its end."""
        stdout, stderr = self.process.communicate(timeout=4 * PATIENCE_S)
        return Ran(self.process.returncode, stdout.decode(), stderr.decode())

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> Ran:
        """Kill it, as a crash or the out-of-memory killer does."""
        self.send(signal.SIGKILL)
        return self.result()

    def alive(self) -> bool:
        return self.process.poll() is None


def plan_of(major: int, *steps: Step, source: str = "migration.sql") -> Plan:
    """A plan as ``dflint plan`` makes it."""
    named = tuple(replace(step, id=str(number)) for number, step in enumerate(steps, start=1))
    fixed = next((step.id for step in named if step.undo.irreversible), None)
    plan = Plan(source=source, target=PlanTarget(major), steps=named, point_of_no_return=fixed)
    return replace(plan, hash=plan_hash(plan))


def step(
    sql: str,
    kind: StepKind = "tx",
    *,
    locks: Mapping[str, str] | None = None,
    lock_ms: int = 200,
    statement_ms: int = 60_000,
    undo: str | None = "",
    post: str | None = None,
    pre: str | None = None,
    backfill: Backfill | None = None,
) -> Step:
    """A step; ``undo=None``: it cannot be taken back."""
    return Step(
        id="",
        sql=sql,
        kind=kind,
        group="migration.sql",
        locks=dict(locks or {}),
        lock_class="reads" if locks else "none",
        timeouts=Timeouts(lock_ms, statement_ms),
        undo=Undo(irreversible="data would be lost") if undo is None else Undo(sql=(undo,) if undo else ()),
        pre=(Check("condition", pre),) if pre else (),
        post=(Check("condition", post),) if post else (),
        backfill=backfill,
    )


#: A step's statement that waits until the test opens the gate.
GATE = "SELECT pg_advisory_xact_lock(4711)"


@contextmanager
def gate(database: Database) -> Iterator[Callable[[], bool]]:
    """Keep `GATE` shut for a while. Gives a function that says whether somebody stands before it."""
    with database.connect() as connection:
        connection.execute("SELECT pg_advisory_lock(4711)")

        def waiting() -> bool:
            query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"
            row = connection.execute(query).fetchone()
            return row is not None and row[0] > 0

        yield waiting


def gated(sql: str, **options: Any) -> Step:
    """A transactional step that stands before the gate after its own statements."""
    return step(f"{sql};\n{GATE}", lock_ms=120_000, statement_ms=120_000, **options)


def journal(folder: Path) -> list[dict[str, Any]]:
    """What the files beside the ledger say."""
    files = sorted((folder / ".dflint/journal").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def kinds(folder: Path) -> list[str]:
    """What kinds of things happened so far, by these files."""
    return [line["kind"] for line in journal(folder)]
