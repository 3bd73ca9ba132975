"""How an execution ended: exit status, and the lines STATE, BLOCKED and NEXT."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from dflint.guard.errors import Fenced, GaveUpWaiting, GuardError, PartlyApplied, PostCheckFailed, StepFailed
from dflint.guard.lost_connection import Reread
from dflint.guard.nontx_step import NeedsOperator
from dflint.guard.options import Outcome
from dflint.model.run import Run, RunState, StepRecord

_INTERRUPTED = 130


class Ending(Struct, frozen=True):
    """The state that a run gets, and what its user is told."""

    state: RunState
    exit_code: int
    message: str
    state_line: str
    blocked: str | None
    next: str

    def outcome(self, run_id: str, steps: Sequence[StepRecord]) -> Outcome:
        """With how far the steps are."""
        return Outcome(
            run_id=run_id,
            state=self.state,
            exit_code=self.exit_code,
            message=self.message,
            steps=tuple(steps),
            state_line=self.state_line,
            blocked=self.blocked,
            next=self.next,
        )


def failed(error: GuardError, run: Run, steps: Sequence[StepRecord]) -> Ending:
    """After an error that the executor knows."""
    applied = _applied(steps)
    exit_code = _exit_code(error, applied, steps)
    state: RunState = "needs_operator" if isinstance(error, PartlyApplied) else "failed"
    next_ = f"{error.next}; then {_choices(run, applied)}" if error.next else _advice(error, run, applied)
    return Ending(state, exit_code, error.message, _state(error.state, run, applied), error.blocked, next_)


def interrupted(run: Run, steps: Sequence[StepRecord]) -> Ending:
    """After SIGINT or SIGTERM: what ran was cancelled and rolled back."""
    unsure = [record.step_id for record in steps if record.state in {"intent", "running"}]
    state = "what was running was cancelled and rolled back"
    if unsure:
        state = f"step {', '.join(unsure)} was cancelled; what it left is looked at when the run is resumed"
    applied = _applied(steps)
    return Ending("paused", _INTERRUPTED, "interrupted", _state(state, run, applied), None, _choices(run, applied))


def lost(reason: str, run: Run, ord: int | None, found: Reread) -> Ending:
    """After the connection was lost."""
    applied = _applied(found.steps or ())
    if found.broken:
        message = "the migration lock was broken by somebody while this run held it"
        state = _state("what was not committed was rolled back", run, applied)
        return Ending("running", Fenced.exit_code, message, state, None, _choices(run, applied))
    if found.steps is None:
        state = "unknown: the server cannot be reached; what was not committed is rolled back"
        next_ = f"when the server is back: {_choices(run, ('?',))}"
        return Ending("running", _INTERRUPTED, f"the connection was lost: {reason}", state, None, next_)
    step = next((record for record in found.steps if record.ord == ord), None)
    how = "nothing was running"
    if step is not None:
        how = {
            "done": f"step {step.step_id} is done",
            "pending": f"step {step.step_id} was rolled back",
        }.get(step.state, f"how far step {step.step_id} came is looked at when the run is resumed")
    if not found.ended:
        how = f"the lost session is still at work; {how} so far"
    message = f"the connection was lost: {reason}"
    return Ending("running", _INTERRUPTED, message, _state(how, run, applied), None, _choices(run, applied))


def _applied(steps: Sequence[StepRecord]) -> tuple[str, ...]:
    return tuple(record.step_id for record in steps if record.state == "done")


def _exit_code(error: GuardError, applied: Sequence[str], steps: Sequence[StepRecord]) -> int:
    if isinstance(error, NeedsOperator):
        begun = applied or any(record.state in {"intent", "running"} for record in steps)
        return error.exit_code if begun else 10
    if isinstance(error, StepFailed) and applied:
        return PartlyApplied.exit_code
    return error.exit_code


def _state(what: str, run: Run, applied: Sequence[str]) -> str:
    count = f"{len(applied)} of {len(run.plan.steps)} steps of run {run.run_id} are applied"
    return f"{what}; {count}"


def _advice(error: GuardError, run: Run, applied: Sequence[str]) -> str:
    if isinstance(error, GaveUpWaiting):
        return f"let the sessions named end, or ask their owners; then {_choices(run, applied)}"
    if isinstance(error, PostCheckFailed):
        return f"look why; then {_choices(run, applied)}"
    if isinstance(error, PartlyApplied):
        return f"bring it to one of the two states by hand; then {_choices(run, applied)}"
    if not applied:
        return "correct the cause and execute again: nothing of this run is left in the database"
    return f"correct the cause; then {_choices(run, applied)}"


def _choices(run: Run, applied: Sequence[str]) -> str:
    resume = f"dflint exec resume {run.run_id}"
    if not applied:
        return f"{resume}, or dflint exec abort {run.run_id}"
    return (
        f"{resume} to go on, dflint exec undo {run.run_id} to take back what is applied, "
        f"or dflint exec abort {run.run_id} to leave it so"
    )
