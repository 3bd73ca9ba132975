"""The one executor: every plan, undo included, runs through it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from msgspec.structs import replace

from dflint import __version__
from dflint.guard import conclusion
from dflint.guard.backfill import run_backfill
from dflint.guard.capabilities import Capabilities, capabilities
from dflint.guard.errors import Fenced, GuardError, StepFailed
from dflint.guard.ledger import Ledger
from dflint.guard.lock import MigrationLock, MigrationLockManager, assert_fence, held_lock
from dflint.guard.lost_connection import reread
from dflint.guard.monitor import Limits, Monitor
from dflint.guard.nontx_step import NeedsOperator, run_nontx_step
from dflint.guard.options import Options, Outcome, Work, first_words
from dflint.guard.preparation import prepare, refuse_unfit
from dflint.guard.progress import Progress
from dflint.guard.rehearsal import rehearse
from dflint.guard.restore_point import create_restore_point
from dflint.guard.runs_of_plan import choose, peek
from dflint.guard.tx_step import check, run_tx_step
from dflint.model.operations.base import Operation
from dflint.model.operations.session import ResetVariable, SetVariable
from dflint.model.plan import Plan, Step
from dflint.model.run import Identity, Run, StepRecord
from dflint.planning.hashes import step_hash
from dflint.planning.statements import operations_of, statements_of
from dflint.postgres.source import ConnectionSource

__all__ = ["Options", "Outcome", "carry_out", "execute", "migration_lock", "monitored"]

#: How often a plan is looked at anew because another executor began or ended a run of it meanwhile.
_ROUNDS: Final = 5


async def execute(plan: Plan, source: ConnectionSource, options: Options, progress: Progress) -> Outcome:
    """Do what a plan says, from wherever an earlier execution of it stopped.

    Inside `MigrationLockManager.acquire_migration_lock` of the same task, it works under that lock.

    Raises:
        GuardRefused: something does not hold that has to; nothing was changed.
        LockTimeout: somebody else holds the migration lock; nothing was changed.
        asyncio.CancelledError: it was interrupted; what ran was cancelled and rolled back, and the run is paused.
        DflintError: the server cannot be reached.
    """
    refuse_unfit(plan)
    if not plan.steps:
        return Outcome(run_id=None, state="done", exit_code=0, message=f"{plan.source} has no statement to execute")
    if options.dry_run:
        return await rehearse(plan, source, options, progress)
    joins = held_lock() is not None
    for _ in range(_ROUNDS):
        expected = await peek(source, plan)
        run_id, target = (expected.run_id, expected.target) if expected is not None else (None, None)
        async with migration_lock(source, options, run_id, f"exec {plan.source}", target) as lock:
            ledger = Ledger(lock.connection)
            chosen = await choose(ledger, plan, options)
            if isinstance(chosen, Outcome):
                return chosen
            if chosen is not None and chosen.run_id != lock.run_id and not joins:
                continue
            return await carry_out(lock, chosen or plan, options, progress)
    raise AssertionError("other executors keep beginning and ending runs of this plan")


@asynccontextmanager
async def migration_lock(
    source: ConnectionSource, options: Options, run_id: str | None, description: str, target: Identity | None
) -> AsyncIterator[MigrationLock]:
    """The lock that this task holds already, or a new one for the whole database.

    Args:
        source: the database.
        options: as given.
        run_id: that is to be continued; None: a new one.
        description: for others to see.
        target: the database that it has to be, unless the options say that it may be another; None: any.
    """
    manager = MigrationLockManager(
        source,
        run_id=run_id,
        allow_session_pooling=options.allow_session_pooling,
        expected=None if options.accept_target else target,
    )
    lost = False
    try:
        async with manager.acquire_migration_lock(
            timeout_seconds=options.lock_wait_s, operation_description=description
        ) as lock:
            yield lock
            lost = lock.connection.closed
    except Fenced:
        # That the lock went with the connection is known, and told by the outcome.
        if not lost:
            raise


@asynccontextmanager
async def monitored(
    lock: MigrationLock, options: Options, progress: Progress
) -> AsyncIterator[tuple[Monitor, Capabilities]]:
    """A monitor of the executing session, and what its role may see and do."""
    able = await capabilities(lock.connection)
    limits = Limits(blocked_budget_s=options.max_block_s, cancel=options.cancel_on_waiters)
    async with Monitor(lock.dsn, lock.connection, limits, able, run_id=lock.run_id, progress=progress) as monitor:
        yield monitor, able


async def carry_out(
    lock: MigrationLock,
    what: Run | Plan,
    options: Options,
    progress: Progress,
    *,
    concluded: Callable[[], Awaitable[None]] | None = None,
) -> Outcome:
    """Execute a run's remaining steps under a lock.

    Args:
        lock: held.
        what: a run, or a plan of which a run is made after everything was checked.
        options: as given.
        progress: is told.
        concluded: called in the transaction that says that the run is done.
    """
    ledger = Ledger(lock.connection)
    options = replace(options, attempts=replace(options.attempts, blocked_s=options.max_block_s))
    async with monitored(lock, options, progress) as (monitor, able):
        await prepare(lock.connection, ledger, what, able, options, progress)
        run = what if isinstance(what, Run) else await _new_run(lock, ledger, what)
        work = Work(
            lock=lock, ledger=ledger, run_id=run.run_id, monitor=monitor, able=able, options=options, progress=progress
        )
        return await _Execution(work, run, concluded).run()


async def _new_run(lock: MigrationLock, ledger: Ledger, plan: Plan) -> Run:
    hashes = [step_hash(step) for step in plan.steps]
    used = {run.run_id for run in await ledger.runs(1000)}
    run_id = None if lock.run_id in used else lock.run_id
    return await ledger.create_run(plan, __version__, step_hashes=hashes, run_id=run_id, target=lock.identity)


class _Execution:
    """One session's work at a run."""

    def __init__(self, work: Work, run: Run, concluded: Callable[[], Awaitable[None]] | None) -> None:
        self._work = work
        self._run = run
        self._concluded = concluded
        self._at: int | None = None

    async def run(self) -> Outcome:
        work = self._work
        try:
            await self._begin()
            await self._steps()
            return await self._finish()
        except asyncio.CancelledError:
            await self._interrupted()
            raise
        except GuardError as error:
            if work.lock.connection.closed:
                return await self._lost(error)
            return await self._failed(error)
        except psycopg.Error as error:
            if work.lock.connection.closed:
                return await self._lost(error)
            # Anything that the server refuses outside of a step: the journal, a look at the catalog.
            said = " ".join(str(error).split())
            return await self._failed(StepFailed(f"the server refuses: {said} ({error.sqlstate})", next=""))

    async def _begin(self) -> None:
        work, run = self._work, self._run
        resumed = run.state != "planned"
        await work.ledger.set_run_state(run.run_id, "running")
        point: dict[str, str] = {}
        if not resumed and run.plan.point_of_no_return is not None:
            point = await create_restore_point(work.lock.connection, run.run_id)
        await work.event(None, "resumed" if resumed else "started", plan_hash=run.plan_hash, pid=self._pid(), **point)
        if resumed:
            await self._restore_settings()

    async def _steps(self) -> None:
        work = self._work
        records = await work.ledger.steps(self._run.run_id)
        for record in records:
            if record.state in {"done", "skipped"}:
                continue
            step = self._run.plan.steps[record.ord]
            self._at = record.ord
            work.tell("step", record.ord, id=step.id, step_kind=step.kind, sql=first_words(step), of=len(records))
            await _run_step(work, record, step)
        self._at = None

    async def _finish(self) -> Outcome:
        work = self._work
        async with work.lock.connection.transaction():
            await assert_fence(work.lock.connection, work.lock)
            await work.ledger.set_run_state(work.run_id, "done")
            if self._concluded is not None:
                await self._concluded()
            await work.ledger.event(work.run_id, None, work.lock.fence, "finished", {})
        work.tell("finished", None)
        steps = await work.ledger.steps(work.run_id)
        message = f"run {work.run_id} is done: {len(steps)} steps"
        return Outcome(run_id=work.run_id, state="done", exit_code=0, message=message, steps=tuple(steps))

    async def _failed(self, error: GuardError) -> Outcome:
        work = self._work
        try:
            ending = conclusion.failed(error, self._run, await work.ledger.steps(work.run_id))
            await self._write(ending, "failed", message=error.message, blocked=error.blocked)
            steps = await work.ledger.steps(work.run_id)
        except psycopg.Error as lost:
            # A connection that broke in the middle of a pipeline may only now be seen to be lost.
            return await self._lost(lost)
        return ending.outcome(work.run_id, steps)

    async def _interrupted(self) -> None:
        work = self._work
        if work.lock.connection.closed:
            return
        try:
            ending = conclusion.interrupted(self._run, await work.ledger.steps(work.run_id))
            await self._write(ending, "interrupted")
        except psycopg.Error:
            # Lost too: whoever resumes reads how far it is.
            return
        # Its caller gets no outcome.
        work.tell("ending", None, state=ending.state_line, next=ending.next)

    async def _lost(self, error: BaseException) -> Outcome:
        work = self._work
        reason = " ".join(str(error).split())
        work.tell("connection_lost", self._at, reason=reason)
        terminated = getattr(error, "sqlstate", None) == "57P01"
        found = await reread(work.lock.dsn, work.run_id, self._pid(), work.lock.fence, terminated=terminated)
        ending = conclusion.lost(reason, self._run, self._at, found)
        return ending.outcome(work.run_id, found.steps or ())

    async def _write(self, ending: conclusion.Ending, kind: str, **detail: object) -> None:
        work = self._work
        await work.ledger.set_run_state(work.run_id, ending.state, ending.message)
        await work.event(self._at, kind, state=ending.state_line, **detail)

    async def _restore_settings(self) -> None:
        """Settings that earlier steps made for the session went with their session."""
        records = await self._work.ledger.steps(self._run.run_id)
        for record in records:
            step = self._run.plan.steps[record.ord]
            if record.state == "done" and step.kind in {"tx", "nontx"}:
                for statement in statements_of(step.sql):
                    operations = operations_of(statement)
                    if operations and all(map(_lasts, operations)):
                        await self._work.lock.connection.execute(statement.encode(), prepare=False)

    def _pid(self) -> int:
        return self._work.lock.connection.info.backend_pid


def _lasts(operation: Operation) -> bool:
    """Whether it is a setting for the session. Who a step runs as is among its own settings."""
    if isinstance(operation, SetVariable):
        return not operation.local and operation.name not in {"role", "session_authorization"}
    return isinstance(operation, ResetVariable)


async def _run_step(work: Work, record: StepRecord, step: Step) -> None:
    match step.kind:
        case "tx":
            await run_tx_step(work, record.ord, step)
        case "nontx":
            await run_nontx_step(work, record.ord, step)
        case "backfill":
            await run_backfill(
                work.lock,
                work.ledger,
                work.run_id,
                record.ord,
                step,
                monitor=work.monitor,
                options=work.options,
                progress=work.progress,
            )
        case "check":
            await _run_check(work, record.ord, step)
        case "manual":
            await _run_manual(work, record, step)


async def _run_check(work: Work, ord: int, step: Step) -> None:
    connection = work.lock.connection
    async with connection.transaction():
        await connection.execute("SET TRANSACTION READ ONLY")
        cursor = await connection.execute(step.sql.encode(), prepare=False)
        row = await cursor.fetchone()
    if row is None or row[0] is not True:
        raise StepFailed(f"step {step.id}: the check does not say true: {first_words(step)}", next="")
    await _mark_done(work, ord)


async def _run_manual(work: Work, record: StepRecord, step: Step) -> None:
    """A person's work: the run stops there, and whoever resumes it says that it is done."""
    if record.state != "intent":
        async with work.lock.connection.transaction():
            await assert_fence(work.lock.connection, work.lock)
            await work.ledger.set_step(work.run_id, record.ord, "intent", fence=work.lock.fence)
            await work.ledger.event(work.run_id, record.ord, work.lock.fence, "manual", {})
        raise NeedsOperator(
            f"step {step.id} is for a person to do: {step.sql.strip()}",
            state=f"everything before step {step.id} is done",
            next=f"do step {step.id} by hand",
        )
    await check(work.lock.connection, step, step.post, "after")
    await _mark_done(work, record.ord)


async def _mark_done(work: Work, ord: int) -> None:
    async with work.lock.connection.transaction():
        await assert_fence(work.lock.connection, work.lock)
        await work.ledger.set_step(work.run_id, ord, "done", attempts=1, fence=work.lock.fence)
        await work.ledger.event(work.run_id, ord, work.lock.fence, "done", {})
    work.tell("done", ord, attempts=1)
