"""How well are durations foretold? Thirty operations on tables of 0.1 to 5 GB, estimated before and measured after.

    python bench/estimates.py [--scale 1.0] [--major 18] [--markdown]

On a scratch server on disk with PostgreSQL's default settings. Before each operation its speed is measured, as
`dflint plan --calibrate` does, and the operation is planned against the live database; then it runs in a transaction
that is rolled back, so that the next one finds the same table. Also looked at: how much log was written, and how much
larger the database was before the end.

At least 90 of 100 durations have to lie inside their range, whose ends may differ by at most 4 times. Exit status 1
when they do not.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import Final, NamedTuple

import psycopg
from psycopg.conninfo import make_conninfo

from dflint.app.plan import plan_sql
from dflint.app.snapshot import read_live
from dflint.catalog.speed import measure_speed
from dflint.model.calibration import Calibration
from dflint.model.plan import Estimate
from dflint.postgres.scratch import Scratch

INSIDE: Final = 0.9
RATIO: Final = 4.0

OPERATIONS: Final = {
    "index on numbers": "CREATE INDEX ON {table} (n)",
    "index on texts": "CREATE INDEX ON {table} (note)",
    "change type": "ALTER TABLE {table} ALTER COLUMN n TYPE bigint",
    "foreign key": "ALTER TABLE {table} ADD FOREIGN KEY (other_id) REFERENCES other",
    "check": "ALTER TABLE {table} ADD CHECK (n IS NOT NULL)",
    "not null": "ALTER TABLE {table} ALTER COLUMN n SET NOT NULL",
    "volatile default": "ALTER TABLE {table} ADD COLUMN token uuid DEFAULT gen_random_uuid()",
    "reindex": "REINDEX TABLE {table}",
    "unique": "ALTER TABLE {table} ADD UNIQUE (other_id, id)",
}
#: Table -> megabytes, whether its rows are wide, and what is done to it.
TABLES: Final = {
    "lean_100": (100, False, ("index on numbers", "index on texts", "change type", "foreign key", "volatile default")),
    "lean_400": (400, False, ("index on numbers", "index on texts", "check", "reindex", "unique")),
    "lean_1500": (1500, False, ("index on numbers", "index on texts", "change type", "foreign key", "not null")),
    "wide_250": (250, True, ("index on numbers", "index on texts", "change type", "volatile default", "check")),
    "wide_1000": (1000, True, ("index on numbers", "change type", "foreign key", "not null", "reindex")),
    "wide_5000": (5000, True, ("index on numbers", "index on texts", "change type", "foreign key", "check")),
}


class Result(NamedTuple):
    """One operation: what was said before, and what it took.

    Attributes:
        seconds, log, space: as measured; seconds, and bytes.
    """

    table: str
    operation: str
    estimate: Estimate
    seconds: float
    log: int
    space: int

    @property
    def inside(self) -> bool:
        return self.estimate.low_s <= self.seconds <= self.estimate.high_s

    @property
    def ratio(self) -> float:
        return self.estimate.high_s / self.estimate.low_s


def make(connection: psycopg.Connection[tuple[object, ...]], table: str, size: float, *, wide: bool) -> None:
    pad = ", repeat(md5(g::text), 13) AS pad" if wide else ""
    rows = round(size * 1e6 / (513 if wide else 77))
    columns = (
        "g::bigint AS id, hashint4(g) AS n, 'row number ' || hashint4(g) AS note, (g % 1000 + 1)::bigint AS other_id"
    )
    for statement in (
        f"CREATE TABLE {table} AS SELECT {columns}{pad} FROM generate_series(1, {rows}) g",
        f"ALTER TABLE {table} ADD PRIMARY KEY (id)",
        f"VACUUM ANALYZE {table}",
        "CHECKPOINT",
    ):
        connection.execute(statement.encode())


async def speed(dsn: str) -> Calibration:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        return await measure_speed(connection)


def measured(dsn: str, table: str, name: str, calibration: Calibration) -> Result:
    sql = OPERATIONS[name].format(table=table)
    catalog = asyncio.run(read_live(dsn))
    (step,) = plan_sql(sql, catalog, version=catalog.version or 18, calibration=calibration).steps
    assert step.estimate is not None
    with psycopg.connect(dsn, autocommit=True) as connection:
        log, space = _written(connection)
        with connection.transaction(force_rollback=True):
            began = time.monotonic()
            connection.execute(sql.encode())
            seconds = time.monotonic() - began
            log_after, space_after = _written(connection)
    return Result(table, name, step.estimate, seconds, log_after - log, space_after - space)


def _written(connection: psycopg.Connection[tuple[object, ...]]) -> tuple[int, int]:
    row = connection.execute(
        b"SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, pg_database_size(current_database())"
    ).fetchone()
    assert row is not None
    return int(str(row[0])), int(str(row[1]))


def shown(result: Result, *, markdown: bool) -> str:
    said = result.estimate
    times = f"{said.low_s:.2f} to {said.high_s:.2f} s"
    if markdown:
        verdict = "" if result.inside else " (outside)"
        return f"| {result.table} | {result.operation} | {times} | {result.seconds:.2f} s{verdict} |"
    others = "  ".join(
        f"{what} {size / 1e6:.0f} of {low / 1e6:.0f} to {high / 1e6:.0f} MB"
        for what, size, (low, high) in (
            ("log", result.log, said.wal_bytes or (0, 0)),
            ("space", result.space, said.disk_bytes or (0, 0)),
        )
    )
    verdict = "ok" if result.inside else "OUTSIDE"
    return f"{result.table:10} {result.operation:17} {result.seconds:7.2f} of {times:18} {verdict:8} {others}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--major", type=int)
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    results: list[Result] = []
    if given.markdown:
        print("| table | operation | estimate | measured |\n|---|---|---|---|")
    with Scratch(given.major, settings={}, in_memory=False) as scratch:
        dsn = make_conninfo(**scratch.parameters("postgres"))
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(b"CREATE TABLE other (id bigint PRIMARY KEY)")
            connection.execute(b"INSERT INTO other SELECT g FROM generate_series(1, 1000) g")
            connection.execute(b"VACUUM ANALYZE other")
            for table, (size, wide, names) in TABLES.items():
                make(connection, table, size * given.scale, wide=wide)
                for name in names:
                    results.append(measured(dsn, table, name, asyncio.run(speed(dsn))))
                    print(shown(results[-1], markdown=given.markdown), flush=True)
                connection.execute(f"DROP TABLE {table}".encode())
    inside = sum(each.inside for each in results) / len(results)
    widest = max(each.ratio for each in results)
    print(f"\n{inside:.0%} of {len(results)} durations inside; ends differ by {widest:.2f} times at most")
    return int(inside < INSIDE or widest > RATIO + 1e-9)


if __name__ == "__main__":
    sys.exit(main())
