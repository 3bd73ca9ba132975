"""Where sessions come from, whatever the caller has: a connection string, a connection, a factory, a manager."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from dflint.model.errors import InputError
from dflint.postgres.connection import connect, parse

_ACCEPTED = "a connection string, a psycopg connection, a function that returns one, or an object with get_connection()"


class ConnectionSource:
    """A database, as the caller named it. Nothing connects before `dsn` or `connect` is awaited.

    dflint opens sessions of its own there and leaves the caller's alone.
    """

    def __init__(self, given: str | psycopg.Connection[Any] | psycopg.AsyncConnection[Any] | Callable[[], Any]) -> None:
        self._given = given
        self._dsn: str | None = None

    @classmethod
    def coerce(cls, given: object) -> ConnectionSource:
        """The source that an argument named ``connection_manager`` means.

        Args:
            given: a libpq connection string or URL, a psycopg connection (synchronous or not), a function without
                arguments that returns either (or an awaitable of it), an object whose ``get_connection()`` does, or a
                `ConnectionSource`.

        Raises:
            InputError: it is something else.
        """
        if isinstance(given, cls):
            return given
        if isinstance(given, str | psycopg.Connection | psycopg.AsyncConnection):
            return cls(given)
        manager = getattr(given, "get_connection", None)
        if callable(manager):
            return cls(manager)
        if callable(given):
            return cls(given)
        raise InputError(f"no sessions can be had from {type(given).__name__!r}", remedy=f"give {_ACCEPTED}")

    async def dsn(self) -> str:
        """A connection string for sessions of our own, with the password if there is one.

        A factory is called once, and the connection that it returns is closed.

        Raises:
            InputError: the connection is closed, or the factory returned something else.
        """
        if self._dsn is None:
            self._dsn = await self._resolve()
        return self._dsn

    async def connect(self, *, autocommit: bool = True) -> psycopg.AsyncConnection:
        """A new session.

        Raises:
            InputError: the source is unusable.
            ServerError: there is no connection.
        """
        return await connect(await self.dsn(), autocommit=autocommit)

    async def _resolve(self) -> str:
        given = self._given
        if isinstance(given, str):
            parse(given)
            return given
        if isinstance(given, psycopg.Connection | psycopg.AsyncConnection):
            return _dsn_of(given)
        made = given()
        if inspect.isawaitable(made):
            made = await made
        if isinstance(made, str):
            parse(made)
            return made
        if not isinstance(made, psycopg.Connection | psycopg.AsyncConnection):
            raise InputError(
                f"the connection factory returned {type(made).__name__!r}", remedy="let it return a psycopg connection"
            )
        try:
            return _dsn_of(made)
        finally:
            closed = made.close()
            if inspect.isawaitable(closed):
                await closed


def _dsn_of(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> str:
    if connection.closed:
        raise InputError("the given connection is closed", remedy="give an open one, or a connection string")
    info = connection.info
    # Where it really is: of several hosts in its string, the one that answered.
    parameters = {name: value for name, value in info.get_parameters().items() if name != "hostaddr"}
    parameters |= {"host": info.host, "port": str(info.port), "dbname": info.dbname}
    if info.password:
        parameters["password"] = info.password
    return make_conninfo("", **parameters)
