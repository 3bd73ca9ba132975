"""The ledger's schema in the target database: there, made, or refused."""

from __future__ import annotations

import asyncio
from typing import Literal

import psycopg
from psycopg import AsyncConnection

from dflint.guard.errors import GuardRefused
from dflint.guard.ledger_schema import CREATE, TABLES, VERSION
from dflint.guard.lock_keys import KEY_CLASS, LEDGER_KEY

_TRIES = 100
_PAUSE_S = 0.1


async def ledger_exists(connection: AsyncConnection) -> bool:
    """Whether this database has a ledger that this role may read. Writes nothing."""
    return await _found(connection) == "usable"


async def ensure_ledger(connection: AsyncConnection) -> None:
    """Make the ledger if there is none; check it if there is.

    Raises:
        GuardRefused: it is of another version of dflint, or this role may not make or use it. Nothing was written.
    """
    found = await _found(connection)
    if found == "absent":
        await _create(connection)
    elif found == "foreign":
        raise GuardRefused(
            "there is a schema dflint in this database which is not dflint's journal",
            next="rename that schema, or give the role CREATE on it if it is meant for the journal",
        )
    elif found == "hidden":
        raise GuardRefused(
            "this role may not use the journal in schema dflint",
            next="GRANT USAGE ON SCHEMA dflint TO the role, and SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA dflint",
        )
    await _check(connection)


async def _found(connection: AsyncConnection) -> Literal["absent", "foreign", "hidden", "usable"]:
    """What there is under the name ``dflint``: nothing to speak of, somebody else's schema, ours."""
    row = await _row(
        connection,
        """SELECT n.oid IS NOT NULL, n.oid IS NULL OR has_schema_privilege(n.oid, 'CREATE'),
                  n.oid IS NOT NULL AND has_schema_privilege(n.oid, 'USAGE'),
                  EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = n.oid AND relname = 'meta'),
                  EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = n.oid)
             FROM (SELECT) AS one LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'dflint'""",
    )
    schema, may_create, may_use, has_meta, has_anything = row
    if has_meta:
        return "usable" if may_use else "hidden"
    if schema and (has_anything or not may_create):
        return "foreign"
    return "absent"


async def _create(connection: AsyncConnection) -> None:
    may_create = await _row(
        connection,
        """SELECT has_database_privilege(current_database(), 'CREATE')
                  OR EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'dflint')""",
    )
    if not may_create[0]:
        raise GuardRefused(
            "this role may not create schema dflint, in which the journal of migrations is kept",
            next="let an administrator run: CREATE SCHEMA dflint AUTHORIZATION <role>",
        )
    for _ in range(_TRIES):
        # Tried, not waited for: whoever waits in a statement keeps CREATE INDEX CONCURRENTLY elsewhere from finishing.
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '2s'")
            row = await _row(connection, "SELECT pg_try_advisory_xact_lock(%s::int, %s::int)", KEY_CLASS, LEDGER_KEY)
            if row[0]:
                if await _found(connection) == "absent":
                    await _create_now(connection)
                return
        await asyncio.sleep(_PAUSE_S)
    raise GuardRefused(
        "somebody else has been creating schema dflint for a while", next="see who in pg_stat_activity, then try again"
    )


async def _create_now(connection: AsyncConnection) -> None:
    schema = await _row(connection, "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'dflint'")
    try:
        if not schema[0]:
            # IF NOT EXISTS would ask for the right to create it, also where it is there.
            await connection.execute("CREATE SCHEMA dflint")
        await connection.execute(CREATE.encode())
    except psycopg.Error as error:
        raise GuardRefused(
            f"schema dflint, in which the journal of migrations is kept, cannot be made: {_one_line(error)}",
            next="remove the reason, or let an administrator create it",
        ) from error


async def _check(connection: AsyncConnection) -> None:
    wanted = [(f"dflint.{table}", privilege) for table, privileges in TABLES.items() for privilege in privileges]
    cursor = await connection.execute(
        """SELECT name, privilege, coalesce(has_table_privilege(to_regclass(name), privilege), false)
             FROM unnest(%s::text[], %s::text[]) AS wanted (name, privilege)""",
        ([name for name, _ in wanted], [privilege for _, privilege in wanted]),
    )
    refused = sorted({f"{privilege} on {name}" for name, privilege, may in await cursor.fetchall() if not may})
    version = None
    if "SELECT on dflint.meta" not in refused:
        version = (await _row(connection, "SELECT max(schema_version) FROM dflint.meta"))[0]
        if version != VERSION:
            raise GuardRefused(
                f"the journal in schema dflint is of version {version}, this dflint writes version {VERSION}",
                next="use the dflint that wrote it, or a newer one",
            )
    if refused:
        raise GuardRefused(
            f"this role lacks {', '.join(refused)}",
            next="GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA dflint TO the role",
        )


async def _row(connection: AsyncConnection, query: str, *parameters: object) -> tuple[object, ...]:
    cursor = await connection.execute(query.encode(), parameters or None)
    row = await cursor.fetchone()
    assert row is not None
    return row


def _one_line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
