"""Run-time parameters that a step's statements rely on, in force for the step alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from psycopg.sql import SQL, Identifier

from dflint.guard.table_locks import Connection

#: Who the session is: neither the ledger nor the lock is that role's business.
_ROLES: Final = frozenset({"role", "session_authorization"})

_SET: Final = (
    "SELECT pg_catalog.set_config(name, value, %s) FROM unnest(%s::text[], %s::text[]) AS wanted (name, value)"
)


async def set_locally(connection: Connection, settings: Mapping[str, str]) -> None:
    """Set them for the transaction that is open."""
    if settings:
        # The role last: it may not be allowed to set the others.
        names = sorted(settings, key=lambda name: (name in _ROLES, name))
        await connection.execute(_SET, [True, names, [settings[name] for name in names]])


async def be_oneself(connection: Connection, settings: Mapping[str, str], text: str = "") -> None:
    """Be who the session was when it began again: the ledger is no other role's.

    Not only for the transaction that is open: what its statements set would be in force again after it. The steps that
    follow have who they run as in their settings.

    Args:
        connection: in a transaction.
        settings: that were set in it.
        text: the statements that ran in it, in small letters.
    """
    if "session_authorization" in settings or "authorization" in text:
        await connection.execute("RESET SESSION AUTHORIZATION")
    elif "role" not in settings and "role" not in text:
        return
    await connection.execute("RESET ROLE")


@asynccontextmanager
async def set_for_now(connection: Connection, settings: Mapping[str, str], *, roles: bool) -> AsyncIterator[None]:
    """Set them for the session, and take that back afterwards.

    Args:
        connection: outside a transaction.
        settings: of the step.
        roles: those that say who the session is; or, when False, all others.
    """
    wanted = {name: value for name, value in settings.items() if (name in _ROLES) == roles}
    if not wanted:
        yield
        return
    names = sorted(wanted)
    await connection.execute(_SET, [False, names, [wanted[name] for name in names]])
    try:
        yield
    finally:
        if not connection.closed:
            for name in names:
                await connection.execute(SQL("RESET {}").format(Identifier(name)))
