"""Running probes: each finds a database as if it were alone in it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace
from psycopg import AsyncConnection, Error, sql

from dflint.facts.probes import Probe
from dflint.model.errors import InputError
from dflint.model.locks import stronger
from dflint.model.observation import Observation
from dflint.postgres.connection import connect
from dflint.trace.observe import observe, plan_sequentially
from dflint.trace.observe_relations import read_relations
from dflint.trace.observe_waiting import HOLDERS, LADDER, Encounter, Held, meet
from dflint.trace.observe_workspace import Workspaces

#: Probes may use a tablespace of this name.
TABLESPACE = "probe_space"

_ROLE = re.compile(r"\bcreate\s+(?:role|user|group)\s+(probe_[a-z0-9_]+)", re.IGNORECASE)

#: VACUUM pauses after each page, with its locks: otherwise a small table's are gone before anybody has looked.
_SLOWLY = b"set vacuum_cost_delay = 2; set vacuum_cost_limit = 1"

#: In milliseconds; a probe that hangs is a mistake.
_STATEMENT_TIMEOUT = 20_000


class PreparedProbe:
    """A probe whose setup has been run.

    Attributes:
        probe: the probe.
        worker: the session to run it in, with its settings.
        observer, holder: other sessions in its database.
    """

    def __init__(
        self,
        probe: Probe,
        worker: AsyncConnection[Any],
        observer: AsyncConnection[Any],
        holder: AsyncConnection[Any],
    ) -> None:
        self.probe = probe
        self.worker = worker
        self.observer = observer
        self.holder = holder

    async def observe(self) -> Observation:
        """Run the statement."""
        return await observe(self.worker, self.observer, self.probe.sql, before=self.probe.before)

    async def meet(self, held: Held) -> tuple[Encounter, str]:
        """Run the statement against a holder; also the identity of the relation on which it asked for a lock."""
        relations = await read_relations(self.observer)
        encounter = await meet(self.worker, self.holder, self.observer, self.probe.sql, held)
        asked = relations.by_oid.get(encounter.relation)
        return encounter, "" if asked is None else asked.identity

    async def tables(self) -> list[tuple[str, tuple[str, str]]]:
        """Printed identity, and schema and name, of the tables there are."""
        return [
            (relation.identity, relation.name)
            for relation in (await read_relations(self.observer)).by_oid.values()
            if relation.kind == "table"
        ]


class ProbeServer:
    """A server on which probes are run, by a superuser, one at a time."""

    def __init__(self, admin: AsyncConnection[Any], workspaces: Workspaces) -> None:
        self._admin = admin
        self._workspaces = workspaces
        self._roles: list[str] = []
        self.major = admin.info.server_version // 10_000

    @classmethod
    @asynccontextmanager
    async def connected(cls, dsn: str) -> AsyncIterator[ProbeServer]:
        """The server of that connection string, whose database stays as it is; nothing of the probes stays."""
        async with await connect(dsn, autocommit=True) as admin:
            server = cls(admin, workspaces := Workspaces(admin, dsn))
            try:
                yield server
            finally:
                await workspaces.close()
                for role in server._roles:
                    await server._drop_role(role)

    @asynccontextmanager
    async def prepared(self, probe: Probe) -> AsyncIterator[PreparedProbe]:
        """A database with the probe's setup and nothing else, for as long as the context lasts.

        Raises:
            InputError: the setup or the settings fail.
        """
        workspace = await self._workspaces.use()
        observer, worker, holder = workspace.sessions
        try:
            await self._clear_up_for(probe, observer)
            await _set_up(probe, observer, worker)
        except Error as error:
            file, _, line = probe.place.rpartition(":")
            reason = f"the setup of probe {probe.id} fails: {error.diag.message_primary or error}"
            raise InputError(reason, file=file or None, line=int(line) if line else None) from error
        try:
            yield PreparedProbe(probe, worker, observer, holder)
            await _tear_down(probe, observer)
        except BaseException:
            # Sessions may be in any state.
            await self._workspaces.close()
            raise

    async def _clear_up_for(self, probe: Probe, session: AsyncConnection[Any]) -> None:
        """Remove what the probe before left outside the database, and what a killed run of this one left."""
        if TABLESPACE in probe.text:
            await self._make_tablespace()
        own = [role.lower() for role in dict.fromkeys(_ROLE.findall(probe.text))]
        for role in dict.fromkeys([*self._roles, *own]):
            await self._drop_role(role)
        self._roles = own
        await _tear_down(probe, session)

    async def study(self, probe: Probe, seen: Observation) -> Observation:
        """Find out what a statement that cannot run in a transaction locks and waits for, by holding it up.

        Each attempt starts from the probe's setup again. Locks on indexes stay those that were seen in passing.
        """
        locks, waits, leftovers = dict(seen.locks), set[str](), set[str]()
        async with self.prepared(probe) as prepared:
            tables = await prepared.tables()
            against_snapshot, _ = await prepared.meet(Held())
        if against_snapshot.outcome == "waits":
            waits.add("old_snapshots")
            leftovers.add(against_snapshot.leftover)
        for identity, name in tables:
            for mode in LADDER:
                async with self.prepared(probe) as prepared:
                    encounter, relation = await prepared.meet(Held(mode, name))
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

    async def _drop_role(self, role: str) -> None:
        await self._admin.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))

    async def _make_tablespace(self) -> None:
        found = await self._admin.execute("select from pg_tablespace where spcname = %s", (TABLESPACE,))
        if await found.fetchone() is None:
            await self._admin.execute("set allow_in_place_tablespaces = on")
            await self._admin.execute(sql.SQL("create tablespace {} location ''").format(sql.Identifier(TABLESPACE)))


async def _tear_down(probe: Probe, session: AsyncConnection[Any]) -> None:
    """Remove what would outlive the probe's database."""
    if probe.teardown:
        await session.execute(probe.teardown.encode())


async def _set_up(probe: Probe, observer: AsyncConnection[Any], worker: AsyncConnection[Any]) -> None:
    if probe.setup:
        # What the setup scans is counted for its session: the worker must be another.
        await observer.execute(probe.setup.encode())
        await observer.rollback()
        await observer.execute(b"reset session authorization")
        await observer.execute(b"discard all")
    await plan_sequentially(worker)
    await worker.execute(_SLOWLY)
    await worker.execute(sql.SQL("set statement_timeout = {}").format(_STATEMENT_TIMEOUT))
    for name, value in probe.settings.items():
        await worker.execute(sql.SQL("select set_config({}, {}, false)").format(name, value))
