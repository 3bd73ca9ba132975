"""Drops everything there is, one after the other, and takes it back: PostgreSQL's word on what goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

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


class Dropped(NamedTuple):
    """What the server did with one object.

    Attributes:
        target: its identity.
        refused: the sqlstate without CASCADE; None: dropped.
        impossible: the sqlstate with CASCADE; None: dropped.
        removed: what CASCADE removed, the target left out.
    """

    target: str
    refused: str | None
    impossible: str | None
    removed: frozenset[str]


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


def drop_each(connection: Connection) -> Iterator[Dropped]:
    """What becomes of everything when each object is dropped. Nothing is, in the end."""
    before = existing(connection)
    for target in sorted(before):
        command = None if " " in target and target.startswith("publication:") else statement(Identity.parse(target))
        if command is None:
            continue
        refused, _ = _try(connection, command, before)
        impossible, removed = _try(connection, command + sql.SQL(" CASCADE"), before)
        yield Dropped(target, refused, impossible, frozenset(removed - {target}))


def _try(connection: Connection, command: sql.Composed, before: set[str]) -> tuple[str | None, set[str]]:
    connection.execute("SAVEPOINT attempt")
    try:
        connection.execute(command)
        return None, gone(before, existing(connection))
    except psycopg.Error as error:
        return error.sqlstate, set()
    finally:
        connection.execute("ROLLBACK TO SAVEPOINT attempt")
        connection.execute("RELEASE SAVEPOINT attempt")
