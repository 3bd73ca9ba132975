"""Is this the database that the run was started on?

A copy of a data directory is hard to tell from the original: system identifier, timeline and OIDs are the same. What
differs is where it is: the directory, the address, the port; and when its server started. What cannot be known: whether
a server that was restarted, whose directory this role may not see, and which answers at the same address, is the
original or a copy put in its place.
"""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.guard.errors import GuardRefused
from dflint.model.run import Identity

__all__ = ["Identity", "assert_same", "differences", "identity_of"]

#: What everybody may read. The functions are called only if they may be: some providers revoke them.
_PLAIN = """
SELECT d.oid::bigint, d.datname,
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory'),
       host(inet_server_addr()), current_setting('port')::int, pg_postmaster_start_time(),
       coalesce(has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE'), false),
       NOT pg_is_in_recovery()
           AND has_function_privilege('pg_catalog.pg_walfile_name(pg_lsn)', 'EXECUTE')
           AND has_function_privilege('pg_catalog.pg_current_wal_lsn()', 'EXECUTE'),
       EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'dflint' AND c.relname = 'meta'
                  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
  FROM pg_catalog.pg_database d WHERE d.datname = current_database()"""

_SYSTEM = "(SELECT system_identifier::text FROM pg_control_system())"
# Not the one of pg_control_checkpoint(), which is old until the first checkpoint after a promotion.
_TIMELINE = "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"
_MARKER = "(SELECT marker::text FROM dflint.meta LIMIT 1)"


async def identity_of(connection: AsyncConnection) -> Identity:
    """Which database a session reached, as far as its role may know. Two short queries."""
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(_PLAIN)
    row = await cursor.fetchone()
    assert row is not None
    oid, name, directory, address, port, started_at, may_system, may_timeline, has_marker = row
    allowed = ((may_system, _SYSTEM), (may_timeline, _TIMELINE), (has_marker, _MARKER))
    columns = ", ".join(expression if may else "NULL" for may, expression in allowed)
    await cursor.execute(b"SELECT " + columns.encode())
    system, timeline, marker = await cursor.fetchone() or (None, None, None)
    return Identity(
        system_identifier=system,
        timeline=timeline,
        database_oid=oid,
        database=name,
        data_directory=directory,
        address=address,
        port=port,
        started_at=started_at,
        marker=marker,
    )


def differences(expected: Identity, found: Identity) -> tuple[str, ...]:
    """Why this is, or may be, another database than expected: a sentence each; none: nothing says so.

    What either side does not know is not compared.
    """
    names = {
        "system_identifier": "it belongs to another cluster",
        "timeline": "the cluster was promoted or restored meanwhile",
        "database_oid": "it is another database of the cluster",
        "data_directory": "its server works in another data directory, as a copy would",
        "marker": "its journal was made apart from this one",
    }
    found_out = [
        f"{why} ({field.replace('_', ' ')} {getattr(found, field)}, expected {getattr(expected, field)})"
        for field, why in names.items()
        if None not in {getattr(expected, field), getattr(found, field)}
        and getattr(expected, field) != getattr(found, field)
    ]
    if not found_out and _may_be_a_copy(expected, found):
        place = f"{found.address or 'local socket'} port {found.port}"
        before = f"{expected.address or 'local socket'} port {expected.port}"
        found_out.append(f"its server was started later and is at {place}, not at {before}: it may be a copy")
    return tuple(found_out)


def _may_be_a_copy(expected: Identity, found: Identity) -> bool:
    """Somewhere else, and not the same postmaster, which would only have been reached in another way."""
    if expected.started_at == found.started_at:
        return False
    if None not in {expected.data_directory, found.data_directory} and expected.port == found.port:
        # The same directory, and only one server can have it; the address may be that of a new container.
        return expected.address != found.address and None not in {expected.address, found.address}
    return (expected.address, expected.port) != (found.address, found.port)


def assert_same(expected: Identity, found: Identity) -> None:
    """Refuse another database.

    Raises:
        GuardRefused: it is, or may be, another one than expected.
    """
    reasons = differences(expected, found)
    if reasons:
        raise GuardRefused(
            f"this may not be the database that the run was started on: {'; '.join(reasons)}",
            state="nothing was changed; the run is as its journal here says",
            next="look which database is the right one; if it is this one, say so with --accept-target",
        )
