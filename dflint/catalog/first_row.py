"""Whether a query finds anything, asked of a database that others are using."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg.sql import SQL

from dflint.postgres.source import ConnectionSource

#: Where there is no such row, tables are read from end to end.
_SETTINGS: Final = (
    ("statement_timeout", "30s"),
    ("lock_timeout", "1s"),
    # Rows that a policy hides count too: with this the server refuses to leave them out.
    ("row_security", "off"),
)


async def finds_row(source: ConnectionSource, query: str) -> bool | None:
    """Whether a query gives a row.

    Args:
        query: one that only reads; its names and values are quoted.

    Returns:
        None where it cannot be told: it takes longer than half a minute, may not be read, or somebody has it locked.

    Raises:
        ServerError: the database cannot be reached.
    """
    connection = await source.connect()
    try:
        async with connection.transaction():
            await connection.execute(SQL("SET TRANSACTION READ ONLY"))
            for name, value in _SETTINGS:
                await connection.execute(SQL("SELECT pg_catalog.set_config(%s, %s, true)"), (name, value))
            return await (await connection.execute(query.encode())).fetchone() is not None
    except psycopg.Error:
        return None
    finally:
        await connection.close()
