"""Which run an execution of a plan belongs to: one that stopped, a new one, or none because it is done."""

from __future__ import annotations

from collections.abc import Sequence

from dflint.guard.errors import GuardRefused
from dflint.guard.ledger import Ledger, ledger_exists
from dflint.guard.options import Options, Outcome
from dflint.guard.preparation import check_target
from dflint.guard.session import open_monitor
from dflint.model.plan import Plan
from dflint.model.run import FINISHED, Run, StepRecord
from dflint.planning.hashes import step_hash
from dflint.postgres.source import ConnectionSource

#: Steps in one of these have changed nothing.
_WITHOUT_EFFECT = frozenset({"pending", "skipped", "undone"})


async def peek(source: ConnectionSource, plan: Plan) -> Run | None:
    """The unfinished run of this plan, as far as can be seen without the lock. Writes nothing.

    Raises:
        GuardRefused: the plan would be begun, and was not made for this database.
    """
    async with await open_monitor(await source.dsn(), run_id=None) as connection:
        known = await Ledger(connection).runs_of_plan(_hash(plan)) if await ledger_exists(connection) else []
        for run in known:
            if run.state not in FINISHED:
                return run
        if not any(run.state == "done" for run in known):
            await check_target(connection, plan)
    return None


async def is_applied(source: ConnectionSource, plan: Plan) -> bool:
    """Whether executing the plan would do nothing, as far as can be seen without the lock. Writes nothing."""
    async with await open_monitor(await source.dsn(), run_id=None) as connection:
        known = await Ledger(connection).runs_of_plan(_hash(plan)) if await ledger_exists(connection) else []
    return _last_is_done(known)


def _last_is_done(runs: Sequence[Run]) -> bool:
    """Whether the newest of a plan's runs that were not given up has ended well, and none is unfinished."""
    if any(run.state not in FINISHED for run in runs):
        return False
    return next((run.state for run in runs if run.state != "abandoned"), None) == "done"


async def choose(ledger: Ledger, plan: Plan, options: Options) -> Run | Outcome | None:
    """What to do about a plan, under the lock: go on with a run, begin one (None), or nothing.

    A run that failed without leaving anything does not stand in the way of another plan: it is abandoned.

    Raises:
        GuardRefused: another run is unfinished and has changed something.
    """
    same = await ledger.runs_of_plan(_hash(plan))
    for run in same:
        if run.state == "rolling_back":
            raise GuardRefused(
                f"run {run.run_id} of this plan is being undone", next=f"dflint exec resume {run.run_id}"
            )
        if run.state not in FINISHED:
            return run
    if _last_is_done(same) and not options.again:
        run = next(run for run in same if run.state == "done")
        return Outcome(
            run_id=run.run_id,
            state="done",
            exit_code=0,
            message=f"already applied by run {run.run_id}; --again executes it once more",
            steps=tuple(await ledger.steps(run.run_id)),
        )
    for run in await ledger.unfinished_runs():
        await _clear(ledger, run, plan)
    return None


def without_effect(steps: list[StepRecord]) -> bool:
    """Whether a run has changed nothing so far."""
    return all(record.state in _WITHOUT_EFFECT for record in steps)


async def _clear(ledger: Ledger, run: Run, plan: Plan) -> None:
    steps = await ledger.steps(run.run_id)
    if run.state != "rolling_back" and without_effect(steps):
        await ledger.set_run_state(run.run_id, "abandoned", "nothing of it was applied, and another plan came")
        await ledger.event(run.run_id, None, None, "abandoned", {"for": plan.source})
        return
    done = sum(record.state == "done" for record in steps)
    edited = f", and {_difference(steps, plan)}" if run.plan.source == plan.source else ""
    how_far = f"{run.state}, {done} of {len(steps)} steps applied"
    raise GuardRefused(
        f"run {run.run_id} of {run.plan.source} is unfinished ({how_far}){edited}",
        next=f"dflint exec resume {run.run_id}, dflint exec undo {run.run_id}, or dflint exec abort {run.run_id}",
    )


def _difference(steps: list[StepRecord], plan: Plan) -> str:
    """Where an edited plan departs from the one that is under way."""
    for record, step in zip(steps, plan.steps, strict=False):
        if step_hash(step) != record.step_hash:
            applied = "is applied already" if record.state == "done" else "was another one when it began"
            return f"step {step.id} of this plan differs from the run's, which {applied}"
    if len(steps) != len(plan.steps):
        return f"this plan has {len(plan.steps)} steps, the run's has {len(steps)}"
    return "this plan differs from the run's in what it was made for"


def _hash(plan: Plan) -> str:
    assert plan.hash is not None
    return plan.hash
