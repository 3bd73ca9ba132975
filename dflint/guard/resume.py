"""Taking up a run that stopped, giving one up, and finding the one that is meant."""

from __future__ import annotations

from typing import Final

from dflint.guard.errors import GuardRefused
from dflint.guard.executor import carry_out, migration_lock
from dflint.guard.ledger import Ledger, ledger_exists
from dflint.guard.lock import MigrationLock
from dflint.guard.options import Options, Outcome
from dflint.guard.progress import Progress
from dflint.guard.rehearsal import rehearse
from dflint.guard.session import open_monitor
from dflint.guard.undo_link import concluding, original_of, told, undo_run_of
from dflint.model.run import FINISHED, Run
from dflint.postgres.source import ConnectionSource

NOTHING_UNFINISHED: Final = "no run is unfinished in this database"


async def resume(source: ConnectionSource, run_id: str | None, options: Options, progress: Progress) -> Outcome:
    """Go on with a run, or with its undoing, where it stopped.

    Args:
        source: the database.
        run_id: None: the one that is unfinished.
        options: as given.
        progress: is told.

    Raises:
        GuardRefused: several are unfinished and none was named; the run, its plan or its database was changed.
        InputError: there is no such run.
        LockTimeout: an executor is at work.
    """
    found = await find(source, run_id)
    if found is None:
        return Outcome(run_id=None, state="done", exit_code=0, message=NOTHING_UNFINISHED)
    if options.dry_run:
        run = await _at_work(source, found)
        return await rehearse(run.plan, source, options, progress, run_id=run.run_id)
    async with migration_lock(source, options, found.run_id, f"resume {found.plan.source}", found.target) as lock:
        run = await Ledger(lock.connection).load_run(found.run_id)
        return await go_on(lock, run, options, progress)


async def _at_work(source: ConnectionSource, run: Run) -> Run:
    """The run itself, or the one that undoes it."""
    if run.state != "rolling_back":
        return run
    async with await open_monitor(await source.dsn(), run_id=None) as connection:
        return await undo_run_of(Ledger(connection), run.run_id)


async def go_on(lock: MigrationLock, run: Run, options: Options, progress: Progress) -> Outcome:
    """Go on with a run, or with its undoing, under the lock; say so when it is over."""
    ledger = Ledger(lock.connection)
    if run.state in FINISHED:
        return Outcome(
            run_id=run.run_id,
            state=run.state,
            exit_code=0,
            message=f"run {run.run_id} is over ({run.state.replace('_', ' ')})",
            steps=tuple(await ledger.steps(run.run_id)),
        )
    if run.state == "rolling_back":
        undoing = await undo_run_of(ledger, run.run_id)
        outcome = await carry_out(lock, undoing, options, progress, concluded=concluding(lock, run))
        return told(outcome, run)
    return await carry_out(lock, run, options, progress)


async def abort(source: ConnectionSource, run_id: str | None, options: Options) -> Outcome:
    """Give a run up: what is applied stays, and it can no longer be resumed.

    Raises:
        GuardRefused: several are unfinished and none was named.
        InputError: there is no such run.
        LockTimeout: an executor is at work.
    """
    found = await find(source, run_id)
    if found is None:
        return Outcome(run_id=None, state="done", exit_code=0, message=NOTHING_UNFINISHED)
    async with migration_lock(source, options, found.run_id, f"abort {found.plan.source}", found.target) as lock:
        ledger = Ledger(lock.connection)
        run = await ledger.load_run(found.run_id)
        steps = await ledger.steps(run.run_id)
        if run.state in FINISHED:
            message = f"run {run.run_id} is over ({run.state.replace('_', ' ')}): there is nothing to give up"
            return Outcome(run_id=run.run_id, state=run.state, exit_code=0, message=message, steps=tuple(steps))
        both = [run]
        if run.state == "rolling_back":
            both.append(await undo_run_of(ledger, run.run_id))
        async with lock.connection.transaction():
            for one in both:
                await ledger.set_run_state(one.run_id, "abandoned", "given up by its user")
                await ledger.event(one.run_id, None, lock.fence, "abandoned", {})
        applied = [record.step_id for record in steps if record.state == "done"]
        unsure = [record.step_id for record in steps if record.state in {"intent", "running"}]
        stays = "nothing of it was applied"
        if applied:
            single = len(applied) == 1
            stays = f"step{'' if single else 's'} {', '.join(applied)} stay{'s' if single else ''} applied"
        also = f"; step {', '.join(unsure)} was under way: look for an invalid index it left" if unsure else ""
        return Outcome(
            run_id=run.run_id,
            state="abandoned",
            exit_code=0,
            message=f"run {run.run_id} is given up: {stays}{also}",
            steps=tuple(steps),
        )


async def find(source: ConnectionSource, run_id: str | None) -> Run | None:
    """The run that is meant; of an undoing, the run that is undone. Writes nothing.

    Returns:
        None when none was named and none is unfinished.

    Raises:
        GuardRefused: several are unfinished and none was named.
        InputError: there is no such run.
    """
    async with await open_monitor(await source.dsn(), run_id=None) as connection:
        if not await ledger_exists(connection):
            if run_id is None:
                return None
            raise GuardRefused(
                "nothing was ever executed in this database", next="look whether --db names the right one"
            )
        ledger = Ledger(connection)
        if run_id is not None:
            named = await ledger.load_run(run_id)
            original = await original_of(ledger, named.run_id)
            return named if original is None else await ledger.load_run(original)
        unfinished = [run for run in await ledger.unfinished_runs() if await original_of(ledger, run.run_id) is None]
        if len(unfinished) > 1:
            listed = ", ".join(f"{run.run_id} ({run.plan.source}, {run.state})" for run in unfinished)
            raise GuardRefused(f"several runs are unfinished: {listed}", next="name one")
        return unfinished[0] if unfinished else None
