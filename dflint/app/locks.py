"""The use cases of ``dflint locks``: who holds the migration lock and who waits for whom; taking the lock away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from dflint.model.errors import InputError, ServerError
from dflint.model.run import Holder

try:
    from dflint.guard.breaking import break_lock, holder_of
    from dflint.guard.lock_tree import Branch, LockReport, Participant, lock_report
    from dflint.guard.session import open_monitor
except ServerError as error:
    raise InputError(error.message, remedy=error.remedy) from error

__all__ = ["Branch", "LockReport", "Participant", "break_run", "looks"]


async def looks(dsn: str, pause: Callable[[], Awaitable[object]] | None) -> AsyncIterator[LockReport]:
    """One look at the locks of a database, or one after each pause, for ever.

    Raises:
        ServerError: there is no connection.
    """
    async with await open_monitor(dsn, run_id=None) as connection:
        yield await lock_report(connection)
        while pause is not None:
            await pause()
            yield await lock_report(connection)


async def break_run(dsn: str, run: str, confirm: Callable[[Holder], bool]) -> Holder | None:
    """Take the migration lock from a run.

    Args:
        dsn: the database.
        run: its id, or how it begins.
        confirm: asked before anything is done.

    Returns:
        Whose lock it was; None when it was not confirmed.

    Raises:
        InputError: that run holds no lock.
        GuardRefused: this role may not end the session.
        ServerError: there is no connection.
    """
    async with await open_monitor(dsn, run_id=None) as connection:
        holder = await holder_of(connection, run)
        if not confirm(holder):
            return None
        await break_lock(connection, holder)
        return holder
