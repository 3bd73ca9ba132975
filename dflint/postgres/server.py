"""A server to try things on: one of our own, or one that the user gave for it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from dflint.model.errors import InputError, ServerError
from dflint.plugin.servers import Provider
from dflint.postgres.connection import connect, parse

if TYPE_CHECKING:
    from dflint.postgres.scratch import Scratch


class Server:
    """A running server on which this process may do as it likes.

    Attributes:
        version: ``18.6``.
        major: 18.
        scratch: the server's files and process; None for a server that the user gave.
    """

    def __init__(self, dsn: str, version: str, major: int, scratch: Scratch | None = None) -> None:
        self._dsn = dsn
        self.version = version
        self.major = major
        self.scratch = scratch
        self.created: list[str] = []

    def dsn(self, database: str | None = None) -> str:
        """A connection string; without a name for the database that the server began with."""
        return make_conninfo(self._dsn, **({} if database is None else {"dbname": database}))

    def tcp(self, database: str = "postgres") -> dict[str, str]:
        """Connection parameters over TCP, for tools that know no sockets; started with ``tcp=True`` only."""
        assert self.scratch is not None
        return {
            "host": "127.0.0.1",
            "port": str(self.scratch.port),
            "user": self.scratch.parameters(database)["user"],
            "password": self.scratch.password,
            "dbname": database,
        }

    def url(self, database: str = "postgres") -> str:
        """The same as a URL. It holds the password."""
        to = self.tcp(database)
        return f"postgresql://{to['user']}:{quote(to['password'])}@{to['host']}:{to['port']}/{quote(database, safe='')}"

    @property
    def log(self) -> Path | None:
        """The server's log, where it is ours."""
        return None if self.scratch is None else self.scratch.log

    async def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database, by default a pristine one; its connection string.

        Args:
            name: its name.
            template: the database to copy, in which nobody may have a session.

        Raises:
            ServerError: the server refused.
        """
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template or "template0")
        )
        if self.major >= 15:
            # Copying files is quicker than logging every block, at the price of a checkpoint.
            statement += sql.SQL(" STRATEGY file_copy")
        await self._command(statement, f"database {name} could not be made")
        self.created.append(name)
        return self.dsn(name)

    async def drop_database(self, name: str) -> None:
        """Drop a database with all sessions in it, if it is there.

        Raises:
            ServerError: the server refused.
        """
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        await self._command(statement, f"database {name} could not be dropped")
        if name in self.created:
            self.created.remove(name)

    async def _command(self, statement: sql.Composed, failure: str) -> None:
        async with await connect(self._dsn, autocommit=True) as connection:
            try:
                await connection.execute(statement)
            except psycopg.Error as error:
                raise ServerError(f"{failure}: {error}") from error


@asynccontextmanager
async def start_server(
    major: int | None = None,
    *,
    dsn: str | None = None,
    settings: Mapping[str, str] | None = None,
    tcp: bool = False,
    in_memory: bool | None = None,
    providers: Iterable[Provider] | None = None,
) -> AsyncIterator[Server]:
    """A server for as long as the context lasts; nothing of it stays.

    Args:
        major: its major version; None: the first that is found.
        dsn: a server to use instead of starting one. Databases made on it are dropped in the end.
        settings: more of ``postgresql.conf``.
        tcp: listen on 127.0.0.1 too.
        in_memory: keep the data in memory; None: if there is a file system in memory with room.
        providers: where PostgreSQL is looked for; None: where dflint knows, see `dflint.postgres.providers`.

    Raises:
        NoServer: there is no usable PostgreSQL.
        ServerError: it does not start, or cannot be reached.
        InputError: a given server is to have a version or settings that it does not have.
    """
    if dsn is not None:
        if settings or tcp:
            raise InputError("a given server is used as it is", remedy="leave its settings out")
        async with _given(dsn, major) as server:
            yield server
        return
    if sys.platform == "win32":
        raise ServerError("servers cannot be started on Windows", remedy="name one with --db")
    # Here, because it needs more of the system than a session with somebody else's server.
    from dflint.postgres.scratch import Scratch

    scratch = Scratch(major, settings=settings, tcp=tcp, in_memory=in_memory, providers=providers)
    try:
        await _to_the_end(scratch.prepare)
        # In this thread, with which the server is to end; it takes a tenth of a second.
        scratch.start()
        found = scratch.usable
        yield Server(make_conninfo(**scratch.parameters("postgres")), found.version, found.major, scratch)
    finally:
        await _to_the_end(scratch.close)


@asynccontextmanager
async def _given(dsn: str, major: int | None) -> AsyncIterator[Server]:
    async with await connect(dsn, autocommit=True) as connection:
        number = connection.info.server_version
        version = connection.info.parameter_status("server_version") or str(number // 10_000)
    if major is not None and number // 10_000 != major:
        raise InputError(f"the given server is PostgreSQL {version}, not {major}")
    server = Server(make_conninfo(**parse(dsn)), version.split()[0], number // 10_000)
    try:
        yield server
    finally:
        for name in reversed(server.created.copy()):
            await server.drop_database(name)


async def _to_the_end(step: Callable[[], None]) -> None:
    """Run a blocking step in a thread, also when cancelled: half a start is what nobody could clear up."""
    running = asyncio.ensure_future(asyncio.to_thread(step))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            try:
                await asyncio.wait([running])
            except asyncio.CancelledError:
                continue
        raise
