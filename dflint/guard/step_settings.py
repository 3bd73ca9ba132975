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


async def reset_role_locally(connection: Connection, settings: Mapping[str, str]) -> None:
    """Be who the session is again, for the rest of the transaction that is open."""
    if "session_authorization" in settings:
        await connection.execute("SET LOCAL SESSION AUTHORIZATION DEFAULT")
    if "role" in settings:
        await connection.execute("SET LOCAL ROLE NONE")


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
