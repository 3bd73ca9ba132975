"""How long building and asking the dependency graph takes, beside ``pg_dump --schema-only`` of the same database.

    python bench/impact.py [--db DSN] [--tables 10000] [--rounds 5]

A database with 10,000 tables, 30,000 indexes, 10,000 foreign keys and 1,000 views, some on others, is made on a scratch
server (or, with --db, on that server, and dropped afterwards). Its catalog is read once in a process of its own, which
then builds the graph and asks it; times are wall times within that process, against pg_dump's of the same round, the
median of the rounds. Exit status 1 when a budget is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile

import psycopg
from catalog import BATCH, ENVIRONMENT, database, find_pg_dump, run

#: Ratio of pg_dump's wall time.
BUDGETS = {"graph": 0.6, "query": 0.01}
VIEWS = 1_000

#: Reads a catalog, then times the graph and one query of each kind; the first query loads what all need.
MEASURE = """
import asyncio, json, resource, statistics, sys, time

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

from dflint.app.impact import ImpactAnalysis, requested
from dflint.app.snapshot import read_live
catalog = asyncio.run(read_live(sys.argv[1]))
assert not catalog.incomplete, catalog.incomplete
read = peak()
begin = time.perf_counter()
analysis = ImpactAnalysis(catalog)
graph = time.perf_counter() - begin
built = peak()
asked = {}
for words in json.loads(sys.argv[2]):
    operation = requested(words[0], tuple(words[1:]))
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        found = analysis.of(operation)
        times.append(time.perf_counter() - begin)
    asked[" ".join(words)] = times[0], statistics.median(times[1:]), len(found.dependents)
print(json.dumps({"graph": graph, "asked": asked, "read_mib": read, "graph_mib": built, "peak_mib": peak()}))
"""
#: Every table references t(n / 2), so that t1 has three that depend on it, and t0 two; views are on the first tables.
QUESTIONS = [
    ["drop-table", "t1"],
    ["drop-table", "t9000"],
    ["drop-column", "t5", "code"],
    ["rename-column", "t5", "code", "kind"],
    ["rename-table", "t7", "seven"],
    ["alter-type", "t5", "amount", "numeric(14, 2)"],
]


def add_views(dsn: str, tables: int) -> None:
    """Views on one table each; every tenth is on the one before it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for start in range(0, VIEWS, BATCH):
            text = "".join(
                f"CREATE VIEW v{number} AS SELECT * FROM v{number - 1};"
                if number % 10 == 9
                else f"CREATE VIEW v{number} AS SELECT id, code, amount * 2 AS twice, state FROM t{number % tables};"
                for number in range(start, start + BATCH)
            )
            connection.execute(text.encode())
        connection.execute("ANALYZE pg_catalog.pg_class, pg_catalog.pg_attribute, pg_catalog.pg_depend")


def measured(dsn: str) -> dict:
    command = [sys.executable, "-c", MEASURE, dsn, json.dumps(QUESTIONS)]
    return json.loads(subprocess.run(command, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE).stdout)


def compare(dsn: str, rounds: int) -> bool:
    """Time both in turns; whether every budget is kept."""
    pg_dump, dumps, found = find_pg_dump(), [], []
    with tempfile.TemporaryDirectory() as folder:
        for round_ in range(rounds + 1):
            wall, _ = run(pg_dump, "--schema-only", "--file", f"{folder}/schema.sql", "--dbname", dsn)
            own = measured(dsn)
            if round_:  # the first warms up
                dumps.append(wall)
                found.append(own)
    print(f"pg_dump --schema-only {statistics.median(dumps):.2f} s")
    held = report("graph", [each["graph"] for each in found], dumps, BUDGETS["graph"])
    for words in found[0]["asked"]:
        firsts = [each["asked"][words][0] for each in found]
        times = [each["asked"][words][1] for each in found]
        dependents = found[0]["asked"][words][2]
        name = f"{words}: {dependents} dependents, first {statistics.median(firsts) * 1000:.1f} ms"
        held &= report(name, times, dumps, BUDGETS["query"])
    for name in ("read_mib", "graph_mib", "peak_mib"):
        print(f"{name:<72} {max(each[name] for each in found):.0f} MiB")
    return held


def report(name: str, times: list[float], dumps: list[float], budget: float) -> bool:
    ratio = statistics.median(one / other for one, other in zip(times, dumps, strict=True))
    verdict = "ok" if ratio <= budget else "MISSED"
    seconds = statistics.median(times)
    shown = f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
    print(f"{name:<72} {ratio:.4f}x of pg_dump (budget {budget}x)  {verdict}, {shown}")
    return ratio <= budget


def measure(server: str, options: argparse.Namespace) -> bool:
    with database(server, options.tables) as dsn:
        add_views(dsn, options.tables)
        return compare(dsn, options.rounds)


async def measure_on_scratch(options: argparse.Namespace) -> bool:
    from dflint.postgres import start_server

    async with start_server() as server:
        return await asyncio.to_thread(measure, server.dsn(), options)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db")
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    held = measure(options.db, options) if options.db else asyncio.run(measure_on_scratch(options))
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
