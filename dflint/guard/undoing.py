"""Taking back what a run has applied. The undo is a plan, and runs like any other."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from dflint import __version__
from dflint.guard.conclusion import failed
from dflint.guard.errors import GuardError, GuardRefused
from dflint.guard.executor import carry_out, migration_lock, monitored
from dflint.guard.ledger import Ledger
from dflint.guard.lock import MigrationLock
from dflint.guard.nontx_step import settle
from dflint.guard.options import Options, Outcome, Work
from dflint.guard.progress import Progress
from dflint.guard.rehearsal import rehearse
from dflint.guard.resume import NOTHING_UNFINISHED, find, go_on, resume
from dflint.guard.session import open_monitor
from dflint.guard.undo_link import concluding, link, told
from dflint.model.plan import Plan
from dflint.model.run import FINISHED, Run, StepRecord
from dflint.planning.hashes import plan_hash, step_hash
from dflint.planning.reversing import reverse
from dflint.postgres.source import ConnectionSource

#: A run in one of these is undone, or being undone.
UNDONE: Final = frozenset({"rolled_back", "rolling_back"})
_SOURCE: Final = "undo of run {}"
_BEGUN: Final = frozenset({"intent", "running", "unknown"})


async def undo(source: ConnectionSource, run_id: str | None, options: Options, progress: Progress) -> Outcome:
    """Take back the steps of a run that are applied, the last one first.

    Args:
        source: the database.
        run_id: None: the one that is unfinished.
        options: as given; ``yes`` also undoes a run after which others were applied.
        progress: is told.

    Raises:
        GuardRefused: a step cannot be taken back; nothing was changed. Or as `dflint.guard.resume.resume`.
        InputError: there is no such run.
        LockTimeout: an executor is at work.
    """
    found = await find(source, run_id)
    if found is None:
        next_ = "name the run that you want to undo; dflint runs list shows them"
        raise GuardRefused(NOTHING_UNFINISHED, next=next_)
    if options.dry_run:
        return await _rehearse(source, found, options, progress)
    async with migration_lock(source, options, found.run_id, f"undo {found.plan.source}", found.target) as lock:
        ledger = Ledger(lock.connection)
        run = await ledger.load_run(found.run_id)
        if run.state in UNDONE:
            # Also when another execution came to that while this one waited for the lock.
            return await go_on(lock, run, options, progress)
        await _refuse_older(ledger, run, options)
        try:
            steps = await _settled(lock, ledger, run, options, progress)
        except GuardError as error:
            records = await ledger.steps(run.run_id)
            return failed(error, run, records).outcome(run.run_id, records)
        undoing = await _begin(lock, ledger, run, steps)
        outcome = await carry_out(lock, undoing, options, progress, concluded=concluding(lock, run))
        return told(outcome, run)


async def _refuse_older(ledger: Ledger, run: Run, options: Options) -> None:
    later = [
        other
        for other in await ledger.runs(1000)
        if other.created_at > run.created_at and other.state not in {"abandoned", "rolled_back", "planned"}
    ]
    others = [other for other in later if not other.plan.source.startswith(_SOURCE.format(""))]
    unfinished = [other for other in others if other.state not in FINISHED]
    if others and (unfinished or not options.yes):
        raise GuardRefused(
            f"{len(others)} runs came after run {run.run_id}, and may rest on it; the last is {others[0].run_id}",
            next=f"undo them first: dflint exec undo {others[0].run_id}"
            + ("" if unfinished else "; or give --yes if they do not"),
        )


async def _settled(
    lock: MigrationLock, ledger: Ledger, run: Run, options: Options, progress: Progress
) -> list[StepRecord]:
    """The steps, none of which is half done any more."""
    steps = await ledger.steps(run.run_id)
    begun = [record for record in steps if record.state in _BEGUN and record.kind == "nontx"]
    if not begun:
        return steps
    async with monitored(lock, options, progress) as (monitor, able):
        work = Work(
            lock=lock, ledger=ledger, run_id=run.run_id, monitor=monitor, able=able, options=options, progress=progress
        )
        for record in begun:
            await settle(work, record.ord, run.plan.steps[record.ord])
    return await ledger.steps(run.run_id)


async def _begin(lock: MigrationLock, ledger: Ledger, run: Run, steps: list[StepRecord]) -> Run:
    """Make the run that undoes, and say so in both."""
    plan = reversed_plan(run, steps)
    async with lock.connection.transaction():
        undoing = await ledger.create_run(
            plan, __version__, step_hashes=[step_hash(step) for step in plan.steps], target=lock.identity
        )
        await ledger.set_run_state(run.run_id, "rolling_back")
        await link(ledger, lock.fence, run.run_id, undoing.run_id)
    return undoing


async def _rehearse(source: ConnectionSource, run: Run, options: Options, progress: Progress) -> Outcome:
    """Say what would be done. Writes nothing."""
    if run.state in UNDONE:
        return await resume(source, run.run_id, options, progress)
    async with await open_monitor(await source.dsn(), run_id=None) as connection:
        steps = await Ledger(connection).steps(run.run_id)
    return await rehearse(reversed_plan(run, steps), source, options, progress)


def reversed_plan(run: Run, steps: list[StepRecord]) -> Plan:
    """The plan that takes back the steps that are applied.

    Raises:
        GuardRefused: one cannot be taken back.
    """
    touched = [record for record in steps if record.state in {"done", *_BEGUN}]
    fixed = [(record, run.plan.steps[record.ord].undo.irreversible) for record in touched]
    reasons = [f"step {record.step_id}: {why}" for record, why in fixed if why is not None]
    half = [record for record in touched if record.state != "done" and run.plan.steps[record.ord].kind == "backfill"]
    reasons += [f"step {record.step_id} changed a part of its rows" for record in half]
    if reasons:
        raise GuardRefused(
            f"it cannot be taken back: {'; '.join(reasons)}",
            state=f"run {run.run_id} is as before",
            next=f"resume it, restore a backup, or leave it: dflint exec abort {run.run_id}",
        )
    return _as_undo(reverse(run.plan, [record.step_id for record in touched if record.state == "done"]), run)


def _as_undo(plan: Plan, run: Run) -> Plan:
    named = replace(plan, source=_SOURCE.format(run.run_id))
    return replace(named, hash=plan_hash(named))
