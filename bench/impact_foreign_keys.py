"""How long the foreign-key impact of one table takes, beside one bare read of ``pg_constraint``.

    python bench/impact_foreign_keys.py [--db DSN] [--tables 1000] [--rounds 7]

A database with 1,000 tables and 3,000 foreign keys is made on a scratch server (or, with --db, on that server, and
dropped afterwards). In one process, over one open connection, each impact and the bare reads take turns: one SELECT of
twelve columns of pg_constraint, as rows in Python; and, in brackets and without a budget, the same of foreign keys
alone. A figure is the median of the rounds' ratios. From the first tables keys lead to nearly all others, so that
thousands of cascades are followed; from the last, to a few. Exit status 1 when the budget is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any, LiteralString

import psycopg
from catalog import BATCH, database_named

#: Ratio of the bare read's wall time.
BUDGET = 10.0
QUESTIONS = [
    ("drop_table", "t0", {}),
    ("drop_table", "t500", {}),
    ("drop_table", "t999", {}),
    ("drop_constraint", "t600", {"constraint_name": "t600_owner_id_fkey"}),
    ("drop_column", "t20", {"column_name": "code"}),
    ("drop_column", "t700", {"column_name": "owner_id"}),
    ("rename_column", "t3", {"column_name": "code", "new_name": "kind"}),
    ("rename_table", "t300", {"new_name": "renamed"}),
    ("modify_column_type", "t10", {"column_name": "code", "new_type": "text"}),
]
BARE = """
    SELECT oid, conname, conrelid, confrelid, conkey, confkey, confdeltype, confupdtype, confmatchtype, convalidated,
           condeferrable, condeferred
    FROM pg_catalog.pg_constraint
"""
BARE_KEYS = f"{BARE} WHERE contype = 'f'"


def table(number: int, others: tuple[int, int]) -> str:
    """A table with three foreign keys to tables made before it, or to itself."""
    return f"""
    CREATE TABLE t{number} (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        code varchar(40) NOT NULL UNIQUE,
        parent_id bigint REFERENCES t{number // 2} ON DELETE CASCADE,
        owner_id bigint REFERENCES t{others[0]} ON DELETE SET NULL ON UPDATE CASCADE,
        other_id bigint REFERENCES t{others[1]},
        amount numeric(12, 2) NOT NULL DEFAULT 0 CHECK (amount >= 0),
        state text NOT NULL DEFAULT 'new',
        note text,
        created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX ON t{number} (parent_id);
    """


def fill(dsn: str, tables: int) -> None:
    chosen = random.Random(1)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for start in range(0, tables, BATCH):
            numbers = range(start, min(start + BATCH, tables))
            near = [
                (chosen.randint(max(0, each - 60), each), chosen.randint(max(0, each - 60), each)) for each in numbers
            ]
            connection.execute("".join(map(table, numbers, near)).encode())
        connection.execute("VACUUM ANALYZE")


async def timed(work: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
    begin = time.perf_counter()
    found = await work()
    return time.perf_counter() - begin, found


async def compare(dsn: str, rounds: int) -> bool:
    """Time both in turns; whether the budget is kept by every question."""
    from dflint.app.foreign_keys import connected_impact
    from dflint.postgres import connect

    connection = await connect(dsn, autocommit=True)

    async def bare(query: LiteralString) -> list[Any]:
        return await (await connection.cursor(binary=True).execute(query)).fetchall()

    held = True
    for operation, name, details in QUESTIONS:
        ratios, of_keys, seconds, reads = [], [], [], []
        for round_ in range(rounds + 1):
            read, rows = await timed(lambda: bare(BARE))
            keys, _ = await timed(lambda: bare(BARE_KEYS))
            own, found = await timed(lambda: connected_impact(connection, operation, name, details))  # noqa: B023
            if round_:  # the first warms up
                ratios.append(own / read)
                of_keys.append(own / keys)
                seconds.append(own)
                reads.append(read)
        ratio = statistics.median(ratios)
        held &= ratio <= BUDGET
        print(
            f"{operation:<20}{name:<6}{ratio:5.1f}x of {len(rows)} rows (budget {BUDGET}x)  "
            f"{'ok' if ratio <= BUDGET else 'MISSED'} "
            f"[{statistics.median(of_keys):.1f}x of its foreign keys], {statistics.median(seconds) * 1000:.1f} ms "
            f"/ {statistics.median(reads) * 1000:.1f} ms, {len(found.affected_constraints)} keys, "
            f"{len(found.cascade_operations)} cascades"
        )
    await connection.close()
    return held


def measure(server: str, options: argparse.Namespace) -> bool:
    with database_named(server, "foreign_keys_bench") as dsn:
        fill(dsn, options.tables)
        return asyncio.run(compare(dsn, options.rounds))


async def measure_on_scratch(options: argparse.Namespace) -> bool:
    from dflint.postgres import start_server

    async with start_server() as server:
        return await asyncio.to_thread(measure, server.dsn(), options)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db")
    parser.add_argument("--tables", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    held = measure(options.db, options) if options.db else asyncio.run(measure_on_scratch(options))
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
