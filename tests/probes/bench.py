"""Running probes from plain tests: one event loop, whose sessions and databases are used again and again."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from random import Random

from dflint.facts.probes import Probe
from dflint.trace.observe_probe import ProbeServer
from tests.probes.comparing import Outcome, outcome_of, rows_came_first, without_rows
from tests.probes.surroundings import surrounded


class Bench:
    """All servers that a module's tests use."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._servers: dict[str, ProbeServer] = {}

    def outcome(self, dsn: str, probe: Probe) -> Outcome:
        """Run a probe and compare."""
        return self._runner.run(self._outcome(dsn, probe, None))

    def outcome_surrounded(self, dsn: str, probe: Probe, rng: Random) -> Outcome:
        """Run a probe in other surroundings and compare."""
        return self._runner.run(self._outcome(dsn, probe, rng))

    async def _outcome(self, dsn: str, probe: Probe, rng: Random | None) -> Outcome:
        if dsn not in self._servers:
            self._servers[dsn] = await self._stack.enter_async_context(ProbeServer.connected(dsn))
        server = self._servers[dsn]
        probe = probe if rng is None else await surrounded(server, probe, rng)
        found = await outcome_of(server, probe)
        if rows_came_first(found):
            # The server met rows that it refuses before the part that is refused whatever the rows: judged without any.
            return await outcome_of(server, without_rows(probe))
        return found

    def close(self) -> None:
        """Drop the databases."""
        self._runner.run(self._stack.aclose())
        self._runner.close()
