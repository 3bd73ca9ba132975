"""The session through which validators look at a database."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import AsyncConnection

from dflint.model.errors import ServerError
from dflint.plugin.validators import QueryError
from dflint.postgres.connection import connect


class LookingSession:
    """A read-only session of its own, in autocommit mode, opened when it is first used and again when it was lost."""

    def __init__(self, dsn: str) -> None:
        """Say where; nothing happens before the first query."""
        self._dsn = dsn
        self._connection: AsyncConnection[Any] | None = None

    async def rows(self, query: str, timeout_s: float = 30.0) -> list[tuple[Any, ...]]:
        """The rows of one query; it waits for no lock longer than two seconds.

        Raises:
            QueryError: it failed or took too long.
        """
        try:
            connection = await self._opened()
            await connection.execute(
                b"select set_config('statement_timeout', %s, false)", (str(int(timeout_s * 1000)),)
            )
            return await (await connection.execute(query.encode())).fetchall()
        except psycopg.Error as error:
            lost = self._connection is None or self._connection.closed
            message = error.diag.message_primary or " ".join(str(error).split())
            raise QueryError(message, "" if lost else error.sqlstate or "") from error
        except ServerError as error:
            raise QueryError(str(error)) from error

    async def close(self) -> None:
        """End the session."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _opened(self) -> AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            # What a migration changes makes prepared statements fail.
            self._connection = await connect(self._dsn, autocommit=True, prepare_threshold=None)
            await self._connection.execute(b"set default_transaction_read_only = on")
            await self._connection.execute(b"set lock_timeout = '2s'")
        return self._connection
