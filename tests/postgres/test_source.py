"""Whatever the caller has, sessions of our own come from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from dflint.model.errors import InputError
from dflint.postgres.server import start_server
from dflint.postgres.source import ConnectionSource
from tests.guard.asynchronous import asynchronous
from tests.servers import TestServer


class Manager:
    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.made: list[psycopg.Connection] = []

    def get_connection(self) -> psycopg.Connection:
        self.made.append(psycopg.connect(self.dsn))
        return self.made[-1]


@asynchronous
async def test_what_it_may_be(pg: TestServer) -> None:
    dsn = pg.new_database()
    manager = Manager(dsn)

    async def factory() -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(dsn)

    async def names() -> str:
        return dsn

    with psycopg.connect(dsn) as connection:
        async with await psycopg.AsyncConnection.connect(dsn) as other:
            given: list[object] = [dsn, connection, other, lambda: dsn, names, factory, manager, manager.get_connection]
            given.append(ConnectionSource.coerce(dsn))
            for one in given:
                source = ConnectionSource.coerce(one)
                for _ in range(2):
                    async with await source.connect() as session:
                        assert session.autocommit
                        assert session.info.dbname == conninfo_to_dict(dsn)["dbname"]
                        assert session.info.backend_pid not in {connection.info.backend_pid, other.info.backend_pid}
        assert not connection.closed
    # Asked once by each of two sources, and closed.
    assert [made.closed for made in manager.made] == [True, True]


@asynchronous
async def test_a_password_comes_along(pg: TestServer) -> None:
    async with start_server(pg.major, tcp=True, providers=[lambda: [pg.scratch.usable.installation]]) as server:
        # Of several hosts the one that answered; the first does not.
        dsn = make_conninfo(**{**server.tcp(), "host": "127.0.0.1,127.0.0.1", "port": f"1,{server.tcp()['port']}"})
        with psycopg.connect(dsn) as connection:
            source = ConnectionSource.coerce(connection)
        with pytest.raises(InputError, match="closed"):
            await source.dsn()
        with psycopg.connect(dsn) as connection:
            source = ConnectionSource.coerce(connection)
            assert conninfo_to_dict(await source.dsn())["port"] == server.tcp()["port"]
            async with await source.connect() as session:
                assert session.info.port == connection.info.port


@asynchronous
async def test_what_it_may_not_be() -> None:
    for wrong in (7, None, object()):
        with pytest.raises(InputError, match="no sessions can be had"):
            ConnectionSource.coerce(wrong)
    factories: list[Callable[[], object]] = [lambda: 7, _nothing]
    for factory in factories:
        with pytest.raises(InputError, match="returned"):
            await ConnectionSource.coerce(factory).dsn()
    with pytest.raises(InputError, match="malformed"):
        await ConnectionSource.coerce("host='").dsn()


def _nothing() -> Awaitable[None]:
    async def nothing() -> None: ...

    return nothing()
