"""Which servers a migration is run on, and what its session is like."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from dflint.guard.errors import GuardRefused
from dflint.guard.session import open_executor, open_monitor, session_name
from dflint.postgres.server import start_server
from tests.guard.asynchronous import asynchronous
from tests.servers import TestServer

HOSTILE = (
    "lock_timeout = '100ms'",
    "statement_timeout = '1s'",
    "idle_session_timeout = '1s'",
    "idle_in_transaction_session_timeout = '1s'",
    "default_transaction_isolation = 'serializable'",
)


async def shown(connection: psycopg.AsyncConnection, *names: str) -> list[str]:
    cursor = await connection.execute(
        "SELECT current_setting(name) FROM unnest(%s::text[]) WITH ORDINALITY AS a (name, n) ORDER BY n", (list(names),)
    )
    return [value for (value,) in await cursor.fetchall()]


@pytest.mark.majors("all")
@asynchronous
async def test_settings_of_the_role_do_not_count(pg: TestServer) -> None:
    """Faults 37, 38, 39."""
    dsn = pg.new_database()
    if pg.major < 14:
        with pytest.raises(GuardRefused, match="PostgreSQL 13"):
            await open_executor(dsn, run_id=None)
        return
    database = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    hostile = [*HOSTILE, *(["transaction_timeout = '1s'"] if pg.major >= 17 else [])]
    with psycopg.connect(dsn, autocommit=True) as connection:
        for setting in hostile:
            connection.execute(f"ALTER DATABASE {database} SET {setting}".encode())
    names = [setting.partition(" ")[0] for setting in hostile]
    async with await open_executor(dsn, run_id="a-run") as executor:
        assert await shown(executor, *names) == ["0", "0", "0", "1min", "read committed", "0"][: len(names)]
        assert await shown(executor, "client_connection_check_interval") == ["2s"]
        assert await shown(executor, "application_name") == ["dflint/a-run"]
    async with await open_monitor(dsn, run_id="a-run") as monitor:
        assert await shown(monitor, "statement_timeout", "lock_timeout") == ["1s", "100ms"]
        assert await shown(monitor, "application_name") == ["dflint/a-run/monitor"]


@asynchronous
async def test_read_only_is_refused(pg: TestServer) -> None:
    dsn = make_conninfo(pg.new_database(), options="-c default_transaction_read_only=on")
    with pytest.raises(GuardRefused, match="read-only"):
        await open_executor(dsn, run_id=None)


@pytest.mark.majors(14, 18)
@asynchronous
async def test_over_tcp_the_server_looks_after_the_client(pg: TestServer) -> None:
    names = "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"
    async with (
        start_server(pg.major, tcp=True, providers=[lambda: [pg.scratch.usable.installation]]) as server,
        await open_executor(make_conninfo(**server.tcp()), run_id=None) as executor,
    ):
        assert await shown(executor, *names) == ["10", "5", "3"]


def test_the_name_of_a_session_fits() -> None:
    run = "00000000-0000-0000-0000-000000000000"
    assert session_name(None) == "dflint"
    assert session_name(run, 7) == f"dflint/{run}/7"
    # Longer names would be cut by the server, and would not be read back.
    assert len(session_name(run, 2**63)) < 64
