"""What does guarded execution cost, beside what it replaces?

    python bench/exec.py [--rows 5000000] [--rounds 3] [--only ddl|backfill|stall] [--major 18]

On a scratch server on disk, with fsync on.

*ddl*: the wall time of ``dflint exec`` of 400 one-line statements, less that of 200, over the same of ``psql -f``; of
each the least of the rounds, of which there are four times as many: psql takes a tenth of a second.

*backfill*: a table is filled and one column of it updated, in one statement on one copy and as a backfill on another,
while a writer changes single rows of it. Time and write-ahead log over those of the statement, the table's size over
its size before, and how long the writer waited for a row at most.

*stall*: short changes of a table with eight partitions wait behind transactions that end one after the other; then a
check scans it under ACCESS EXCLUSIVE. How long a reader of the table waited at most, by its own clock, beyond what a
reader of another table waited at the same time; allowed is lock_timeout, or the limit after which a statement that
makes others wait is cancelled, and 100 ms. The median of the rounds.

Exit status 1 when a budget is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import psycopg
from msgspec.structs import replace
from psycopg.conninfo import make_conninfo

from dflint.guard.executor import Options, Outcome, execute
from dflint.guard.progress import Silent
from dflint.model.plan import Backfill, Plan, PlanTarget, Step, Timeouts
from dflint.planning.hashes import plan_hash
from dflint.postgres.scratch import Scratch
from dflint.postgres.source import ConnectionSource

#: Ratios; from "writer" on seconds.
BUDGETS = {"ddl": 8.0, "time": 1.5, "wal": 1.5, "heap": 1.5, "writer": 1.0, "queue": 0.3, "scan": 0.6}
#: What one attempt may wait for its locks in *stall*, and who waits for it, milliseconds.
LOCK_MS = 200
SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "autovacuum": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
}
UPDATE = "UPDATE t SET a = (id % 1000)::int"


def database(scratch: Scratch, name: str) -> str:
    """The connection string of a fresh database."""
    with psycopg.connect(make_conninfo(**scratch.parameters("postgres")), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {name}".encode())
    return make_conninfo(**scratch.parameters(name))


def seconds(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    """The wall time of a process that has to succeed."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command[:4])}: {done.stdout}{done.stderr}")
    return took


def ddl(scratch: Scratch, rounds: int) -> dict[str, float]:
    """The marginal cost of a statement, over psql's."""
    psql = Path(scratch.usable.installation.bindir) / "psql"
    program = str(psql) if psql.exists() else "psql"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    took: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for count in (200, 400):
            for tool in ("psql", "dflint"):
                dsn = database(scratch, f"ddl_{tool}")
                with psycopg.connect(dsn, autocommit=True) as connection:
                    connection.execute("CREATE TABLE t (id int)")
                with tempfile.TemporaryDirectory() as name:
                    folder = Path(name)
                    lines = [f"ALTER TABLE t ADD COLUMN c{number} int;" for number in range(count)]
                    (folder / "migration.sql").write_text("\n".join(lines))
                    command = {
                        "psql": [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-f", "migration.sql"],
                        "dflint": [sys.executable, "-m", "dflint", "exec", "migration.sql", "--db", dsn, "--yes", "-q"],
                    }[tool]
                    took.setdefault((tool, count), []).append(seconds(command, folder, environment))
    # A difference of two noisy times: the least of each is nearest to what an idle machine would take.
    each = {tool: (min(took[tool, 400]) - min(took[tool, 200])) / 200 for tool in ("psql", "dflint")}
    print(f"  a statement: dflint {each['dflint'] * 1000:.2f} ms, psql {each['psql'] * 1000:.2f} ms", file=sys.stderr)
    return {"ddl": each["dflint"] / each["psql"]}


class Writer:
    """Changes single rows, as an application does, and notes how long it waited at most for a row, and for the disk."""

    def __init__(self, dsn: str, rows: int) -> None:
        self.longest = self.longest_commit = 0.0
        self.writes = 0
        self._dsn = dsn
        self._rows = rows
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        chance = random.Random(7)
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while not self._stop.wait(0.005):
                began = time.perf_counter()
                with connection.transaction():
                    connection.execute("UPDATE t SET b = 'w' WHERE id = %s", [chance.randint(1, self._rows)])
                    self.longest = max(self.longest, time.perf_counter() - began)
                    began = time.perf_counter()
                self.longest_commit = max(self.longest_commit, time.perf_counter() - began)
                self.writes += 1


def value(dsn: str, query: str) -> float:
    """One number."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return float(row[0])


def filled(scratch: Scratch, name: str, rows: int) -> str:
    """A database with a table of so many rows, everything written out."""
    dsn = database(scratch, name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id bigint PRIMARY KEY, a int, b text)")
        connection.execute("INSERT INTO t SELECT g, NULL, 'row number ' || g FROM generate_series(1, %s) g", [rows])
        connection.execute("VACUUM (ANALYZE) t")
        connection.execute("CHECKPOINT")
    return dsn


def backfill(scratch: Scratch, rows: int) -> dict[str, float]:
    """A backfill over the statement that it replaces."""
    wal = "SELECT pg_current_wal_insert_lsn() - '0/0'"
    dsn = filled(scratch, "statement", rows)
    began, log = time.perf_counter(), value(dsn, wal)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(UPDATE.encode())
    single = {"time": time.perf_counter() - began, "wal": value(dsn, wal) - log}
    database(scratch, "statement")

    dsn = filled(scratch, "batches", rows)
    heap = value(dsn, "SELECT pg_relation_size('t')")
    locks = {"table:public.t": "ROW EXCLUSIVE"}
    plan = plan_of(scratch, UPDATE, locks, kind="backfill", backfill=Backfill("table:public.t", ("id",), 1000))
    began, log = time.perf_counter(), value(dsn, wal)
    with Writer(dsn, rows) as writer:
        outcome = asyncio.run(execute(plan, ConnectionSource.coerce(dsn), Options(yes=True), Silent()))
        took = time.perf_counter() - began
    assert outcome.exit_code == 0, outcome
    assert value(dsn, "SELECT count(*) FROM t WHERE a IS DISTINCT FROM id % 1000") == 0
    written = value(dsn, wal) - log
    grown = value(dsn, "SELECT pg_relation_size('t')") / heap
    print(
        f"  statement {single['time']:.1f} s, {single['wal'] / 1e6:.0f} MB of log; backfill {took:.1f} s, "
        f"{written / 1e6:.0f} MB; {writer.writes} writes meanwhile, "
        f"a commit of which waited for the disk {writer.longest_commit:.2f} s at most",
        file=sys.stderr,
    )
    return {"time": took / single["time"], "wal": written / single["wal"], "heap": grown, "writer": writer.longest}


def plan_of(scratch: Scratch, sql: str, locks: dict[str, str], **fields: Any) -> Plan:
    """A plan of one step."""
    step = Step(id="1", sql=sql, group="bench", locks=locks, **{"kind": "tx", **fields})
    plan = Plan(source="bench", target=PlanTarget(scratch.usable.major), steps=(step,))
    return replace(plan, hash=plan_hash(plan))


class Reader:
    """Reads a table again and again, and notes how long it waited at most."""

    def __init__(self, dsn: str, table: str) -> None:
        self.longest = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(dsn, f"SELECT count(*) FROM {table}".encode()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self, dsn: str, query: bytes) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            while not self._stop.wait(0.005):
                began = time.perf_counter()
                connection.execute(query)
                self.longest = max(self.longest, time.perf_counter() - began)


async def among(dsn: str, plan: Plan, tables: Sequence[str], options: Options, stagger: float) -> Outcome:
    """Execute a plan while transactions that read tables end one after the other."""
    blockers = [await psycopg.AsyncConnection.connect(dsn) for _ in tables]
    for blocker, table in zip(blockers, tables, strict=True):
        await blocker.execute(f"SELECT * FROM {table}".encode())
    executing = asyncio.create_task(execute(plan, ConnectionSource.coerce(dsn), options, Silent()))
    await asyncio.sleep(1)
    for blocker in blockers:
        await asyncio.sleep(stagger)
        await blocker.close()
    return await executing


def stall(scratch: Scratch, rounds: int) -> dict[str, float]:
    """How long a reader waits at most, beyond what a reader of another table does at the same time."""
    queues, scans = [], []
    parts = [f"p{number}" for number in range(8)]
    locks = {f"table:public.{name}": "ACCESS EXCLUSIVE" for name in ("t", *parts)}
    for _ in range(rounds):
        dsn = database(scratch, "stall")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE t (id int) PARTITION BY LIST (id)")
            connection.execute("CREATE TABLE other (id int)")
            for number, part in enumerate(parts):
                connection.execute(f"CREATE TABLE {part} PARTITION OF t FOR VALUES IN ({number})".encode())
            connection.execute("INSERT INTO t SELECT g % 8 FROM generate_series(1, 1000) g")
        queued = plan_of(
            scratch, "ALTER TABLE t ADD COLUMN b int", locks, lock_class="reads", timeouts=Timeouts(LOCK_MS, 0)
        )
        with Reader(dsn, "t") as reader, Reader(dsn, "other") as control:
            outcome = asyncio.run(among(dsn, queued, parts, Options(yes=True, max_block_s=600), 0.15))
        assert outcome.exit_code == 0, outcome
        queues.append(reader.longest - control.longest)

        check = "ALTER TABLE t ADD CHECK (pg_sleep(0.01) IS NOT NULL)"
        scanning = plan_of(scratch, check, locks, lock_class="reads", timeouts=Timeouts(LOCK_MS, 0))
        with Reader(dsn, "t") as reader, Reader(dsn, "other") as control:
            outcome = asyncio.run(among(dsn, scanning, (), Options(yes=True, max_block_s=1), 0))
        assert outcome.exit_code == 11, outcome
        scans.append(reader.longest - control.longest)
        print(f"  queue {queues[-1]:.3f} s, scan {scans[-1]:.3f} s", file=sys.stderr)
    return {"queue": statistics.median(queues), "scan": statistics.median(scans)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["ddl", "backfill", "stall"])
    parser.add_argument("--major", type=int)
    given = parser.parse_args()
    found: dict[str, float] = {}
    with Scratch(given.major, settings=SETTINGS, in_memory=False) as scratch:
        if given.only in {None, "ddl"}:
            found |= ddl(scratch, 4 * given.rounds)
        if given.only in {None, "stall"}:
            found |= stall(scratch, given.rounds)
        if given.only in {None, "backfill"}:
            found |= backfill(scratch, given.rows)
    missed = False
    for name, budget in BUDGETS.items():
        if name in found:
            verdict = "ok" if found[name] <= budget else "MISSED"
            missed = missed or found[name] > budget
            print(f"{name:8} {found[name]:6.2f}  budget {budget:.2f}  {verdict}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
