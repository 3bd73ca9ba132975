"""Whether a column may hold nulls, and whether it does."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import psycopg
from psycopg.sql import SQL, Identifier

from dflint.model.names import Name
from dflint.postgres.source import ConnectionSource

#: A table without nulls is read from end to end.
_TIMEOUT_MS: Final = 30_000
_STATE: Final = SQL(
    """
    SELECT n.nspname, c.relname, a.attname, a.attnotnull,
           coalesce((SELECT bool_and(k.convalidated) FROM pg_catalog.pg_constraint k
                     WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]), true)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.oid = pg_catalog.to_regclass(%s) AND a.attname = (pg_catalog.parse_ident(%s))[1]
    """
)


class NotNullState(NamedTuple):
    """How it stands with a column.

    Attributes:
        required: new rows need a value.
        validated: the server vouches for all rows.
        nulls: rows without a value; counted only where the server does not vouch for them, else 0.
    """

    required: bool
    validated: bool
    nulls: int


async def not_null_state(connection: psycopg.AsyncConnection[Any], table: str, column: str) -> NotNullState | None:
    """How it stands with a column; None where there is none of that name.

    Args:
        connection: it is used for reading only.
        table, column: in SQL spelling.
    """
    row = await (await connection.execute(_STATE, (table, column))).fetchone()
    if row is None:
        return None
    schema, relation, name, required, validated = row
    if required and validated:
        return NotNullState(required=True, validated=True, nulls=0)
    query = SQL("SELECT count(*) FROM {} WHERE {} IS NULL").format(Identifier(schema, relation), Identifier(name))
    counted = await (await connection.execute(query)).fetchone()
    return NotNullState(required=required, validated=validated, nulls=int(counted[0]) if counted is not None else 0)


async def row_without_value(source: ConnectionSource, table: Name, column: str | None) -> bool | None:
    """Whether a table has a row without a value in a column; with None for the column, whether it has any row.

    Returns:
        None where it cannot be told: it takes longer than half a minute, may not be read, or somebody has it locked.

    Raises:
        ServerError: the database cannot be reached.
    """
    query = SQL("SELECT 1 FROM {}").format(Identifier(table.schema or "public", table.name))
    if column is not None:
        query += SQL(" WHERE {} IS NULL").format(Identifier(column))
    connection = await source.connect()
    try:
        async with connection.transaction():
            await connection.execute(SQL("SET TRANSACTION READ ONLY"))
            # Rows that a policy hides are in the way too: with row_security off the server refuses to hide them.
            for name, value in (("statement_timeout", str(_TIMEOUT_MS)), ("row_security", "off")):
                await connection.execute(SQL("SELECT pg_catalog.set_config(%s, %s, true)"), (name, value))
            return await (await connection.execute(query + SQL(" LIMIT 1"))).fetchone() is not None
    except psycopg.Error:
        return None
    finally:
        await connection.close()
