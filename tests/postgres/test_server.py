from __future__ import annotations

import asyncio
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import AsyncConnection

from dflint.model.errors import InputError, NoServer, ServerError
from dflint.postgres import Server, connect, start_server
from tests.servers import TestServer

T = TypeVar("T")


async def value(connection: AsyncConnection, query: str) -> Any:
    row = await (await connection.execute(query.encode())).fetchone()
    assert row is not None
    return row[0]


async def ask(dsn: str, query: str) -> Any:
    async with await connect(dsn) as connection:
        return await value(connection, query)


@pytest.mark.majors("all")
def test_each_major_runs(pg: TestServer) -> None:
    number = asyncio.run(ask(pg.new_database(), "SELECT current_setting('server_version_num')::int / 10000"))
    assert number == pg.major


def test_the_newest_is_the_default(pg: TestServer) -> None:
    assert pg.major == 18


@pytest.mark.majors("ends")
def test_databases_on_a_given_server(pg: TestServer) -> None:
    async def use() -> None:
        async with start_server(dsn=pg.dsn()) as server:
            assert (server.major, server.scratch, server.log) == (pg.major, None, None)
            one = await server.create_database('a "b" c')
            async with await connect(one) as connection:
                await connection.execute("CREATE TABLE t ()")
            two = await server.create_database("copy", template='a "b" c')
            assert await ask(two, "SELECT to_regclass('t')::text") == "t"
            with pytest.raises(ServerError, match="already exists"):
                await server.create_database("copy")
            await server.drop_database("copy")
            await server.drop_database("copy")
        # What was made goes, and nothing else.
        names = "SELECT array_agg(datname::text ORDER BY datname) FROM pg_database"
        assert await ask(pg.dsn(), names) == ["postgres", "template0", "template1"]

    asyncio.run(use())


def test_a_given_server_is_what_it_is(pg: TestServer) -> None:
    async def use(**how: Any) -> None:
        async with start_server(dsn=pg.dsn(), **how):
            pass

    with pytest.raises(InputError, match="not 13"):
        asyncio.run(use(major=13))
    for how in ({"settings": {"work_mem": "1MB"}}, {"tcp": True}):
        with pytest.raises(InputError, match="used as it is"):
            asyncio.run(use(**how))


def test_a_server_of_our_own() -> None:
    async def use(server: Server) -> None:
        assert server.version.startswith(f"{server.major}")
        dsn = await server.create_database("mine")
        async with await connect(dsn) as connection:
            assert await value(connection, "SELECT current_database()") == "mine"
            assert await value(connection, "SHOW application_name") == "dflint"
            assert await value(connection, "SHOW work_mem") == "7MB"
            assert await value(connection, "SHOW listen_addresses") == ""
            # Faster, but with the locks, the logging and the rewrites of a real server.
            assert await value(connection, "SHOW fsync") == "off"
            assert await value(connection, "SHOW wal_level") == "replica"
        assert server.log is not None
        assert "SELECT current_database()" in server.log.read_text()

    async def started() -> None:
        async with start_server(settings={"work_mem": "7MB", "log_statement": "all"}) as server:
            await use(server)

    asyncio.run(started())


def test_over_tcp_with_a_password_only() -> None:
    async def use() -> None:
        async with start_server(tcp=True) as server:
            url = urlsplit(server.url("postgres"))
            assert url.hostname == "127.0.0.1"
            assert await ask(server.url(), "SELECT inet_server_addr()::text") == "127.0.0.1/32"
            with pytest.raises(ServerError, match="password"):
                await connect(f"host=127.0.0.1 port={url.port} user=postgres", passfile="/nonexistent")
            with pytest.raises(ServerError, match="authentication failed"):
                await connect(f"host=127.0.0.1 port={url.port} user=postgres password=wrong-one")

    asyncio.run(use())


def test_two_servers_at_a_time() -> None:
    async def use() -> None:
        async with start_server(tcp=True) as one, start_server(tcp=True) as other:
            assert await ask(one.dsn(), "SELECT 1") == await ask(other.dsn(), "SELECT 1")
            assert one.url() != other.url()
            assert one.dsn() != other.dsn()

    asyncio.run(use())


def test_a_major_that_is_not_there() -> None:
    async def use() -> None:
        async with start_server(12):
            pass

    with pytest.raises(NoServer, match="no usable PostgreSQL 12 was found") as raised:
        asyncio.run(use())
    assert raised.value.remedy is not None
    assert "dflint[embedded]" in raised.value.remedy


def test_the_body_failing_ends_the_server() -> None:
    dsn = ""

    async def use() -> None:
        nonlocal dsn
        async with start_server() as server:
            dsn = server.dsn()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        asyncio.run(use())
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)
