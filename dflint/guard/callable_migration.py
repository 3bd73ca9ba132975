"""A migration that is somebody's function: what it runs is not known, so what it did is read from the catalog."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection

from dflint.guard.definitions import Definitions, read_definitions, renamings, restoration
from dflint.guard.errors import GuardRefused
from dflint.guard.lock import MigrationLock
from dflint.guard.verified_state import State
from dflint.plugin.validators import TableName

#: In milliseconds, for each lock that a restoration waits for.
_LOCK_TIMEOUT = 5000

_OWN_SESSION = (
    "the migration opens a session of its own: what it changes in rows cannot be taken back, and of the schema only "
    "what the catalog shows"
)


class CallableMigration:
    """A function without arguments, or one that takes the guarded session, synchronous or not."""

    def __init__(self, function: Callable[..., Any], lock: MigrationLock, tables: Sequence[TableName] = ()) -> None:
        """Say what to call; nothing is called yet.

        Args:
            function: the migration. One that takes an argument gets the session that holds the lock, in a transaction.
            lock: held while it runs.
            tables: whose rows must be as before after a rollback.
        """
        self._function = function
        self._lock = lock
        self._tables = tuple(tables)
        self._takes_session = _takes_an_argument(function)
        self._state: State | None = None
        self._definitions: Definitions | None = None

    async def prepare(self) -> tuple[str, ...]:
        """Note what there is.

        Raises:
            GuardRefused: somebody's lock stands in the way; nothing was run.
        """
        session = self._lock.connection
        try:
            self._definitions = await read_definitions(session)
        except psycopg.errors.LockNotAvailable as error:
            raise GuardRefused(
                "the definitions of views cannot be read: a table that they read is locked",
                blocked="by a session that holds ACCESS EXCLUSIVE; dflint locks shows it",
                next="run the migration again when that session has ended",
            ) from error
        self._state = await State.read(session, self._tables)
        if self._takes_session:
            return ()
        return (_OWN_SESSION,)

    async def run(self) -> None:
        """Call it. In the guarded session it is one transaction."""
        if not self._takes_session:
            await _called(self._function)
            return
        async with self._lock.connection.transaction():
            await _called(self._function, self._lock.connection)

    async def take_back(self) -> tuple[str, ...]:
        """Make the schema what it was and verify it."""
        assert self._definitions is not None
        assert self._state is not None
        session = self._lock.connection
        problems = await run_in_any_order(session, renamings(self._definitions, await read_definitions(session)))
        back = restoration(self._definitions, await read_definitions(session))
        problems += back.lost
        problems += await run_in_any_order(session, back.statements)
        problems += self._state.differences(await State.read(session, self._tables))
        if not problems and not self._tables and not self._takes_session:
            # Rows are not looked at; whoever wants them verified names the tables.
            return ()
        return tuple(dict.fromkeys(problems))


def _takes_an_argument(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(
        each.default is each.empty and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        for each in parameters
    )


async def _called(function: Callable[..., Any], *arguments: Any) -> None:
    if inspect.iscoroutinefunction(function) or arguments:
        made = function(*arguments)
    else:
        made = await _in_thread(function)
    if inspect.isawaitable(made):
        await made


async def _in_thread(function: Callable[[], Any]) -> Any:
    """Call what may block, while validators look on. A thread cannot be stopped: whoever is cancelled waits for it."""
    running = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


async def run_in_any_order(session: AsyncConnection[Any], statements: Sequence[str]) -> list[str]:
    """Run statements in one transaction, each when those it rests on have been run; all or none.

    Returns:
        Why nothing was done, in words; empty when all was done.
    """
    waiting, failures = list(statements), list[str]()
    try:
        async with session.transaction():
            await session.execute(b"select set_config('lock_timeout', %s, true)", (str(_LOCK_TIMEOUT),))
            while waiting:
                left = list[str]()
                failures.clear()
                for statement in waiting:
                    try:
                        async with session.transaction():
                            await session.execute(statement.encode())
                    except psycopg.DatabaseError as error:
                        if session.closed:
                            raise
                        left.append(statement)
                        failures.append(f"{statement}: {error.diag.message_primary or error}")
                if len(left) == len(waiting):
                    raise _Stuck
                waiting = left
    except _Stuck:
        return [f"it could not be brought back: {failure}" for failure in failures]
    except psycopg.Error as error:
        return [f"it could not be brought back: {error.diag.message_primary or error}"]
    return []


class _Stuck(Exception):
    """No statement that is left can be run."""
