"""Looking on while a statement runs: who waits for it, for whom it waits, and how far it is.

The monitor has a session of its own, in autocommit mode, because a snapshot of ours would hold up our own
``CREATE INDEX CONCURRENTLY``. It cancels nobody's statements but those of the session that it was given, and it fails
closed: when it cannot see, a step that stops others does not go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

import psycopg
from msgspec import Struct
from psycopg import AsyncConnection

from dflint.guard.blockers import Blocker, BlockerKind
from dflint.guard.capabilities import Capabilities
from dflint.guard.errors import GuardRefused
from dflint.guard.progress import Progress
from dflint.guard.samples import Sample, StepProgress, Waiter, take_sample
from dflint.guard.session import open_monitor
from dflint.model.errors import DflintError

__all__ = ["Blocker", "BlockerKind", "Limits", "Monitor", "Sample", "StepProgress", "Waiter", "Watch"]

_SHORTEST_POLL_S: Final = 0.02


class Limits(Struct, frozen=True, kw_only=True):
    """When a statement of ours is cancelled for the sake of others, and how closely is looked.

    Attributes:
        waiter_ms: one session has waited for us as long as this.
        waiters: more sessions than this wait for us.
        blocked_budget_s: so long have all sessions together waited for us in one attempt.
        blind_s: so long there was no fresh look at the server.
        strong_poll_s, weak_poll_s: between two looks while a step stops others, and while it does not.
        cancel: cancel at all; False: only watch and say.
    """

    waiter_ms: int = 500
    waiters: int = 20
    blocked_budget_s: float = 10.0
    blind_s: float = 2.0
    strong_poll_s: float = 0.1
    weak_poll_s: float = 1.0
    cancel: bool = True


class Watch:
    """What was seen during one attempt.

    Attributes:
        strong: the attempt may stop readers or writers.
        poll_s: between two looks, seconds.
        blocked_s: how long others have waited for us, all sessions together, seconds.
        longest_wait_s: how long one session has waited at most, seconds.
        waiters: most sessions that waited at the same time.
        blockers: who stood in our way when we were last seen waiting; empty: we were not.
        progress: how far the statement is, where the server tells.
        cancelled_because: why its statement was cancelled; None: it was not.
        samples: looks at the server.
    """

    def __init__(self, *, strong: bool, waiter_s: float, poll_s: float = 0.1) -> None:
        self.strong = strong
        self.poll_s = poll_s
        self.blocked_s = 0.0
        self.longest_wait_s = 0.0
        self.waiters = 0
        self.blockers: tuple[Blocker, ...] = ()
        self.progress: StepProgress | None = None
        self.cancelled_because: str | None = None
        self.samples = 0
        self._waiter_s = waiter_s
        self._began = time.monotonic()
        self._seen = self._began
        self._waited: dict[tuple[int, str], float] = {}
        self._now: frozenset[tuple[int, str]] = frozenset()

    def take_in(self, sample: Sample) -> None:
        """Add what a look at the server showed."""
        now = time.monotonic()
        since = now - self._began
        waiting = {(waiter.pid, waiter.wait_id): min(waiter.waited_s, since) for waiter in sample.waiters}
        for waiter, waited in waiting.items():
            self._waited[waiter] = max(waited, self._waited.get(waiter, 0.0))
        self.samples += 1
        self._seen, self._now = now, frozenset(waiting)
        self.waiters = max(self.waiters, len(waiting))
        if sample.blockers:
            self.blockers = sample.blockers
        self.progress = sample.progress or self.progress
        self._add_up()

    def end(self) -> None:
        """The attempt is over: who was seen waiting last is taken to have waited until now."""
        more = time.monotonic() - self._seen
        for waiter in self._now:
            self._waited[waiter] += more
        self._add_up()

    def unseen_s(self) -> float:
        """Seconds since the last look at the server."""
        return time.monotonic() - self._seen

    def too_much(self, limits: Limits) -> str | None:
        """Why the statement has to be cancelled; None: it need not be."""
        current = max((self._waited[waiter] for waiter in self._now), default=0.0)
        if current > self._waiter_s:
            return f"a session has waited for it for {current:.1f} s"
        if len(self._now) > limits.waiters:
            return f"{len(self._now)} sessions wait for it"
        if self._now and self.blocked_s > limits.blocked_budget_s:
            return f"others have waited for it for {self.blocked_s:.1f} s altogether"
        return None

    def _add_up(self) -> None:
        self.blocked_s = sum(self._waited.values())
        self.longest_wait_s = max(self._waited.values(), default=0.0)


class Monitor:
    """Looks on. ``async with Monitor(…) as monitor:`` opens its session and keeps it open, also when it is lost.

    Attributes:
        able: what the role may see and do.
        latest: what the last look at the server showed; None before the first.
    """

    def __init__(
        self,
        dsn: str,
        executor: AsyncConnection[Any],
        limits: Limits | None = None,
        capabilities: Capabilities | None = None,
        *,
        run_id: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Say what to look at; nothing happens before the context is entered.

        Args:
            dsn: the same server as the executing session's.
            executor: the executing session, whose statements are watched and cancelled.
            limits: see there.
            capabilities: what the role may see and do; None: everything.
            run_id: for the session's name.
            progress: is told of each look, as ``sample``.
        """
        self._dsn = dsn
        self._executor = executor
        self._pid = executor.info.backend_pid
        self._limits = limits or Limits()
        self.able = capabilities or Capabilities(role="", superuser=True)
        self._run_id = run_id
        self._progress = progress
        self._connection: AsyncConnection[Any] | None = None
        self._watch: Watch | None = None
        self._wake = asyncio.Event()
        self._cancelling = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self.latest: Sample | None = None

    async def __aenter__(self) -> Self:
        # Without a second session no step may be started: better to know it now.
        self._connection = await open_monitor(self._dsn, run_id=self._run_id)
        self._tasks = [asyncio.create_task(self._look()), asyncio.create_task(self._guard())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()

    @asynccontextmanager
    async def watching(self, *, strong: bool, patience_ms: int = 0) -> AsyncIterator[Watch]:
        """Watch one attempt; what was seen stays readable afterwards.

        Args:
            strong: it may stop readers or writers: look closely, and cancel for the sake of others.
            patience_ms: the attempt itself waits for locks as long as this: who waits behind it may wait as long.

        Raises:
            GuardRefused: it is strong, and this role may not see who waits for whom.
        """
        if strong and not self.able.sees_waiters:
            missing = next(missing for missing in self.able.missing if missing.refuses)
            raise GuardRefused(missing.message, next=missing.remedy)
        limits = self._limits
        poll_s = limits.strong_poll_s if strong else limits.weak_poll_s
        if patience_ms:
            # A short attempt is over before the second look: who is in the way is seen in the first half of it.
            poll_s = max(_SHORTEST_POLL_S, min(poll_s, patience_ms / 4000))
        watch = Watch(strong=strong, waiter_s=max(limits.waiter_ms, patience_ms) / 1000, poll_s=poll_s)
        self._watch = watch
        self._wake.set()
        try:
            yield watch
        finally:
            watch.end()
            self._watch = None
            # A cancel request that is under way must not reach the next statement.
            async with self._cancelling:
                pass

    async def _look(self) -> None:
        """Look at the server, again and again, as long as there is something to watch."""
        while True:
            self._wake.clear()
            watch = self._watch
            if watch is None:
                await self._wake.wait()
                continue
            # Most statements are done before anybody could have waited for them.
            await self._rest(watch.poll_s / 2)
            while watch is self._watch:
                began = time.monotonic()
                sample = await self._sample()
                took = time.monotonic() - began
                if sample is not None:
                    await self._take_in(watch, sample)
                # Looking is not free on a server with a large lock table: not more than a fifth of the time.
                await self._rest(max(watch.poll_s - took, min(4 * took, self._limits.blind_s / 4)))

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until another watch begins."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _take_in(self, watch: Watch, sample: Sample) -> None:
        self.latest = sample
        if watch is not self._watch:
            return
        watch.take_in(sample)
        if self._progress is not None:
            self._progress.event("sample", **sample.told(blocked_s=watch.blocked_s))
        reason = watch.too_much(self._limits)
        if reason is not None and watch.strong and self._limits.cancel:
            await self._cancel(watch, reason, sample)

    async def _sample(self) -> Sample | None:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = await open_monitor(self._dsn, run_id=self._run_id)
            async with asyncio.timeout(self._limits.blind_s):
                return await take_sample(self._connection, self._pid, self.able)
        except (psycopg.Error, DflintError, OSError, TimeoutError):
            # A session that did not answer in time is in no state to be asked again.
            if self._connection is not None and not self._answers(self._connection):
                await self._connection.close()
            return None

    @staticmethod
    def _answers(connection: AsyncConnection[Any]) -> bool:
        return not connection.closed and connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE

    async def _cancel(self, watch: Watch, reason: str, sample: Sample) -> None:
        """Cancel the statement that was seen, and no other."""
        if not self.able.cancels or self._connection is None:
            await self._cancel_by_request(watch, reason)
            return
        query = b"""SELECT pg_catalog.pg_cancel_backend(a.pid) FROM pg_catalog.pg_stat_activity a
                     WHERE a.pid = %s AND a.state = 'active' AND a.query_start = %s::timestamptz"""
        try:
            async with self._cancelling:
                if watch is not self._watch:
                    return
                watch.cancelled_because = watch.cancelled_because or reason
                await self._connection.execute(query, [self._pid, sample.query_start])
        except psycopg.Error:
            await self._cancel_by_request(watch, reason)

    async def _guard(self) -> None:
        """Cancel a step that stops others when nobody has looked at the server for too long."""
        while True:
            await asyncio.sleep(min(0.1, self._limits.blind_s / 4))
            watch = self._watch
            if watch is None or not watch.strong or watch.unseen_s() < self._limits.blind_s:
                continue
            await self._cancel_by_request(
                watch, f"the monitor has seen nothing of the server for {watch.unseen_s():.1f} s"
            )

    async def _cancel_by_request(self, watch: Watch, reason: str) -> None:
        """Cancel by the protocol's request, which needs neither a right nor a session."""
        async with self._cancelling:
            if watch is not self._watch or self._executor.closed:
                return
            watch.cancelled_because = watch.cancelled_because or reason
            with contextlib.suppress(psycopg.Error, OSError):
                await self._executor.cancel_safe(timeout=5.0)
