"""The migration lock: at most one migration of a database, or of a table, at a time.

The lock is an advisory lock of the session that also runs the migration: if the session ends, nothing of it can go on.
It keeps out others that use dflint, and nobody else. Nobody's lock is taken away because time has passed: a process
that was stopped keeps it until an operator breaks it (``dflint locks break``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator, Mapping
from contextvars import ContextVar
from datetime import datetime
from types import TracebackType
from typing import Any
from uuid import uuid4

import psycopg
from msgspec.structs import replace
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from dflint.guard.advisory import give_back, holds_any, poll, try_keys
from dflint.guard.errors import Fenced, GuardRefused, LockTimeout
from dflint.guard.holders import describe, holders
from dflint.guard.identity import assert_same, identity_of
from dflint.guard.lease import Lease, Request, end_lease, holds_lease, take_lease
from dflint.guard.ledger import Ledger, ensure_ledger
from dflint.guard.lock_keys import DATABASE_KEY, Key, Scope, covers, keys, parse_scope
from dflint.guard.lock_tables import named, resolve
from dflint.guard.session import open_executor, open_monitor, session_name
from dflint.model.errors import DflintError, ServerError
from dflint.model.run import Holder, Identity
from dflint.postgres.source import ConnectionSource

__all__ = [
    "Acquisition",
    "MigrationLock",
    "MigrationLockManager",
    "assert_fence",
    "assert_keys",
    "fenced",
    "held_lock",
]

#: Seconds between two signs of life.
HEARTBEAT_S = 5.0
_held: ContextVar[tuple[MigrationLock, ...]] = ContextVar("dflint_held_locks", default=())


class MigrationLock:
    """A held lock, and the session that holds it.

    Attributes:
        lock_id: ``<run>/<fence>``.
        run_id: of the run that it is for; of its own when it is for none.
        scope: as it was asked for.
        tables: printed identities; empty: the whole database.
        keys: the advisory keys.
        operation_description: as it was given.
        metadata: as it was given.
        acquired_at: by the server's clock.
        fence: rises each time this run's lock is taken.
        connection: the executing session, autocommit. What the lock protects runs here.
        identity: the database.
        dsn: a connection string for more sessions; it may hold a password.
        released: it is no longer held, as far as this process knows.
        given_away: a statement of ours gave it back, which was told.
    """

    def __init__(
        self, connection: AsyncConnection, dsn: str, identity: Identity, request: Request, lease: Lease
    ) -> None:
        self.connection = connection
        self.dsn = dsn
        self.identity = identity
        self.run_id = request.run_id
        self.scope: Scope = request.scope
        self.tables = request.tables
        self.keys = request.keys
        self.operation_description = request.description
        self.metadata = request.metadata
        self.acquired_at: datetime = lease.acquired_at
        self.fence = lease.fence
        self.lock_id = f"{request.run_id}/{lease.fence}"
        self.released = False
        self.given_away = False
        self._heart = asyncio.create_task(_beat(dsn, request.run_id, lease.fence))

    async def release(self) -> None:
        """Give the lock back and close the session; a second time does nothing.

        Raises:
            Fenced: it was not ours any more. What was committed stays; somebody else may have been at work meanwhile.
        """
        if self.released:
            return
        self.released = True
        _held.set(tuple(lock for lock in _held.get() if lock is not self))
        self._heart.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._heart
        try:
            ours = await _give_back(self)
        except psycopg.Error:
            ours = False
        finally:
            # Whatever went wrong, with the session goes the lock.
            await self.connection.close()
        if not ours and not self.given_away:
            raise Fenced(
                "the lock was not held any more when it was to be given back",
                state="what was committed stays; others may have changed the database at the same time",
                next=f"see dflint runs show {self.run_id}, and compare the database with what it should be",
            )


async def _give_back(lock: MigrationLock) -> bool:
    connection = lock.connection
    if connection.closed:
        return False
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        # Its error has been told by whoever ran into it.
        await connection.rollback()
    # A migration may have left other roles and timeouts behind.
    await connection.execute("RESET ROLE")
    await connection.execute("SET statement_timeout = '10s'")
    ours = await end_lease(connection, lock.run_id, lock.fence)
    if await give_back(connection, lock.keys):
        return ours
    await Ledger(connection).event(lock.run_id, None, lock.fence, "unlock_failed")
    return False


async def _beat(dsn: str, run_id: str, fence: int) -> None:
    """Give signs of life, in a session of its own. They are information: that one fails does no harm."""
    connection: AsyncConnection | None = None
    try:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                connection = connection or await open_monitor(dsn, run_id=run_id)
                await Ledger(connection).heartbeat(run_id, fence)
            except (psycopg.Error, DflintError, OSError):
                if connection is not None:
                    await connection.close()
                connection = None
    finally:
        if connection is not None:
            await connection.close()


class Acquisition:
    """``await`` it for a lock that you release, or ``async with`` it."""

    def __init__(self, manager: MigrationLockManager, request: Request, timeout_s: float) -> None:
        self._manager = manager
        self._request = request
        self._timeout_s = timeout_s
        self._lock: MigrationLock | None = None
        self._joined = False

    def __await__(self) -> Generator[Any, None, MigrationLock]:
        return self._acquire().__await__()

    async def __aenter__(self) -> MigrationLock:
        return await self._acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lock = self._lock
        assert lock is not None
        if self._joined:
            # It belongs to whoever took it.
            return
        try:
            await lock.release()
        except Fenced as lost:
            if error is None:
                raise
            error.add_note(str(lost))

    async def _acquire(self) -> MigrationLock:
        before = _current()
        self._lock = await self._manager.take(self._request, self._timeout_s)
        self._joined = self._lock in before
        if not self._joined:
            _held.set((*before, self._lock))
        return self._lock


class MigrationLockManager:
    """Keeps migrations of one database from running at the same time.

    Args:
        connection_manager: see `dflint.postgres.source.ConnectionSource.coerce`. Nothing connects yet.
        run_id: the run that locks are for; None: each lock is for a run of its own.
        allow_session_pooling: a pooler in session mode is between.
        expected: the database that it has to be; None: any.
    """

    def __init__(
        self,
        connection_manager: object,
        *,
        run_id: str | None = None,
        allow_session_pooling: bool = False,
        expected: Identity | None = None,
    ) -> None:
        self._source = ConnectionSource.coerce(connection_manager)
        self._run_id = run_id
        self._allow_session_pooling = allow_session_pooling
        self._expected = expected

    def acquire_migration_lock(
        self,
        lock_scope: str = "schema_modification",
        timeout_seconds: float = 60,
        operation_description: str = "",
        lock_metadata: Mapping[str, Any] | None = None,
    ) -> Acquisition:
        """Take the lock: ``async with`` the result, or ``await`` it.

        Within a task that holds a lock of the same database which covers this one, that one is used.

        Args:
            lock_scope: ``schema_modification``: nobody else; ``table_modification`` and ``data_modification``: nobody
                else for the tables that the metadata names (``table`` or ``tables``), or at all when it names none.
            timeout_seconds: how long to try; 0: once.
            operation_description: what for, for others to see.
            lock_metadata: more of that, as JSON.

        Raises (when it is awaited):
            LockTimeout: others hold it. Nothing was changed.
            GuardRefused: no lock is possible here, or a narrower one is held already.
            InputError: an argument makes no sense.
            ServerError: there is no connection.
        """
        scope = parse_scope(lock_scope)
        metadata = dict(lock_metadata or {})
        request = Request(
            run_id=self._run_id or str(uuid4()),
            scope=scope,
            tables=() if scope == "schema_modification" else named(metadata),
            keys=(),
            description=operation_description,
            metadata=metadata,
        )
        return Acquisition(self, request, timeout_seconds)

    async def get_active_locks(self) -> list[Holder]:
        """Who holds the lock of this database, or of tables of it.

        Raises:
            ServerError: there is no connection.
        """
        async with await open_monitor(await self._source.dsn(), run_id=None) as connection:
            return await holders(connection)

    async def take(self, request: Request, timeout_s: float) -> MigrationLock:
        """The lock that was asked for, or one that this task holds and that covers it; for `Acquisition`."""
        dsn = await self._source.dsn()
        for lock in _current():
            if lock.dsn == dsn and Key(DATABASE_KEY) in lock.keys:
                return _alive(lock)
        connection = await open_executor(dsn, run_id=request.run_id, allow_session_pooling=self._allow_session_pooling)
        taken: MigrationLock | None = None
        try:
            taken = await self._take(connection, dsn, request, timeout_s)
        except psycopg.Error as error:
            raise ServerError(f"the migration lock could not be taken: {' '.join(str(error).split())}") from error
        finally:
            if taken is None or taken.connection is not connection:
                await connection.close()
        return taken

    async def _take(self, connection: AsyncConnection, dsn: str, request: Request, timeout_s: float) -> MigrationLock:
        identity = await identity_of(connection)
        if self._expected is not None:
            assert_same(self._expected, identity)
        tables = await resolve(connection, request.tables)
        request = replace(request, tables=tables, keys=keys(request.scope, tables))
        held = _joinable(identity, request)
        if held is not None:
            return held
        if await holds_any(connection):
            raise GuardRefused(
                "a new session holds the migration lock already: a pooler handed it over as it was left",
                next="give the address of the server itself, or set server_reset_query = DISCARD ALL",
            )
        await ensure_ledger(connection)
        lease = await _wait(connection, request, timeout_s)
        await connection.execute(
            "SELECT set_config('application_name', %s, false)", (session_name(request.run_id, lease.fence),)
        )
        if identity.marker is None:
            identity = await identity_of(connection)
        return MigrationLock(connection, dsn, identity, request, lease)


async def _wait(connection: AsyncConnection, request: Request, timeout_s: float) -> Lease:
    """Take the keys and the lease, within the time."""
    lease: Lease | None = None

    async def attempt() -> bool:
        nonlocal lease
        if not await try_keys(connection, request.keys):
            return False
        try:
            lease = await take_lease(connection, request)
        except psycopg.errors.LockNotAvailable:
            # A transaction that checked an old fence is still open: it has to end first.
            await give_back(connection, request.keys)
        return lease is not None

    if await poll(attempt, timeout_s) and lease is not None:
        return lease
    found = await holders(connection)
    raise LockTimeout(
        f"others held the migration lock for {timeout_s:g} s",
        holders=found,
        blocked="; ".join(describe(holder) for holder in found) or "a transaction that has not ended",
        next="wait for it and try again, or see dflint locks; a process that is gone for good: dflint locks break RUN",
    )


def _joinable(identity: Identity, request: Request) -> MigrationLock | None:
    """The lock of this task that covers what is asked for; None when it holds none in this database.

    Raises:
        GuardRefused: it holds one that does not: the second would wait for the first, or for somebody who waits for it.
    """
    same = [lock for lock in _current() if _place(lock.identity) == _place(identity)]
    for lock in same:
        if covers(lock.keys, request.keys):
            return _alive(lock)
    if not same:
        return None
    wanted = ", ".join(request.tables) or "the whole database"
    raise GuardRefused(
        f"this task holds a lock for {', '.join(same[-1].tables)}, which does not cover {wanted}",
        next="take the wider lock first",
    )


def _alive(lock: MigrationLock) -> MigrationLock:
    if lock.connection.closed:
        raise Fenced(
            "the session that holds the lock of this task has ended, and the lock with it",
            state="what was committed before stays; what was not is rolled back",
            next="take the lock again, and look how far the migration is",
        )
    return lock


def _place(identity: Identity) -> tuple[object, ...]:
    return identity.system_identifier, identity.database_oid, identity.started_at


def _current() -> tuple[MigrationLock, ...]:
    return tuple(lock for lock in _held.get() if not lock.released)


def held_lock() -> MigrationLock | None:
    """The lock that this task holds, the innermost; None where it holds none."""
    return next(reversed(_current()), None)


async def assert_fence(connection: AsyncConnection, lock: MigrationLock) -> None:
    """Make sure that the lock is still ours, to the end of this transaction. For every transaction that writes.

    Raises:
        Fenced: it is not. Nothing may be written any more.
    """
    if not await holds_lease(connection, lock.run_id, lock.fence):
        raise fenced(lock)


async def assert_keys(connection: AsyncConnection, lock: MigrationLock) -> None:
    """Make sure that what ran in the executing session has not given its advisory keys back.

    Raises:
        Fenced: it has. Nothing may be written any more.
    """
    if not await holds_any(connection):
        lock.given_away = True
        raise fenced(lock, "a statement of the migration gave it back")


def fenced(lock: MigrationLock, why: str = "it was broken, or somebody else has it") -> Fenced:
    """The error for a lock that is lost, to be raised in a transaction."""
    return Fenced(
        f"the lock of run {lock.run_id} is no longer ours: {why}",
        state="this transaction is rolled back; what was committed before stays",
        next=f"see dflint runs show {lock.run_id}; dflint exec resume goes on from there",
    )
