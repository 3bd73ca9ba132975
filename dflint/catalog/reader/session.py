"""Short read-only transactions that wait for nobody.

Every query runs in a transaction of its own, which ends with it: no snapshot is held while rows are turned into
objects, so that neither VACUUM nor a concurrent index build waits for the reader.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.sql import Composable, Composed

from dflint.model.errors import InputError

#: Rows come as plain tuples.
Row = tuple[Any, ...]
Parameters = Sequence[object] | Mapping[str, object]
SQL = psycopg.sql.SQL
Statement = SQL | Composed

#: What the text of an expression depends on, and what a reader needs no more than. A range of a catalog is read by
#: its index, whatever the planner thinks by statistics from before most of its rows came.
_SETTINGS: Final = SQL(
    """
    SELECT set_config('search_path', '', true),
           set_config('quote_all_identifiers', 'off', true),
           set_config('standard_conforming_strings', 'on', true),
           set_config('DateStyle', 'ISO, MDY', true),
           set_config('IntervalStyle', 'postgres', true),
           set_config('TimeZone', 'UTC', true),
           set_config('extra_float_digits', '1', true),
           set_config('bytea_output', 'hex', true),
           set_config('jit', 'off', true),
           set_config('max_parallel_workers_per_gather', '0', true),
           set_config('enable_seqscan', 'off', true),
           set_config('idle_in_transaction_session_timeout', '0', true),
           set_config('statement_timeout', %s, true),
           set_config('lock_timeout', %s, true)
    """
)
_BEGIN: Final = SQL("BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY")
_COMMIT: Final = SQL("COMMIT")


class ReaderSession:
    """A connection, used for reading only.

    Attributes:
        version: server major version.
        minor: the minor release.
        timeout_ms: for a single query.
        incomplete: what could not be read, as sentences.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], timeout_ms: int, lock_ms: int) -> None:
        self.connection = connection
        self.version, self.minor = divmod(connection.info.server_version, 10_000)
        self.timeout_ms = timeout_ms
        self.lock_ms = lock_ms
        self.incomplete: list[str] = []

    async def fetch(
        self,
        query: Statement,
        parameters: Parameters = (),
        *,
        timeout_ms: int | None = None,
        lock_ms: int | None = None,
    ) -> list[Row]:
        """The rows of one query, in a transaction of its own.

        Args:
            query: reads and changes nothing.
            parameters: for its placeholders.
            timeout_ms: for the whole query, instead of the session's own.
            lock_ms: for each lock, instead of the session's own.

        Raises:
            psycopg.Error: the query failed, or did not end in time; no transaction is left open.
        """
        limits = (str(timeout_ms or self.timeout_ms), str(lock_ms or self.lock_ms))
        connection = self.connection
        cursor = connection.cursor(binary=True)
        try:
            async with connection.pipeline():
                control = connection.cursor()
                await control.execute(_BEGIN)
                await control.execute(_SETTINGS, limits, prepare=False)
                await cursor.execute(query, parameters, prepare=False)
                await control.execute(_COMMIT)
            return await cursor.fetchall()
        except (psycopg.Error, asyncio.CancelledError):
            await self._roll_back()
            raise

    async def together(self, *readings: Coroutine[Any, Any, Any]) -> list[Any]:
        """What some readings give that need nothing of each other; here one after the other."""
        try:
            return [await reading for reading in readings]
        finally:
            for reading in readings:
                reading.close()

    async def _roll_back(self) -> None:
        connection = self.connection
        if not connection.closed and connection.info.transaction_status != TransactionStatus.IDLE:
            await connection.rollback()

    async def fetch_or_note(self, what: str, query: Statement, parameters: Parameters = ()) -> list[Row]:
        """As `fetch`; where the query fails, no rows and a sentence in ``incomplete``.

        Raises:
            psycopg.OperationalError: the connection is lost, so that nothing more can be read.
        """
        try:
            return await self.fetch(query, parameters)
        except psycopg.Error as error:
            if self.connection.closed:
                raise
            self.note(f"{what} could not be read: {first_line(error)}")
            return []

    def note(self, sentence: str) -> None:
        """Remember, once, why the catalog is incomplete."""
        if sentence not in self.incomplete:
            self.incomplete.append(sentence)


class JointSession(ReaderSession):
    """A session for readings that take moments: what is asked at the same time goes to the server in one go.

    Then the way there and back is paid for once. What is asked with limits of its own, goes alone.

    Attributes:
        log: parameters and rows of every query that was answered.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], timeout_ms: int, lock_ms: int) -> None:
        super().__init__(connection, timeout_ms, lock_ms)
        self.log: list[tuple[Parameters, list[Row]]] = []
        self._asked: list[_Asked] = []
        self._one_at_a_time = asyncio.Lock()

    async def together(self, *readings: Coroutine[Any, Any, Any]) -> list[Any]:
        """What some readings give that need nothing of each other; here at the same time."""
        tasks = [asyncio.ensure_future(reading) for reading in readings]
        try:
            return await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def fetch(
        self,
        query: Statement,
        parameters: Parameters = (),
        *,
        timeout_ms: int | None = None,
        lock_ms: int | None = None,
    ) -> list[Row]:
        """As that of any session; one query alone does not fail because others do."""
        own = _Asked(query, parameters)
        if timeout_ms or lock_ms:
            async with self._one_at_a_time:
                own.rows = await super().fetch(query, parameters, timeout_ms=timeout_ms, lock_ms=lock_ms)
        else:
            self._asked.append(own)
            # Who is about to ask, asks now.
            await asyncio.sleep(0)
            async with self._one_at_a_time:
                if own.rows is None and own in self._asked:
                    asked, self._asked = self._asked, []
                    await self._answer(asked)
                if own.rows is None:
                    own.rows = await super().fetch(query, parameters)
        self.log.append((parameters, own.rows))
        return own.rows

    async def _answer(self, asked: Sequence[_Asked]) -> None:
        """Fetch the rows of several queries in one transaction; where one fails, of none."""
        connection = self.connection
        cursors = [connection.cursor(binary=True) for _ in asked]
        try:
            async with connection.pipeline():
                control = connection.cursor()
                await control.execute(_BEGIN)
                await control.execute(_SETTINGS, (str(self.timeout_ms), str(self.lock_ms)), prepare=False)
                for cursor, each in zip(cursors, asked, strict=True):
                    await cursor.execute(each.query, each.parameters, prepare=False)
                await control.execute(_COMMIT)
            for cursor, each in zip(cursors, asked, strict=True):
                each.rows = await cursor.fetchall()
        except psycopg.Error:
            await self._roll_back()
        except asyncio.CancelledError:
            await self._roll_back()
            raise


class _Asked:
    def __init__(self, query: Statement, parameters: Parameters) -> None:
        self.query, self.parameters = query, parameters
        self.rows: list[Row] | None = None


def oid_array(oids: Iterable[int]) -> str:
    """A list of OIDs as the text of an array: much quicker than one made from numbers."""
    return "{" + ",".join(map(str, oids)) + "}"


def first_line(error: psycopg.Error) -> str:
    """What the server said, in one line."""
    return (error.diag.message_primary or str(error) or type(error).__name__).splitlines()[0]


def since(version: int, major: int, column: str, otherwise: str) -> Composable:
    """The text of a column that exists from a major version on, and what stands in its place before."""
    return SQL(column if version >= major else otherwise)


@asynccontextmanager
async def reader_session(
    connection: psycopg.AsyncConnection[Any], *, timeout_ms: int, lock_ms: int
) -> AsyncIterator[ReaderSession]:
    """A session on ``connection``, which must be outside a transaction, and is given back as it was.

    Raises:
        InputError: the connection is in a transaction, or the server is too old.
    """
    async with _readable(connection):
        yield ReaderSession(connection, timeout_ms, lock_ms)


@asynccontextmanager
async def joint_session(
    connection: psycopg.AsyncConnection[Any], *, timeout_ms: int, lock_ms: int
) -> AsyncIterator[JointSession]:
    """As `reader_session`, a `JointSession`."""
    async with _readable(connection):
        yield JointSession(connection, timeout_ms, lock_ms)


@asynccontextmanager
async def _readable(connection: psycopg.AsyncConnection[Any]) -> AsyncIterator[None]:
    if connection.info.transaction_status != TransactionStatus.IDLE:
        raise InputError("the catalog cannot be read inside a transaction", remedy="give a connection that is idle")
    if connection.info.server_version < 130_000:
        raise InputError(f"PostgreSQL {connection.info.server_version // 10_000} is too old: dflint reads 13 to 18")
    autocommit = connection.autocommit
    if not autocommit:
        await connection.set_autocommit(True)
    try:
        yield
    finally:
        if not autocommit and not connection.closed:
            await connection.set_autocommit(False)


class Budget:
    """A span of time that several waits share, in seconds."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    @property
    def spent(self) -> bool:
        """Nothing is left."""
        return self._left <= 0

    def take(self, since_time: float) -> None:
        """Take off the time since ``since_time`` of `time.monotonic`."""
        self._left -= time.monotonic() - since_time
