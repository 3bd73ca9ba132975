"""Whether a column may hold nulls, and whether it does."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import psycopg
from psycopg.sql import SQL, Identifier

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
