"""Running probes: each in a database of its own, which is gone afterwards."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from msgspec.structs import replace
from psycopg import AsyncConnection, sql
from psycopg.conninfo import make_conninfo

from dflint.facts.probes import Probe
from dflint.model.locks import stronger
from dflint.model.observation import Observation
from dflint.postgres.connection import connect
from dflint.trace.observe import observe, plan_sequentially
from dflint.trace.observe_relations import read_relations
from dflint.trace.observe_waiting import HOLDERS, LADDER, Encounter, Held, meet

#: Probes may use a tablespace of this name.
TABLESPACE = "probe_space"

_ROLE = re.compile(r"\bcreate\s+(?:role|user|group)\s+(probe_[a-z0-9_]+)", re.IGNORECASE)
_NUMBERS = count()

#: In milliseconds; a probe that hangs is a mistake.
_STATEMENT_TIMEOUT = 20_000


class PreparedProbe:
    """A probe whose setup has been run.

    Attributes:
        probe: the probe.
        worker: the session to run it in, with its settings.
        observer: another session in its database.
        dsn: of that database.
    """

    def __init__(self, probe: Probe, dsn: str, worker: AsyncConnection[Any], observer: AsyncConnection[Any]) -> None:
        self.probe = probe
        self.dsn = dsn
        self.worker = worker
        self.observer = observer

    async def observe(self) -> Observation:
        """Run the statement."""
        return await observe(self.worker, self.observer, self.probe.sql, before=self.probe.before)

    async def tables(self) -> list[tuple[str, tuple[str, str]]]:
        """Printed identity, and schema and name, of the tables there are."""
        return [
            (relation.identity, relation.name)
            for relation in (await read_relations(self.observer)).by_oid.values()
            if relation.kind == "table"
        ]


class ProbeServer:
    """A server on which probes are run, by a superuser."""

    def __init__(self, admin: AsyncConnection[Any], dsn: str) -> None:
        self._admin = admin
        self._dsn = dsn
        self.major = admin.info.server_version // 10_000

    @classmethod
    @asynccontextmanager
    async def connected(cls, dsn: str) -> AsyncIterator[ProbeServer]:
        """The server of that connection string, whose database stays as it is."""
        async with await connect(dsn, autocommit=True) as admin:
            yield cls(admin, dsn)

    @asynccontextmanager
    async def prepared(self, probe: Probe) -> AsyncIterator[PreparedProbe]:
        """A database with the probe's setup, for as long as the context lasts.

        Raises:
            psycopg.Error: the setup or the settings fail.
        """
        async with self._database(probe) as dsn:
            if probe.setup:
                async with await connect(dsn, autocommit=True) as session:
                    await session.execute(probe.setup.encode())
            async with (
                await connect(dsn, autocommit=True) as observer,
                await connect(dsn, autocommit=True) as worker,
            ):
                await plan_sequentially(worker)
                await worker.execute(f"set statement_timeout = {_STATEMENT_TIMEOUT}".encode())
                for name, value in probe.settings.items():
                    await worker.execute(sql.SQL("select set_config({}, {}, false)").format(name, value))
                yield PreparedProbe(probe, dsn, worker, observer)

    async def study(self, probe: Probe, seen: Observation) -> Observation:
        """Find out what a statement that cannot run in a transaction locks and waits for, by holding it up.

        Each attempt starts from the probe's setup again. Locks on indexes stay those that were seen in passing.
        """
        locks, waits, leftovers = dict(seen.locks), set[str](), set[str]()
        async with self.prepared(probe) as prepared:
            tables = await prepared.tables()
        against_snapshot, _ = await self._meet(probe, Held())
        if against_snapshot.outcome == "waits":
            waits.add("old_snapshots")
            leftovers.add(against_snapshot.leftover)
        for identity, name in tables:
            for mode in LADDER:
                encounter, relation = await self._meet(probe, Held(mode, name))
                if encounter.outcome == "waits":
                    leftovers.add(encounter.leftover)
                    waits.update([HOLDERS[mode]] if mode in HOLDERS else [])
                if encounter.outcome == "conflict":
                    locks[relation] = stronger(encounter.mode, locks.get(relation, encounter.mode))
                    if relation == identity:
                        break
        return replace(
            seen,
            locks=dict(sorted(locks.items())),
            waits_for=tuple(sorted(waits)),
            leftover=next(iter(sorted(leftovers - {""})), ""),
        )

    async def _meet(self, probe: Probe, held: Held) -> tuple[Encounter, str]:
        """The encounter, and the identity of the relation on which a lock was asked for."""
        async with self.prepared(probe) as prepared, await connect(prepared.dsn, autocommit=True) as holder:
            relations = await read_relations(prepared.observer)
            encounter = await meet(prepared.worker, holder, prepared.observer, probe.sql, held)
            asked = relations.by_oid.get(encounter.relation)
            return encounter, "" if asked is None else asked.identity

    @asynccontextmanager
    async def _database(self, probe: Probe) -> AsyncIterator[str]:
        name = sql.Identifier(plain := f"probe_{os.getpid()}_{next(_NUMBERS)}")
        roles = [role.lower() for role in dict.fromkeys(_ROLE.findall(probe.text))]
        if TABLESPACE in probe.text:
            await self._make_tablespace()
        await self._drop_roles(roles)
        strategy = sql.SQL(" strategy file_copy" if self.major >= 15 else "")
        await self._admin.execute(sql.SQL("create database {} template template0").format(name) + strategy)
        try:
            yield make_conninfo(self._dsn, dbname=plain)
        finally:
            await self._admin.execute(sql.SQL("drop database {} with (force)").format(name))
            if probe.teardown:
                await self._admin.execute(probe.teardown.encode())
            await self._drop_roles(roles)

    async def _drop_roles(self, roles: list[str]) -> None:
        for role in roles:
            await self._admin.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))

    async def _make_tablespace(self) -> None:
        found = await self._admin.execute("select from pg_tablespace where spcname = %s", (TABLESPACE,))
        if await found.fetchone() is None:
            await self._admin.execute("set allow_in_place_tablespaces = on")
            await self._admin.execute(sql.SQL("create tablespace {} location ''").format(sql.Identifier(TABLESPACE)))
