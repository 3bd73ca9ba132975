"""A step in one transaction: it happens exactly once, because the ledger's row and event are in it too."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from msgspec import Struct
from psycopg.pq import TransactionStatus

from dflint.guard.attempts import Attempts, Reason, is_transient
from dflint.guard.errors import GaveUpWaiting, PartlyApplied, StepFailed
from dflint.guard.lease import lease_check
from dflint.guard.lock import assert_keys, fenced
from dflint.guard.monitor import Blocker, Watch
from dflint.guard.options import Work, first_words
from dflint.guard.step_settings import be_oneself, set_locally
from dflint.guard.table_locks import (
    Connection,
    TableLock,
    begin_and_take,
    is_no_lock,
    locks_of,
    only_lock,
    set_timeouts,
)
from dflint.model.locks import blocks_writes
from dflint.model.plan import Check, Step
from dflint.planning.statements import statements_of

_SHORT_DEADLOCK_MS: Final = 50

#: Blockers that end by themselves, and behind which nobody need queue meanwhile.
_PATIENT: Final = frozenset({"pg_dump", "copy"})


#: Statements that may run functions of which nobody knows what they do.
_CALLS: Final = re.compile(r"\b(call|do|execute|perform|select)\b")


class Failure(Struct, frozen=True):
    """Why an attempt failed.

    Attributes:
        error: what the server said.
        locking: it was while the locks were taken.
        statement: number of the statement, from 1; None outside of them.
    """

    error: psycopg.Error
    locking: bool
    statement: int | None

    def detail(self) -> dict[str, Any]:
        """For the ledger."""
        said = self.error.diag
        found = {
            "sqlstate": self.error.sqlstate,
            "message": said.message_primary or " ".join(str(self.error).split()),
            "detail": said.message_detail,
            "hint": said.message_hint,
            "statement": self.statement,
            "locking": self.locking or None,
        }
        return {name: value for name, value in found.items() if value is not None}


async def run_tx_step(work: Work, ord: int, step: Step) -> None:
    """Execute a transactional step, with as many attempts as its budgets allow.

    Raises:
        GaveUpWaiting: the locks were not to be had.
        StepFailed: the server refuses the step, or a condition of it does not hold.
        Fenced: the lock is no longer ours.
        psycopg.OperationalError: the connection is lost; the ledger tells whether the step is done.
    """
    connection = work.lock.connection
    statements = statements_of(step.sql)
    foreseen = only_lock(step.locks)
    locks = await locks_of(connection, step.locks) if foreseen is None else foreseen
    deadlock_ms = None if work.able.sets_deadlock_timeout else await _deadlock_timeout(connection)
    attempts = Attempts(work.options.attempts)
    reason: Reason | None = None
    while True:
        attempts.begin()
        lock_ms = work.options.lock_timeout_ms or step.timeouts.lock_ms
        if deadlock_ms is not None:
            lock_ms = attempts.lock_ms(lock_ms, deadlock_ms, reason)
        attempt = _Attempt(work, ord, step, statements, locks, lock_ms, attempts.number)
        async with work.monitor.watching(strong=_is_strong(step), patience_ms=lock_ms) as watch:
            failure = await attempt.run()
        if failure is None:
            work.tell("done", ord, attempts=attempts.number, blocked_s=round(attempts.blocked_s + watch.blocked_s, 3))
            return
        if foreseen is not None and failure.locking and is_no_lock(failure.error):
            # Another time it is not there, or not ours to lock: the statements will say what they need.
            foreseen, locks = None, await locks_of(connection, step.locks)
            attempts.forget()
            continue
        reason = _reason(watch, failure)
        pause = attempts.pause(watch.blocked_s, reason)
        await _note(work, ord, failure, watch, attempts, pause)
        if not is_transient(
            failure.error, locking=failure.locking, cancelled_by_us=watch.cancelled_because is not None
        ):
            raise failed(step, failure)
        spent = attempts.exhausted()
        if spent is not None:
            raise _gave_up(step, spent, watch.blockers)
        if reason == "patient":
            await _until_gone(work, ord, watch.blockers, attempts)
        await asyncio.sleep(pause)


class _Attempt:
    """One transaction."""

    def __init__(
        self,
        work: Work,
        ord: int,
        step: Step,
        statements: Sequence[str],
        locks: Sequence[TableLock],
        lock_ms: int,
        number: int,
    ) -> None:
        self._work = work
        self._ord = ord
        self._step = step
        self._statements = statements
        self._locks = locks
        self._lock_ms = lock_ms
        self._number = number
        self._locking = True
        self._statement: int | None = None

    async def run(self) -> Failure | None:
        """Commit, or roll back and say why. A lost connection and an interruption go through."""
        connection = self._work.lock.connection
        try:
            await self._transaction(connection)
        except psycopg.Error as error:
            if connection.closed:
                raise
            await _roll_back(connection)
            return Failure(error, self._locking, self._statement)
        except BaseException:
            await _roll_back(connection)
            raise
        return None

    async def _transaction(self, connection: Connection) -> None:
        work, step = self._work, self._step
        # Autovacuum gives way to who waits longer, and of two that wait for each other we are the one to lose.
        deadlock_ms = _SHORT_DEADLOCK_MS if work.able.sets_deadlock_timeout else None
        ours = await begin_and_take(
            connection,
            self._locks,
            self._lock_ms,
            statement_ms=step.timeouts.statement_ms,
            deadlock_ms=deadlock_ms,
            finally_=lease_check(work.lock.run_id, work.lock.fence),
        )
        self._locking = False
        if not ours:
            raise fenced(work.lock)
        await set_locally(connection, step.settings)
        await check(connection, step, step.pre, "before")
        for number, statement in enumerate(self._statements, start=1):
            self._statement = number
            await connection.execute(statement.encode(), prepare=False)
            if connection.info.transaction_status != TransactionStatus.INTRANS:
                raise PartlyApplied(
                    f"statement {number} of step {step.id} ended the transaction by itself",
                    state=f"what step {step.id} did up to its statement {number} may have been committed",
                    next="take transaction control out of the step, compare the database, then resume or abort the run",
                )
        self._statement = None
        await check(connection, step, step.post, "after")
        text = step.sql.lower()
        await be_oneself(connection, step.settings, text)
        if "timeout" in text or "reset" in text:
            # The statements set one of their own; the ledger's rows are nobody else's.
            await set_timeouts(connection, lock_ms=5_000, statement_ms=10_000)
        if _CALLS.search(text) and work.able.sees_waiters:
            await assert_keys(connection, work.lock)
        detail = {"attempts": self._number}
        await work.ledger.complete(work.run_id, self._ord, work.lock.fence, self._number, detail)
        ended = await connection.execute("COMMIT")
        if ended.statusmessage != "COMMIT":
            raise StepFailed(
                f"step {step.id} was rolled back at its end", next="look at the server's log, then resume the run"
            )


async def check(connection: Connection, step: Step, checks: Sequence[Check], when: str) -> None:
    """Ask whether conditions hold.

    Raises:
        StepFailed: one does not.
    """
    for one in checks:
        row = await (await connection.execute(one.sql.encode(), prepare=False)).fetchone()
        if row is None or row[0] is not True:
            raise StepFailed(
                f"step {step.id}: {when} it, {one.name} does not hold",
                next=f"find out why this is not true, then resume the run: {' '.join(one.sql.split())}",
            )


async def _deadlock_timeout(connection: Connection) -> int:
    query = "SELECT setting::int FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout'"
    row = await (await connection.execute(query)).fetchone()
    return 1000 if row is None else int(row[0])


async def _roll_back(connection: Connection) -> None:
    if not connection.closed and connection.info.transaction_status != TransactionStatus.IDLE:
        await connection.execute("ROLLBACK")


def _is_strong(step: Step) -> bool:
    """Whether others have to wait for it who do ordinary work, as far as is known."""
    return step.lock_class not in {"none", "schema_changes"} or any(map(blocks_writes, step.locks.values()))


def _reason(watch: Watch, failure: Failure) -> Reason:
    if watch.cancelled_because is not None:
        return "cancelled"
    kinds = {blocker.kind for blocker in watch.blockers}
    if failure.error.sqlstate != "55P03" and not failure.locking:
        return "lock"
    if kinds and kinds <= _PATIENT:
        return "patient"
    return "autovacuum" if "autovacuum" in kinds else "lock"


async def _note(work: Work, ord: int, failure: Failure, watch: Watch, attempts: Attempts, pause: float) -> None:
    """Write down who was in the way, at every attempt."""
    detail = failure.detail()
    await work.ledger.set_step(
        work.run_id, ord, "pending", attempts=attempts.number, error=detail, fence=work.lock.fence
    )
    await work.event(
        ord,
        "attempt",
        number=attempts.number,
        error=detail,
        blockers=[describe(blocker) for blocker in watch.blockers],
        cancelled_because=watch.cancelled_because,
        blocked_s=round(watch.blocked_s, 3),
        pause_s=round(pause, 3),
    )


def describe(blocker: Blocker) -> str:
    """A blocker in one line."""
    who = f"prepared transaction {blocker.query}" if blocker.kind == "prepared" else f"pid {blocker.pid}"
    parts = [who, blocker.kind, blocker.application, blocker.state]
    age = "" if blocker.xact_age_s is None else f"in a transaction for {blocker.xact_age_s:.0f} s"
    held = f"{blocker.mode} on {blocker.relation}" if blocker.relation else ""
    query = "" if blocker.kind == "prepared" or not blocker.query else f"query: {' '.join(blocker.query.split())[:200]}"
    return ", ".join(part for part in (*parts, age, held, query) if part)


def failed(step: Step, failure: Failure) -> StepFailed:
    """The error for what the server refused for good."""
    said = failure.detail()
    where = f", statement {failure.statement}" if failure.statement is not None else ""
    more = "".join(f"; {said[part]}" for part in ("detail", "hint") if part in said)
    return StepFailed(
        f"step {step.id}{where}: {said['message']}{more} ({failure.error.sqlstate}): {first_words(step)}",
        state=f"step {step.id} was rolled back and left nothing",
        next="",
    )


def _gave_up(step: Step, spent: str, blockers: Sequence[Blocker]) -> GaveUpWaiting:
    named = "; ".join(describe(blocker) for blocker in blockers)
    return GaveUpWaiting(
        f"step {step.id} did not get its locks: {spent}",
        state=f"the last attempt at step {step.id} changed nothing",
        blocked=named or "nobody is in the way any more, or this role may not see who",
        next="; ".join(dict.fromkeys(blocker.advice for blocker in blockers)),
    )


async def _until_gone(work: Work, ord: int, blockers: Sequence[Blocker], attempts: Attempts) -> None:
    """Wait for sessions that end by themselves, without standing in anybody's way."""
    pids = [blocker.pid for blocker in blockers]
    work.tell("waiting", ord, blockers=[describe(blocker) for blocker in blockers])
    query = "SELECT count(*) FROM pg_catalog.pg_locks WHERE pid = ANY(%s) AND granted AND locktype = 'relation'"
    connection = work.lock.connection
    while attempts.exhausted() is None:
        row = await (await connection.execute(query, [pids])).fetchone()
        if row is None or not row[0]:
            return
        await asyncio.sleep(0.5)
