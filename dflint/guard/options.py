"""What an execution is told, what it works with, and how it ended."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from dflint.guard.attempts import AttemptLimits
from dflint.guard.capabilities import Capabilities
from dflint.guard.lag import LagLimits
from dflint.guard.ledger import Ledger
from dflint.guard.lock import MigrationLock
from dflint.guard.monitor import Monitor
from dflint.guard.progress import Progress
from dflint.model.plan import Step
from dflint.model.run import RunState, StepRecord


class Options(Struct, frozen=True, kw_only=True):
    """How to execute.

    Attributes:
        dry_run: look at everything, write nothing.
        yes: also pass the point of no return, and what preflight warns of.
        lock_timeout_ms: for one attempt to take all locks of a step; None: as each step says.
        max_block_s: how long others may wait for one step, all attempts and sessions together.
        lock_wait_s: how long to wait for the migration lock.
        again: execute a plan that has been executed.
        allow_session_pooling: the connection may go through a pooler that keeps a session on one server connection.
        cancel_on_waiters: cancel a statement of ours that makes others wait too long.
        attempts: budgets of a step; ``max_block_s`` wins over its ``blocked_s``.
        patience_s: how long to wait for another session that is at the same object.
        accept_target: the database may be another than that on which the run was started.
        standbys: connection strings of standby servers; who reads there, and how far they are behind, is looked at too.
        lag: how far replicas may be behind while rows are changed.
    """

    dry_run: bool = False
    yes: bool = False
    lock_timeout_ms: int | None = None
    max_block_s: float = 10.0
    lock_wait_s: float = 60.0
    again: bool = False
    allow_session_pooling: bool = False
    cancel_on_waiters: bool = True
    attempts: AttemptLimits = AttemptLimits()
    patience_s: float = 900.0
    accept_target: bool = False
    standbys: tuple[str, ...] = ()
    lag: LagLimits = LagLimits()


class Outcome(Struct, frozen=True, kw_only=True):
    """How it ended.

    Attributes:
        run_id: None when nothing was begun.
        state: of the run.
        exit_code: 0 done; 10 refused, nothing changed; 11 no locks; 12 failed, nothing of the run remains; 13 failed,
            and something remains; 14 applied, and a check afterwards failed; 130 interrupted.
        message: one sentence.
        steps: how far each is.
        state_line: what is in the database now; "" when all is well.
        blocked: what stands in the way; None where nothing does.
        next: what to do; "" when all is well.
    """

    run_id: str | None
    state: RunState
    exit_code: int
    message: str
    steps: tuple[StepRecord, ...] = ()
    state_line: str = ""
    blocked: str | None = None
    next: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """``STATE``, ``BLOCKED`` and ``NEXT``; none when all is well."""
        if not self.state_line:
            return ()
        return (f"STATE   {self.state_line}", f"BLOCKED {self.blocked or 'by nobody'}", f"NEXT    {self.next}")


class Work(Struct, frozen=True, kw_only=True):
    """What a step is executed with.

    Attributes:
        lock: held; its connection is the executing session.
        ledger: on that session.
        run_id: of the run that the step belongs to.
        monitor: looks on.
        able: what the role may see and do.
        options: as given.
        progress: is told.
    """

    lock: MigrationLock
    ledger: Ledger
    run_id: str
    monitor: Monitor
    able: Capabilities
    options: Options
    progress: Progress

    async def event(self, ord: int | None, kind: str, **detail: Any) -> None:
        """Write an event to the ledger, in the transaction that is open if one is, and tell whoever listens."""
        await self.ledger.event(self.run_id, ord, self.lock.fence, kind, detail)
        self.tell(kind, ord, **detail)

    def tell(self, kind: str, ord: int | None, **detail: Any) -> None:
        """Tell whoever listens."""
        self.progress.event(kind, run=self.run_id, ord=ord, **detail)


def first_words(step: Step) -> str:
    """The step's statements, short enough for a line."""
    line = " ".join(step.sql.split())
    return line if len(line) <= 72 else f"{line[:71]}…"
