"""A step that PostgreSQL refuses in a transaction: begun after a note of the intent, and looked at, never believed.

Whether such a statement has done its work is read from the catalog (`dflint.guard.observe_objects`), before it runs,
after it failed, and whenever a run is taken up again.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import psycopg

from dflint.guard.attempts import Attempts, is_transient
from dflint.guard.errors import GaveUpWaiting, PartlyApplied, PostCheckFailed, StepFailed
from dflint.guard.ledger import Ledger
from dflint.guard.lock import assert_fence
from dflint.guard.observe_objects import (
    Decision,
    Detachment,
    IndexBuild,
    IndexDrop,
    IndexRebuild,
    Mark,
    Subject,
    Unobservable,
    subject_of,
)
from dflint.guard.options import Work, first_words
from dflint.guard.step_settings import set_for_now
from dflint.guard.table_locks import Connection, set_timeouts
from dflint.guard.tx_step import Failure, check, describe, failed
from dflint.model.plan import Step
from dflint.planning.statements import operations_of, statements_of

#: These wait for others' transactions without making anybody queue: a limit would only leave half an index.
_CONCURRENT: Final = (IndexBuild, IndexDrop, IndexRebuild, Detachment)

_LOOK_AGAIN_S: Final = 0.5


class NeedsOperator(PartlyApplied):
    """What the catalog shows does not tell what to do: a person has to decide."""


async def run_nontx_step(work: Work, ord: int, step: Step) -> None:
    """Bring about what the step's one statement declares, from whatever state it is found in.

    Raises:
        NeedsOperator: only a person can decide how to go on.
        StepFailed: the server refuses the statement; what it left was removed.
        PartlyApplied: what it left could not be removed.
        GaveUpWaiting: others were in the way too long.
        PostCheckFailed: it was done, and a condition afterwards does not hold.
        psycopg.OperationalError: the connection is lost; the catalog tells how far it came.
    """
    async with set_for_now(work.lock.connection, step.settings, roles=False):
        await _NonTx(work, ord, step).run()


async def settle(work: Work, ord: int, step: Step) -> None:
    """Bring a step that was begun to one of the two sides, without running it: done, or nothing of it left.

    Raises:
        NeedsOperator, PartlyApplied, psycopg.OperationalError: as `run_nontx_step`.
    """
    async with set_for_now(work.lock.connection, step.settings, roles=False):
        await _NonTx(work, ord, step).settle()


class _NonTx:
    def __init__(self, work: Work, ord: int, step: Step) -> None:
        self._work = work
        self._ord = ord
        self._step = step
        self._connection: Connection = work.lock.connection
        statements = statements_of(step.sql)
        if len(statements) != 1:
            raise StepFailed(
                f"step {step.id} runs outside a transaction and has {len(statements)} statements",
                next="make each of them a step of its own",
            )
        self._statement = statements[0]
        self._subject: Subject = subject_of(operations_of(self._statement))
        self._attempts = Attempts(work.options.attempts)

    async def run(self) -> None:
        mark = await _first_mark(self._work.ledger, self._work.run_id, self._ord, self._subject)
        waiting_since: float | None = None
        while True:
            decision = await self._subject.decide(self._connection, mark)
            if decision.action == "done":
                return await self._done(decision)
            if decision.action == "needs_operator":
                raise self._needs_operator(decision)
            if decision.action == "wait":
                waiting_since = waiting_since or time.monotonic()
                await self._wait(decision, waiting_since)
                continue
            waiting_since = None
            if decision.action == "repair":
                await self._repair(decision)
                continue
            if mark is None:
                await check(self._connection, self._step, self._step.pre, "before")
                mark = await self._subject.mark(self._connection)
            await self._intend(mark, decision)
            if await self._execute(mark) and not isinstance(self._subject, _CONCURRENT):
                return await self._done(Decision("done", "the server says that it was done"))

    async def settle(self) -> None:
        mark = await _first_mark(self._work.ledger, self._work.run_id, self._ord, self._subject)
        since = time.monotonic()
        while True:
            decision = await self._subject.decide(self._connection, mark)
            match decision.action:
                case "done":
                    return await self._done(decision)
                case "needs_operator":
                    raise self._needs_operator(decision)
                case "wait":
                    await self._wait(decision, since)
                case "repair":
                    await self._repair(decision)
                case "run":
                    return await self._in_transaction("pending", "settled", why=decision.why)

    async def _intend(self, mark: Mark, decision: Decision) -> None:
        self._attempts.begin()
        await self._in_transaction("running", "intent", mark=mark, why=decision.why, number=self._attempts.number)

    async def _execute(self, mark: Mark) -> bool:
        """Run the statement. True when the server says that it was done, False when it is to be looked at again."""
        concurrent = isinstance(self._subject, _CONCURRENT)
        timeouts = self._step.timeouts
        lock_ms = 0 if concurrent else self._work.options.lock_timeout_ms or timeouts.lock_ms
        strong = isinstance(self._subject, Detachment) or not concurrent
        try:
            await set_timeouts(
                self._connection, lock_ms=lock_ms, statement_ms=0 if concurrent else timeouts.statement_ms, local=False
            )
            async with self._work.monitor.watching(strong=strong, patience_ms=lock_ms) as watch:
                failure = await self._answer(self._statement.encode())
        finally:
            await self._reset()
        if failure is None:
            return True
        pause = self._attempts.pause(watch.blocked_s, "lock")
        detail = failure.detail()
        await self._work.event(
            self._ord,
            "attempt",
            number=self._attempts.number,
            error=detail,
            blockers=[describe(blocker) for blocker in watch.blockers],
            cancelled_because=watch.cancelled_because,
        )
        transient = is_transient(failure.error, locking=False, cancelled_by_us=watch.cancelled_because is not None)
        spent = self._attempts.exhausted() if transient else None
        if transient and spent is None:
            await asyncio.sleep(pause)
            return False
        await self._clear_up(mark, failure)
        if spent is not None:
            raise GaveUpWaiting(
                f"step {self._step.id} could not be done: {spent}",
                state=f"step {self._step.id} left nothing",
                blocked="; ".join(describe(blocker) for blocker in watch.blockers) or None,
                next="",
            )
        raise failed(self._step, failure)

    async def _clear_up(self, mark: Mark, failure: Failure) -> None:
        """Remove what a statement that failed for good has left.

        A cancelled unique index that is ready goes on refusing duplicates; an invalid one costs every writer.
        """
        decision = await self._subject.decide(self._connection, mark)
        if decision.action == "repair" and not isinstance(self._subject, Detachment):
            await self._repair(decision)
            return
        if decision.leftover is not None:
            said = failure.detail()
            raise PartlyApplied(
                f"step {self._step.id}: {said['message']} ({failure.error.sqlstate}): {first_words(self._step)}",
                state=decision.why,
                next="",
            )

    async def _repair(self, decision: Decision) -> None:
        """Remove, or bring to its end, what a stopped attempt left."""
        await self._work.event(self._ord, "repair", why=decision.why, leftover=decision.leftover)
        for statement in decision.repair:
            text = statement.as_string(self._connection).encode()
            finalizing = isinstance(self._subject, Detachment)
            while True:
                self._attempts.begin()
                try:
                    limit = self._work.options.lock_timeout_ms or self._step.timeouts.lock_ms
                    await set_timeouts(
                        self._connection, lock_ms=limit if finalizing else 0, statement_ms=0, local=False
                    )
                    async with self._work.monitor.watching(strong=finalizing, patience_ms=limit) as watch:
                        failure = await self._answer(text)
                finally:
                    await self._reset()
                if failure is None:
                    break
                pause = self._attempts.pause(watch.blocked_s, "lock")
                spent = self._attempts.exhausted()
                transient = is_transient(
                    failure.error, locking=False, cancelled_by_us=watch.cancelled_because is not None
                )
                if not transient or spent is not None:
                    said = failure.detail()
                    raise PartlyApplied(
                        f"step {self._step.id}: what a stopped attempt left could not be removed: {said['message']}",
                        state=decision.why,
                        blocked="; ".join(describe(blocker) for blocker in watch.blockers) or None,
                        next="",
                    )
                await asyncio.sleep(pause)

    async def _answer(self, statement: bytes) -> Failure | None:
        try:
            async with set_for_now(self._connection, self._step.settings, roles=True):
                await self._connection.execute(statement, prepare=False)
        except psycopg.Error as error:
            if self._connection.closed:
                raise
            return Failure(error, locking=False, statement=None)
        return None

    async def _reset(self) -> None:
        if not self._connection.closed:
            await set_timeouts(self._connection, lock_ms=0, statement_ms=0, local=False)

    async def _wait(self, decision: Decision, since: float) -> None:
        if time.monotonic() - since >= self._work.options.patience_s:
            raise self._needs_operator(decision)
        self._work.tell("waiting", self._ord, why=decision.why)
        await asyncio.sleep(_LOOK_AGAIN_S)

    async def _done(self, decision: Decision) -> None:
        await self._in_transaction("done", "done", why=decision.why, attempts=self._attempts.number)
        for one in self._step.post:
            try:
                await check(self._connection, self._step, (one,), "after")
            except StepFailed as error:
                raise PostCheckFailed(
                    error.message, state=f"step {self._step.id} was done and stays", next=error.next
                ) from error

    async def _in_transaction(self, state: Any, kind: str, **detail: Any) -> None:
        """The step's row and an event, together, under the fence."""
        work, connection = self._work, self._connection
        async with connection.transaction():
            await assert_fence(connection, work.lock)
            await work.ledger.set_step(
                work.run_id, self._ord, state, attempts=self._attempts.number, fence=work.lock.fence
            )
            await work.ledger.event(work.run_id, self._ord, work.lock.fence, kind, detail)
        work.tell(kind, self._ord, **detail)

    def _needs_operator(self, decision: Decision) -> NeedsOperator:
        return NeedsOperator(
            f"step {self._step.id} cannot be decided: {decision.why}",
            state=decision.why,
            next="",
        )


async def decide_now(
    connection: Connection, ledger: Ledger | None, run_id: str | None, ord: int, step: Step
) -> Decision:
    """What `run_nontx_step` would do first. Writes nothing.

    Args:
        connection: outside a transaction.
        ledger, run_id: of the run that the step belongs to; None when there is none yet.
        ord: the step's place.
        step: of that kind.
    """
    subject = subject_of(operations_of(step.sql))
    mark = None
    if ledger is not None and run_id is not None:
        mark = await _first_mark(ledger, run_id, ord, subject)
    async with set_for_now(connection, step.settings, roles=False):
        return await subject.decide(connection, mark)


async def _first_mark(ledger: Ledger, run_id: str, ord: int, subject: Subject) -> Mark | None:
    """What was there before the first attempt of this run; None when there was none."""
    own = [event for event in await ledger.events(run_id) if event.ord == ord and event.kind in {"intent", "attempt"}]
    if isinstance(subject, Unobservable) and own and own[-1].kind == "attempt":
        # The server answered that it failed: nothing is in doubt.
        return None
    marks: list[Mark] = [event.detail["mark"] for event in own if event.kind == "intent"]
    return marks[0] if marks else None
