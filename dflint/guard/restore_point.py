"""A named place in the write-ahead log: where a server with an archive can be brought back to."""

from __future__ import annotations

from typing import Any

import psycopg

_POSSIBLE = """
SELECT pg_catalog.has_function_privilege('pg_catalog.pg_create_restore_point(text)', 'EXECUTE')
       AND pg_catalog.current_setting('wal_level') <> 'minimal' AND NOT pg_catalog.pg_is_in_recovery()
"""
_CREATE = "SELECT pg_catalog.pg_create_restore_point(%s)::pg_catalog.text"


async def create_restore_point(connection: psycopg.AsyncConnection[Any], run_id: str) -> dict[str, str]:
    """Mark the place in the log before a run that cannot be taken back.

    Source: https://www.postgresql.org/docs/current/functions-admin.html (recovery control functions).

    Args:
        connection: on a primary.
        run_id: the point is named after it.

    Returns:
        ``restore_point``, its name for recovery_target_name, and ``restore_lsn``; nothing where the role may not make
        one, or the server's log could not be used so.
    """
    possible = await (await connection.execute(_POSSIBLE)).fetchone()
    if possible is None or not possible[0]:
        return {}
    name = f"dflint_{run_id}"
    created = await (await connection.execute(_CREATE, (name,))).fetchone()
    assert created is not None
    return {"restore_point": name, "restore_lsn": str(created[0])}
