"""A database that is emptied between uses: four times quicker than one of its own for each probe."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

from psycopg import AsyncConnection, Error, sql
from psycopg.conninfo import make_conninfo

from dflint.postgres.connection import connect

_NUMBERS = count()

#: Catalogs grow with every use; after so many a new database is made.
_USES = 300

#: In milliseconds: nobody else is in the database, so whoever has to wait has found something left open.
_LOCK_TIMEOUT = 2000

_SCHEMAS = b"select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'"

#: What is in no schema, and so outlives them all. A database that holds any of it is not used again.
_LEFT = b"""
select (select count(*) from pg_namespace where oid >= 16384 and nspname !~ '^pg_' and nspname <> 'public')
     + (select count(*) from pg_class where oid >= 16384)
     + (select count(*) from pg_extension where oid >= 16384)
     + (select count(*) from pg_event_trigger) + (select count(*) from pg_publication)
     + (select count(*) from pg_foreign_data_wrapper) + (select count(*) from pg_cast where oid >= 16384)
     + (select count(*) from pg_language where oid >= 16384) + (select count(*) from pg_am where oid >= 16384)
     + (select count(*) from pg_transform) + (select count(*) from pg_largeobject_metadata)
     + (select count(*) from pg_default_acl)
     + (select count(*) from pg_db_role_setting s, pg_database d
        where d.oid = setdatabase and datname = current_database())
     + (select count(*) from pg_subscription s, pg_database d
        where d.oid = subdbid and datname = current_database())
"""


_SUBSCRIPTIONS = b"select subname from pg_subscription s join pg_database d on d.oid = subdbid where datname = %s"


class Workspace:
    """One database and three idle sessions in it, all in autocommit mode."""

    def __init__(self, sessions: Sequence[AsyncConnection[Any]]) -> None:
        self.sessions = sessions
        self.uses = 0

    async def empty(self) -> bool:
        """Make the database like new and the sessions too; False when that could not be done."""
        self.uses += 1
        if self.uses > _USES:
            return False
        first = self.sessions[0]
        try:
            for session in self.sessions:
                await session.rollback()
                await session.execute(b"reset session authorization")
                await session.execute(b"discard all")
            await first.execute(sql.SQL("set lock_timeout = {}").format(_LOCK_TIMEOUT))
            for (name,) in await (await first.execute(_SCHEMAS)).fetchall():
                await first.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(name)))
            await first.execute(_public(first).encode())
            await first.execute(b"reset lock_timeout")
            row = await (await first.execute(_LEFT)).fetchone()
        except Error:
            return False
        return row is not None and row[0] == 0


def _public(session: AsyncConnection[Any]) -> str:
    if session.info.server_version >= 150000:
        return "create schema public authorization pg_database_owner; grant usage on schema public to public"
    return "create schema public; grant usage, create on schema public to public"


class Workspaces:
    """Makes workspaces on a server, one at a time."""

    def __init__(self, admin: AsyncConnection[Any], dsn: str) -> None:
        self._admin = admin
        self._dsn = dsn
        self._stack = AsyncExitStack()
        self._kept: Workspace | None = None

    async def use(self) -> Workspace:
        """An empty workspace; the one before must not be in use any more."""
        if self._kept is not None and not await self._kept.empty():
            await self.close()
        if self._kept is None:
            self._kept = await self._stack.enter_async_context(self._new())
        return self._kept

    async def close(self) -> None:
        """Drop the database, with whatever is going on in it."""
        self._kept = None
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    @asynccontextmanager
    async def _new(self) -> AsyncIterator[Workspace]:
        plain = f"probe_{os.getpid()}_{next(_NUMBERS)}"
        name = sql.Identifier(plain)
        strategy = sql.SQL(" strategy file_copy" if self._admin.info.server_version >= 150000 else "")
        await self._admin.execute(sql.SQL("create database {} template template0").format(name) + strategy)
        try:
            async with AsyncExitStack() as stack:
                sessions = []
                for _ in range(3):
                    session = await connect(make_conninfo(self._dsn, dbname=plain), autocommit=True)
                    # DISCARD ALL forgets prepared statements, of which psycopg would not know.
                    session.prepare_threshold = None
                    sessions.append(await stack.enter_async_context(session))
                yield Workspace(sessions)
        finally:
            await self._drop_subscriptions(plain)
            await self._admin.execute(sql.SQL("drop database {} with (force)").format(name))

    async def _drop_subscriptions(self, database: str) -> None:
        """A database with subscriptions cannot be dropped; their slots elsewhere, if any, are not ours."""
        found = await self._admin.execute(_SUBSCRIPTIONS, (database,))
        names = [sql.Identifier(name) for (name,) in await found.fetchall()]
        if not names:
            return
        async with await connect(make_conninfo(self._dsn, dbname=database), autocommit=True) as session:
            for name in names:
                await session.execute(sql.SQL("alter subscription {} disable").format(name))
                await session.execute(sql.SQL("alter subscription {} set (slot_name = none)").format(name))
                await session.execute(sql.SQL("drop subscription {}").format(name))
