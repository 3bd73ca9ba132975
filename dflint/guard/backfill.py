"""One UPDATE or DELETE in many short transactions, along a key: stopped at any moment, it goes on where it was.

The cursor moves in the transaction that changes the rows, so that each row is changed exactly once, whatever is killed
when. Rows inserted meanwhile are not promised to be met: a trigger or a default has to cover them.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import psycopg
from msgspec import Struct
from psycopg.pq import TransactionStatus
from psycopg.sql import SQL

from dflint.guard.attempts import Attempts, is_transient
from dflint.guard.backfill_keys import Key, Ranges, fetch_key, find_target
from dflint.guard.errors import GaveUpWaiting, PartlyApplied, PostCheckFailed, StepFailed
from dflint.guard.lag import ReplicaLag, Throttle, read_lag, read_standby_lag
from dflint.guard.ledger import Ledger
from dflint.guard.lock import MigrationLock, assert_fence
from dflint.guard.monitor import Monitor, Watch
from dflint.guard.options import Options, Work
from dflint.guard.progress import Progress
from dflint.guard.step_settings import be_oneself, set_locally
from dflint.guard.table_locks import set_timeouts
from dflint.guard.tx_step import Failure, check, describe, failed
from dflint.model.plan import Step
from dflint.postgres import printable

#: The least number of rows in a batch, unless the plan says less.
_LEAST: Final = 100
_MOST: Final = 2_000_000
_LOOK_WHILE_PAUSED_S: Final = 0.5
_LOCKED: Final = "55P03"


class Pace(Struct, frozen=True, kw_only=True):
    """How fast a backfill goes.

    Attributes:
        target_s: a batch is to take about so long.
        statement_ms: it must not take longer.
        least_pause_s: between two batches.
        nice: the pause is at least so many times as long as the batch was.
        blind_nice: the same where it cannot be seen how far replicas are behind.
        vacuum_share: of the table's rows that are changed between two VACUUMs; 0: none.
        lag_look_s: between two looks at them, seconds.
    """

    target_s: float = 0.35
    statement_ms: int = 5_000
    least_pause_s: float = 0.01
    nice: float = 0.0
    blind_nice: float = 1.0
    vacuum_share: float = 0.2
    lag_look_s: float = 1.0


async def run_backfill(
    lock: MigrationLock,
    ledger: Ledger,
    run_id: str,
    ord: int,
    step: Step,
    *,
    monitor: Monitor,
    options: Options,
    progress: Progress,
    shard: int = 0,
    pace: Pace | None = None,
) -> None:
    """Change all rows that the step's statement is for, from wherever an earlier execution stopped.

    Args:
        lock: held; its connection is the executing session.
        ledger: on that session.
        run_id: of the run.
        ord: the step's place.
        step: of kind ``backfill``.
        monitor: looks on.
        options: as given to the execution.
        progress: is told.
        shard: of several ranges of one table; its cursor says from where to where it goes.
        pace: how fast.

    Raises:
        GuardRefused: it cannot be cut into batches.
        GaveUpWaiting: others held rows, or replicas were behind, for too long; what was changed so far stays.
        StepFailed: the server refuses a batch; those before it stay.
        PostCheckFailed: it was done, and a condition afterwards does not hold.
        Fenced: the lock is no longer ours.
        psycopg.OperationalError: the connection is lost; the cursor says how far it is.
    """
    work = Work(
        lock=lock, ledger=ledger, run_id=run_id, monitor=monitor, able=monitor.able, options=options, progress=progress
    )
    await _Backfill(work, ord, step, shard, pace or Pace()).run()


class _Batch(Struct, frozen=True):
    """The rows after one key, up to another."""

    after: Key | None
    end: Key

    def told(self) -> dict[str, Any]:
        return {"after": self.after, "end": self.end}


class _Backfill:
    def __init__(self, work: Work, ord: int, step: Step, shard: int, pace: Pace) -> None:
        assert step.backfill is not None
        self._work = work
        self._ord = ord
        self._step = step
        self._shard = shard
        self._pace = pace
        self._connection = work.lock.connection
        self._size = step.backfill.batch
        self._least = min(_LEAST, step.backfill.batch)
        self._attempts = Attempts(work.options.attempts)
        standbys = work.options.standbys
        self._throttle = Throttle(work.options.lag, expected=[printable(dsn) for dsn in standbys])
        self._lag_seen = 0.0
        self._rows = 0
        self._since_vacuum = 0
        self._may_maintain = True

    async def run(self) -> None:
        self._target = await find_target(self._connection, self._step)
        self._ranges = Ranges(self._step, self._target)
        if self._target.rows is None and await self._maintain(SQL("ANALYZE {}")):
            self._target = await find_target(self._connection, self._step)
        high = await self._begin()
        if high is not None:
            await self._batches(high)
        if self._rows:
            await self._maintain(SQL("VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) {}"))
        await self._finish()

    async def _begin(self) -> Key | None:
        """Note where it ends, once; rows that come later with higher keys are not its own. None: there is no row."""
        work = self._work
        cursor = await work.ledger.cursor(work.run_id, self._ord, shard=self._shard)
        if cursor is None:
            await check(self._connection, self._step, self._step.pre, "before")
        elif cursor.batch_size is not None:
            self._size = cursor.batch_size
        self._rows = cursor.rows_done if cursor is not None else 0
        high = cursor.high_key if cursor is not None else None
        high = high or await fetch_key(self._connection, self._target, self._ranges.highest(), [])
        async with self._connection.transaction():
            await assert_fence(self._connection, work.lock)
            await work.ledger.set_step(work.run_id, self._ord, "running", fence=work.lock.fence)
            await work.ledger.advance_cursor(
                work.run_id, self._ord, last_key=None, rows=0, high_key=high, shard=self._shard
            )
            detail = {"high_key": high, "rows_done": self._rows, "estimate": self._target.rows, "shard": self._shard}
            await work.ledger.event(work.run_id, self._ord, work.lock.fence, "intent", detail)
        work.tell("intent", self._ord, **detail)
        return high

    async def _batches(self, high: Key) -> None:
        while True:
            await self._wait_for_replicas()
            began = time.monotonic()
            self._attempts.begin()
            patience = self._lock_ms()
            async with self._work.monitor.watching(strong=True, patience_ms=patience) as watch:
                done, failure, batch = await self._attempt(high)
            took = time.monotonic() - began
            if failure is not None:
                await self._after_failure(failure, watch, batch, took)
                continue
            self._attempts = Attempts(self._work.options.attempts)
            if done:
                return
            self._adapt(took)
            self._tell(watch)
            if self._vacuum_is_due() and await self._maintain(SQL("VACUUM (SKIP_LOCKED, TRUNCATE false) {}")):
                self._since_vacuum = 0
            await asyncio.sleep(max(self._pace.least_pause_s, self._nice() * took))

    async def _attempt(self, high: Key) -> tuple[bool, Failure | None, _Batch | None]:
        """One transaction: whether the end is reached, what went wrong, and with which rows."""
        batch: list[_Batch] = []
        try:
            return await self._transaction(high, batch), None, None
        except psycopg.Error as error:
            if self._connection.closed:
                raise
            await self._roll_back()
            return False, Failure(error, locking=False, statement=None), batch[0] if batch else None
        except BaseException:
            await self._roll_back()
            raise

    async def _transaction(self, high: Key, told: list[_Batch]) -> bool:
        work, connection = self._work, self._connection
        await connection.execute("BEGIN")
        await set_timeouts(connection, lock_ms=self._lock_ms(), statement_ms=self._pace.statement_ms)
        if work.able.sets_deadlock_timeout:
            # Of two that wait for each other we are the one to lose.
            await connection.execute("SET LOCAL deadlock_timeout = '50ms'")
        await assert_fence(connection, work.lock)
        cursor = await work.ledger.cursor(work.run_id, self._ord, shard=self._shard, for_update=True)
        after = None if cursor is None else cursor.last_key
        if after == high:
            await connection.execute("ROLLBACK")
            return True
        await set_locally(connection, self._step.settings)
        statement, parameters = self._ranges.end_of_batch(after, high, self._size)
        end = await fetch_key(connection, self._target, statement, parameters) or high
        told.append(_Batch(after, end))
        statement, parameters = self._ranges.change(after, end)
        changed = (await connection.execute(statement, parameters, prepare=False)).rowcount
        await be_oneself(connection, self._step.settings)
        await work.ledger.advance_cursor(
            work.run_id, self._ord, last_key=end, rows=changed, batch_size=self._size, shard=self._shard
        )
        ended = await connection.execute("COMMIT")
        if ended.statusmessage != "COMMIT":
            raise StepFailed(f"a batch of step {self._step.id} was rolled back at its end", next="")
        self._rows += changed
        self._since_vacuum += changed
        return end == high

    async def _after_failure(self, failure: Failure, watch: Watch, batch: _Batch | None, took: float) -> None:
        """Halve the batch and try again, if that can help."""
        pause = self._attempts.pause(watch.blocked_s, "cancelled" if watch.cancelled_because else "lock")
        detail = {
            "number": self._attempts.number,
            "error": failure.detail(),
            "batch": None if batch is None else batch.told(),
            "size": self._size,
            "blockers": [describe(blocker) for blocker in watch.blockers],
            "cancelled_because": watch.cancelled_because,
            "blocked_s": round(watch.blocked_s, 3),
        }
        timed_out = took * 1000 >= self._pace.statement_ms
        transient = is_transient(
            failure.error, locking=False, cancelled_by_us=timed_out or watch.cancelled_because is not None
        )
        await self._work.event(self._ord, "attempt", **detail)
        spent = self._attempts.exhausted()
        if transient and spent is None:
            self._size = max(self._least, self._size // 2)
            await asyncio.sleep(pause)
            return
        await self._note_failed(detail)
        if not transient:
            raise self._failed(failure, batch)
        raise GaveUpWaiting(
            f"step {self._step.id} did not get its rows: {spent}",
            state=self._stays(),
            blocked="; ".join(map(describe, watch.blockers)) or "nobody is in the way any more",
            next="",
        )

    def _failed(self, failure: Failure, batch: _Batch | None) -> StepFailed:
        error = failed(self._step, failure)
        error.state = self._stays()
        if batch is not None:
            after = "the first" if batch.after is None else f"after ({', '.join(batch.after)})"
            error.message += f"; in the rows {after} up to ({', '.join(batch.end)})"
        if self._rows:
            error.exit_code = PartlyApplied.exit_code
        return error

    def _stays(self) -> str:
        return f"step {self._step.id} has changed {self._rows} rows, which stay; its last batch was rolled back"

    async def _note_failed(self, detail: dict[str, Any]) -> None:
        work = self._work
        async with self._connection.transaction():
            await assert_fence(self._connection, work.lock)
            await work.ledger.set_step(work.run_id, self._ord, "failed", error=detail, fence=work.lock.fence)

    async def _finish(self) -> None:
        work = self._work
        try:
            await check(self._connection, self._step, self._step.post, "after")
        except StepFailed as error:
            await self._note_failed({"message": error.message})
            raise PostCheckFailed(error.message, state=self._stays(), next=error.next) from error
        async with self._connection.transaction():
            await assert_fence(self._connection, work.lock)
            await work.ledger.set_step(work.run_id, self._ord, "done", attempts=1, fence=work.lock.fence)
            await work.ledger.event(work.run_id, self._ord, work.lock.fence, "done", {"rows": self._rows})
        work.tell("done", self._ord, rows=self._rows)

    async def _wait_for_replicas(self) -> None:
        """Pause while replicas are behind, or gone."""
        if time.monotonic() - self._lag_seen < self._pace.lag_look_s or not self._sees_lag():
            return
        since = time.monotonic()
        while True:
            reason = self._throttle.observe(await self._lag())
            self._lag_seen = time.monotonic()
            if reason is None:
                return
            self._work.tell("throttled", self._ord, reason=reason)
            if time.monotonic() - since >= self._work.options.patience_s:
                await self._note_failed({"message": reason})
                raise GaveUpWaiting(
                    f"step {self._step.id} has been paused for {self._work.options.patience_s:g} s",
                    state=self._stays(),
                    blocked=reason,
                    next="let the replicas catch up; one that is gone for good is not expected by the next execution",
                )
            await asyncio.sleep(_LOOK_WHILE_PAUSED_S)

    def _sees_lag(self) -> bool:
        return self._work.monitor.able.sees_lag or bool(self._work.options.standbys)

    async def _lag(self) -> tuple[ReplicaLag, ...]:
        named = await read_standby_lag(self._connection, self._work.options.standbys)
        return named + (await read_lag(self._connection) if self._work.monitor.able.sees_lag else ())

    async def _maintain(self, statement: SQL) -> bool:
        """VACUUM or ANALYZE: for others' sake, and no reason to fail. False when it was not done."""
        if not self._may_maintain:
            return False
        said: list[tuple[str | None, str]] = []

        def note(diagnostic: psycopg.errors.Diagnostic) -> None:
            said.append((diagnostic.sqlstate, diagnostic.message_primary or ""))

        self._connection.add_notice_handler(note)
        try:
            async with self._work.monitor.watching(strong=False):
                await self._connection.execute(statement.format(self._target.name), prepare=False)
        except psycopg.Error as error:
            if self._connection.closed:
                raise
            said.append((error.sqlstate, " ".join(str(error).split())))
        finally:
            self._connection.remove_notice_handler(note)
        others = [message for state, message in said if state != _LOCKED]
        if others:
            # A role that does not own the table is told so in a warning, and nothing is done.
            await self._work.event(self._ord, "maintenance", statement=statement.as_string(), said=others)
            self._may_maintain = False
        # Who has the table locked is autovacuum, most likely, which does the same.
        return not said

    def _vacuum_is_due(self) -> bool:
        share = self._pace.vacuum_share
        if not share or not self._may_maintain:
            return False
        return self._since_vacuum >= max(10_000.0, share * (self._target.rows or 0))

    def _adapt(self, took: float) -> None:
        factor = min(2.0, max(0.5, self._pace.target_s / max(took, 1e-6)))
        self._size = min(_MOST, max(self._least, int(self._size * factor)))

    def _nice(self) -> float:
        return self._pace.nice if self._sees_lag() else max(self._pace.nice, self._pace.blind_nice)

    def _lock_ms(self) -> int:
        return self._work.options.lock_timeout_ms or self._step.timeouts.lock_ms

    def _tell(self, watch: Watch) -> None:
        self._work.tell(
            "progress",
            self._ord,
            done=self._rows,
            estimate=self._target.rows,
            unit="rows",
            size=self._size,
            blocked_s=round(watch.blocked_s, 3),
        )

    async def _roll_back(self) -> None:
        if not self._connection.closed and self._connection.info.transaction_status != TransactionStatus.IDLE:
            await self._connection.execute("ROLLBACK")
