"""A dry run: everything is looked at, and nothing is written, not even a note that somebody looked."""

from __future__ import annotations

from msgspec.structs import replace

from dflint.guard.capabilities import capabilities
from dflint.guard.ledger import Ledger, ledger_exists
from dflint.guard.nontx_step import decide_now
from dflint.guard.options import Options, Outcome, first_words
from dflint.guard.preparation import prepare
from dflint.guard.progress import Progress
from dflint.guard.session import open_monitor
from dflint.model.plan import Plan
from dflint.model.run import FINISHED, Run, StepRecord
from dflint.postgres.source import ConnectionSource


async def rehearse(
    plan: Plan, source: ConnectionSource, options: Options, progress: Progress, *, run_id: str | None = None
) -> Outcome:
    """Say what an execution, or a resumption, would do now.

    Args:
        plan: what would be executed.
        source: the database.
        options: as given.
        progress: is told of each step.
        run_id: the run that would be resumed; None: the unfinished run of this plan, if there is one.

    Raises:
        GuardRefused: the execution would be refused.
    """
    async with await open_monitor(await source.dsn(), run_id=None) as connection:
        ledger = Ledger(connection) if await ledger_exists(connection) else None
        run = await _run(ledger, plan, run_id)
        if run is not None and run.state in FINISHED and not options.again:
            message = f"already applied by run {run.run_id}; --again executes it once more"
            return Outcome(run_id=run.run_id, state=run.state, exit_code=0, message=message)
        steps: list[StepRecord] = []
        going_on = run is not None and run.state not in FINISHED
        if run is not None and ledger is not None and going_on:
            steps = await ledger.steps(run.run_id)
        able = await capabilities(connection)
        what = run if run is not None and going_on else plan
        await prepare(connection, ledger, what, able, replace(options, dry_run=True), progress)
        for ord, step in enumerate(plan.steps):
            state = steps[ord].state if steps else "pending"
            found = None
            if step.kind == "nontx" and state not in {"done", "skipped"}:
                found = await decide_now(connection, ledger, run.run_id if steps and run else None, ord, step)
            progress.event(
                "would",
                run=None,
                ord=ord,
                id=step.id,
                step_kind=step.kind,
                sql=first_words(step),
                state=state,
                action=found.action if found else ("skip" if state in {"done", "skipped"} else "run"),
                why=found.why if found else None,
                locks=step.locks,
                irreversible=step.undo.irreversible,
            )
    return Outcome(run_id=None, state="planned", exit_code=0, message="nothing was written: this was a dry run")


async def _run(ledger: Ledger | None, plan: Plan, run_id: str | None) -> Run | None:
    if ledger is None:
        return None
    if run_id is not None:
        return await ledger.load_run(run_id)
    assert plan.hash is not None
    runs = [run for run in await ledger.runs_of_plan(plan.hash) if run.state != "abandoned"]
    unfinished = [run for run in runs if run.state not in FINISHED]
    latest = runs[0] if runs and runs[0].state == "done" else None
    return unfinished[0] if unfinished else latest
