"""Drops an object and takes it back: PostgreSQL's word on what goes."""

from __future__ import annotations

import psycopg
from psycopg import Connection, sql

from dflint.model.names import Identity
from tests.analysis.judge.listing import existing, gone

_STATEMENTS = {
    "table": "DROP TABLE {}",
    "foreign_table": "DROP FOREIGN TABLE {}",
    "view": "DROP VIEW {}",
    "materialized_view": "DROP MATERIALIZED VIEW {}",
    "index": "DROP INDEX {}",
    "sequence": "DROP SEQUENCE {}",
    "type": "DROP TYPE {}",
    "domain": "DROP DOMAIN {}",
    "function": "DROP FUNCTION {}",
    "procedure": "DROP PROCEDURE {}",
    "aggregate": "DROP AGGREGATE {}",
    "column": "ALTER TABLE {} DROP COLUMN {}",
    "constraint": "ALTER TABLE {} DROP CONSTRAINT {}",
    "fk": "ALTER TABLE {} DROP CONSTRAINT {}",
}


def statement(identity: Identity) -> sql.Composed | None:
    """The command that drops it; None of what is dropped in another way."""
    text = _STATEMENTS.get(identity.kind)
    if text is None:
        return None
    if identity.kind in ("function", "procedure", "aggregate"):
        schema, signature = identity.parts
        name, _, arguments = signature.partition("(")
        return sql.SQL(text).format(sql.SQL("{}({}").format(sql.Identifier(schema, name), sql.SQL(arguments)))
    return sql.SQL(text).format(sql.Identifier(*identity.parts[:2]), *map(sql.Identifier, identity.parts[2:]))


def attempt(connection: Connection, command: sql.Composed, before: set[str]) -> tuple[str | None, set[str]]:
    """The sqlstate with which the server refuses a command, None if it does not; and what the command removes.

    It is taken back.
    """
    connection.execute("SAVEPOINT attempt")
    try:
        connection.execute(command)
        return None, gone(before, existing(connection))
    except psycopg.Error as error:
        return error.sqlstate, set()
    finally:
        connection.execute("ROLLBACK TO SAVEPOINT attempt")
        connection.execute("RELEASE SAVEPOINT attempt")
