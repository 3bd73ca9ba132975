"""Taking all locks of a step before its first statement, within one time limit for all of them.

lock_timeout counts for each lock anew: eight tables whose readers end one after the other would stall others eight
times as long. And who already holds a lock while waiting for the next may make others' deadlock checks fail, if that
takes longer than deadlock_timeout.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import psycopg
from msgspec import Struct
from psycopg.sql import SQL, Composable, Composed, Identifier

from dflint.model import names

Connection = psycopg.AsyncConnection[Any]


class TableLock(Struct, frozen=True):
    """A lock on a table of its own, without its partitions and children."""

    schema: str
    table: str
    mode: str


_TABLES = """
    SELECT n.nspname::text, c.relname::text,
           pg_catalog.has_table_privilege(c.oid, %s)
           OR pg_catalog.pg_has_role(c.relowner, 'USAGE')
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
       AND (n.nspname, c.relname) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
     ORDER BY (SELECT count(*) FROM pg_catalog.pg_partition_ancestors(c.oid)), 1, 2
    """


def only_lock(predicted: Mapping[str, str]) -> tuple[TableLock, ...] | None:
    """The locks of a step that locks one table or none, without asking the server; None: it locks several.

    Whether the table is there and may be locked is found out by locking it: see `is_no_lock`.
    """
    modes = _modes(predicted)
    return tuple(TableLock(*parts, mode) for parts, mode in modes.items()) if len(modes) < 2 else None


def is_no_lock(error: psycopg.Error) -> bool:
    """Whether a table was not locked because it is not there, is no table, or is not this role's to lock."""
    return error.sqlstate in {"42P01", "3F000", "42809", "42501"}


async def locks_of(connection: Connection, predicted: Mapping[str, str]) -> tuple[TableLock, ...]:
    """Which tables that exist a step locks, in one order for everybody: partitioned tables first, then by name.

    What this role may not lock by itself is left to the statements.

    Args:
        predicted: printed identity -> strongest mode.
    """
    modes = _modes(predicted)
    if not modes:
        return ()
    schemas, tables = zip(*modes, strict=True)
    rows = await connection.execute(_TABLES, ["UPDATE,DELETE,TRUNCATE", list(schemas), list(tables)])
    return tuple(
        TableLock(schema, table, modes[schema, table]) for schema, table, allowed in await rows.fetchall() if allowed
    )


def _modes(predicted: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Schema and table -> mode, of what are tables."""
    found = {}
    for printed, mode in predicted.items():
        identity = names.Identity.parse(printed)
        if identity.kind == "table" and len(identity.parts) == 2:
            schema, table = identity.parts
            found[schema, table] = mode
    return found


async def begin_and_take(
    connection: Connection,
    locks: Sequence[TableLock],
    limit_ms: int,
    *,
    statement_ms: int,
    deadlock_ms: int | None,
    finally_: Composable,
) -> bool:
    """Begin a transaction and take the locks in it; in one round trip where all are of one mode.

    Args:
        connection: outside a transaction.
        locks: in order.
        limit_ms: for all of them together, and later for each lock that was not foreseen.
        statement_ms: for each statement after that; 0 is no limit.
        deadlock_ms: how long to wait before looking for a deadlock; None: as the session does.
        finally_: a query for when they are taken.

    Returns:
        Whether that query found anything.

    Raises:
        psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled: not within ``limit_ms`` altogether.
    """
    deadline = time.monotonic() + limit_ms / 1000
    parts: list[Composable] = [SQL("BEGIN"), _set("lock_timeout", limit_ms), _set("statement_timeout", limit_ms)]
    if deadlock_ms is not None:
        parts.append(_set("deadlock_timeout", deadlock_ms))
    for number, (mode, group) in enumerate(groupby(locks, key=lambda lock: lock.mode)):
        if number > 0:
            await connection.execute(SQL("; ").join(parts), prepare=False)
            left = max(1, int((deadline - time.monotonic()) * 1000))
            parts = [_set("lock_timeout", left), _set("statement_timeout", left)]
        parts.append(_lock(tuple(group), mode))
    parts += [_set("lock_timeout", limit_ms), _set("statement_timeout", statement_ms), finally_]
    cursor = await connection.execute(SQL("; ").join(parts), prepare=False)
    while cursor.nextset():
        pass
    return cursor.rowcount > 0


def _set(name: str, value: int) -> Composed:
    return SQL("SET LOCAL {} = {}").format(Identifier(name), value)


async def set_timeouts(connection: Connection, *, lock_ms: int, statement_ms: int, local: bool = True) -> None:
    """For the transaction that is open, or for the session. 0 is no limit."""
    query = "SELECT pg_catalog.set_config('lock_timeout', %s, %s), pg_catalog.set_config('statement_timeout', %s, %s)"
    await connection.execute(query, [str(lock_ms), local, str(statement_ms), local])


def _lock(tables: tuple[TableLock, ...], mode: str) -> Composed:
    # ONLY: the partitions and children that the step locks are in the list themselves.
    listed = SQL(", ").join(SQL("ONLY {}").format(Identifier(lock.schema, lock.table)) for lock in tables)
    return SQL("LOCK TABLE {} IN {} MODE").format(listed, SQL(mode))
