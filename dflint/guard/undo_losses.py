"""What taking a run back would lose: rows and values that came into what the run made."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from dflint.guard.ledger import Ledger
from dflint.guard.observe_indexes import relation_oid
from dflint.guard.resume import find
from dflint.guard.session import open_monitor
from dflint.guard.table_locks import Connection
from dflint.guard.undoing import UNDONE, reversed_plan
from dflint.model.names import Name
from dflint.model.operations.objects import DropObject
from dflint.model.operations.tables import DropColumn
from dflint.model.plan import Plan
from dflint.planning.statements import operations_of
from dflint.postgres.source import ConnectionSource


async def losses(source: ConnectionSource, run_id: str | None) -> tuple[str, ...]:
    """What would go with the tables and columns that undoing a run drops, in words. Writes nothing.

    Args:
        source: the database.
        run_id: None: the run that is unfinished.

    Raises:
        GuardRefused: a step cannot be taken back.
        InputError: there is no such run.
    """
    run = await find(source, run_id)
    if run is None or run.state in UNDONE:
        return ()
    async with await open_monitor(await source.dsn(), run_id=None) as connection:
        plan = reversed_plan(run, await Ledger(connection).steps(run.run_id))
        found = [await _lost(connection, table, column) for table, column in _dropped(plan)]
    return tuple(each for each in found if each is not None)


def _dropped(plan: Plan) -> Iterator[tuple[Name, str | None]]:
    """Tables, and columns of tables."""
    for step in plan.steps:
        for operation in operations_of(step.sql):
            if isinstance(operation, DropColumn):
                yield operation.target, operation.column
            elif isinstance(operation, DropObject) and operation.object_kind == "table" and operation.target:
                yield operation.target, None


async def _lost(connection: Connection, table: Name, column: str | None) -> str | None:
    """What of it would be lost; None: it is empty, or not there."""
    oid = await relation_oid(connection, table)
    if oid is None:
        return None
    shown = f"table {table}" if column is None else f"column {column} of {table}"
    try:
        query = await _any(connection, oid, column)
        row = await (await connection.execute(query)).fetchone()
    except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientPrivilege):
        return f"{shown} may hold rows or values, which go with it: it could not be looked at"
    if row is None or not row[0]:
        return None
    return f"{shown} holds {'rows' if column is None else 'values'}, which go with it"


async def _any(connection: Connection, oid: int, column: str | None) -> Composed:
    """The query whether a table has rows, or a column values other than its default."""
    names = "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
    cursor = await connection.execute(f"{names} ON n.oid = c.relnamespace WHERE c.oid = %s".encode(), [oid])
    row = await cursor.fetchone()
    assert row is not None
    source = Identifier(*row)
    if column is None:
        return SQL("SELECT EXISTS (SELECT FROM {})").format(source)
    usual = """
        SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d
          JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
         WHERE a.attrelid = %s AND a.attname = %s"""
    row = await (await connection.execute(usual, [oid, column])).fetchone()
    # As the server itself writes it.
    expression = SQL("NULL" if row is None else f"({row[0]})")
    query = SQL("SELECT EXISTS (SELECT FROM {} WHERE {} IS DISTINCT FROM {})")
    return query.format(source, Identifier(column), expression)
