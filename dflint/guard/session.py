"""The two kinds of sessions of a guarded execution: the one that does everything, and the one that looks on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import psycopg
from psycopg import AsyncConnection

from dflint.guard.errors import GuardRefused
from dflint.guard.identity import Identity, identity_of
from dflint.postgres import connect, printable

__all__ = ["Identity", "identity_of", "open_executor", "open_monitor", "session_name"]

OLDEST_MAJOR = 14

#: libpq's side of keepalives: the client, too, has to notice that the cable was cut.
_KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}

#: Settings of the executing session, as pg_settings has them. Both the keepalives and the check are needed for a
#: server to notice within seconds that the client is gone: the check alone does not see a cut cable, keepalives alone
#: do not end a running statement.
_EXECUTOR = {
    "client_connection_check_interval": "2000",
    "idle_session_timeout": "0",
    # A process that was stopped in the middle must not keep tables locked for ever.
    "idle_in_transaction_session_timeout": "60000",
    "lock_timeout": "0",
    "statement_timeout": "0",
    # With a stronger isolation, the lock's own snapshot would be waited for by CREATE INDEX CONCURRENTLY.
    "default_transaction_isolation": "read committed",
}
_OVER_TCP = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    # Keepalives are not sent while an answer of the server has not been acknowledged: without this, the kernel would
    # send that again for a quarter of an hour.
    "tcp_user_timeout": "25000",
}
_SINCE_17 = {"transaction_timeout": "0"}

_MONITOR = {
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "1000",
    "lock_timeout": "100",
    "statement_timeout": "1000",
    "default_transaction_isolation": "read committed",
}
#: How long a second client may wait for a pooler, seconds.
_POOL_PATIENCE_S = 3.0
#: Not every platform has them. Without them, a statement of a process that is gone goes on to its end.
_OPTIONAL = frozenset({"client_connection_check_interval", "tcp_user_timeout"})


async def open_executor(dsn: str, *, run_id: str | None, allow_session_pooling: bool = False) -> AsyncConnection:
    """The session that holds the lock and runs every statement. If it dies, so does the lock, and nothing more can run.

    Autocommit. Writes nothing.

    Args:
        dsn: a connection string for the server itself.
        run_id: shown in the session's name; None: none.
        allow_session_pooling: a pooler is between, and somebody says that it gives each client a server session of its
            own; one that visibly does not is refused anyway.

    Raises:
        GuardRefused: a pooler, a standby, a server older than 14, a read-only session, or settings that do not stay.
        InputError: the connection string is malformed.
        ServerError: there is no connection.
    """
    connection = await connect(dsn, autocommit=True, **_KEEPALIVES)
    # A migration may say DISCARD ALL, which takes away what the driver has prepared.
    connection.prepare_threshold = None
    try:
        _assert_version(connection)
        await _assert_direct(connection, dsn, allow_session_pooling=allow_session_pooling)
        await _assert_writable(connection)
        await _settle(connection, _EXECUTOR | await _for_transport(connection) | _for_version(connection), run_id)
    except BaseException:
        await connection.close()
        raise
    return connection


async def open_monitor(dsn: str, *, run_id: str | None) -> AsyncConnection:
    """A session that looks on: autocommit, statements below a second, never in a transaction.

    An open transaction of ours would be waited for by our own CREATE INDEX CONCURRENTLY.

    Raises:
        ServerError: there is no connection.
        GuardRefused: a server older than 14, or settings that do not stay.
    """
    connection = await connect(dsn, autocommit=True, **_KEEPALIVES)
    try:
        _assert_version(connection)
        await _settle(connection, _MONITOR | _for_version(connection), run_id, role="monitor")
    except BaseException:
        await connection.close()
        raise
    return connection


def session_name(run_id: str | None, fence: int | None = None, role: str = "") -> str:
    """The application_name of a session: ``dflint/<run>/<fence>``. Everybody may see it."""
    return "/".join(str(part) for part in ("dflint", run_id, fence, role) if part not in {None, ""})


def _assert_version(connection: AsyncConnection) -> None:
    major = connection.info.server_version // 10_000
    if major < OLDEST_MAJOR:
        raise GuardRefused(
            f"the server is PostgreSQL {major}: it cannot notice that a client is gone while a statement runs, and a"
            " lost migration would go on unwatched",
            next=f"run migrations on PostgreSQL {OLDEST_MAJOR} or newer; dflint lint and snapshot work with this one",
        )


async def _assert_direct(connection: AsyncConnection, dsn: str, *, allow_session_pooling: bool) -> None:
    """A pooler answers with a process number of its own. The lock belongs to a server session: it has to be ours."""
    backend = await _backend_pid(connection)
    if backend == connection.info.backend_pid:
        return
    if not allow_session_pooling:
        raise GuardRefused(
            f"a connection pooler is between dflint and the server: {printable(dsn)}",
            next="give the address of the server itself; --allow-session-pooling if the pool is in session mode",
        )
    if await _is_shared(connection, dsn, backend):
        raise GuardRefused(
            "the pooler gives a server session to several clients in turn: a lock that one takes belongs to all",
            next="give the address of the server itself, or of a pool in session mode",
        )


async def _is_shared(connection: AsyncConnection, dsn: str, backend: int) -> bool:
    """Whether a second client gets our server session while we are idle, or keeps us from having one."""
    other: AsyncConnection | None = None
    try:
        async with asyncio.timeout(_POOL_PATIENCE_S):
            other = await connect(dsn, autocommit=True)
            await other.execute("BEGIN")
            if await _backend_pid(other) == backend:
                return True
    except TimeoutError:
        # The second client waits for a session of its own: the pool is full, and gives none away twice.
        return False
    else:
        try:
            async with asyncio.timeout(_POOL_PATIENCE_S):
                return any([await _backend_pid(connection) != backend for _ in range(3)])
        except TimeoutError:
            return True
    finally:
        if other is not None:
            await other.close()


async def _backend_pid(connection: AsyncConnection) -> int:
    cursor = await connection.execute("SELECT pg_backend_pid()")
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def _assert_writable(connection: AsyncConnection) -> None:
    cursor = await connection.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::bool")
    row = await cursor.fetchone()
    assert row is not None
    standby, read_only = row
    if standby:
        raise GuardRefused(
            "the server is a standby; locks taken on it keep nobody away", next="give the address of the primary"
        )
    if read_only:
        raise GuardRefused(
            "transactions of this session are read-only",
            next="see default_transaction_read_only of the server, the database and the role",
        )


async def _for_transport(connection: AsyncConnection) -> dict[str, str]:
    """As the server sees it: a Unix-domain socket, perhaps that of a proxy, has no keepalives and shows 0."""
    cursor = await connection.execute("SELECT inet_client_addr() IS NULL")
    return {} if await cursor.fetchone() == (True,) else _OVER_TCP


def _for_version(connection: AsyncConnection) -> dict[str, str]:
    return _SINCE_17 if connection.info.server_version >= 170_000 else {}


async def _settle(connection: AsyncConnection, settings: Mapping[str, str], run_id: str | None, role: str = "") -> None:
    """Change settings and read them back: a pooler may drop them, or give the next statement to another session."""
    wanted = {**settings, "application_name": session_name(run_id, role=role)}
    missing: set[str] = set()
    for name in _OPTIONAL & wanted.keys():
        try:
            await connection.execute("SELECT set_config(%s, %s, false)", (name, wanted[name]))
        except psycopg.errors.InvalidParameterValue:
            missing.add(name)
    rest = {name: value for name, value in wanted.items() if name not in _OPTIONAL}
    try:
        await connection.execute(
            "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted (name, value)",
            (list(rest), list(rest.values())),
        )
    except psycopg.Error as error:
        raise GuardRefused(
            f"a setting that the execution rests on is refused: {' '.join(str(error).split())}",
            next="let this role change it",
        ) from error
    cursor = await connection.execute(
        "SELECT name, setting FROM pg_catalog.pg_settings WHERE name = ANY (%s)", (list(wanted),)
    )
    kept: dict[str, str] = dict(await cursor.fetchall())
    if kept.get("tcp_user_timeout") == "0":
        # A platform without it takes the setting and does not keep it.
        missing.add("tcp_user_timeout")
    lost = sorted(name for name, value in wanted.items() if kept.get(name) != value and name not in missing)
    if lost:
        raise GuardRefused(
            f"settings do not stay in the session ({', '.join(lost)}): something before the server drops them",
            next="give the address of the server itself",
        )
