"""How long does a migration stop others: as it is written, and by its recipe?

    python bench/stall.py [--rows 1000000] [--largest 16000000] [--only NAME] [--major 18] [--markdown]

On a scratch server on disk. A reader and a writer use a table all the time while each of twelve operations runs, first
as it is written, then by `dflint plan --safe` and the guarded executor, each on a fresh copy of the table. The table is
doubled until the plain statement stops one of them for 2 s, or is as large as it may get. The longest that either had
to wait is compared: the recipe's may be a twentieth of the plain statement's, and what the same sessions waited at most
while nothing else was running. No write may be lost or refused.

Exit status 1 when a budget is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
import time
from functools import partial
from typing import Any, Self

import psycopg
from psycopg.conninfo import make_conninfo

from dflint.app.safe_plan import safe_plan_sql
from dflint.app.snapshot import read_live
from dflint.catalog.definitions import read_definitions
from dflint.guard.executor import execute
from dflint.guard.options import Options
from dflint.guard.progress import Silent
from dflint.guard.resume import resume
from dflint.planning.statements import names_in, operations_of
from dflint.postgres.scratch import Scratch
from dflint.postgres.source import ConnectionSource

ENOUGH_S = 2.0
SHARE = 1 / 20
SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "maintenance_work_mem": "256MB", "checkpoint_timeout": "1h"}

SCHEMA = """
CREATE TABLE other (id bigint PRIMARY KEY);
INSERT INTO other SELECT g FROM generate_series(1, 1000) g;
CREATE TABLE t (id bigint NOT NULL, n int NOT NULL, note text, other_id bigint, ref bigint);
INSERT INTO t SELECT g, g, 'row number ' || g, g % 1000 + 1, g FROM generate_series(1, {rows}) g;
ALTER TABLE t ADD PRIMARY KEY (id);
CREATE INDEX by_ref ON t (ref);
VACUUM ANALYZE
"""
#: Name -> statement, and what else has to be there.
OPERATIONS = {
    "create index": ("CREATE INDEX ON t (note)", ""),
    "create unique index": ("CREATE UNIQUE INDEX ON t (ref, id)", ""),
    "reindex": ("REINDEX TABLE t", ""),
    "add unique": ("ALTER TABLE t ADD CONSTRAINT one UNIQUE (ref, id)", ""),
    "add primary key": ("ALTER TABLE t ADD PRIMARY KEY (id)", "ALTER TABLE t DROP CONSTRAINT t_pkey"),
    "add check": ("ALTER TABLE t ADD CONSTRAINT c CHECK (note NOT LIKE '%nothing%like%this%')", ""),
    "add foreign key": ("ALTER TABLE t ADD FOREIGN KEY (other_id) REFERENCES other", ""),
    "set not null": ("ALTER TABLE t ALTER COLUMN note SET NOT NULL", ""),
    "volatile default": ("ALTER TABLE t ADD COLUMN token uuid DEFAULT gen_random_uuid()", ""),
    "change type": ("ALTER TABLE t ALTER COLUMN n TYPE bigint", ""),
    "change type, using": ("ALTER TABLE t ALTER COLUMN n TYPE text USING 'x' || n", ""),
    "attach partition": (
        "ALTER TABLE parted ATTACH PARTITION t FOR VALUES FROM (-5) TO (900000000)",
        "CREATE TABLE parted (LIKE t) PARTITION BY RANGE (id)",
    ),
}


class Session:
    """One session that says the same statement all the time; how long it waited at most, and what it was refused."""

    def __init__(self, dsn: str, statement: str) -> None:
        self.longest = 0.0
        self.count = 0
        self.failures: list[str] = []
        self._dsn, self._statement = dsn, statement
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _work(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while not self._end.is_set():
                began = time.monotonic()
                try:
                    connection.execute(self._statement.encode(), {"key": 1 + self.count % 1000})
                    self.count += 1
                except psycopg.Error as error:
                    self.failures.append(str(error).splitlines()[0])
                self.longest = max(self.longest, time.monotonic() - began)
                time.sleep(0.002)


def copy_of(scratch: Scratch, template: str, name: str) -> str:
    with psycopg.connect(make_conninfo(**scratch.parameters("postgres")), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy'.encode())
        connection.execute(b"CHECKPOINT")
    return make_conninfo(**scratch.parameters(name))


def beside(dsn: str, work: Any) -> tuple[float, list[str], int]:
    """The longest wait of a reader and a writer while something is done, refusals, and writes that were lost."""
    reader = Session(dsn, "SELECT note FROM t WHERE id = %(key)s")
    writer = Session(dsn, "UPDATE t SET other_id = coalesce(other_id, 0) %% 1000 + 1 WHERE id = %(key)s RETURNING id")
    counter = Session(dsn, "INSERT INTO counted DEFAULT VALUES")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(b"CREATE TABLE counted (id bigint GENERATED ALWAYS AS IDENTITY)")
    with reader, writer, counter:
        time.sleep(0.3)
        work()
        time.sleep(0.3)
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(b"SELECT count(*) FROM counted").fetchone()
    assert row is not None
    return max(reader.longest, writer.longest), reader.failures + writer.failures, counter.count - row[0]


def naively(dsn: str, sql: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.encode())


async def safely(dsn: str, sql: str) -> None:
    catalog = await read_live(dsn)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        version = connection.info.server_version // 10_000
        definitions = await read_definitions(connection, names_in(operations_of(sql)), version=version)
    made = safe_plan_sql(sql, catalog, version=version, definitions=definitions)
    assert made.rewritten, f"there is no recipe for {sql}"
    source = ConnectionSource.coerce(dsn)
    outcome = await execute(made.plan, source, Options(again=True), Silent())
    while outcome.state != "done" and "is for a person to do" in outcome.message:
        outcome = await resume(source, None, Options(), Silent())
    assert outcome.state == "done", outcome.message


def template(scratch: Scratch, rows: int, made: set[str]) -> str:
    name = f"rows_{rows}"
    if name not in made:
        with psycopg.connect(make_conninfo(**scratch.parameters("postgres")), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        with psycopg.connect(make_conninfo(**scratch.parameters(name)), autocommit=True) as connection:
            for statement in SCHEMA.format(rows=rows).split(";"):
                connection.execute(statement.encode())
        made.add(name)
    return name


def measured(
    scratch: Scratch, name: str, rows: int, largest: int, made: set[str]
) -> tuple[int, float, float, float, list[str]]:
    """Rows, and the longest waits: idle, beside the plain statement, and beside the recipe; and what went wrong."""
    sql, before = OPERATIONS[name]
    while True:
        dsn = copy_of(scratch, template(scratch, rows, made), "naive")
        if before:
            naively(dsn, before)
        idle, _, _ = beside(dsn, partial(time.sleep, 5.0))
        naively(dsn, "DROP TABLE counted")
        naive, _, _ = beside(dsn, partial(naively, dsn, sql))
        if naive >= ENOUGH_S or rows * 2 > largest:
            break
        rows *= 2
    other = copy_of(scratch, template(scratch, rows, made), "safe")
    if before:
        naively(other, before)
    safe, failures, lost = beside(other, lambda: asyncio.run(safely(other, sql)))
    wrong = failures[:3] + ([f"{lost} writes lost"] if lost else [])
    return rows, idle, naive, safe, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--largest", type=int, default=16_000_000)
    parser.add_argument("--only", choices=list(OPERATIONS))
    parser.add_argument("--major", type=int)
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    missed = False
    if given.markdown:
        print("| operation | rows | idle | as written | by recipe |\n|---|---|---|---|---|")
    with Scratch(given.major, settings=SETTINGS, in_memory=False) as scratch:
        made: set[str] = set()
        for name in [given.only] if given.only else OPERATIONS:
            rows, idle, naive, safe, wrong = measured(scratch, name, given.rows, given.largest, made)
            good = safe <= naive * SHARE + idle and not wrong
            missed = missed or not good
            verdict = "ok" if good else "MISSED " + "; ".join(wrong)
            if given.markdown:
                print(f"| {name} | {rows:,} | {idle:.3f} s | {naive:.2f} s | {safe:.3f} s |", flush=True)
            else:
                figures = f"idle {idle:.3f}  as written {naive:7.3f}  by recipe {safe:.3f}"
                print(f"{name:22} {rows:>11,} rows  {figures}  {verdict}", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
