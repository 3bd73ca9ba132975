"""The statements that a server has counted: the extension pg_stat_statements, whichever version of it there is.

Its view has gained columns: ``toplevel`` and pg_stat_statements_info with 1.9, ``stats_since`` with 1.11. The columns
are looked up, not the version. Nobody records when a statement last ran; what sessions are running, or ran last, tells
it for some, from PostgreSQL 14 on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from dflint.model.uses import SeenStatement, SeenStatements

ORIGIN: Final = "pg_stat_statements"
#: What the view shows in place of the texts of other roles' statements.
_HIDDEN: Final = "<insufficient privilege>"
_TIMEOUT_MS: Final = 30_000

_INSTALLED: Final = SQL(
    """
    SELECT n.nspname, has_schema_privilege(n.oid, 'USAGE'),
           array(SELECT a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                 WHERE c.relnamespace = n.oid AND c.relname = 'pg_stat_statements' AND a.attnum > 0),
           EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'pg_stat_statements_info'),
           EXISTS (SELECT FROM pg_attribute a
                   WHERE a.attrelid = 'pg_catalog.pg_stat_activity'::regclass AND a.attname = 'query_id'),
           current_setting('pg_stat_statements.track', true)
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'pg_stat_statements'
    """
)
_STATEMENTS: Final = """
    WITH running AS MATERIALIZED ({running})
    SELECT s.query, sum(s.calls)::bigint, {since}, max(r.seen)
    FROM {{view}} s LEFT JOIN running r ON r.query_id = s.queryid
    WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY s.query
"""
_RUNNING: Final = """
    SELECT query_id, max(query_start) AS seen FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND query_id <> 0 GROUP BY query_id
"""
_NOTHING_RUNNING: Final = "SELECT NULL::bigint AS query_id, NULL::timestamptz AS seen"
_INFO: Final = SQL("SELECT dealloc, stats_reset FROM {info}")


async def read_statements(connection: psycopg.AsyncConnection[Any]) -> SeenStatements:
    """The statements that ran in the connection's database, by any role, with their number of calls.

    Nothing is raised where they cannot be had: the result then says why it is empty.

    Args:
        connection: in autocommit mode; it is used for reading only.
    """
    try:
        async with connection.transaction():
            await connection.execute("SET TRANSACTION READ ONLY")
            await connection.execute(f"SET LOCAL statement_timeout = {_TIMEOUT_MS:d}")
            return await _read(connection)
    except psycopg.errors.ObjectNotInPrerequisiteState:
        return _none("pg_stat_statements is not in shared_preload_libraries of this server, so it counts nothing")
    except psycopg.errors.InsufficientPrivilege as error:
        return _none(f"this role may not read pg_stat_statements: {_first_line(error)}")
    except psycopg.Error as error:
        return _none(f"pg_stat_statements could not be read: {_first_line(error)}")


async def _read(connection: psycopg.AsyncConnection[Any]) -> SeenStatements:
    installed = await (await connection.execute(_INSTALLED)).fetchone()
    if installed is None:
        return _none(
            "the extension pg_stat_statements is not installed in this database "
            "(CREATE EXTENSION pg_stat_statements, with the library in shared_preload_libraries)"
        )
    schema, usable, columns, has_info, knows_running, track = installed
    if not usable:
        return _none(f"this role may not use the schema {schema}, in which pg_stat_statements is")
    incomplete = ["pg_stat_statements.track is none: nothing new is counted"] if track == "none" else []
    reset = None
    if has_info:
        info = _INFO.format(info=Identifier(schema, "pg_stat_statements_info"))
        forgotten, reset = (await (await connection.execute(info)).fetchone()) or (0, None)
        if forgotten:
            incomplete.append(
                f"pg_stat_statements had no room and has forgotten rare statements {forgotten:,} times "
                "(pg_stat_statements.max)"
            )
    query = _query(schema, has_since="stats_since" in columns, knows_running=knows_running)
    rows = await (await connection.execute(query)).fetchall()
    hidden = sum(1 for text, *_ in rows if text is None or text == _HIDDEN)
    if hidden:
        incomplete.append(
            "the texts of other roles' statements are hidden from this role (GRANT pg_read_all_stats shows them)"
        )
    found = [
        SeenStatement(text, ORIGIN, calls, _iso(since or reset), _iso(seen))
        for text, calls, since, seen in rows
        if text is not None and text != _HIDDEN
    ]
    return SeenStatements(tuple(sorted(found, key=lambda each: (-(each.calls or 0), each.text))), tuple(incomplete))


def _query(schema: str, *, has_since: bool, knows_running: bool) -> Composed:
    since: LiteralString = "min(s.stats_since)" if has_since else "NULL::timestamptz"
    running: LiteralString = _RUNNING if knows_running else _NOTHING_RUNNING
    return SQL(_STATEMENTS.format(running=running, since=since)).format(view=Identifier(schema, "pg_stat_statements"))


def _none(reason: str) -> SeenStatements:
    return SeenStatements((), (reason,))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
