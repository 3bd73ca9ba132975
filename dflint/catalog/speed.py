"""How fast a server is: the prices of units of a migration's work, measured on tables that nobody ever sees."""

from __future__ import annotations

import time
from typing import Any, Final

import psycopg
from psycopg.sql import SQL

from dflint.model.calibration import Calibration, Unit
from dflint.model.errors import ServerError

#: What is measured times this is more than what the same took in the tests, and divided by it is less.
SPREAD: Final = 2.0
#: The times of changes of the catalogs alone differ more than they last.
_STATEMENT_S: Final = 0.002
_LEAST_S: Final = 1e-9
_LIMIT_MS: Final = 30_000

_LEAN_ROWS: Final = 250_000
_WIDE_ROWS: Final = 40_000
_VALUES: Final = 10_000

_SETUP: Final = (
    SQL("CREATE SCHEMA dflint_calibration"),
    SQL("CREATE TABLE dflint_calibration.other (id bigint PRIMARY KEY)"),
    SQL("INSERT INTO dflint_calibration.other SELECT g FROM pg_catalog.generate_series(1, 1000) g"),
    SQL(
        "CREATE TABLE dflint_calibration.lean AS SELECT g::bigint AS id, pg_catalog.hashint4(g) AS n,"
        " 'row number ' OPERATOR(pg_catalog.||) pg_catalog.hashint4(g)::text AS note,"
        " (g OPERATOR(pg_catalog.%) 1000 OPERATOR(pg_catalog.+) 1)::bigint AS other_id"
        " FROM pg_catalog.generate_series(1, 250000) g"
    ),
    SQL(
        "CREATE TABLE dflint_calibration.wide AS SELECT g::bigint AS id, g AS n,"
        " pg_catalog.repeat(pg_catalog.md5(g::text), 13) AS note FROM pg_catalog.generate_series(1, 40000) g"
    ),
    # The first reading of a row writes to its page that it is committed.
    SQL("SELECT pg_catalog.count(*) FROM dflint_calibration.lean"),
    SQL("SELECT pg_catalog.count(*) FROM dflint_calibration.wide"),
)
_SIZES: Final = SQL(
    "SELECT pg_catalog.pg_table_size('dflint_calibration.lean'), pg_catalog.pg_table_size('dflint_calibration.wide')"
)
_STATEMENT: Final = SQL("ALTER TABLE dflint_calibration.lean ALTER COLUMN id SET STATISTICS 50")
_READ: Final = (
    SQL("ALTER TABLE dflint_calibration.lean ADD CHECK (n IS NOT NULL)"),
    SQL("ALTER TABLE dflint_calibration.wide ADD CHECK (n IS NOT NULL)"),
)
_WRITE: Final = (
    SQL("ALTER TABLE dflint_calibration.lean ALTER COLUMN n TYPE bigint"),
    SQL("ALTER TABLE dflint_calibration.wide ALTER COLUMN n TYPE bigint"),
)
_SORT_NUMBERS: Final = SQL("CREATE INDEX ON dflint_calibration.lean (n)")
_KEEP_NUMBERS: Final = SQL("CREATE INDEX ON dflint_calibration.lean (id)")
_SORT_TEXTS: Final = SQL("CREATE INDEX ON dflint_calibration.lean (note)")
_JOIN: Final = SQL("ALTER TABLE dflint_calibration.lean ADD FOREIGN KEY (other_id) REFERENCES dflint_calibration.other")
_MAKE: Final = SQL("SELECT pg_catalog.count(pg_catalog.gen_random_uuid()) FROM pg_catalog.generate_series(1, 10000)")


async def measure_speed(connection: psycopg.AsyncConnection[Any]) -> Calibration:
    """Prices of the units of work on a server, as busy as it is: a few seconds of reading, sorting and writing.

    It is done on tables of a schema of its own, in a transaction that is rolled back, so that nobody ever sees or waits
    for them; about 150 MB are written to the log, and as much to files that are gone afterwards.

    Args:
        connection: in autocommit mode, of a role that may create schemas.

    Raises:
        ServerError: it cannot be measured, because the server refuses it or is too slow.
    """
    try:
        async with connection.transaction(force_rollback=True):
            await connection.execute(SQL("SELECT set_config('statement_timeout', %s, true)"), (str(_LIMIT_MS),))
            for statement in _SETUP:
                await connection.execute(statement)
            return await _measured(connection)
    except psycopg.Error as error:
        raise ServerError(
            f"the server's speed cannot be measured: {str(error).splitlines()[0]}",
            remedy="leave --calibrate out, or connect as a role that may create schemas",
        ) from error


async def _measured(connection: psycopg.AsyncConnection[Any]) -> Calibration:
    row = await (await connection.execute(_SIZES)).fetchone()
    assert row is not None
    lean, wide = (_LEAN_ROWS, int(row[0])), (_WIDE_ROWS, int(row[1]))
    statement = await _seconds(connection, _STATEMENT)
    read = _line(lean, wide, await _seconds(connection, _READ[0]), await _seconds(connection, _READ[1]))
    numbers = await _seconds(connection, _SORT_NUMBERS)
    await connection.execute(SQL("DROP INDEX dflint_calibration.lean_n_idx"))
    kept = await _seconds(connection, _KEEP_NUMBERS)
    await connection.execute(SQL("DROP INDEX dflint_calibration.lean_id_idx"))
    texts = await _seconds(connection, _SORT_TEXTS)
    await connection.execute(SQL("DROP INDEX dflint_calibration.lean_note_idx"))
    join = await _seconds(connection, _JOIN)
    write = _line(lean, wide, await _seconds(connection, _WRITE[0]), await _seconds(connection, _WRITE[1]))
    reading = read[0] * lean[0] + read[1] * lean[1]
    prices: dict[Unit, float] = {
        "statement": max(statement, _STATEMENT_S),
        "row_read": read[0],
        "byte_read": read[1],
        "row_written": write[0],
        "byte_written": write[1],
        "number_sorted": max(numbers - reading, _LEAST_S) / _LEAN_ROWS,
        "number_kept": max(kept - reading, _LEAST_S) / _LEAN_ROWS,
        "text_sorted": max(texts - reading, _LEAST_S) / _LEAN_ROWS,
        "row_joined": max(join - reading, _LEAST_S) / _LEAN_ROWS,
        "value_made": await _seconds(connection, _MAKE) / _VALUES,
    }
    return Calibration(prices, SPREAD, "the speed that was measured on this server")


async def _seconds(connection: psycopg.AsyncConnection[Any], statement: SQL) -> float:
    began = time.monotonic()
    await connection.execute(statement)
    return time.monotonic() - began


def _line(one: tuple[int, int], other: tuple[int, int], first: float, second: float) -> tuple[float, float]:
    """Seconds for a row and for a byte, of what two tables took; neither below nothing.

    Args:
        one, other: rows and bytes of the tables.
        first, second: what they took.
    """
    (rows, size), (other_rows, other_size) = one, other
    whole = rows * other_size - other_rows * size
    of_row = (first * other_size - second * size) / whole
    of_byte = (second * rows - first * other_rows) / whole
    if of_byte < 0:
        return (first + second) / (rows + other_rows), 0.0
    return (of_row, of_byte) if of_row >= 0 else (0.0, (first + second) / (size + other_size))
