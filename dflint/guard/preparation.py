"""What must hold before the first statement: the plan fits this database, and nothing foreseeable is in the way."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import psycopg
from msgspec.structs import replace

from dflint.catalog.reader import read_catalog
from dflint.guard.capabilities import Capabilities
from dflint.guard.errors import GaveUpWaiting, GuardRefused
from dflint.guard.ledger import Ledger
from dflint.guard.options import Options
from dflint.guard.preflight import Concern, preflight
from dflint.guard.progress import Progress
from dflint.model.plan import Plan
from dflint.model.run import Run, StepRecord
from dflint.planning.fingerprint import fingerprint_of
from dflint.planning.hashes import plan_hash, step_hash
from dflint.planning.refusals import gives_lock_away
from dflint.planning.statements import operations_of

_LOOK_AGAIN_S: Final = 1.0


def refuse_unfit(plan: Plan) -> None:
    """Refuse a plan that no executor may run.

    Raises:
        GuardRefused: it was edited and not judged again, or a step would take the lock away from its own session.
    """
    if plan.hash is None:
        raise GuardRefused(
            "the plan was edited by hand and not judged again", next="read it with dflint.planning.judge_again first"
        )
    for step in plan.steps:
        text = step.sql.lower()
        if step.kind not in {"tx", "nontx"} or not ("discard" in text or "unlock" in text):
            continue
        for operation in operations_of(step.sql):
            problem = gives_lock_away(operation)
            if problem is not None:
                raise GuardRefused(f"step {step.id}: {problem.message}", next=problem.remedy)


async def prepare(
    connection: psycopg.AsyncConnection[Any],
    ledger: Ledger | None,
    what: Run | Plan,
    able: Capabilities,
    options: Options,
    progress: Progress,
) -> None:
    """Check the plan against the database, then wait until what preflight says to wait for is gone.

    Args:
        connection: outside a transaction.
        ledger: where the run is written; None when nothing is (a rehearsal).
        what: the run to be resumed, or the plan to be begun.
        able: what this role may see and do.
        options: as given.
        progress: is told of every concern.

    Raises:
        GuardRefused: it must not be executed here. Nothing was changed.
        GaveUpWaiting: what was to be waited for did not go away.
    """
    steps: list[StepRecord] = []
    if isinstance(what, Run):
        assert ledger is not None
        steps = await ledger.steps(what.run_id)
        await _check_run(ledger, what, steps, options)
        plan = what.plan
    else:
        plan = what
        await check_target(connection, plan)
    done = {record.ord for record in steps if record.state in {"done", "skipped"}}
    left = replace(plan, steps=tuple(step for ord, step in enumerate(plan.steps) if ord not in done))
    await _wait_for_preflight(connection, left, able, options, progress)


async def _check_run(ledger: Ledger, run: Run, steps: list[StepRecord], options: Options) -> None:
    """Nobody changed the plan, or the audit trail, of a run that is under way."""
    for record in steps:
        if step_hash(run.plan.steps[record.ord]) != record.step_hash:
            raise GuardRefused(
                f"step {record.step_id} of run {run.run_id} is not the one that the run began with",
                state="the run is as before",
                next=f"find out who changed dflint.run; dflint exec abort {run.run_id} gives the run up",
            )
    if plan_hash(run.plan) != run.plan_hash:
        raise GuardRefused(
            f"the plan of run {run.run_id} is not the one that the run began with",
            state="the run is as before",
            next=f"find out who changed dflint.run; dflint exec abort {run.run_id} gives the run up",
        )
    broken = await ledger.verify_chain(run.run_id)
    if broken is not None and not options.yes:
        raise GuardRefused(
            f"the audit trail of run {run.run_id} was tampered with: {broken}",
            state="the run is as before",
            next="compare the database with the plan by hand; --yes goes on nevertheless",
        )


async def check_target(connection: psycopg.AsyncConnection[Any], plan: Plan) -> None:
    """Refuse a plan that was made for another server, or for tables that have changed since. Writes nothing.

    Raises:
        GuardRefused: it was.
    """
    major = connection.info.server_version // 10_000
    if plan.target.pg_version != major:
        raise GuardRefused(
            f"the plan was made for PostgreSQL {plan.target.pg_version}, the server is {major}: it locks differently",
            next="make the plan anew with dflint plan --db",
        )
    if not plan.target.catalog_fingerprint:
        return
    found = fingerprint_of(plan, await read_catalog(connection))
    if found != plan.target.catalog_fingerprint:
        raise GuardRefused(
            "what the plan touches is not as it was when the plan was made",
            next="see what changed, and make the plan anew with dflint plan --db",
        )


async def _wait_for_preflight(
    connection: psycopg.AsyncConnection[Any], plan: Plan, able: Capabilities, options: Options, progress: Progress
) -> None:
    deadline = time.monotonic() + options.lock_wait_s
    told: set[tuple[str, str]] = set()
    while True:
        concerns = await preflight(connection, plan, able, standbys=options.standbys)
        for concern in concerns:
            # Ages in messages change from one look to the next; several of one kind at once are different ones.
            if (concern.kind, concern.severity) not in told:
                progress.event(
                    "concern",
                    concern=concern.kind,
                    severity=concern.severity,
                    message=concern.message,
                    remedy=concern.remedy,
                )
        told |= {(concern.kind, concern.severity) for concern in concerns}
        refused = [concern for concern in concerns if concern.severity == "refuse"]
        if refused:
            raise GuardRefused(_messages(refused), next="; ".join(concern.remedy for concern in refused))
        waited_for = [concern for concern in concerns if concern.severity == "wait"]
        if not waited_for or options.dry_run:
            return
        if time.monotonic() >= deadline:
            raise GaveUpWaiting(
                f"not begun after {options.lock_wait_s:g} s of waiting: {_messages(waited_for)}",
                blocked=_messages(waited_for),
                next="; ".join(concern.remedy for concern in waited_for),
            )
        await asyncio.sleep(_LOOK_AGAIN_S)


def _messages(concerns: list[Concern]) -> str:
    return "; ".join(concern.message for concern in concerns)
